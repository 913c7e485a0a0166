/* SPDX-License-Identifier: Apache-2.0
 * image.h -- the struct behind peft_image: immutable once a caller has it, reference-counted, with its pixels in the
 * same allocation. */
#ifndef IO_IMAGE_H
#define IO_IMAGE_H
#include "io/io.h"

struct peft_image {
    atomic_int refs;
    int channels, depth;
    bool is_signed;                                           /* 16-bit samples are int16_t */
    int64_t width, height;
    void *alpha;                                              /* [height, width], as deep as pixels; NULL: opaque */
    uint64_t pixels[];                                        /* [height, width, channels] of uint8_t, (u)int16_t */
};

/* A black image; sizes are checked (positive, product in range). */
peft_status io_image_new(int64_t width, int64_t height, int channels, int depth, peft_image **out);
/* The same with the depth and signedness of im. */
peft_status io_image_like(const peft_image *im, int64_t width, int64_t height, int channels, peft_image **out);
peft_image *io_image_retain(const peft_image *im);
static inline size_t io_image_row(const peft_image *im)       /* bytes */
{
    return (size_t)im->width * (size_t)im->channels * (size_t)(im->depth / 8);
}
static inline size_t io_image_bytes(const peft_image *im) { return io_image_row(im) * (size_t)im->height; }
static inline size_t io_image_memory(const peft_image *im)    /* bytes of the struct, pixels and alpha */
{
    size_t alpha = im->alpha ? io_image_bytes(im) / (size_t)im->channels : 0;
    return sizeof *im + io_image_bytes(im) + alpha;
}

static inline int64_t io_sample(const peft_image *im, int64_t i)
{
    if (im->depth == 8) return ((const uint8_t *)im->pixels)[i];
    return im->is_signed ? ((const int16_t *)im->pixels)[i] : ((const uint16_t *)im->pixels)[i];
}
static inline void io_set_sample(peft_image *im, int64_t i, int64_t v)
{
    if (im->depth == 8) ((uint8_t *)im->pixels)[i] = (uint8_t)v;
    else ((uint16_t *)im->pixels)[i] = (uint16_t)v;
}
/* The smallest and largest sample that the type holds. */
static inline int64_t io_lowest(const peft_image *im) { return im->is_signed ? INT16_MIN : 0; }
static inline int64_t io_highest(const peft_image *im)
{
    return im->depth == 8 ? UINT8_MAX : im->is_signed ? INT16_MAX : UINT16_MAX;
}
#endif
