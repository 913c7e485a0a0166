/* SPDX-License-Identifier: Apache-2.0
 * pos_embed.h -- resampling of a learned position embedding to another grid of patches, for loading a backbone at
 * another image size. */
#ifndef PF_POS_EMBED_H
#define PF_POS_EMBED_H
#include "core/base/context.h"

/* from [prefix + rows0*cols0, width] -> to [prefix + rows1*cols1, width]. The prefix rows (class token) are copied; if
 * the grids are equal, all rows are. The rule is the resampling that the library of the checkpoint's family does; step
 * is the distance of neighbouring new patches in the old grid:
 *   "timm"         bicubic with antialiasing (a = -0.5, support widened when shrinking), step old/new
 *   "hf"           bicubic (a = -0.75), step old/(new + 0.1), as in DINO and transformers' ViT
 *   "mmcls"        bicubic (a = -0.75), step old/new, as in mmcls, DeiT and MAE
 *   "torchvision"  bicubic (a = -0.75), step (old - 1)/(new - 1), so that the corners of both grids coincide
 *   "bilinear"     linear, step old/new
 * PEFT_E_OPTION: no such rule; PEFT_E_SHAPE: a grid or width below 1. from and to do not overlap. */
peft_status pf_pos_embed_resample(peft_context *ctx, const char *rule, const pk_real *from, int prefix,
                                  int rows0, int cols0, pk_real *to, int rows1, int cols1, int64_t width);
/* PEFT_OK: the rule exists. PEFT_E_OPTION: it does not; the message lists the rules. */
peft_status pf_pos_embed_check_rule(const char *rule);
#endif
