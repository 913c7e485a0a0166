/* SPDX-License-Identifier: Apache-2.0
 * hf_clip.c -- the image tower of Hugging Face's CLIP. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks; PF_FLAT: without leading extents of 1).
 * transformers does spell it "pre_layrnorm". */
static const pf_name_row top[] = {
    { "embeddings.class_embedding", "cls_token", 0, PF_FLAT },
    { "embeddings.position_embedding.weight", "pos_embed", 0, PF_FLAT },
    { "embeddings.patch_embedding.@", "patch_embed.proj.@", 0, 0 },
    { "pre_layrnorm.@", "norm_pre.@", 0, 0 }, { "post_layernorm.@", "norm.@", 0, 0 },
    { "classifier.@", "head.@", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "layer_norm1.@", "norm1.@", 0, 0 }, { "layer_norm2.@", "norm2.@", 0, 0 },
    { "self_attn.q_proj.@", "attn.qkv.@", 1, 0 }, { "self_attn.k_proj.@", "attn.qkv.@", 2, 0 },
    { "self_attn.v_proj.@", "attn.qkv.@", 3, 0 }, { "self_attn.out_proj.@", "attn.proj.@", 0, 0 },
    { "mlp.fc1.@", "mlp.fc1.@", 0, 0 }, { "mlp.fc2.@", "mlp.fc2.@", 0, 0 }, { 0 } };
const pf_naming pf_naming_hf_clip = {
    .name = "hf-clip", .front = { { "encoder.layers.#.", 0 } }, .top = top, .block = block,
    .flat_patches = "patches of any grid (NaFlex, as SigLIP 2 has them)" };

static const char *const ignored[] = { "embeddings.position_ids", "text_model.*", "text_projection*",
                                       "visual_projection.*", NULL };

/* Defaults of transformers' CLIPVisionConfig, for keys that config.json lacks. */
#define CLIP_DEFAULTS .rule = "mmcls", .heads = 12, .eps = 1e-5
static const pf_arch_row model_types[] = {
    { .glob = "clip*", CLIP_DEFAULTS }, { .glob = "metaclip_2*", CLIP_DEFAULTS },
    { .glob = "chinese_clip*", CLIP_DEFAULTS }, { .glob = "altclip*", CLIP_DEFAULTS },
    { .glob = "clip", .processor = "CLIP" },
    { .glob = "clip_vision_model", .processor = "CLIP" }, { .glob = "metaclip_2", .processor = "CLIP" },
    { .glob = "chinese_clip", .processor = "ChineseCLIP" }, { 0 } };

static const pf_lack lacks[] = {
    { PF_HAS_FC_NORM, "the norm after mean pooling (fc_norm)" }, { PF_HAS_ATTN_POOL, "attention pooling" },
    { PF_HAS_PATCH_BIAS, "a norm before the blocks beside a patch embedding with a bias" }, PF_COMMON_LACKS,
    { PF_HAS_NO_QKV_BIAS, "blocks without biases of q, k and v" }, { PF_HAS_GATED_MLP, "a gated MLP (SwiGLU)" },
    { PF_HAS_OTHER_POOL, "a norm before the blocks beside a classifier of another feature than the mean of the patches "
      "without the final norm (classifier=false leaves it out)" },
    { PF_HAS_NO_CLASS_ROW, "a class token without a position" }, { 0 } };
static const pf_filled filled[] = {
    { .name = "post_layernorm.weight", .value = 1, .with_classifier = true },
    { .name = "post_layernorm.bias", .with_classifier = true }, { 0 } };
/* The classifier of CLIPForImageClassification reads the mean of the patches without post_layernorm, which its file
 * holds all the same. */
static const pf_hf_model saved = {
    .type = "clip_vision_model", .model = "CLIPVisionModel", .classifier = "CLIPForImageClassification",
    .classifier_type = "clip", .prefix = "vision_model.", .tower = true, .feature = PF_FEATURE_MEAN, .raw_mean = true,
    .needs = PF_UNSCALED | PF_CLASS_TOKEN | PF_NORM_PRE | PF_NO_REGISTERS, .lacks = lacks, .filled = filled };

const pf_family pf_family_hf_clip = {
    .name = "Hugging Face CLIP", .naming = { &pf_naming_hf_clip }, .ignored = ignored, .eps = 1e-5, .act = PK_QUICKGELU,
    .rule = "mmcls", .pixels = &pf_clip, .classifier = PF_CLASSIFIER_OF_RAW_MEAN,
    .model_types = model_types, .saved = &saved };
