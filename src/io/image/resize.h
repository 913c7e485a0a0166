/* SPDX-License-Identifier: Apache-2.0
 * resize.h -- antialiased resizing as Pillow defines it: a horizontal and a vertical pass. When an axis shrinks, its
 * filter is widened by the scale; the weights of an output position are computed in double and sum to 1. Only a
 * rectangle of the result (io_part) is computed, so that a crop after a resize costs little. */
#ifndef IO_RESIZE_H
#define IO_RESIZE_H
#include "io/image/image.h"

/* The filters (weights.c), and their names in the same order. */
typedef enum io_filter { IO_BICUBIC, IO_BILINEAR, IO_NEAREST, IO_BOX, IO_HAMMING, IO_LANCZOS } io_filter;
#define IO_FILTERS "bicubic|bilinear|nearest|box|hamming|lanczos"

/* The order of the passes, and its names: which pass comes first when W x H pixels become w x h. IO_PILLOW12 (Pillow
 * 12.1 and older): the horizontal one. IO_PILLOW13 (Pillow 13.0): the vertical one where H > h and H - h > 2 (W - w),
 * else the horizontal one. The order matters because results are rounded after each pass. */
typedef enum io_order { IO_PILLOW13, IO_PILLOW12 } io_order;
#define IO_ORDERS "pillow13|pillow12"
/* Reads "bicubic" or, with an order, "bicubic:pillow12". */
peft_status io_filter_named(const char *name, io_filter *out, io_order *order);

/* A rectangle of the resized image, in pixels. */
typedef struct io_part { int64_t left, top, width, height; } io_part;
/* A resize to width x height pixels, of which only part is computed. part lies inside the resized image. */
typedef struct io_scaling { int64_t width, height; io_filter filter; io_order order; io_part part; } io_scaling;
/* The resize with all of its result as part. */
static inline io_scaling io_whole(int64_t width, int64_t height, io_filter filter, io_order order)
{
    return (io_scaling){ width, height, filter, order, { 0, 0, width, height } };
}

/* The filter weights of one axis. Output position i, i < size, is the sum over k < count[i] of weight[i * stride + k]
 * times the input at first[i] + k. Every count is 1..stride. With the box filter from 4 to 2 pixels: first {0, 2},
 * count {2, 2}, all weights 0.5. */
typedef struct io_weights { peft_context *ctx; int64_t size, stride, *first, *count; double *weight; } io_weights;
/* For an axis that is resized from input_size to output_size pixels: the weights of its output positions start..
 * start + size - 1, of which the first is position 0 of *out. */
peft_status io_weights_make(peft_context *ctx, int64_t input_size, int64_t output_size, int64_t start, int64_t size,
                            io_filter filter, io_weights *out);
void        io_weights_free(io_weights *w);

/* The input of a pass, samples [height, width, channels]: those of an image, or the result of the first pass, which is
 * bytes for 8-bit images and doubles for all others. */
typedef enum io_raster_type { IO_BYTES, IO_WORDS, IO_SIGNED_WORDS, IO_FLOATS, IO_DOUBLES } io_raster_type;
typedef struct io_raster { int64_t width, height, channels; io_raster_type type; const void *data; } io_raster;
io_raster io_raster_of(const peft_image *im);
/* What a pass writes: bytes; or doubles that are rounded to whole numbers (half away from zero) or to the precision of
 * float, and not clipped. */
typedef enum io_rounding { IO_TO_BYTE, IO_TO_INT, IO_TO_FLOAT } io_rounding;

/* One pass. A horizontal pass changes the width: of `length` rows from row `start` on it makes [length, w->size,
 * channels]. A vertical pass changes the height: of `length` columns from column `start` on it makes [w->size, length,
 * channels]. origin: how many rows or columns of the image are missing before the first one of `from`, along the
 * resampled axis; w->first counts in the whole image. 0 for an image. The first pass makes only the rows or columns
 * that the second pass reads, so that its result may begin at a later row or column than the image. rounding:
 * IO_TO_BYTE for the 8-bit passes, another for the wide ones, which serve all other sample types. */
typedef peft_status (*io_pass)(const io_raster *from, int64_t start, int64_t length, const io_weights *w,
                               int64_t origin, io_rounding rounding, void *to);
peft_status io_horizontal8(const io_raster *from, int64_t start, int64_t length, const io_weights *w, int64_t origin,
                           io_rounding rounding, void *to);
peft_status io_vertical8(const io_raster *from, int64_t start, int64_t length, const io_weights *w, int64_t origin,
                         io_rounding rounding, void *to);
peft_status io_horizontal_wide(const io_raster *from, int64_t start, int64_t length, const io_weights *w,
                               int64_t origin, io_rounding rounding, void *to);
peft_status io_vertical_wide(const io_raster *from, int64_t start, int64_t length, const io_weights *w, int64_t origin,
                             io_rounding rounding, void *to);

/* Resizes, also where the size stays the same: then a vertical pass runs. *out [part.height, part.width,
 * channels]: bytes (IO_TO_BYTE) or doubles, in memory of the image's context, which the caller frees. */
peft_status io_resample(const peft_image *im, const io_scaling *s, io_rounding rounding, void **out);
/* Resizes to an image of the same sample type. Where the size stays the same, pixels are copied without a pass. */
peft_status io_resize(const peft_image *im, const io_scaling *s, peft_image **out);
/* The same for a part that may reach beyond the resized image; there samples are 0. */
peft_status io_resize_crop(const peft_image *im, const io_scaling *s, peft_image **out);
/* How a number that lies half-way between two whole ones is rounded: 2.5 to 2 and 3.5 to 4, or both down. */
typedef enum io_half { IO_HALF_EVEN, IO_HALF_DOWN } io_half;
/* Where a centred crop of `crop` pixels begins on a side of `size` pixels: (size - crop) / 2, rounded as half says.
 * A side shorter than the crop gives a negative offset, rounded towards 0: a crop of 6 from 3 begins at -1. */
int64_t io_centre_offset(int64_t size, int64_t crop, io_half half);
/* The width and height of im when its shorter side is resized to size and the longer one in proportion. */
void io_shorter_size(const peft_image *im, int64_t size, int64_t *width, int64_t *height);
#endif
