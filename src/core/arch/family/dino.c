/* SPDX-License-Identifier: Apache-2.0
 * dino.c -- DINO, whose files hold a teacher and a student; the teacher is the network that is used afterwards. */
#include "core/arch/arch.h"

/* The projection heads, and whatever else of student and teacher does not have the prefix of the loaded ViT. */
static const char *const ignored[] = { "head.mlp.*", "head.last_layer.*", "student.*", "teacher.*", "dino_loss.*",
                                       NULL };

const pf_family pf_family_dino = {
    .name = "DINO", .naming = { &pf_naming_timm }, .has_tensor = { "*teacher.*", "*student.*" },
    .ignored = ignored, .loaded = "teacher.", .skipped = "student.",
    .eps = 1e-6, .act = PK_GELU, .rule = "hf", .pixels = &pf_imagenet,
    .rows = PF_ROWS_NONE | PF_ROWS_ALL, .pooling = PF_POOL_BY_NORM };
