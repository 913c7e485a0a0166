/* SPDX-License-Identifier: Apache-2.0
 * timm.c -- timm's names of tensors, which this library uses internally; the families of timm's plain ViTs and of its
 * CLIP image towers; and the facts that follow from the names of timm's architectures. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = {
    { "cls_token", "cls_token", 0, 0 }, { "pos_embed", "pos_embed", 0, 0 }, { "reg_token", "reg_token", 0, PF_NO_PAIR },
    { "rope.freqs", "rope.freqs", 0, 0 },
    { "patch_embed.proj.@", "patch_embed.proj.@", 0, 0 }, { "norm_pre.@", "norm_pre.@", 0, 0 },
    { "norm.@", "norm.@", 0, 0 }, { "fc_norm.@", "fc_norm.@", 0, 0 }, { "head.@", "head.@", 0, 0 },
    { "attn_pool.latent", "attn_pool.latent", 0, 0 }, { "attn_pool.q.@", "attn_pool.q.@", 0, 0 },
    { "attn_pool.kv.@", "attn_pool.kv.@", 0, 0 }, { "attn_pool.proj.@", "attn_pool.proj.@", 0, 0 },
    { "attn_pool.norm.@", "attn_pool.norm.@", 0, 0 }, { "attn_pool.mlp.fc1.@", "attn_pool.mlp.fc1.@", 0, 0 },
    { "attn_pool.mlp.fc2.@", "attn_pool.mlp.fc2.@", 0, 0 },
    /* of the attention pooling of open_clip, which timm does not have, in files of this library */
    { "attn_pool.ln_q.@", "attn_pool.ln_q.@", 0, 0 }, { "attn_pool.ln_k.@", "attn_pool.ln_k.@", 0, 0 }, { 0 } };
#define BLOCK_ROWS \
    { "norm1.@", "norm1.@", 0, 0 }, { "norm2.@", "norm2.@", 0, 0 }, { "attn.proj.@", "attn.proj.@", 0, 0 }, \
    { "attn.q_norm.@", "attn.q_norm.@", 0, 0 }, { "attn.k_norm.@", "attn.k_norm.@", 0, 0 }, \
    { "attn.norm.@", "attn.norm.@", 0, 0 }, { "mlp.norm.@", "mlp.norm.@", 0, 0 }, \
    { "mlp.fc1.@", "mlp.fc1.@", 0, 0 }, { "mlp.fc2.@", "mlp.fc2.@", 0, 0 }, \
    { "mlp.fc1_g.@", "mlp.fc1.@", 1, PF_SPLIT_GATE }, { "mlp.fc1_x.@", "mlp.fc1.@", 2, PF_SPLIT_GATE }, \
    { "attn.q_bias", "attn.qkv.bias", 1, PF_NO_K_BIAS }, { "attn.v_bias", "attn.qkv.bias", 3, PF_NO_K_BIAS }, \
    { "ls1.gamma", "ls1.gamma", 0, PF_LS }, { "ls2.gamma", "ls2.gamma", 0, PF_LS }, { 0 }
static const pf_name_row block[] = { { "attn.qkv.@", "attn.qkv.@", 0, 0 }, BLOCK_ROWS };
/* timm's Eva with qkv_fused=False */
static const pf_name_row unfused[] = {
    { "attn.q_proj.@", "attn.qkv.@", 1, 0 }, { "attn.k_proj.weight", "attn.qkv.weight", 2, 0 },
    { "attn.k_proj.bias", "attn.qkv.bias", 2, PF_K_BIAS }, { "attn.v_proj.@", "attn.qkv.@", 3, 0 }, BLOCK_ROWS };

/* DINOv2's own code may store its blocks in chunks, "blocks.CHUNK.NUMBER.". Its gated MLP (w12) has SiLU, whereas
 * timm's may have any activation. open_clip stores timm's networks under the prefix "trunk.". */
const pf_naming pf_naming_timm = {
    .name = "timm", .front = { { "blocks.#.", 0 }, { "blocks.#.#.", 0 } }, .top = top, .block = block,
    .silu_tensor = "*.mlp.w12.weight", .absent_biases = PF_ABSENT_K,
    .config_file = "open_clip_config.json", .config_file_prefix = "trunk.", .written = true,
    .unfused = &pf_naming_timm_unfused };
const pf_naming pf_naming_timm_unfused = {
    .name = "timm-unfused", .front = { { "blocks.#.", 0 } }, .top = top, .block = unfused,
    .silu_tensor = "*.mlp.w12.weight", .absent_biases = PF_ABSENT_K,
    .config_file = "open_clip_config.json", .config_file_prefix = "trunk." };

/* Rotary positions and other facts of architectures, by names and values of load options. EVA_POOLING: the
 * attention pooling of timm's class Eva reads all tokens, and its MLP has GELU; that of VisionTransformer reads the
 * patches alone, and has the activation of the blocks. */
#define EVA_POOLING { "pool_all", "attention" }, { "pool_act", "gelu" }
static const pf_field eva02[] = {
    { "rope", "axial" }, { "rope_temperature", "10000" }, { "ref_feat_shape", "16" }, EVA_POOLING, { 0 } };
static const pf_field dinov3[] = {
    { "rope", "dinov3" }, { "rope_temperature", "100" }, { "rope_rotate_half", "true" },
    { "use_fc_norm", "false" }, EVA_POOLING, { 0 } };
static const pf_field rope[] = {
    { "rope", "axial" }, { "rope_temperature", "100" }, { "rope_grid_indexing", "xy" }, EVA_POOLING, { 0 } };
