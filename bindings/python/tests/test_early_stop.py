# SPDX-License-Identifier: Apache-2.0
"""Early stopping, and folds of a data set."""

import math
import unittest

import libpeft
from common import Case, batches, network


def values(model):
    return {name: value.tobytes() for name, value in model.parameters().items()}


class EarlyStopping(Case):
    def trainer(self):
        vit = network()
        return libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), batches(), classes=3, batch=8, lr=0.01)

    def test_the_best_epoch_comes_back(self):
        trainer = self.trainer()
        stop = libpeft.EarlyStop(trainer.model, patience=2)
        self.assertIsNone(stop.best_epoch)
        with self.assertRaises(libpeft.StateError):
            stop.restore()
        seen, ends = {}, []
        for epoch, figure in enumerate([0.5, 0.7, math.nan, 0.6], 1):
            trainer.fit(epoch)
            seen[epoch] = values(trainer.model)
            ends.append(stop.offer(epoch, figure))
        self.assertEqual(ends, [False, False, False, True])
        self.assertEqual((stop.best_epoch, stop.best_figure, stop.waited), (2, 0.7, 2))
        self.assertNotEqual(values(trainer.model), seen[2])
        stop.save(self.folder / "best")
        stop.restore()
        self.assertEqual(values(trainer.model), seen[2])
        again = libpeft.EarlyStop(trainer.model, patience=2)
        again.load(self.folder / "best")
        self.assertEqual((again.best_epoch, again.best_figure), (2, 0.7))

    def test_smaller_is_better(self):
        trainer = self.trainer()
        stop = libpeft.EarlyStop(trainer.model, goal="min")
        for epoch, loss in enumerate([0.9, 0.4, 0.6]):
            self.assertFalse(stop.offer(epoch, loss))
        self.assertEqual(stop.best_epoch, 1)
        with self.assertRaises(ValueError):
            stop.offer(1, 0.1)
        with self.assertRaises(ValueError):
            libpeft.EarlyStop(trainer.model, goal="up")

    def test_each_sample_is_held_out_once(self):
        data = libpeft.Dataset.open(self.pictures())
        held = []
        for fold in range(3):
            train, rest = data.fold(3, fold, seed=1)
            self.assertEqual((len(train), len(rest)), (8, 4))
            self.assertFalse(set(train.names) & set(rest.names))
            held += rest.names
        self.assertEqual(sorted(held), sorted(data.names))


if __name__ == "__main__":
    unittest.main()
