/* SPDX-License-Identifier: Apache-2.0
 * dice_multilabel.c -- dice_multilabel: the soft Dice loss (dice.h) of sigmoid probabilities, with several labels for
 * each pixel of a map: targets 0 to 1, or -1 for a class that was not judged there, which counts nowhere. bce_dice:
 * ce_weight times the binary cross entropy (bce.c) plus dice_weight times dice_multilabel. */
#include "core/graph/loss/kinds/dice.h"

static void sum_chunk(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_dice_loss *l = arg;
    const pf_loss *o = l->job.o;
    const pf_loss_rows *r = l->job.r;
    double total = 0;
    (void)row;
    for (int64_t i = begin; i < end; i++)
        for (int64_t c = 0; c < r->classes; c++) {
            const double x = (double)r->logits[i * r->ld + c], t = (double)r->targets[i * r->classes + c];
            if (t < 0) continue;
            const pf_sigmoid s = pf_sigmoid_of(x);
            if (l->entropy_weight > 0)
                total += pf_class_weight(o->class_weights, c) * pf_bce(x, &s, t, pf_class_weight(o->pos_weight, c));
            pf_dice_add(o, sum + PF_DICE_SUMS * c, s.p, t);
        }
    sum[PF_DICE_SUMS * r->classes] = total;
}

static void grad_chunk(void *arg, int64_t begin, int64_t end, double *sum, double *row)
{
    const pf_dice_loss *l = arg;
    const pf_loss *o = l->job.o;
    const pf_loss_rows *r = l->job.r;
    const double *derivative = pf_dice_derivative(l, begin);
    (void)sum;
    (void)row;
    for (int64_t i = begin; i < end; i++)
        for (int64_t c = 0; c < r->classes; c++) {
            const double x = (double)r->logits[i * r->ld + c], t = (double)r->targets[i * r->classes + c];
            double total = 0;
            if (t >= 0) {
                const pf_sigmoid s = pf_sigmoid_of(x);
                const double by_p = pf_dice_slope(o, derivative + PF_DICE_SUMS * c, s.p, t);
                const double w = l->job.scale * pf_class_weight(o->class_weights, c);
                total = by_p * s.p * s.rest + w * pf_bce_slope(&s, t, pf_class_weight(o->pos_weight, c));
            }
            l->job.grad[i * r->ld + c] = (pk_real)total;
        }
}

/* The number of judged targets, which are the pixels of the sums of dice. */
static double judged(const pf_loss *o, const pf_loss_rows *r, const double *sums)
{
    double count = 0;
    for (int64_t i = 0; i < r->samples; i++)
        for (int64_t c = 0; c < r->classes; c++) count += sums[i * pf_loss_stride(o, r) + PF_DICE_SUMS * c];
    return count;
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, double bce_weight, double dice_weight, pk_real *grad)
{
    const int64_t first = 0;
    pf_dice_loss l = { { o, r, grad, 0 }, bce_weight, dice_weight, first, sum_chunk, grad_chunk, judged, NULL };
    return pf_dice_evaluate(&l);
}

static double dice_multilabel(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    return evaluate(o, r, 0, 1, grad);
}
static double bce_dice(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    return evaluate(o, r, o->ce_weight, o->dice_weight, grad);
}

static bool dice_depends(const pf_loss *o, const pf_labels *l)
{
    (void)o;
    for (int64_t i = 0; i < l->rows; i++)
        for (int64_t c = 0; c < l->classes; c++) if (pf_label_target(l, i, c) >= 0) return true;
    return false;
}
static bool bce_dice_depends(const pf_loss *o, const pf_labels *l)
{
    return (o->dice_weight > 0 && dice_depends(o, l)) || (o->ce_weight > 0 && pf_has_judged(o, l));
}

const pf_loss_kind pf_loss_dice_multilabel = { .name = "dice_multilabel", .labels = PF_LABEL_TARGETS,
    .options = "dice_smooth dice_batch dice_squared", .min_classes = 1, .check = pf_check_targets,
    .depends_on_labels = dice_depends, .evaluate = dice_multilabel, .sums = 1, .class_sums = PF_DICE_SUMS,
    .by_sample = true };
const pf_loss_kind pf_loss_bce_dice = { .name = "bce_dice", .labels = PF_LABEL_TARGETS,
    .options = "ce_weight dice_weight class_weights pos_weight dice_smooth dice_batch dice_squared",
    .factors = "ce_weight dice_weight", .min_classes = 1, .check = pf_check_targets,
    .depends_on_labels = bce_dice_depends, .evaluate = bce_dice, .sums = 1, .class_sums = PF_DICE_SUMS,
    .by_sample = true };
