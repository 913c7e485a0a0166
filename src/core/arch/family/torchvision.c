/* SPDX-License-Identifier: Apache-2.0
 * torchvision.c -- torchvision's ViT; the MLP also under the names of earlier versions (linear_1, linear_2). */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = {
    { "class_token", "cls_token", 0, 0 }, { "encoder.pos_embedding", "pos_embed", 0, 0 },
    { "conv_proj.@", "patch_embed.proj.@", 0, 0 }, { "encoder.ln.@", "norm.@", 0, 0 },
    { "heads.head.@", "head.@", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "ln_1.@", "norm1.@", 0, 0 }, { "ln_2.@", "norm2.@", 0, 0 },
    { "self_attention.in_proj_@", "attn.qkv.@", 0, 0 }, { "self_attention.out_proj.@", "attn.proj.@", 0, 0 },
    { "mlp.0.@", "mlp.fc1.@", 0, 0 }, { "mlp.3.@", "mlp.fc2.@", 0, 0 },
    { "mlp.linear_1.@", "mlp.fc1.@", 0, 0 }, { "mlp.linear_2.@", "mlp.fc2.@", 0, 0 }, { 0 } };
static const pf_naming naming = {
    .name = "torchvision", .front = { { "encoder.layers.encoder_layer_#.", 0 } }, .top = top, .block = block,
    .written = true };

static const char *const classifiers[] = { "heads.head.@", NULL };

static const pf_lack lacks[] = {
    { PF_HAS_FC_NORM, "the norm after mean pooling (fc_norm)" }, { PF_HAS_NORM_PRE, "a norm before the blocks" },
    { PF_HAS_ATTN_POOL, "attention pooling" }, { PF_HAS_NO_PATCH_BIAS, "a patch embedding without a bias" },
    PF_COMMON_LACKS, { PF_HAS_REGISTERS, "registers" },
    { PF_HAS_NO_QKV_BIAS, "blocks without biases of q, k and v" }, { PF_HAS_GATED_MLP, "a gated MLP" },
    { PF_HAS_NOT_GELU, "an activation other than the exact GELU" },
    { PF_HAS_NO_CLASS_TOKEN, "a network without a class token" },
    { PF_HAS_OTHER_POOL, "a classifier of another feature than the class token" },
    { PF_HAS_NO_CLASS_ROW, "a class token without a position" }, { 0 } };
static const pf_hf_model saved = { .type = "torchvision", .model = "VisionTransformer",
                                   .classifier = "VisionTransformer", .prefix = "", .needs = PF_UNSCALED,
                                   .lacks = lacks };

const pf_family pf_family_torchvision = {
    .name = "torchvision", .naming = { &naming }, .classifiers = classifiers, .eps = 1e-6, .act = PK_GELU,
    .rule = "torchvision", .pixels = &pf_imagenet, .saved = &saved };
