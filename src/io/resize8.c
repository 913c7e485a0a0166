/* SPDX-License-Identifier: Apache-2.0
 * resize8.c -- the 8-bit resampling: weights rounded to 22 binary digits, 32-bit sums, 8 bits between the passes. */
#include "io/resize.h"

enum { DIGITS = 32 - 8 - 2 };                                 /* 8 bits of sample, 2 for what bicubic overshoots */

static int32_t *fixed_weights(const io_taps *t)
{
    int64_t n = t->size * t->most;
    int32_t *w = io_alloc(n, sizeof *w);
    for (int64_t i = 0; w && i < n; i++) {
        double v = t->weight[i] * (1 << DIGITS);
        w[i] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    }
    return w;
}

static uint8_t clip(int32_t sum)
{
    int32_t v = sum >> DIGITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* One row [from width, channels] to [t->size, channels]; inlined for each number of channels. */
static inline void across(const uint8_t *from, uint8_t *to, const int channels, const io_taps *t, const int32_t *weight)
{
    for (int64_t x = 0; x < t->size; x++, to += channels) {
        const int32_t *w = weight + x * t->most, count = (int32_t)t->count[x];
        const uint8_t *p = from + t->first[x] * channels;
        int32_t sum[3] = { 1 << (DIGITS - 1), 1 << (DIGITS - 1), 1 << (DIGITS - 1) };
        for (int32_t k = 0; k < count; k++, p += channels)
            for (int c = 0; c < channels; c++) sum[c] += p[c] * w[k];
        for (int c = 0; c < channels; c++) to[c] = clip(sum[c]);
    }
}

/* Row y of the result from the rows below it; sums [n] is scratch. */
static void down(const uint8_t *rows, uint8_t *to, int64_t n, int64_t y, const io_taps *t, const int32_t *weight,
                 int32_t *sums)
{
    const int32_t *w = weight + y * t->most;
    for (int64_t i = 0; i < n; i++) sums[i] = 1 << (DIGITS - 1);
    for (int64_t k = 0; k < t->count[y]; k++) {
        const uint8_t *p = rows + (t->first[y] + k) * n;
        for (int64_t i = 0; i < n; i++) sums[i] += p[i] * w[k];
    }
    for (int64_t i = 0; i < n; i++) to[i] = clip(sums[i]);
}

/* Exactly one side of to differs from im's. */
static peft_status run(const peft_image *im, const io_taps *t, peft_image *to)
{
    int64_t n = (int64_t)io_image_row(im), m = (int64_t)io_image_row(to);
    const uint8_t *from = (const uint8_t *)im->pixels;
    uint8_t *at = (uint8_t *)to->pixels;
    int32_t *weight = fixed_weights(t), *sums = io_alloc(n, sizeof *sums);
    bool fits = weight && sums;
    for (int64_t y = 0; fits && y < to->height; y++, at += m)
        if (n == m) down(from, at, n, y, t, weight, sums);
        else if (im->channels == 1) across(from + y * n, at, 1, t, weight);
        else across(from + y * n, at, 3, t, weight);
    free(weight);
    free(sums);
    return fits ? PEFT_OK : io_nomem("resize");
}

static peft_status pass(const peft_image *im, int64_t width, int64_t height, io_filter filter, peft_image **out)
{
    io_taps t;
    peft_image *to;
    peft_status s = width != im->width ? io_taps_make(im->width, width, filter, &t)
                                       : io_taps_make(im->height, height, filter, &t);
    if (s) return s;
    if (!(s = io_image_new(width, height, im->channels, 8, &to))) {
        if ((s = run(im, &t, to))) peft_image_free(to);
        else *out = to;
    }
    io_taps_free(&t);
    return s;
}

peft_status io_resize8(const peft_image *im, int64_t width, int64_t height, io_filter filter, peft_image **out)
{
    peft_image *wide;
    if (width == im->width && height == im->height) {
        *out = io_image_retain(im);
        return PEFT_OK;
    }
    if (width == im->width || height == im->height) return pass(im, width, height, filter, out);
    peft_status s = pass(im, width, im->height, filter, &wide);
    if (s) return s;
    s = pass(wide, width, height, filter, out);
    peft_image_free(wide);
    return s;
}
