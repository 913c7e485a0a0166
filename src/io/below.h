/* SPDX-License-Identifier: Apache-2.0
 * below.h -- the files in a folder and in those below it, to be found by their file names. */
#ifndef IO_BELOW_H
#define IO_BELOW_H
#include "io/strings.h"

/* Adds the paths of all files in a folder and, `depth` folders deep, below it; hidden ones are left out. */
peft_status io_files_below(peft_context *ctx, const char *folder, int depth, io_strings *paths);
/* The path whose file name this is, of paths that are sorted by io_sort_by_file; NULL: there is none. *several: there
 * are two. */
const char *io_find_file(const io_strings *paths, const char *name, bool *several);
void        io_sort_by_file(io_strings *paths);
#endif
