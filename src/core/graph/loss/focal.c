/* SPDX-License-Identifier: Apache-2.0
 * focal.c -- focal loss (Lin et al., ICCV 2017) of a softmax, with one class for each row of logits:
 *
 *     alpha (1 - p)^gamma (-log p),    p = softmax of the label's logit + eps,
 *
 * where 1 - p < 0 (eps > 0, softmax near 1) counts as 0. gamma = 0, eps = 0 is alpha times the cross entropy. Class
 * weights multiply the rows and divide the sum as for ce. */
#include "core/graph/loss/loss_math.h"

/* Is the factor above 0, and a label of a class whose weight is? */
static bool depends_on_labels(const pf_loss *loss, const pf_labels *l)
{
    return loss->focal_alpha > 0 && pf_loss_ce.depends_on_labels(loss, l);
}

/* The loss of a row by log_s, the log of its label's softmax s; *slope is set to s times the derivative by s. */
static double focal(const pf_loss *o, double log_s, double *slope)
{
    const double s = exp(log_s), p = s + o->focal_eps, rest = fmax(0, -expm1(log_s) - o->focal_eps);
    const double log_p = o->focal_eps > 0 ? log(p) : log_s;       /* finite even where s is too small for a double */
    const double relative = o->focal_eps > 0 ? s / p : 1, factor = pow(rest, o->focal_gamma);
    *slope = -factor * relative;
    if (rest > 0) *slope += o->focal_gamma * factor / rest * log_p * s;
    return -factor * log_p;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    const int64_t rows = r->rows, classes = r->classes, ld = r->ld;
    double divisor = 0, total = 0;
    for (int64_t i = 0; i < rows; i++) divisor += pf_class_weight(o->class_weights, r->labels[i]);
    if (o->by_batch) divisor = (double)rows;
    const double scale = divisor > 0 ? o->focal_alpha / divisor : 0;

    for (int64_t i = 0; i < rows; i++) {
        const pk_real *x = r->logits + i * ld;
        const int64_t label = r->labels[i];
        const double lse = pf_log_sum_exp(x, classes), weight = pf_class_weight(o->class_weights, label);
        double slope;
        total += weight * focal(o, (double)x[label] - lse, &slope);
        slope *= scale * weight;
        for (int64_t j = 0; grad && j < classes; j++)        /* d log s / dx_j = (j == label) - softmax_j */
            grad[i * ld + j] = (pk_real)(slope * ((double)(j == label) - exp((double)x[j] - lse)));
    }
    return total * scale;
}

const pf_loss_kind pf_loss_focal = { .name = "focal", .labels = PF_LABEL_CLASS,
    .options = "focal_alpha focal_gamma focal_eps class_weights weight_reduction", .min_classes = 2,
    .check = pf_labels_are_classes, .depends_on_labels = depends_on_labels, .evaluate = evaluate };
