/* SPDX-License-Identifier: Apache-2.0
 * names.h -- splits class names, which files hold as one text with one name on each line. */
#ifndef NAMES_H
#define NAMES_H
#include <stdint.h>

/* Returns an array of pointers to `count` names; the caller frees the array and *storage, which holds the characters.
 * NULL: text is NULL or does not have `count` lines. */
const char **split_names(const char *text, int64_t count, char **storage);
#endif
