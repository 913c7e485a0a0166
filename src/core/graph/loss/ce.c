/* SPDX-License-Identifier: Apache-2.0
 * ce.c -- softmax cross entropy of one class a row. With class weights and not by_batch the divisor is the sum of the
 * labels' weights, and a sum of 0 gives 0. */
#include "core/graph/loss/loss_math.h"

static bool counts(const pf_loss *loss, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++) if (pf_at(loss->class_weights, pf_label_class(l, i)) > 0) return true;
    return false;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    const pk_real *w = o->class_weights;
    const int64_t *labels = r->labels, rows = r->rows, classes = r->classes, ld = r->ld;
    const double even = o->label_smoothing / (double)classes;
    double divisor = 0, all = 0, total = 0;
    for (int64_t i = 0; i < rows; i++) divisor += pf_at(w, labels[i]);
    if (o->by_batch) divisor = (double)rows;
    for (int64_t j = 0; j < classes; j++) all += pf_at(w, j);
    const double unit = divisor > 0 ? 1 / divisor : 0;

    for (int64_t i = 0; i < rows; i++) {
        const pk_real *x = r->logits + i * ld;
        const double lse = pf_log_sum_exp(x, classes), hit = (1 - o->label_smoothing) * pf_at(w, labels[i]);
        total += hit * (lse - (double)x[labels[i]]);
        if (even > 0) for (int64_t j = 0; j < classes; j++) total += even * pf_at(w, j) * (lse - (double)x[j]);
        if (!grad) continue;
        /* the target of class j is t_j = hit [j == label] + even w_j; d/dx_j = p_j * sum(t) - t_j */
        const double mass = hit + even * all;
        for (int64_t j = 0; j < classes; j++) {
            const double t = (j == labels[i] ? hit : 0) + even * pf_at(w, j);
            grad[i * ld + j] = (pk_real)(unit * (mass * exp((double)x[j] - lse) - t));
        }
    }
    return total * unit;
}

const pf_loss_kind pf_loss_ce = { .name = "ce", .labels = PF_LABEL_CLASS,
    .options = "label_smoothing class_weights weight_reduction", .min_classes = 2, .check = pf_labels_are_classes,
    .counts = counts, .evaluate = evaluate };
