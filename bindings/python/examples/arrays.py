# SPDX-License-Identifier: Apache-2.0
"""Arrays in and out: pixels, prepared images, features, parameters; two threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

import libpeft

vit = libpeft.Backbone.open("vit.safetensors", context=libpeft.Context(threads=1))
model = libpeft.Model.load(vit, "scans.safetensors")

pixels = np.zeros((4, 48, 64, 3), np.uint8)  # (n, height, width, channels)
probabilities = libpeft.Predictor(model).probabilities(pixels)  # float32 (n, classes)

images = np.zeros((4, *model.input_shape), np.float32)  # (n, 3, height, width), prepared
session = libpeft.Session(model, batch=4)
logits = np.empty((4, model.classes), np.float32)
session.logits(images, out=logits)  # no copy in or out
features = session.features(images)  # float32 (n, model.feature_width)

for name, value in model.parameters().items():  # over the library's memory
    print(name, value.shape, float(np.abs(value).max()))

sessions = [libpeft.Session(model, batch=4) for _ in range(2)]
with ThreadPoolExecutor(2) as pool:
    both = list(pool.map(lambda s: s.logits(images), sessions))
assert both[0].tobytes() == both[1].tobytes() == logits.tobytes()
