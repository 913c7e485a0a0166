/* SPDX-License-Identifier: Apache-2.0
 * image.c -- the table of sample types; creates, copies, rescales and frees images; their getters. */
#include "io/image/image.h"
#include <float.h>
#include <math.h>

const io_type_row io_types[IO_TYPES] = {
    [IO_U8] =  { "unsigned of 8 bits",  8,              1, 0, UINT8_MAX },
    [IO_U16] = { "unsigned of 16 bits", 16,             2, 0, UINT16_MAX },
    [IO_I16] = { "signed of 16 bits",   PEFT_SIGNED_16, 2, INT16_MIN, INT16_MAX },
    [IO_F32] = { "floating-point",      PEFT_FLOAT_32,  4, -FLT_MAX, FLT_MAX } };

/* The full range of samples of a type: all that unsigned samples can hold; not known for others. */
static void full_range_of(io_type type, double full[2])
{
    const bool known = type == IO_U8 || type == IO_U16;
    full[0] = known ? io_types[type].lowest : NAN;
    full[1] = known ? io_types[type].highest : NAN;
}

/* Copies what the samples of im mean, the distances between its pixels and the directions of its axes. */
static void copy_meaning(const peft_image *im, peft_image *to)
{
    to->slope = im->slope;
    to->intercept = im->intercept;
    memcpy(to->full, im->full, sizeof to->full);
    to->windowed = im->windowed;
    memcpy(to->spacing, im->spacing, sizeof to->spacing);
    memcpy(to->directions, im->directions, sizeof to->directions);
}

peft_status io_image_new(peft_context *ctx, int64_t width, int64_t height, int channels, io_type type,
                         peft_image **out)
{
    int64_t pixels, bytes;
    if (width < 1 || height < 1 || (channels != 1 && channels != 3))
        return io_fail(PEFT_E_INVALID, "image: %lldx%lld pixels (height x width), %d channels; expected positive "
                       "sides, 1 or 3 channels", (long long)height, (long long)width, channels);
    if (__builtin_mul_overflow(width, height, &pixels) ||
        __builtin_mul_overflow(pixels, channels * (int64_t)io_types[type].bytes, &bytes) || bytes > 1ll << 46)
        return io_fail(PEFT_E_INVALID, "image: %lldx%lld pixels (height x width) of %d channels are too large; "
                       "expected at most 2^46 bytes", (long long)height, (long long)width, channels);
    peft_image *im = io_alloc(ctx, (int64_t)sizeof *im + bytes, 1);
    if (!im) return io_nomem("image");
    im->ctx = peft_sys_context_retain(ctx);
    atomic_init(&im->refs, 1);
    im->channels = channels;
    im->type = type;
    im->slope = 1;                                            /* the intercept is 0 already */
    full_range_of(type, im->full);
    im->width = width;
    im->height = height;
    *out = im;
    return PEFT_OK;
}

peft_status io_image_like(const peft_image *im, int64_t width, int64_t height, int channels, peft_image **out)
{
    peft_status s = io_image_new(im->ctx, width, height, channels, im->type, out);
    if (!s) copy_meaning(im, *out);
    return s;
}

void io_image_range_unknown(peft_image *im) { im->full[0] = im->full[1] = NAN; }

void io_image_scale(peft_image *im, double slope, double intercept)
{
    im->slope = slope;
    im->intercept = intercept;
    if (io_rescaled(im)) io_image_range_unknown(im);
}

void io_image_drop_opaque(peft_image *im)
{
    const int64_t n = im->alpha ? im->width * im->height : 0;
    for (int64_t i = 0; i < n; i++)
        if (im->type == IO_U8 ? ((uint8_t *)im->alpha)[i] != UINT8_MAX : ((uint16_t *)im->alpha)[i] != UINT16_MAX)
            return;
    peft_sys_free(im->ctx, im->alpha);
    im->alpha = NULL;
}

peft_image *io_image_retain(const peft_image *im)
{
    peft_image *counted = (peft_image *)im;                   /* the reference count is not part of the const value */
    io_retain(&counted->refs);
    return counted;
}

void peft_image_free(peft_image *im)
{
    if (!im || !io_release(&im->refs)) return;
    peft_context *ctx = im->ctx;
    peft_sys_free(ctx, im->alpha);
    peft_sys_free(ctx, im);
    peft_context_free(ctx);
}

