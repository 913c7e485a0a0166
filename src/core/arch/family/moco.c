/* SPDX-License-Identifier: Apache-2.0
 * moco.c -- MoCo v3, whose files hold two encoders; the base encoder is the network that is used afterwards. Before the
 * patches' rows, the position embedding has a row for the class token and each register (PF_ROWS_ALL), for the class
 * token alone, or none (PF_ROWS_NONE). */
#include "core/arch/arch.h"

/* The projection head, the encoder that is not loaded, and the prediction head. */
static const char *const ignored[] = { "head.?.*", "momentum_encoder.*", "predictor.*", NULL };

const pf_family pf_family_moco = {
    .name = "MoCo", .naming = { &pf_naming_timm }, .has_tensor = { "*base_encoder.*", "*momentum_encoder.*" },
    .ignored = ignored, .loaded = "base_encoder.", .skipped = "momentum_encoder.",
    .eps = 1e-6, .act = PK_GELU, .rule = "timm", .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_BY_NORM };
