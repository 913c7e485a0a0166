/* SPDX-License-Identifier: Apache-2.0
 * percentile.h -- percentiles of an image's samples. */
#ifndef IO_PERCENTILE_H
#define IO_PERCENTILE_H
#include "io/image/image.h"

/* Two percentiles (0..100) of all samples of a finite image, all channels together, after the rescale: in double and
 * with linear interpolation, as numpy.percentile of a float64 array gives them. */
peft_status io_percentiles(const peft_image *im, const double percent[2], double out[2]);
#endif
