/* SPDX-License-Identifier: Apache-2.0
 * dataset.h -- the struct behind peft_dataset: an opened set (made by peft_dataset_open and its like), whose store
 * reads the samples, or a part of one, which holds indices into the opened set. */
#ifndef IO_DATASET_H
#define IO_DATASET_H
#include "io/image/image.h"
#include "io/strings.h"

/* How the samples of an opened set are read: from files (io_files), from a zip, or from an array in memory. All
 * functions get the opened set, never a part of it, and the index of a sample, 0..count-1. */
typedef struct io_store {
    bool in_memory;                                           /* samples are decoded already: read ignores options */
    /* options: those of peft_image_load. The caller frees *out. */
    peft_status (*read)(const peft_dataset *d, int64_t i, const char *options, peft_image **out);
    /* Sets *slices to the number of images of the sample, as peft_image_slices. NULL: each sample is one. */
    peft_status (*slices)(const peft_dataset *d, int64_t i, const char *options, int64_t *slices);
    /* Reads the file of the sample into memory, which the caller frees. PEFT_E_UNSUPPORTED: it has more than limit
     * bytes, or its format reads parts of it. NULL: samples are no files. */
    peft_status (*bytes)(const peft_dataset *d, int64_t i, int64_t limit, uint8_t **data, size_t *size);
    /* Sets *size to the bytes of the sample's file, or to -1 where it does not exist. identity: two numbers that are
     * equal for samples that are one file, or slices of one. The caller sets them to (data set, index), which differ
     * for all samples; a store of files overwrites them with device and inode, which links to one file share. */
    peft_status (*locate)(const peft_dataset *d, int64_t i, int64_t *size, uint64_t identity[2]);
    /* SHA-256 of the first `bytes` bytes of the sample's file. */
    peft_status (*hash)(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65]);
    /* Returns the number of the slice that sample i is of its file, whose path is the sample's name up to the last #;
     * -1: a whole file. Of a slice, sets *slices to the number of slices of the file; else it is not set. The slices of
     * a file are consecutive samples. NULL: all samples are whole files. */
    int64_t (*slice)(const peft_dataset *d, int64_t i, int64_t *slices);
    void (*close)(peft_context *ctx, void *store_state);      /* frees the state; NULL: the store has none */
} io_store;
extern const io_store io_files;

/* A target that the trainer and the metrics leave out. */
enum { IO_NOT_JUDGED = -1 };
typedef struct io_groups io_groups;                           /* groups.h */
typedef struct io_masks io_masks;                             /* masks/masks.h */

struct peft_dataset {
    peft_context *ctx;
    atomic_int refs;
    int64_t count, classes;
    int64_t *label;                                           /* [count]; NULL: multi-label */
    int8_t *target;                                           /* [count, classes] of 0, 1 and IO_NOT_JUDGED; NULL:
                                                                 single label */
    io_strings class_names, names;                            /* names: of samples; empty in a part */
    io_groups *groups, *cases;                                /* of the opened set's samples, shared by its parts; NULL:
                                                                 the set has none */
    io_masks *masks;                                          /* likewise */
    char *image_options;                                      /* for peft_image_load; NULL: the defaults */
    /* Of an opened set only: */
    const io_store *store;
    void *store_state;                                        /* NULL: the store has none */
    io_strings mask_names;                                    /* of a table: paths of the samples' masks, "" for none;
                                                                 empty: it has no column of them */
    char *skipped;                                            /* text of peft_dataset_skipped; NULL: "" */
    /* Of a part only: */
    peft_dataset *opened;                                     /* the opened set; NULL: this is one itself */
    int64_t *index;                                           /* [count]: the samples' indices in the opened set */
};

/* Whether sample i is of class c, or positive for the label c. */
static inline bool io_is_of(const peft_dataset *d, int64_t i, int64_t c)
{
    return d->target ? d->target[i * d->classes + c] == 1 : d->label[i] == c;
}
/* The slice number of sample i of d (as io_store.slice), for opened sets and parts; -1: a whole file, and *slices is
 * not set. slices: may be NULL. */
int64_t io_slice_of(const peft_dataset *d, int64_t i, int64_t *slices);
/* An empty data set with one reference. */
peft_status io_dataset_new(peft_context *ctx, peft_dataset **out);
peft_dataset *io_dataset_retain(peft_dataset *d);
/* What a part of a data set d holds: these samples and classes. class_map: for each class of d its number in the part,
 * or -1 where the part does not have it. */
typedef struct io_selection {
    int64_t count;                                            /* of samples */
    const int64_t *indices;                                   /* [count], all valid; NULL: all samples */
    const int64_t *class_map;                                 /* [classes]; NULL: numbers stay as they are */
    const io_strings *class_names;                            /* of the part; NULL: those of d that class_map keeps */
} io_selection;
/* Makes the part; the caller frees *out. */
peft_status io_dataset_part(peft_dataset *d, const io_selection *chosen, peft_dataset **out);
peft_status io_number_classes(peft_dataset *d);               /* names the classes "0", "1", ... */
/* Warns if a class has no sample; present[c] is 1 where class c has one. The message begins with path. */
void io_warn_of_missing_classes(peft_context *ctx, const uint8_t *present, int64_t classes, const char *path);
/* Raises *classes to the largest label + 1 where it is smaller. PEFT_E_FORMAT, with a message that begins with path: a
 * label below 0, or of 2^20 or more. */
peft_status io_count_classes(const int64_t *label, int64_t count, const char *path, int64_t *classes);
#endif
