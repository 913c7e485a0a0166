/* SPDX-License-Identifier: Apache-2.0
 * hf_siglip.c -- the image tower of Hugging Face's SigLIP (also MedSigLIP), which has CLIP's names, no class token and
 * attention pooling. The classifier of SiglipForImageClassification reads the mean of the tokens after
 * post_layernorm. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part; properties of the networks that are saved under
 * this name (0: all networks). */
static const pf_name_row top[] = {
    { "head.probe", "attn_pool.latent", 0, 0 }, { "head.attention.in_proj_@", PF_POOL_QKV, 0, 0 },
    { "head.attention.out_proj.@", "attn_pool.proj.@", 0, 0 }, { "head.layernorm.@", "attn_pool.norm.@", 0, 0 },
    { "head.mlp.fc1.@", "attn_pool.mlp.fc1.@", 0, 0 }, { "head.mlp.fc2.@", "attn_pool.mlp.fc2.@", 0, 0 }, { 0 } };

static const char *const ignored[] = { "logit_scale", "logit_bias", NULL };
static const pf_pixels pixels = { { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 } };

/* Defaults of transformers' SiglipVisionConfig, for keys that config.json lacks. */
#define SIGLIP_DEFAULTS .rule = "mmcls", .heads = 12, .eps = 1e-6, .processor = "Siglip"
static const pf_arch_row model_types[] = {
    { .glob = "siglip", SIGLIP_DEFAULTS }, { .glob = "siglip_vision_model", SIGLIP_DEFAULTS },
    { .glob = "siglip2*", .refused = "patches of any grid (NaFlex)" }, { 0 } };

/* Without attention pooling (vision_use_head false) the model's feature is the tokens. */
static const pf_lack lacks[] = {
    { PF_HAS_FC_NORM, "the norm after mean pooling (fc_norm)" }, { PF_HAS_NORM_PRE, "a norm before the blocks" },
    { PF_HAS_NOT_SIGLIP_POOL, "attention pooling other than SigLIP's" },
    { PF_HAS_NO_PATCH_BIAS, "a patch embedding without a bias" }, PF_COMMON_LACKS,
    { PF_HAS_NO_QKV_BIAS, "blocks without biases of q, k and v" }, { PF_HAS_GATED_MLP, "a gated MLP (SwiGLU)" },
    { PF_HAS_REGISTERS, "registers without a class token" },
    { PF_HAS_OTHER_POOL, "attention pooling before a classifier (classifier=false leaves it out)" }, { 0 } };
static const pf_hf_model saved = {
    .type = "siglip_vision_model", .model = "SiglipVisionModel", .classifier = "SiglipForImageClassification",
    .classifier_type = "siglip", .prefix = "vision_model.", .tower = true, .may_pool = true,
    .feature = PF_FEATURE_MEAN, .needs = PF_UNSCALED | PF_NO_CLASS_TOKEN, .lacks = lacks };

/* SigLIP's patch embedding has a bias, that of CLIP has none. */
const pf_family pf_family_hf_siglip = {
    .name = "Hugging Face SigLIP", .naming = { &pf_naming_hf_clip }, .top = top,
    .has_tensor = { "*head.probe", "*embeddings.patch_embedding.bias" },
    .ignored = ignored, .eps = 1e-6, .act = PK_GELU_TANH, .rule = "mmcls", .pixels = &pixels, .rows = PF_ROWS_NONE,
    .without_class_token = true, .classifier = PF_CLASSIFIER_OF_MEAN, .model_types = model_types, .saved = &saved };
