/* SPDX-License-Identifier: Apache-2.0
 * resize.c -- resampling of samples wider than 8 bits, and the public resizing. */
#include "io/resize.h"
#include <math.h>

static double round_to(double v, io_rounding rounding)
{
    if (rounding == IO_TO_FLOAT) return (double)(float)v;
    return v >= 0.0 ? floor(v + 0.5) : -floor(fabs(v) + 0.5);
}

/* One axis of a [outer, t's from, inner] array: for every outer and output position a weighted sum of rows of inner
 * samples; inner is the channels for the horizontal pass and a row's samples for the vertical one. */
static void pass(const double *from, double *to, int64_t outer, int64_t length, int64_t inner, const io_taps *t,
                 io_rounding rounding)
{
    for (int64_t o = 0; o < outer; o++, from += length * inner)
        for (int64_t i = 0; i < t->size; i++, to += inner) {
            memset(to, 0, (size_t)inner * sizeof *to);
            for (int64_t k = 0; k < t->count[i]; k++) {
                const double *p = from + (t->first[i] + k) * inner, w = t->weight[i * t->most + k];
                for (int64_t e = 0; e < inner; e++) to[e] += p[e] * w;
            }
            for (int64_t e = 0; e < inner; e++) to[e] = round_to(to[e], rounding);
        }
}

/* Replaces *data by its resampled self. */
static peft_status resample(double **data, int64_t outer, int64_t from, int64_t to, int64_t inner, io_filter filter,
                            io_rounding rounding)
{
    io_taps t;
    int64_t n;
    if (from == to) return PEFT_OK;
    if (__builtin_mul_overflow(outer * inner, to, &n)) return io_nomem("resize");
    peft_status s = io_taps_make(from, to, filter, &t);
    if (s) return s;
    double *result = io_alloc(n, sizeof *result);
    if (result) {
        pass(*data, result, outer, from, inner, &t, rounding);
        free(*data);
        *data = result;
    }
    io_taps_free(&t);
    return result ? PEFT_OK : io_nomem("resize");
}

static peft_status check_size(int64_t width, int64_t height)
{
    if (width > 0 && height > 0 && width <= 1 << 24 && height <= 1 << 24) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "resize: to %lld x %lld, expected sides in 1..16777216", (long long)width,
                   (long long)height);
}

peft_status io_resize_wide(const peft_image *im, int64_t width, int64_t height, io_filter filter, io_rounding rounding,
                           double **out)
{
    int64_t n = im->width * im->height * im->channels;
    double *data = io_alloc(n, sizeof *data);
    if (!data) return io_nomem("resize");
    for (int64_t i = 0; i < n; i++)
        data[i] = im->depth == 8 ? ((const uint8_t *)im->pixels)[i] : ((const uint16_t *)im->pixels)[i];
    peft_status s = resample(&data, im->height, im->width, width, im->channels, filter, rounding);
    if (!s) s = resample(&data, 1, im->height, height, width * im->channels, filter, rounding);
    if (s) free(data);
    else *out = data;
    return s;
}

static peft_status resize16(const peft_image *im, int64_t width, int64_t height, io_filter filter, peft_image **out)
{
    peft_image *to;
    double *data = NULL;
    peft_status s = io_resize_wide(im, width, height, filter, IO_TO_INT, &data);
    if (s) return s;
    if (!(s = io_image_new(width, height, im->channels, 16, &to))) {
        for (int64_t i = 0; i < width * height * im->channels; i++)
            ((uint16_t *)to->pixels)[i] = (uint16_t)(data[i] < 0 ? 0 : data[i] > 65535 ? 65535 : data[i]);
        *out = to;
    }
    free(data);
    return s;
}

peft_status io_resize(const peft_image *im, int64_t width, int64_t height, io_filter filter, peft_image **out)
{
    peft_status s = check_size(width, height);
    if (s) return s;
    return im->depth == 8 ? io_resize8(im, width, height, filter, out) : resize16(im, width, height, filter, out);
}

void io_shorter_size(const peft_image *im, int64_t size, int64_t *width, int64_t *height)
{
    int64_t brief = im->width < im->height ? im->width : im->height, longer;
    if (__builtin_mul_overflow(size, im->width < im->height ? im->height : im->width, &longer)) longer = INT64_MAX;
    longer /= brief;
    *width = im->width <= im->height ? size : longer;
    *height = im->width <= im->height ? longer : size;
}

peft_status peft_image_resize(const peft_image *im, int64_t width, int64_t height, const char *filter,
                              peft_image **out)
{
    io_filter f;
    if (!im || !out) return io_fail(PEFT_E_INVALID, "resize: %s is NULL", im ? "out" : "image");
    peft_status s = io_filter_named(filter, &f);
    return s ? s : io_resize(im, width, height, f, out);
}

peft_status peft_image_resize_float(const peft_image *im, int64_t width, int64_t height, const char *filter, float *out)
{
    io_filter f;
    double *data = NULL;
    if (!im || !out) return io_fail(PEFT_E_INVALID, "resize: %s is NULL", im ? "out" : "image");
    peft_status s = check_size(width, height);
    if (!s) s = io_filter_named(filter, &f);
    if (!s) s = io_resize_wide(im, width, height, f, IO_TO_FLOAT, &data);
    if (s) return s;
    for (int64_t i = 0; i < width * height * im->channels; i++) out[i] = (float)data[i];
    free(data);
    return PEFT_OK;
}

peft_status peft_image_resize_shorter(const peft_image *im, int64_t size, const char *filter, peft_image **out)
{
    int64_t width, height;
    if (!im || !out) return io_fail(PEFT_E_INVALID, "resize: %s is NULL", im ? "out" : "image");
    io_shorter_size(im, size, &width, &height);
    return peft_image_resize(im, width, height, filter, out);
}
