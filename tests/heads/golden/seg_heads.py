#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes seg_heads.safetensors, the expected values of tests/heads/test_seg_golden.c: heads that predict a class for each
pixel, on a small Vision Transformer with prompts (VPT-deep), computed in float64 with PyTorch.

    python3 seg_heads.py [seg_heads.safetensors]     (torch, numpy, safetensors: tests/interop/setup.sh installs them)

It shares no code with the library. Decoders are built as published: the classifier comes after the last enlargement by
two (setr_pup) or four (seg_mla), where the library computes it before. Weights, images and labels are numbers that both
sides compute from the name of a tensor (`number` below), so that the file holds expected values alone. For each case:
    CASE.logits       every 23rd logit of the training pass, in the order [sample, row, column, class]
    CASE.eval         the same of inference after that pass, with the running statistics that it has updated
    CASE.loss         mean cross entropy over all pixels of the training pass
    CASE.grad.NAME    its gradient by a parameter of the head or the prompts
    CASE.buffer.NAME  running statistics after the pass
"""
import sys

import numpy
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

WIDTH, DEPTH, HEADS, MLP, CLASSES, SAMPLES, PROMPTS, STEP = 12, 5, 2, 16, 3, 2, 2, 23
# name of a case: head, side of the image or (height, width), patch, head_width, blocks
CASES = {
    "linear": ("seg_linear", 32, 16, None, None),
    "linear14": ("seg_linear", 42, 14, None, None),
    "naive": ("setr_naive", 32, 16, 6, None),
    "pup": ("setr_pup", 32, 16, 4, None),
    "pup14": ("setr_pup", 28, 14, 4, None),
    "mla": ("seg_mla", 32, 16, 4, [0, 1, 2, 4]),
    "mla2": ("seg_mla", 32, 8, 6, [1, 3]),
    "wide": ("setr_pup", (32, 48), 16, 4, None),
    "high": ("seg_mla", (48, 16), 8, 4, [1, 4]),
}
MASK = (1 << 64) - 1


def uniform(name, count):
    """Numbers in -1..1: integers hashed from the name and the index, as tiny_random of tests/support/tiny.h."""
    stream = 5381
    for c in name.encode():
        stream = (stream * 33 + c) & MASK
    i = numpy.arange(count, dtype=numpy.uint64)
    with numpy.errstate(over="ignore"):
        x = numpy.uint64((stream + 1) * 0xBF58476D1CE4E5B9 & MASK) ^ (i + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
        x = (x ^ x >> numpy.uint64(31)) * numpy.uint64(0x94D049BB133111EB)
        x = (x ^ x >> numpy.uint64(29)) * numpy.uint64(0xBF58476D1CE4E5B9)
    return ((x ^ x >> numpy.uint64(32)) >> numpy.uint64(11)).astype(numpy.float64) / 2.0**52 - 1


def number(name, *shape):
    """The tensor `name`: 0.3 uniform numbers, around 1 for scales of norms and running variances; float32 numbers."""
    scale = name.endswith("running_var") or (name.endswith(".weight") and len(shape) == 1)
    x = (1.0 if scale else 0.0) + 0.3 * uniform(name, int(numpy.prod(shape)))
    return torch.tensor(x.astype(numpy.float32).astype(numpy.float64)).reshape(shape)


class Network:
    """The forward pass. Tensors are made when their names are first asked for."""

    def __init__(self, case):
        self.head, image, self.patch, self.hidden, self.blocks = case
        self.image = image if isinstance(image, tuple) else (image, image)
        self.grid = tuple(side // self.patch for side in self.image)
        self.trained, self.buffers = {}, {}

    def parameter(self, name, *shape):
        if name not in self.trained:
            self.trained[name] = number(name, *shape).requires_grad_()
        return self.trained[name]

    def layer_norm(self, x, name, trained=False):
        make = self.parameter if trained else number
        return F.layer_norm(x, (WIDTH,), make(name + ".weight", WIDTH), make(name + ".bias", WIDTH), 1e-6)

    def linear(self, x, name, n):
        return F.linear(x, number(name + ".weight", n, x.shape[-1]), number(name + ".bias", n))

    def block(self, x, i):
        p = f"blocks.{i}."
        prompts = (self.parameter("prompt_embeddings", 1, PROMPTS, WIDTH)[0] if i == 0
                   else self.parameter("deep_prompt_embeddings", DEPTH - 1, PROMPTS, WIDTH)[i - 1])
        rest = x[:, 1:] if i == 0 else x[:, 1 + PROMPTS:]
        x = torch.cat([x[:, :1], prompts.expand(SAMPLES, -1, -1), rest], 1)
        q, k, v = self.linear(self.layer_norm(x, p + "norm1"), p + "attn.qkv", 3 * WIDTH).reshape(
            SAMPLES, -1, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        y = F.softmax(q @ k.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5, -1) @ v
        x = x + self.linear(y.transpose(1, 2).reshape(x.shape), p + "attn.proj", WIDTH)
        y = F.gelu(self.linear(self.layer_norm(x, p + "norm2"), p + "mlp.fc1", MLP))
        return x + self.linear(y, p + "mlp.fc2", WIDTH)

    def as_map(self, tokens):
        """The last tokens, those of patches, as [samples, channels, rows, columns]."""
        x = tokens[:, -self.grid[0] * self.grid[1]:]
        return x.transpose(1, 2).reshape(SAMPLES, -1, *self.grid)

    def conv(self, x, name, out, k, training):
        shape = (out, x.shape[1]) if k == 1 else (out, x.shape[1], k, k)
        x = F.conv2d(x, self.parameter(name + ".weight", *shape).reshape(out, -1, k, k), padding=k // 2)
        for kind in "running_mean", "running_var":
            self.buffers.setdefault(f"{name}.bn.{kind}", number(f"{name}.bn.{kind}", out))
        return F.relu(F.batch_norm(x, self.buffers[name + ".bn.running_mean"], self.buffers[name + ".bn.running_var"],
                                   self.parameter(name + ".bn.weight", out), self.parameter(name + ".bn.bias", out),
                                   training, 0.1, 1e-5))

    def classify(self, x, name):
        w = self.parameter(name + ".weight", CLASSES, x.shape[1])
        return F.conv2d(x, w[:, :, None, None], self.parameter(name + ".bias", CLASSES))

    @staticmethod
    def enlarge(x, **how):
        return F.interpolate(x, mode="bilinear", align_corners=False, **how)

    def decode(self, levels, last, training):
        size = {"size": self.image}
        if self.head == "seg_linear":
            return self.enlarge(self.classify(self.as_map(last), "head"), **size)
        if self.head == "setr_naive":
            x = self.conv(self.as_map(last), "head.hidden", self.hidden, 1, training)
            return self.enlarge(self.classify(x, "head.classifier"), **size)
        if self.head == "setr_pup":
            x = self.as_map(last)
            for i in range(4):
                x = self.conv(x, f"head.up.{i}", self.hidden, 3, training)
                x = self.enlarge(x, **(size if i == 3 else {"scale_factor": 2}))
            return self.classify(x, "head.classifier")
        total, maps = 0, []
        for i in reversed(range(len(self.blocks))):
            p = f"head.level.{i}."
            x = self.as_map(self.layer_norm(levels[self.blocks[i]], p + "norm", True))
            total = total + self.conv(x, p + "proj", self.hidden, 1, training)
            x = self.conv(total, p + "merge", self.hidden, 3, training)
            x = self.conv(x, p + "conv.0", self.hidden // 2, 3, training)
            maps.insert(0, self.enlarge(self.conv(x, p + "conv.1", self.hidden // 2, 3, training), scale_factor=4))
        return self.enlarge(self.classify(torch.cat(maps, 1), "head.classifier"), **size)

    def forward(self, images, training):
        x = F.conv2d(images, number("patch_embed.proj.weight", WIDTH, 3, self.patch, self.patch),
                     number("patch_embed.proj.bias", WIDTH), stride=self.patch).flatten(2).transpose(1, 2)
        x = torch.cat([number("cls_token", 1, 1, WIDTH).expand(SAMPLES, -1, -1), x], 1)
        x = x + number("pos_embed", 1, 1 + self.grid[0] * self.grid[1], WIDTH)
        levels = []
        for i in range(DEPTH):
            x = self.block(x, i)
            levels.append(x)
        return self.decode(levels, self.layer_norm(x, "norm"), training)


def expected(name, case):
    net = Network(case)
    images = number("images", SAMPLES, 3, *net.image)
    labels = ((uniform("labels", SAMPLES * net.image[0] * net.image[1]) + 1) / 2 * CLASSES).astype(numpy.int64)
    logits = net.forward(images, True)
    loss = F.cross_entropy(logits, torch.tensor(labels).reshape(SAMPLES, *net.image))
    loss.backward()
    with torch.no_grad():
        inferred = net.forward(images, False)
    out = {"loss": loss.reshape(1)}
    for key, x in ("logits", logits), ("eval", inferred):
        out[key] = x.permute(0, 2, 3, 1).flatten()[::STEP]
    out.update({"grad." + k: v.grad if v.grad is not None else torch.zeros_like(v) for k, v in net.trained.items()})
    out.update({"buffer." + k: v for k, v in net.buffers.items()})
    return {f"{name}.{k}": v.detach().numpy().copy() for k, v in out.items()}


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    tensors = {}
    for name, case in CASES.items():
        tensors.update(expected(name, case))
    save_file(tensors, sys.argv[1] if len(sys.argv) > 1 else "seg_heads.safetensors")
