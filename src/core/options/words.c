/* SPDX-License-Identifier: Apache-2.0
 * words.c -- lists of names: finds a word in a text of words, and joins names to a text for messages. */
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"

const char *pf_find_word(const char *list, const char *word, char between)
{
    const char separator[2] = { between, 0 };
    while (list && *list) {
        const size_t n = strcspn(list, separator);              /* bytes of the first word of list */
        if (strlen(word) == n && !memcmp(list, word, n)) return list;
        list += n;
        if (*list) list++;                                      /* skips the separator */
    }
    return NULL;
}

bool pf_has_word(const char *list, const char *word) { return pf_find_word(list, word, ' ') != NULL; }

const char *pf_names_text(const char *const *names, size_t n, const char *between, const char *last, char *text,
                          size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < n && used < capacity; i++) {
        const char *before = i == 0 ? "" : i + 1 < n ? between : last;
        used += (size_t)snprintf(text + used, capacity - used, "%s%s", before, names[i]);
    }
    return text;
}
