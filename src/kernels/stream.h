/* SPDX-License-Identifier: Apache-2.0
 * stream.h -- memory that is asked for before it is read, see pk_stream. */
#ifndef PK_STREAM_H
#define PK_STREAM_H
#include "pk.h"

/* Rows of `length` bytes, `row` bytes apart. */
typedef struct rectangle { const char *at; int64_t row, rows, length; } rectangle;

/* Rows of `length` elements of `size` bytes, `row` elements apart. */
static inline rectangle rectangle_of(const void *at, int64_t size, int64_t row, int64_t rows, int64_t length)
{
    return (rectangle){ at, row * size, rows, length * size };
}

/* The rectangle as a stream that is asked for in so many turns, of which `done` have been. */
static inline pk_stream stream_of(rectangle r, int64_t turns, int64_t done)
{
    enum { LINE = PK_ALIGN };
    if (r.rows <= 0 || r.length <= 0 || turns <= 0) return (pk_stream){ .some = 0 };
    const int64_t lines = (r.length + LINE - 1) / LINE, some = (r.rows * lines + turns - 1) / turns;
    const int64_t first = done * some, row = first / lines, line = first % lines;
    if (row >= r.rows) return (pk_stream){ .some = 0 };
    return (pk_stream){ .at = r.at + row * r.row + line * LINE, .left = lines - line, .lines = lines,
                        .gap = r.row - lines * LINE, .rows = r.rows - row, .some = (int)some };
}
#endif
