/* SPDX-License-Identifier: Apache-2.0
 * loss_math.h -- helpers of the losses. Arguments of exp are <= 0, so that large logits do not overflow. */
#ifndef PF_LOSS_MATH_H
#define PF_LOSS_MATH_H
#include <math.h>
#include "core/graph/loss/loss.h"

/* The weight of class c in a list with one weight for each class; 1 if there is no list (weights NULL). */
static inline double pf_class_weight(const pk_real *weights, int64_t c) { return weights ? (double)weights[c] : 1.0; }

/* Sets *largest to the largest of n logits; returns the sum of e^(x - largest). */
static inline double pf_exp_sum(const pk_real *x, int64_t n, double *largest)
{
    double sum = 0;
    *largest = (double)x[0];
    for (int64_t j = 1; j < n; j++) *largest = fmax(*largest, (double)x[j]);
    for (int64_t j = 0; j < n; j++) sum += exp((double)x[j] - *largest);
    return sum;
}

/* log(sum e^x) of n logits. */
static inline double pf_log_sum_exp(const pk_real *x, int64_t n)
{
    double largest;
    const double sum = pf_exp_sum(x, n, &largest);
    return largest + log(sum);
}
#endif
