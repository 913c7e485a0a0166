# SPDX-License-Identifier: Apache-2.0
"""Compares training runs of 30 updates with torch in float64; methods, optimisers, schedules, accumulation, clipping,
losses and weights are random. The error of libpeft's parameters may be at most 4 times that of torch in float32, plus
2e-5."""
import math
import os
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import peft
import vit

RUNS, STEPS, CLASSES = 40, 30, 4
SHAPE = dict(image_size=24, patch=8, width=48, depth=3, heads=3, mlp=96)
METHODS = [("linear", {}), ("full", {}), ("partial", {"blocks": 1}), ("bitfit", {}), ("ln_tune", {}), ("cls_tune", {}),
           ("lora", {"r": 4, "alpha": 8}), ("lora", {"r": 2, "targets": "attn.q,attn.k,attn.proj,mlp.fc1,mlp.fc2"}),
           ("vpt", {"tokens": 3}), ("vpt", {"tokens": 2, "deep": False})]


def rate(o, step):
    """The learning rate of a step, by the formulas of torch and transformers."""
    kind, lr, total, warmup = o["schedule"], o["lr"], o.get("steps", 0), o.get("warmup", 0)
    if kind == "step":
        return lr * o["decay"] ** (step // o["decay_every"])
    if warmup and step < warmup:
        return lr * step / warmup
    share = (step - warmup) / (total - warmup) if total > warmup else 1
    if "cosine" in kind:
        return lr * (1 + math.cos(math.pi * share)) / 2
    return lr * (1 - share) if "linear" in kind else lr


def draw(rng):
    """Draws a run: a method, the options of its adapter, the options of the trainer."""
    method, adapter = METHODS[rng.integers(len(METHODS))]
    o = {"batch": 5, "lr": float(10 ** rng.uniform(-4, -2.5)), "accumulate": int(rng.choice([1, 1, 1, 3])),
         "optimizer": str(rng.choice(["adamw", "adamw", "sgd"])), "weight_decay": float(rng.choice([0, 0.05])),
         "schedule": str(rng.choice(["constant", "cosine", "warmup_cosine", "linear", "warmup_linear", "step"])),
         "loss": str(rng.choice(["ce", "focal", "soft_ce", "bce", "bce_sum"])), "decay_on": str(rng.choice(["all", "matrices"]))}
    if o["schedule"] == "step":
        o.update(decay_every=7, decay=0.5)
    elif o["schedule"] != "constant":
        o["steps"] = STEPS
        if "warmup" in o["schedule"]:
            o["warmup"] = 5
    if o["optimizer"] == "adamw":
        o.update(beta1=float(rng.choice([0.9, 0.8])), beta2=float(rng.choice([0.999, 0.95])), eps=1e-6)
    else:
        o.update(momentum=float(rng.choice([0, 0.9])))
        o["nesterov"] = bool(o["momentum"] and rng.random() < 0.5)
    if rng.random() < 0.4:
        o["clip_norm"] = float(rng.choice([0.1, 1.0]))
    if "ce" == o["loss"][-2:] and o["loss"] != "bce" and rng.random() < 0.5:
        o["label_smoothing"] = 0.1
    if rng.random() < 0.5:
        o["class_weights"] = "1,0.5,2,1.5"
    if o["loss"] == "focal":
        o.update(focal_gamma=float(rng.choice([0.5, 2])), focal_eps=float(rng.choice([0, 1e-6])))
    if o["loss"].startswith("bce") and rng.random() < 0.5:
        o["pos_weight"] = "2,1,0.5,3"
    return method, adapter, o


def labels_for(o, rng, n):
    if o["loss"] in ("ce", "focal"):
        return rng.integers(0, CLASSES, n)
    if o["loss"] == "soft_ce":
        return rng.dirichlet(np.ones(CLASSES), n).astype(np.float32)
    y = (rng.random((n, CLASSES)) < 0.4).astype(np.float32)
    y[rng.random((n, CLASSES)) < 0.15] = -1                   # no label
    y[0, 0] = 1
    return y


def loss_of(o, logits, y):
    dtype = logits.dtype
    weight = torch.tensor(eval(f"[{o['class_weights']}]"), dtype=dtype) if "class_weights" in o else None
    if o["loss"] == "ce":
        return F.cross_entropy(logits, y, weight, label_smoothing=o.get("label_smoothing", 0))
    if o["loss"] == "focal":
        p = torch.softmax(logits, 1).gather(1, y[:, None])[:, 0] + o["focal_eps"]
        w = torch.ones_like(p) if weight is None else weight[y]
        return (w * (1 - p).clamp(min=0) ** o["focal_gamma"] * -p.log()).sum() / w.sum()
    if o["loss"] == "soft_ce":
        return F.cross_entropy(logits, y.to(dtype), weight, label_smoothing=o.get("label_smoothing", 0))
    pos = torch.tensor(eval(f"[{o['pos_weight']}]"), dtype=dtype) if "pos_weight" in o else None
    labelled = y >= 0
    each = F.binary_cross_entropy_with_logits(logits, y.clamp(min=0).to(dtype), weight, pos_weight=pos, reduction="none")
    each = each * labelled
    return each.sum() / labelled.sum() if o["loss"] == "bce" else each.sum() / labelled.any(1).sum()


def train_torch(dtype, weights, start, o, adapter, batches):
    p = {k: v.to(dtype) for k, v in weights.items()}
    trained = {k: torch.tensor(v, dtype=dtype, requires_grad=True) for k, v in start.items()}
    p.update(trained)
    no_decay = [v for v in trained.values() if o["decay_on"] == "matrices" and v.ndim < 2]
    groups = [{"params": [v for v in trained.values() if not any(v is x for x in no_decay)],
               "weight_decay": o["weight_decay"]}, {"params": no_decay, "weight_decay": 0.0}]
    groups = [g for g in groups if g["params"]]
    if o["optimizer"] == "adamw":
        optimizer = torch.optim.AdamW(groups, lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])
    else:
        optimizer = torch.optim.SGD(groups, lr=o["lr"], momentum=o["momentum"], nesterov=o["nesterov"])
    scale = adapter.get("alpha", 1) / adapter.get("r", 1)
    last = None
    for step in range(STEPS):
        for g in optimizer.param_groups:
            g["lr"] = rate(o, step)
        optimizer.zero_grad()
        total = 0
        for images, y in batches[step]:
            logits = vit.forward(p, torch.tensor(images, dtype=dtype), patch=SHAPE["patch"], depth=SHAPE["depth"],
                                 heads=SHAPE["heads"], eps=1e-6, scale=scale)
            part = loss_of(o, logits, torch.tensor(y)) / o["accumulate"]
            part.backward()
            total += part.item()
        for v in trained.values():
            if v.grad is None:
                v.grad = torch.zeros_like(v)
        if "clip_norm" in o:
            torch.nn.utils.clip_grad_norm_(list(trained.values()), o["clip_norm"])
        optimizer.step()
        last = total
    return {k: v.detach().double().numpy() for k, v in trained.items()}, last


