/* SPDX-License-Identifier: Apache-2.0
 * resize.h -- antialiased two-pass resampling as Pillow defines it: shrinking widens the filter by the scale, weights
 * are computed in double and sum to 1. Only those rows and columns are computed that the wanted part of the result
 * needs. */
#ifndef IO_RESIZE_H
#define IO_RESIZE_H
#include "io/image/image.h"

typedef enum io_filter { IO_BICUBIC, IO_BILINEAR, IO_NEAREST, IO_BOX, IO_HAMMING, IO_LANCZOS } io_filter;
#define IO_FILTERS "bicubic|bilinear|nearest|box|hamming|lanczos"

/* Which pass comes first when W x H becomes w x h. IO_PILLOW12 (Pillow 12.1 and older): the horizontal one. IO_PILLOW13
 * (Pillow 13.0): the vertical one where H > h and H - h > 2 (W - w), else the horizontal one. 8-bit results differ, as
 * they are rounded between the passes. */
typedef enum io_order { IO_PILLOW13, IO_PILLOW12 } io_order;
#define IO_ORDERS "pillow13|pillow12"
peft_status io_filter_named(const char *name, io_filter *out, io_order *order);           /* of "bicubic:pillow12" */

typedef struct io_part { int64_t left, top, width, height; } io_part;
/* The image is resized to width x height, of which only part is computed; part lies inside it. */
typedef struct io_scaling { int64_t width, height; io_filter filter; io_order order; io_part part; } io_scaling;
static inline io_scaling io_whole(int64_t width, int64_t height, io_filter filter, io_order order)
{
    return (io_scaling){ width, height, filter, order, { 0, 0, width, height } };
}

/* The taps of one axis. Output position start + i, i < size, is the sum over k < count[i] of weight[i * most + k] times
 * the input at first[i] + k. most: the largest count; every count is at least 1. */
typedef struct io_taps { peft_context *ctx; int64_t size, most, *first, *count; double *weight; } io_taps;
peft_status io_taps_make(peft_context *ctx, int64_t from, int64_t to, int64_t start, int64_t size, io_filter filter,
                         io_taps *out);
void        io_taps_free(io_taps *t);

/* The input of a pass, samples [height, width, channels]: those of an image, or the doubles that a first pass over
 * samples wider than 8 bits made. */
typedef enum io_kind { IO_BYTES, IO_WORDS, IO_SIGNED_WORDS, IO_FLOATS, IO_DOUBLES } io_kind;
typedef struct io_raster { int64_t width, height, channels; io_kind kind; const void *data; } io_raster;
io_raster io_raster_of(const peft_image *im);
/* What a pass writes: bytes; or doubles rounded to whole numbers (half away from zero) or to float, not clipped. */
typedef enum io_rounding { IO_TO_BYTE, IO_TO_INT, IO_TO_FLOAT } io_rounding;

/* One pass. An across pass resamples length rows from row start on along x, to [length, t->size, channels]; a down pass
 * resamples length columns from column start on along y, to [t->size, length, channels]. base is subtracted from
 * t->first, because the result of a first pass begins at that position of the image. */
typedef peft_status (*io_pass)(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                               io_rounding rounding, void *to);
peft_status io_across8(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                       io_rounding rounding, void *to);
peft_status io_down8(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                     io_rounding rounding, void *to);
peft_status io_across_wide(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                           io_rounding rounding, void *to);
peft_status io_down_wide(const io_raster *from, int64_t start, int64_t length, const io_taps *t, int64_t base,
                         io_rounding rounding, void *to);

/* *out [part.height, part.width, channels], bytes or doubles as rounding says, in memory of the image's context. */
peft_status io_resample(const peft_image *im, const io_scaling *s, io_rounding rounding, void **out);
/* The part as an image of the same type. Where the size stays the same, pixels are copied without resampling. */
peft_status io_resize(const peft_image *im, const io_scaling *s, peft_image **out);
/* The same for a part that may reach beyond the resized image: samples outside are 0. */
peft_status io_resize_crop(const peft_image *im, const io_scaling *s, peft_image **out);
/* Where a centred crop of want begins: (size - want) / 2, rounded half to even or down. A side that is too short gives
 * a negative start, rounded towards 0: 3 of 6 begins at -1. */
int64_t io_centre_offset(int64_t size, int64_t want, bool round_even);
/* Both sides when the shorter one becomes size. */
void io_shorter_size(const peft_image *im, int64_t size, int64_t *width, int64_t *height);
#endif
