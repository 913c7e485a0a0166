/* SPDX-License-Identifier: Apache-2.0
 * percentile.h -- percentiles of an image's samples. */
#ifndef IO_PERCENTILE_H
#define IO_PERCENTILE_H
#include "io/image/image.h"

/* out: two percentiles, percent in 0..100, of the values of im (after the rescale), all channels together. Computed in
 * double with linear interpolation, as numpy.percentile does for a float64 array. im has no NaN or infinite sample.
 * PEFT_E_NOMEM. */
peft_status io_percentiles(const peft_image *im, const double percent[2], double out[2]);
#endif
