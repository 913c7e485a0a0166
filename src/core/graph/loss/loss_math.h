/* SPDX-License-Identifier: Apache-2.0
 * loss_math.h -- what the losses' files share. All exponents are <= 0, so that no logit overflows. */
#ifndef PF_LOSS_MATH_H
#define PF_LOSS_MATH_H
#include <math.h>
#include "core/graph/loss/loss.h"

/* Entry i of a list of one number a class; 1 where there is none. */
static inline double pf_at(const pk_real *v, int64_t i) { return v ? (double)v[i] : 1.0; }

/* The largest of n logits as *top, and the sum of e^(x - top). */
static inline double pf_exp_sum(const pk_real *x, int64_t n, double *top)
{
    double sum = 0;
    *top = (double)x[0];
    for (int64_t j = 1; j < n; j++) *top = fmax(*top, (double)x[j]);
    for (int64_t j = 0; j < n; j++) sum += exp((double)x[j] - *top);
    return sum;
}

static inline double pf_log_sum_exp(const pk_real *x, int64_t n)
{
    double top;
    const double sum = pf_exp_sum(x, n, &top);
    return top + log(sum);
}
#endif
