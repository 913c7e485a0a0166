/* SPDX-License-Identifier: Apache-2.0
 * resize8.c -- the passes over 8-bit samples: weights in fixed point with 22 fractional bits, sums of 32 bits, results
 * rounded to 8 bits after each pass, as in Pillow. */
#include "io/image/resize.h"

enum { DIGITS = 32 - 8 - 2 };                                 /* 8 bits of a sample; 2 for overshoot and sign */

static int32_t *fixed_weights(const io_taps *t)
{
    int64_t n = t->size * t->most;
    int32_t *w = io_alloc(t->ctx, n, sizeof *w);
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

/* One row [width, channels], whose first pixel is at position base, to [t->size, channels]. channels is a constant in
 * each call, so that the compiler makes a loop for each of them. */
static inline void across(const uint8_t *from, uint8_t *to, const int channels, const io_taps *t, int64_t base,
                          const int32_t *weight)
{
    for (int64_t x = 0; x < t->size; x++, to += channels) {
        const int32_t *w = weight + x * t->most, count = (int32_t)t->count[x];
        const uint8_t *p = from + (t->first[x] - base) * channels;
        int32_t sum[3] = { 1 << (DIGITS - 1), 1 << (DIGITS - 1), 1 << (DIGITS - 1) };
        for (int32_t k = 0; k < count; k++, p += channels)
            for (int c = 0; c < channels; c++) sum[c] += p[c] * w[k];
        for (int c = 0; c < channels; c++) to[c] = clip(sum[c]);
    }
}

peft_status io_across8(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                       io_rounding rounding, void *to)
{
    (void)rounding;
    int64_t row = from->width * from->channels;
    const uint8_t *p = (const uint8_t *)from->data + start * row;
    uint8_t *q = to;
    int32_t *weight = fixed_weights(t);
    if (!weight) return io_nomem("resize");
    for (int64_t y = 0; y < length; y++, p += row, q += t->size * from->channels)
        if (from->channels == 1) across(p, q, 1, t, base, weight);
        else across(p, q, 3, t, base, weight);
    peft_sys_free(t->ctx, weight);
    return PEFT_OK;
}

/* n samples of one result row from count source rows, which begin row samples apart; sums [n] is scratch. */
static void down(const uint8_t *from, int64_t row, uint8_t *to, int64_t n, int64_t count, const int32_t *w,
                 int32_t *sums)
{
    for (int64_t i = 0; i < n; i++) sums[i] = 1 << (DIGITS - 1);
    for (int64_t k = 0; k < count; k++, from += row)
        for (int64_t i = 0; i < n; i++) sums[i] += from[i] * w[k];
    for (int64_t i = 0; i < n; i++) to[i] = clip(sums[i]);
}

peft_status io_down8(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                     io_rounding rounding, void *to)
{
    (void)rounding;
    int64_t row = from->width * from->channels, n = length * from->channels;
    const uint8_t *p = (const uint8_t *)from->data + start * from->channels;
    int32_t *weight = fixed_weights(t), *sums = io_alloc(t->ctx, n, sizeof *sums);
    bool fits = weight && sums;
    for (int64_t y = 0; fits && y < t->size; y++)
        down(p + (t->first[y] - base) * row, row, (uint8_t *)to + y * n, n, t->count[y], weight + y * t->most, sums);
    peft_sys_free(t->ctx, weight);
    peft_sys_free(t->ctx, sums);
    return fits ? PEFT_OK : io_nomem("resize");
}
