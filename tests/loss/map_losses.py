# SPDX-License-Identifier: Apache-2.0
"""Writes map_losses.h: values and gradients of the losses of maps, in float64, by PyTorch, torchvision and MONAI.
   $(tests/interop/segmentation/setup.sh)/bin/python map_losses.py > map_losses.h"""
import textwrap

import numpy as np
import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss, DiceLoss
from torchvision.ops import sigmoid_focal_loss

SAMPLES, H, W, CLASSES, IGNORED = 2, 3, 4, 3, 255
rng = np.random.default_rng(7)
logits = np.round(rng.normal(size=(SAMPLES, H, W, CLASSES)) * 2 * 64) / 64         # exact in float
labels = rng.integers(0, CLASSES, (SAMPLES, H, W))
labels[1][labels[1] == 2] = 0                                                      # class 2 is absent in sample 1
ignoring = np.where(rng.random(labels.shape) < 0.3, IGNORED, labels)
targets = (rng.random(logits.shape) < 0.4).astype(float)
targets[1, :, :, 1] = 0
soft = np.round(rng.random(logits.shape) * 8) / 8
weight = torch.tensor([0.5, 2.0, 1.25], dtype=torch.float64)
positive = torch.tensor([3.0, 1.0, 0.25], dtype=torch.float64)


def first(x):                                           # channels first, as torch wants them
    return torch.movedim(x, -1, 1)


def one_hot(y):                                         # in float64; zeros where y is IGNORED
    return first((torch.as_tensor(y)[..., None] == torch.arange(CLASSES)).double())


def dice(x, y, act="softmax", s=1e-5, **o):
    y = one_hot(y) if act == "softmax" else first(torch.as_tensor(y))
    return DiceLoss(smooth_nr=s, smooth_dr=s, **{act: True}, **o)(first(x), y)


def ce(x, y, **o):
    return F.cross_entropy(first(x), torch.as_tensor(y), **o)


def focal(x, y, gamma, w=None):                         # MONAI's FocalLoss computes in float32
    logp = F.log_softmax(first(x), 1)
    y = torch.as_tensor(y)
    keep = y != IGNORED
    at = torch.where(keep, y, 0)
    logp = logp.gather(1, at[:, None])[:, 0]
    w = torch.ones(CLASSES, dtype=torch.float64) if w is None else w
    each = -((1 - logp.exp()) ** gamma) * logp * w[at]
    return each[keep].sum() / w[at][keep].sum()


def bce(x, y, **o):
    return F.binary_cross_entropy_with_logits(x, torch.as_tensor(y), **o)


CASES = [                                               # name, options of pf_loss, labels, value
    ("ce", "", "labels", lambda x: ce(x, labels)),
    ("ce", "ignores", "ignoring", lambda x: ce(x, ignoring, ignore_index=IGNORED)),
    ("ce", "ignores class_weights", "ignoring", lambda x: ce(x, ignoring, ignore_index=IGNORED, weight=weight)),
    ("ce", "ignores class_weights label_smoothing=0.25", "ignoring",
     lambda x: ce(x, ignoring, ignore_index=IGNORED, weight=weight, label_smoothing=0.25)),
    ("focal", "ignores class_weights focal_gamma=2", "ignoring", lambda x: focal(x, ignoring, 2, weight)),
    ("focal", "focal_gamma=1.5", "labels", lambda x: focal(x, labels, 1.5)),
    ("dice", "dice_smooth=1e-5 dice_background", "labels", lambda x: dice(x, labels)),
    ("dice", "dice_smooth=1e-5 dice_background ignores", "ignoring", lambda x: dice(x, ignoring, ignore_index=IGNORED)),
    ("dice", "dice_smooth=1", "labels", lambda x: dice(x, labels, s=1.0, include_background=False)),
    ("dice", "dice_smooth=1e-5 dice_batch dice_background", "labels", lambda x: dice(x, labels, batch=True)),
    ("dice", "dice_smooth=1e-5 dice_squared dice_batch", "labels",
     lambda x: dice(x, labels, squared_pred=True, batch=True, include_background=False)),
    ("dice", "dice_smooth=0 dice_squared dice_background ignores", "ignoring",
     lambda x: dice(x, ignoring, s=0.0, squared_pred=True, ignore_index=IGNORED)),
    ("ce_dice", "dice_smooth=1e-5 dice_background ce_weight=1 dice_weight=1", "labels",
     lambda x: DiceCELoss(to_onehot_y=True, softmax=True)(first(x), torch.as_tensor(labels)[:, None])),
    ("ce_dice", "dice_smooth=1e-5 ignores class_weights label_smoothing=0.25 ce_weight=0.5 dice_weight=2", "ignoring",
     lambda x: 0.5 * ce(x, ignoring, ignore_index=IGNORED, weight=weight, label_smoothing=0.25)
     + 2 * dice(x, ignoring, include_background=False, ignore_index=IGNORED)),
    ("dice_multilabel", "dice_smooth=1e-5", "targets", lambda x: dice(x, targets, "sigmoid")),
    ("dice_multilabel", "dice_smooth=1 dice_batch dice_squared", "targets",
     lambda x: dice(x, targets, "sigmoid", 1.0, batch=True, squared_pred=True)),
    ("dice_multilabel", "dice_smooth=1e-5", "soft", lambda x: dice(x, soft, "sigmoid")),
    ("bce_dice", "dice_smooth=1e-5 class_weights pos_weight ce_weight=0.5 dice_weight=2", "targets",
     lambda x: 0.5 * bce(x, targets, weight=weight, pos_weight=positive) + 2 * dice(x, targets, "sigmoid")),
    ("focal_bce", "focal_gamma=2", "targets",
     lambda x: sigmoid_focal_loss(x, torch.as_tensor(targets), alpha=-1, gamma=2, reduction="mean")),
    ("focal_bce", "focal_gamma=1.5 focal_alpha=0.75 class_weights", "targets",
     lambda x: 0.75 * (sigmoid_focal_loss(x, torch.as_tensor(targets), alpha=-1, gamma=1.5) * weight).mean()),
]


