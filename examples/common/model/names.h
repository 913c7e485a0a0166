/* SPDX-License-Identifier: Apache-2.0
 * names.h -- a list of names as one text, a name a line, taken apart. */
#ifndef NAMES_H
#define NAMES_H
#include <stdint.h>

/* count names; both to be freed, the names by one free of *storage. NULL: the text (may be NULL) has another number. */
const char **split_names(const char *text, int64_t count, char **storage);
#endif
