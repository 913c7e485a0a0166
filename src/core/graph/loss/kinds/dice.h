/* SPDX-License-Identifier: Apache-2.0
 * dice.h -- the soft Dice loss of maps (dice.c, dice_multilabel.c), as MONAI's DiceLoss:
 *
 *     1 - mean of (2 I + smooth) / (P + T + smooth),   I = sum p t,  P = sum p,  T = sum t,
 *
 * with a term for each class and sample, whose sums are over the sample's pixels with a label (p: probability of the
 * class, t: target). dice_squared: P and T are sums of squares. dice_batch: sums over all samples and a term for each
 * class. A term without a pixel counts in no mean; one with denominator 0 (smooth 0, no pixel of the class and all
 * p 0) has Dice 1 and no gradient. */
#ifndef PF_LOSS_DICE_H
#define PF_LOSS_DICE_H
#include "core/graph/loss/kinds/terms.h"

/* The sums of one class in a chunk, before other sums of the chunk; pf_dice_evaluate turns them into the derivative of
 * the loss by p: slope * (1 or, with dice_squared, 2 p) - twice * t. */
enum { PF_DICE_PIXELS, PF_DICE_BOTH, PF_DICE_P, PF_DICE_T, PF_DICE_SUMS };         /* pixels with a label, I, P, T */
enum { PF_DICE_TWICE, PF_DICE_SLOPE };

/* Adds a pixel with probability p and target t to the sums of a class. */
static inline void pf_dice_add(const pf_loss *o, double *class_sums, double p, double t)
{
    class_sums[PF_DICE_PIXELS] += 1;
    class_sums[PF_DICE_BOTH] += p * t;
    class_sums[PF_DICE_P] += o->dice_squared ? p * p : p;
    class_sums[PF_DICE_T] += o->dice_squared ? t * t : t;
}

/* A loss that is the sum of a cross entropy and the Dice loss, each times its weight. */
typedef struct pf_dice_loss {
    pf_loss_job job;                   /* scale: of the gradient of the cross entropy */
    double entropy_weight, dice_weight;
    int64_t first;                     /* the first class with a term */
    /* Sums of a chunk: PF_DICE_SUMS for each class, then the cross entropy (not needed if its weight is 0). */
    pf_loss_chunk sum, grad;
    /* By what the cross entropy is divided. */
    double (*divisor)(const pf_loss *o, const pf_loss_rows *r, const double *sums);
    const double *sums;
} pf_dice_loss;
double pf_dice_evaluate(pf_dice_loss *l);
/* In a chunk of `grad`: the derivatives by the p of the classes in the sample of `row`, PF_DICE_SUMS numbers each. */
const double *pf_dice_derivative(const pf_dice_loss *l, int64_t row);

/* The derivative of the loss by p in a pixel with target t. */
static inline double pf_dice_slope(const pf_loss *o, const double *derivative, double p, double t)
{
    return derivative[PF_DICE_SLOPE] * (o->dice_squared ? 2 * p : 1) - derivative[PF_DICE_TWICE] * t;
}
#endif
