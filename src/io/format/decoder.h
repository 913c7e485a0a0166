/* SPDX-License-Identifier: Apache-2.0
 * decoder.h -- what a format of picture files provides: one row of the table in formats.c. A new format is a file that
 * defines its row, io_format_NAME, and a line in formats.def. */
#ifndef IO_DECODER_H
#define IO_DECODER_H
#include "io/image/image.h"

typedef struct io_limits { int64_t max_side, max_bytes; } io_limits;

/* A file in memory while it is read. open sets slices, and state where read needs one. */
typedef struct io_encoded {
    const uint8_t *data;
    size_t size;
    const io_limits *limits;
    int64_t slices;                                           /* pictures in the file; 1 before open */
    void *state;                                              /* the format's own; close frees it */
} io_encoded;

typedef struct io_format {
    const char *name;                                         /* for messages */
    const char *endings;                                      /* of file names, in lower case: "jpg|jpeg" */
    bool (*probe)(const uint8_t *data, size_t size);          /* whether the bytes begin as this format does */
    peft_status (*open)(io_encoded *f);                       /* NULL: one picture, and nothing to prepare */
    peft_status (*read)(const io_encoded *f, int64_t slice, peft_image **out);      /* 0 <= slice < f->slices */
    void (*close)(io_encoded *f);                             /* NULL: nothing to free; not called if open failed */
} io_format;

/* PEFT_E_UNSUPPORTED where a header announces more than the limits; called before anything is allocated. */
peft_status io_check_limits(const io_limits *limits, int64_t width, int64_t height, int channels, int depth);
#endif
