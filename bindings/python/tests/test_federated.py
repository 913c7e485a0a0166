# SPDX-License-Identifier: Apache-2.0
"""Aggregation of the files of several sites."""

import math

import numpy as np

import libpeft
from common import Case, network


class Federated(Case):
    def sites(self, vit, n=3):
        """The files of a start and of n sites, and their values."""
        files, rng = [], np.random.default_rng(4)
        start = libpeft.Model(vit, libpeft.Adapter(vit, "lora", r=2), classes=3)
        start.save(self.folder / "start")
        for k in range(n):
            model = libpeft.Model.load(vit, self.folder / "start")
            for value in model.parameters().values():
                value[...] = rng.standard_normal(value.shape)
            files.append(self.folder / f"site{k}")
            model.save(files[-1])
            self.assertEqual(files[-1].read_bytes(), model.to_bytes())
        return self.folder / "start", files

    def test_means_of_files_and_of_bytes(self):
        vit = network()
        start, files = self.sites(vit)
        weights = [10, 30, 5]
        by_files, by_bytes = libpeft.Aggregator(), libpeft.Aggregator()
        by_files.start(start)
        by_bytes.start(start.read_bytes())
        self.assertTrue(math.isnan(by_files.drift))
        for file, weight in zip(files, weights, strict=True):
            by_files.add(file, weight)
            by_bytes.add(file.read_bytes(), weight, name=file.name)
        by_files.write(self.folder / "next")
        self.assertEqual(by_bytes.to_bytes(), (self.folder / "next").read_bytes())
        mean = libpeft.Model.from_bytes(vit, by_bytes.to_bytes())
        sites = [libpeft.Model.load(vit, file).parameters() for file in files]
        for name, value in mean.parameters().items():
            wanted = sum(w * s[name].astype(np.float64) for w, s in zip(weights, sites, strict=True)) / sum(weights)
            np.testing.assert_array_equal(value, wanted.astype(np.float32))
        self.assertEqual((by_files.sites, by_files.weight, by_files.clipped), (3, 45, 0))
        self.assertGreater(by_files.drift, 0)
        self.assertGreater(by_files.update, 0)
        self.assertGreater(by_files.received, 0)

    def test_mixtures_that_do_not_fit(self):
        vit = network()
        start, files = self.sites(vit, 1)
        libpeft.Model(vit, libpeft.Adapter(vit, "lora", r=4), classes=3).save(self.folder / "other")
        round = libpeft.Aggregator(lora="product")
        round.start(start)
        with self.assertRaisesRegex(libpeft.MismatchError, "option 'r'.*'4'.*'2'"):
            round.add(self.folder / "other", 1)
        with self.assertRaises(libpeft.InvalidError):
            round.add(files[0], 0)
        with self.assertRaises(libpeft.StateError):
            round.to_bytes()
        round.add(files[0], 1)
        self.assertEqual(repr(round), "Aggregator(1 sites)")
        with self.assertRaises(libpeft.OptionError):
            libpeft.Aggregator(lora="best")

    def test_epsilon(self):
        self.assertGreater(libpeft.dp_epsilon(1, 0.1, 40, 1e-5), libpeft.dp_epsilon(1, 0.1, 20, 1e-5))
