/* SPDX-License-Identifier: Apache-2.0
 * loss_math.h -- helpers of the losses. Arguments of exp are <= 0, so that large logits do not overflow. */
#ifndef PF_LOSS_MATH_H
#define PF_LOSS_MATH_H
#include <math.h>
#include "core/graph/exec.h"
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

/* The entropy of the softmax of n logits with this log-sum-exp, -sum p log p. A p_j that is 0 in double adds
 * nothing: p log p tends to 0. */
static inline double pf_row_entropy(const pk_real *x, int64_t n, double lse)
{
    double h = 0;
    for (int64_t j = 0; j < n; j++) {
        const double log_p = (double)x[j] - lse, p = exp(log_p);
        if (p != 0) h -= p * log_p;
    }
    return h;
}

/* --- discrepancy.c --- */
/* Writes the mean of each column of x to mean, and its unbiased deviation (0 for one row) to deviation. Summed in
 * double, in the order of the rows. */
void pf_column_statistics(pf_mat x, double *mean, double *deviation);
#endif
