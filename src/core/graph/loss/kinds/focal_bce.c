/* SPDX-License-Identifier: Apache-2.0
 * focal_bce.c -- focal loss (Lin et al., ICCV 2017) of a sigmoid, with several labels for each row of logits: the mean
 * over judged entries (bce.c) of
 *
 *     alpha (pos t (1 - p)^gamma (-log p) + (1 - t) p^gamma (-log (1 - p))),    p = sigmoid of the logit,
 *
 * with target t and pos the class's option pos_weight; class weights multiply both terms. For targets 0 and 1 it is
 * torchvision's sigmoid_focal_loss, whose alpha a is here focal_alpha = 1 - a and pos_weight = a / (1 - a). */
#include "core/graph/loss/kinds/terms.h"

/* (1 - p)^gamma (-log p) of p = sigmoid(x); *slope: its derivative by x, -(1 - p)^gamma (gamma p (-log p) + 1 - p). */
static double positive_term(double x, double gamma, double *slope)
{
    const pf_sigmoid s = pf_sigmoid_of(x);
    const double minus_log_p = fmax(-x, 0) + log1p(s.e), factor = pow(s.rest, gamma);
    *slope = -factor * (gamma * s.p * minus_log_p + s.rest);
    return factor * minus_log_p;
}

static void chunk(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_loss_job *job = arg;
    const pf_loss *o = job->o;
    const pf_loss_rows *r = job->r;
    double total = 0;
    (void)row;
    for (int64_t i = begin; i < end; i++)
        for (int64_t c = 0; c < r->classes; c++) {
            const double x = (double)r->logits[i * r->ld + c], t = (double)r->targets[i * r->classes + c];
            const double w = pf_class_weight(o->class_weights, c);
            const double pos = w * pf_class_weight(o->pos_weight, c) * t, neg = w * (1 - t);
            double by_positive = 0, by_negative = 0;
            if (t >= 0 && pos > 0) total += pos * positive_term(x, o->focal_gamma, &by_positive);
            if (t >= 0 && neg > 0) total += neg * positive_term(-x, o->focal_gamma, &by_negative);
            if (job->grad) job->grad[i * r->ld + c] = (pk_real)(job->scale * (pos * by_positive - neg * by_negative));
        }
    *sum = total;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    pf_loss_job job = { .o = o, .r = r, .grad = grad };
    const double judged = *pf_loss_sum(o, r, pf_count_judged, &job);
    job.scale = judged > 0 ? o->focal_alpha / judged : 0;
    return *pf_loss_sum(o, r, chunk, &job) * job.scale;
}

static bool depends_on_labels(const pf_loss *o, const pf_labels *l)
{
    return o->focal_alpha > 0 && pf_has_judged(o, l);
}

const pf_loss_kind pf_loss_focal_bce = { .name = "focal_bce", .labels = PF_LABEL_TARGETS,
    .options = "focal_alpha focal_gamma class_weights pos_weight", .factors = "focal_alpha", .min_classes = 1,
    .check = pf_check_targets, .depends_on_labels = depends_on_labels, .evaluate = evaluate, .sums = 2 };
