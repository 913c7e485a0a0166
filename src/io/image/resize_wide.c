/* SPDX-License-Identifier: Apache-2.0
 * resize_wide.c -- the passes over samples wider than 8 bits: sums in double, rounded after each pass. */
#include "io/image/resize.h"
#include <math.h>

static double round_to(double v, io_rounding rounding)
{
    if (rounding == IO_TO_FLOAT) return (double)(float)v;
    return v >= 0.0 ? floor(v + 0.5) : -floor(fabs(v) + 0.5);
}

/* Samples at, at + 1, .., at + n - 1 as doubles. */
static void load(const io_raster *from, int64_t at, int64_t n, double *to)
{
    const uint8_t *bytes = from->data;
    const uint16_t *words = from->data;
    const int16_t *signed_words = from->data;
    const float *floats = from->data;
    switch (from->kind) {
    case IO_BYTES: for (int64_t i = 0; i < n; i++) to[i] = bytes[at + i]; break;
    case IO_WORDS: for (int64_t i = 0; i < n; i++) to[i] = words[at + i]; break;
    case IO_SIGNED_WORDS: for (int64_t i = 0; i < n; i++) to[i] = signed_words[at + i]; break;
    case IO_FLOATS: for (int64_t i = 0; i < n; i++) to[i] = (double)floats[at + i]; break;
    default: memcpy(to, (const double *)from->data + at, (size_t)n * sizeof *to);
    }
}

static void across(const double *from, double *to, int64_t channels, const io_taps *t, int64_t base,
                   io_rounding rounding)
{
    for (int64_t x = 0; x < t->size; x++)
        for (int64_t c = 0; c < channels; c++) {
            const double *w = t->weight + x * t->most, *p = from + (t->first[x] - base) * channels + c;
            double sum = 0;
            for (int64_t k = 0; k < t->count[x]; k++) sum += p[k * channels] * w[k];
            *to++ = round_to(sum, rounding);
        }
}

peft_status io_across_wide(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                           io_rounding rounding, void *to)
{
    int64_t row = from->width * from->channels;
    double *line = io_alloc(t->ctx, row, sizeof *line);
    if (!line) return io_nomem("resize");
    for (int64_t y = 0; y < length; y++) {
        load(from, (start + y) * row, row, line);
        across(line, (double *)to + y * t->size * from->channels, from->channels, t, base, rounding);
    }
    peft_sys_free(t->ctx, line);
    return PEFT_OK;
}

peft_status io_down_wide(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                         io_rounding rounding, void *to)
{
    int64_t row = from->width * from->channels, n = length * from->channels;
    double *line = io_alloc(t->ctx, n, sizeof *line), *sum = to;
    if (!line) return io_nomem("resize");
    for (int64_t y = 0; y < t->size; y++, sum += n) {
        memset(sum, 0, (size_t)n * sizeof *sum);
        for (int64_t k = 0; k < t->count[y]; k++) {
            const double w = t->weight[y * t->most + k];
            load(from, (t->first[y] - base + k) * row + start * from->channels, n, line);
            for (int64_t i = 0; i < n; i++) sum[i] += line[i] * w;
        }
        for (int64_t i = 0; i < n; i++) sum[i] = round_to(sum[i], rounding);
    }
    peft_sys_free(t->ctx, line);
    return PEFT_OK;
}
