/* SPDX-License-Identifier: Apache-2.0
 * gemm_ahead.h -- what gemm.c has asked for beside its tiles, so that nobody waits for it later. */
#ifndef PK_GEMM_AHEAD_H
#define PK_GEMM_AHEAD_H
#include "gemm_plan.h"

enum { LINE = PK_ALIGN / (int)sizeof(pk_real) };

/* A rectangle of A or B: rows of `length`, `row` elements apart. */
typedef struct rectangle { const pk_real *at; int64_t row, rows, length; } rectangle;

/* The lines of A's rows row.. and columns from.., and of B's rows from.. and columns column.., along their memory. */
static inline rectangle part_of_a(const pk_gemm *g, int64_t row, int64_t rows, int64_t from, int64_t k)
{
    const pk_real *at = g->a + row * g->a_row + from * g->a_col;
    const int64_t m = at_most(rows, g->m - row), deep = at_most(k, g->k - from);
    return g->a_col == 1 ? (rectangle){ at, g->a_row, m, deep } : (rectangle){ at, g->a_col, deep, m };
}

static inline rectangle part_of_b(const pk_gemm *g, int64_t from, int64_t k, int64_t column, int64_t columns)
{
    const pk_real *at = g->b + from * g->b_row + column * g->b_col;
    const int64_t deep = at_most(k, g->k - from), n = at_most(columns, g->n - column);
    return g->b_row == 1 ? (rectangle){ at, g->b_col, n, deep } : (rectangle){ at, g->b_row, deep, n };
}

/* The rectangle as a stream that is asked for in so many turns, of which `done` have been. */
static inline pk_stream stream_of(rectangle r, int64_t turns, int64_t done)
{
    if (r.rows <= 0 || r.length <= 0 || turns <= 0) return (pk_stream){ .some = 0 };
    const int64_t lines = ceil_div(r.length, LINE), some = ceil_div(r.rows * lines, turns);
    const int64_t first = done * some, row = first / lines, line = first % lines;
    if (row >= r.rows) return (pk_stream){ .some = 0 };
    return (pk_stream){ .at = r.at + row * r.row + line * LINE, .left = lines - line, .lines = lines,
                        .gap = r.row - lines * LINE, .rows = r.rows - row, .some = (int)some };
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
