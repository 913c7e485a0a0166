/* SPDX-License-Identifier: Apache-2.0
 * loss_math.h -- what the losses' files share. All exponents are <= 0, so that no logit overflows. */
#ifndef PF_LOSS_MATH_H
#define PF_LOSS_MATH_H
#include <math.h>
#include "core/graph/loss/loss.h"

/* Entry i of a list of one number a class; 1 where there is none. */
static inline double pf_at(const pk_real *v, int64_t i) { return v ? (double)v[i] : 1.0; }

static inline double pf_log_sum_exp(const pk_real *x, int64_t n)
{
    double top = (double)x[0], sum = 0;
    for (int64_t j = 1; j < n; j++) top = fmax(top, (double)x[j]);
    for (int64_t j = 0; j < n; j++) sum += exp((double)x[j] - top);
    return top + log(sum);
}
#endif