def array(kind, name, values):
    text = [repr(v) if kind == "int64_t" else f"{v:.12g}" for v in np.asarray(values).ravel().tolist()]
    lines, line = [], "   "
    for t in text:
        if len(line) + len(t) + 2 > 117:
            lines.append(line)
            line = "   "
        line += " " + t + ","
    return f"static const {kind} {name}[] = {{\n" + "\n".join(lines + [line.rstrip(",")]) + " };\n"


def initialiser(options):
    fields = []
    for o in options.split():
        name, _, value = o.partition("=")
        fields.append(f".{name} = {value}" if value else {"ignores": f".ignores = true, .ignore_index = {IGNORED}",
            "class_weights": ".class_weights = map_weight", "pos_weight": ".pos_weight = map_positive"}.get(name)
            or f".{name} = true")
    if ".focal_gamma" in " ".join(fields) and ".focal_alpha" not in " ".join(fields):
        fields.append(".focal_alpha = 1")
    return ", ".join(fields)


def main():
    print("/* SPDX-License-Identifier: Apache-2.0\n"
          " * map_losses.h -- values and gradients of losses of maps in float64, "
          "by PyTorch, torchvision and MONAI; made by\n"
          " * map_losses.py. */\n#ifndef MAP_LOSSES_H\n#define MAP_LOSSES_H")
    print(f"enum {{ MAP_SAMPLES = {SAMPLES}, MAP_ROWS = {SAMPLES * H * W}, MAP_CLASSES = {CLASSES} }};")
    print(array("pk_real", "map_logits", logits), array("pk_real", "map_weight", weight),
          array("pk_real", "map_positive", positive), array("int64_t", "map_labels", labels),
          array("int64_t", "map_ignoring", ignoring), array("pk_real", "map_targets", targets),
          array("pk_real", "map_soft", soft), sep="", end="")
    rows, grads = [], []
    for i, (kind, options, of, loss) in enumerate(CASES):
        x = torch.tensor(logits, requires_grad=True)
        value = loss(x)
        value.backward()
        where = "labels" if of in ("labels", "ignoring") else "targets"
        row = (f"{{ &pf_loss_{kind}, {{ {initialiser(options) or '0'} }}, .{where} = map_{of}, "
               f".value = {value.item()!r}, .grad = map_grad_{i} }}")
        rows.append("\n".join(textwrap.wrap(row, 118, initial_indent="    ", subsequent_indent="      ",
                                            break_on_hyphens=False)))
        grads.append(array("double", f"map_grad_{i}", x.grad))
    print("".join(grads), end="")
    print("/* A loss with options, its labels or targets, value and gradient. */\nstatic const struct map_case {\n"
          "    const pf_loss_kind *kind;\n    pf_loss options;\n    const int64_t *labels;\n"
          "    const pk_real *targets;\n"
          "    double value;\n    const double *grad;\n} map_cases[] = {\n" + ",\n".join(rows) + " };\n#endif")


main()
