/* SPDX-License-Identifier: Apache-2.0
 * masks.h -- io_masks: the mask files of a data set's samples, and how their pixels become labels. */
#ifndef IO_MASKS_H
#define IO_MASKS_H
#include "io/dataset/dataset.h"
#include "io/image/mask/mask.h"

enum { IO_MASK_INDEX, IO_MASK_BINARY, IO_MASK_COLORS };       /* kind */
enum { IO_PER_CLASS_NONE, IO_PER_CLASS_FOLDER, IO_PER_CLASS_SUFFIX };
enum { IO_MASK_ERROR, IO_MASK_SKIP, IO_MASK_EMPTY };          /* missing */
/* The options of peft_dataset_with_masks, in the order of the table in options.c. "": not given. */
typedef struct io_mask_options {
    char classes[8192], colors[8192], suffix[256], outside[256], read[1024];
    int kind, per_class, missing;
    int64_t ignore;                                           /* IO_NO_IGNORE: not given */
    double threshold;                                         /* NaN: not given */
    bool multilabel;
} io_mask_options;
#define IO_NO_IGNORE INT64_MIN

typedef struct io_mask_colour { uint8_t rgb[3]; int16_t label; } io_mask_colour;
struct io_masks {
    peft_context *ctx;
    atomic_int refs;
    io_mask_options options;
    io_strings classes;
    io_mask_colour *colour;
    int64_t colours;
    int16_t outside;                                          /* of peft_mask */
    io_strings files;                                         /* paths of all files of masks */
    /* Sample k of the opened set has the files file[first[k]] .. file[first[k + 1] - 1], indices in files; each holds
     * the class of_class[..], or all classes (IO_ALL_CLASSES). */
    int64_t *first, *file, *of_class;
    int64_t count;                                            /* samples of the opened set */
    struct io_held *held;                                     /* the file whose slices were read last */
    struct io_mask_seg *seg;                                  /* the DICOM segmentation that was read last */
    /* Of an image and its mask, was a difference reported? That one is turned by its EXIF orientation; the directions
     * of their axes; their spacing. */
    atomic_bool warned_of_turn, warned_of_directions, warned_of_spacing;
};
enum { IO_ALL_CLASSES = -1 };

/* --- masks.c --- */
/* An object with one reference and no files. */
peft_status io_masks_new(peft_context *ctx, io_masks **out);
io_masks   *io_masks_retain(io_masks *m);                     /* NULL: NULL */
void        io_masks_free(io_masks *m);                       /* NULL: does nothing */
/* The index of a sample of d in its opened set. */
int64_t     io_masks_sample(const peft_dataset *d, int64_t i);
/* The masks of an opened set whose sample k shows the sample old[k] of the opened set of m, as a slice of it. */
peft_status io_masks_of_slices(const io_masks *m, const int64_t *old, int64_t count, io_masks **out);

/* --- dicom_seg.c --- */
/* Keeps the DICOM segmentation that was read last, so that a file of a whole series is not parsed for each image. */
peft_status io_mask_seg_new(peft_context *ctx, struct io_mask_seg **out);
void        io_mask_seg_free(struct io_mask_seg *h);          /* NULL: does nothing */

/* --- geometry.c --- */
/* Warns, once for a difference, where the file of a mask, at path, and the image state other geometries. image NULL:
 * does nothing. */
void io_masks_compare(const io_masks *m, const char *path, const peft_mask *mask, const char *image_name,
                      const peft_image *image);

/* --- options.c --- */
/* Reads the options (NULL: the defaults) into m: options, classes, colours, outside. */
peft_status io_masks_read_options(const char *text, io_masks *m);
/* Writes all options to a text in memory of the context, which the caller frees; NULL: no memory. */
char       *io_masks_options_text(const io_masks *m);
/* The class of this name; IO_NO_CLASS: none. */
enum { IO_NO_CLASS = -2 };
int64_t     io_masks_class(const io_masks *m, const char *name);

/* --- find.c --- */
/* Which files the masks of samples are. files: those that were found; file and of_class [entries] of sample i of the
 * data set begin at first[i]. */
typedef struct io_mask_found { int64_t *first, *file, *of_class, entries, capacity; } io_mask_found;
/* Finds the mask files of all samples of d in the folder path, or beside the images (NULL); fills m->files and *out
 * [count of d], whose members the caller frees. Samples without a mask have no file. */
peft_status io_masks_find(const peft_dataset *d, const char *path, io_masks *m, io_mask_found *out);
/* The path of the file of sample i of d, without the mark of a slice, which the caller frees; NULL: no memory. */
char       *io_masks_image_path(const peft_dataset *d, int64_t i);

/* --- load.c --- */
/* Loads the mask of sample i of d, as peft_dataset_load_mask. */
peft_status io_masks_load(const peft_dataset *d, int64_t i, const peft_image *image, peft_mask **out);
#endif
