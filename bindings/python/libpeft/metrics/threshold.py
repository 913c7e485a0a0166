# SPDX-License-Identifier: Apache-2.0
"""Yes or no by a threshold: choosing it, the rates that it gives, and what decisions by it are worth. Scores are
(n, classes), targets likewise, 1, 0, or -1 (not judged), or labels (n,). Choose thresholds on validation samples, and
report the rates of test samples."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .._c.arrays import Array, Doubles, doubles, targets_like
from .._c.declarations import peft_rates
from .._c.library import check, encoded, lib
from ..context import default_context
from . import one_hot
from .statistics import Estimate, estimate


class Rates(NamedTuple):
    """Counts and rates of one class; rates have value, low and high."""

    tp: int
    fp: int
    fn: int
    tn: int
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate


def _pair(name: str, scores: Array, targets: Array) -> tuple[Doubles, Array]:
    s = doubles(name, scores, 2)
    return s, targets_like("targets", one_hot(targets, s.shape[1]) if np.ndim(targets) == 1 else targets, s.shape)


def choose(scores: Array, targets: Array, rule: str, wanted: float = 0.0) -> Doubles:
    """A threshold for each class, an array (classes,), of scores (n, classes) and targets (n, classes) or labels (n,):
    rule "youden", "sensitivity" or "specificity" (at least `wanted`), or "f1". Of two classes the threshold of the one
    that is to be found is its element: choose(p, labels, "youden")[1]."""
    s, t = _pair("scores", scores, targets)
    out = np.empty(s.shape[1])
    check(
        lib.peft_threshold_choose(
            default_context()._c, s.ctypes.data, t.ctypes.data, *s.shape, encoded(rule), wanted, out.ctypes.data
        )
    )
    return out


def rates(
    scores: Array,
    targets: Array,
    thresholds: "Sequence[float] | Doubles",
    level: float = 0.95,
    interval: str = "wilson",
) -> list[Rates]:
    """Counts, sensitivity, specificity and predictive values of each class by its threshold."""
    s, t = _pair("scores", scores, targets)
    each = doubles("thresholds", thresholds, 1, s.shape[1:])
    out = (peft_rates * s.shape[1])()
    check(
        lib.peft_threshold_rates(
            s.ctypes.data, t.ctypes.data, *s.shape, each.ctypes.data, level, encoded(interval), out
        )
    )
    return [Rates(r.tp, r.fp, r.fn, r.tn, *(estimate(getattr(r, name)) for name in Rates._fields[4:])) for r in out]


def net_benefit(
    probabilities: Array, targets: Array, thresholds: "Sequence[float] | Doubles"
) -> tuple[Doubles, Doubles]:
    """Decision curves (classes, m): the net benefit at m thresholds of treating by the probabilities, and of treating
    all."""
    p, t = _pair("probabilities", probabilities, targets)
    at = doubles("thresholds", thresholds, 1)
    model, everyone = np.empty((p.shape[1], at.size)), np.empty((p.shape[1], at.size))
    check(
        lib.peft_threshold_net_benefit(
            p.ctypes.data, t.ctypes.data, *p.shape, at.ctypes.data, at.size, model.ctypes.data, everyone.ctypes.data
        )
    )
    return model, everyone
