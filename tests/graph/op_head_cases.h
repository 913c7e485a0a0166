/* SPDX-License-Identifier: Apache-2.0
 * op_head_cases.h -- the cases of op_cases.h for operations on the columns of each head of q and k: their norm, their
 * rotation, and their softmax weights as one matrix. */
#ifndef OP_HEAD_CASES_H
#define OP_HEAD_CASES_H
#include "core/graph/ops/heads/rope.h"
#include "core/graph/ops/scores/attention_map.h"
#include "op_loss_cases.h"

/* v: bit 0: gamma, bit 1: beta, bit 2: x is a column view */
static pf_val case_head_norm(lab *l, int v)
{
    enum { HEADS = 2, WIDTH = 6 };
    const pf_attr a = { .i = { HEADS }, .f = { 1e-6 } };
    pf_val x = v & 4 ? pf_columns(&l->g, peft_sys_activate(&l->g, LEAF(l, B, T, 10), "tanh"), 3, WIDTH)
                     : LEAF(l, B, T, WIDTH);
    pf_val gamma = v & 1 ? LEAF(l, WIDTH / HEADS) : NONE, beta = v & 2 ? LEAF(l, WIDTH / HEADS) : NONE;
    return pf_emit(&l->g, &pf_op_head_norm, &a, 3, (pf_val[]){ x, gamma, beta });
}

/* A table of rotations by constant angles. */
static pf_val rotations(lab *l, int64_t positions, int64_t n, bool halves)
{
    pf_val table = lab_const(l, PEFT_DIMS(positions, 2 * n));
    for (int64_t p = 0; p < positions; p++)
        for (int64_t i = 0; i < n / 2; i++)
            pf_rope_set((pk_real *)pf_v(&l->g, table)->data + p * 2 * n, i, n, halves, (pk_real)(0.7 * p + 1.3 * i));
    return table;
}

/* v: bit 0: halves, bit 1: inverse, bit 2: rows before the rotated ones, bit 3: x is a column view; from 16 on: a
 * trained table for each head */
static pf_val case_rope(lab *l, int v)
{
    enum { HEADS = 2, WIDTH = 8, SIDE = 2 };
    const int64_t first = v >= 16 || v & 4;
    const pf_attr a = { .i = { HEADS, v < 16 ? 1 : HEADS, first, v < 16 ? v & 3 : 0 } };
    const pf_attr grid = { .i = { SIDE, SIDE, 0 } };
    pf_val x = v & 8 ? pf_columns(&l->g, peft_sys_activate(&l->g, LEAF(l, B, T, 12), "tanh"), 2, WIDTH)
                     : LEAF(l, B, T, WIDTH);
    if (v < 16) return pf_emit(&l->g, &pf_op_rope, &a, 2,
                               (pf_val[]){ x, rotations(l, T - first, WIDTH / HEADS, v & 1) });
    pf_val f[2];
    for (int i = 0; i < 2; i++) f[i] = lab_leaf_as(l, dense(l), PEFT_DIMS(HEADS, WIDTH / HEADS / 2));
    return pf_emit(&l->g, &pf_op_rope, &a, 2, (pf_val[]){ x, pf_emit(&l->g, &pf_op_rope_table, &grid, 2, f) });
}

/* v: bit 0: the order of the coordinates; bit 1: the grid is not square */
static pf_val case_rope_table(lab *l, int v)
{
    enum { HEADS = 2, PAIRS = 3, SIDE = 2 };
    const pf_attr a = { .i = { v & 2 ? SIDE + 1 : SIDE, SIDE, v & 1 } };
    pf_val f[2];
    for (int i = 0; i < 2; i++) f[i] = lab_leaf_as(l, dense(l), PEFT_DIMS(HEADS, PAIRS));
    return pf_emit(&l->g, &pf_op_rope_table, &a, 2, f);
}

/* The softmax weights of constants, as no gradient flows through them, times a trained factor of each key. v: how heads
 * are fused (mean, max, min); from 3 on with extra keys, sink and head_scale. */
static pf_val case_attention_map(lab *l, int v)
{
    enum { KEYS = 4, WIDTH = 6, HEADS = 2 };
    const pf_attr a = { .i = { v % 3, HEADS } };
    pf_val q = lab_const(l, PEFT_DIMS(B, T, WIDTH)), k = lab_const(l, PEFT_DIMS(B, KEYS, WIDTH)), factor = LEAF(l,
                                                                                                                KEYS);
    pf_val xk = v < 3 ? NONE : lab_const(l, PEFT_DIMS(2, WIDTH)), sink = v < 3 ? NONE : lab_const(l, PEFT_DIMS(T));
    pf_val scale = v < 3 ? NONE : lab_const(l, PEFT_DIMS(HEADS));
    return peft_sys_mul(&l->g, pf_emit(&l->g, &pf_op_attention_map, &a, 5, (pf_val[]){ q, k, xk, sink, scale }),
                        factor);
}

/* The same of weights that are computed step by step. */
static pf_val case_fuse_heads(lab *l, int v)
{
    enum { KEYS = 4, WIDTH = 6, HEADS = 2 };
    pf_val q = lab_const(l, PEFT_DIMS(B, T, WIDTH)), k = lab_const(l, PEFT_DIMS(B, KEYS, WIDTH)), factor = LEAF(l,
                                                                                                                KEYS);
    pf_val p = peft_sys_softmax(&l->g, peft_sys_attention_scores(&l->g, HEADS, q, k), PF_NONE);
    return peft_sys_mul(&l->g, pf_emit(&l->g, &pf_op_fuse_heads, &(pf_attr){ .i = { v } }, 1, &p), factor);
}
#endif
