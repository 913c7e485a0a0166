# SPDX-License-Identifier: Apache-2.0
"""Lifetimes: everything is given back, in any order of closing; nothing that is still used is."""

import gc
import os
import unittest

import numpy as np

import libpeft
from common import NETWORK, Case, batches, images, network


class Lifetime(Case):
    def cycle(self, context, root):
        """Makes and uses one of each object; returns nothing that refers to them."""
        vit = libpeft.Backbone.random(context=context, **NETWORK)
        data = libpeft.Dataset.open(root, context=context)
        trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), data, epochs=1, batch=4)
        trainer.fit(on_step=lambda t: None)
        predictor = libpeft.Predictor(trainer.model, batch=4)
        predictor.probabilities(data)
        predictor.session.features(images(9))
        trainer.model.parameters()["head.bias"].sum()
        libpeft.Adaptor(trainer.model, kind="tent", batch=4).predict(images(4))
        trainer.model.merge()
        for wrong in (images(2).astype(float), images(2)[:, :1]):
            with self.assertRaises(libpeft.PeftError):
                predictor.session.logits(wrong)
        with self.assertRaises(libpeft.OptionError):
            libpeft.Session(trainer.model, no_such_option=1)

    def test_nothing_is_left(self):
        context, root = libpeft.Context(threads=2), self.pictures()
        empty = context.memory_used
        for _ in range(5):
            self.cycle(context, root)
            gc.collect()
            self.assertEqual(context.memory_used, empty)
        self.assertGreater(context.memory_peak, empty)

    @unittest.skipIf("asan" in os.environ.get("LD_PRELOAD", ""), "the address sanitizer keeps freed memory for a while")
    def test_resident_memory(self):
        """Python's side too: the peak does not grow with the number of objects and calls."""

        def resident():
            with open("/proc/self/statm") as f:
                return int(f.read().split()[1]) * 4096

        context, root = libpeft.Context(threads=1), self.pictures()
        session = libpeft.Session(libpeft.Model(network(), classes=3))
        x = images(1)

        def work(cycles, calls):
            for _ in range(cycles):
                self.cycle(context, root)
            for _ in range(calls):
                session.logits(x)
            gc.collect()

        work(5, 3000)
        before = resident()
        work(10, 20000)
        self.assertLess(resident() - before, 4 << 20)

    def test_session_keeps_what_it_uses(self):
        vit = network()
        model = libpeft.Model(vit, libpeft.Adapter(vit, "lora"), classes=3)
        session = libpeft.Session(model)
        expected = session.logits(images(2))
        for thing in (model.backbone.context, model.backbone, model):
            thing.close()
        del vit, model, thing
        session.__dict__.pop("model")
        gc.collect()
        self.assertEqual(session.logits(images(2)).tobytes(), expected.tobytes())
        self.assertEqual(session.probabilities(images(2)).shape, (2, 3))

    def test_arrays_keep_their_memory(self):
        model = libpeft.Model(network(), classes=3)
        bias = model.parameters()["head.bias"]
        picture = libpeft.Image.from_array(np.full((300, 300, 3), 7, np.uint8))
        pixels = picture.array
        model.close()
        picture.close()
        del model, picture
        gc.collect()
        scratch = [np.full((300, 300, 3), 9, np.uint8) for _ in range(5)]
        bias[:] = 4
        self.assertTrue((pixels == 7).all() and (bias == 4).all() and len(scratch))

    def test_trainer_keeps_its_loss_function(self):
        vit = network()
        trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "bitfit"), classes=3, batch=8)
        trainer.set_loss(lambda logits, labels: (1.5, np.zeros_like(logits)))
        gc.collect()
        self.assertEqual(trainer.step(*batches()[0]), 1.5)

    def test_log(self):
        """Messages go to the function of the context, which lives as long as the library may call it; objects that
        are dropped while it runs are freed later."""
        heard, dropped = [], [libpeft.Model(network(), classes=2) for _ in range(3)]

        def log(level, message):
            heard.append((level, message))
            if dropped:
                dropped.pop()

        context = libpeft.Context(log=log, log_level=3)
        session = libpeft.Session(libpeft.Model(libpeft.Backbone.random(context=context, **NETWORK), classes=2))
        context.close()
        del context
        gc.collect()
        session.logits(images(1))
        self.assertTrue(heard and not dropped)
        with self.assertLogs("libpeft", "WARNING") as logged:
            x, y = np.full((2, 28, 28), 3, np.uint16), np.array([[0], [2]])
            np.savez(
                self.folder / "gap.npz",
                **{f"{s}_{k}": v for s in ("train", "val", "test") for k, v in (("images", x), ("labels", y))},
            )
            libpeft.Dataset.open_npz(self.folder / "gap.npz", "train", context=libpeft.Context())
        self.assertIn("class", logged.output[0])


if __name__ == "__main__":
    unittest.main()
