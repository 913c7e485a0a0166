/* SPDX-License-Identifier: Apache-2.0
 * luma.h -- the luma of a pixel (ITU-R 601: 0.299 R + 0.587 G + 0.114 B), rounded to nearest. */
#ifndef IO_LUMA_H
#define IO_LUMA_H
#include "io/image/image.h"

/* Luma of pixel number `pixel` (y * width + x) of an image of integers. The weights are in units of 2^-16, as in
 * Pillow. */
static inline int64_t io_luma_at(const peft_image *im, int64_t pixel)
{
    if (im->channels == 1) return io_sample(im, pixel);
    int64_t i = 3 * pixel;
    return (19595 * io_sample(im, i) + 38470 * io_sample(im, i + 1) + 7471 * io_sample(im, i + 2) + 0x8000) >> 16;
}
#endif
