/* SPDX-License-Identifier: Apache-2.0
 * names.c -- splits a text of lines into names (names.h). */
#include "names.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

/* The text may have a line end after the last name. */
const char **split_names(const char *text, int64_t count, char **storage)
{
    if (!text || !*text) return NULL;
    const char **names = check_alloc(calloc((size_t)count, sizeof *names));
    char *line = *storage = check_alloc(strdup(text));
    int64_t n = 0;
    while (line && n < count) {
        names[n++] = line;
        if ((line = strchr(line, '\n'))) *line++ = 0;
    }
    if (n == count && (!line || !*line)) return names;
    free(names);
    free(*storage);
    return NULL;
}
