/* SPDX-License-Identifier: Apache-2.0
 * clip.c -- the image tower of CLIP in the files of OpenAI and open_clip. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks; PF_FLAT: without leading extents of 1). */
static const pf_name_row top[] = {
    { "class_embedding", "cls_token", 0, PF_FLAT }, { "positional_embedding", "pos_embed", 0, PF_FLAT },
    { "conv1.@", "patch_embed.proj.@", 0, 0 }, { "ln_pre.@", "norm_pre.@", 0, 0 }, { "ln_post.@", "norm.@", 0, 0 },
    { "ln_post.@", "fc_norm.@", 0, 0 },
    { "attn_pool.query", "attn_pool.latent", 0, PF_FLAT }, { "attn_pool.ln_q.@", "attn_pool.ln_q.@", 0, 0 },
    { "attn_pool.ln_k.@", "attn_pool.ln_k.@", 0, 0 },
    { "attn_pool.attn.in_proj_weight", "attn_pool.qkv.weight", 0, PF_POOL_AS_WIDE },
    { "attn_pool.attn.in_proj_bias", "attn_pool.qkv.bias", 0, 0 },
    { "attn_pool.attn.q_proj_weight", "attn_pool.q.weight", 0, PF_POOL_OTHER_WIDTH },
    { "attn_pool.attn.k_proj_weight", "attn_pool.kv.weight", 1, PF_POOL_OTHER_WIDTH },
    { "attn_pool.attn.v_proj_weight", "attn_pool.kv.weight", 2, PF_POOL_OTHER_WIDTH },
    { "attn_pool.attn.out_proj.@", "attn_pool.proj.@", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "ln_1.@", "norm1.@", 0, 0 }, { "ln_2.@", "norm2.@", 0, 0 },
    { "attn.in_proj_@", "attn.qkv.@", 0, 0 }, { "attn.out_proj.@", "attn.proj.@", 0, 0 },
    { "mlp.c_fc.@", "mlp.fc1.@", 0, 0 }, { "mlp.c_proj.@", "mlp.fc2.@", 0, 0 },
    { "ls_1.gamma", "ls1.gamma", 0, 0 }, { "ls_2.gamma", "ls2.gamma", 0, 0 }, { 0 } };

/* The image tower in open_clip's own class, and as timm's network in open_clip's TimmModel. The projection and the text
 * tower are no part of a backbone. */
static const pf_lack lacks[] = {
    { PF_HAS_CLASSIFIER, "a classifier (classifier=false leaves it out)" },
    { PF_HAS_NOT_COCA_POOL, "attention pooling other than CoCa's" },
    { PF_HAS_PATCH_BIAS, "a patch embedding with a bias" }, PF_COMMON_LACKS,
    { PF_HAS_NO_GELU, "an activation that is no GELU" }, { PF_HAS_REGISTERS, "registers" },
    { PF_HAS_NO_QKV_BIAS, "blocks without biases of q, k and v" }, { PF_HAS_GATED_MLP, "a gated MLP" },
    { PF_HAS_NO_CLASS_TOKEN, "a network without a class token" },
    { PF_HAS_NO_CLASS_ROW, "a class token without a position" }, { 0 } };
static const pf_hf_model tower = { .type = "open_clip", .model = "VisionTransformer", .prefix = "visual.",
                                   .lacks = lacks };
static const pf_lack part_lacks[] = {
    { PF_HAS_CLASSIFIER, "a classifier (classifier=false leaves it out)" },
    { PF_HAS_POOL_NORMS, "CONCH's attention pooling" }, { 0 } };
static const pf_hf_model part = { .type = PF_PART_TYPE, .model = "TimmModel", .prefix = "visual.trunk.",
                                  .lacks = part_lacks };

const pf_naming pf_naming_clip = {
    .name = "clip", .front = { { "transformer.resblocks.#.", 0 } }, .top = top, .block = block, .written = true,
    .part = &pf_naming_timm, .part_model = &part, .config_file = "open_clip_config.json" };

/* The text tower, and the projections into the embedding space that images and texts share. In a file with both towers
 * the image tower has the prefix "visual."; positional_embedding and transformer.resblocks.* without it are the text
 * tower's. */
static const char *const ignored[] = {
    "proj", "text.*", "text_projection*", "logit_scale", "logit_bias", "token_embedding.*", "positional_embedding",
    "ln_final.*", "transformer.resblocks.*", "input_resolution", "context_length", "vocab_size", NULL };

/* ln_post is applied to the class token, before or, if open_clip's final_ln_after_pool is set, after the mean of the
 * patches, or to the result of attention pooling (CoCa), which reads class token and patches. */
const pf_family pf_family_clip = {
    .name = "CLIP", .naming = { &pf_naming_clip }, .ignored = ignored, .eps = 1e-5, .act = PK_QUICKGELU,
    .act_why = "OpenAI's networks have it; those of open_clip have gelu unless their configuration states quick_gelu",
    .rule = "timm", .pixels = &pf_clip, .pooling = PF_POOL_ANY, .pool_heads = 8, .pool_all = true,
    .saved = &tower };
