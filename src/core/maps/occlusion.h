/* SPDX-License-Identifier: Apache-2.0
 * occlusion.h -- what fills the squares of occlusion maps (fill.c). */
#ifndef PF_OCCLUSION_H
#define PF_OCCLUSION_H
#include "kernels/pk.h"

typedef enum pf_fill { PF_FILL_MEAN, PF_FILL_ZERO, PF_FILL_BLUR } pf_fill;
/* out [3,side,side]: what an occluded pixel of the image x [3,side,side] becomes. BLUR: the mean of the square of side
 * `width` around it, as far as it lies in the image. between: room for [side,side]. */
void pf_occlusion_fill(pf_fill fill, const pk_real *x, int64_t side, int64_t width, pk_real *between, pk_real *out);
#endif
