/* SPDX-License-Identifier: Apache-2.0
 * prefetch.h -- makes cursors of matrices that a micro-kernel prefetches (pk_prefetch in pk.h), for gemm.c and the
 * vector kernels of attention. */
#ifndef PK_PREFETCH_H
#define PK_PREFETCH_H
#include "pk.h"

/* A part of a matrix: `rows` rows of row_bytes bytes, their starts stride_bytes apart. */
typedef struct prefetch_area { const char *data; int64_t stride_bytes, rows, row_bytes; } prefetch_area;

/* The same from extents in elements of element_size bytes. */
static inline prefetch_area prefetch_area_of(const void *data, int64_t element_size, int64_t row_stride, int64_t rows,
                                             int64_t cols)
{
    return (prefetch_area){ data, row_stride * element_size, rows, cols * element_size };
}

/* A cursor that covers the area in `turns` turns and starts behind those of the first `done`: with done 0 it begins at
 * the first line. An empty area gives a cursor that prefetches nothing. */
static inline pk_prefetch prefetch_of(prefetch_area area, int64_t turns, int64_t done)
{
    enum { LINE = PK_ALIGN };
    if (area.rows <= 0 || area.row_bytes <= 0 || turns <= 0) return (pk_prefetch){ .lines_per_turn = 0 };
    const int64_t lines_per_row = (area.row_bytes + LINE - 1) / LINE;
    const int64_t lines_per_turn = (area.rows * lines_per_row + turns - 1) / turns;
    const int64_t first = done * lines_per_turn, row = first / lines_per_row, line = first % lines_per_row;
    if (row >= area.rows) return (pk_prefetch){ .lines_per_turn = 0 };
    return (pk_prefetch){ .line = area.data + row * area.stride_bytes + line * LINE, .lines_left = lines_per_row - line,
                          .lines_per_row = lines_per_row, .row_gap = area.stride_bytes - lines_per_row * LINE,
                          .rows_left = area.rows - row, .lines_per_turn = (int)lines_per_turn };
}
#endif
