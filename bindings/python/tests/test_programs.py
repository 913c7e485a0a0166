# SPDX-License-Identifier: Apache-2.0
"""The same bits as the C programs: finetune and predict beside Trainer and Predictor. PEFT_PROGRAMS: the folder of the
programs (build/examples); PEFT_SHARED: real data sets. Without one, its tests are skipped and say so."""

import csv
import os
import pathlib
import subprocess
import unittest

import numpy as np

import libpeft
from common import ROOT, Case

PROGRAMS, SHARED = os.environ.get("PEFT_PROGRAMS"), os.environ.get("PEFT_SHARED")
SMALL = ROOT / "examples" / "data" / "vit_cifar10.safetensors"


@unittest.skipUnless(PROGRAMS, "PEFT_PROGRAMS does not name the folder of the C programs")
class Programs(Case):
    def call(self, program, *arguments):
        done = subprocess.run(
            [str(pathlib.Path(PROGRAMS) / program), *map(str, arguments)], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def same(self, backbone, data, method, adapter="", shots=6, tests=4, epochs=2, seed=3, **options):
        """Trains with the program and in Python, compares the files, and the predictions of each by the other."""
        flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        self.call(
            "finetune",
            "--backbone",
            backbone,
            "--data",
            data,
            "--method",
            method,
            "--epochs",
            epochs,
            "--seed",
            seed,
            "--shots",
            shots,
            "--test-per-class",
            tests,
            "--out",
            self.folder / "c.safetensors",
            "--threads",
            2,
            *(["--options", adapter] if adapter else []),
            *flags,
        )

        vit = libpeft.Backbone.open(backbone, context=libpeft.Context(seed=seed))
        try:
            train, rest = libpeft.Dataset.open(data, "train"), libpeft.Dataset.open(data, "test")
            train, _ = train.few_shot(shots, seed=seed)
        except libpeft.NotFoundError:  # no splits: the others are the test set
            train, rest = libpeft.Dataset.open(data).few_shot(shots, seed=seed)
        test, _ = rest.few_shot(tests, seed=seed)
        made = libpeft.Adapter(vit, method, **dict(pair.split("=") for pair in adapter.split(",") if pair))
        recipe = {"batch": 4, "lr": 1e-3, "weight_decay": 0.01, "decay_on": "matrices", "schedule": "cosine"}
        with libpeft.Trainer(vit, made, train, epochs=epochs, **{**recipe, **options}) as trainer:
            trainer.fit()
            model = trainer.model
        model.save(self.folder / "python.safetensors")
        self.assertEqual(
            (self.folder / "c.safetensors").read_bytes(), (self.folder / "python.safetensors").read_bytes()
        )

        logits = libpeft.Predictor(model, batch=3).logits(test)
        loaded = libpeft.Model.load(vit, self.folder / "c.safetensors")
        self.assertEqual(logits.tobytes(), libpeft.Predictor(loaded, threads=1).logits(test).tobytes())
        return vit, model, test

    def same_predictions(self, backbone, paths):
        """The table of the program predict, whose nine digits identify a float, beside the probabilities here."""
        out = self.call(
            "predict", "--backbone", backbone, "--model", self.folder / "python.safetensors", "--csv", *paths
        )
        self.assertGreater(len(paths), 1)
        rows = list(csv.reader(out.splitlines()))
        vit = libpeft.Backbone.open(backbone)
        predictor = libpeft.Predictor(libpeft.Model.load(vit, self.folder / "python.safetensors"), batch=4)
        first = (
            rows[0].index(f"p_{predictor.class_names[0]}")
            if f"p_{predictor.class_names[0]}" in rows[0]
            else next(i for i, name in enumerate(rows[0]) if predictor.class_names[0] in name)
        )
        printed = np.array([row[first : first + len(predictor.class_names)] for row in rows[1:]]).astype(np.float32)
        self.assertEqual(printed.tobytes(), predictor.probabilities(paths).tobytes())
        self.assertEqual([row[1] for row in rows[1:]], predictor.predict(paths))

    def test_phantoms(self):
        self.call("phantom", "--out", self.folder / "scans", "--images", 14)
        vit, _, test = self.same(SMALL, self.folder / "scans", "lora", "r=4", epochs=3, lr=0.002)
        self.same_predictions(SMALL, sorted((self.folder / "scans").rglob("*.png"))[::7])

    def test_dicom(self):
        """A table with patients, headers, and slices; if libpeft-dicom is there."""
        self.call("phantom", "--out", self.folder / "scans", "--images", 4, "--dicom")
        files = sorted((self.folder / "scans").glob("IM*"))
        try:
            headers = [libpeft.DicomHeader(file) for file in files]
        except libpeft.UnsupportedError as e:
            self.skipTest(e.message)
        data = libpeft.Dataset.open(self.folder / "scans" / "labels.csv")
        patients = {pathlib.Path(name).name: group for name, group in zip(data.names, data.groups, strict=True)}
        self.assertEqual([patients[file.name] for file in files], [header["patient"] for header in headers])
        self.assertEqual(len(set(patients.values())), 6)
        train, rest = data.split(0.5, seed=1)
        self.assertFalse(set(train.groups) & set(rest.groups))
        order, series = libpeft.DicomHeader.sort([None, *headers])
        self.assertEqual((sorted(order), order[-1], series[-1]), (list(range(13)), 0, -1))
        with self.assertRaises(KeyError):
            headers[0]["no such field"]
        self.assertEqual(len(libpeft.Dataset.open_pictures(self.folder / "scans").with_slices()), 12)

    def test_ept_with_options(self):
        self.call("phantom", "--out", self.folder / "scans", "--images", 14)
        self.same(SMALL, self.folder / "scans", "ept", "length=8", lr=0.03, batch=3, clip_norm=1.0, optimizer="sgd")

    @unittest.skipUnless(SHARED, "PEFT_SHARED does not name the folder of the real data sets")
    def test_breastmnist(self):
        self.same(SMALL, pathlib.Path(SHARED) / "data/medmnist/breastmnist.npz", "vpt", "tokens=4")

    @unittest.skipUnless(SHARED, "PEFT_SHARED does not name the folder of the real data sets")
    def test_busi(self):
        backbone = pathlib.Path(SHARED) / "data/vit/deit_tiny_patch16_224.safetensors"
        _, _, test = self.same(backbone, pathlib.Path(SHARED) / "data/busi", "lora", shots=2, tests=1, epochs=1)
        self.same_predictions(
            backbone, [pathlib.Path(SHARED) / "data/busi" / name.split("busi/")[-1] for name in test.names]
        )


if __name__ == "__main__":
    unittest.main()
