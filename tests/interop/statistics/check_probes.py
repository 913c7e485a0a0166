# SPDX-License-Identifier: Apache-2.0
"""<peft/probe.h> on 120 random cases against scikit-learn: nearest neighbours, class means, and the minimum that
logistic regression ends at, for two and more classes and several labels, with and without standardised features."""
import ctypes as C
import sys
import warnings

import numpy as np
from scipy.special import expit, log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils.class_weight import compute_sample_weight

import peft

CASES = 120
warnings.filterwarnings("ignore")
lib = peft.lib
lib.peft_probe_get.restype = C.c_double


class Probe(peft.Handle):
    free = lib.peft_probe_free

    def __init__(self, context, x, y, classes, **options):
        labels = y if y.ndim == 1 else None
        targets = None if y.ndim == 1 else np.ascontiguousarray(y, np.float32)
        super().__init__(peft._new(lib.peft_probe_fit, context, *(a if a is None else a.ctypes.data_as(C.c_void_p)
                         for a in (x, labels, targets)), C.c_int64(len(x)), C.c_int64(x.shape[1]), C.c_int64(classes),
                         context.options(**options)))
        self.width, self.classes = x.shape[1], classes

    def scores(self, x):
        out = np.empty((len(x), self.classes))
        peft.ok(lib.peft_probe_scores(self, x.ctypes.data_as(C.c_void_p), C.c_int64(len(x)),
                                      out.ctypes.data_as(C.c_void_p)))
        return out

    def weights(self):
        w, b = np.empty((self.classes, self.width)), np.empty(self.classes)
        peft.ok(lib.peft_probe_weights(self, w.ctypes.data_as(C.c_void_p), b.ctypes.data_as(C.c_void_p)))
        return w, b


def sample(rng):
    classes, width = int(rng.integers(2, 7)), int(rng.integers(1, 40))
    n = int(rng.integers(3 * classes, 40 * classes))
    y = rng.permutation(np.r_[np.arange(classes), rng.integers(0, classes, n - classes)]).astype(np.int64)
    means = rng.normal(size=(classes, width)) * rng.uniform(0, 1.5)
    scale = 10.0 ** rng.uniform(-1, 1, width) if rng.random() < 0.5 else 1

    def make(labels):
        return np.ascontiguousarray((means[labels] + rng.normal(size=(len(labels), width))) * scale, np.float32)

    return classes, make(y), y, make(rng.integers(0, classes, 50))


def neighbours(tally, context, rng, classes, x, y, test):
    k = int(rng.integers(1, min(len(x), 30) + 1))
    for distance, train, query in (("euclidean", x.astype(float), test.astype(float)),
                                   ("cosine", normalize(x.astype(float)), normalize(test.astype(float)))):
        want = KNeighborsClassifier(k, algorithm="brute").fit(train, y).predict_proba(query)
        got = Probe(context, x, y, classes, kind="knn", k=k, distance=distance, weights="uniform").scores(test)
        tally.check(np.abs(got - want).max() < 1e-12, f"{k} neighbours by {distance}: {np.abs(got - want).max()}")
    got = Probe(context, x, y, classes, kind="prototypes", distance="euclidean").scores(test)
    want = NearestCentroid().fit(x.astype(float), y).predict(test.astype(float))
    tally.check((got.argmax(1) == want).all(), f"nearest centroid: {(got.argmax(1) != want).sum()} decisions differ")


def objective(w, b, x, y, weight, inverse):
    """The sum that is minimised, of w and b for features x; y: classes, or 0 and 1 with one row of w."""
    z = x @ w.T + b
    if len(w) == 1:
        loss = np.logaddexp(0, np.where(y == 1, -z[:, 0], z[:, 0]))
    else:
        loss = -log_softmax(z, axis=1)[np.arange(len(y)), y]
    return (weight * loss).sum() + (w ** 2).sum() / (2 * inverse)


def best(x, y, inverse, balanced):
    return LogisticRegression(C=inverse, tol=1e-10, max_iter=100000, solver="newton-cholesky",
                              class_weight="balanced" if balanced else None).fit(x, y)


def logistic(tally, context, rng, classes, x, y, test):
    inverse, balanced, standardize = 10.0 ** rng.uniform(-3, 3), bool(rng.random() < 0.5), bool(rng.random() < 0.5)
    probe = Probe(context, x, y, classes, C=inverse, standardize=standardize,
                  class_weight="balanced" if balanced else "none")
    scaler = StandardScaler(with_mean=standardize, with_std=standardize).fit(x.astype(float))
    inside, outside = scaler.transform(x.astype(float)), scaler.transform(test.astype(float))
    model = best(inside, y, inverse, balanced)
    weight = compute_sample_weight("balanced" if balanced else None, y)
    w, b = probe.weights()
    scale = scaler.scale_ if standardize else np.ones(x.shape[1])
    if classes == 2:
        w, b = w[1:], b[1:]
    b = b + w @ (scaler.mean_ if standardize else np.zeros(x.shape[1]))
    got = objective(w * scale, b, inside, y, weight, inverse)
    want = objective(model.coef_, model.intercept_, inside, y, weight, inverse)
    what = f"{classes} classes, {x.shape}, C={inverse:.3g}, balanced={balanced}, standardize={standardize}"
    tally.check(abs(got - want) <= 1e-6 * want, f"{what}: minimum {got!r}, scikit-learn {want!r}")
    tally.check(abs(lib.peft_probe_get(probe, b"loss") * weight.sum() - got) <= 1e-9 * got, f"{what}: loss")
    difference = np.abs(probe.scores(test) - model.predict_proba(outside)).max()
    tally.check(difference < 1e-2, f"{what}: probabilities differ by {difference}")
    tally.count(f"fits of {'two' if classes == 2 else 'more'} classes")


def labels(tally, context, rng, x, test):
    """Several labels, some not judged: each is a problem of its own."""
    count, inverse, balanced = int(rng.integers(1, 5)), 10.0 ** rng.uniform(-3, 2), bool(rng.random() < 0.5)
    y = (rng.random((len(x), count)) < 0.4).astype(np.float32)
    y[rng.random(y.shape) < 0.2] = -1
    y[0], y[1] = 0, 1
    probe = Probe(context, x, y, count, C=inverse, class_weight="balanced" if balanced else "none")
    got, (w, b) = probe.scores(test), probe.weights()
    for c in range(count):
        judged = y[:, c] >= 0
        inside, target = x[judged].astype(float), y[judged, c].astype(int)
        model = best(inside, target, inverse, balanced)
        weight = compute_sample_weight("balanced" if balanced else None, target)
        mine = objective(w[c:c + 1], b[c:c + 1], inside, target, weight, inverse)
        want = objective(model.coef_, model.intercept_, inside, target, weight, inverse)
        tally.check(abs(mine - want) <= 1e-6 * want, f"label {c}: minimum {mine!r}, scikit-learn {want!r}")
        tally.check(np.allclose(got[:, c], expit(test.astype(float) @ w[c] + b[c]), atol=1e-12), f"label {c}: scores")
        tally.count("labels")


def main():
    tally, context = peft.Tally("probes"), peft.Context()
    for case in range(CASES):
        rng = np.random.default_rng(case)
        classes, x, y, test = sample(rng)
        neighbours(tally, context, rng, classes, x, y, test)
        logistic(tally, context, rng, classes, x, y, test)
        labels(tally, context, rng, x, test)
    return tally.close()


sys.exit(main())
