/* SPDX-License-Identifier: Apache-2.0
 * pos_embed.h -- resampling a learned position embedding to another grid of patches. */
#ifndef PF_POS_EMBED_H
#define PF_POS_EMBED_H
#include "core/base/context.h"

/* from [prefix + rows0*cols0, width] -> to [prefix + rows1*cols1, width]; the prefix rows (class token) are copied,
 * and so is everything when the grids are equal. The rule decides the numbers and belongs to the checkpoint's family:
 *   "timm"         bicubic with antialiasing (a = -0.5, support widened when shrinking)
 *   "hf"           bicubic (a = -0.75), source step old/(new + 0.1) as in DINO and transformers' ViT
 *   "mmcls"        bicubic (a = -0.75), source step old/new, as in mmcls, DeiT and MAE
 *   "torchvision"  bicubic (a = -0.75) with corners on corners: source step (old - 1)/(new - 1)
 *   "bilinear"     linear, source step old/new
 * PEFT_E_OPTION: no such rule; PEFT_E_SHAPE: a grid or width below 1. from and to do not overlap. */
peft_status pf_pos_embed_resample(peft_context *ctx, const char *rule, const pk_real *from, int prefix,
                                  int rows0, int cols0, pk_real *to, int rows1, int cols1, int64_t width);
/* PEFT_OK, or PEFT_E_OPTION that lists the rules. */
peft_status pf_pos_embed_rule(const char *rule);
#endif
