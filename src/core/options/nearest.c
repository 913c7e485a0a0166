/* SPDX-License-Identifier: Apache-2.0
 * nearest.c -- finds the known name that a mistyped one probably means, for "did you mean". */
#include "core/options/options.h"
#include <string.h>

enum { LONGEST = 64 };                                /* bytes of a name that is compared */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The edit distance of a and b, both of at most LONGEST characters: the least number of insertions, deletions,
 * substitutions and swaps of neighbours (restricted Damerau-Levenshtein distance). Element j of row i of its table is
 * the distance between the first i characters of a and the first j of b. now is row i, last row i - 1, before i - 2. */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t d[3][LONGEST + 1], *before = d[0], *last = d[1], *now = d[2];
    for (size_t j = 0; j <= nb; j++) last[j] = j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            const size_t substitution = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + substitution);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last, last = now, now = oldest;
    }
    return last[nb];
}

/* A candidate without a character in common with name (d == longer) is not near. */
const char *pf_nearest(const char *name, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    size_t length = strlen(name), fewest = LONGEST;
    for (size_t i = 0; i < n && length <= LONGEST; i++) {
        size_t m = strlen(candidates[i]), longer = m > length ? m : length;
        if (m > LONGEST) continue;
        size_t d = distance(name, length, candidates[i], m);
        size_t most_edits = longer < 4 ? 1 : (longer + 1) / 3;      /* about one in three characters */
        if (d <= most_edits && d < longer && d < fewest) fewest = d, best = candidates[i];
    }
    return best;
}
