/* SPDX-License-Identifier: Apache-2.0
 * glob.c -- linear-time matching: on a mismatch only the last star is tried again. */
#include <stddef.h>
#include "core/options/glob.h"

bool pf_glob(const char *pattern, const char *name)
{
    const char *star = NULL, *from = name;
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            from = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++from;
        } else return false;
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}
