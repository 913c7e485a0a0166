/* SPDX-License-Identifier: Apache-2.0
 * mmcls.c -- the ViT of mmcls and mmpretrain. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = {
    { "cls_token", "cls_token", 0, 0 }, { "pos_embed", "pos_embed", 0, 0 },
    { "patch_embed.projection.@", "patch_embed.proj.@", 0, 0 }, { "ln1.@", "norm.@", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "ln1.@", "norm1.@", 0, 0 }, { "ln2.@", "norm2.@", 0, 0 },
    { "attn.qkv.@", "attn.qkv.@", 0, 0 }, { "attn.proj.@", "attn.proj.@", 0, 0 },
    { "ffn.layers.0.0.@", "mlp.fc1.@", 0, 0 }, { "ffn.layers.1.@", "mlp.fc2.@", 0, 0 },
    { "attn.gamma1.weight", "ls1.gamma", 0, 0 }, { "ffn.gamma2.weight", "ls2.gamma", 0, 0 }, { 0 } };
static const pf_naming naming = {
    .name = "mmcls", .front = { { "layers.#.", 0 } }, .top = top, .block = block };

static const char *const classifiers[] = { "head.fc.@", "head.layers.head.@", NULL };

const pf_family pf_family_mmcls = {
    .name = "mmcls", .naming = { &naming }, .classifiers = classifiers, .eps = 1e-6, .act = PK_GELU, .rule = "mmcls",
    .rows = PF_ROWS_NONE, .pooling = PF_POOL_BY_NORM };
