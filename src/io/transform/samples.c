/* SPDX-License-Identifier: Apache-2.0
 * samples.c -- what a transform does to samples before it resizes: map a range to 16 bits, put transparent pixels on
 * white, turn colour into luma. */
#include "io/transform/transform.h"

peft_status io_windowed(const io_range *range, const peft_image *im, peft_image **out)
{
    const double lo = range->end[0], hi = range->end[1];
    char from[32], up_to[32];
    if (!range->given && im->is_signed)
        return io_fail(PEFT_E_INVALID, "transform: the image's samples are signed, so that their range is not known; "
                       "give it in the preprocessing: range=lo:hi, the samples that become 0 and 1 (range=-1000:400)");
    if (!range->given) {
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    if (lo < (double)io_lowest(im) || hi > (double)io_highest(im))
        return io_fail(PEFT_E_INVALID, "transform: range=%s:%s, the image's samples are %s of %d bits, in %lld..%lld",
                       io_number(from, lo), io_number(up_to, hi), im->is_signed ? "signed" : "unsigned", im->depth,
                       (long long)io_lowest(im), (long long)io_highest(im));
    peft_image *to;
    peft_status s = io_image_new(im->width, im->height, im->channels, 16, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++) {
        double v = ((double)io_sample(im, i) - lo) / (hi - lo);
        io_set_sample(to, i, v <= 0 ? 0 : v >= 1 ? 65535 : (int64_t)(v * 65535 + 0.5));
    }
    *out = to;
    return PEFT_OK;
}

/* Sample v with alpha a on a white background: 8 bits round as Pillow's alpha_composite does, 16 bits to the
 * nearest. */
static int64_t on_white(int64_t v, int64_t a, int depth)
{
    if (depth == 16) return (v * a + 65535 * (65535 - a) + 32767) / 65535;
    if (a == 0) return 255;
    int64_t part = a * 128, sum = v * part + 255 * (255 * 128 - part) + 0x80 * 128;
    return (((sum >> 8) + sum) >> 8) >> 7;
}

peft_status io_on_white(const peft_image *im, peft_image **out)
{
    if (!im->alpha) {
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    peft_image *to;
    peft_status s = io_image_like(im, im->width, im->height, im->channels, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height * im->channels; i++) {
        int64_t at = i / im->channels;
        int64_t a = im->depth == 8 ? ((const uint8_t *)im->alpha)[at] : ((const uint16_t *)im->alpha)[at];
        io_set_sample(to, i, on_white(io_sample(im, i), a, im->depth));
    }
    *out = to;
    return PEFT_OK;
}

int64_t io_luma_at(const peft_image *im, int64_t pixel)
{
    if (im->channels == 1) return io_sample(im, pixel);
    int64_t i = 3 * pixel;
    return (19595 * io_sample(im, i) + 38470 * io_sample(im, i + 1) + 7471 * io_sample(im, i + 2) + 0x8000) >> 16;
}

peft_status io_luma(const peft_image *im, peft_image **out)
{
    if (im->channels == 1) {
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    peft_image *to;
    peft_status s = io_image_like(im, im->width, im->height, 1, &to);
    if (s) return s;
    for (int64_t i = 0; i < im->width * im->height; i++) io_set_sample(to, i, io_luma_at(im, i));
    *out = to;
    return PEFT_OK;
}
