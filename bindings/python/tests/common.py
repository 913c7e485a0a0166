# SPDX-License-Identifier: Apache-2.0
"""A small network, images, and picture files for the tests."""

import os
import pathlib
import shutil
import tempfile
import unittest

import numpy as np

import libpeft

# The checkout: the tests may run from a copy of this folder.
ROOT = pathlib.Path(os.environ.get("PEFT_CHECKOUT") or pathlib.Path(__file__).resolve().parents[3])
SIDE = 32
NETWORK = {"image_size": SIDE, "patch": 8, "width": 32, "depth": 2, "heads": 2, "mlp": 64, "seed": 1}


def network(**context):
    """A backbone with random weights under a context of its own."""
    return libpeft.Backbone.random(context=libpeft.Context(**{"threads": 1, "seed": 5, **context}), **NETWORK)


def images(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 3, SIDE, SIDE)).astype(np.float32)


def labels(n, classes=3, seed=0):
    return np.random.default_rng(seed).integers(0, classes, n)


def batches(n=24, size=8, classes=3):
    x, y = images(n), labels(n, classes)
    return [(x[i : i + size], y[i : i + size]) for i in range(0, n, size)]


def trained_model(backbone, method="lora", **options):
    """A model after a few steps, whose adapter is no longer at its initial values."""
    trainer = libpeft.Trainer(
        backbone, libpeft.Adapter(backbone, method, **options), batches(), epochs=2, classes=3, batch=8, lr=0.01
    )
    trainer.fit()
    return trainer.model


class Case(unittest.TestCase):
    """A test with a temporary folder."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="libpeft-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def pictures(self, name="pictures", per_class=6, classes=("benign", "malignant")):
        """A folder of class folders with PNG files of noise, brighter with each class."""
        rng = np.random.default_rng(3)
        for c, class_name in enumerate(classes):
            (self.folder / name / class_name).mkdir(parents=True)
            for i in range(per_class):
                samples = rng.integers(60 * c, 60 * c + 120, (40, 48, 3)).astype(np.uint8)
                libpeft.Image.from_array(samples).save_png(self.folder / name / class_name / f"{i}.png")
        return self.folder / name
