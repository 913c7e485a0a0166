# SPDX-License-Identifier: Apache-2.0
"""Figures of random cases against scipy, statsmodels and scikit-learn: intervals of proportions, McNemar's test,
bootstrap intervals over the same resamples, thresholds, reliability diagrams."""
import ctypes as C
import sys
import warnings

import numpy as np
from scipy import special, stats
from sklearn import calibration
from sklearn import metrics as sk
from statsmodels.stats import contingency_tables, proportion

import peft

CASES = 300
warnings.filterwarnings("ignore")


class Estimate(C.Structure):
    _fields_ = [(name, C.c_double) for name in ("value", "error", "low", "high", "p")] + [
        ("resamples", C.c_int64), ("undefined", C.c_int64)]


class Samples(C.Structure):
    _fields_ = [("n", C.c_int64), ("classes", C.c_int64)] + [
        (name, C.c_void_p) for name in ("scores", "others", "labels", "targets", "thresholds", "groups")]


class Rates(C.Structure):
    _fields_ = [(name, C.c_int64) for name in ("tp", "fp", "fn", "tn")] + [
        (name, Estimate) for name in ("sensitivity", "specificity", "ppv", "npv")]


def pointer(a):
    return a.ctypes.data_as(C.c_void_p)


def near(a, b, most=1e-10):
    return (np.isnan(a) and np.isnan(b)) or abs(a - b) <= most * max(1, abs(b))


def proportions(tally, rng):
    n = int(10 ** rng.uniform(0, 6))
    k = int(rng.integers(0, n + 1)) if rng.random() < 0.7 else int(rng.integers(0, min(n, 4) + 1))
    level = float(rng.choice([0.9, 0.95, 0.99]))
    for kind, name in (("wilson", "wilson"), ("clopper_pearson", "beta")):
        e = Estimate()
        peft.ok(peft.lib.peft_statistics_proportion(C.c_int64(k), C.c_int64(n), C.c_double(level), kind.encode(),
                                                    C.byref(e)))
        low, high = proportion.proportion_confint(k, n, 1 - level, name)
        low, high = (0 if k == 0 else low), (1 if k == n else high)
        tally.check(near(e.low, low) and near(e.high, high),
                    f"{kind} {k}/{n} {level}: {e.low!r} {e.high!r}, statsmodels {low!r} {high!r}")


def mcnemar(tally, rng):
    n = int(rng.integers(1, 400))
    y = rng.integers(0, 3, n)
    first, second = (np.where(rng.random(n) < rng.random(), y, rng.integers(0, 3, n)) for _ in range(2))
    counts, p = np.zeros(2, np.int64), C.c_double()
    arrays = [np.ascontiguousarray(a, np.int64) for a in (y, first, second)]
    peft.ok(peft.lib.peft_statistics_mcnemar(*map(pointer, arrays), C.c_int64(n), pointer(counts), C.byref(p)))
    a, b = first == y, second == y
    table = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
    want = contingency_tables.mcnemar(table, exact=True).pvalue
    tally.check(near(p.value, want) and counts.tolist() == [table[0][1], table[1][0]],
                f"McNemar {table}: {p.value!r}, statsmodels {want!r}")


def fast_delong(scores, y):
    """Sun and Xu (2014): AUROCs of rows of scores and their covariance, by midranks."""
    positive, negative = scores[:, y == 1], scores[:, y == 0]
    m, n = positive.shape[1], negative.shape[1]
    tx, ty, tz = (stats.rankdata(a, axis=1) for a in (positive, negative, np.concatenate([positive, negative], 1)))
    aucs = tz[:, :m].sum(1) / m / n - (m + 1) / 2 / n
    v01, v10 = (tz[:, :m] - tx) / n, 1 - (tz[:, m:] - ty) / m
    return aucs, np.atleast_2d(np.cov(v01)) / m + np.atleast_2d(np.cov(v10)) / n


