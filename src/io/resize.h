/* SPDX-License-Identifier: Apache-2.0
 * resize.h -- antialiased two-pass resampling as Pillow defines it: the filter is stretched by the scale, weights are
 * made in double and sum to 1, and only what the wanted part of the result needs is computed. */
#ifndef IO_RESIZE_H
#define IO_RESIZE_H
#include "io/image.h"

typedef enum io_filter { IO_BICUBIC, IO_BILINEAR, IO_NEAREST, IO_BOX, IO_HAMMING, IO_LANCZOS } io_filter;
#define IO_FILTERS "bicubic|bilinear|nearest|box|hamming|lanczos"

/* Which pass comes first: 12: the horizontal one; 13: the vertical one where H > h and H - h > 2 (W - w), for an image
 * of W x H that becomes w x h (Pillow 12.1 and older; Pillow 13.0). 8-bit results differ by the rounding between. */
typedef enum io_order { IO_PILLOW13, IO_PILLOW12 } io_order;
#define IO_ORDERS "pillow13|pillow12"
peft_status io_filter_named(const char *name, io_filter *out, io_order *order);           /* "bicubic:pillow12" */

typedef struct io_part { int64_t left, top, width, height; } io_part;
/* The image becomes width x height; of that, part (inside it) is computed. */
typedef struct io_scaling { int64_t width, height; io_filter filter; io_order order; io_part part; } io_scaling;
static inline io_scaling io_whole(int64_t width, int64_t height, io_filter filter, io_order order)
{
    return (io_scaling){ width, height, filter, order, { 0, 0, width, height } };
}

/* Where the size output positions from start on read along one axis: first[i], count[i] (at least 1), and
 * weight[i * most + k], k < count[i]. */
typedef struct io_taps { int64_t size, most, *first, *count; double *weight; } io_taps;
peft_status io_taps_make(int64_t from, int64_t to, int64_t start, int64_t size, io_filter filter, io_taps *out);
void        io_taps_free(io_taps *t);

/* Samples [height, width, channels] of 8 or 16 bits, or of double between and behind the passes. */
typedef enum io_kind { IO_BYTES, IO_WORDS, IO_SIGNED_WORDS, IO_DOUBLES } io_kind;
typedef struct io_raster { int64_t width, height, channels; io_kind kind; const void *data; } io_raster;
io_raster io_raster_of(const peft_image *im);
/* What a pass makes: bytes; doubles rounded to whole numbers (half away from zero) or to float, neither clipped. */
typedef enum io_rounding { IO_TO_BYTE, IO_TO_INT, IO_TO_FLOAT } io_rounding;

/* One pass: of rows top.. (height of them) every column by the taps, to [height, t->size]; of columns left.. (width of
 * them) every row by the taps, to [t->size, width]. The taps count from base. */
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

/* *out [part.height, part.width, channels], of bytes or doubles as rounding says, is the caller's to free. */
peft_status io_resample(const peft_image *im, const io_scaling *s, io_rounding rounding, void **out);
/* The part as an image of the same depth; an equal size is a copy. */
peft_status io_resize(const peft_image *im, const io_scaling *s, peft_image **out);
/* A centred or other crop of the resized image; what lies outside is 0. */
peft_status io_resize_crop(const peft_image *im, const io_scaling *s, peft_image **out);
/* Where a centred crop starts: half of what is too much, rounded half to even or down; half of what lacks is a negative
 * start, the odd one at the far end. */
int64_t io_centre_offset(int64_t size, int64_t want, bool round_even);
/* The other side when the shorter one becomes size. */
void io_shorter_size(const peft_image *im, int64_t size, int64_t *width, int64_t *height);
#endif