peft_status peft_image_from_buffer(peft_context *ctx, const void *pixels, int64_t width, int64_t height, int channels,
                                   int depth, int64_t row_bytes, peft_image **out)
{
    peft_image *im;
    if (!ctx || !pixels || !out)
        return io_fail(PEFT_E_INVALID, "image from buffer: %s is NULL", !ctx ? "ctx" : pixels ? "out" : "pixels");
    io_type type = IO_U8;
    while (type < IO_TYPES && io_types[type].depth != depth) type++;
    if (type == IO_TYPES)
        return io_fail(PEFT_E_INVALID, "image from buffer: depth is %d, expected 8, 16, PEFT_SIGNED_16 or "
                       "PEFT_FLOAT_32", depth);
    peft_status s = io_image_new(ctx, width, height, channels, type, &im);
    if (s) return s;
    const size_t row_size = io_image_row_bytes(im);           /* bytes of a row without the gap behind it */
    if (row_bytes && (row_bytes < 0 || (size_t)row_bytes < row_size)) {
        peft_image_free(im);
        return io_fail(PEFT_E_INVALID, "image from buffer: row_bytes is %lld; expected 0 (no gaps) or at least %zu, "
                       "the bytes of a row", (long long)row_bytes, row_size);
    }
    const size_t stride = row_bytes ? (size_t)row_bytes : row_size;
    for (int64_t y = 0; y < height; y++)
        memcpy((uint8_t *)im->pixels + (size_t)y * row_size, (const uint8_t *)pixels + (size_t)y * stride, row_size);
    *out = im;
    return PEFT_OK;
}

peft_status io_image_copy(peft_context *ctx, const peft_image *im, peft_image **out)
{
    peft_image *to = NULL;
    peft_status s = io_image_new(ctx, im->width, im->height, im->channels, im->type, &to);
    if (s) return s;
    const size_t alpha_bytes = (size_t)(im->width * im->height) * io_types[im->type].bytes;
    if (im->alpha && !(to->alpha = peft_sys_alloc(ctx, alpha_bytes))) {
        peft_image_free(to);
        return io_nomem("copy of an image");
    }
    memcpy(to->pixels, im->pixels, io_image_bytes(im));
    if (im->alpha) memcpy(to->alpha, im->alpha, alpha_bytes);
    copy_meaning(im, to);
    *out = to;
    return PEFT_OK;
}

/* The new slope and intercept apply to the samples, not to the values of an earlier rescale: they replace those of
 * im. */
peft_status peft_image_rescale(const peft_image *im, double slope, double intercept, peft_image **out)
{
    peft_image *to;
    char text[2][32];
    if (!im || !out) return io_fail(PEFT_E_INVALID, "rescale: %s is NULL", im ? "out" : "image");
    if (!(fabs(slope) >= 1e-30 && fabs(slope) <= 1e30 && fabs(intercept) <= 1e30))     /* values stay finite doubles */
        return io_fail(PEFT_E_INVALID, "rescale: slope %s, intercept %s; expected a slope of 1e-30..1e30 and an "
                       "intercept of up to 1e30, both positive or negative", peft_sys_opt_number(text[0], slope),
                       peft_sys_opt_number(text[1], intercept));
    peft_status s = io_image_copy(im->ctx, im, &to);
    if (s) return s;
    to->slope = slope;
    to->intercept = intercept;
    to->full[0] = to->full[1] = NAN;
    to->windowed = false;
    *out = to;
    return PEFT_OK;
}

int64_t     peft_image_width(const peft_image *im) { return im ? im->width : 0; }
int64_t     peft_image_height(const peft_image *im) { return im ? im->height : 0; }
int         peft_image_channels(const peft_image *im) { return im ? im->channels : 0; }
int         peft_image_depth(const peft_image *im) { return im ? io_types[im->type].depth : 0; }
double      peft_image_slope(const peft_image *im) { return im ? im->slope : 0; }
double      peft_image_intercept(const peft_image *im) { return im ? im->intercept : 0; }

void peft_image_spacing(const peft_image *im, double *spacing)
{
    for (int i = 0; i < 3 && spacing; i++) spacing[i] = im ? im->spacing[i] : 0;
}

const char *peft_image_directions(const peft_image *im) { return im ? im->directions : ""; }
const void *peft_image_pixels(const peft_image *im) { return im ? im->pixels : NULL; }
