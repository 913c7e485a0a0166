/* SPDX-License-Identifier: Apache-2.0
 * resize_wide.c -- the passes over samples of more than 8 bits, as in Pillow: sums in double, rounded after each
 * pass. */
#include "io/image/resize.h"
#include <math.h>

/* To the precision of float, or to a whole number, half away from zero. */
static double round_to(double v, io_rounding rounding)
{
    if (rounding == IO_TO_FLOAT) return (double)(float)v;
    return v >= 0.0 ? floor(v + 0.5) : -floor(fabs(v) + 0.5);
}

/* Converts samples first..first + n - 1 to double. */
static void load_samples(const io_raster *from, int64_t first, int64_t n, double *to)
{
    const uint8_t *bytes = from->data;
    const uint16_t *words = from->data;
    const int16_t *signed_words = from->data;
    const float *floats = from->data;
    switch (from->type) {
    case IO_BYTES: for (int64_t i = 0; i < n; i++) to[i] = bytes[first + i]; break;
    case IO_WORDS: for (int64_t i = 0; i < n; i++) to[i] = words[first + i]; break;
    case IO_SIGNED_WORDS: for (int64_t i = 0; i < n; i++) to[i] = signed_words[first + i]; break;
    case IO_FLOATS: for (int64_t i = 0; i < n; i++) to[i] = (double)floats[first + i]; break;
    case IO_DOUBLES:
    default: memcpy(to, (const double *)from->data + first, (size_t)n * sizeof *to);
    }
}

/* Resamples one row [width, channels], whose first pixel lies at position origin, to [w->size, channels]. */
static void resample_row(const double *from, double *to, int64_t channels, const io_weights *w, int64_t origin,
                         io_rounding rounding)
{
    for (int64_t x = 0; x < w->size; x++)
        for (int64_t c = 0; c < channels; c++) {
            const double *weight = w->weight + x * w->stride, *p = from + (w->first[x] - origin) * channels + c;
            double sum = 0;
            for (int64_t k = 0; k < w->count[x]; k++) sum += p[k * channels] * weight[k];
            *to++ = round_to(sum, rounding);
        }
}

peft_status io_horizontal_wide(const io_raster *from, int64_t start, int64_t length, const io_weights *w,
                               int64_t origin, io_rounding rounding, void *to)
{
    int64_t row_size = from->width * from->channels;
    double *row = io_alloc(w->ctx, row_size, sizeof *row);
    if (!row) return io_nomem("resize");
    for (int64_t y = 0; y < length; y++) {
        load_samples(from, (start + y) * row_size, row_size, row);
        resample_row(row, (double *)to + y * w->size * from->channels, from->channels, w, origin, rounding);
    }
    peft_sys_free(w->ctx, row);
    return PEFT_OK;
}

peft_status io_vertical_wide(const io_raster *from, int64_t start, int64_t length, const io_weights *w, int64_t origin,
                             io_rounding rounding, void *to)
{
    int64_t row_size = from->width * from->channels, n = length * from->channels;
    double *row = io_alloc(w->ctx, n, sizeof *row), *sum = to;
    if (!row) return io_nomem("resize");
    for (int64_t y = 0; y < w->size; y++, sum += n) {
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int64_t k = 0; k < w->count[y]; k++) {
            const double weight = w->weight[y * w->stride + k];
            load_samples(from, (w->first[y] - origin + k) * row_size + start * from->channels, n, row);
            for (int64_t i = 0; i < n; i++) sum[i] += row[i] * weight;
        }
        for (int64_t i = 0; i < n; i++) sum[i] = round_to(sum[i], rounding);
    }
    peft_sys_free(w->ctx, row);
    return PEFT_OK;
}
