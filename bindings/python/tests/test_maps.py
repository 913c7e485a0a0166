# SPDX-License-Identifier: Apache-2.0
"""Maps over images."""

import unittest

import numpy as np

import libpeft
from common import SIDE, Case, images, network, trained_model


class MapsOverImages(Case):
    def setUp(self):
        super().setUp()
        self.model = trained_model(network())
        self.x = images(5)

    def test_kinds(self):
        self.assertEqual(libpeft.map_kinds(), ["rollout", "ept", "cam", "occlusion"])
        for kind in libpeft.map_kinds():
            self.assertIn(kind, libpeft.Maps.__doc__)
        predicted = libpeft.Session(self.model).labels(self.x)
        for kind in ("rollout", "cam", "occlusion"):
            with libpeft.Maps(self.model, kind=kind) as maps:
                grids, classes = maps.compute(self.x)
                self.assertEqual((grids.shape, grids.dtype), ((5, 4, 4), np.float32))
                self.assertEqual(maps.size, (4, 4))
                self.assertGreater(grids.std(), 0)
                self.assertEqual(classes.tolist(), predicted.tolist() if maps.of_class else [-1] * 5)
                self.assertGreater(maps.memory, 0)
        self.assertIn("closed", repr(maps))

    def test_the_batch_does_not_matter(self):
        one, _ = libpeft.Maps(self.model, kind="cam").compute(self.x)
        many, _ = libpeft.Maps(self.model, kind="cam", batch=4, threads=2).compute(self.x)
        self.assertEqual(one.tobytes(), many.tobytes())

    def test_roll_out_is_a_share(self):
        grids, _ = libpeft.Maps(self.model).compute(self.x)
        self.assertTrue((grids >= 0).all())
        self.assertLessEqual(grids.sum((1, 2)).max(), 1 + 1e-5)

    def test_occlusion_of_numpy(self):
        maps = libpeft.Maps(self.model, kind="occlusion", fill="zero", score="logit", patch=SIDE // 2, stride=SIDE // 2)
        grids, _ = maps.compute(self.x[:1], [2])
        session = libpeft.Session(self.model)
        whole, half = session.logits(self.x[:1])[0, 2], SIDE // 2
        for row in range(2):
            for column in range(2):
                hidden = self.x[:1].copy()
                hidden[:, :, row * half : (row + 1) * half, column * half : (column + 1) * half] = 0
                drop = float(whole) - float(session.logits(hidden)[0, 2])
                self.assertAlmostEqual(float(grids[0, row, column]), drop, places=5)

    def test_classes(self):
        maps = libpeft.Maps(self.model, kind="cam", rectify=False)
        named, classes = maps.compute(self.x, [0, 1, 2, -1, 0])
        self.assertEqual(classes[[0, 1, 2, 4]].tolist(), [0, 1, 2, 0])
        single, _ = maps.compute(self.x[1:2], [1])
        self.assertEqual(single.tobytes(), named[1:2].tobytes())
        with self.assertRaisesRegex(libpeft.InvalidError, "3"):
            maps.compute(self.x[:1], [3])
        with self.assertRaises(libpeft.ShapeError):
            maps.compute(self.x, [0])
        with self.assertRaises(libpeft.InvalidError):
            libpeft.Maps(self.model).compute(self.x[:1], [0])

    def test_errors(self):
        with self.assertRaises(libpeft.OptionError):
            libpeft.Maps(self.model, kind="gradient")
        with self.assertRaises(libpeft.OptionError):
            libpeft.Maps(self.model, kind="rollout", stride=8)
        with self.assertRaises(libpeft.UnsupportedError):
            libpeft.Maps(self.model, kind="ept")
        with self.assertRaises(libpeft.ShapeError):
            libpeft.Maps(self.model).compute(self.x[..., :16].copy())

    def test_progress_can_stop(self):
        maps, seen = libpeft.Maps(self.model), []
        maps.compute(self.x, on_batch=lambda done, of: seen.append((done, of)))
        self.assertEqual(seen, [(i, 5) for i in range(1, 6)])
        with self.assertRaises(libpeft.CancelledError):
            maps.compute(self.x, on_batch=lambda done, of: done == 2)

        def wrong(done, of):
            raise KeyError(done)

        with self.assertRaises(KeyError):
            maps.compute(self.x, on_batch=wrong)


if __name__ == "__main__":
    unittest.main()
