/* SPDX-License-Identifier: Apache-2.0
 * words.h -- words in the names of files, folders and columns: comparison, endings, UTF-8, names of splits. */
#ifndef IO_WORDS_H
#define IO_WORDS_H
#include "io/io.h"

/* Whether two words are equal but for the case of ASCII letters. strcasecmp depends on the locale: in a Turkish one
 * JFIF and jfif differ. */
bool io_same_word(const char *a, const char *b);
char io_lower(char c);                                        /* the lower-case letter of an ASCII letter, else c */
/* Whether a path ends in this ending (".zip"), in upper or lower case. */
bool io_ends_in(const char *path, const char *ending);
/* The number of bytes of the UTF-8 character at s, which ends with a 0; 0: the bytes there are no UTF-8. */
int  io_utf8_bytes(const char *s);
/* Whether a text is well-formed UTF-8 without control characters, so that it can stand in a line of a table and in a
 * model file. */
bool io_is_plain_text(const char *text);

/* A name and the index of what has it. io_sort_named: bytewise, equal names in the order of their indices. */
typedef struct io_named { const char *name; int64_t i; } io_named;
void io_sort_named(io_named *item, int64_t count);

/* The split that the name of a folder, or the cell of a table, means ("train" for "Training"); NULL: none. */
const char *io_split_of(const char *name);
peft_status io_check_split(const char *split);                /* PEFT_E_INVALID: neither NULL nor the name of a split */
#endif
