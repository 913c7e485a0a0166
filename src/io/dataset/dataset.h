/* SPDX-License-Identifier: Apache-2.0
 * dataset.h -- the struct behind peft_dataset: an opened set, whose samples lie in a store, or a part of one. */
#ifndef IO_DATASET_H
#define IO_DATASET_H
#include "io/image/image.h"

/* ctx: whose memory the list and its items are. */
typedef struct io_strings { peft_context *ctx; char **item; int64_t count, room; } io_strings;
peft_status io_strings_add(io_strings *list, char *owned);    /* frees owned on failure; NULL: PEFT_E_NOMEM */
void        io_strings_sort(io_strings *list, bool unique);   /* bytewise */
void        io_strings_clear(io_strings *list);

/* How the samples of an opened set are read: from files (io_files), from the members of a zip, from one array. All
 * functions get the opened set itself, not a part of it, and an index in 0..count-1. */
typedef struct io_store {
    bool arrays;                                              /* of samples in memory: read uses no options */
    /* options: those of peft_image_load. The caller frees *out. */
    peft_status (*read)(const peft_dataset *d, int64_t i, const char *options, peft_image **out);
    /* Sets *size, the sample's bytes, or -1 where its file does not exist. place comes set to numbers that differ for
     * every sample; a store of files, which may be links to one file, overwrites it with device and inode. */
    peft_status (*locate)(const peft_dataset *d, int64_t i, int64_t *size, uint64_t place[2]);
    /* SHA-256 of the sample's first `bytes` bytes. */
    peft_status (*hash)(const peft_dataset *d, int64_t i, int64_t bytes, char hex[65]);
    void (*close)(peft_context *ctx, void *held);             /* frees d->held; NULL: the store has no state */
} io_store;
extern const io_store io_files;

struct peft_dataset {
    peft_context *ctx;
    atomic_int refs;
    int64_t count, classes;
    int64_t *label;                                           /* [count]; NULL: multi-label */
    uint8_t *target;                                          /* [count, classes] of 0 and 1; NULL: single label */
    io_strings class_names, names;                            /* names: empty in a part, which uses its root's */
    const io_store *store;                                    /* of an opened set */
    void *held;                                               /* the store's state; NULL: none */
    char *skipped;                                            /* text of peft_dataset_skipped; NULL: "" */
    peft_dataset *root;                                       /* of a part: the opened set; index: its samples */
    int64_t *index;
    char *image_options;                                      /* of a part, for peft_image_load; NULL: defaults */
};

peft_status io_dataset_new(peft_context *ctx, peft_dataset **out);
peft_dataset *io_dataset_retain(peft_dataset *d);
/* The samples at[count] of d (all valid; at NULL: all of d) as a data set. class_map [classes] gives the new number of
 * each class, -1 where it is left out (NULL: as before); names are the new classes' (NULL: those that are kept). */
peft_status io_dataset_part(peft_dataset *d, const int64_t *at, int64_t count, const int64_t *class_map,
                            const io_strings *names, peft_dataset **out);
peft_status io_number_classes(peft_dataset *d);               /* class_names "0".."classes-1" */
/* Warns where no sample has some class below the largest label: seen[c] is 1 where class c has a sample. */
void io_warn_of_gaps(peft_context *ctx, const uint8_t *seen, int64_t classes, const char *where);
/* Raises *classes to the largest label + 1. PEFT_E_FORMAT, which begins with where: a label below 0 or of 2^20 or
 * more. */
peft_status io_count_classes(const int64_t *label, int64_t count, const char *where, int64_t *classes);
#endif
