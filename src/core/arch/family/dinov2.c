/* SPDX-License-Identifier: Apache-2.0
 * dinov2.c -- DINOv2 in the files of Facebook's own code, without and with registers. */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row top[] = { { "register_tokens", "reg_token", 0, 0 }, { 0 } };
static const pf_name_row block[] = {
    { "mlp.w12.@", "mlp.fc1.@", 0, 0 }, { "mlp.w3.@", "mlp.fc2.@", 0, 0 }, { 0 } };

static const char *const ignored[] = { "mask_token", NULL };

const pf_family pf_family_dinov2 = {
    .name = "DINOv2", .naming = { &pf_naming_timm }, .has_tensor = { "*mask_token" },
    .top = top, .block = block, .ignored = ignored,
    .eps = 1e-6, .act = PK_GELU, .rule = "hf", .pixels = &pf_imagenet,
    .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_BY_NORM };

const pf_family pf_family_dinov2_registers = {
    .name = "DINOv2 with registers", .naming = { &pf_naming_timm }, .has_tensor = { "*register_tokens" },
    .eps = 1e-6, .act = PK_GELU, .rule = "timm", .pixels = &pf_imagenet,
    .rows = PF_ROWS_CLASS, .pooling = PF_POOL_BY_NORM };
