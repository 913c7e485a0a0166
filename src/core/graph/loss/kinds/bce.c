/* SPDX-License-Identifier: Apache-2.0
 * bce.c -- binary cross entropy with logits. bce is the mean over rows and classes; bce_sum is the sum over classes and
 * the mean over rows. Targets are 0 to 1, or -1 if the class was not judged. Such an entry has no loss and no gradient
 * and does not count in the mean: with 3 judged entries of 8 the sum is divided by 3. Without any judged entry value
 * and gradient are 0. */
#include "core/graph/loss/kinds/terms.h"

peft_status pf_check_targets(const pf_loss *o, const pf_labels *l)
{
    (void)o;
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t j = 0; j < l->classes; j++)
            PF_TRY(pf_target_in_range_or_unjudged(l, i, j, "0 to 1, or -1 for a class that was not judged"));
    return PEFT_OK;
}

bool pf_has_judged(const pf_loss *o, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t j = 0; j < l->classes; j++)
            if (pf_label_target(l, i, j) >= 0 && pf_class_weight(o->class_weights, j) > 0) return true;
    return false;
}

void pf_count_judged(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_loss_rows *r = ((const pf_loss_job *)arg)->r;
    (void)row;
    for (int64_t i = begin; i < end; i++) {
        int64_t judged = 0;
        for (int64_t j = 0; j < r->classes; j++) judged += r->targets[i * r->classes + j] >= 0;
        sum[0] += (double)judged;
        sum[1] += judged > 0;
    }
}

static void chunk(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_loss_job *job = arg;
    const pf_loss_rows *r = job->r;
    double total = 0;
    (void)row;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < r->classes; j++) {
            const double x = (double)r->logits[i * r->ld + j], t = (double)r->targets[i * r->classes + j];
            const double w = pf_class_weight(job->o->class_weights, j), pos = pf_class_weight(job->o->pos_weight, j);
            double slope = 0;
            if (t >= 0) {
                const pf_sigmoid s = pf_sigmoid_of(x);
                total += w * pf_bce(x, &s, t, pos);
                slope = pf_bce_slope(&s, t, pos);
            }
            if (job->grad) job->grad[i * r->ld + j] = (pk_real)(job->scale * w * slope);
        }
    *sum = total;
}

typedef enum { MEAN_OVER_CLASSES, SUM_OVER_CLASSES } reduction;        /* bce, bce_sum */

static double evaluate(const pf_loss *o, const pf_loss_rows *r, reduction over_classes, pk_real *grad)
{
    pf_loss_job job = { .o = o, .r = r, .grad = grad };
    const double *counts = pf_loss_sum(o, r, pf_count_judged, &job), divisor = counts[over_classes == SUM_OVER_CLASSES];
    job.scale = divisor > 0 ? 1 / divisor : 0;
    return *pf_loss_sum(o, r, chunk, &job) * job.scale;
}

static double evaluate_mean(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    return evaluate(o, r, MEAN_OVER_CLASSES, grad);
}

static double evaluate_sum(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    return evaluate(o, r, SUM_OVER_CLASSES, grad);
}

const pf_loss_kind pf_loss_bce = { .name = "bce", .labels = PF_LABEL_TARGETS, .options = "class_weights pos_weight",
    .min_classes = 1, .check = pf_check_targets, .depends_on_labels = pf_has_judged, .evaluate = evaluate_mean,
    .sums = 2 };
const pf_loss_kind pf_loss_bce_sum = { .name = "bce_sum", .labels = PF_LABEL_TARGETS,
    .options = "class_weights pos_weight", .min_classes = 1, .check = pf_check_targets,
    .depends_on_labels = pf_has_judged, .evaluate = evaluate_sum, .sums = 2 };
