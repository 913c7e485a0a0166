/* SPDX-License-Identifier: Apache-2.0
 * compare_int64.h -- a comparison function for qsort: int64_t in ascending order. */
#ifndef COMPARE_INT64_H
#define COMPARE_INT64_H
#include <stdint.h>

static inline int compare_int64(const void *x, const void *y)
{
    const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}
#endif
