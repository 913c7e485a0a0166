/* SPDX-License-Identifier: Apache-2.0
 * occlusion.h -- what fills the squares of occlusion maps (fill.c). */
#ifndef PF_OCCLUSION_H
#define PF_OCCLUSION_H
#include "core/vit/shape.h"

typedef enum pf_fill { PF_FILL_MEAN, PF_FILL_ZERO, PF_FILL_BLUR } pf_fill;
/* out [3,h,w]: what an occluded pixel of the image x [3,h,w] becomes; image: h and w. BLUR: the mean of the square of
 * side `width` around it, as far as it lies in the image. between: room for [h,w]. */
void pf_occlusion_fill(pf_fill fill, const pk_real *x, pf_grid image, int64_t width, pk_real *between, pk_real *out);
#endif
