/* SPDX-License-Identifier: Apache-2.0
 * decoder.h -- io_format: the functions by which one format of picture files is read. formats.def lists all formats. To
 * add one, write a file that defines io_format_NAME, and add the line IO_FORMAT(NAME) to formats.def and a sample to
 * tests/images/test_image_formats.c. */
#ifndef IO_DECODER_H
#define IO_DECODER_H
#include "io/image/image.h"

/* The largest width or height in pixels, and the most bytes of the file and of the decoded pixels. */
typedef struct io_limits { int64_t max_side, max_bytes; } io_limits;

/* A file in memory that is being decoded. open sets slices; it may set state, which read uses and close frees. */
typedef struct io_encoded {
    peft_context *ctx;                                        /* of the image to be made */
    const uint8_t *data;
    size_t size;
    const io_limits *limits;
    int64_t slices;                                           /* images in the file; 1 before open */
    void *state;                                              /* private to the format; NULL before open */
} io_encoded;

typedef struct io_format {
    const char *name;                                         /* for messages */
    const char *endings;                                      /* of file names, in lower case: "jpg|jpeg" */
    bool (*probe)(const uint8_t *data, size_t size);          /* whether the file begins as this format does */
    peft_status (*open)(io_encoded *f);                       /* NULL: the file holds one image; no state */
    /* Decodes one image, 0 <= slice < f->slices. The caller frees *out. */
    peft_status (*read)(const io_encoded *f, int64_t slice, peft_image **out);
    void (*close)(io_encoded *f);                             /* NULL: nothing to free; not called if open failed */
} io_format;

/* PEFT_E_UNSUPPORTED where the size that a header announces exceeds the limits; decoders call it before they allocate.
 * depth: bits of a sample. */
peft_status io_check_limits(const io_limits *limits, int64_t width, int64_t height, int channels, int depth);
#endif
