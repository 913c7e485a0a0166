# SPDX-License-Identifier: Apache-2.0
"""Figures of masks: Dice, IoU and distances between surfaces."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ._c.arrays import Array, Doubles, Wrapped, contiguous, doubles
from ._c.declarations import peft_segment
from ._c.errors import ShapeError
from ._c.handles import Object
from ._c.library import check, encoded, lib
from ._c.options import Value, documented, make
from .context import Context, default_context


class Segment(NamedTuple):
    """One class in one case. judged: pixels, or voxels of a volume, judged for this class; truth, predicted, both: of
    them in the class; truth_surface, predicted_surface: pixels with a neighbour outside of it; hd, hd95,
    surface_distance: Hausdorff distance, its 95th percentile, mean distance; extent: the diagonal of the largest
    map."""

    judged: int
    truth: int
    predicted: int
    both: int
    truth_surface: int
    predicted_surface: int
    hd: float
    hd95: float
    surface_distance: float
    extent: float


class Segmentation(Object):
    """Compares predicted with true masks, case by case (include/peft/segmentation.h).

        figures = libpeft.Segmentation(classes=3)
        cases = []
        for predicted, truth in maps:                 # (height, width), or volumes (depth, height, width)
            figures.add(predicted, truth, spacing=(0.8, 0.5))
            cases.append(figures.case())              # a Segment for each class
        libpeft.Segmentation.values(cases, "dice")    # float64 (cases, classes)

    Without distances only counts are computed, and distances are NaN."""

    _c_name = "peft_segmentation"
    classes: int

    def __init__(self, classes: int, distances: bool = True, *, context: Context | None = None) -> None:
        c = (context or default_context())._c
        self.classes = classes
        self._own(c, lib.peft_segmentation_create, c, classes, int(distances))

    def add(self, predicted: Array, truth: Array, spacing: Sequence[float] | None = None) -> None:
        """Adds maps of class numbers, int64 or uint8; -1 in truth is a pixel that is not judged. spacing: a distance
        between neighbours along each axis, such as millimetres."""
        p = contiguous("predicted", predicted)
        self._add(lib.peft_segmentation_add, p, contiguous("truth", truth), spacing, p.ndim)

    def add_targets(self, predicted: Array, targets: Array, spacing: Sequence[float] | None = None) -> None:
        """The same for several labels a pixel: (.., classes) of 0 and 1, float32 or uint8; -1 in targets is a label
        that was not judged."""
        p = contiguous("predicted", predicted)
        self._add(lib.peft_segmentation_add_targets, p, contiguous("targets", targets), spacing, p.ndim - 1)

    def _add(
        self, function: Callable[..., int], p: Array, truth: Array, spacing: Sequence[float] | None, axes: int
    ) -> None:
        distances = None if spacing is None else doubles("spacing", spacing, 1, (axes,))
        address = None if distances is None else distances.ctypes.data
        check(function(self._c, Wrapped(self._context, p), Wrapped(self._context, truth), address))

    def case(self) -> list[Segment]:
        """Ends the case: a Segment for each class."""
        out = (peft_segment * self.classes)()
        check(lib.peft_segmentation_case(self._c, out, self.classes))
        return [Segment(*(getattr(c, name) for name in Segment._fields)) for c in out]

    @staticmethod
    @documented("Options", lib.peft_segmentation_option)
    def values(
        cases: Sequence[Sequence[Segment]], name: str, *, context: Context | None = None, **options: Value
    ) -> Doubles:
        """One figure of all cases, float64 (cases, classes), NaN where it is undefined: dice, iou, precision, recall,
        hd, hd95, surface_distance."""
        widths = {len(case) for case in cases}
        if len(widths) > 1:
            raise ShapeError(f"cases: given cases with {sorted(widths)} classes, expected one number of classes")
        rows = [peft_segment(**segment._asdict()) for case in cases for segment in case]
        out = np.empty((len(cases), max(widths, default=0)))
        c = (context or default_context())._c
        array = (peft_segment * max(len(rows), 1))(*rows)
        check(lib.peft_segmentation_values(array, len(rows), encoded(name), make(c, options), out.ctypes.data))
        return out

    def __repr__(self) -> str:
        return "Segmentation(closed)" if self.closed else f"Segmentation({self.classes} classes)"
