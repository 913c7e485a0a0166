/* SPDX-License-Identifier: Apache-2.0
 * logistic.h -- one problem of logistic regression: the softmax of the classes, or the sigmoid of one label. */
#ifndef PF_LOGISTIC_H
#define PF_LOGISTIC_H
#include "core/probe/probe.h"

typedef struct pf_logistic {
    const double *x;                     /* features in blocks */
    int64_t n, width, rows;              /* rows: 1, with targets 0 and 1, or the number of classes, at least 3 */
    int64_t *target;                     /* [n] */
    double *weight, weights;             /* [n], 0: the sample does not count; their sum */
    double penalty;                      /* 1 / (C weights) */
    double *logits;                      /* [rows, PF_LANES + 1]: memory of pf_logistic_value */
} pf_logistic;

/* The function that pf_minimise gets: sum of weight loss / weights + penalty |W|^2 / 2, and its gradient. v and
 * gradient [rows, width + 1]: the last column is the intercepts. user: the problem. */
double pf_logistic_value(const double *v, double *gradient, void *user);
/* scale [rows, width + 1]: the root of the mean square of each feature plus penalty, 1 for intercepts. */
void   pf_logistic_scale(const pf_logistic *l, double *scale);
/* Are all samples on the right side, and is the gradient of the penalty within tolerance, so that it does not bound
 * v? */
bool   pf_logistic_separated(const pf_logistic *l, const double *v, double tolerance, const double *scale);
#endif
