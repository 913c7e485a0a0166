/* SPDX-License-Identifier: Apache-2.0
 * weight.c -- converts elements of a frozen matrix of any type to pk_real (float), for operations other than the matrix
 * product, which converts a weight while it packs it. */
#include "pk.h"

const pk_real *pk_weight_read(const pk_table *t, const pk_weight *w, int64_t first, int64_t n, pk_real *buffer)
{
    const char *data = (const char *)w->data + first * pk_dtype_size(w->type);
    if (w->type == PK_REAL && !w->scales) return (const pk_real *)w->data + first;
    t->widen[w->type](buffer, data, n);
    /* row by row: the part of the row that is among the n elements is multiplied by the row's scale */
    for (int64_t done = 0, count; w->scales && done < n; done += count) {
        const int64_t row = (first + done) / w->cols, row_left = (row + 1) * w->cols - first - done;
        count = row_left < n - done ? row_left : n - done;
        t->scale(buffer + done, buffer + done, w->scales[row], count);
    }
    return buffer;
}
