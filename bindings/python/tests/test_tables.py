# SPDX-License-Identifier: Apache-2.0
"""Documentation from the library's tables, metrics, and the generated declarations."""

import pydoc
import subprocess
import sys
import unittest

import numpy as np

import libpeft
from common import ROOT
from libpeft._c import declarations

PYTHON = ROOT / "bindings" / "python"


class Tables(unittest.TestCase):
    def test_generated(self):
        """The declarations are those of the headers, and a changed one is noticed."""
        check = subprocess.run([sys.executable, PYTHON / "generate.py", "--check"], capture_output=True, text=True)
        self.assertEqual((check.returncode, check.stderr), (0, ""))
        maps = ROOT / "src"
        exported = {
            line.strip(" ;")
            for name in ("peft.map", "io/peft_io.map")
            for line in (maps / name).read_text().splitlines()
            if line.startswith("    peft_") and not line.startswith("    peft_sys_")
        }
        self.assertEqual({*declarations.CORE, *declarations.IO}, exported)

    def test_generator_refuses(self):
        sys.path.insert(0, str(PYTHON))
        self.addCleanup(sys.path.remove, str(PYTHON))
        import generate

        for text in (
            "PEFT_API peft_new peft_f(void);",
            "struct peft_x { int a; };",
            "typedef enum peft_e { A, B } peft_e;",
            "PEFT_API int peft_f(long double x);",
            "typedef struct peft_s { int a[3]; } peft_s;",
        ):
            with self.assertRaises(SystemExit):
                generate.Header(text, {"char"}, set(), set())
        header = generate.Header(
            "/* c */ PEFT_API PEFT_NODISCARD peft_status\npeft_f(const float *a, int64_t n[2]);", {"char"}, set(), set()
        )
        self.assertEqual(header.functions, [("peft_f", "c_int", ["c_void_p", "c_void_p"])])

    def test_help(self):
        """help() shows every option of the tables with its default, and help of each class and method."""
        words = {
            libpeft.Trainer: ["weight_decay = 0 (float, 0 to 1e+06)", "schedule", "classes"],
            libpeft.Adapter: ["lora:", "r = 8 (integer", "arXiv"],
            libpeft.Session: ["taps", "compute = f32"],
            libpeft.Transform: ["crop_pct"],
            libpeft.DataLoader: ["drop_last"],
            libpeft.Adaptor: ["tent:"],
            libpeft.Backbone: ["naming = auto"],
            libpeft.Model: ["head_init"],
            libpeft.Dataset: ["blank"],
        }
        for c, expected in words.items():
            text = pydoc.plain(pydoc.render_doc(c))
            for word in expected:
                self.assertIn(word, text)
        self.assertIn("dtype", libpeft.Backbone.save.__doc__)
        self.assertIn("qkv_bias", libpeft.Backbone.random.__doc__)
        for name in libpeft.__all__:
            value = getattr(libpeft, name)
            self.assertTrue(value.__doc__, name)
            members = vars(value).items() if isinstance(value, type) and value.__module__.startswith("libpeft") else ()
            for member, function in members:
                if not member.startswith("_") and (callable(function) or isinstance(function, (property, classmethod))):
                    self.assertTrue(function.__doc__, f"{name}.{member}")

    def test_methods(self):
        self.assertIn("lora", libpeft.methods())
        for method in libpeft.methods():
            self.assertTrue(libpeft.method_help(method).startswith(f"{method}: "))

    def test_metrics(self):
        m = libpeft.metrics
        logits = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
        truth = np.argmax(logits + np.random.default_rng(1).standard_normal((50, 3)), 1)
        p = m.scores(logits)
        np.testing.assert_allclose(p, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), atol=1e-6)
        predicted = m.decide(p)
        counts = m.confusion(truth, predicted, 3)
        self.assertAlmostEqual(m.decision(counts, "accuracy"), (truth == predicted).mean())
        recall = m.decision(counts, "recall")
        np.testing.assert_allclose(recall, [(predicted[truth == c] == c).mean() for c in range(3)])
        auroc = m.ranking(p, truth, "auroc")
        pairs = p[truth == 1, 1][:, None] - p[truth != 1, 1][None]
        self.assertAlmostEqual(auroc[1], (pairs > 0).mean())
        self.assertAlmostEqual(m.ranking(p, m.one_hot(truth, 3), "auroc_macro"), auroc.mean())
        self.assertAlmostEqual(m.calibration(p, truth, "nll"), -np.log(p[np.arange(50), truth]).mean())
        t = m.fit_temperature(logits, truth)
        self.assertLess(m.calibration(m.temperature_scores(logits, t), truth, "nll"), m.calibration(p, truth, "nll"))
        self.assertEqual(set(m.evaluate(logits, truth)), {"accuracy", "balanced_accuracy", "f1_macro", "auroc_macro"})
        self.assertEqual(m.multi_label(p, m.one_hot(truth, 3), "f1").shape, (3,))
        for name in m.names():
            self.assertTrue(m.help(name))
        for wrong in (lambda: m.ranking(p, truth, "aurok"), lambda: m.help("aurok")):
            with self.assertRaises(libpeft.NotFoundError):
                wrong()
        with self.assertRaises(libpeft.ShapeError):
            m.calibration(p, truth[:5], "nll")


if __name__ == "__main__":
    unittest.main()
