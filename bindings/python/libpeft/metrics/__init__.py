# SPDX-License-Identifier: Apache-2.0
"""Metrics of predictions. `names()` lists them, `help(name)` says what one is and which functions have it. The modules
statistics (intervals and tests), threshold and conformal (prediction sets) are for figures one can stand behind:
docs/figures.md says which function answers which question.

Results are a float, or an array with a value for each class where the metric has one."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._c.arrays import Array, Doubles, Integers, doubles, floats, integers, targets_like
from .._c.declarations import Status
from .._c.errors import DTypeError, NotFoundError, ShapeError
from .._c.library import check, encoded, lib, text
from .._c.library import names as _names
from ..context import default_context


def names() -> list[str]:
    """The names of all metrics."""
    return _names(lib.peft_metrics_name)


def help(name: str) -> str:
    """What a metric is, and which of the functions below have it."""
    found = text(lib.peft_metrics_help(encoded(name)))
    if found is None:
        raise NotFoundError(f"there is no metric '{name}'; expected one of {', '.join(names())}")
    return found


def _value(call: Callable[[int, int], int], classes: int) -> "float | Doubles":
    """One value, or where the metric has more, one for each class."""
    one = ctypes.c_double()
    status = call(ctypes.addressof(one), 1)
    if status != Status.SHAPE or classes == 1:
        check(status)
        return one.value
    many = np.empty(classes)
    check(call(many.ctypes.data, classes))
    return many


def scores(logits: Array, link: str = "softmax") -> Doubles:
    """Probabilities float64 (n, classes) of logits float32: link "softmax", "sigmoid" or "identity"."""
    logits = floats("logits", logits, (None, None))
    out = np.empty(logits.shape)
    check(lib.peft_metrics_scores(logits.ctypes.data, *logits.shape, encoded(link), out.ctypes.data))
    return out


def decide(scores: Array) -> Integers:
    """The class of the largest score of each row, the first of equals."""
    scores = doubles("scores", scores, 2)
    out = np.empty(len(scores), np.int64)
    check(lib.peft_metrics_decide(scores.ctypes.data, *scores.shape, out.ctypes.data))
    return out


def confusion(labels: "Sequence[int] | Array", predicted: "Sequence[int] | Array", classes: int) -> Integers:
    """Counts (classes, classes): the row is the true class, the column the predicted one."""
    given = integers("predicted", predicted)
    truth = integers("labels", labels, given.size)
    out = np.empty((classes, classes), np.int64)
    check(lib.peft_metrics_confusion(truth.ctypes.data, given.ctypes.data, given.size, classes, out.ctypes.data))
    return out


def decision(counts: Array, name: str) -> "float | Doubles":
    """A metric of a confusion matrix: accuracy, balanced_accuracy, f1, f1_macro, kappa_quadratic, .."""
    array = integers("counts", counts)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ShapeError(f"counts: given an array of shape {array.shape}, expected (classes, classes)")
    n = len(array)
    return _value(lambda out, count: lib.peft_metrics_decision(array.ctypes.data, n, encoded(name), out, count), n)


def multi_label(
    probabilities: Array, targets: Array, name: str, threshold: "float | Sequence[float] | Array" = 0.5
) -> "float | Doubles":
    """A metric of several labels a sample; a label is predicted where its probability is at least threshold, which is
    one number, or one for each label."""
    p = doubles("probabilities", probabilities, 2)
    t = targets_like("targets", targets, p.shape)
    each = np.ascontiguousarray(np.broadcast_to(np.asarray(threshold, np.float64), p.shape[1:]))
    return _value(
        lambda out, count: lib.peft_metrics_multilabel_at(
            p.ctypes.data, t.ctypes.data, *p.shape, each.ctypes.data, encoded(name), out, count
        ),
        p.shape[1],
    )


def ranking(scores: Array, targets: Array, name: str) -> "float | Doubles":
    """A metric of the order of scores: auroc, auroc_macro, average_precision, map, ..; targets (n, classes) are 0, 1,
    or -1 (not counted), or labels (n,)."""
    s = doubles("scores", scores, 2)
    if np.ndim(targets) == 1:
        targets = one_hot(targets, s.shape[1])
    t = targets_like("targets", targets, s.shape)
    c = default_context()._c
    return _value(
        lambda out, count: lib.peft_metrics_ranking(
            c, s.ctypes.data, t.ctypes.data, *s.shape, encoded(name), out, count
        ),
        s.shape[1],
    )


def calibration(probabilities: Array, labels: "Sequence[int] | Array", name: str) -> "float | Doubles":
    """A metric of probabilities: ece, mce, brier, nll, .."""
    p = doubles("probabilities", probabilities, 2)
    t = integers("labels", labels, len(p))
    return _value(
        lambda out, count: lib.peft_metrics_calibration(
            p.ctypes.data, t.ctypes.data, *p.shape, encoded(name), out, count
        ),
        p.shape[1],
    )


class Reliability(NamedTuple):
    """The bins of a reliability diagram: samples, their mean probability, and the share that it came true for."""

    size: Integers
    probability: Doubles
    share: Doubles


def reliability(probabilities: Array, labels: Array, bins: int = 15) -> Reliability:
    """With labels (n,) the bins of the largest probability of each sample, arrays (bins,); with targets (n, classes)
    those of each class for itself, arrays (classes, bins)."""
    p = doubles("probabilities", probabilities, 2)
    of_classes = np.ndim(labels) == 2
    shape = (p.shape[1], max(bins, 0)) if of_classes else (max(bins, 0),)
    out = Reliability(np.empty(shape, np.int64), np.empty(shape), np.empty(shape))
    truth = targets_like("targets", labels, p.shape) if of_classes else integers("labels", labels, len(p))
    function = lib.peft_metrics_reliability_of_classes if of_classes else lib.peft_metrics_reliability
    check(function(p.ctypes.data, truth.ctypes.data, *p.shape, bins, *(a.ctypes.data for a in out)))
    return out


def one_hot(labels: "Sequence[int] | Array", classes: int) -> Array:
    """Targets float32 (n, classes): 1 at the label, else 0."""
    t = integers("labels", labels)
    out = np.empty((t.size, classes), np.float32)
    check(lib.peft_metrics_one_hot(t.ctypes.data, t.size, classes, out.ctypes.data))
    return out


def fit_temperature(logits: Array, labels: "Sequence[int] | Array") -> float:
    """The temperature, 0.01 to 100, with the least nll: softmax(logits / temperature)."""
    logits, value = floats("logits", logits, (None, None)), ctypes.c_double()
    t = integers("labels", labels, len(logits))
    check(lib.peft_metrics_fit_temperature(logits.ctypes.data, t.ctypes.data, *logits.shape, ctypes.byref(value)))
    return value.value


def temperature_scores(logits: Array, temperature: float) -> Doubles:
    """softmax(logits / temperature) as float64 (n, classes)."""
    logits = floats("logits", logits, (None, None))
    out = np.empty(logits.shape)
    check(lib.peft_metrics_temperature_scores(logits.ctypes.data, *logits.shape, temperature, out.ctypes.data))
    return out


def evaluate(logits: Array, labels: Array, link: str = "softmax") -> dict[str, float]:
    """The figures that the program finetune prints, of logits float32 (n, classes) and labels (n,), or with link
    "sigmoid" targets (n, classes). With link "identity" the first argument holds probabilities, float64 or float32,
    such as those of Probe.scores: of labels, or of targets, by the shape of the second."""
    if link == "identity":
        p, several = doubles("logits", logits, 2), np.ndim(labels) == 2
    else:
        if np.asarray(logits).dtype == np.float64:
            raise DTypeError(
                "logits: given an array of float64, expected logits of float32; of probabilities, such as those of "
                'Probe.scores, give link="identity"'
            )
        p, several = scores(logits, link), link == "sigmoid"
    figures: dict[str, Any]
    if several:
        figures = {"f1_macro": multi_label(p, labels, "f1_macro"), "map": ranking(p, labels, "map")}
    else:
        counts = confusion(labels, decide(p), p.shape[1])
        figures = {name: decision(counts, name) for name in ("accuracy", "balanced_accuracy", "f1_macro")}
    return {**figures, "auroc_macro": ranking(p, labels, "auroc_macro")}


from . import conformal, statistics, threshold  # noqa: E402  (they use the functions above)

__all__ = [
    "Reliability",
    "calibration",
    "confusion",
    "conformal",
    "decide",
    "decision",
    "evaluate",
    "fit_temperature",
    "help",
    "multi_label",
    "names",
    "one_hot",
    "ranking",
    "reliability",
    "scores",
    "statistics",
    "temperature_scores",
    "threshold",
]