def error(got, want, start):
    """The largest difference of a parameter, divided by the largest change of a parameter in training."""
    moved = max(np.abs(want[k] - start[k]).max() for k in want)
    return max(np.abs(got[k] - want[k]).max() for k in want) / max(moved, 1e-12)


def run(seed, folder, tally):
    rng = np.random.default_rng(seed)
    method, adapter, o = draw(rng)
    context = peft.Context(seed)
    path = os.path.join(folder, f"{seed}.safetensors")
    peft.Backbone(context, classes=CLASSES, seed=seed, **SHAPE).save(path)
    backbone = peft.Backbone(context, path)
    weights = load_file(path)
    if method == "lora" and "alpha" not in adapter:
        adapter = dict(adapter, alpha=4)
    model = peft.Model(backbone, method, adapter, classes=CLASSES)
    parameters = model.parameters()
    for name, value in parameters.items():                    # LoRA's B and the head start at 0, which gives A no gradient
        if not value.any():
            value[...] = rng.normal(size=value.shape, scale=0.02).astype(np.float32)
    start = {k: v.copy() for k, v in parameters.items()}
    side = SHAPE["image_size"]
    batches = [[(rng.normal(size=(5, 3, side, side)).astype(np.float32), labels_for(o, rng, 5))
                for _ in range(o["accumulate"])] for _ in range(STEPS)]
    trainer = peft.Trainer(model, **o)
    for step in batches:
        for images, y in step:
            trainer.step(images, y)
    ours = {k: v.astype(np.float64) for k, v in parameters.items()}
    exact, loss = train_torch(torch.float64, weights, start, o, adapter, batches)
    single, _ = train_torch(torch.float32, weights, start, o, adapter, batches)
    our_error, float32_error = error(ours, exact, start), error(single, exact, start)
    what = f"run {seed}: {method} {adapter} {o}"
    tally.check(our_error <= 4 * float32_error + 2e-5,
                f"{what}: error {our_error:.2e}, of torch in float32 {float32_error:.2e}")
    got = trainer.get("loss")
    tally.check(abs(got - loss) <= 1e-4 * max(1, abs(loss)), f"{what}: loss {got!r}, torch {loss!r}")
    return our_error, float32_error


def main():
    torch.set_num_threads(1)
    tally, errors = peft.Tally("training"), []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(RUNS):
            errors.append(run(seed, folder, tally))
    our_error, float32_error = np.array(errors).T
    print(f"error of the trained parameters over their change: median {np.median(our_error):.1e}, "
          f"largest {our_error.max():.1e}; "
          f"torch in float32: {np.median(float32_error):.1e}, {float32_error.max():.1e}")
    return tally.close()


sys.exit(main())
