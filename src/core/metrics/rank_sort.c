/* SPDX-License-Identifier: Apache-2.0
 * rank_sort.c -- sorts samples by their scores. */
#include "core/metrics/metrics.h"

pf_ranked *pf_rank_sort(pf_ranked *items, pf_ranked *scratch, int64_t n)
{
    pf_ranked *a = items, *b = scratch;
    for (int64_t sorted = 1; sorted < n; sorted *= 2) {      /* merges pairs of sorted pieces of this length */
        for (int64_t first = 0; first < n; first += 2 * sorted) {
            const int64_t mid = first + sorted < n ? first + sorted : n;
            const int64_t end = first + 2 * sorted < n ? first + 2 * sorted : n;
            int64_t i = first, j = mid;
            for (int64_t k = first; k < end; k++)
                b[k] = i < mid && (j >= end || a[i].score >= a[j].score) ? a[i++] : a[j++];
        }
        pf_ranked *swap = a;
        a = b;
        b = swap;
    }
    return a;
}
