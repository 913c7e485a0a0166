/* SPDX-License-Identifier: Apache-2.0
 * focal.c -- focal loss (Lin et al., ICCV 2017) of a softmax, with one class for each row of logits:
 *
 *     alpha (1 - p)^gamma (-log p),    p = softmax of the label's logit + eps,
 *
 * where 1 - p < 0 (eps > 0, softmax near 1) counts as 0. gamma = 0, eps = 0 is alpha times the cross entropy. Class
 * weights multiply the rows and divide the sum as for ce, and the option ignore_index leaves rows out. */
#include "core/graph/loss/kinds/terms.h"

/* Is the factor above 0, and a label of a class whose weight is? */
static bool depends_on_labels(const pf_loss *loss, const pf_labels *l)
{
    return loss->focal_alpha > 0 && pf_has_weighted_class(loss, l);
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

static void chunk(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_loss_job *job = arg;
    const pf_loss_rows *r = job->r;
    double total = 0;
    (void)row;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *x = r->logits + i * r->ld;
        const int64_t label = r->labels[i];
        if (pf_ignored(job->o, label)) { pf_no_gradient(job->grad, i, r->ld, r->classes); continue; }
        const double lse = pf_log_sum_exp(x, r->classes), weight = pf_class_weight(job->o->class_weights, label);
        double slope;
        total += weight * focal(job->o, (double)x[label] - lse, &slope);
        slope *= job->scale * weight;
        for (int64_t j = 0; job->grad && j < r->classes; j++)      /* d log s / dx_j = (j == label) - softmax_j */
            job->grad[i * r->ld + j] = (pk_real)(slope * ((double)(j == label) - exp((double)x[j] - lse)));
    }
    *sum = total;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    const double divisor = pf_class_divisor(o, r);
    pf_loss_job job = { o, r, grad, divisor > 0 ? o->focal_alpha / divisor : 0 };
    return *pf_loss_sum(o, r, chunk, &job) * job.scale;
}

const pf_loss_kind pf_loss_focal = { .name = "focal", .labels = PF_LABEL_CLASS,
    .options = "focal_alpha focal_gamma focal_eps class_weights weight_reduction ignore_index",
    .factors = "focal_alpha", .min_classes = 2, .check = pf_check_classes,
    .depends_on_labels = depends_on_labels, .evaluate = evaluate, .sums = 1 };
