# SPDX-License-Identifier: Apache-2.0
"""How far other ways to round would move the logits of DeiT-Ti: an emulation of int8 arithmetic (src/kernels/ref/int8.h)
and of variants of it in f32. Prints the relative distance of all logits from a forward pass without rounding, in per
cent, for each set of pictures and their mean: the three pictures of test_deit, crops of scikit-learn's two photographs,
CIFAR-10, chest X-rays, and breast ultrasound. docs/internals.md has the results.

rounding.py [NAME..]        names of rows, as printed; without: all, about 5 minutes on two idle cores
PEFT_SHARED: the folder of shared data. Run it by the Python of tests/interop/setup.sh's environment."""
import glob
import io
import os
import random
import sys
import zipfile

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_sample_images

DATA = os.path.join(os.environ["PEFT_SHARED"], "data")
BLOCKS, KINDS = 12, ("qkv", "proj", "fc1", "fc2")
torch.set_grad_enabled(False)
STATE = {k: v.float() for k, v in load_file(f"{DATA}/vit/deit_tiny_patch16_224.safetensors").items()}
H = torch.ones(1, 1)
while len(H) < 64:
    H = torch.cat([torch.cat([H, H], 1), torch.cat([H, -H], 1)])
H = H / 8


def picture(image):
    image = image.convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(s * scale) for s in image.size], Image.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    x = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32) / 255
    return ((x - np.float32([.485, .456, .406])) / np.float32([.229, .224, .225])).transpose(2, 0, 1)


