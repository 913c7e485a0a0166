/* SPDX-License-Identifier: Apache-2.0
 * ce.c -- softmax cross entropy with one class for each row of logits. With class weights the sum is divided by the sum
 * of the labels' weights, or by the number of rows if by_batch (option weight_reduction) is set; if the divisor is 0,
 * so are value and gradient. */
#include "core/graph/loss/loss_math.h"

/* Is there a label whose class has a weight above 0? */
static bool depends_on_labels(const pf_loss *loss, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++)
        if (pf_class_weight(loss->class_weights, pf_label_class(l, i)) > 0) return true;
    return false;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    const pk_real *w = o->class_weights;
    const int64_t *labels = r->labels, rows = r->rows, classes = r->classes, ld = r->ld;
    const double uniform = o->label_smoothing / (double)classes;       /* what smoothing adds to each class's target */
    double divisor = 0, weight_sum = 0, total = 0;
    for (int64_t i = 0; i < rows; i++) divisor += pf_class_weight(w, labels[i]);
    if (o->by_batch) divisor = (double)rows;
    for (int64_t j = 0; j < classes; j++) weight_sum += pf_class_weight(w, j);
    const double scale = divisor > 0 ? 1 / divisor : 0;

    for (int64_t i = 0; i < rows; i++) {
        const pk_real *x = r->logits + i * ld;
        const double lse = pf_log_sum_exp(x, classes);
        const double label_target = (1 - o->label_smoothing) * pf_class_weight(w, labels[i]);
        total += label_target * (lse - (double)x[labels[i]]);
        for (int64_t j = 0; uniform > 0 && j < classes; j++)
            total += uniform * pf_class_weight(w, j) * (lse - (double)x[j]);
        if (!grad) continue;
        /* target t_j = (j == label ? label_target : 0) + uniform w_j, probability p_j; d/dx_j = p_j sum(t) - t_j */
        const double mass = label_target + uniform * weight_sum;
        for (int64_t j = 0; j < classes; j++) {
            const double t = (j == labels[i] ? label_target : 0) + uniform * pf_class_weight(w, j);
            grad[i * ld + j] = (pk_real)(scale * (mass * exp((double)x[j] - lse) - t));
        }
    }
    return total * scale;
}

const pf_loss_kind pf_loss_ce = { .name = "ce", .labels = PF_LABEL_CLASS,
    .options = "label_smoothing class_weights weight_reduction", .min_classes = 2, .check = pf_labels_are_classes,
    .depends_on_labels = depends_on_labels, .evaluate = evaluate };
