# SPDX-License-Identifier: Apache-2.0
"""Intervals, tests, thresholds and prediction sets, beside numpy and formulas."""

import unittest

import numpy as np

import libpeft
from libpeft.metrics import conformal, statistics, threshold


def samples(n=120, classes=3, seed=0):
    """Probabilities, and labels that mostly follow them."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, classes)).astype(np.float32) * 2
    return libpeft.metrics.scores(logits), np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)


class Statistics(unittest.TestCase):
    def test_proportion(self):
        found = statistics.proportion(27, 30)
        z, p, n = 1.959963984540054, 0.9, 30
        centre, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        np.testing.assert_allclose(
            found[:1] + found[2:4], [p, *((centre + s * half) / (1 + z * z / n) for s in (-1, 1))]
        )
        self.assertLess(statistics.proportion(27, 30, kind="clopper_pearson").low, found.low)
        with self.assertRaises(libpeft.InvalidError):
            statistics.proportion(31, 30)

    def test_auroc(self):
        p, truth = samples()
        s, t = p[:, 1], truth == 1
        found = statistics.auroc(s, t)
        wins = (s[t][:, None] > s[~t]) + 0.5 * (s[t][:, None] == s[~t])
        variance = wins.mean(1).var(ddof=1) / t.sum() + wins.mean(0).var(ddof=1) / (~t).sum()
        np.testing.assert_allclose([found.value, found.error], [wins.mean(), np.sqrt(variance)])
        patients = [f"patient {i // 4}" for i in range(len(s))]
        grouped = statistics.auroc(s, t, groups=patients)
        np.testing.assert_equal(grouped, statistics.auroc(s, t, groups=np.arange(len(s)) // 4))
        self.assertNotEqual(grouped.error, found.error)
        np.testing.assert_equal(statistics.auroc(s, t, groups=[""] * len(s)), found)
        self.assertEqual(statistics.auroc_difference(s, s, t).p, 1)
        self.assertLess(statistics.auroc_difference(s, np.random.default_rng(2).random(len(s)), t).p, 0.05)

    def test_resampling(self):
        p, truth = samples()
        noise = np.random.default_rng(1).random(p.shape)
        worse = (p + noise) / (p + noise).sum(1, keepdims=True)
        accuracy = statistics.bootstrap("accuracy", p, truth, resamples=500, seed=3)
        self.assertEqual(accuracy.value, (p.argmax(1) == truth).mean())
        self.assertTrue(accuracy.low < accuracy.value < accuracy.high and accuracy.resamples == 500)
        np.testing.assert_equal(accuracy, statistics.bootstrap("accuracy", p, truth, resamples=500, seed=3))
        self.assertEqual(len(statistics.bootstrap("recall", p, truth, resamples=50)), 3)
        targets = libpeft.metrics.one_hot(truth, 3)
        f1 = statistics.bootstrap("f1", p, targets, thresholds=[0.3, 0.4, 0.5], resamples=50)
        self.assertEqual(f1[1].value, libpeft.metrics.multi_label(p, targets, "f1", [0.3, 0.4, 0.5])[1])
        test = statistics.permutation("auroc_macro", p, worse, truth, resamples=200)
        difference = statistics.bootstrap("auroc_macro", p, truth, worse, resamples=200)
        self.assertAlmostEqual(test.value, difference.value)
        self.assertLess(test.p, 0.05)
        only = statistics.mcnemar(truth, p.argmax(1), worse.argmax(1))
        right = (p.argmax(1) == truth), (worse.argmax(1) == truth)
        self.assertEqual(only[:2], ((right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()))
        for wrong in (
            lambda: statistics.bootstrap("no such metric", p, truth),
            lambda: statistics.bootstrap("accuracy", p, truth, no_such_option=1),
            lambda: statistics.bootstrap("accuracy", p, truth[:5]),
            lambda: statistics.bootstrap("accuracy", p, truth, groups=["a"]),
        ):
            with self.assertRaises(libpeft.PeftError):
                wrong()

    def test_thresholds(self):
        p, truth = samples()
        at = threshold.choose(p, truth, "sensitivity", 0.9)
        for c, rates in enumerate(threshold.rates(p, truth, at)):
            yes, positive = p[:, c] >= at[c], truth == c
            self.assertEqual(rates[:4], ((yes & positive).sum(), (yes & ~positive).sum(), (~yes & positive).sum(),
                                         (~yes & ~positive).sum()))  # fmt: skip
            self.assertGreaterEqual(rates.sensitivity.value, 0.9)
            self.assertLess(rates.ppv.low, rates.ppv.value)
        model, everyone = threshold.net_benefit(p, truth, [0.1, 0.5])
        np.testing.assert_allclose(everyone[2, 1], (truth == 2).mean() - (truth != 2).mean())
        self.assertEqual(model.shape, (3, 2))

    def test_conformal(self):
        p, truth = samples(400)
        quantiles = conformal.fit(p[:200], truth[:200], 0.1)
        scores = np.sort(1 - p[np.arange(200), truth[:200]])
        np.testing.assert_allclose(quantiles, scores[int(np.ceil(201 * 0.9)) - 1])
        chosen = conformal.sets(p[200:], quantiles)
        self.assertEqual((chosen.dtype, chosen.shape), (np.bool_, (200, 3)))
        self.assertGreater(chosen[np.arange(200), truth[200:]].mean(), 0.8)
        with self.assertRaises(libpeft.InvalidError):
            conformal.sets(p, quantiles, score="no such score")

    def test_reliability(self):
        p, truth = samples()
        bins = libpeft.metrics.reliability(p, truth)
        share = bins.size / len(p)
        ece = np.nansum(share * np.abs(bins.probability - bins.share))
        self.assertAlmostEqual(libpeft.metrics.calibration(p, truth, "ece"), ece)
        each = libpeft.metrics.reliability(p, libpeft.metrics.one_hot(truth, 3), bins=5)
        self.assertEqual((each.size.shape, each.size.sum()), ((3, 5), p.size))


if __name__ == "__main__":
    unittest.main()
