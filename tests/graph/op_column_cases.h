/* SPDX-License-Identifier: Apache-2.0
 * op_column_cases.h -- the cases of op_cases.h for views of columns, and for values that are put side by side. */
#ifndef OP_COLUMN_CASES_H
#define OP_COLUMN_CASES_H
#include "op_image_cases.h"

/* Views of columns of one value: with gaps, adjacent, out of order, overlapping, the same twice, many. */
static pf_val case_columns(lab *l, int v)
{
    static const int col[][6] = { { 1, 5 }, { 0, 2, 4 }, { 4, 0 }, { 1, 2 }, { 3, 3 }, { 0, 1, 2, 3, 4, 5 } };
    static const int count[] = { 2, 3, 2, 2, 2, 6 };
    pf_val wide = LEAF(l, B, T, 8), sum = PEFT_NONE;
    for (int i = 0; i < count[v]; i++) {
        pf_val part = peft_sys_activate(&l->g, pf_columns(&l->g, wide, col[v][i], 2), "tanh");
        sum = peft_sys_add(&l->g, sum, peft_sys_mul(&l->g, part, lab_const(l, PEFT_DIMS(2))));
    }
    return sum;
}

/* v: bit 0: the gate is the last half, bit 1: x is a column view; v / 4: the activation */
static pf_val case_gate(lab *l, int v)
{
    static const pk_act act[] = { PK_SILU, PK_GELU, PK_TANH };
    pf_val x = v & 2 ? pf_columns(&l->g, peft_sys_activate(&l->g, LEAF(l, B, T, 9), "tanh"), 2, 6) : LEAF(l, B, T, 6);
    return pf_gated(&l->g, x, act[v / 4], v & 1);
}

/* Two values side by side; the first one has another reader, or is read twice. */
static pf_val case_side_by_side(lab *l, int v)
{
    const pf_val a = LEAF(l, B, 1, 3), b = LEAF(l, B, 1, 5);
    const pf_attr at = { .i = { 0, 3 }, .shape = pf_shape_of(3, (int64_t)B, (int64_t)1, (int64_t)(v ? 6 : 8)) };
    const pf_val y = pf_emit(&l->g, &pf_op_concat_cols, &at, 2, (pf_val[]){ a, v ? a : b });
    if (v) return peft_sys_mul(&l->g, y, lab_const(l, PEFT_DIMS(6)));
    return peft_sys_add(&l->g, peft_sys_activate(&l->g, y, "tanh"),
                        peft_sys_mul(&l->g, peft_sys_repeat_batch(&l->g, lab_const(l, PEFT_DIMS(1, 8))), y));
}
#endif
