/* SPDX-License-Identifier: Apache-2.0
 * files.h -- the files of a folder of masks, by their names without folder and ending. */
#ifndef IO_MASK_FILES_H
#define IO_MASK_FILES_H
#include "io/dataset/masks/masks.h"
#include "io/words.h"

/* path: all files; by_key: sorted by key, the path below the folder without its ending: "benign/a_mask" for
 * masks/benign/a_mask.png; i: the index in path. */
typedef struct io_mask_files {
    peft_context *ctx;
    io_strings path;
    int64_t pictures;                                         /* of by_key */
    io_named *by_key;
    char **key;                                               /* of each path; NULL: no picture */
} io_mask_files;
/* Lists the pictures in a folder and in those below it. PEFT_E_IO: it cannot be read; PEFT_E_FORMAT: it has none. */
peft_status io_mask_files_below(peft_context *ctx, const char *folder, io_mask_files *out);
/* Lists the pictures in the folders of the samples of d; keys have their whole path. */
peft_status io_mask_files_beside(const peft_dataset *d, io_mask_files *out);
void        io_mask_files_clear(io_mask_files *f);            /* also after a failure */
/* Copies all paths to an empty list; their indices stay. */
peft_status io_mask_files_keep(const io_mask_files *f, io_strings *to);
/* The place in by_key of the first key that is not before text. */
int64_t     io_mask_files_seek(const io_mask_files *f, const char *text);
#endif
