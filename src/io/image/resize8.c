/* SPDX-License-Identifier: Apache-2.0
 * resize8.c -- the passes over 8-bit samples, as in Pillow: weights are int32 in units of 2^-22, sums are int32, and
 * each pass rounds its results to 8 bits. */
#include "io/image/resize.h"

/* Fractional bits of a weight: of the 32 bits of a sum, 8 hold the sample, one the sign, and one is needed for sums
 * above 255, which filters with negative weights give. HALF: 0.5 in these units. */
enum { FRACTION_BITS = 32 - 8 - 2, HALF = 1 << (FRACTION_BITS - 1) };

/* w->weight in fixed point, rounded; the caller frees it. NULL: no memory. */
static int32_t *fixed_point(const io_weights *w)
{
    int64_t n = w->size * w->stride;
    int32_t *fixed = io_alloc(w->ctx, n, sizeof *fixed);
    for (int64_t i = 0; fixed && i < n; i++) {
        double v = w->weight[i] * (1 << FRACTION_BITS);
        fixed[i] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    }
    return fixed;
}

/* The sample of a sum that began with HALF, which rounds it to nearest. */
static uint8_t to_sample(int32_t sum)
{
    int32_t v = sum >> FRACTION_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Resamples one row [width, channels], whose first pixel lies at position origin, to [w->size, channels]. channels is a
 * constant in each call, so that the compiler makes a loop for each number of channels. */
static inline void resample_row(const uint8_t *from, uint8_t *to, const int channels, const io_weights *w,
                                int64_t origin, const int32_t *fixed)
{
    for (int64_t x = 0; x < w->size; x++, to += channels) {
        const int32_t *weight = fixed + x * w->stride, count = (int32_t)w->count[x];
        const uint8_t *pixel = from + (w->first[x] - origin) * channels;
        int32_t sum[3] = { HALF, HALF, HALF };
        for (int32_t k = 0; k < count; k++, pixel += channels)
            for (int c = 0; c < channels; c++) sum[c] += pixel[c] * weight[k];
        for (int c = 0; c < channels; c++) to[c] = to_sample(sum[c]);
    }
}

peft_status io_horizontal8(const io_raster *from, int64_t start, int64_t length, const io_weights *w, int64_t origin,
                           io_rounding rounding, void *to)
{
    (void)rounding;
    int64_t row_size = from->width * from->channels;
    const uint8_t *row = (const uint8_t *)from->data + start * row_size;
    uint8_t *result = to;
    int32_t *fixed = fixed_point(w);
    if (!fixed) return io_nomem("resize");
    for (int64_t y = 0; y < length; y++, row += row_size, result += w->size * from->channels)
        if (from->channels == 1) resample_row(row, result, 1, w, origin, fixed);
        else resample_row(row, result, 3, w, origin, fixed);
    peft_sys_free(w->ctx, fixed);
    return PEFT_OK;
}

/* Makes n samples of one result row: the sum of count input rows, times weight [count]. An input row begins row_size
 * samples after the one above it; sums [n] is scratch. */
static void sum_rows(const uint8_t *from, int64_t row_size, uint8_t *to, int64_t n, int64_t count,
                     const int32_t *weight, int32_t *sums)
{
    for (int64_t i = 0; i < n; i++) sums[i] = HALF;
    for (int64_t k = 0; k < count; k++, from += row_size)
        for (int64_t i = 0; i < n; i++) sums[i] += from[i] * weight[k];
    for (int64_t i = 0; i < n; i++) to[i] = to_sample(sums[i]);
}

peft_status io_vertical8(const io_raster *from, int64_t start, int64_t length, const io_weights *w, int64_t origin,
                         io_rounding rounding, void *to)
{
    (void)rounding;
    int64_t row_size = from->width * from->channels, n = length * from->channels;
    const uint8_t *first_row = (const uint8_t *)from->data + start * from->channels;
    int32_t *fixed = fixed_point(w), *sums = io_alloc(w->ctx, n, sizeof *sums);
    bool allocated = fixed && sums;
    for (int64_t y = 0; allocated && y < w->size; y++)
        sum_rows(first_row + (w->first[y] - origin) * row_size, row_size, (uint8_t *)to + y * n, n, w->count[y],
                 fixed + y * w->stride, sums);
    peft_sys_free(w->ctx, fixed);
    peft_sys_free(w->ctx, sums);
    return allocated ? PEFT_OK : io_nomem("resize");
}
