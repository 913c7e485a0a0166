/* SPDX-License-Identifier: Apache-2.0
 * hf_ijepa.c -- Hugging Face's I-JEPA: the names of its ViT, no class token; the feature is the mean of the tokens
 * after the final norm. Files of the model without a classifier lack the prefix and are of the family of the ViT. */
#include "core/arch/arch.h"

static const pf_lack lacks[] = {
    PF_HF_LACKS, { PF_HAS_REGISTERS, "registers without a class token" },
    { PF_HAS_GATED_MLP, "a gated MLP (SwiGLU) without LayerScale" },
    { PF_HAS_OTHER_POOL, "a classifier of another feature than the mean of the tokens" }, { 0 } };
static const pf_hf_model saved = {
    .type = "ijepa", .model = "IJepaModel", .classifier = "IJepaForImageClassification", .feature = PF_FEATURE_MEAN,
    .needs = PF_UNSCALED | PF_NO_CLASS_TOKEN | PF_NO_ATTN_POOL, .lacks = lacks };

const pf_family pf_family_hf_ijepa = {
    .name = "Hugging Face I-JEPA", .naming = { &pf_naming_hf, &pf_naming_hf5 }, .has_tensor = { "*ijepa.*" },
    .eps = 1e-12, .act = PK_GELU, .rule = "mmcls", .without_class_token = true, .saved = &saved };
