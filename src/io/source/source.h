/* SPDX-License-Identifier: Apache-2.0
 * source.h -- io_source: the functions that open one kind of data set, such as a folder or a zip. sources.def lists all
 * kinds. To add one, write a file that defines io_source_NAME, and add the line IO_SOURCE(NAME) to sources.def. A kind
 * whose samples are not files also defines an io_store (dataset.h), which reads them. */
#ifndef IO_SOURCE_H
#define IO_SOURCE_H
#include "io/dataset/dataset.h"

/* The arguments of the public functions that open a data set. */
typedef struct io_open_arguments {
    peft_context *ctx;
    const char *path, *split;                                 /* split NULL: the data set has no splits */
    const char *folder;                                       /* lists: relative names lie in it; NULL: the list's */
    const char *options;                                      /* tables: those of peft_dataset_open_table */
    int64_t classes;                                          /* lists: how many there are; 0: largest label + 1 */
} io_open_arguments;

typedef struct io_source {
    const char *name;                                         /* for messages: "a folder of class folders" */
    bool (*probe)(const char *path);                          /* whether an existing path is of this kind; NULL: yes */
    /* Fills d, which is empty: count, classes, class_names, names, label or target, store and store_state. On failure
     * the caller frees d. Messages begin with the path. */
    peft_status (*open)(const io_open_arguments *a, peft_dataset *d);
} io_source;

/* Opens a data set of this kind; the caller frees *out. PEFT_E_INVALID: ctx, path or out is NULL. Other errors are
 * those of source->open. */
peft_status io_source_open(const io_source *source, const io_open_arguments *a, peft_dataset **out);
#endif
