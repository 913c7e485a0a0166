# SPDX-License-Identifier: Apache-2.0
"""Writes the model file that a federation begins with: adapter and head at their initial values, the names of the
classes, and how pictures are prepared."""

import libpeft

vit = libpeft.Backbone.open("vit.safetensors", context=libpeft.Context(seed=1))
example = libpeft.Dataset.open("scans")
libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), example).model.save("start.safetensors")
