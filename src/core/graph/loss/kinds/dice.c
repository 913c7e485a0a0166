/* SPDX-License-Identifier: Apache-2.0
 * dice.c -- dice: the soft Dice loss (dice.h) of softmax probabilities, with one class for each pixel of a map; without
 * class 0 if dice_background is false. ce_dice: ce_weight times the cross entropy (ce.c) plus dice_weight times dice.
 * Pixels whose label is the option ignore_index count in neither. */
#include "core/graph/loss/kinds/dice.h"

static void sum_chunk(void *arg, int64_t begin, int64_t end, double *sum, double *p)
{
    const pf_dice_loss *l = arg;
    const pf_loss *o = l->job.o;
    const pf_loss_rows *r = l->job.r;
    const pf_ce ce = pf_ce_of(o, r->classes);
    double total = 0;
    for (int64_t i = begin; i < end; i++) {
        const int64_t label = r->labels[i];
        if (pf_ignored(o, label)) continue;
        const double lse = pf_softmax(r->logits + i * r->ld, r->classes, p);
        if (l->entropy_weight > 0) total = pf_ce_add(&ce, total, r->logits + i * r->ld, r->classes, label, lse);
        for (int64_t c = 0; c < r->classes; c++) pf_dice_add(o, sum + PF_DICE_SUMS * c, p[c], c == label);
    }
    sum[PF_DICE_SUMS * r->classes] = total;
}

/* With g_c the derivative by p_c, that by logit k is p_k (g_k - sum of p_c g_c). */
static void grad_chunk(void *arg, int64_t begin, int64_t end, double *sum, double *p)
{
    const pf_dice_loss *l = arg;
    const pf_loss *o = l->job.o;
    const pf_loss_rows *r = l->job.r;
    const pf_ce ce = pf_ce_of(o, r->classes);
    const double *derivative = pf_dice_derivative(l, begin);
    (void)sum;
    for (int64_t i = begin; i < end; i++) {
        const int64_t label = r->labels[i];
        if (pf_ignored(o, label)) { pf_no_gradient(l->job.grad, i, r->ld, r->classes); continue; }
        pf_softmax(r->logits + i * r->ld, r->classes, p);
        const double target = pf_ce_target(&ce, label);
        double mean = 0;
        for (int64_t c = 0; c < r->classes; c++)
            mean += p[c] * pf_dice_slope(o, derivative + PF_DICE_SUMS * c, p[c], c == label);
        for (int64_t c = 0; c < r->classes; c++) {
            const double of_dice = pf_dice_slope(o, derivative + PF_DICE_SUMS * c, p[c], c == label) - mean;
            l->job.grad[i * r->ld + c] = (pk_real)(p[c] * of_dice
                                                    + l->job.scale * pf_ce_slope(&ce, target, label, c, p[c]));
        }
    }
}

static double divisor(const pf_loss *o, const pf_loss_rows *r, const double *sums)
{
    (void)sums;
    return pf_class_divisor(o, r);
}

static double evaluate(const pf_loss *o, const pf_loss_rows *r, double ce_weight, double dice_weight, pk_real *grad)
{
    pf_dice_loss l = { { o, r, grad, 0 }, ce_weight, dice_weight, o->dice_background ? 0 : 1, sum_chunk, grad_chunk,
                       divisor, NULL };
    return pf_dice_evaluate(&l);
}

static double dice(const pf_loss *o, const pf_loss_rows *r, pk_real *grad) { return evaluate(o, r, 0, 1, grad); }
static double ce_dice(const pf_loss *o, const pf_loss_rows *r, pk_real *grad)
{
    return evaluate(o, r, o->ce_weight, o->dice_weight, grad);
}

static bool dice_depends(const pf_loss *o, const pf_labels *l)
{
    for (int64_t i = 0; i < l->rows; i++) if (!pf_ignored(o, pf_label_class(l, i))) return true;
    return false;
}
static bool ce_dice_depends(const pf_loss *o, const pf_labels *l)
{
    return (o->dice_weight > 0 && dice_depends(o, l)) || (o->ce_weight > 0 && pf_has_weighted_class(o, l));
}

const pf_loss_kind pf_loss_dice = { .name = "dice", .labels = PF_LABEL_CLASS,
    .options = "ignore_index dice_smooth dice_background dice_batch dice_squared", .min_classes = 2,
    .check = pf_check_classes, .depends_on_labels = dice_depends, .evaluate = dice, .sums = 1,
    .class_sums = PF_DICE_SUMS, .by_sample = true };
const pf_loss_kind pf_loss_ce_dice = { .name = "ce_dice", .labels = PF_LABEL_CLASS,
    .options = "ce_weight dice_weight label_smoothing class_weights weight_reduction ignore_index dice_smooth "
    "dice_background dice_batch dice_squared", .factors = "ce_weight dice_weight", .min_classes = 2,
    .check = pf_check_classes, .depends_on_labels = ce_dice_depends, .evaluate = ce_dice, .sums = 1,
    .class_sums = PF_DICE_SUMS, .by_sample = true };
