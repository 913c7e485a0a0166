/* SPDX-License-Identifier: Apache-2.0
 * image.h -- the image inside: immutable once handed out, counted, pixels behind the header in one allocation. */
#ifndef IO_IMAGE_H
#define IO_IMAGE_H
#include "io/io.h"

struct peft_image {
    atomic_int refs;
    int channels, depth;
    int64_t width, height;
    uint64_t pixels[];                                        /* [height, width, channels] of uint8_t or uint16_t */
};

typedef struct io_limits { int64_t max_side, max_bytes; } io_limits;

/* A black image; sizes are checked (positive, product in range). */
peft_status io_image_new(int64_t width, int64_t height, int channels, int depth, peft_image **out);
peft_image *io_image_retain(const peft_image *im);
static inline size_t io_image_row(const peft_image *im)       /* bytes */
{
    return (size_t)im->width * (size_t)im->channels * (size_t)(im->depth / 8);
}
static inline size_t io_image_bytes(const peft_image *im) { return io_image_row(im) * (size_t)im->height; }

/* PEFT_E_UNSUPPORTED where a header announces more than the limits; called before anything is allocated. */
peft_status io_check_limits(const io_limits *limits, int64_t width, int64_t height, int channels, int depth);
peft_status io_png_decode(const uint8_t *data, size_t size, const io_limits *limits, peft_image **out);
peft_status io_jpeg_decode(const uint8_t *data, size_t size, const io_limits *limits, peft_image **out);
peft_status io_pnm_decode(const uint8_t *data, size_t size, const io_limits *limits, peft_image **out);
#endif
