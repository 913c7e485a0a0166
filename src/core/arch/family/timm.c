/* SPDX-License-Identifier: Apache-2.0
 * timm.c -- timm's names of tensors, which this library uses internally; the families of timm's plain ViTs and of its
 * CLIP image towers; and the facts that follow from the names of timm's architectures. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = {
    { "cls_token", "cls_token", 0, 0 }, { "pos_embed", "pos_embed", 0, 0 }, { "reg_token", "reg_token", 0, 0 },
    { "patch_embed.proj.@", "patch_embed.proj.@", 0, 0 }, { "norm_pre.@", "norm_pre.@", 0, 0 },
    { "norm.@", "norm.@", 0, 0 }, { "fc_norm.@", "fc_norm.@", 0, 0 }, { "head.@", "head.@", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "norm1.@", "norm1.@", 0, 0 }, { "norm2.@", "norm2.@", 0, 0 },
    { "attn.qkv.@", "attn.qkv.@", 0, 0 }, { "attn.proj.@", "attn.proj.@", 0, 0 },
    { "attn.q_norm.@", "attn.q_norm.@", 0, 0 }, { "attn.k_norm.@", "attn.k_norm.@", 0, 0 },
    { "attn.norm.@", "attn.norm.@", 0, 0 }, { "mlp.norm.@", "mlp.norm.@", 0, 0 },
    { "mlp.fc1.@", "mlp.fc1.@", 0, 0 }, { "mlp.fc2.@", "mlp.fc2.@", 0, 0 },
    { "mlp.fc1_g.@", "mlp.fc1.@", 1, 0 }, { "mlp.fc1_x.@", "mlp.fc1.@", 2, 0 },
    { "ls1.gamma", "ls1.gamma", 0, 0 }, { "ls2.gamma", "ls2.gamma", 0, 0 }, { 0 } };

/* DINOv2's own code may store its blocks in chunks, "blocks.CHUNK.NUMBER.". Its gated MLP (w12) has SiLU, whereas
 * timm's may have any activation. open_clip stores timm's networks under the prefix "trunk.". */
const pf_naming pf_naming_timm = {
    .name = "timm", .front = { { "blocks.#.", 0 }, { "blocks.#.#.", 0 } }, .top = top, .block = block,
    .silu_tensor = "*.mlp.w12.weight", .config_file = "open_clip_config.json", .config_file_prefix = "trunk.",
    .written = true };

/* Where no row states them, heads are width / 64 and eps is 1e-6. */
static const pf_arch_row architectures[] = {
    { .glob = "vit_*", .rule = "timm" }, { .glob = "deit*", .rule = "timm" }, { .glob = "eva_*", .rule = "timm" },
    { .glob = "test_vit", .rule = "timm", .heads = 2 }, { .glob = "flexivit_*", .rule = "bilinear" },
    { .glob = "vit_so400m_*", .heads = 16 }, { .glob = "vit_*_clip_*", .eps = 1e-5 },
    { .glob = "*_dinov2*", .silu = true }, { .glob = "*_tipsv2*", .silu = true },
    { .glob = "vit_*_rope_*", .refused = "rotary positions" }, { .glob = "vit_pe_*", .refused = "rotary positions" },
    { .glob = "eva02_*", .refused = "rotary positions" }, { .glob = "*_dinov3*", .refused = "rotary positions" },
    { .glob = "*_rpn_*", .refused = "norms after attention and MLP" }, { 0 } };

static const char *const classifiers[] = { "head.@", NULL };
static const char *const ignored[] = { "pre_logits.*", "head.proj.*", NULL };

const pf_family pf_family_timm = {
    .name = "timm", .naming = { &pf_naming_timm }, .classifiers = classifiers, .ignored = ignored,
    .eps = 1e-6, .act = PK_GELU, .rule = "timm", .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_BY_NORM,
    .without_class_token = true,
    .architectures = architectures };

const pf_family pf_family_timm_clip = {
    .name = "timm CLIP", .naming = { &pf_naming_timm }, .has_tensor = { "*norm_pre.weight" },
    .eps = 1e-5, .act = PK_GELU, .rule = "timm", .pixels = &pf_clip, .rows = PF_ROWS_NONE | PF_ROWS_ALL,
    .without_class_token = true, .pooling = PF_POOL_BY_NORM };
