/* SPDX-License-Identifier: Apache-2.0
 * mae.c -- pre-trained masked autoencoders, encoder and decoder in one file. Fine-tuned ones have timm's names and are
 * of the family timm. */
#include "core/arch/arch.h"

static const char *const ignored[] = { "decoder_*", "decoder.*", NULL };

const pf_family pf_family_mae = {
    .name = "MAE", .naming = { &pf_naming_timm }, .has_tensor = { "*decoder_embed.weight" }, .ignored = ignored,
    .eps = 1e-6, .act = PK_GELU, .rule = "mmcls", .pixels = &pf_imagenet,
    .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_BY_NORM };
