/* SPDX-License-Identifier: Apache-2.0
 * hf_dinov2.c -- Hugging Face's DINOv2, without and with registers; its networks have LayerScale. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = { { "embeddings.register_tokens", "reg_token", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "norm1.@", "norm1.@", 0, 0 }, { "norm2.@", "norm2.@", 0, 0 },
    { "mlp.fc1.@", "mlp.fc1.@", 0, PF_UNGATED }, { "mlp.fc2.@", "mlp.fc2.@", 0, PF_UNGATED },
    { "mlp.weights_in.@", "mlp.fc1.@", 0, PF_GATED }, { "mlp.weights_out.@", "mlp.fc2.@", 0, PF_GATED },
    { "layer_scale1.lambda1", "ls1.gamma", 0, 0 }, { "layer_scale2.lambda1", "ls2.gamma", 0, 0 }, { 0 } };

/* rule: how the library of the checkpoint resamples a position embedding (vit/pos_embed.h). */
static const pf_arch_row model_types[] = {
    { .glob = "dinov2", .rule = "mmcls", .processor = "Bit" },
    { .glob = "dinov2_with_registers", .rule = "timm", .processor = "Bit" }, { 0 } };

/* What these model classes cannot represent, in the words of the error message. Their classifier reads the class token
 * and the mean of the patches side by side, so that one which reads a single token has no place in them. */
static const pf_lack lacks[] = {
    PF_HF_LACKS, { PF_HAS_NO_CLASS_TOKEN, "a network without a class token" },
    { PF_HAS_NO_CLASS_ROW, "a class token without a position" },
    { PF_HAS_OTHER_POOL, "LayerScale beside a classifier of one token (classifier=false leaves it out)" },
    { PF_HAS_ODD_MLP, "LayerScale beside an MLP whose width is no multiple of the tokens'" }, { 0 } };
static const pf_field fields[] = {
    { "layerscale_value", "1.0" }, { "drop_path_rate", "0.0" }, { "apply_layernorm", "true" },
    { "reshape_hidden_states", "true" }, { "use_mask_token", "false" }, { 0 } };
/* This class has a mask token whatever use_mask_token says. */
static const pf_filled filled[] = { { .name = "embeddings.mask_token", .leading = 1 }, { 0 } };
/* by_ratio: config.json gives the width of the MLP as mlp_ratio. */
static const pf_hf_model plain = {
    .type = "dinov2", .model = "Dinov2Model", .classifier = "Dinov2ForImageClassification",
    .feature = PF_FEATURE_CLS_MEAN, .needs = PF_SCALED | PF_NO_REGISTERS, .lacks = lacks, .fields = fields,
    .by_ratio = true };
static const pf_hf_model with_registers = {
    .type = "dinov2_with_registers", .model = "Dinov2WithRegistersModel",
    .classifier = "Dinov2WithRegistersForImageClassification", .feature = PF_FEATURE_CLS_MEAN, .filled = filled,
    .needs = PF_SCALED | PF_REGISTERS, .lacks = lacks, .fields = fields, .by_ratio = true };

const pf_family pf_family_hf_dinov2 = {
    .name = "Hugging Face DINOv2", .naming = { &pf_naming_hf, &pf_naming_hf5 }, .has_tensor = { "*lambda1" },
    .top = top, .block = block, .eps = 1e-6, .act = PK_GELU, .rule = "mmcls", .pixels = &pf_imagenet,
    .model_types = model_types, .saved = &plain };

/* It has no top and block of its own: its files have the same naming, so that the rows above are read in them too. */
const pf_family pf_family_hf_dinov2_registers = {
    .name = "Hugging Face DINOv2 with registers", .naming = { &pf_naming_hf, &pf_naming_hf5 },
    .has_tensor = { "*register_tokens" }, .eps = 1e-6, .act = PK_GELU, .rule = "timm", .pixels = &pf_imagenet,
    .saved = &with_registers };
