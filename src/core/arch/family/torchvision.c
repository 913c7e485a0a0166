/* SPDX-License-Identifier: Apache-2.0
 * torchvision.c -- torchvision's ViT; the MLP also under the names of earlier versions (linear_1, linear_2). */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = {
    { "class_token", "cls_token", 0, 0 }, { "encoder.pos_embedding", "pos_embed", 0, 0 },
    { "conv_proj.@", "patch_embed.proj.@", 0, 0 }, { "encoder.ln.@", "norm.@", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "ln_1.@", "norm1.@", 0, 0 }, { "ln_2.@", "norm2.@", 0, 0 },
    { "self_attention.in_proj_@", "attn.qkv.@", 0, 0 }, { "self_attention.out_proj.@", "attn.proj.@", 0, 0 },
    { "mlp.0.@", "mlp.fc1.@", 0, 0 }, { "mlp.3.@", "mlp.fc2.@", 0, 0 },
    { "mlp.linear_1.@", "mlp.fc1.@", 0, 0 }, { "mlp.linear_2.@", "mlp.fc2.@", 0, 0 }, { 0 } };
static const pf_naming naming = {
    .name = "torchvision", .front = { { "encoder.layers.encoder_layer_#.", 0 } }, .top = top, .block = block };

static const char *const classifiers[] = { "heads.head.@", NULL };

const pf_family pf_family_torchvision = {
    .name = "torchvision", .naming = { &naming }, .classifiers = classifiers, .eps = 1e-6, .act = PK_GELU,
    .rule = "torchvision", .pixels = &pf_imagenet };
