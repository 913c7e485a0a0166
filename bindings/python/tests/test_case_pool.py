# SPDX-License-Identifier: Apache-2.0
"""Attention over the slices of cases."""

import unittest

import numpy as np

import libpeft
from common import Case


class Pools(Case):
    def data(self):
        """40 cases of five slices, of which one says whether the case is of class 1."""
        rng = np.random.default_rng(0)
        features = rng.standard_normal((200, 6)).astype(np.float32)
        truth, telling = np.arange(40) % 2, rng.integers(0, 5, 40)
        features[np.arange(40) * 5 + telling, 0] += np.where(truth == 1, 6, -6)
        return features, np.repeat(np.arange(40), 5), truth, np.arange(40) * 5 + telling

    def test_fit_and_predict(self):
        features, cases, truth, telling = self.data()
        pool, losses = libpeft.CasePool(6, classes=2, seed=3, epochs=150, lr=0.02), []
        names = pool.fit(features, cases, truth, on_epoch=lambda epoch, loss: losses.append(loss))
        self.assertEqual((names, len(losses)), (list(range(40)), 150))
        probabilities, weights = pool.predict(features, cases)
        self.assertEqual(probabilities.argmax(1).tolist(), truth.tolist())
        np.testing.assert_allclose(np.bincount(cases, weights), 1)
        self.assertGreater(weights[telling].mean(), 0.5)
        pool.set_note("model", "of a test")
        pool.save(self.folder / "pool")
        again = libpeft.CasePool.load(self.folder / "pool")
        self.assertEqual(again.predict(features, cases)[0].tobytes(), probabilities.tobytes())
        self.assertEqual((again.note("model"), again.get("epochs")), ("of a test", 150))
        self.assertEqual(libpeft.File(self.folder / "pool").kind, "case_pool")
        again.values[:] = 0
        np.testing.assert_allclose(again.predict(features, cases)[0], 0.5)

    def test_names_and_labels_of_slices(self):
        features, cases, truth, _ = self.data()
        found = []
        for given, labels in ((cases, truth), ([f"case {c}" for c in cases], truth[cases]),
                              (cases, libpeft.metrics.one_hot(truth, 2))):  # fmt: skip
            pool = libpeft.CasePool(6, classes=2, epochs=5)
            pool.fit(features, given, labels)
            found.append(pool.values.tobytes())
        self.assertEqual([found[0]] * 3, found)

    def test_errors(self):
        features, cases, truth, _ = self.data()
        pool = libpeft.CasePool(6, classes=2, epochs=5)
        for wrong in (
            lambda: pool.fit(features[:, :5].copy(), cases, truth),
            lambda: pool.fit(features, cases[:9], truth),
            lambda: pool.fit(features, [""] * 200, truth),
            lambda: pool.fit(features, cases, truth + 1),
            lambda: pool.fit(features, cases, np.arange(200) % 2),
            lambda: pool.fit(features, cases * 2, truth),
            lambda: pool.get("no such figure"),
            lambda: libpeft.CasePool(6, classes=2, hiden=5),
        ):
            with self.assertRaises(ValueError):
                wrong()
        with self.assertRaises(KeyError):
            pool.fit(features, cases, truth, on_epoch=lambda *_: {}["mine"])
        pool.fit(features, cases, truth, on_epoch=lambda epoch, _: epoch == 2)
        self.assertLess(pool.get("epochs"), 5)


if __name__ == "__main__":
    unittest.main()
