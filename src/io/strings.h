/* SPDX-License-Identifier: Apache-2.0
 * strings.h -- io_strings: a list of texts that grows. */
#ifndef IO_STRINGS_H
#define IO_STRINGS_H
#include "io/io.h"

/* A list of texts; ctx: whose allocator the memory comes from. block: the memory of all texts; NULL: each has its
 * own. */
typedef struct io_strings { peft_context *ctx; char **item, *block; int64_t count, capacity; } io_strings;
/* Takes ownership of text, also on failure; a NULL text is PEFT_E_NOMEM. Not for a list with a block. */
peft_status io_strings_add(io_strings *list, char *text);
void        io_strings_sort(io_strings *list);                /* bytewise */
void        io_strings_sort_unique(io_strings *list);         /* the same, and frees all but one of equal texts */
int64_t     io_strings_find(const io_strings *list, const char *text);      /* index in a sorted list; -1: not there */
/* Fills an empty list with copies in one block of the texts i of `from` with keep[i] >= 0; keep NULL: of all. */
peft_status io_strings_copy(io_strings *list, const io_strings *from, const int64_t *keep);
void        io_strings_clear(io_strings *list);
#endif
