/* SPDX-License-Identifier: Apache-2.0
 * dot.h -- the inner product of two vectors. */
#ifndef PF_DOT_H
#define PF_DOT_H
#include <stdint.h>

/* Adds up in four sums, so that the loop can use vector registers. */
static inline double pf_dot(const double *a, const double *b, int64_t n)
{
    double part[4] = { 0 };
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) part[k] += a[i + k] * b[i + k];
    double sum = (part[0] + part[1]) + (part[2] + part[3]);
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}
#endif
