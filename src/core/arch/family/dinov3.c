/* SPDX-License-Identifier: Apache-2.0
 * dinov3.c -- DINOv3 in the files of Facebook's own code. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2: the halves of fc1; 0: the whole tensor);
 * properties of the networks that are saved under this name (0: all networks). bias_mask is 0 where qkv.bias counts as
 * 0, at k. */
static const pf_name_row top[] = { { "storage_tokens", "reg_token", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "attn.qkv.bias_mask", "attn.qkv.bias_mask", 0, 0 },
    { "mlp.w1.@", "mlp.fc1.@", 1, PF_ONLY_READ }, { "mlp.w2.@", "mlp.fc1.@", 2, PF_ONLY_READ }, { 0 } };

static const char *const ignored[] = { "rope_embed.periods", "local_cls_norm.*", NULL };

const pf_family pf_family_dinov3 = {
    .name = "DINOv3", .naming = { &pf_naming_timm }, .has_tensor = { "*storage_tokens" },
    .top = top, .block = block, .ignored = ignored, .eps = 1e-5, .act = PK_GELU, .rule = "timm",
    .pixels = &pf_imagenet, .rows = PF_ROWS_NONE, .without_positions = true, .pooling = PF_POOL_BY_NORM };
