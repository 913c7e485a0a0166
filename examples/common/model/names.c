/* SPDX-License-Identifier: Apache-2.0
 * names.c -- see names.h. */
#include "names.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

const char **split_names(const char *text, int64_t count, char **storage)
{
    if (!text || !*text) return NULL;
    const char **names = need(calloc((size_t)count, sizeof *names));
    char *at = *storage = need(strdup(text));
    int64_t n = 0;
    while (at && n < count) {
        names[n++] = at;
        if ((at = strchr(at, '\n'))) *at++ = 0;
    }
    if (n == count && (!at || !*at)) return names;
    free(names);
    free(*storage);
    return NULL;
}
