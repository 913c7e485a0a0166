# SPDX-License-Identifier: Apache-2.0
"""How features lie in space, and the features themselves. Features are float32 (n, width)."""

import ctypes
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ._c.arrays import Array, Doubles, Floats, Integers, floats, integers
from ._c.library import check, lib
from .backbone import Backbone
from .context import default_context
from .dataset import Dataset
from .images import Transform
from .model import Model
from .session import Session

Labels = Sequence[int] | Array


class Scatter(NamedTuple):
    """Sums of squared distances within the classes, and between the means of the classes."""

    intra: float
    inter: float


class Components(NamedTuple):
    """Coordinates (n, components), and the share of the variance of each component."""

    projection: Doubles
    share: Doubles


def features(
    network: Backbone | Model, data: Dataset, transform: Transform | None = None, batch: int = 8
) -> tuple[Floats, Integers]:
    """The pooled features (samples, width) of a data set's pictures, and their labels."""
    model = network if isinstance(network, Model) else Model(network, head="none")
    prepare = transform or Transform.of(model.backbone)
    images = np.empty((batch, *model.input_shape), np.float32)
    out = np.empty((len(data), model.feature_width), np.float32)
    with Session(model, batch=batch) as session:
        for first in range(0, len(data), batch):
            n = min(batch, len(data) - first)
            for k in range(n):
                prepare(data.load(first + k), images[k])
            session.features(images[:n], out[first : first + n])
    return out, data.labels


def _rows(features: Array, labels: Labels) -> tuple[Floats, Integers]:
    rows = floats("features", features, (None, None))
    return rows, integers("labels", labels, len(rows))


def scatter(features: Array, labels: Labels, classes: int) -> Scatter:
    """Scatter within and between the classes."""
    rows, truth = _rows(features, labels)
    intra, inter = ctypes.c_double(), ctypes.c_double()
    check(
        lib.peft_analysis_scatter(
            default_context()._c,
            rows.ctypes.data,
            truth.ctypes.data,
            *rows.shape,
            classes,
            ctypes.byref(intra),
            ctypes.byref(inter),
        )
    )
    return Scatter(intra.value, inter.value)


def silhouette(features: Array, labels: Labels, classes: int) -> tuple[float, Doubles]:
    """The mean silhouette coefficient, and that of each sample."""
    rows, truth = _rows(features, labels)
    mean, samples = ctypes.c_double(), np.empty(len(rows))
    check(
        lib.peft_analysis_silhouette(
            default_context()._c,
            rows.ctypes.data,
            truth.ctypes.data,
            *rows.shape,
            classes,
            ctypes.byref(mean),
            samples.ctypes.data,
        )
    )
    return mean.value, samples


def effective_rank(features: Array) -> float:
    """exp of the entropy of the singular values: how many directions are used."""
    rows, rank = floats("features", features, (None, None)), ctypes.c_double()
    check(lib.peft_analysis_effective_rank(default_context()._c, rows.ctypes.data, *rows.shape, ctypes.byref(rank)))
    return rank.value


def pca(features: Array, components: int) -> Components:
    """Principal components."""
    rows = floats("features", features, (None, None))
    room = max(0, min(components, *rows.shape))
    projection, share = np.empty((len(rows), room)), np.empty(room)
    check(
        lib.peft_analysis_pca(
            default_context()._c, rows.ctypes.data, *rows.shape, components, projection.ctypes.data, share.ctypes.data
        )
    )
    return Components(projection, share)
