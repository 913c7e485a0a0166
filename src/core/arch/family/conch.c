/* SPDX-License-Identifier: Apache-2.0
 * conch.c -- the image tower of CONCH: timm's ViT under the prefix "trunk.", and beside it the attention pooling of its
 * contrastive loss, whose one query reads class token and patches after the final norm. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2: k, v; 0: the whole tensor); properties of the
 * networks that are saved under this name (PF_ONLY_READ: none). */
static const pf_name_row outside[] = {
    { "attn_pool_contrast.query", "attn_pool.latent", 0, PF_ONLY_READ },
    { "attn_pool_contrast.ln_q.@", "attn_pool.ln_q.@", 0, PF_ONLY_READ },
    { "attn_pool_contrast.ln_k.@", "attn_pool.ln_k.@", 0, PF_ONLY_READ },
    { "attn_pool_contrast.attn.in_proj_@", PF_POOL_QKV, 0, PF_ONLY_READ },
    { "attn_pool_contrast.attn.q_proj_@", "attn_pool.q.@", 0, PF_ONLY_READ },
    { "attn_pool_contrast.attn.k_proj_@", "attn_pool.kv.@", 1, PF_ONLY_READ },
    { "attn_pool_contrast.attn.v_proj_@", "attn_pool.kv.@", 2, PF_ONLY_READ },
    { "attn_pool_contrast.attn.out_proj.@", "attn_pool.proj.@", 0, PF_ONLY_READ },
    { "ln_contrast.@", "fc_norm.@", 0, PF_ONLY_READ }, { 0 } };

/* The projection into the space of images and texts, the pooling for captions, and the text towers. */
static const char *const ignored[] = { "proj_contrast", "attn_pool_caption.*", "ln_caption.*", "text_decoder.*", NULL };

const pf_family pf_family_conch = {
    .name = "CONCH", .naming = { &pf_naming_timm }, .has_tensor = { "*attn_pool_contrast.query" }, .outside = outside,
    .ignored = ignored, .eps = 1e-6, .act = PK_GELU, .rule = "bilinear", .pixels = &pf_clip,
    .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pool_heads = 8, .pool_eps = 1e-5, .pool_all = true };
