# SPDX-License-Identifier: Apache-2.0
"""Probes: cheap classifiers on features that stay as they are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ._c.arrays import Array, Doubles, Floats, floats, integers, targets_like
from ._c.errors import InvalidError, ShapeError
from ._c.handles import Object
from ._c.library import check, encoded, lib
from ._c.options import Value, documented, make
from .context import Context, default_context


class Weights(NamedTuple):
    """The classifier of logistic regression: softmax (of several labels: sigmoid) of features @ weights.T + intercepts
    are the scores; weights (classes, width), intercepts (classes,)."""

    weights: Doubles
    intercepts: Doubles


@documented("Options", lib.peft_probe_option)
class Probe(Object):
    """k nearest neighbours, class means or logistic regression on features, the baselines of what a method adds
    (include/peft/probe.h).

        features, labels = libpeft.analysis.features(model, train)
        probe = libpeft.Probe(features, labels, kind="logistic", C=1)
        probabilities = probe.scores(libpeft.analysis.features(model, test)[0])

    features float32 (n, width). truth: labels (n,), from 0 on, of `classes` classes (default: the largest label + 1);
    or targets (n, classes) of several labels a sample: 1, 0, or -1 (not judged)."""

    _c_name = "peft_probe"

    def __init__(
        self,
        features: Array,
        truth: "Sequence[int] | Array",
        *,
        classes: int | None = None,
        context: Context | None = None,
        **options: Value,
    ) -> None:
        c, rows = (context or default_context())._c, floats("features", features, (None, None))
        array, labels, targets = np.asarray(truth), None, None
        if array.ndim == 2:
            targets = targets_like("truth", array, (len(rows), array.shape[1]))
            if classes not in (None, array.shape[1]):
                raise ShapeError(f"classes: given {classes}, but the targets have {array.shape[1]} columns")
            classes = array.shape[1]
        else:
            labels = integers("truth", array, len(rows))
            classes = int(labels.max(initial=0)) + 1 if classes is None else classes
        self._own(
            c,
            lib.peft_probe_fit,
            c,
            rows.ctypes.data,
            None if labels is None else labels.ctypes.data,
            None if targets is None else targets.ctypes.data,
            *rows.shape,
            classes,
            make(c, options),
        )

    def scores(self, features: Array) -> Doubles:
        """Probabilities (n, classes) of features float32 (n, width): their sum is 1, or of several labels each is for
        itself. Several threads may call it."""
        rows: Floats = floats("features", features, (None, int(self.get("width"))))
        out = np.empty((len(rows), int(self.get("classes"))))
        if len(rows):
            check(lib.peft_probe_scores(self._c, rows.ctypes.data, len(rows), out.ctypes.data))
        return out

    @property
    def weights(self) -> Weights:
        """The weights of kind logistic, for features as they are given. UnsupportedError: of another kind."""
        shape = int(self.get("classes")), int(self.get("width"))
        out = Weights(np.empty(shape), np.empty(shape[0]))
        check(lib.peft_probe_weights(self._c, out.weights.ctypes.data, out.intercepts.ctypes.data))
        return out

    def get(self, name: str) -> float:
        """A figure: classes, width, samples (of training); of kind logistic: iterations, gradient, loss."""
        value = float(lib.peft_probe_get(self._c, encoded(name)))
        if np.isnan(value):
            raise InvalidError(f"this probe has no figure '{name}'; the text of get lists them")
        return value

    def __repr__(self) -> str:
        if self.closed:
            return "Probe(closed)"
        return f"Probe({self.get('samples'):.0f} samples, {self.get('classes'):.0f} classes)"
