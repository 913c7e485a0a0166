/* SPDX-License-Identifier: Apache-2.0
 * source.h -- what a kind of data set provides: one row of the table in sources.c. A new kind is a file that defines
 * its row, io_source_NAME, and a line in sources.def. Where its samples are no files of their own, it also sets the
 * data set's io_store (dataset.h). */
#ifndef IO_SOURCE_H
#define IO_SOURCE_H
#include "io/dataset/dataset.h"

/* Where a data set lies, as the caller says it. */
typedef struct io_place {
    const char *path, *split;                                 /* split NULL: all of it */
    const char *folder;                                       /* of a list: where its names begin; NULL: beside it */
    int64_t classes;                                          /* of a list: how many there are; 0: by its labels */
} io_place;

typedef struct io_source {
    const char *name;                                         /* "a folder of class folders", for messages */
    bool (*probe)(const char *path);                          /* whether what exists there is of this kind; NULL: any */
    /* Fills the empty d: count, classes, class_names, names, label or target, and store. Messages begin with path. */
    peft_status (*open)(const io_place *at, peft_dataset *d);
} io_source;

/* Opens the place as this kind of data set. */
peft_status io_source_open(const io_source *source, const io_place *at, peft_dataset **out);
#endif
