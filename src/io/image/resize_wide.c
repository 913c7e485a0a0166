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

enum { ROWS = 8 };                         /* resampled together: their sums do not wait for each other */

/* Converts n samples of each of `rows` rows to double: to [n, ROWS]. line: room for n. The rows behind `rows` keep what
 * they have. */
static void load_rows(const io_raster *from, int64_t row, int64_t rows, int64_t n, double *line, double *to)
{
    for (int64_t r = 0; r < rows; r++) {
        load_samples(from, (row + r) * n, n, line);
        for (int64_t i = 0; i < n; i++) to[i * ROWS + r] = line[i];
    }
}

/* Resamples the rows from [width, channels, ROWS], whose first pixel lies at position origin, and writes the first
 * `rows` of them to `to` [rows, w->size, channels]. */
static void resample_rows(const double *from, int64_t rows, int64_t channels, const io_weights *w, int64_t origin,
                          io_rounding rounding, double *to)
{
    const int64_t row_size = w->size * channels;
    for (int64_t x = 0; x < w->size; x++)
        for (int64_t c = 0; c < channels; c++) {
            const double *weight = w->weight + x * w->stride;
            const double *p = from + ((w->first[x] - origin) * channels + c) * ROWS;
            double sum[ROWS] = { 0 };
            for (int64_t k = 0; k < w->count[x]; k++)
                for (int r = 0; r < ROWS; r++) sum[r] += p[k * channels * ROWS + r] * weight[k];
            for (int64_t r = 0; r < rows; r++) to[r * row_size + x * channels + c] = round_to(sum[r], rounding);
        }
}

peft_status io_horizontal_wide(const io_raster *from, int64_t start, int64_t length, const io_weights *w,
                               int64_t origin, io_rounding rounding, void *to)
{
    const int64_t row_size = from->width * from->channels;
    double *line = io_alloc(w->ctx, row_size, sizeof *line), *block = io_alloc(w->ctx, row_size * ROWS, sizeof *block);
    const peft_status s = line && block ? PEFT_OK : io_nomem("resize");
    for (int64_t y = 0; y < length && !s; y += ROWS) {
        const int64_t rows = length - y < ROWS ? length - y : ROWS;
        load_rows(from, start + y, rows, row_size, line, block);
        resample_rows(block, rows, from->channels, w, origin, rounding,
                      (double *)to + y * w->size * from->channels);
    }
    peft_sys_free(w->ctx, line);
    peft_sys_free(w->ctx, block);
    return s;
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
