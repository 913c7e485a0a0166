# SPDX-License-Identifier: Apache-2.0
"""Images, transforms, data sets, loaders, predictors."""

import unittest
import zipfile

import numpy as np

import libpeft
from common import NETWORK, Case, network


class Pictures(Case):
    def test_image_arrays(self):
        for kind in (np.uint8, np.uint16, np.int16, np.float32):
            for shape in ((5, 7), (5, 7, 1), (5, 7, 3)):
                samples = (np.arange(np.prod(shape)) % 120).astype(kind).reshape(shape)
                picture = libpeft.Image.from_array(samples)
                self.assertEqual(picture.shape, (*shape, 1)[:3])
                self.assertTrue((picture.array.reshape(shape) == samples).all())
                self.assertEqual(picture.array.dtype, kind)
                self.assertFalse(picture.array.flags.writeable)
                self.assertTrue((np.asarray(picture.flip())[:, ::-1].reshape(shape) == samples).all())
        self.assertEqual([libpeft.Image.format(b) for b in (b"\x89PNG\r\n\x1a\n", b"nothing")], ["PNG", None])
        kept = libpeft.Image.from_array(samples).crop(1, 1, 2, 2).array
        self.assertTrue((kept == samples[1:3, 1:3]).all())  # the array keeps the closed image's memory

    def test_spacing(self):
        header = np.zeros(352, np.uint8)
        header[:4] = np.frombuffer(np.array([348], "<i4").tobytes(), np.uint8)
        header[40:48] = np.frombuffer(np.array([3, 2, 2, 1], "<i2").tobytes(), np.uint8)
        header[70], header[72] = 2, 8
        header[76:92] = np.frombuffer(np.array([1, 0.5, 0.75, 2], "<f4").tobytes(), np.uint8)
        header[344:347] = np.frombuffer(b"n+1", np.uint8)
        path = self.folder / "a.nii"
        path.write_bytes(header.tobytes() + bytes(4))
        self.assertEqual(libpeft.Image.open(path).spacing, (2, 0.75, 0.5))
        self.assertEqual(libpeft.Image.open(path).directions, "")
        self.assertEqual(libpeft.Image.from_array(np.zeros((2, 2), np.uint8)).spacing, (0, 0, 0))

    def test_transform(self):
        samples = np.full((32, 32, 3), 255, np.uint8)
        prepare = libpeft.Transform(size=32, mean=[0.5, 0.5, 0.5], std=[0.5, 0.25, 0.125])
        x = prepare(samples)
        self.assertEqual([x[c].min() for c in range(3)], [1, 2, 4])
        self.assertEqual(libpeft.Transform(prepare.text).text, prepare.text)
        again = libpeft.Transform("size=32", base=prepare.text, mean=0.25)
        self.assertIn("std=0.5:0.25:0.125", again.text)
        self.assertIn("flip=0.5", libpeft.Transform.of(network(), flip=0.5).text)

    def test_images_that_are_not_square(self):
        vit = libpeft.Backbone.random(context=libpeft.Context(threads=1), **{**NETWORK, "image_size": "32x48"})
        self.assertEqual(vit.image_sides, (32, 48))
        self.assertIn("image_size=32x48", repr(vit))
        self.assertRaises(libpeft.NotFoundError, lambda: vit.image_size)
        prepare = libpeft.Transform.of(vit)
        self.assertEqual((prepare.size, prepare.height, prepare.width), (-1, 32, 48))
        self.assertEqual(prepare(np.zeros((50, 40, 3), np.uint8)).shape, (3, 32, 48))
        self.assertRaises(libpeft.InvalidError, libpeft.Transform.of, vit, size=32)
        self.assertEqual(libpeft.Model(vit, classes=3, head="seg_linear").input_shape, (3, 32, 48))
        loader = libpeft.DataLoader(libpeft.Dataset.open(self.pictures()), prepare, batch=4)
        self.assertEqual(next(iter(loader))[0].shape, (4, 3, 32, 48))

    def test_forms_of_data_sets(self):
        root = self.pictures()
        with zipfile.ZipFile(self.folder / "all.zip", "w") as archive:
            for file in root.rglob("*.png"):
                archive.write(file, file.relative_to(root))
        (self.folder / "list.txt").write_text(
            "".join(f"pictures/{c}/{i}.png {n}\n" for n, c in enumerate(("benign", "malignant")) for i in range(6))
        )
        (self.folder / "table.csv").write_text(
            "path,label,Patient ID\n"
            + "".join(f"pictures/{c}/{i}.png,{c},p{i // 2}\n" for c in ("benign", "malignant") for i in range(6))
        )
        pixels = np.arange(4 * 28 * 28).reshape(4, 28, 28).astype(np.uint8)
        np.savez(
            self.folder / "set.npz",
            **{
                f"{s}_{k}": v
                for s in ("train", "val", "test")
                for k, v in (("images", pixels), ("labels", np.array([[0], [1], [1], [0]], np.uint8)))
            },
        )
        sets = [
            libpeft.Dataset.open(root),
            libpeft.Dataset.open_folder(root),
            libpeft.Dataset.open_zip(self.folder / "all.zip"),
            libpeft.Dataset.open_list(self.folder / "list.txt"),
            libpeft.Dataset.open_table(self.folder / "table.csv", missing="skip"),
        ]
        for data in sets:
            self.assertEqual((len(data), data.labels.tolist(), data.multi_label), (12, [0] * 6 + [1] * 6, False))
            self.assertTrue((data[7][0].array == sets[0].load(7).array).all())
            self.assertEqual(data[-1][1], 1)
        self.assertEqual(sets[0].classes, ["benign", "malignant"])
        self.assertEqual(sets[4].groups[:4], ["p0", "p0", "p1", "p1"])
        npz = libpeft.Dataset.open_npz(self.folder / "set.npz", "val")
        self.assertEqual((npz.labels.tolist(), npz.names[2]), ([0, 1, 1, 0], "val/2"))
        self.assertTrue((npz.load(1).array[..., 0] == pixels[1]).all())
        self.assertEqual(len(libpeft.Dataset.open_pictures(root)), 12)
        with self.assertRaises(IndexError):
            npz[4]

    def test_parts(self):
        data = libpeft.Dataset.open(self.pictures())
        part, rest = data.split(0.5, seed=1)
        self.assertEqual((part.labels.tolist(), len(rest)), ([0] * 3 + [1] * 3, 6))
        self.assertEqual(sorted(part.ids.tolist() + rest.ids.tolist()), list(range(12)))
        held_out = [data.fold(3, k, seed=1)[1] for k in range(3)]
        self.assertEqual(sorted(i for d in held_out for i in d.ids.tolist()), list(range(12)))
        few, others = data.few_shot(2, seed=4)
        self.assertEqual((few.labels.tolist(), len(others)), ([0, 0, 1, 1], 8))
        self.assertEqual(data.subset([3, 1]).names, [data.names[3], data.names[1]])
        self.assertEqual((len(part.overlap(rest)), data.overlap(part)[:, 0].tolist()), (0, sorted(part.ids.tolist())))
        self.assertEqual(data.with_groups("(?).png").groups[5], "5")
        self.assertEqual(len(data.digest()), 64)
        self.assertEqual(data.targets.tolist()[0], [1, 0])

    def test_loader(self):
        data = libpeft.Dataset.open(self.pictures())
        prepare = libpeft.Transform(size=32)
        loader = libpeft.DataLoader(data, prepare, batch=5, shuffle=True, seed=2)
        epochs = [[y.tolist() for _, y in loader] for _ in range(2)]
        self.assertEqual([len(y) for y in epochs[0]], [5, 5, 2])
        self.assertNotEqual(*epochs)
        x, y, ids = loader.read(0, 1)
        self.assertEqual((y.tolist(), ids.tolist()), (epochs[0][1], loader.samples(0, 1).tolist()))
        self.assertTrue((x[0] == prepare(data.load(ids[0]))).all())

    def test_predictor(self):
        root = self.pictures()
        vit, data = network(), libpeft.Dataset.open(root)
        with libpeft.Trainer(vit, libpeft.Adapter(vit, "lora"), data, epochs=25, batch=4, lr=0.01) as trainer:
            trainer.fit()
            model = trainer.model
        self.assertEqual((model.class_names, model.link), (["benign", "malignant"], "softmax"))
        predictor = libpeft.Predictor(model, batch=5)
        paths = [root / name.split("pictures/")[-1] for name in data.names]
        logits = predictor.logits(data)
        self.assertEqual(predictor.labels(data).tolist(), data.labels.tolist())
        self.assertEqual(predictor.predict(paths[-1]), ["malignant"])
        p = predictor.probabilities(paths)
        np.testing.assert_allclose(p.sum(1), 1, atol=1e-6)
        pictures = [libpeft.Image.open(path) for path in paths]
        pixels = np.stack([picture.array for picture in pictures])
        prepared = np.stack([libpeft.Transform(model.note("preprocess"))(picture) for picture in pictures])
        for other in (
            predictor(pictures),
            predictor(pixels),
            predictor(list(pixels)),
            predictor(paths),
            predictor.session.logits(prepared),
            libpeft.Predictor(libpeft.Session(model)).logits(paths),
        ):
            self.assertEqual(logits.tobytes(), other.tobytes())
        features, truth = libpeft.analysis.features(model, data)
        self.assertEqual((features.shape, truth.tolist()), ((12, 32), data.labels.tolist()))
        self.assertLess(libpeft.analysis.effective_rank(features), 12)
        self.assertEqual(libpeft.analysis.pca(features, 2).projection.shape, (12, 2))

    def test_multi_label(self):
        self.pictures()
        (self.folder / "list.txt").write_text("".join(f"pictures/benign/{i}.png {i % 2},{i // 3}\n" for i in range(6)))
        data, vit = libpeft.Dataset.open(self.folder / "list.txt"), network()
        self.assertTrue(data.multi_label)
        with libpeft.Trainer(vit, libpeft.Adapter(vit, "bitfit"), data, epochs=2, batch=4) as trainer:
            trainer.fit()
            predictor = libpeft.Predictor(trainer.model)
            self.assertEqual(predictor.link, "sigmoid")
            self.assertEqual(predictor.labels(data).shape, (6, 2))
            self.assertEqual(len(predictor.predict(data)), 6)


if __name__ == "__main__":
    unittest.main()
