# SPDX-License-Identifier: Apache-2.0
"""Wrong arguments: exceptions with status and message, of a class that Python programs expect."""

import pickle
import unittest

import numpy as np

import libpeft
from common import Case, images, labels, network


class Errors(Case):
    def raises(self, kind, python_kind, words, function, *arguments, **keywords):
        with self.assertRaises(kind) as caught:
            function(*arguments, **keywords)
        e = caught.exception
        self.assertIsInstance(e, python_kind)
        self.assertIsInstance(e, libpeft.PeftError)
        self.assertEqual(e.status, kind.status)
        self.assertEqual(str(e), e.message)
        for word in words:
            self.assertIn(word, e.message)

    def test_arrays(self):
        session = libpeft.Session(libpeft.Model(network(), classes=3))
        x = images(4)
        self.raises(libpeft.DTypeError, TypeError, ["images", "float64", "float32"], session.logits, x.astype(float))
        self.raises(libpeft.DTypeError, TypeError, [">f4"], session.logits, x.astype(">f4"))
        self.raises(libpeft.ShapeError, ValueError, ["(3, 32, 32)", "(n, 3, 32, 32)"], session.logits, x[0])
        self.raises(libpeft.ShapeError, ValueError, ["(4, 3, 32, 16)"], session.logits, x[..., :16].copy())
        self.raises(libpeft.InvalidError, ValueError, ["strides", "ascontiguousarray"], session.logits, x[::2])
        self.raises(libpeft.InvalidError, ValueError, ["strides"], session.logits, x.transpose(0, 1, 3, 2))
        self.raises(
            libpeft.ShapeError,
            ValueError,
            ["out", "(3, 3)", "(4, 3)"],
            session.logits,
            x,
            out=np.empty((3, 3), np.float32),
        )
        read_only = np.empty((4, 3), np.float32)
        read_only.flags.writeable = False
        self.raises(libpeft.InvalidError, ValueError, ["read-only"], session.logits, x, out=read_only)
        self.assertEqual(session.logits(x).shape, (4, 3))

    def test_labels(self):
        vit = network()
        trainer = libpeft.Trainer(vit, libpeft.Adapter(vit, "bitfit"), classes=3, batch=4)
        x = images(4)
        self.raises(libpeft.InvalidError, ValueError, ["labels"], trainer.step, x, labels(3))
        self.raises(libpeft.InvalidError, ValueError, ["3"], trainer.step, x, np.array([0, 1, 2, 3]))
        self.raises(libpeft.DTypeError, TypeError, ["i64"], trainer.step, x, np.ones((4, 3), np.float32))
        self.raises(libpeft.ShapeError, ValueError, ["4"], trainer.step, images(5), labels(5))
        self.raises(
            libpeft.NonFiniteError, ArithmeticError, ["image"], trainer.step, np.full_like(x, np.nan), labels(4)
        )
        self.assertTrue(np.isfinite(trainer.step(x, [0, 1, 2, 0])))

    def test_arguments_without_effect(self):
        vit = network()
        session = libpeft.Session(libpeft.Model(vit, classes=3))
        prepare, adapter = libpeft.Transform(size=32), libpeft.Adapter(vit, "lora")
        self.raises(libpeft.InvalidError, ValueError, ["batch"], libpeft.Predictor, session, prepare, batch=4)
        self.raises(libpeft.InvalidError, ValueError, ["size", "32"], libpeft.Transform.of, vit, size=64)
        self.raises(libpeft.InvalidError, ValueError, ["transform"], libpeft.Trainer, vit, adapter, [],
                    classes=3, transform=prepare)  # fmt: skip

    def test_options(self):
        vit = network()
        self.raises(libpeft.OptionError, ValueError, ["'rr'", "'r'"], libpeft.Adapter, vit, "lora", rr=4)
        self.raises(libpeft.OptionError, ValueError, ["r"], libpeft.Adapter, vit, "lora", r=-1)
        self.raises(
            libpeft.OptionError,
            ValueError,
            ["lr"],
            libpeft.Trainer,
            vit,
            libpeft.Adapter(vit, "lora"),
            [],
            classes=3,
            lr="much",
        )
        self.raises(
            libpeft.OptionError,
            ValueError,
            ["momentum"],
            libpeft.Trainer,
            vit,
            libpeft.Adapter(vit, "lora"),
            [],
            classes=3,
            momentum=0.5,
        )
        self.raises(libpeft.DTypeError, TypeError, ["option r", "dict"], libpeft.Adapter, vit, "lora", r={})
        self.raises(libpeft.NotFoundError, LookupError, ["lorra", "lora"], libpeft.Adapter, vit, "lorra")
        self.raises(libpeft.OptionError, ValueError, ["size"], libpeft.Transform, size=-3)

    def test_files(self):
        missing = self.folder / "missing.safetensors"
        self.raises(libpeft.FileError, OSError, ["missing.safetensors"], libpeft.Backbone.open, missing)
        self.raises(libpeft.FileError, OSError, ["missing.safetensors"], libpeft.Image.open, missing)
        self.raises(libpeft.FileError, OSError, ["missing.safetensors"], libpeft.Dataset.open, missing)
        broken = self.folder / "broken.png"
        broken.write_bytes(b"\x89PNG\r\n\x1a\n broken")
        self.raises(libpeft.FormatError, ValueError, ["broken.png"], libpeft.Image.open, broken)
        vit, other = network(), libpeft.Backbone.random(image_size=32, patch=8, width=32, depth=2, heads=2, seed=2)
        libpeft.Adapter(vit, "lora").save(missing)
        self.raises(libpeft.MismatchError, ValueError, ["fingerprint"], libpeft.Adapter.load, other, missing)

    def test_closed(self):
        vit = network()
        model = libpeft.Model(vit, libpeft.Adapter(vit, "lora"), classes=3)
        session = libpeft.Session(model)
        data = libpeft.Dataset.open(self.pictures())
        for thing, call in (
            (session, lambda: session.logits(images(1))),
            (model, lambda: model.save("x")),
            (vit, lambda: libpeft.Model(vit)),
            (data, lambda: len(data)),
        ):
            thing.close()
            thing.close()
            self.assertTrue(thing.closed)
            self.assertIn("closed", repr(thing))
            self.raises(libpeft.StateError, RuntimeError, ["closed", type(thing).__name__], call)
        with libpeft.Image.from_array(np.zeros((2, 2), np.uint8)) as picture:
            self.assertFalse(picture.closed)
        self.assertTrue(picture.closed)

    def test_merge_of_what_cannot_be_merged(self):
        vit = network()
        self.raises(libpeft.UnsupportedError, NotImplementedError, ["ept"], libpeft.Adapter(vit, "ept").merge)

    def test_not_pickled(self):
        with self.assertRaises(TypeError):
            pickle.dumps(network())

    def test_unknown_status(self):
        from libpeft._c.errors import error

        self.assertEqual((type(error(-50, "new")), error(-50, "new").status), (libpeft.PeftError, -50))


if __name__ == "__main__":
    unittest.main()
