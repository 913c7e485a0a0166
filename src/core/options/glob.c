/* SPDX-License-Identifier: Apache-2.0
 * glob.c -- matches names against patterns, without recursion: after a mismatch the last * takes one more character. */
#include <stddef.h>
#include "core/options/glob.h"

bool pf_glob(const char *pattern, const char *name)
{
    const char *star = NULL, *matched = name;      /* behind the last *, and the end of what it matches */
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            matched = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++matched;
        } else return false;
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}
