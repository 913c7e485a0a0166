/* SPDX-License-Identifier: Apache-2.0
 * op_loss_cases.h -- the cases of op_cases.h for losses without labels, and for losses that are added to one of
 * labels. */
#ifndef OP_LOSS_CASES_H
#define OP_LOSS_CASES_H
#include "op_image_cases.h"

/* v 3: logits that differ much */
static pf_val case_entropy(lab *l, int v)
{
    static const int64_t shape[][4] = { { T, 5 }, { B, T, 5 }, { 1, 2 }, { T, 3 } };
    pf_val x = lab_leaf(l, shape[v]);
    return peft_sys_entropy(&l->g, v < 3 ? x : peft_sys_scale(&l->g, x, 5));
}

/* v: bit 0: absolute differences; bit 1: one row, which has no deviation */
static pf_val case_discrepancy(lab *l, int v)
{
    pf_val x = v & 2 ? LEAF(l, 1, 1, D) : LEAF(l, B, T, D);
    return peft_sys_discrepancy(&l->g, x, lab_const(l, PEFT_DIMS(D)), lab_const(l, PEFT_DIMS(D)),
                                v & 1 ? "absolute" : "squared");
}

/* The mixture is a constant for gradients, so that x is one here. v: the mean, the variance or the deviation; 3: the
 * variance of one row */
static pf_val case_mixed_statistics(lab *l, int v)
{
    const pf_val in[] = { v == 3 ? lab_const(l, PEFT_DIMS(1, 1, D)) : lab_const(l, PEFT_DIMS(B, T, D)),
                          lab_const(l, PEFT_DIMS(D)), lab_const(l, PEFT_DIMS(D)), lab_const(l, PEFT_DIMS(1)) };
    pf_val factor = LEAF(l, D);
    pk_real *var = pf_v(&l->g, in[2])->data, *share = pf_v(&l->g, in[3])->data;
    for (int i = 0; i < D; i++) var[i] = 1 + var[i] * var[i];
    share[0] = (pk_real)0.75;
    if (!pf_exists(pf_emit(&l->g, &pf_op_mixed_statistics, NULL, 4, in))) return PF_NONE;
    return peft_sys_mul(&l->g, factor, l->g.node[l->g.nodes - 1].out[v % 3 + (v == 3)]);
}

/* v: bit 0: the sum; bit 1: of a vector */
static pf_val case_mean(lab *l, int v)
{
    pf_val x = v & 2 ? LEAF(l, D) : LEAF(l, B, T, D);
    return v & 1 ? peft_sys_sum(&l->g, x) : peft_sys_mean(&l->g, peft_sys_mul(&l->g, x, x));
}

/* The loss of labels with one or two losses added. */
static pf_val case_added(lab *l, int v)
{
    pf_val x = lab_leaf_as(l, dense(l), PEFT_DIMS(5, LAB_CLASSES)), mean = lab_const(l, PEFT_DIMS(LAB_CLASSES));
    peft_sys_add_loss(&l->g, peft_sys_entropy(&l->g, x), 0.7);
    if (v) peft_sys_add_loss(&l->g, peft_sys_discrepancy(&l->g, peft_sys_activate(&l->g, x, "tanh"), mean, mean,
                                                         "squared"), -0.3);
    lab_loss(l, x);
    return NONE;
}
#endif
