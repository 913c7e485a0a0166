# SPDX-License-Identifier: Apache-2.0
"""<peft/analysis.h> and temperature scaling on 200 random cases, against scikit-learn, numpy and scipy: tall, wide and
rank-deficient matrices of features, classes with one image or none, features of ViT-B/16's width."""
import ctypes as C
import sys

import numpy as np
from scipy import optimize
from sklearn import metrics as sk
from sklearn.decomposition import PCA

import peft

CASES, TOLERANCE = 200, 1e-6


def near(got, want):
    return np.max(np.abs(np.asarray(got) - want)) <= TOLERANCE * max(1, np.max(np.abs(want)))


def call(function, context, x, *arguments, outputs):
    """Calls peft_analysis_<function>(context, x, arguments.., outputs..); outputs: shapes of arrays of doubles."""
    made = [np.empty(shape) for shape in outputs]
    pointers = [m.ctypes.data_as(C.c_void_p) for m in made]
    plain = [a.ctypes.data_as(C.c_void_p) if isinstance(a, np.ndarray) else C.c_int64(a) for a in arguments]
    peft.ok(getattr(peft.lib, "peft_analysis_" + function)(context, x.ctypes.data_as(C.c_void_p), *plain, *pointers))
    return made


def features(rng, case):
    n, width = int(rng.integers(2, 80)), int(rng.integers(1, 60))
    if case % 50 == 0:
        n, width = int(rng.integers(100, 300)), 768
    x = rng.normal(size=(n, width)) * 10.0 ** rng.uniform(-4, 4, width if rng.random() < 0.5 else 1)
    if rng.random() < 0.3:
        rank = int(rng.integers(1, min(n, width) + 1))
        x = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, width))
    return np.ascontiguousarray(x + rng.normal() * rng.integers(0, 3), np.float32)


def classes(tally, context, rng, x):
    n, width = x.shape
    count = int(rng.integers(2, 7))
    y = np.ascontiguousarray(rng.permutation(np.r_[[0, count - 1], rng.integers(0, count, n - 2)]), np.int64)
    xd = x.astype(np.float64)
    means = {c: xd[y == c].mean(0) for c in set(y)}
    intra = sum(((xd[y == c] - means[c]) ** 2).sum() for c in means)
    inter = sum(((means[a] - means[b]) ** 2).sum() for a in means for b in means if a < b)
    got = call("scatter", context, x, y, n, width, count, outputs=[(1,), (1,)])
    tally.check(abs(got[0][0] - intra) <= 1e-9 * intra + 1e-12, f"intra-class scatter: {got[0][0]!r}, numpy {intra!r}")
    tally.check(abs(got[1][0] - inter) <= 1e-9 * inter + 1e-12, f"inter-class scatter: {got[1][0]!r}, numpy {inter!r}")
    if len(means) < n:
        got = call("silhouette", context, x, y, n, width, count, outputs=[(1,), (n,)])
        tally.check(near(got[0][0], sk.silhouette_score(xd, y)), f"silhouette: {got[0][0]!r}")
        tally.check(near(got[1], sk.silhouette_samples(xd, y)), "silhouettes of samples")


def spectrum(tally, context, rng, x):
    n, width = x.shape
    xd = x.astype(np.float64)
    values = np.linalg.svd(xd, compute_uv=False)
    p = values / values.sum()
    p = p[p > 0]
    want = np.exp(-(p * np.log(p)).sum())
    got = call("effective_rank", context, x, n, width, outputs=[(1,)])[0][0]
    tally.check(near(got, want), f"effective rank of {n} x {width}: {got!r}, numpy {want!r}")
    k = min(n, width)
    pca = PCA(k, svd_solver="full").fit(xd)
    got, share = call("pca", context, x, n, width, k, outputs=[(n, k), (k,)])
    tally.check(near(share, pca.explained_variance_ratio_), f"shares of variance of {n} x {width}")
    want, size = pca.transform(xd), pca.singular_values_
    for c in range(k):
        # components of almost equal variance may be rotated against each other
        gap = min([abs(size[c] - s) for i, s in enumerate(size) if i != c], default=1)
        if size[c] > 1e-4 * size[0] and gap > 1e-4 * size[0]:
            magnitude = np.abs(want[:, c])
            sign = np.sign(want[np.argmax(magnitude >= magnitude.max() * (1 - 1e-9)), c])
            tally.count("components")
            tally.check(near(got[:, c] / size[0], sign * want[:, c] / size[0]), f"component {c} of {n} x {width}")


def temperature(tally, rng):
    n, count = int(rng.integers(5, 100)), int(rng.integers(2, 7))
    y = rng.integers(0, count, n)
    z = rng.normal(size=(n, count)) + 2 * (rng.random((n, 1)) < 0.7) * np.eye(count)[y]
    z = np.ascontiguousarray(z * 10.0 ** rng.uniform(-1, 1), np.float32)
    y = np.ascontiguousarray(y, np.int64)

    def nll(log_t):
        s = z.astype(np.float64) / np.exp(log_t)
        s = s - s.max(1, keepdims=True)
        return np.mean(np.log(np.exp(s).sum(1)) - s[np.arange(n), y])

    want = optimize.minimize_scalar(nll, bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-12})
    got = C.c_double()
    peft.ok(peft.lib.peft_metrics_fit_temperature(z.ctypes.data_as(C.c_void_p), y.ctypes.data_as(C.c_void_p),
                                                  C.c_int64(n), C.c_int64(count), C.byref(got)))
    tally.check(nll(np.log(got.value)) <= want.fun + 1e-9, f"temperature {got.value!r}, scipy {np.exp(want.x)!r}")


def main():
    tally, context = peft.Tally("analysis"), peft.Context()
    for case in range(CASES):
        rng = np.random.default_rng(case)
        x = features(rng, case)
        classes(tally, context, rng, x)
        spectrum(tally, context, rng, x)
        temperature(tally, rng)
    return tally.close()


sys.exit(main())
