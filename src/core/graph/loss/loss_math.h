/* SPDX-License-Identifier: Apache-2.0
 * loss_math.h -- helpers of the losses. All exponents are <= 0, so that large logits do not overflow. */
#ifndef PF_LOSS_MATH_H
#define PF_LOSS_MATH_H
#include <math.h>
#include "core/graph/loss/loss.h"

/* Entry i of a list with one number for each class; 1 if there is no list (v NULL). */
static inline double pf_at(const pk_real *v, int64_t i) { return v ? (double)v[i] : 1.0; }

/* Sets *largest to the largest of n logits; returns the sum of e^(x - largest). */
static inline double pf_exp_sum(const pk_real *x, int64_t n, double *largest)
{
    double sum = 0;
    *largest = (double)x[0];
    for (int64_t j = 1; j < n; j++) *largest = fmax(*largest, (double)x[j]);
    for (int64_t j = 0; j < n; j++) sum += exp((double)x[j] - *largest);
    return sum;
}

static inline double pf_log_sum_exp(const pk_real *x, int64_t n)
{
    double largest;
    const double sum = pf_exp_sum(x, n, &largest);
    return largest + log(sum);
}
#endif
