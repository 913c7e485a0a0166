/* SPDX-License-Identifier: Apache-2.0
 * decoder.h -- io_format: the functions that read one format of picture files. formats.def lists all formats. To add
 * one, write a file that defines io_format_NAME, add the line IO_FORMAT(NAME) to formats.def, and add a small file of
 * the format to tests/images/test_image_formats.c. */
#ifndef IO_DECODER_H
#define IO_DECODER_H
#include "io/image/image.h"

/* The options of peft_image_load; load.c has the table. */
typedef struct io_load_options {
    int64_t max_side;                                         /* pixels of width and of height */
    int64_t max_bytes;                                        /* of the file, and of the decoded pixels */
    int64_t slice;                                            /* the image to read of a file of several; or: */
    int orientation;                                          /* IO_ORIENTATION_..: */
    int64_t axis, volume;                                     /* of a volume: along which slices lie; which one */
    int orient;                                               /* IO_ORIENT_..: */
    int64_t level;                                            /* of a picture in several sizes; 0: the largest */
    double region[4];                                         /* x, y, width, height of a part; width 0: all of it */
    int samples;                                              /* IO_SAMPLES_..: */
    char window[64];                                          /* of a DICOM file: first, none, a number or a name */
} io_load_options;
enum { IO_NO_SLICE = -1, IO_NO_VOLUME = -1 };                 /* not given: the file must hold one */
enum { IO_ORIENTATION_EXIF, IO_ORIENTATION_STORED };          /* turned as the file asks, or not */
enum { IO_SAMPLES_SHOWN, IO_SAMPLES_STORED };                 /* PNG: colours of a palette, or its indices */
enum { IO_ORIENT_STORED, IO_ORIENT_RAS };                     /* axes as in the file; or right, anterior, superior */

/* A file that is being decoded: in memory, or open, for a format that reads parts of it. A format's open sets
 * slices; it may set state, which its read uses and its close frees. */
typedef struct io_encoded {
    peft_context *ctx;                                        /* under which the image is made */
    const uint8_t *data;                                      /* NULL: the bytes are read from fd */
    int fd;
    size_t size;                                              /* of the file */
    const io_load_options *options;
    int64_t slices;                                           /* images in the file; 1 unless open changes it */
    void *state;                                              /* private to the format; NULL before open */
} io_encoded;

typedef struct io_format {
    const char *name;                                         /* for messages */
    const char *endings;                                      /* of file names, in lower case, as "jpg|jpeg" */
    const char *takes;                                        /* "level|region", options that it reads; NULL: only
                                                                 those of all formats */
    const char *missing;                                      /* NULL; or "libtiff (Debian: libtiff-dev)", the library
                                                                 without which this build cannot read the format */
    bool (*probe)(const uint8_t *data, size_t size);          /* by the first bytes of the file */
    bool reads_parts;                                         /* probe needs 16 bytes, and open and read take a file of
                                                                 any size that is not in memory: data is NULL */
    peft_status (*open)(io_encoded *f);                       /* NULL: files hold one image, and read needs no state */
    /* Decodes one image, 0 <= slice < f->slices. The caller frees *out. */
    peft_status (*read)(const io_encoded *f, int64_t slice, peft_image **out);
    void (*close)(io_encoded *f);                             /* NULL: nothing to free; not called if open failed */
} io_format;

/* PEFT_E_UNSUPPORTED: an image of this size exceeds the limits. Decoders call it with the size in the file's header,
 * before they allocate pixels. depth: bits of a sample. */
peft_status io_check_limits(const io_load_options *limits, int64_t width, int64_t height, int channels, int depth);
/* The part of a picture of width x height pixels that the option region asks for; all of it without the option.
 * PEFT_E_OPTION: it is not inside the picture. */
peft_status io_region(const io_load_options *options, int64_t width, int64_t height, io_box *out);
#endif
