# SPDX-License-Identifier: Apache-2.0
"""Probes of features."""

import unittest

import numpy as np

import libpeft
from common import Case


class Probes(Case):
    def data(self, n=60, classes=3):
        """Features of three classes whose means lie apart, and new ones."""
        rng = np.random.default_rng(1)
        truth = np.arange(n) % classes
        means = 4 * rng.standard_normal((classes, 5))
        make = lambda: (means[truth] + rng.standard_normal((n, 5))).astype(np.float32)  # noqa: E731
        return make(), make(), truth

    def test_kinds(self):
        train, new, truth = self.data()
        for options in (
            {"kind": "knn", "k": 5},
            {"kind": "prototypes", "distance": "euclidean"},
            {"kind": "logistic", "C": 1.0},
        ):
            probe = libpeft.Probe(train, truth, **options)
            scores = probe.scores(new)
            self.assertEqual((scores.shape, scores.dtype), ((60, 3), np.float64))
            np.testing.assert_allclose(scores.sum(1), 1)
            self.assertGreater((scores.argmax(1) == truth).mean(), 0.9)
            parts = np.concatenate([probe.scores(new[:7]), probe.scores(new[7:7]), probe.scores(new[7:])])
            self.assertEqual(parts.tobytes(), scores.tobytes())
            self.assertEqual((probe.get("classes"), probe.get("width"), probe.get("samples")), (3, 5, 60))

    def test_figures_of_probabilities(self):
        train, new, truth = self.data()
        scores = libpeft.Probe(train, truth, kind="logistic").scores(new)
        figures = libpeft.metrics.evaluate(scores, truth, link="identity")
        self.assertEqual(figures["accuracy"], (scores.argmax(1) == truth).mean())
        self.assertEqual(figures["auroc_macro"], libpeft.metrics.ranking(scores, truth, "auroc_macro"))
        targets = libpeft.metrics.one_hot(truth, 3)
        self.assertEqual(set(libpeft.metrics.evaluate(scores, targets, "identity")), {"f1_macro", "map", "auroc_macro"})
        with self.assertRaisesRegex(libpeft.DTypeError, 'give link="identity"'):
            libpeft.metrics.evaluate(scores, truth)

    def test_nearest_neighbour_of_numpy(self):
        train, new, truth = self.data()
        probe = libpeft.Probe(train, truth, kind="knn", k=1, distance="euclidean")
        distance = ((new[:, None].astype(float) - train[None]) ** 2).sum(2)
        self.assertEqual(probe.scores(new).argmax(1).tolist(), truth[distance.argmin(1)].tolist())

    def test_weights_give_the_scores(self):
        train, new, truth = self.data()
        probe = libpeft.Probe(train, truth, kind="logistic", standardize=True)
        weights, intercepts = probe.weights
        logits = new.astype(float) @ weights.T + intercepts
        expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        np.testing.assert_allclose(probe.scores(new), expected, rtol=1e-9)
        self.assertGreater(probe.get("iterations"), 1)
        with self.assertRaises(libpeft.UnsupportedError):
            _ = libpeft.Probe(train, truth, kind="knn", k=1).weights

    def test_several_labels_and_absent_classes(self):
        train, new, truth = self.data()
        targets = np.stack([truth == 0, truth > 0], 1).astype(np.float32)
        targets[::7, 1] = -1
        scores = libpeft.Probe(train, targets, kind="logistic").scores(new)
        self.assertGreater(libpeft.metrics.ranking(scores, np.abs(targets), "auroc_macro"), 0.9)
        scores = libpeft.Probe(train, truth, classes=4, kind="prototypes").scores(new)
        self.assertEqual((scores.shape, scores[:, 3].max()), ((60, 4), 0))

    def test_errors(self):
        train, new, truth = self.data()
        probe = libpeft.Probe(train, truth, kind="prototypes")
        for wrong in (
            lambda: libpeft.Probe(train, truth[:9]),
            lambda: libpeft.Probe(train, truth, classes=2),
            lambda: libpeft.Probe(train, np.zeros((60, 2)), classes=3),
            lambda: libpeft.Probe(train, truth, kind="knn", k=99),
            lambda: libpeft.Probe(train, truth, knd="knn"),
            lambda: probe.scores(new[:, :4].copy()),
            lambda: probe.get("iterations"),
        ):
            with self.assertRaises(ValueError):
                wrong()
        with self.assertRaises(TypeError):
            probe.scores(new.astype(float))
        probe.close()
        with self.assertRaises(libpeft.StateError):
            probe.scores(new)


if __name__ == "__main__":
    unittest.main()
