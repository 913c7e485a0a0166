# SPDX-License-Identifier: Apache-2.0
"""What the sites and the server of a federation compute (examples/federated/federation.py), without an engine between
them."""

import os
import pathlib
import subprocess
import sys
import unittest

import numpy as np

import libpeft
from common import ROOT, Case, network

sys.path.append(str(ROOT / "bindings" / "python" / "examples" / "federated"))
import federation  # noqa: E402

PROGRAMS = os.environ.get("PEFT_PROGRAMS")


class Federation(Case):
    def setUp(self):
        super().setUp()
        self.backbone, self.start = self.folder / "vit.safetensors", self.folder / "start.safetensors"
        network().save(self.backbone)
        self.data = self.pictures()
        vit = libpeft.Backbone.open(self.backbone, context=libpeft.Context(seed=5))
        with libpeft.Trainer(vit, libpeft.Adapter(vit, "lora", r=2), libpeft.Dataset.open(self.data)) as trainer:
            self.model = trainer.model
        self.model.save(self.start)
        self.parameters = federation.parameters_of(self.start.read_bytes())

    def train(self, **options):
        return federation.train(self.backbone, self.start, self.data, self.parameters, seed=7, **options)

    def test_start(self):
        os.rename(self.data, self.folder / "scans")
        program = ROOT / "bindings" / "python" / "examples" / "federated" / "start.py"
        subprocess.run([sys.executable, program], cwd=self.folder, check=True)
        started = libpeft.Model.load(libpeft.Backbone.open(self.backbone), self.start)
        self.assertEqual((started.class_names, started.note("link")), (["benign", "malignant"], "softmax"))

    def test_parameters_and_files(self):
        own = self.model.parameters()
        self.assertEqual(own.keys(), self.parameters.keys())
        for name, value in own.items():
            self.assertEqual(
                (value.shape, value.tobytes()), (self.parameters[name].shape, self.parameters[name].tobytes())
            )
        self.assertEqual(federation.model_file(self.start.read_bytes(), self.parameters), self.start.read_bytes())

        doubled = {name: 2 * value for name, value in self.parameters.items()}
        other = self.folder / "other.safetensors"
        other.write_bytes(federation.model_file(self.start.read_bytes(), doubled))
        loaded = libpeft.Model.load(self.model.backbone, other)
        self.assertTrue(all((value == doubled[name]).all() for name, value in loaded.parameters().items()))
        self.assertEqual(loaded.class_names, self.model.class_names)

    def test_parameters_that_do_not_fit(self):
        start, bias = self.start.read_bytes(), self.parameters["head.bias"]
        for wrong, said in (
            ({"head.bias": bias.astype(np.float64)}, r"head.bias: given \(\(2,\), '<f8'\), expected \(\(2,\), '<f4'\)"),
            ({"head.bias": np.zeros(3, np.float32)}, r"head.bias: given \(\(3,\), '<f4'\)"),
            ({"more": bias}, r"parameter more: given .*, expected None"),
        ):
            with self.assertRaisesRegex(ValueError, said):
                federation.model_file(start, {**self.parameters, **wrong})
        with self.assertRaisesRegex(ValueError, "head.bias: given None"):
            federation.model_file(start, {name: v for name, v in self.parameters.items() if name != "head.bias"})

    def test_a_site_trains(self):
        trained, pictures, loss = self.train(epochs=2, **federation.options_of("lr=0.01,batch=3"))
        self.assertEqual((pictures, list(trained)), (12, list(self.parameters)))
        self.assertGreater(np.abs(trained["head.weight"] - self.parameters["head.weight"]).max(), 0)
        self.assertTrue(np.isfinite(loss))
        again, _, _ = self.train(epochs=2, lr=0.01, batch=3)
        self.assertTrue(all(again[name].tobytes() == value.tobytes() for name, value in trained.items()))

        os.rename(self.data / "benign", self.data / "harmless")
        with self.assertRaisesRegex(
            ValueError, r"given classes \['harmless', 'malignant'\], expected those of .*benign"
        ):
            self.train()

    @unittest.skipUnless(PROGRAMS, "PEFT_PROGRAMS does not name the folder of the C programs")
    def test_the_bits_of_finetune(self):
        out = self.folder / "out.safetensors"
        words = [
            "--model",
            self.start,
            "--data",
            self.data,
            "--test",
            self.pictures("test", per_class=2),
            "--backbone",
            self.backbone,
        ]
        words += ["--epochs", 2, "--seed", 7, "--trainer", "lr=0.01,optimizer=sgd,momentum=0.9", "--out", out]
        program = str(pathlib.Path(PROGRAMS) / "finetune")
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        trained, _, _ = self.train(epochs=2, **federation.options_of("lr=0.01,optimizer=sgd,momentum=0.9"))
        self.assertEqual(federation.model_file(self.start.read_bytes(), trained), out.read_bytes())

    def test_aggregate(self):
        rng = np.random.default_rng(1)
        sites = [
            (f"site-{k}", n, {name: rng.standard_normal(v.shape, np.float32) for name, v in self.parameters.items()})
            for k, n in enumerate((12, 5, 31))
        ]
        start = self.start.read_bytes()
        mean = federation.aggregate(start, self.parameters, sites)
        for name, value in mean.items():
            expected = sum(n * site[name].astype(np.float64) for _, n, site in sites) / 48
            self.assertEqual((value.dtype, value.tobytes()), (np.float32, expected.astype(np.float32).tobytes()))
        other_order = federation.aggregate(start, self.parameters, sites[::-1])
        self.assertTrue(all(other_order[name].tobytes() == value.tobytes() for name, value in mean.items()))

        product = federation.aggregate(start, self.parameters, sites, lora="product")
        first = "blocks.0.attn.q.lora_"
        updates = sum(n * site[first + "B.weight"] @ site[first + "A.weight"] for _, n, site in sites) / 48
        near = np.linalg.svd(updates)
        best = near.U[:, :2] * near.S[:2] @ near.Vh[:2]
        np.testing.assert_allclose(product[first + "B.weight"] @ product[first + "A.weight"], best, atol=1e-5)
        wrong = {**self.parameters, "head.bias": np.full(2, np.nan, np.float32)}
        with self.assertRaisesRegex(libpeft.NonFiniteError, "site-2"):
            federation.aggregate(start, self.parameters, [*sites, ("site-2", 1, wrong)])


if __name__ == "__main__":
    unittest.main()
