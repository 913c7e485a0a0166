/* SPDX-License-Identifier: Apache-2.0
 * deit3.c -- DeiT-III in the files of Facebook's own code: LayerScale is named gamma_1 and gamma_2, and the class token
 * has no row in the position embedding. Files that timm saved of it may have one (rows: both are accepted). */
#include "core/arch/arch.h"

/* Columns: name in the file; timm's name (@: weight or bias); part (1, 2, 3: q, k, v; 0: the whole tensor); properties
 * of the networks that are saved under this name (0: all networks). */
static const pf_name_row block[] = {
    { "gamma_1", "ls1.gamma", 0, PF_GAMMA }, { "gamma_2", "ls2.gamma", 0, PF_GAMMA }, { 0 } };

const pf_family pf_family_deit3 = {
    .name = "DeiT-III", .naming = { &pf_naming_timm, &pf_naming_timm_unfused }, .has_tensor = { "*.gamma_1" },
    .block = block,
    .eps = 1e-6, .act = PK_GELU, .rule = "timm", .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_BY_NORM,
    .without_class_token = true, .without_positions = true };
