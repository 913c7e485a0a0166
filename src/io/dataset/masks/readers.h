/* SPDX-License-Identifier: Apache-2.0
 * readers.h -- io_mask_reader: how a file becomes a mask. readers.def lists all readers. To add one, write a file that
 * defines io_mask_reader_NAME, and add the line IO_MASK_READER(NAME) to readers.def, before the last one, which takes
 * every picture. */
#ifndef IO_MASK_READERS_H
#define IO_MASK_READERS_H
#include "io/dataset/masks/masks.h"

/* A file of the mask of one sample. */
typedef struct io_mask_job {
    const io_masks *masks;                                    /* classes and options */
    int64_t file;                                             /* its index in masks->files */
    const char *path;                                         /* of the file */
    const char *image_path;                                   /* of the file of the image, which may not exist */
    int64_t slice, slices;                                    /* of the image in its file, and how many that has; slice
                                                                 -1: the file holds one image */
    const char *image_options;                                /* by which the image is read; NULL: the defaults */
} io_mask_job;

typedef struct io_mask_reader {
    const char *name;                                         /* for messages: "picture" */
    bool (*probe)(const uint8_t *head, size_t size);          /* by the first 4096 bytes of the file; NULL: any file */
    bool by_image;                                            /* a file may have the masks of several images, among
                                                                 which read finds that of job->image_path */
    /* Makes the mask of the sample, of masks->classes.count classes: labels, or with masks->options.multilabel targets.
     * With per_class it makes labels of two classes, 1 for the pixels of the file's class. The message of a failure
     * need not begin with the path. */
    peft_status (*read)(const io_mask_job *job, peft_mask **out);
} io_mask_reader;

#define IO_MASK_READER(name) extern const io_mask_reader io_mask_reader_##name;
#include "io/dataset/masks/readers.def"
#undef IO_MASK_READER

/* The reader of a file; that of pictures for one that cannot be read, which then reports the error. */
const io_mask_reader *io_mask_reader_of(peft_context *ctx, const char *path);
#endif
