# SPDX-License-Identifier: Apache-2.0
"""Dice, IoU, Hausdorff distances and surface distance of 500 random cases against MONAI: pictures and volumes, 1 to 5
classes, spacings that differ by axis, classes that are missing from one map or both, pixels that are not judged."""
import ctypes as C
import sys
import warnings

import numpy as np
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_iou, hausdorff_distance
from monai.metrics.meandice import DiceHelper

import peft

CASES = 500
warnings.filterwarnings("ignore")


def percentile(distances, q):
    """As MONAI's, but the position between two distances is computed in float64, and infinite distances give Inf."""
    if not distances.numel():
        return torch.tensor(float("nan"))
    if torch.isinf(distances).any():
        return torch.tensor(float("inf"))
    return torch.quantile(distances.double(), q / 100).float() if q else distances.max()


hausdorff_distance._compute_percentile_hausdorff_distance = percentile
COUNTS = ["places", "truth", "predicted", "both", "truth_surface", "predicted_surface"]
FIGURES = ["hd", "hd95", "surface_distance", "extent"]


class Segment(C.Structure):
    _fields_ = [(n, C.c_int64) for n in COUNTS] + [(n, C.c_double) for n in FIGURES]


def segments(context, maps, classes, spacing, targets=False):
    """The segments of a case: maps are pairs of prediction and truth."""
    s, out = C.c_void_p(), (Segment * classes)()
    peft.ok(peft.lib.peft_segmentation_create(context, C.c_int64(classes), C.c_int(1), C.byref(s)))
    add = peft.lib.peft_segmentation_add_targets if targets else peft.lib.peft_segmentation_add
    by = (C.c_double * len(spacing))(*spacing) if spacing is not None else None
    for predicted, truth in maps:
        peft.ok(add(s, context.tensor(predicted), context.tensor(truth), by))
    peft.ok(peft.lib.peft_segmentation_case(s, out, C.c_size_t(classes)))
    peft.lib.peft_segmentation_free(s)
    return out


def values(context, table, name, **options):
    out = np.empty(len(table))
    o = context.options(**options) if options else None
    peft.ok(peft.lib.peft_segmentation_values(table, C.c_int64(len(table)), name.encode(), o,
                                              out.ctypes.data_as(C.c_void_p)))
    return out


def blobs(rng, shape, classes):
    """A map of classes in blobs, some of which are missing."""
    field = rng.normal(size=(classes, *shape))
    for axis in range(1, field.ndim):
        for _ in range(int(rng.integers(0, 4))):
            field = field + np.roll(field, 1, axis) + np.roll(field, -1, axis)
    field += rng.normal(size=(classes,) + (1,) * len(shape)) * field.std() * 1.5
    return field.argmax(0).astype(np.int64)


def case(rng):
    dims = int(rng.integers(2, 4))
    classes = int(rng.integers(1, 6))
    shape = rng.integers(1, 40 if dims == 2 else 14, dims)
    truth = blobs(rng, shape, classes)
    kind = rng.random()
    if kind < 0.5:                                      # like the truth
        other = blobs(rng, shape, classes)
        predicted = np.where(rng.random(shape) < 0.1, other, np.roll(truth, int(rng.integers(0, 3)), 0))
    else:
        predicted = blobs(rng, shape, classes)
    if kind > 0.9:
        truth[:] = 0
    ignored = rng.random(shape) < 0.1 if rng.random() < 0.3 else np.zeros(shape, bool)
    spacing = None if rng.random() < 0.3 else rng.uniform(0.3, 4, dims).round(2)
    return classes, predicted, truth, ignored, spacing


def masks(labels, classes, ignored):
    on = np.stack([(labels == c) & ~ignored for c in range(classes)])
    return torch.as_tensor(on[None].astype(np.float32))


def close(got, want):
    want = np.asarray(want, np.float64)
    near = np.abs(got - want) <= 1e-6 * np.maximum(1, np.abs(want))
    return np.all((np.isnan(got) & np.isnan(want)) | (got == want) | near)


def compare(tally, context, seed):
    rng = np.random.default_rng(seed)
    classes, predicted, truth, ignored, spacing = case(rng)
    marked = np.where(ignored, -1, truth)
    p, t = masks(predicted, classes, ignored), masks(truth, classes, ignored)
    small = rng.random() < 0.3
    table = segments(context, [(predicted.astype(np.uint8) if small else predicted, marked)], classes, spacing)
    last = [np.moveaxis(masks(m, classes, ignored & False)[0].numpy(), 0, -1) for m in (predicted, truth)]
    last[1] = np.where(ignored[..., None], np.float32(-1), last[1])
    again = segments(context, [[np.ascontiguousarray(m) for m in last]], classes, spacing, targets=True)
    tally.check(bytes(table) == bytes(again), f"case {seed}: labels and targets differ")
    by = dict(include_background=True, spacing=None if spacing is None else list(spacing))
    hd = compute_hausdorff_distance(p, t, **by)[0]
    hd95 = compute_hausdorff_distance(p, t, percentile=95, **by)[0]
    asd = compute_average_surface_distance(p, t, symmetric=True, **by)[0]
    one_sided = (p.flatten(2).sum(2) > 0) != (t.flatten(2).sum(2) > 0)
    want = {("dice", "ignore"): DiceHelper(True, softmax=False, sigmoid=False, activate=False, get_not_nans=False,
                                           reduction="none", ignore_empty=True, num_classes=classes)(p, t)[0],
            ("dice", "one"): DiceHelper(True, softmax=False, sigmoid=False, activate=False, get_not_nans=False,
                                        reduction="none", ignore_empty=False, num_classes=classes)(p, t)[0],
            ("iou", "ignore"): compute_iou(p, t, ignore_empty=True)[0],
            ("iou", "one"): compute_iou(p, t, ignore_empty=False)[0],
            ("hd", None): hd, ("hd95", None): hd95, ("surface_distance", None): asd}
    for (name, absent), value in want.items():
        got = values(context, table, name, **({"absent": absent} if absent else {}))
        tally.check(close(got, value), f"case {seed}, {name} {absent or ''}: {got}, MONAI {value}")
    return int(one_sided.sum()), int(((p.flatten(2).sum(2) == 0) & (t.flatten(2).sum(2) == 0)).sum())


def main():
    tally, context = peft.Tally("segmentation"), peft.Context()
    found = np.sum([compare(tally, context, seed) for seed in range(CASES)], 0)
    tally.check(found.min() > 50, f"classes in one map only and in none: {found}")
    return tally.close()


sys.exit(main())
