/* SPDX-License-Identifier: Apache-2.0
 * resize.h -- antialiased two-pass resampling as Pillow defines it: the filter is stretched by the scale, weights are
 * made in double and sum to 1, the horizontal pass comes first. */
#ifndef IO_RESIZE_H
#define IO_RESIZE_H
#include "io/image.h"

typedef enum io_filter { IO_BICUBIC, IO_BILINEAR } io_filter;
#define IO_FILTERS "bicubic|bilinear"
peft_status io_filter_named(const char *name, io_filter *out);

/* Where every output position of one axis reads: first[i], count[i] and weight[i * most + k], k < count[i]. */
typedef struct io_taps { int64_t size, most, *first, *count; double *weight; } io_taps;
peft_status io_taps_make(int64_t from, int64_t to, io_filter filter, io_taps *out);
void        io_taps_free(io_taps *t);

peft_status io_resize8(const peft_image *im, int64_t width, int64_t height, io_filter filter, peft_image **out);

/* On samples wider than 8 bits, carried in doubles: after each pass they are rounded to whole numbers (half away from
 * zero) or to float. Nothing is clipped. *out [height, width, channels] is the caller's to free. */
typedef enum io_rounding { IO_TO_INT, IO_TO_FLOAT } io_rounding;
peft_status io_resize_wide(const peft_image *im, int64_t width, int64_t height, io_filter filter, io_rounding rounding,
                           double **out);
/* Either depth; an equal size is a copy. */
peft_status io_resize(const peft_image *im, int64_t width, int64_t height, io_filter filter, peft_image **out);
/* The other side when the shorter one becomes size. */
void io_shorter_size(const peft_image *im, int64_t size, int64_t *width, int64_t *height);
#endif
