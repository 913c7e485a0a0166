/* SPDX-License-Identifier: Apache-2.0
 * dice_terms.c -- from the sums of the soft Dice loss to its value and derivative. */
#include <string.h>
#include "core/graph/loss/kinds/dice.h"

/* Adds the sums of all samples to those of the first one, in their order. */
static void join_samples(const pf_loss_rows *r, double *sums, int64_t stride)
{
    for (int64_t i = 1; i < r->samples; i++)
        for (int64_t k = 0; k < PF_DICE_SUMS * r->classes; k++) sums[k] += sums[i * stride + k];
}

/* The loss 1 - D of one class, whose sums become its derivative by p: D (1 or 2 p) / U - 2 t / U, with D = (2 I +
 * smooth) / U and U = P + T + smooth. */
static double one_term(const pf_loss *o, double *s)
{
    const double u = s[PF_DICE_P] + s[PF_DICE_T] + o->dice_smooth;
    const double dice = u == 0 ? 1 : (2 * s[PF_DICE_BOTH] + o->dice_smooth) / u;
    s[PF_DICE_TWICE] = u == 0 ? 0 : 2 / u;
    s[PF_DICE_SLOPE] = u == 0 ? 0 : dice / u;
    return 1 - dice;
}

/* weight times the loss of classes first .. classes - 1. The sums become its derivative: zeros for other classes. */
static double all_terms(const pf_loss *o, const pf_loss_rows *r, int64_t first, double weight, double *sums)
{
    const int64_t stride = pf_loss_stride(o, r), samples = o->dice_batch ? 1 : r->samples;
    double total = 0, terms = 0;
    if (o->dice_batch) join_samples(r, sums, stride);
    for (int64_t i = 0; i < samples; i++)
        for (int64_t c = first; c < r->classes; c++) {
            double *s = sums + i * stride + PF_DICE_SUMS * c;
            if (s[PF_DICE_PIXELS] == 0) continue;            /* I, P and T are 0, and so is the derivative */
            total += one_term(o, s);
            terms++;
        }
    const double scale = terms > 0 ? weight / terms : 0;
    for (int64_t i = 0; i < samples; i++)
        for (int64_t c = 0; c < r->classes; c++)
            for (int k = 0; k <= PF_DICE_SLOPE; k++)
                sums[i * stride + PF_DICE_SUMS * c + k] *= c < first ? 0 : scale;
    return total * scale;
}

double pf_dice_evaluate(pf_dice_loss *l)
{
    const pf_loss *o = l->job.o;
    const pf_loss_rows *r = l->job.r;
    double *sums = pf_loss_sum(o, r, l->sum, l), entropy = 0;
    const double divisor = l->divisor(o, r, sums);
    for (int64_t i = 0; i < r->samples; i++) entropy += sums[i * pf_loss_stride(o, r) + PF_DICE_SUMS * r->classes];
    l->job.scale = divisor > 0 ? l->entropy_weight / divisor : 0;
    const double dice = all_terms(o, r, l->first, l->dice_weight, sums);
    l->sums = sums;
    if (l->job.grad) pf_loss_each(o, r, l->grad, l);
    return l->job.scale * entropy + dice;
}

const double *pf_dice_derivative(const pf_dice_loss *l, int64_t row)
{
    const pf_loss_rows *r = l->job.r;
    if (l->job.o->dice_batch) return l->sums;
    return l->sums + row / (r->rows / r->samples) * pf_loss_stride(l->job.o, r);
}
