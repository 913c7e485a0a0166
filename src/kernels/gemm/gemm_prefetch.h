/* SPDX-License-Identifier: Apache-2.0
 * gemm_prefetch.h -- the memory that gemm.c prefetches while it multiplies: parts of A and B that are packed next, and
 * the rows of C, of the residual and of the gate that the epilogue reads (pk_gemm: the matrices that it adds to the
 * product and multiplies it by, element by element). */
#ifndef PK_GEMM_PREFETCH_H
#define PK_GEMM_PREFETCH_H
#include "gemm_plan.h"
#include "../prefetch.h"

/* What rows row .. row+rows-1 and columns column .. column+columns-1 of windows read, as if their tap of the window
 * were inside the map for all rows, cut at the end of that tap's channels and of the maps' `pixels`. */
static inline prefetch_area area_of_windows(const pk_windows *w, const char *maps, int64_t size, int64_t stride,
                                            int64_t pixels, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    const int64_t tap = column / w->channels, channel = column % w->channels;
    const int64_t shift = (tap / w->kw - w->kh / 2) * w->width + tap % w->kw - w->kw / 2;
    const int64_t first = at_least(row + shift, 0);
    return prefetch_area_of(maps + (at_most(first, pixels - 1) * stride + channel) * size, size, stride,
                            at_most(rows, pixels - first), at_most(columns, w->channels - channel));
}

/* Rows row .. row+rows-1 and columns depth .. depth+k-1 of A, cut at its end, as rows of contiguous memory. */
static inline prefetch_area area_of_a(const pk_gemm *g, int64_t row, int64_t rows, int64_t depth, int64_t k)
{
    if (g->a_windows.channels)
        return area_of_windows(&g->a_windows, (const char *)g->a, (int64_t)sizeof *g->a, g->a_row, g->m, row, rows,
                               depth, k);
    const pk_real *data = g->a + row * g->a_row + depth * g->a_col;
    const int64_t m = at_most(rows, g->m - row), k_part = at_most(k, g->k - depth);
    return g->a_col == 1 ? prefetch_area_of(data, sizeof *data, g->a_row, m, k_part)
                         : prefetch_area_of(data, sizeof *data, g->a_col, k_part, m);
}

/* Rows depth .. depth+k-1 and columns column .. column+columns-1 of B in the same way. */
static inline prefetch_area area_of_b(const pk_gemm *g, int64_t depth, int64_t k, int64_t column, int64_t columns)
{
    const int64_t size = pk_dtype_size(g->b_type);
    if (g->b_windows.channels)
        return area_of_windows(&g->b_windows, g->b, size, g->b_row, g->k, depth, k, column, columns);
    const char *data = (const char *)g->b + (depth * g->b_row + column * g->b_col) * size;
    const int64_t k_part = at_most(k, g->k - depth), n = at_most(columns, g->n - column);
    return g->b_row == 1 ? prefetch_area_of(data, size, g->b_col, n, k_part)
                         : prefetch_area_of(data, size, g->b_row, k_part, n);
}

/* Adds one block of mr x nr elements of this type, from (row, column) of a matrix on. */
static inline void prefetch_block(pk_micro_prefetch *p, const void *matrix, pk_dtype type, int64_t row_stride,
                                  int64_t row, int64_t column)
{
    const int64_t size = pk_dtype_size(type);
    p->block[p->blocks].data = (const char *)matrix + (row * row_stride + column) * size;
    p->block[p->blocks++].row_bytes = row_stride * size;
}

/* What the epilogue reads and writes for the tile of C that begins at (row, column). */
static inline void prefetch_epilogue(pk_micro_prefetch *p, const pk_gemm *g, int64_t row, int64_t column)
{
    prefetch_block(p, g->c, PK_REAL, g->c_row, row, column);
    if (g->residual && g->residual != g->c) prefetch_block(p, g->residual, PK_REAL, g->residual_row, row, column);
    if (g->gate) prefetch_block(p, g->gate, g->gate_type, g->gate_row, row, column);
}
#endif
