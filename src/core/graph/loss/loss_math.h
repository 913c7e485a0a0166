/* SPDX-License-Identifier: Apache-2.0
 * loss_math.h -- the losses as pure functions of rows of logits: value and gradient together. */
#ifndef PF_LOSS_MATH_H
#define PF_LOSS_MATH_H
#include <stdbool.h>
#include "kernels/pk.h"

/* Rows are ld elements apart (ld >= classes). The value is summed in double, row by row; grad (NULL: not wanted) has
 * the layout of logits and gets d value / d logits, element by element; it may be logits itself. */

typedef struct pf_ce {
    double smoothing;              /* 0..1: this share of the target is spread evenly over all classes */
    const pk_real *weight;         /* [classes]; NULL: 1 */
    bool by_batch;                 /* with weights: divide by rows, not by the sum of the labels' weights */
} pf_ce;

/* Softmax cross entropy; labels [rows] lie in 0..classes-1 (the caller has checked). With weights and not by_batch
 * the divisor is the sum of the labels' weights, and a sum of 0 gives 0. */
double pf_cross_entropy(const pk_real *logits, int64_t ld, const int64_t *labels, int64_t rows, int64_t classes,
                        const pf_ce *options, pk_real *grad);

/* The same with targets [rows, classes] dense, one distribution a row (a label is the row with one 1). Targets are
 * smoothed, then weighted; with weights and not by_batch the divisor is the sum of the weighted targets. */
double pf_soft_cross_entropy(const pk_real *logits, int64_t ld, const pk_real *targets, int64_t rows, int64_t classes,
                             const pf_ce *options, pk_real *grad);

typedef struct pf_bce {
    const pk_real *pos_weight;     /* [classes], on the term of the positives; NULL: 1 */
    const pk_real *weight;         /* [classes], on both terms; NULL: 1 */
    bool sum_classes;              /* sum over classes, mean over rows; else mean over both */
} pf_bce;

/* Binary cross entropy with logits; targets [rows, classes] dense, 0..1, or below 0: not judged. Such an entry has no
 * loss and no gradient, and the mean leaves it out: 3 judged entries of 8 divide by 3. Where no entry is judged the
 * value and the gradient are 0. */
double pf_binary_cross_entropy(const pk_real *logits, int64_t ld, const pk_real *targets, int64_t rows, int64_t classes,
                               const pf_bce *options, pk_real *grad);
#endif
