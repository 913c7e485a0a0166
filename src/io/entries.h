/* SPDX-License-Identifier: Apache-2.0
 * entries.h -- calls a function for each entry of a folder. */
#ifndef IO_ENTRIES_H
#define IO_ENTRIES_H
#include "io/io.h"

/* folder/name, or name where folder is "", in memory of ctx that the caller frees; folder may end in a slash. NULL: no
 * memory. */
char *io_path(peft_context *ctx, const char *folder, const char *name);

/* path: of the entry; name: the last part of it; is_folder: a folder or a link to one. A status other than PEFT_OK ends
 * the reading. */
typedef peft_status (*io_entry_function)(void *user, const char *path, const char *name, bool is_folder);
/* Calls the function for each entry that is not hidden, in no particular order. folder "": the current one.
 * PEFT_E_IO: the folder cannot be read. */
peft_status io_each_entry(peft_context *ctx, const char *folder, io_entry_function function, void *user);
#endif
