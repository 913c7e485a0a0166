/* SPDX-License-Identifier: Apache-2.0
 * terms.h -- what several losses compute for one row or one logit: the softmax, the cross entropy of a class and the
 * binary cross entropy. */
#ifndef PF_LOSS_TERMS_H
#define PF_LOSS_TERMS_H
#include "core/graph/loss/loss_math.h"

/* What the chunks of a loss read (pf_loss_chunk). */
typedef struct pf_loss_job {
    const pf_loss *o;
    const pf_loss_rows *r;
    pk_real *grad;                 /* NULL: the gradient is not computed */
    double scale;                  /* of the gradient */
} pf_loss_job;

/* Sets the n values of row i of the gradient to 0. */
static inline void pf_no_gradient(pk_real *grad, int64_t i, int64_t ld, int64_t n)
{
    for (int64_t j = 0; grad && j < n; j++) grad[i * ld + j] = 0;
}

/* Writes the softmax of n logits to p, and returns their log-sum-exp. */
static inline double pf_softmax(const pk_real *x, int64_t n, double *p)
{
    double sum = 0, largest = (double)x[0];
    for (int64_t j = 1; j < n; j++) largest = fmax(largest, (double)x[j]);
    for (int64_t j = 0; j < n; j++) sum += p[j] = exp((double)x[j] - largest);
    for (int64_t j = 0; j < n; j++) p[j] /= sum;
    return largest + log(sum);
}

/* --- cross entropy with a class a row (ce.c) --- */
/* Is the row with this label left out? */
static inline bool pf_ignored(const pf_loss *o, int64_t label) { return o->ignores && label == o->ignore_index; }
/* By what the sum over the rows is divided: the sum of the class weights of the labels that are not ignored; with
 * by_batch their number. */
double pf_class_divisor(const pf_loss *o, const pf_loss_rows *r);
/* Are there rows that are not ignored and have a class weight above 0? pf_loss_kind.depends_on_labels. */
bool pf_has_weighted_class(const pf_loss *o, const pf_labels *l);
peft_status pf_check_classes(const pf_loss *o, const pf_labels *l);        /* pf_loss_kind.check */

/* The cross entropy of a loss: the targets of a row are label_target for its label, and uniform times its weight for
 * each class. */
typedef struct pf_ce {
    const pk_real *weights;
    double smoothing, uniform;     /* option label_smoothing, divided by the number of classes */
    double mass;                   /* sum over the classes of what smoothing adds */
} pf_ce;
pf_ce pf_ce_of(const pf_loss *o, int64_t classes);
static inline double pf_ce_target(const pf_ce *ce, int64_t label)
{
    return (1 - ce->smoothing) * pf_class_weight(ce->weights, label);
}
/* total plus the cross entropy of a row with log-sum-exp lse. */
static inline double pf_ce_add(const pf_ce *ce, double total, const pk_real *x, int64_t classes, int64_t label,
                               double lse)
{
    total += pf_ce_target(ce, label) * (lse - (double)x[label]);
    for (int64_t j = 0; ce->uniform > 0 && j < classes; j++)
        total += ce->uniform * pf_class_weight(ce->weights, j) * (lse - (double)x[j]);
    return total;
}
/* The derivative by the logit of class j, whose softmax is p: p times the sum of the targets, minus that of j. target:
 * pf_ce_target. */
static inline double pf_ce_slope(const pf_ce *ce, double target, int64_t label, int64_t j, double p)
{
    const double t = (j == label ? target : 0) + ce->uniform * pf_class_weight(ce->weights, j);
    return (target + ce->mass) * p - t;
}

/* --- binary cross entropy of one logit (bce.c) --- */
/* sigmoid(x) and sigmoid(-x), without overflow. */
typedef struct pf_sigmoid { double p, rest, e; } pf_sigmoid;                        /* e: e^-|x| */
static inline pf_sigmoid pf_sigmoid_of(double x)
{
    const double e = exp(-fabs(x));
    return (pf_sigmoid){ (x >= 0 ? 1 : e) / (1 + e), (x >= 0 ? e : 1) / (1 + e), e };
}
/* The loss of logit x with target t, whose positive term is weighted by pos_weight, and its derivative by x. */
static inline double pf_bce(double x, const pf_sigmoid *s, double t, double pos_weight)
{
    /* softplus(x) = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), without overflow */
    const double log_part = log1p(s->e);
    return pos_weight * t * (fmax(-x, 0) + log_part) + (1 - t) * (fmax(x, 0) + log_part);
}
static inline double pf_bce_slope(const pf_sigmoid *s, double t, double pos_weight)
{
    return (1 - t) * s->p - pos_weight * t * s->rest;
}
/* A pf_loss_chunk of two sums: adds the number of judged targets, and that of rows that have one. arg: pf_loss_job. */
void pf_count_judged(void *arg, int64_t begin, int64_t end, double *sum, double *row);
/* Is there a judged target of a class whose weight is above 0? pf_loss_kind.depends_on_labels. */
bool pf_has_judged(const pf_loss *o, const pf_labels *l);
peft_status pf_check_targets(const pf_loss *o, const pf_labels *l);        /* pf_loss_kind.check */
#endif
