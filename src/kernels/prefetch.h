/* SPDX-License-Identifier: Apache-2.0
 * prefetch.h -- makes cursors of matrices that a micro-kernel prefetches (pk_prefetch in pk.h), for gemm.c and the
 * vector kernels of attention. */
#ifndef PK_PREFETCH_H
#define PK_PREFETCH_H
#include "pk.h"

/* A part of a matrix: `rows` rows of row_bytes bytes, their starts stride_bytes apart. */
typedef struct prefetch_area { const char *data; int64_t stride_bytes, rows, row_bytes; } prefetch_area;

/* The area of `rows` rows of `cols` elements of element_size bytes; row_stride counts elements. */
static inline prefetch_area prefetch_area_of(const void *data, int64_t element_size, int64_t row_stride, int64_t rows,
                                             int64_t cols)
{
    return (prefetch_area){ data, row_stride * element_size, rows, cols * element_size };
}

static inline pk_prefetch prefetch_nothing(void) { return (pk_prefetch){ .lines_per_turn = 0 }; }

/* A cursor for an area that takes `turns` turns, of which the first `done` are done: it begins at the first line of the
 * next one. An empty area gives a cursor that prefetches nothing. */
static inline pk_prefetch prefetch_rest(prefetch_area area, int64_t turns, int64_t done)
{
    enum { LINE = PK_ALIGN };
    if (area.rows <= 0 || area.row_bytes <= 0 || turns <= 0) return prefetch_nothing();
    const int64_t lines_per_row = (area.row_bytes + LINE - 1) / LINE;
    const int64_t lines_per_turn = (area.rows * lines_per_row + turns - 1) / turns;
    const int64_t first = done * lines_per_turn, row = first / lines_per_row, line = first % lines_per_row;
    if (row >= area.rows) return prefetch_nothing();
    return (pk_prefetch){ .line = area.data + row * area.stride_bytes + line * LINE, .lines_left = lines_per_row - line,
                          .lines_per_row = lines_per_row, .row_gap = area.stride_bytes - lines_per_row * LINE,
                          .rows_left = area.rows - row, .lines_per_turn = (int)lines_per_turn };
}

/* A cursor that covers the whole area in `turns` turns. */
static inline pk_prefetch prefetch_all(prefetch_area area, int64_t turns) { return prefetch_rest(area, turns, 0); }
#endif
