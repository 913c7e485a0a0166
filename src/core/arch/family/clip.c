/* SPDX-License-Identifier: Apache-2.0
 * clip.c -- the image tower of CLIP in the files of OpenAI and open_clip. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = {
    { "class_embedding", "cls_token", 0, 0 }, { "positional_embedding", "pos_embed", 0, 0 },
    { "conv1.@", "patch_embed.proj.@", 0, 0 }, { "ln_pre.@", "norm_pre.@", 0, 0 }, { "ln_post.@", "norm.@", 0, 0 },
    { "attn_pool.query", "attn_pool.latent", 0, 0 }, { "attn_pool.ln_q.@", "attn_pool.ln_q.@", 0, 0 },
    { "attn_pool.ln_k.@", "attn_pool.ln_k.@", 0, 0 }, { "attn_pool.attn.in_proj_@", PF_POOL_QKV, 0, 0 },
    { "attn_pool.attn.q_proj_@", "attn_pool.q.@", 0, 0 }, { "attn_pool.attn.k_proj_@", "attn_pool.kv.@", 1, 0 },
    { "attn_pool.attn.v_proj_@", "attn_pool.kv.@", 2, 0 }, { "attn_pool.attn.out_proj.@", "attn_pool.proj.@", 0, 0 },
    { 0 } };
static const pf_name_row block[] = {
    { "ln_1.@", "norm1.@", 0, 0 }, { "ln_2.@", "norm2.@", 0, 0 },
    { "attn.in_proj_@", "attn.qkv.@", 0, 0 }, { "attn.out_proj.@", "attn.proj.@", 0, 0 },
    { "mlp.c_fc.@", "mlp.fc1.@", 0, 0 }, { "mlp.c_proj.@", "mlp.fc2.@", 0, 0 },
    { "ls_1.gamma", "ls1.gamma", 0, 0 }, { "ls_2.gamma", "ls2.gamma", 0, 0 }, { 0 } };
static const pf_naming naming = {
    .name = "clip", .front = { { "transformer.resblocks.#.", 0 } }, .top = top, .block = block,
    .config_file = "open_clip_config.json" };

/* The text tower, and the projections into the embedding space that images and texts share. In a file with both towers
 * the image tower has the prefix "visual."; positional_embedding and transformer.resblocks.* without it are the text
 * tower's. */
static const char *const ignored[] = {
    "proj", "text.*", "text_projection*", "logit_scale", "logit_bias", "token_embedding.*", "positional_embedding",
    "ln_final.*", "transformer.resblocks.*", "input_resolution", "context_length", "vocab_size", NULL };

/* ln_post is applied to the class token, before or, if open_clip's final_ln_after_pool is set, after the mean of the
 * patches, or to the result of attention pooling (CoCa), which reads class token and patches. */
const pf_family pf_family_clip = {
    .name = "CLIP", .naming = { &naming }, .ignored = ignored, .eps = 1e-5, .act = PK_QUICKGELU, .rule = "timm",
    .pixels = &pf_clip, .pooling = PF_POOL_ANY, .pool_heads = 8, .pool_all = true };
