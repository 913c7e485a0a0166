# SPDX-License-Identifier: Apache-2.0
"""A Vision Transformer of timm's shape in torch, with the methods of `bench`'s rows: linear probing, EPT in its
concatenation form, deep VPT, LoRA of q and v, full fine-tuning. Written for speed in torch, to be compared with."""
import torch
import torch.nn.functional as F
from torch import nn

# Width, heads, MLP width and depth of the networks of bench.c.
NETWORKS = {"vit_tiny": (192, 3, 768, 12), "vit_small": (384, 6, 1536, 12), "vit_base": (768, 12, 3072, 12),
            "vit_large": (1024, 16, 4096, 24)}
PATCH, CLASSES = 16, 2
EPT_LENGTH, VPT_TOKENS, LORA_RANK, LORA_ALPHA = 100, 10, 8, 8        # the defaults of libpeft, as bench has them


class Attention(nn.Module):
    """Attention by one product for q, k and v. fused: scaled_dot_product_attention in place of products and softmax.
    EPT: `length` logits before the scores of each row, removed after the softmax. LoRA: q and v have updates."""

    def __init__(self, width, heads, tokens, method, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.prompts = self.lora_a = None
        if method == "ept":
            self.prompts = nn.Parameter(0.02 * torch.randn(tokens, EPT_LENGTH))
        if method == "lora":
            self.lora_a = nn.ParameterList([nn.Parameter(torch.randn(LORA_RANK, width) * width ** -0.5) for _ in "qv"])
            self.lora_b = nn.ParameterList([nn.Parameter(torch.zeros(width, LORA_RANK)) for _ in "qv"])

    def attend(self, q, k, v):
        if self.fused and self.prompts is None:
            return F.scaled_dot_product_attention(q, k, v)
        n, length = k.shape[2], EPT_LENGTH
        if self.fused:                  # the logits are those of `length` more keys, whose values are zero
            bias = F.pad(self.prompts, (0, n)).to(q.dtype)
            return F.scaled_dot_product_attention(q, F.pad(k, (0, 0, length, 0)), F.pad(v, (0, 0, length, 0)), bias)
        scores = q @ k.transpose(2, 3) * q.shape[3] ** -0.5
        if self.prompts is None:
            return scores.softmax(3) @ v
        prompts = self.prompts.to(scores.dtype).expand(*scores.shape[:2], -1, -1)
        return torch.cat([prompts, scores], 3).softmax(3)[..., length:] @ v

    def forward(self, x):
        b, t, d = x.shape
        qkv = self.qkv(x)
        if self.lora_a is not None:
            q, k, v = qkv.split(d, 2)
            scale = LORA_ALPHA / LORA_RANK
            q, v = (y + scale * F.linear(F.linear(x, down), up)
                    for y, down, up in zip((q, v), self.lora_a, self.lora_b))
            q, k, v = (y.reshape(b, t, self.heads, d // self.heads).transpose(1, 2) for y in (q, k, v))
        else:
            q, k, v = qkv.reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(self.attend(q, k, v).transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, width, heads, mlp, tokens, method, fused):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attn = Attention(width, heads, tokens, method, fused)
        self.fc1, self.fc2 = nn.Linear(width, mlp), nn.Linear(mlp, width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    """method: linear, ept, vpt, lora or full, which says what is trained besides the head."""

    def __init__(self, network, image, method, fused):
        super().__init__()
        width, heads, mlp, depth = NETWORKS[network]
        tokens = 1 + (image // PATCH) ** 2
        self.patch = nn.Conv2d(3, width, PATCH, PATCH)
        self.cls = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pos = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        self.blocks = nn.ModuleList([Block(width, heads, mlp, tokens, method, fused) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, CLASSES)
        self.prompts = None
        for name, p in self.named_parameters():
            new = "prompts" in name or "lora" in name
            p.requires_grad_(method == "full" or name.startswith("head") or new)
        if method == "vpt":
            bound = (6 / (3 * PATCH ** 2 + width)) ** 0.5
            self.prompts = nn.Parameter(torch.empty(depth, VPT_TOKENS, width).uniform_(-bound, bound))

    def forward(self, images):
        x = self.patch(images).flatten(2).transpose(1, 2)
        n = x.shape[0]
        x = torch.cat([self.cls.expand(n, -1, -1), x], 1) + self.pos
        for i, block in enumerate(self.blocks):
            if self.prompts is not None:
                rest = x[:, 1:] if i == 0 else x[:, 1 + VPT_TOKENS:]
                x = torch.cat([x[:, :1], self.prompts[i].to(x.dtype).expand(n, -1, -1), rest], 1)
            x = block(x)
        return self.head(self.norm(x)[:, 0])


def make(network, image, row, fused):
    """The model of a row of bench, with the same random values each time. infer: without anything that is trained."""
    torch.manual_seed(1)
    model = ViT(network, image, "linear" if row == "infer" else row, fused)
    return model.requires_grad_(False).eval() if row == "infer" else model


def batch_of(batch, image):
    """Images and labels."""
    g = torch.Generator().manual_seed(2)
    return torch.rand(batch, 3, image, image, generator=g) * 2 - 1, torch.arange(batch) % CLASSES
