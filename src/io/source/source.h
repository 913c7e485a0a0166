/* SPDX-License-Identifier: Apache-2.0
 * source.h -- io_source: the functions by which one kind of data set is opened. The table in sources.c lists all kinds.
 * To add one, write a file that defines io_source_NAME, and add the line IO_SOURCE(NAME) to sources.def. A kind whose
 * samples are not files also defines an io_store (dataset.h). */
#ifndef IO_SOURCE_H
#define IO_SOURCE_H
#include "io/dataset/dataset.h"

/* The arguments of the public functions that open a data set. */
typedef struct io_place {
    peft_context *ctx;
    const char *path, *split;                                 /* split NULL: all of it */
    const char *folder;                                       /* of a list: what names are relative to; NULL: its own */
    int64_t classes;                                          /* of a list: how many there are; 0: largest label + 1 */
} io_place;

typedef struct io_source {
    const char *name;                                         /* "a folder of class folders", for messages */
    bool (*probe)(const char *path);                          /* whether the existing path is of this kind; NULL: any */
    /* Fills the empty d: count, classes, class_names, names, label or target, store and held. On failure the caller
     * frees d. Messages begin with path. */
    peft_status (*open)(const io_place *at, peft_dataset *d);
} io_source;

/* Opens the data set as this kind; the caller frees *out. PEFT_E_INVALID: ctx, path or out is NULL; else what open
 * gives. */
peft_status io_source_open(const io_source *source, const io_place *at, peft_dataset **out);
#endif
