/* SPDX-License-Identifier: Apache-2.0
 * deit.c -- DeiT with a distillation token, in the files of timm and of Hugging Face. The token is the network's one
 * register. timm's classifiers are two, of the class token and of the distillation token, whose outputs are averaged;
 * so are those of Hugging Face's DeiTForImageClassificationWithTeacher. The other models of Hugging Face read the class
 * token alone. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part; properties of the networks that are saved under
 * this name (0: all networks). The distillation token is the network's one register. */
static const pf_name_row top[] = {
    { "dist_token", "reg_token", 0, PF_PAIR }, { "head_dist.@", "head_dist.@", 0, PF_PAIR }, { 0 } };
static const pf_name_row hf_top[] = { { "embeddings.distillation_token", "reg_token", 0, PF_UNSCALED }, { 0 } };
static const pf_name_row hf_outside[] = {
    { "cls_classifier.@", "head.@", 0, PF_PAIR }, { "distillation_classifier.@", "head_dist.@", 0, PF_PAIR },
    { 0 } };

const pf_family pf_family_deit = {
    .name = "DeiT", .naming = { &pf_naming_timm }, .has_tensor = { "*dist_token" }, .top = top,
    .eps = 1e-6, .act = PK_GELU, .rule = "timm", .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_CLS_DIST };

/* The families of the two model classes share the rows of hf_top and hf_outside. */
static const pf_lack lacks[] = {
    PF_HF_LACKS, { PF_HAS_NO_CLASS_TOKEN, "a network without a class token" },
    { PF_HAS_MANY_REGISTERS, "registers without LayerScale (one would be the distillation token of DeiT)" },
    { PF_HAS_GATED_MLP, "a gated MLP (SwiGLU) without LayerScale" },
    { PF_HAS_OTHER_POOL, "a classifier of another feature than the class token" }, { 0 } };
static const pf_hf_model saved = {
    .type = "deit", .model = "DeiTModel", .classifier = "DeiTForImageClassification", .all_rows = true,
    .needs = PF_UNSCALED | PF_REGISTERS, .lacks = lacks };
static const pf_hf_model teacher = {
    .type = "deit", .model = "DeiTModel", .classifier = "DeiTForImageClassificationWithTeacher",
    .feature = PF_FEATURE_CLS_DIST, .all_rows = true, .needs = PF_UNSCALED | PF_REGISTERS | PF_PAIR, .lacks = lacks };

const pf_family pf_family_hf_deit_teacher = {
    .name = "Hugging Face DeiT with teacher", .naming = { &pf_naming_hf, &pf_naming_hf5 },
    .has_tensor = { "*distillation_classifier.weight" }, .eps = 1e-12, .act = PK_GELU, .rule = "mmcls",
    .rows = PF_ROWS_ALL, .saved = &teacher };

const pf_family pf_family_hf_deit = {
    .name = "Hugging Face DeiT", .naming = { &pf_naming_hf, &pf_naming_hf5 }, .has_tensor = { "*distillation_token" },
    .top = hf_top, .outside = hf_outside, .eps = 1e-12, .act = PK_GELU, .rule = "mmcls", .rows = PF_ROWS_ALL,
    .saved = &saved };
