# SPDX-License-Identifier: Apache-2.0
"""Prediction sets: for each sample the classes that cannot be excluded, so that the set holds the true class with
probability at least 1 - alpha, if calibration samples and new ones are drawn in the same way. include/peft/conformal.h
has the whole statement."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .._c.arrays import Array, Doubles, doubles, integers
from .._c.library import check, lib
from .._c.options import Value, documented, make
from ..context import default_context


@documented("Options, which have to be the same in sets()", lib.peft_conformal_option)
def fit(probabilities: Array, labels: "Sequence[int] | Array", alpha: float, **options: Value) -> Doubles:
    """Quantiles (classes,) of calibration samples, which were not trained on."""
    p, c = doubles("probabilities", probabilities, 2), default_context()._c
    truth, out = integers("labels", labels, len(p)), np.empty(p.shape[1])
    check(
        lib.peft_conformal_fit(c, p.ctypes.data, truth.ctypes.data, *p.shape, alpha, make(c, options), out.ctypes.data)
    )
    return out


def sets(probabilities: Array, quantiles: Array, *, first: int = 0, **options: Value) -> npt.NDArray[np.bool_]:
    """Whether each class belongs to the set of each sample, (n, classes). first: the number of the first sample, for
    randomized sets of parts of the samples."""
    p, c = doubles("probabilities", probabilities, 2), default_context()._c
    q, out = doubles("quantiles", quantiles, 1, p.shape[1:]), np.empty(p.shape, np.bool_)
    check(lib.peft_conformal_sets(c, p.ctypes.data, *p.shape, q.ctypes.data, first, make(c, options), out.ctypes.data))
    return out