def aurocs(tally, rng, context):
    n = int(rng.integers(6, 300))
    y = np.zeros(n, np.float32)
    y[rng.permutation(n)[: int(rng.integers(2, n - 1))]] = 1
    x = rng.normal(size=(2, n)) + y * rng.uniform(0, 2, (2, 1))
    if rng.random() < 0.5:
        x = np.round(x, int(rng.integers(0, 2)))
    aucs, covariance = fast_delong(x, y)
    e = Estimate()
    first, second = np.ascontiguousarray(x[0]), np.ascontiguousarray(x[1])
    peft.ok(peft.lib.peft_statistics_auroc(context, pointer(first), pointer(y), None, C.c_int64(n), C.c_double(0.95),
                                           b"logit", C.byref(e)))
    tally.check(near(e.value, sk.roc_auc_score(y, first), 1e-12), f"AUROC {e.value!r}")
    if 0 < aucs[0] < 1 and covariance[0, 0] > 1e-20:
        error = np.sqrt(covariance[0, 0])
        z = stats.norm.ppf(0.975) * error / (aucs[0] * (1 - aucs[0]))
        want = special.expit(special.logit(aucs[0]) + np.array([-z, z]))
        tally.check(near(e.error, error) and near(e.low, want[0]) and near(e.high, want[1]),
                    f"DeLong: {e.error!r} {e.low!r} {e.high!r}, by midranks {error!r} {want}")
    peft.ok(peft.lib.peft_statistics_auroc_difference(context, pointer(first), pointer(second), pointer(y), None,
                                                      C.c_int64(n), C.c_double(0.95), C.byref(e)))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance > 1e-20:
        want = 2 * stats.norm.sf(abs(aucs[0] - aucs[1]) / np.sqrt(variance))
        tally.check(near(e.p, want), f"paired DeLong: p {e.p!r}, by midranks {want!r}")


