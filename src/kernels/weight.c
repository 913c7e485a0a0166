/* SPDX-License-Identifier: Apache-2.0
 * weight.c -- converts elements of a frozen matrix of any type to pk_real (float), for operations other than the matrix
 * product, which converts a weight while it packs it. */
#include "pk.h"
#include "ref/int8.h"

/* The n elements from index `first` on of a matrix of I8, row by row. */
static void read_int8(const pk_table *t, const pk_weight *w, int64_t first, int64_t n, pk_real *to)
{
    const int64_t stride = pk_int8_whole_blocks(w->cols), pieces = pk_int8_pieces(w->cols).count;
    for (int64_t done = 0, count; done < n; done += count) {
        const int64_t row = (first + done) / w->cols, column = (first + done) % w->cols, left = w->cols - column;
        const int8_t *from = (const int8_t *)w->data + row * stride;
        count = left < n - done ? left : n - done;
        t->dequantise(to + done, count, from, w->scales + row * pieces, w->cols, 1, column, count);
    }
}

const pk_real *pk_weight_read(const pk_table *t, const pk_weight *w, int64_t first, int64_t n, pk_real *buffer)
{
    const char *data = (const char *)w->data + first * pk_dtype_size(w->type);
    if (w->type == PK_REAL) return (const pk_real *)w->data + first;
    if (w->type == PK_I8) read_int8(t, w, first, n, buffer);
    else t->widen[w->type](buffer, data, n);
    return buffer;
}
