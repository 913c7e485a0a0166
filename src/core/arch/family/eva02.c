/* SPDX-License-Identifier: Apache-2.0
 * eva02.c -- EVA-02 in the files of its own code (BAAI), also EVA-X. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row block[] = {
    { "attn.inner_attn_ln.@", "attn.norm.@", 0, 0 }, { "mlp.ffn_ln.@", "mlp.norm.@", 0, 0 },
    { "mlp.w1.@", "mlp.fc1.@", 1, PF_ONLY_READ }, { "mlp.w2.@", "mlp.fc1.@", 2, PF_ONLY_READ },
    { "mlp.w3.@", "mlp.fc2.@", 0, 0 },
    { "attn.rope.freqs_cos", NULL, 0, 0 }, { "attn.rope.freqs_sin", NULL, 0, 0 }, { 0 } };

static const char *const ignored[] = { "rope.freqs_cos", "rope.freqs_sin", "lm_head.*", NULL };

const pf_family pf_family_eva02 = {
    .name = "EVA-02", .naming = { &pf_naming_timm, &pf_naming_timm_unfused }, .has_tensor = { "*rope.freqs_cos" },
    .block = block, .ignored = ignored, .eps = 1e-6, .act = PK_GELU, .rule = "timm",
    .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_BY_NORM };
