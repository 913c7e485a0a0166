/* SPDX-License-Identifier: Apache-2.0
 * image.c -- making images, and the getters. */
#include "io/image/image.h"

peft_status io_image_new(int64_t width, int64_t height, int channels, int depth, peft_image **out)
{
    int64_t pixels, bytes;
    if (width < 1 || height < 1 || (channels != 1 && channels != 3) || (depth != 8 && depth != 16))
        return io_fail(PEFT_E_INVALID, "image: %lld x %lld, %d channels of %d bits; expected positive sides, 1 or 3 "
                       "channels, 8 or 16 bits (or PEFT_SIGNED_16)", (long long)width, (long long)height, channels,
                       depth);
    if (__builtin_mul_overflow(width, height, &pixels) ||
        __builtin_mul_overflow(pixels, (int64_t)(channels * depth / 8), &bytes) || bytes > 1ll << 46)
        return io_fail(PEFT_E_INVALID, "image: %lld x %lld is too large", (long long)width, (long long)height);
    peft_image *im = io_alloc((int64_t)sizeof *im + bytes, 1);
    if (!im) return io_nomem("image");
    atomic_init(&im->refs, 1);
    im->channels = channels;
    im->depth = depth;
    im->width = width;
    im->height = height;
    *out = im;
    return PEFT_OK;
}

peft_status io_image_like(const peft_image *im, int64_t width, int64_t height, int channels, peft_image **out)
{
    peft_status s = io_image_new(width, height, channels, im->depth, out);
    if (!s) (*out)->is_signed = im->is_signed;
    return s;
}

peft_image *io_image_retain(const peft_image *im)
{
    peft_image *same = (peft_image *)im;
    io_retain(&same->refs);
    return same;
}

void peft_image_free(peft_image *im)
{
    if (!im || !io_release(&im->refs)) return;
    free(im->alpha);
    free(im);
}

peft_status peft_image_from_buffer(const void *pixels, int64_t width, int64_t height, int channels, int depth,
                                   int64_t row_bytes, peft_image **out)
{
    peft_image *im;
    if (!pixels || !out) return io_fail(PEFT_E_INVALID, "image from buffer: %s is NULL", pixels ? "out" : "pixels");
    bool is_signed = depth == PEFT_SIGNED_16;
    peft_status s = io_image_new(width, height, channels, is_signed ? 16 : depth, &im);
    if (s) return s;
    im->is_signed = is_signed;
    size_t row = io_image_row(im);
    if (row_bytes && (row_bytes < 0 || (size_t)row_bytes < row)) {
        peft_image_free(im);
        return io_fail(PEFT_E_INVALID, "image from buffer: row_bytes is %lld, a row has %zu", (long long)row_bytes,
                       row);
    }
    size_t step = row_bytes ? (size_t)row_bytes : row;
    for (int64_t y = 0; y < height; y++)
        memcpy((uint8_t *)im->pixels + (size_t)y * row, (const uint8_t *)pixels + (size_t)y * step, row);
    *out = im;
    return PEFT_OK;
}

int64_t     peft_image_width(const peft_image *im) { return im ? im->width : 0; }
int64_t     peft_image_height(const peft_image *im) { return im ? im->height : 0; }
int         peft_image_channels(const peft_image *im) { return im ? im->channels : 0; }
int         peft_image_depth(const peft_image *im) { return !im ? 0 : im->is_signed ? PEFT_SIGNED_16 : im->depth; }
const void *peft_image_pixels(const peft_image *im) { return im ? im->pixels : NULL; }
