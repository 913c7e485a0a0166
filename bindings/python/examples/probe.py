# SPDX-License-Identifier: Apache-2.0
"""A classifier on the features of the backbone as it is, which a method should beat."""

import libpeft

vit = libpeft.Backbone.open("vit.safetensors")
train, test = libpeft.Dataset.open("scans").split(0.8, seed=1)

features, labels = libpeft.analysis.features(vit, train)
unseen, truth = libpeft.analysis.features(vit, test)
for options in ({"kind": "knn", "k": 5}, {"kind": "logistic", "C": 1.0}):
    probe = libpeft.Probe(features, labels, standardize=True, **options)
    print(options["kind"], libpeft.metrics.evaluate(probe.scores(unseen), truth, link="identity"))
