#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes image_sides.safetensors, the expected values of tests/model/test_image_sides.c: positions of images that are
not square, computed in float64 with PyTorch and timm.

    python3 image_sides.py [image_sides.safetensors]     (torch, timm, safetensors; tests/interop/setup.sh)

    pos              a position embedding [1, 1 + 16, 8] of a grid of 4 x 4 patches and a class token
    pos.RULE.HxW     the same on H x W patches, by interpolate; timm: as resample_abs_pos_embed, which rounds to float32
    freqs            trained frequencies [2, 1, 2, 4] of rotary positions of one block with two heads
    rope.KIND.HxW    sines and then cosines [patches, 2 x 8] of the rotary positions of a head of 8 elements; of
                     kind mixed [2 heads, patches, 16]
"""
import sys

import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from timm.layers.pos_embed_sincos import RotaryEmbeddingCat, RotaryEmbeddingDinoV3, get_mixed_freqs, get_mixed_grid
from torch.nn import functional as F

GRIDS, HEAD = [(3, 6), (6, 2)], 8


def resampled(rule, pos, h, w):
    grid = pos[:, 1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    how = {"timm": dict(mode="bicubic", size=(h, w), antialias=True),
           "hf": dict(mode="bicubic", scale_factor=((h + 0.1) / 4, (w + 0.1) / 4)),
           "mmcls": dict(mode="bicubic", size=(h, w)),
           "torchvision": dict(mode="bicubic", size=(h, w), align_corners=True),
           "bilinear": dict(mode="bilinear", size=(h, w))}[rule]
    grid = F.interpolate(grid, **how)
    out = torch.cat([pos[:, :1], grid.permute(0, 2, 3, 1).reshape(1, h * w, -1)], 1)
    if rule == "timm":                     # timm computes in float32
        torch.testing.assert_close(out, resample_abs_pos_embed(pos, (h, w), num_prefix_tokens=1), rtol=1e-5, atol=1e-5)
    return out


def rotary(kind, h, w, freqs):
    if kind == "axial":
        return RotaryEmbeddingCat(HEAD, temperature=100, in_pixels=False, feat_shape=[h, w],
                                  ref_feat_shape=[4, 4]).get_embed()
    if kind == "axial_xy":
        return RotaryEmbeddingCat(HEAD, temperature=50, in_pixels=False, feat_shape=[h, w],
                                  grid_indexing="xy").get_embed()
    if kind == "dinov3":
        return RotaryEmbeddingDinoV3(HEAD, temperature=100, feat_shape=[h, w]).get_embed()
    x, y = get_mixed_grid([h, w], grid_indexing="xy" if kind == "mixed_xy" else "ij")
    return get_mixed_freqs(freqs[:, 0], x, y)


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(1)
    pos, freqs = torch.randn(1, 17, HEAD).float().double(), torch.randn(2, 1, 2, HEAD // 2).float().double()
    out = {"pos": pos, "freqs": freqs}
    for h, w in GRIDS:
        for rule in "timm", "hf", "mmcls", "torchvision", "bilinear":
            out[f"pos.{rule}.{h}x{w}"] = resampled(rule, pos, h, w)
        for kind in "axial", "axial_xy", "dinov3", "mixed", "mixed_xy":
            out[f"rope.{kind}.{h}x{w}"] = rotary(kind, h, w, freqs).double()
    path = sys.argv[1] if len(sys.argv) > 1 else "image_sides.safetensors"
    save_file({k: v.contiguous() for k, v in out.items()}, path)
