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

const pf_family pf_family_hf_siglip = {
    .name = "Hugging Face SigLIP", .naming = { &pf_naming_hf_clip }, .has_tensor = { "*head.probe" }, .top = top,
    .ignored = ignored, .eps = 1e-6, .act = PK_GELU_TANH, .rule = "mmcls", .pixels = &pixels, .rows = PF_ROWS_NONE,
    .without_class_token = true, .classifier = PF_CLASSIFIER_OF_MEAN, .model_types = model_types };
