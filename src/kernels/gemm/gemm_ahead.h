/* SPDX-License-Identifier: Apache-2.0
 * gemm_ahead.h -- which memory gemm.c prefetches while it multiplies: parts of A and B that are packed next, and what
 * the epilogue reads. */
#ifndef PK_GEMM_AHEAD_H
#define PK_GEMM_AHEAD_H
#include "gemm_plan.h"
#include "../stream.h"

/* A's rows row.. and columns from.., B's rows from.. and columns column.., along their memory. */
static inline rectangle part_of_a(const pk_gemm *g, int64_t row, int64_t rows, int64_t from, int64_t k)
{
    const pk_real *at = g->a + row * g->a_row + from * g->a_col;
    const int64_t m = at_most(rows, g->m - row), deep = at_most(k, g->k - from);
    return g->a_col == 1 ? rectangle_of(at, sizeof *at, g->a_row, m, deep)
                         : rectangle_of(at, sizeof *at, g->a_col, deep, m);
}

static inline rectangle part_of_b(const pk_gemm *g, int64_t from, int64_t k, int64_t column, int64_t columns)
{
    const int64_t size = pk_dtype_size(g->b_type);
    const char *at = (const char *)g->b + (from * g->b_row + column * g->b_col) * size;
    const int64_t deep = at_most(k, g->k - from), n = at_most(columns, g->n - column);
    return g->b_row == 1 ? rectangle_of(at, size, g->b_col, n, deep) : rectangle_of(at, size, g->b_row, deep, n);
}

static inline void ask_block(pk_ahead *a, const pk_real *at, int64_t row)
{
    a->block[a->blocks].at = at;
    a->block[a->blocks++].row = row;
}

/* What the epilogue of a tile of C reads and writes. */
static inline void ask_for_epilogue(pk_ahead *a, const pk_gemm *g, int64_t row, int64_t column)
{
    ask_block(a, g->c + row * g->c_row + column, g->c_row);
    if (g->residual && g->residual != g->c)
        ask_block(a, g->residual + row * g->residual_row + column, g->residual_row);
    if (g->gate) ask_block(a, g->gate + row * g->gate_row + column, g->gate_row);
}
#endif
