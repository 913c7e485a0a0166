# SPDX-License-Identifier: Apache-2.0
"""The programs in examples run, and README.md shows what they hold."""

import os
import re
import shutil
import subprocess
import sys
import unittest

import numpy as np

import libpeft
from common import ROOT, Case

HERE = ROOT / "bindings" / "python"
BACKBONE = ROOT / "examples" / "data" / "vit_cifar10.safetensors"


class Examples(Case):
    def run_program(self, path):
        done = subprocess.run([sys.executable, path], cwd=self.folder, capture_output=True, text=True, env=os.environ)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def prepare(self):
        shutil.copy(BACKBONE, self.folder / "vit.safetensors")
        self.pictures("scans", per_class=10, classes=("benign", "malignant"))
        (self.folder / "new").mkdir()
        for i, light in enumerate((0, 130), 1):
            samples = np.random.default_rng(i).integers(light, light + 60, (40, 48, 3)).astype(np.uint8)
            libpeft.Image.from_array(samples).save_png(self.folder / "new" / f"{i}.png")

    def test_programs(self):
        self.prepare()
        said = self.run_program(HERE / "examples" / "adapt.py").splitlines()
        self.assertIn("'accuracy'", said[1])
        self.assertEqual(said[2], "['benign', 'malignant']")
        losses = [float(x) for x in re.findall(r"loss ([\d.]+)", self.run_program(HERE / "examples" / "loop.py"))]
        self.assertEqual(len(losses), 3)
        self.assertLess(losses[-1], losses[0])
        figures = self.run_program(HERE / "examples" / "probe.py").splitlines()
        self.assertEqual([line.split()[0] for line in figures], ["knn", "logistic"])
        self.assertRegex(self.run_program(HERE / "examples" / "early_stop.py"), r"^epoch \d+: \{'accuracy'")
        self.assertIn("head.bias", self.run_program(HERE / "examples" / "arrays.py"))

    def test_readme(self):
        blocks = re.findall(r"^```python\n(.*?)^```", (HERE / "README.md").read_text(), re.M | re.S)
        self.assertTrue(blocks)
        programs = [path.read_text() for path in (HERE / "examples").glob("*.py")]
        for block in blocks:
            self.assertTrue(any(block in program for program in programs), block)


if __name__ == "__main__":
    unittest.main()
