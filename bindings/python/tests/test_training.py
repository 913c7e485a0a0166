# SPDX-License-Identifier: Apache-2.0
"""Training, saving, loading, merging, callbacks."""

import os
import signal
import threading
import unittest

import numpy as np

import libpeft
from common import Case, batches, images, labels, network, trained_model


class Training(Case):
    def test_fit_lowers_the_loss(self):
        vit, losses = network(), []
        trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), batches(), epochs=20, classes=3, batch=8, lr=0.01)
        self.assertTrue(np.isnan(trainer.loss))
        self.assertTrue(trainer.fit(on_step=lambda t: losses.append(t.loss)))
        self.assertEqual(len(losses), 60)
        self.assertLess(losses[-1], 0.5 * losses[0])
        self.assertEqual((trainer.get("step"), trainer.get("epoch"), trainer.lr), (60, 20, 0.01))

    def test_sources_of_batches_give_the_same_bits(self):
        data = libpeft.Dataset.open(self.pictures())
        prepare = libpeft.Transform(size=32, flip=0.5)
        saved = []
        for form in ("loader", "function", "list", "steps"):
            vit = network()
            loader = libpeft.DataLoader(data, prepare, batch=4, shuffle=True, train=True, seed=3)
            read = {
                "loader": loader,
                "function": lambda e, b, loader=loader: loader.read(e, b)[:2] if b < len(loader) else None,
                "list": [loader.read(0, b)[:2] for b in range(len(loader))],
                "steps": None,
            }[form]
            trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "ept", length=4), read, epochs=1, classes=2, batch=4)
            if form == "steps":
                for x, y in loader:
                    trainer.step(x, y)
            else:
                trainer.fit()
            saved.append({k: v.tobytes() for k, v in trainer.model.parameters().items()})
        for other in saved[1:]:
            self.assertEqual(saved[0], other)

    def test_stopped_and_resumed(self):
        def trainer():
            vit = network()
            return libpeft.Trainer(
                vit, libpeft.Adapter(vit, "lora", dropout=0.1), batches(), epochs=4, classes=3, batch=8
            )

        whole, part, rest = trainer(), trainer(), trainer()
        whole.fit()
        self.assertFalse(part.fit(on_step=lambda t: t.get("step") == 5))
        part.save(self.folder / "state")
        self.assertEqual(libpeft.File(self.folder / "state").kind, "trainer")
        rest.restore(self.folder / "state")
        self.assertTrue(rest.fit())
        for name, value in whole.model.parameters().items():
            self.assertEqual(value.tobytes(), rest.model.parameters()[name].tobytes())

    def test_exceptions_pass_through(self):
        vit = network()
        adapter = libpeft.Adapter(vit, "lora")

        def fails(*_):
            raise KeyError("mine")

        for data, on_step in ((fails, None), (batches(), fails)):
            with libpeft.Trainer(vit, adapter, data, classes=3, batch=8) as trainer:
                with self.assertRaises(KeyError):
                    trainer.fit(on_step=on_step)
        with libpeft.Trainer(vit, adapter, lambda e, b: (images(2), labels(3)), classes=3, batch=8) as trainer:
            with self.assertRaises(libpeft.ShapeError):
                trainer.fit()
            trainer.set_loss(fails)
            with self.assertRaises(KeyError):
                trainer.step(images(2), labels(2))
        # the library's own failure of a callback's call passes as well
        with libpeft.Trainer(vit, adapter, batches(), classes=3, batch=8) as trainer:
            with self.assertRaises(libpeft.NotFoundError):
                trainer.fit(on_step=lambda t: t.get("no such figure"))

    def test_ctrl_c(self):
        """A signal while the library computes stops fit after the step, with and without callbacks in Python."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        self.addCleanup(signal.signal, signal.SIGINT, before)
        pictures = libpeft.Dataset.open(self.pictures(classes=("a", "b", "c")))
        for data in (batches(), libpeft.DataLoader(pictures, libpeft.Transform(size=32), batch=8)):
            vit = network()
            trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), data, epochs=10**6, classes=3, batch=8)
            timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with self.assertRaises(KeyboardInterrupt):
                trainer.fit()
            step = trainer.get("step")
            self.assertGreater(step, 1)
            self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
            self.assertFalse(trainer.fit(on_step=lambda t: True))
            self.assertEqual(trainer.get("step"), step + 1)

    def test_own_loss(self):
        """Cross entropy in numpy, by set_loss and by forward: the parameters of the built-in one."""

        def cross_entropy(logits, truth):
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            rows = np.arange(len(p))
            loss = float(-np.log(p[rows, truth]).mean())
            p[rows, truth] -= 1
            return loss, (p / len(p)).astype(np.float32)

        found = []
        for form in ("built in", "function", "forward"):
            vit = network()
            trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "bitfit"), classes=3, batch=8)
            if form == "function":
                trainer.set_loss(cross_entropy)
            for x, y in batches():
                if form == "forward":
                    loss, gradient = cross_entropy(trainer.forward(x), y)
                    trainer.backward_logits(gradient, loss)
                    trainer.update()
                else:
                    loss = trainer.step(x, y)
            found.append((loss, trainer.model.parameters()))
        for loss, parameters in found[1:]:
            self.assertAlmostEqual(loss, found[0][0], places=5)
            for name, value in parameters.items():
                np.testing.assert_allclose(value, found[0][1][name], atol=1e-4)

    def test_feature_cache(self):
        """Steps from cached features: the same bits as from images, without images."""
        found = []
        for cache in (0, 1 << 20):
            vit = network()
            trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "partial"), classes=3, batch=8, cache_features=cache)
            for epoch in range(3):
                for i, (x, y) in enumerate(batches()):
                    trainer.step(None if cache and epoch else x, y, ids=range(8 * i, 8 * i + 8))
            found.append({name: value.tobytes() for name, value in trainer.model.parameters().items()})
        self.assertEqual(*found)
        self.assertEqual(trainer.get("cache_samples"), 24)
        with self.assertRaises(libpeft.NotFoundError):
            trainer.step(None, y, ids=range(100, 108))

    def test_save_load_merge(self):
        vit, x = network(), images(5)
        model = trained_model(vit)
        logits = libpeft.Session(model).logits(x)
        model.save(self.folder / "model")
        self.assertEqual(
            logits.tobytes(), libpeft.Session(libpeft.Model.load(vit, self.folder / "model")).logits(x).tobytes()
        )
        merged = model.merge()
        np.testing.assert_allclose(libpeft.Session(libpeft.Model(merged)).logits(x), logits, atol=1e-4)
        merged.save(self.folder / "merged.safetensors", dtype="bf16")
        again = libpeft.Backbone.open(self.folder / "merged.safetensors")
        self.assertEqual(again["classes"], 3)
        self.assertEqual(dict(again.tensors())["blocks.0.attn.qkv.weight"].shape, (96, 32))
        adapter = libpeft.Adapter(vit, "lora", r=2)
        adapter.parameters()["blocks.0.attn.q.lora_B.weight"][:] = 0.1
        adapter.save_hf(self.folder / "hf", naming="timm")
        loaded = libpeft.Adapter.load_hf(vit, self.folder / "hf")
        self.assertEqual((loaded.method, loaded.backbone), ("lora", vit))
        features = [
            libpeft.Session(libpeft.Model(b, a, head="none")).features(x)
            for b, a in ((vit, adapter), (vit, loaded), (adapter.merge(), ()))
        ]
        np.testing.assert_allclose(features[1], features[0], atol=1e-4)
        np.testing.assert_allclose(features[2], features[0], atol=1e-4)

    def test_parameters_are_views(self):
        model = libpeft.Model(network(), classes=3)
        before = libpeft.Session(model).logits(images(1))
        model.parameters()["head.bias"][:] += 1
        np.testing.assert_allclose(libpeft.Session(model).logits(images(1)), before + 1, atol=1e-6)

    def test_adaptor(self):
        model = trained_model(network())
        with libpeft.Adaptor(model, kind="tent", batch=8) as adaptor:
            first = adaptor.predict(images(8))
            self.assertEqual((first.shape, adaptor.get("updates"), adaptor.kind), ((8, 3), 1, "tent"))
            again = adaptor.predict(images(8))
            self.assertNotEqual(first.tobytes(), again.tobytes())
            adaptor.reset()
            self.assertEqual(first.tobytes(), adaptor.predict(images(8)).tobytes())


if __name__ == "__main__":
    unittest.main()