def philox(seed, a, b, elements):
    """Words of Philox4x32-10 (Salmon et al., 2011) with the counter (element, a, b) and the key seed; [elements, 4]."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    i = np.arange(elements, dtype=np.uint64)
    c = [i & low, i >> shift, np.full(elements, a, np.uint64), np.full(elements, b, np.uint64)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(q >> shift) ^ c[1] ^ np.uint64(key[0]), q & low, (p >> shift) ^ c[3] ^ np.uint64(key[1]), p & low]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return np.stack(c, 1)


def stream(name):
    h = 2166136261
    for c in name.encode():
        h = (h ^ c) * 16777619 & 0xFFFFFFFF
    return h


def draws(seed, resample, n):
    """What the library draws from n groups in a resample: the high half of word * n."""
    words = philox(seed, stream("bootstrap"), resample, n)
    return np.array([((int(w[0]) << 32 | int(w[1])) * n) >> 64 for w in words])


class Replayed(np.random.Generator):
    """A generator whose integers are given rows, for scipy.stats.bootstrap."""

    def __init__(self, rows):
        super().__init__(np.random.PCG64(0))
        self.rows = rows

    def integers(self, low, high=None, size=None, **_):
        assert size == self.rows.shape
        return self.rows


def pair_auroc(t, s):
    """The AUROC as one quotient: equal ones have equal bits, which the correction for bias of BCa counts."""
    d = s[t == 1][:, None] - s[t == 0]
    return (np.sum(d > 0) + np.sum(d == 0) / 2) / d.size


def bootstraps(tally, rng, context):
    n, resamples, seed = int(rng.integers(12, 40)), 200, int(rng.integers(0, 2**40))
    y = (np.arange(n) % 3 == 0).astype(np.float32)
    x = rng.normal(size=n) + y
    p = special.expit(x)
    drawn = np.stack([draws(seed, r, n) for r in range(resamples)])
    for metric, function, scores in (("average_precision", sk.average_precision_score, x), ("auroc", pair_auroc, x),
                                     ("brier", lambda t, s: np.mean((t - s) ** 2), p)):
        def figure(t, s):
            return function(t, s) if len(set(t)) == 2 or metric == "brier" else np.nan
        if metric != "brier" and any(len(set(y[row])) < 2 for row in drawn):
            continue
        s = Samples(n, 1, pointer(scores), None, None, pointer(y), None, None)
        for interval in ("percentile", "bca"):
            e = Estimate()
            o = context.options(resamples=resamples, seed=seed, interval=interval, level=0.9)
            peft.ok(peft.lib.peft_statistics_bootstrap(context, C.byref(s), metric.encode(), o, C.byref(e),
                                                       C.c_size_t(1)))
            want = stats.bootstrap((y, scores), figure, paired=True, vectorized=False, n_resamples=resamples,
                                   confidence_level=0.9, method={"bca": "BCa"}.get(interval, interval),
                                   rng=Replayed(drawn))
            got, ci = (e.low, e.high, e.error), (*want.confidence_interval, want.standard_error)
            tally.check(all(near(a, b) for a, b in zip(got, ci)), f"{interval} of {metric}, n {n}: {got}, scipy {ci}")


def thresholds(tally, rng, context):
    n = int(rng.integers(5, 200))
    y = np.zeros(n, np.float32)
    y[: int(rng.integers(1, n))] = 1
    x = rng.normal(size=n) + y
    if rng.random() < 0.5:
        x = np.round(x, 1)
    fpr, tpr, cut = sk.roc_curve(y, x, drop_intermediate=False)
    wanted = float(rng.random())
    at = {"youden": np.argmax(np.round(tpr - fpr, 12)), "sensitivity": np.argmax(tpr >= wanted),
          "specificity": len(fpr) - 1 - np.argmax((1 - fpr >= wanted)[::-1])}
    t, r = np.zeros(1), Rates()
    for rule, k in at.items():
        peft.ok(peft.lib.peft_threshold_choose(context, pointer(x), pointer(y), C.c_int64(n), C.c_int64(1),
                                               rule.encode(), C.c_double(wanted), pointer(t)))
        want = cut[k] if np.isfinite(cut[k]) else np.nextafter(x.max(), np.inf)
        tally.check(t[0] == want, f"threshold by {rule}: {t[0]!r}, scikit-learn {want!r}")
        peft.ok(peft.lib.peft_threshold_rates(pointer(x), pointer(y), C.c_int64(n), C.c_int64(1), pointer(t),
                                              C.c_double(0.95), b"wilson", C.byref(r)))
        tn, fp, fn, tp = sk.confusion_matrix(y, x >= t[0]).ravel()
        tally.check((r.tn, r.fp, r.fn, r.tp) == (tn, fp, fn, tp) and near(r.sensitivity.value, tpr[k]),
                    f"rates at {t[0]}: {(r.tn, r.fp, r.fn, r.tp)}, scikit-learn {(tn, fp, fn, tp)}")


def reliability(tally, rng):
    n, bins = int(rng.integers(1, 300)), int(rng.integers(1, 30))
    p = np.round(rng.random(n), int(rng.integers(1, 17)))
    y = (rng.random(n) < p).astype(np.float32)
    size, mean, share = np.zeros(bins, np.int64), np.zeros(bins), np.zeros(bins)
    peft.ok(peft.lib.peft_metrics_reliability_of_classes(pointer(p), pointer(y), C.c_int64(n), C.c_int64(1),
                                                         C.c_int64(bins), pointer(size), pointer(mean), pointer(share)))
    edges = np.arange(1, bins) / bins           # linspace of scikit-learn rounds some edges differently
    at = np.searchsorted(edges, p)
    tally.check(size.tolist() == np.bincount(at, minlength=bins).tolist(), f"sizes of {bins} bins")
    if not np.any(np.min(np.abs(p[:, None] - np.linspace(0, 1, bins + 1)), 1) < 1e-12):
        true, predicted = calibration.calibration_curve(y, p, n_bins=bins)
        tally.check(np.allclose(share[size > 0], true, 0, 1e-12) and np.allclose(mean[size > 0], predicted, 0, 1e-12),
                    f"reliability of {bins} bins: {mean} {share}, scikit-learn {predicted} {true}")


def main():
    tally, context = peft.Tally("statistics"), peft.Context()
    for case in range(CASES):
        rng = np.random.default_rng(case)
        proportions(tally, rng)
        mcnemar(tally, rng)
        aurocs(tally, rng, context)
        thresholds(tally, rng, context)
        reliability(tally, rng)
        if case % 10 == 0:
            bootstraps(tally, rng, context)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
