# SPDX-License-Identifier: Apache-2.0
"""Pruning of prompts, and gradients that are added over trainers."""

import threading
import unittest

import numpy as np

import libpeft
from common import Case, batches, images, labels, network


class Pruning(Case):
    def trained(self):
        vit = network()
        adapter = libpeft.Adapter(vit, "e2vpt", tokens=8, mask_tokens="trained", mask_pieces="trained")
        trainer = libpeft.Trainer(vit, adapter, batches(), epochs=1, classes=3, batch=8, lr=0.01)
        trainer.fit()
        return vit, adapter, trainer

    def test_least_important_tokens_go(self):
        vit, adapter, trainer = self.trained()
        before = {name: value.copy() for name, value in adapter.parameters().items()}
        importance = libpeft.Importance(adapter)
        for x, y in batches():
            importance.add(trainer, x, y)
        self.assertEqual(importance.batches, 3)
        for name, value in adapter.parameters().items():
            self.assertEqual(value.tobytes(), before[name].tobytes())
        scores = importance.scores("mask_tokens")
        self.assertEqual((scores.shape, importance.scores("mask_pieces").shape), ((8,), (8, 16)))
        self.assertTrue((importance.scores("mask_tokens", score="absolute") >= 0).all())
        pruned = importance.prune(mask_tokens=50, mask_pieces=25)
        kept = np.array([float(v) for v in pruned.options["mask_tokens"].strip("[]").split(",")])
        self.assertEqual(set(np.argsort(scores)[:4]), set(np.flatnonzero(kept == 0)))
        self.assertIn("mask_tokens", importance.options())
        again = libpeft.Trainer(vit, pruned, batches(), epochs=1, classes=3, batch=8)
        self.assertTrue(again.fit())

    def test_errors(self):
        vit, adapter, trainer = self.trained()
        importance = libpeft.Importance(adapter)
        with self.assertRaises(libpeft.StateError):
            importance.scores("mask_tokens")
        importance.add(trainer, *batches()[0])
        with self.assertRaises(LookupError):
            importance.scores("mask_of_nothing")
        with self.assertRaises(libpeft.OptionError):
            importance.prune(mask_tokens=101)
        with self.assertRaises(libpeft.StateError):
            libpeft.Importance(libpeft.Adapter(vit, "lora"))


class Reducers(Case):
    def trainer(self, **options):
        vit = network()
        return libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), classes=3, batch=4, lr=0.01, **options)

    def test_two_ranks_are_one_trainer_that_accumulates(self):
        x, y = images(8), labels(8)
        whole = self.trainer(accumulate=2)
        whole.step(x[:4], y[:4])
        whole.step(x[4:], y[4:])
        barrier, sums = threading.Barrier(2), [None, None]

        def reducer(rank):
            def reduce(gradients, passes):
                sums[rank] = (gradients.copy(), passes)
                barrier.wait()
                gradients[...] = sums[0][0] + sums[1][0]
                barrier.wait()
                return sums[0][1] + sums[1][1]

            return reduce

        ranks = [self.trainer() for _ in range(2)]
        threads = []
        for rank, trainer in enumerate(ranks):
            trainer.set_reduce(reducer(rank), rank, 2)
            part = slice(4 * rank, 4 * rank + 4)
            threads.append(threading.Thread(target=trainer.step, args=(x[part], y[part])))
            threads[-1].start()
        for thread in threads:
            thread.join()
        wanted = {name: value.tobytes() for name, value in whole.model.parameters().items()}
        for trainer in ranks:
            self.assertEqual({n: v.tobytes() for n, v in trainer.model.parameters().items()}, wanted)

    def test_exceptions_change_nothing(self):
        trainer, (x, y) = self.trainer(), batches(size=4)[0]
        before = {name: value.tobytes() for name, value in trainer.model.parameters().items()}

        def broken(gradients, passes):
            gradients[...] = 7
            raise KeyError("mine")

        trainer.set_reduce(broken)
        with self.assertRaises(KeyError):
            trainer.step(x, y)
        self.assertEqual({n: v.tobytes() for n, v in trainer.model.parameters().items()}, before)
        trainer.set_reduce(None)
        trainer.step(x, y)
        self.assertNotEqual({n: v.tobytes() for n, v in trainer.model.parameters().items()}, before)
        with self.assertRaises(ValueError):
            trainer.set_reduce(broken, 3, 2)


if __name__ == "__main__":
    unittest.main()
