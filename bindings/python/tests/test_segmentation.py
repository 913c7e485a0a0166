# SPDX-License-Identifier: Apache-2.0
"""Segmenters, and figures of masks."""

import math
import unittest

import numpy as np

import libpeft
from common import SIDE, Case, network


class Segmenters(Case):
    def test_labels_and_probabilities(self):
        model = libpeft.Model(network(), classes=3, head="patch_linear", head_init="xavier")
        picture = np.random.default_rng(1).integers(0, 256, (40, 56, 3)).astype(np.uint8)
        whole = libpeft.Transform(size=SIDE, resize="squash")
        with self.assertRaises(libpeft.UnsupportedError):
            libpeft.Segmenter(model, libpeft.Transform(size=SIDE, resize="shorter", crop_pct=0.5))
        for options, tiles in (({}, 1), ({"mode": "tiles", "overlap": 0.5}, 6)):
            segmenter = libpeft.Segmenter(model, whole, **options)
            self.assertEqual((segmenter.classes, segmenter.link), (3, "softmax"))
            self.assertEqual(segmenter.tiles(56, 40), tiles)
            self.assertGreater(segmenter.memory(56), 0)
            labels, p = segmenter.labels(picture), segmenter.probabilities(libpeft.Image.from_array(picture))
            self.assertEqual((labels.shape, labels.dtype, p.shape), ((40, 56), np.uint8, (40, 56, 3)))
            self.assertTrue((np.argmax(p, axis=-1) == labels).all())
            self.assertTrue(np.allclose(p.sum(axis=-1), 1, atol=1e-5))
        session = libpeft.Session(model, batch=2)
        self.assertTrue((libpeft.Segmenter(session, whole, mode="tiles").probabilities(picture) == p).all())
        with self.assertRaisesRegex(libpeft.ShapeError, "40, 56, 3"):
            segmenter.probabilities(picture, np.empty((40, 56, 2), np.float32))
        with self.assertRaisesRegex(libpeft.OptionError, "stride"):
            libpeft.Segmenter(model, whole, stride=3)

    def test_targets(self):
        model = libpeft.Model(network(), classes=3, head="patch_linear", head_init="xavier")
        picture = np.random.default_rng(2).integers(0, 256, (40, 56, 3)).astype(np.uint8)
        whole = libpeft.Transform(size=SIDE, resize="squash")
        with self.assertRaisesRegex(libpeft.UnsupportedError, "softmax"):
            libpeft.Segmenter(model, whole).targets(picture)
        model.set_note("link", "sigmoid")
        segmenter = libpeft.Segmenter(model, whole)
        p, limits = segmenter.probabilities(picture), (0.4, 0.5, 0.6)
        targets = segmenter.targets(picture)
        self.assertEqual((targets.shape, targets.dtype), ((40, 56, 3), np.uint8))
        self.assertTrue((targets == (p >= 0.5)).all())
        self.assertTrue((segmenter.targets(picture, limits) == (p.astype(np.float64) >= limits)).all())
        with self.assertRaisesRegex(libpeft.ShapeError, "thresholds"):
            segmenter.targets(picture, (0.5, 0.5))

    def test_adaptation(self):
        model = libpeft.Model(network(), classes=3, head="patch_linear", head_init="xavier")
        picture = np.random.default_rng(3).integers(0, 256, (40, 56, 3)).astype(np.uint8)
        whole = libpeft.Transform(size=SIDE, resize="squash")
        adaptor = libpeft.Adaptor(model, kind="tent", batch=2)
        segmenter = libpeft.Segmenter(adaptor, whole, mode="tiles", overlap=0.5)
        self.assertEqual(segmenter.labels(picture).shape, (40, 56))
        self.assertEqual(adaptor.get("batches"), 4)  # two rows of three tiles, two in a batch
        adaptor.close()  # the segmenter goes on with it
        self.assertEqual(segmenter.probabilities(picture).shape, (40, 56, 3))
        needs_source = libpeft.Segmenter(libpeft.Adaptor(model, kind="vptta", batch=1), whole)
        with self.assertRaisesRegex(libpeft.StateError, "training images"):
            needs_source.labels(picture)


class Figures(Case):
    def test_cases(self):
        truth, predicted = np.array([[0, 1, 1], [0, 1, -1]]), np.array([[0, 1, 0], [0, 1, 1]])
        figures = libpeft.Segmentation(2)
        figures.add(predicted, truth, spacing=(2, 0.5))
        first = figures.case()
        self.assertEqual((first[1].judged, first[1].truth, first[1].both, first[1].hd), (5, 3, 2, 0.5))
        figures.add(predicted, predicted)
        cases = [first, figures.case()]
        dice = libpeft.Segmentation.values(cases, "dice")
        self.assertEqual(dice.shape, (2, 2))
        self.assertAlmostEqual(dice[0, 1], 0.8)
        self.assertEqual(dice[1, 1], 1)
        with self.assertRaises(libpeft.StateError):
            figures.case()
        with self.assertRaises(libpeft.ShapeError):
            figures.add(predicted, truth, spacing=(2,))
        with self.assertRaises(libpeft.ShapeError):
            libpeft.Segmentation.values([first, first[:1]], "dice")
        with self.assertRaises(libpeft.NotFoundError):
            libpeft.Segmentation.values(cases, "volume")
        with self.assertRaises(libpeft.OptionError):
            libpeft.Segmentation.values(cases, "dice", absent="never")

    def test_targets(self):
        both = np.array([[[1, 1], [0, 1]], [[1, 0], [0, 0]]], np.uint8)
        counts = libpeft.Segmentation(2, distances=False)
        counts.add_targets(both, both, spacing=(2, 0.5))
        case = counts.case()
        self.assertEqual([s.both for s in case], [2, 2])
        self.assertTrue(math.isnan(case[0].hd))


if __name__ == "__main__":
    unittest.main()
