/* SPDX-License-Identifier: Apache-2.0
 * ce.c -- softmax cross entropy with one class for each row of logits. The sum is divided by the number of rows. With
 * class weights it is divided by the sum of the labels' weights, or by the number of rows if by_batch (option
 * weight_reduction) is set; if the divisor is 0, so are value and gradient. Rows whose label is the option ignore_index
 * have no loss and no gradient and count in no divisor, as in torch's CrossEntropyLoss. */
#include "core/graph/loss/kinds/terms.h"

peft_status pf_check_classes(const pf_loss *o, const pf_labels *l)
{
    return pf_labels_are_classes(l, o->ignores ? &o->ignore_index : NULL);
}

bool pf_has_weighted_class(const pf_loss *o, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++) {
        const int64_t label = pf_label_class(l, i);
        if (!pf_ignored(o, label) && pf_class_weight(o->class_weights, label) > 0) return true;
    }
    return false;
}

double pf_class_divisor(const pf_loss *o, const pf_loss_rows *r)
{
    double divisor = 0;
    for (int64_t i = 0; i < r->rows; i++)
        if (!pf_ignored(o, r->labels[i]))
            divisor += o->by_batch ? 1 : pf_class_weight(o->class_weights, r->labels[i]);
    return divisor;
}

pf_ce pf_ce_of(const pf_loss *o, int64_t classes)
{
    pf_ce ce = { .weights = o->class_weights, .smoothing = o->label_smoothing,
                 .uniform = o->label_smoothing / (double)classes };
    double sum = 0;
    for (int64_t j = 0; j < classes; j++) sum += pf_class_weight(ce.weights, j);
    ce.mass = ce.uniform * sum;
    return ce;
}

static void chunk(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_loss_job *job = arg;
    const pf_loss_rows *r = job->r;
    const pf_ce ce = pf_ce_of(job->o, r->classes);
    double total = 0;
    (void)row;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *x = r->logits + i * r->ld;
        const int64_t label = r->labels[i];
        if (pf_ignored(job->o, label)) { pf_no_gradient(job->grad, i, r->ld, r->classes); continue; }
        const double lse = pf_log_sum_exp(x, r->classes), target = pf_ce_target(&ce, label);
        total = pf_ce_add(&ce, total, x, r->classes, label, lse);
        for (int64_t j = 0; job->grad && j < r->classes; j++)
            job->grad[i * r->ld + j] = (pk_real)(job->scale * pf_ce_slope(&ce, target, label, j,
                                                                          exp((double)x[j] - lse)));
    }
    *sum = total;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    const double divisor = pf_class_divisor(o, r);
    pf_loss_job job = { o, r, grad, divisor > 0 ? 1 / divisor : 0 };
    return *pf_loss_sum(o, r, chunk, &job) * job.scale;
}

const pf_loss_kind pf_loss_ce = { .name = "ce", .labels = PF_LABEL_CLASS,
    .options = "label_smoothing class_weights weight_reduction ignore_index", .min_classes = 2,
    .check = pf_check_classes, .depends_on_labels = pf_has_weighted_class, .evaluate = evaluate, .sums = 1 };
