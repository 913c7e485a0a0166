# SPDX-License-Identifier: Apache-2.0
"""How sure figures are: confidence intervals and tests.

groups say which samples belong together, as the images of a patient do: numbers, negative for a sample by itself, or
texts such as Dataset.groups, "" for a sample by itself. Intervals that take images of a patient for independent are too
narrow. The same call gives the same bits in every run."""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._c.arrays import Array, Doubles, Integers, doubles, integers, targets_like
from .._c.declarations import Status, peft_estimate, peft_samples
from .._c.errors import InvalidError
from .._c.library import check, encoded, lib
from .._c.options import Value, documented, make
from ..context import default_context

Groups = Sequence[int] | Sequence[str] | Array


class Estimate(NamedTuple):
    """A figure and how sure it is; NaN stands in fields that the function does not compute. value: of all samples;
    error: its standard error; low, high: the confidence interval; p: two-sided p value of "the difference is 0";
    resamples: those whose figure is defined; undefined: the others."""

    value: float
    error: float
    low: float
    high: float
    p: float
    resamples: int
    undefined: int


class McNemar(NamedTuple):
    """Samples that only the first method decides right, and only the second, and p."""

    first: int
    second: int
    p: float


def estimate(c: peft_estimate) -> Estimate:
    """An estimate of the library."""
    return Estimate(*(getattr(c, name) for name in Estimate._fields))


def numbered(groups: Groups | None, n: int) -> Integers | None:
    """Groups as numbers."""
    if groups is None:
        return None
    array = np.asarray(groups)
    if array.dtype.kind not in "UO":
        return integers("groups", array, n)
    if array.shape != (n,):
        raise InvalidError(f"groups: given {array.shape}, expected one for each of {n} samples")
    numbers: dict[str, int] = {"": -1}
    for name in array.tolist():
        numbers.setdefault(name, len(numbers))  # in the order of their first samples
    return np.array([numbers[name] for name in array.tolist()], np.int64)


def _address(array: "Array | None") -> int | None:
    return None if array is None else array.ctypes.data


def proportion(successes: int, trials: int, level: float = 0.95, kind: str = "wilson") -> Estimate:
    """The share of successes in independent trials; kind "wilson" or "clopper_pearson" (exact)."""
    out = peft_estimate()
    check(lib.peft_statistics_proportion(successes, trials, level, encoded(kind), ctypes.byref(out)))
    return estimate(out)


def mcnemar(labels: Array, first: Array, second: Array) -> McNemar:
    """McNemar's exact test: do two methods decide equally well on the same samples?"""
    truth, counts, p = integers("labels", labels), np.empty(2, np.int64), ctypes.c_double()
    a, b = integers("first", first, truth.size), integers("second", second, truth.size)
    check(
        lib.peft_statistics_mcnemar(
            truth.ctypes.data, a.ctypes.data, b.ctypes.data, truth.size, counts.ctypes.data, ctypes.byref(p)
        )
    )
    return McNemar(int(counts[0]), int(counts[1]), p.value)


def auroc(
    scores: Array, targets: Array, groups: Groups | None = None, level: float = 0.95, kind: str = "logit"
) -> Estimate:
    """The AUROC of scores (n,) for targets (n,) of 0 and 1 (-1: not judged) with DeLong's variance, with groups that of
    Obuchowski; kind "logit" or "wald"."""
    s, out = doubles("scores", scores, 1), peft_estimate()
    t, g = targets_like("targets", targets, s.shape), numbered(groups, s.size)
    check(
        lib.peft_statistics_auroc(
            default_context()._c,
            s.ctypes.data,
            t.ctypes.data,
            _address(g),
            s.size,
            level,
            encoded(kind),
            ctypes.byref(out),
        )
    )
    return estimate(out)


def auroc_difference(
    first: Array, second: Array, targets: Array, groups: Groups | None = None, level: float = 0.95
) -> Estimate:
    """The AUROC of first minus that of second, scores (n,) of the same samples, with interval and p."""
    a, out = doubles("first", first, 1), peft_estimate()
    b, t = doubles("second", second, 1, a.shape), targets_like("targets", targets, a.shape)
    g = numbered(groups, a.size)
    check(
        lib.peft_statistics_auroc_difference(
            default_context()._c,
            a.ctypes.data,
            b.ctypes.data,
            t.ctypes.data,
            _address(g),
            a.size,
            level,
            ctypes.byref(out),
        )
    )
    return estimate(out)


def _resample(
    function: Any,
    metric: str,
    scores: Array,
    truth: Array,
    others: Array | None,
    groups: Groups | None,
    thresholds: "Sequence[float] | Doubles | None",
    options: dict[str, Value],
) -> "Estimate | list[Estimate]":
    s = doubles("scores", scores, 2)
    several = np.ndim(truth) == 2
    kept = {
        "scores": s,
        "others": None if others is None else doubles("others", others, 2, s.shape),
        "labels": None if several else integers("labels", truth, len(s)),
        "targets": targets_like("targets", truth, s.shape) if several else None,
        "thresholds": None if thresholds is None else doubles("thresholds", thresholds, 1, s.shape[1:]),
        "groups": numbered(groups, len(s)),
    }
    samples = peft_samples(n=len(s), classes=s.shape[1], **{name: _address(array) for name, array in kept.items()})
    context = default_context()._c
    made = make(context, options)
    for count in (1, s.shape[1]):  # a metric has one value, or one for each class
        out = (peft_estimate * count)()
        status = function(context, ctypes.byref(samples), encoded(metric), made, out, count)
        if status != Status.SHAPE or count == s.shape[1]:
            break
    check(status)
    return estimate(out[0]) if count == 1 else [estimate(row) for row in out]


@documented("Options", lib.peft_statistics_option)
def bootstrap(
    metric: str,
    scores: Array,
    truth: Array,
    others: Array | None = None,
    *,
    groups: Groups | None = None,
    thresholds: "Sequence[float] | Doubles | None" = None,
    **options: Value,
) -> "Estimate | list[Estimate]":
    """Bootstrap interval of a metric of scores (n, classes); with others, of its difference, scores minus others.
    truth: labels (n,), or targets (n, classes) of several labels a sample, with thresholds (classes,) for the metrics
    that decide. A list of a value for each class where the metric has one."""
    return _resample(lib.peft_statistics_bootstrap, metric, scores, truth, others, groups, thresholds, options)


def permutation(
    metric: str,
    scores: Array,
    others: Array,
    truth: Array,
    *,
    groups: Groups | None = None,
    thresholds: "Sequence[float] | Doubles | None" = None,
    **options: Value,
) -> "Estimate | list[Estimate]":
    """Permutation test of a metric's difference between scores and others: value and p. Options: resamples, seed."""
    return _resample(lib.peft_statistics_permutation, metric, scores, truth, others, groups, thresholds, options)
