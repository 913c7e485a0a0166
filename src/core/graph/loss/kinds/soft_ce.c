/* SPDX-License-Identifier: Apache-2.0
 * soft_ce.c -- softmax cross entropy with a distribution over the classes for each row of logits (a class is the
 * distribution with one 1). Targets are smoothed, then weighted. The sum is divided by the number of rows; with class
 * weights, unless by_batch is set, by the sum of the weighted targets before smoothing. */
#include "core/graph/loss/kinds/terms.h"
#include "core/options/options.h"

/* Each row must add up to 1. Callers may have rounded the probabilities, so that 1e-3 is allowed. */
static peft_status check(const pf_loss *o, const pf_labels *l)
{
    (void)o;
    char given[32], place[PF_LABEL_TEXT];
    for (int64_t i = 0; i < l->rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < l->classes; j++) {
            PF_TRY(pf_target_in_range(l, i, j, "0 to 1 (soft_ce takes a probability of each class)"));
            sum += pf_label_target(l, i, j);
        }
        if (fabs(sum - 1) <= 1e-3) continue;
        pf_print_float(given, sizeof given, sum);
        return pf_fail(PEFT_E_INVALID, "%s: its entries add up to %s, expected 1 (soft_ce takes a probability of each "
                       "class; several independent labels are for loss=bce)", pf_label_place(l, i, place), given);
    }
    return PEFT_OK;
}

/* Is there a target above 0 whose class has a weight above 0? */
static bool depends_on_labels(const pf_loss *loss, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t j = 0; j < l->classes; j++)
            if (pf_label_target(l, i, j) > 0 && pf_class_weight(loss->class_weights, j) > 0) return true;
    return false;
}

/* The target of class j, smoothed, then weighted. */
static double soft_target(const pf_loss *o, const pk_real *targets, int64_t classes, int64_t j)
{
    return pf_class_weight(o->class_weights, j)
         * ((1 - o->label_smoothing) * (double)targets[j] + o->label_smoothing / (double)classes);
}

static void chunk(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_loss_job *job = arg;
    const pf_loss_rows *r = job->r;
    const int64_t classes = r->classes;
    double total = 0;
    (void)row;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *x = r->logits + i * r->ld, *targets = r->targets + i * classes;
        const double lse = pf_log_sum_exp(x, classes);
        double mass = 0;                                 /* sum of the row's targets t_j; d/dx_j = p_j mass - t_j */
        for (int64_t j = 0; j < classes; j++) {
            const double t = soft_target(job->o, targets, classes, j);
            mass += t;
            total += t * (lse - (double)x[j]);
        }
        for (int64_t j = 0; job->grad && j < classes; j++) {
            const double p = exp((double)x[j] - lse);
            job->grad[i * r->ld + j] = (pk_real)(job->scale * (mass * p - soft_target(job->o, targets, classes, j)));
        }
    }
    *sum = total;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    const pk_real *w = o->class_weights;
    const bool by_weight = w && !o->by_batch;
    double divisor = by_weight ? 0 : (double)r->rows;
    for (int64_t i = 0; by_weight && i < r->rows * r->classes; i++)
        divisor += pf_class_weight(w, i % r->classes) * (double)r->targets[i];
    pf_loss_job job = { o, r, grad, divisor > 0 ? 1 / divisor : 0 };
    return *pf_loss_sum(o, r, chunk, &job) * job.scale;
}

const pf_loss_kind pf_loss_soft_ce = { .name = "soft_ce", .labels = PF_LABEL_TARGETS,
    .options = "label_smoothing class_weights weight_reduction", .min_classes = 2, .auto_by_batch = true,
    .check = check, .depends_on_labels = depends_on_labels, .evaluate = evaluate,
    .sums = 1 };
