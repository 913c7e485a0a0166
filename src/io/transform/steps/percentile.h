/* SPDX-License-Identifier: Apache-2.0
 * percentile.h -- percentiles of an image's values, for range=p1:p99 (window.c). */
#ifndef IO_PERCENTILE_H
#define IO_PERCENTILE_H
#include "io/image/image.h"

/* Sets out to the two percentiles, percent in 0..100, of all values (slope * sample + intercept) of im, all channels
 * together. Computed in double with linear interpolation, as numpy.percentile does for a float64 array. im has no NaN
 * or infinite sample. Fails with PEFT_E_NOMEM only. */
peft_status io_percentiles(const peft_image *im, const double percent[2], double out[2]);
#endif
