/* SPDX-License-Identifier: Apache-2.0
 * weight.c -- the elements of a frozen matrix for everybody but products, which pack it. */
#include "pk.h"

const pk_real *pk_weight_read(const pk_table *t, const pk_weight *w, int64_t at, int64_t n, pk_real *room)
{
    if (!w->scales) return (const pk_real *)w->data + at;
    for (int64_t done = 0, some; done < n; done += some) {
        const int64_t row = (at + done) / w->cols, left = (row + 1) * w->cols - at - done;
        some = left < n - done ? left : n - done;
        t->scale(room + done, (const pk_real *)w->data + at + done, w->scales[row], some);
    }
    return room;
}
