# SPDX-License-Identifier: Apache-2.0
"""Prediction sets of random cases against MAPIE, with the random numbers of the library: quantiles and sets of lac, aps
and randomized aps, and of lac by class against MAPIE on the samples of that class."""
import ctypes as C
import sys
import warnings

import numpy as np
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

import peft
from check_statistics import philox, stream

CASES = 150
warnings.filterwarnings("ignore")


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose input is its output."""

    def __init__(self, classes=2):
        self.classes_ = np.arange(classes)
        self.classes = classes
        self.fitted_ = True

    def fit(self, x, y):
        return self

    def predict(self, x):
        return np.argmax(x, 1)

    def predict_proba(self, x):
        return x


class Replayed(np.random.RandomState):
    """1 - u of the library's numbers u, of which MAPIE takes the other share; u: 1 without randomization."""

    def __init__(self, seed, number):
        super().__init__(0)
        self.seed, self.number = seed, number

    def uniform(self, low=0.0, high=1.0, size=None):
        n = size if isinstance(size, int) else size[0]
        if self.seed is None:
            return np.zeros(size)
        w = philox(self.seed, stream("conformal"), self.number, n)
        return 1 - (np.array([(int(a) << 32 | int(b)) >> 11 for a, b in w[:, :2]]) + 0.5).reshape(size) * 2.0**-53


def pointer(a):
    return a.ctypes.data_as(C.c_void_p)


def ours(context, p, y, fresh, alpha, **options):
    o = context.options(**options)
    n, classes = p.shape
    quantiles, sets = np.zeros(classes), np.zeros(fresh.shape, np.uint8)
    peft.ok(peft.lib.peft_conformal_fit(context, pointer(p), pointer(y), C.c_int64(n), C.c_int64(classes),
                                        C.c_double(alpha), o, pointer(quantiles)))
    peft.ok(peft.lib.peft_conformal_sets(context, pointer(fresh), C.c_int64(len(fresh)), C.c_int64(classes),
                                         pointer(quantiles), C.c_int64(0), o, pointer(sets)))
    return quantiles, sets.astype(bool)


def mapie(p, y, fresh, alpha, score, seed=None):
    c = SplitConformalClassifier(Given(p.shape[1]), confidence_level=1 - alpha, conformity_score=score, prefit=True,
                                 random_state=Replayed(seed, 0))
    c.conformalize(p, y)
    function = c._mapie_classifier.conformity_score_function_
    function.random_state = Replayed(seed, 1)
    options = {"include_last_label": "randomized" if seed is not None else False} if score == "aps" else {}
    sets = c.predict_set(fresh, conformity_score_params=options)[1][:, :, 0]
    return function.quantiles_[0], sets


def main():
    tally, context = peft.Tally("conformal"), peft.Context()
    for case in range(CASES):
        rng = np.random.default_rng(case)
        n, classes, alpha = int(rng.integers(60, 300)), int(rng.integers(2, 7)), float(rng.uniform(0.05, 0.4))
        draw = lambda k: rng.dirichlet(np.full(classes, rng.uniform(0.3, 2)), k)
        p, fresh = draw(n), draw(100)
        y = np.array([rng.choice(classes, p=row) for row in p])
        y[:classes] = np.arange(classes)
        rows = [(dict(score="lac", allow_empty=True), None)]
        if classes > 2:                                      # MAPIE has no aps of two classes
            rows += [(dict(score="aps"), None), (dict(score="aps", randomized=True, allow_empty=True, seed=case), case)]
        for options, seed in rows:
            q, sets = ours(context, p, y, fresh, alpha, **options)
            want, theirs = mapie(p, y, fresh, alpha, options["score"], seed)
            tally.check(abs(q[0] - want) < 1e-10, f"{options}: quantile {q[0]!r}, MAPIE {want!r}")
            tally.check(np.array_equal(sets, theirs), f"{options}: {np.sum(sets != theirs)} classes of sets differ")
        if min(np.bincount(y)) < 1 / alpha:
            continue
        q, sets = ours(context, p, y, fresh, alpha, score="lac", by_class=True, allow_empty=True)
        for c in range(classes):
            score = lambda a: np.stack([a[:, c], 1 - a[:, c]], 1)
            want, theirs = mapie(score(p[y == c]), np.zeros(np.sum(y == c), int), score(fresh), alpha, "lac")
            tally.check(abs(q[c] - want) < 1e-10 and np.array_equal(sets[:, c], theirs[:, 0]),
                        f"by class: {q[c]!r}, MAPIE {want!r}")
    return tally.close()


sys.exit(main())
