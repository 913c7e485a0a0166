/* SPDX-License-Identifier: Apache-2.0
 * weight.c -- reads elements of a frozen matrix of any type as pk_real; matrix products do not use it, they pack. */
#include "pk.h"

const pk_real *pk_weight_read(const pk_table *t, const pk_weight *w, int64_t at, int64_t n, pk_real *room)
{
    const char *from = (const char *)w->data + at * pk_dtype_size(w->type);
    if (w->type == PK_REAL && !w->scales) return (const pk_real *)w->data + at;
    t->widen[w->type](room, from, n);
    for (int64_t done = 0, some; w->scales && done < n; done += some) {
        const int64_t row = (at + done) / w->cols, left = (row + 1) * w->cols - at - done;
        some = left < n - done ? left : n - done;
        t->scale(room + done, room + done, w->scales[row], some);
    }
    return room;
}
