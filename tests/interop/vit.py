# SPDX-License-Identifier: Apache-2.0
"""A Vision Transformer in torch as a function of a dictionary of tensors with timm's names, in any precision.
Parameters of adapters are in the dictionary too, under libpeft's names. And what comparisons of random models share."""
import numpy as np
import torch
import torch.nn.functional as F


def randomise(model, rng):
    """Sets every parameter to random values: with an initial 0 or 1 an error of libpeft could stay hidden."""
    g = torch.Generator().manual_seed(int(rng.integers(2 ** 31)))
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            scale = 0.2 if p.ndim < 2 or "embed" in name or "token" in name else 1.2 / np.sqrt(p.shape[-1] * 1.0)
            p.copy_(noise * scale + (1 if "norm" in name and name.endswith("weight") else 0))
    return model.eval()


def relative(got, want):
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-12))


def layer_norm(p, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], eps)


def linear(p, name, x, scale):
    y = F.linear(x, p[name + ".weight"], p.get(name + ".bias"))
    if name + ".lora_A.weight" in p:
        y = y + scale * F.linear(F.linear(x, p[name + ".lora_A.weight"]), p[name + ".lora_B.weight"])
    return y


def attention(p, name, x, heads, scale):
    b, t, d = x.shape
    weights, biases = p[name + ".qkv.weight"].chunk(3), p[name + ".qkv.bias"].chunk(3)
    parts = []
    for part, w, bias in zip("qkv", weights, biases):
        q = {f"{name}.{part}.weight": w, f"{name}.{part}.bias": bias}
        for key in ("lora_A", "lora_B"):
            if f"{name}.{part}.{key}.weight" in p:
                q[f"{name}.{part}.{key}.weight"] = p[f"{name}.{part}.{key}.weight"]
        parts.append(linear(q, f"{name}.{part}", x, scale).view(b, t, heads, d // heads).transpose(1, 2))
    y = F.scaled_dot_product_attention(*parts).transpose(1, 2).reshape(b, t, d)
    return linear(p, name + ".proj", y, scale)


def forward(p, images, *, patch, depth, heads, eps, mean_pool=False, scale=1.0):
    """Logits [n,classes] of images [n,3,S,S]. VPT: prompt tokens follow the class token; deep prompts replace those of
    the previous block."""
    x = F.conv2d(images, p["patch_embed.proj.weight"], p["patch_embed.proj.bias"], stride=patch).flatten(2).transpose(1, 2)
    n = len(images)
    x = torch.cat([p["cls_token"].reshape(1, 1, -1).expand(n, -1, -1), x], 1) + p["pos_embed"].reshape(1, -1, x.shape[2])
    prompts = p["prompt_embeddings"].shape[-2] if "prompt_embeddings" in p else 0
    for i in range(depth):
        if prompts and (i == 0 or "deep_prompt_embeddings" in p):
            new = p["prompt_embeddings"].reshape(-1, prompts, x.shape[2])[0] if i == 0 else p["deep_prompt_embeddings"][i - 1]
            rest = x[:, 1:] if i == 0 else x[:, 1 + prompts:]
            x = torch.cat([x[:, :1], new.expand(n, -1, -1), rest], 1)
        b = f"blocks.{i}"
        x = x + attention(p, b + ".attn", layer_norm(p, b + ".norm1", x, eps), heads, scale)
        y = F.gelu(linear(p, b + ".mlp.fc1", layer_norm(p, b + ".norm2", x, eps), scale))
        x = x + linear(p, b + ".mlp.fc2", y, scale)
    x = x[:, 1 + prompts:].mean(1) if mean_pool else x[:, 0]
    return F.linear(layer_norm(p, "fc_norm" if mean_pool else "norm", x, eps), p["head.weight"], p["head.bias"])
