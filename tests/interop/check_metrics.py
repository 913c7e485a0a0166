# SPDX-License-Identifier: Apache-2.0
"""Metrics of 500 random cases against scikit-learn: 1 to 8 classes, classes that do not occur or are never predicted,
ties in the scores, entries without a label."""
import sys
import warnings

import numpy as np
from sklearn import metrics as sk

import peft

CASES = 500
warnings.filterwarnings("ignore")


def same(got, want):
    return (np.isnan(got) and np.isnan(want)) or abs(got - want) <= 1e-12 * max(1, abs(want))


def decisions(tally, rng):
    classes, n = int(rng.integers(2, 9)), int(rng.integers(1, 200))
    used = rng.permutation(classes)[: int(rng.integers(1, classes + 1))]
    y, p = rng.choice(used, n), rng.choice(rng.permutation(classes)[: int(rng.integers(1, classes + 1))], n)
    p = np.where(rng.random(n) < 0.6, y, p)
    counts = sk.confusion_matrix(y, p, labels=np.arange(classes))
    macro = dict(average="macro", zero_division=0)
    want = {"accuracy": sk.accuracy_score(y, p), "balanced_accuracy": sk.balanced_accuracy_score(y, p),
            "precision_macro": sk.precision_score(y, p, **macro), "recall_macro": sk.recall_score(y, p, **macro),
            "f1_macro": sk.f1_score(y, p, **macro), "f1_micro": sk.f1_score(y, p, average="micro"),
            "f1_weighted": sk.f1_score(y, p, average="weighted", zero_division=0), "mcc": sk.matthews_corrcoef(y, p)}
    if len(set(y) | set(p)) > 1:
        labels = np.arange(classes)
        want["kappa"] = sk.cohen_kappa_score(y, p, labels=labels)
        want["kappa_quadratic"] = sk.cohen_kappa_score(y, p, labels=labels, weights="quadratic")
    for name, value in want.items():
        got = peft.metric("decision", (counts, np.int64), name=name, extents=[classes])
        tally.check(same(got, value), f"{name} of {counts.tolist()}: {got!r}, scikit-learn {value!r}")
    got = peft.metric("decision", (counts, np.int64), name="f1", extents=[classes], count=classes)
    value = sk.f1_score(y, p, labels=np.arange(classes), average=None, zero_division=0)
    tally.check(np.allclose(got, value, rtol=0, atol=1e-12), f"f1 of {counts.tolist()}: {got}, scikit-learn {value}")


def rankings(tally, rng, context):
    classes, n = int(rng.integers(1, 6)), int(rng.integers(2, 150))
    scores = rng.normal(size=(n, classes))
    if rng.random() < 0.5:
        scores = np.round(scores, 1)
    y = (rng.random((n, classes)) < rng.random(classes)).astype(np.float32)
    labelled = np.ones((n, classes), bool)
    if rng.random() < 0.3:
        labelled = rng.random((n, classes)) < 0.7
    targets = np.where(labelled, y, -1).astype(np.float32)
    arrays = (scores, np.float64), (targets, np.float32)
    got = {m: np.atleast_1d(peft.metric("ranking", *arrays, name=m, extents=[n, classes], count=classes, context=context))
           for m in ("auroc", "average_precision")}
    for c in range(classes):
        t, s = y[labelled[:, c], c], scores[labelled[:, c], c]
        roc = sk.roc_auc_score(t, s) if len(set(t)) == 2 else np.nan
        ap = sk.average_precision_score(t, s) if t.sum() else np.nan
        for name, value in (("auroc", roc), ("average_precision", ap)):
            tally.check(same(got[name][c], value), f"{name}: {got[name][c]!r}, scikit-learn {value!r}")


def labels(tally, rng):
    classes, n = int(rng.integers(1, 6)), int(rng.integers(1, 100))
    p = rng.random((n, classes))
    y = (rng.random((n, classes)) < 0.4).astype(int)
    predicted = (p >= 0.5).astype(int)
    arrays = (p, np.float64), (y, np.float32)
    if classes > 1:
        want = {"f1_macro": sk.f1_score(y, predicted, average="macro", zero_division=0),
                "f1_micro": sk.f1_score(y, predicted, average="micro", zero_division=0),
                "recall_macro": sk.recall_score(y, predicted, average="macro", zero_division=0),
                "subset_accuracy": sk.accuracy_score(y, predicted)}
    else:
        want = {"subset_accuracy": sk.accuracy_score(y, predicted)}
    for name, value in want.items():
        got = peft.metric("multilabel", *arrays, name=name, extents=[n, classes], threshold=0.5)
        tally.check(same(got, value), f"multi-label {name}: {got!r}, scikit-learn {value!r}")


def probabilities(tally, rng):
    classes, n = int(rng.integers(2, 6)), int(rng.integers(1, 100))
    p = rng.dirichlet(np.ones(classes), n)
    y = rng.integers(0, classes, n)
    arrays = (p, np.float64), (y, np.int64)
    got = peft.metric("calibration", *arrays, name="nll", extents=[n, classes])
    value = sk.log_loss(y, p, labels=np.arange(classes))
    tally.check(abs(got - value) <= 1e-9 * max(1, value), f"nll: {got!r}, scikit-learn {value!r}")
    if classes == 2:
        got = peft.metric("calibration", *arrays, name="brier_binary", extents=[n, classes])
        value = sk.brier_score_loss(y, p[:, 1])
        tally.check(same(got, value), f"brier_binary: {got!r}, scikit-learn {value!r}")


def main():
    tally, context = peft.Tally("metrics"), peft.Context()
    for case in range(CASES):
        rng = np.random.default_rng(case)
        decisions(tally, rng)
        rankings(tally, rng, context)
        labels(tally, rng)
        probabilities(tally, rng)
    return tally.close()


sys.exit(main())