static const pf_field no_fc_norm[] = { { "use_fc_norm", "false" }, { 0 } };
static const pf_field rope_mixed[] = { { "rope", "mixed" }, { "rope_temperature", "10" }, { 0 } };
static const pf_field rope_gap[] = {
    { "rope_temperature", "10000" }, { "rope_grid_indexing", "ij" }, { "ref_feat_shape", "16" }, { 0 } };
static const pf_field pe[] = {
    { "rope", "axial" }, { "rope_temperature", "10000" }, { "rope_grid_indexing", "xy" }, { "rope_grid_offset", "1" },
    { "ref_feat_shape", "32" }, EVA_POOLING, { 0 } };
static const pf_field pe_core[] = { { "ref_feat_shape", "24" }, { "pool_heads", "8" }, { 0 } };
static const pf_field eva[] = { EVA_POOLING, { 0 } };
static const pf_field pool_all[] = { { "pool_all", "true" }, { 0 } };
static const pf_field pe_core_base[] = { { "ref_feat_shape", "14" }, { 0 } };
static const pf_field pe_gigantic[] = { { "rope_grid_offset", "0" }, { "ref_feat_shape", "32" }, { 0 } };
static const pf_field no_norm[] = { { "final_norm", "false" }, { 0 } };
static const pf_field pe_no_norm[] = {
    { "use_post_transformer_norm", "false" }, { "use_fc_norm", "false" }, { 0 } };
static const pf_field tanh_gelu[] = { { "act", "gelu_tanh" }, { 0 } };

/* Where no row states them, heads are width / 64 and eps is 1e-6. */
static const pf_arch_row architectures[] = {
    { .glob = "vit_*", .rule = "timm" }, { .glob = "deit*", .rule = "timm" },
    { .glob = "eva*", .rule = "timm", .settings = eva },
    { .glob = "beit3_*", .rule = "timm", .eps = 1e-5, .settings = eva },
    { .glob = "test_vit", .rule = "timm", .heads = 2 }, { .glob = "test_vit2", .rule = "timm", .heads = 2 },
    { .glob = "test_vit3", .rule = "timm", .heads = 3, .settings = pool_all },
    { .glob = "flexivit_*", .rule = "bilinear" },
    { .glob = "vit_so400m_*", .heads = 16 }, { .glob = "vit_base_patch16_gap_224", .heads = 16 },
    { .glob = "vit_giantopt_*", .heads = 16 }, { .glob = "vit_*_clip_*", .eps = 1e-5 },
    { .glob = "*_dinov2*", .silu = true }, { .glob = "*_tipsv2*", .silu = true },
    { .glob = "vit_*_radio_*", .settings = no_norm }, { .glob = "vit_intern300m_*", .settings = no_norm },
    { .glob = "vit_base_patch32_siglip_*", .settings = tanh_gelu },
    { .glob = "vit_large_patch16_siglip_*512", .settings = tanh_gelu },
    { .glob = "vit_so400m_patch16_siglip_*", .settings = tanh_gelu },
    { .glob = "vit_giantopt_patch16_siglip_*", .settings = tanh_gelu },
    { .glob = "eva02_*", .silu = true, .settings = eva02 },
    { .glob = "*_dinov3*", .eps = 1e-5, .silu = true, .settings = dinov3 },
    { .glob = "*_lingbot", .eps = 1e-5, .silu = true, .settings = dinov3 },
    { .glob = "vit_7b_patch16_dinov3", .heads = 32 }, { .glob = "vit_huge_plus_patch16_dinov3*", .heads = 20 },
    { .glob = "vit_*_rope_*", .settings = rope }, { .glob = "vit_*_rope_224", .settings = no_fc_norm },
    { .glob = "vit_*_rope_mixed_*", .settings = rope_mixed },
    { .glob = "vit_*_rope_reg*_gap_*", .settings = rope_gap },
    { .glob = "vit_pe_*", .eps = 1e-5, .settings = pe }, { .glob = "vit_pe_core_*", .settings = pe_core },
    { .glob = "vit_pe_core_base_*", .settings = pe_core_base },
    { .glob = "vit_pe_*_gigantic_*", .heads = 16, .settings = pe_gigantic },
    { .glob = "vit_pe_lang_*", .settings = pe_no_norm }, { .glob = "vit_pe_spatial_*", .settings = pe_no_norm },
    { .glob = "*_rpn_*", .refused = "norms after attention and MLP" },
    { .glob = "eva02_enormous_*", .refused = "norms after attention and MLP" },
    { .glob = "*_sapiens2", .refused = "RMSNorm and keys that several heads share" },
    { .glob = "test_vit4", .refused = "RMSNorm" }, { 0 } };

static const char *const classifiers[] = { "head.@", NULL };
static const char *const ignored[] = { "pre_logits.*", "head.proj.*", NULL };

const pf_family pf_family_timm = {
    .name = "timm", .naming = { &pf_naming_timm, &pf_naming_timm_unfused }, .classifiers = classifiers,
    .ignored = ignored, .eps = 1e-6, .act = PK_GELU, .rule = "timm", .rows = PF_ROWS_NONE | PF_ROWS_ALL,
    .pooling = PF_POOL_BY_NORM,
    .without_class_token = true, .without_positions = true,
    .architectures = architectures };

const pf_family pf_family_timm_clip = {
    .name = "timm CLIP", .naming = { &pf_naming_timm, &pf_naming_timm_unfused }, .has_tensor = { "*norm_pre.weight" },
    .eps = 1e-5, .act = PK_GELU, .rule = "timm", .pixels = &pf_clip, .rows = PF_ROWS_NONE | PF_ROWS_ALL,
    .without_class_token = true, .without_positions = true, .pooling = PF_POOL_BY_NORM };