def pictures():
    """The sets of pictures, and others for calibration."""
    rng = random.Random(1)
    golden = np.load(f"{DATA}/vit/deit_tiny_golden.npz")["inputs_hwc"].transpose(0, 3, 1, 2)
    photos = []
    for image in map(Image.fromarray, load_sample_images().images):
        w, h = image.size
        boxes = [(0, 0, w, h), (0, 0, w // 2, h // 2), (w // 2, h // 2, w, h), (w // 2, 0, w, h // 2)]
        photos += [picture(image.crop(b)) for b in boxes]
    archive = zipfile.ZipFile(f"{DATA}/cifar10/cifar10_jpeg.zip")
    names = sorted(n for n in archive.namelist() if n.startswith("test/") and n.endswith(".jpg"))
    cifar = [picture(Image.open(io.BytesIO(archive.read(n)))) for n in rng.sample(names, 16)]
    files = {"xray": f"{DATA}/chest_xray/test/*/*", "ultrasound": f"{DATA}/busi/*/*.png"}
    sets = {"golden": golden, "photos": photos, "cifar": cifar[:8]}
    for name, pattern in files.items():
        sets[name] = [picture(Image.open(f)) for f in rng.sample(sorted(glob.glob(pattern)), 6)]
    as_tensor = lambda x: torch.from_numpy(np.stack(list(x)).astype(np.float32))
    return {k: as_tensor(v) for k, v in sets.items()}, as_tensor(cifar[8:])


def weight(b, kind, what="weight"):
    return STATE[f"blocks.{b}.{'attn' if kind in ('qkv', 'proj') else 'mlp'}.{kind}.{what}"]


def rotate(x):
    return (x.reshape(*x.shape[:-1], -1, 64) @ H).reshape(x.shape)


def rounded(x, group=0):
    """x as whole numbers of -127 .. 127 times a scale for each `group` columns of a row (0: all)."""
    y = x.reshape(*x.shape[:-1], -1, group or x.shape[-1])
    scale = y.abs().amax(-1, keepdim=True).clamp_min(1e-30) / 127
    return (torch.round(y / scale) * scale).reshape(x.shape)


def bf16(x):
    return x.bfloat16().float()


def norm(x, name):
    return F.layer_norm(x, x.shape[-1:], STATE[name + ".weight"], STATE[name + ".bias"], 1e-6)


def forward(images, product, narrow=True):
    """product(block, kind, x): a linear layer without bias. narrow: attention in bf16."""
    n, to = len(images), bf16 if narrow else lambda x: x
    x = F.conv2d(images, STATE["patch_embed.proj.weight"], STATE["patch_embed.proj.bias"], stride=16)
    x = torch.cat([STATE["cls_token"].expand(n, -1, -1), x.flatten(2).transpose(1, 2)], 1) + STATE["pos_embed"]
    layer = lambda b, kind, x: product(b, kind, x) + weight(b, kind, "bias")
    for b in range(BLOCKS):
        qkv = layer(b, "qkv", norm(x, f"blocks.{b}.norm1"))
        q, k, v = qkv.reshape(n, -1, 3, 3, 64).permute(2, 0, 3, 1, 4)
        scores = to(q) @ to(k).transpose(-1, -2) / 8
        e = torch.exp(scores - scores.amax(-1, keepdim=True))
        o = to(e) @ to(v) / e.sum(-1, keepdim=True)
        x = x + layer(b, "proj", o.transpose(1, 2).reshape(n, -1, 192))
        x = x + layer(b, "fc2", F.gelu(layer(b, "fc1", norm(x, f"blocks.{b}.norm2"))))
    return F.linear(norm(x, "norm")[:, 0], STATE["head.weight"], STATE["head.bias"])


def exact(b, kind, x):
    return x @ weight(b, kind).T


def variant(int8=lambda b, kind: True, w=rounded, x=rounded, class_token=False):
    """A product with weights w(..) and activations x(..) where int8(block, kind), else in bf16. class_token: the first
    token in bf16 everywhere."""
    stored = {(b, k): w(rotate(weight(b, k))) for b in range(BLOCKS) for k in KINDS}

    def product(b, kind, a):
        if not int8(b, kind):
            return bf16(a) @ bf16(weight(b, kind)).T
        y = x(rotate(a)) @ stored[b, kind].T
        if class_token:
            y[:, 0] = bf16(a[:, 0]) @ bf16(weight(b, kind)).T
        return y
    return product


def fed_back(w, second):
    """Rounds w, column by column, and adds each column's error to the later ones so that the outputs change least for
    inputs with these second moments (GPTQ, Frantar et al. 2023)."""
    second = second.double() + .01 * second.diagonal().mean() * torch.eye(len(second), dtype=torch.double)
    order = torch.argsort(second.diagonal(), descending=True)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(second[order][:, order]))
    upper, w = torch.linalg.cholesky(inverse, upper=True), w.double()[:, order]
    scale, q = w.abs().amax(1) / 127, torch.empty_like(w)
    for j in range(w.shape[1]):
        q[:, j] = torch.round(w[:, j] / scale).clamp(-127, 127) * scale
        w[:, j + 1:] -= ((w[:, j] - q[:, j]) / upper[j, j])[:, None] * upper[j, j + 1:]
    return q[:, torch.argsort(order)].float()


def calibrated(images):
    """variant with weights that are rounded for these images."""
    second = {}

    def product(b, kind, x):
        rows = rotate(x).reshape(-1, x.shape[-1])
        second[b, kind] = rows.T @ rows / len(rows)
        return exact(b, kind, x)
    forward(images, product, False)
    stored = {key: fed_back(rotate(weight(*key)), h) for key, h in second.items()}
    return lambda b, kind, x: rounded(rotate(x)) @ stored[b, kind].T


def main():
    sets, calibration = pictures()
    groups = lambda n: lambda x: rounded(x, n)
    same = lambda x: x
    most = lambda b, kind: b > 0 and kind != "proj"
    rows = {
        "int8": lambda: variant(),
        "weights alone": lambda: variant(x=same),
        "activations alone": lambda: variant(w=same),
        "bf16": lambda: variant(lambda b, kind: False),
        "groups of 64": lambda: variant(w=groups(64), x=groups(64)),
        "groups of 32": lambda: variant(w=groups(32), x=groups(32)),
        "block 0 in bf16": lambda: variant(lambda b, kind: b > 0),
        "proj in bf16": lambda: variant(lambda b, kind: kind != "proj"),
        "block 0 and proj in bf16": lambda: variant(most),
        "block 0 and proj in bf16, groups of 64": lambda: variant(most, groups(64), groups(64)),
        **{f"{kind} alone in int8": lambda kind=kind: variant(lambda b, k: k == kind) for kind in KINDS},
        "qkv and fc1 alone in int8": lambda: variant(lambda b, k: k in ("qkv", "fc1")),
        "class token in bf16": lambda: variant(class_token=True),
        "block 0, proj, class token in bf16": lambda: variant(most, class_token=True),
        "error feedback": lambda: calibrated(calibration),
    }
    unknown = [n for n in sys.argv[1:] if n not in rows]
    if unknown:
        sys.exit(f"rounding.py: given '{unknown[0]}'; expected names of rows: {', '.join(rows)}")
    want = {k: forward(v, exact, False) for k, v in sets.items()}
    for name in sys.argv[1:] or rows:
        product = rows[name]()
        far = [100 * float((forward(v, product) - want[k]).norm() / want[k].norm()) for k, v in sets.items()]
        print(f"{name:40}", *(f"{k} {x:.2f} " for k, x in zip(sets, far)), f"mean {np.mean(far):.2f}", flush=True)


if __name__ == "__main__":
    main()
