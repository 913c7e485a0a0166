/* SPDX-License-Identifier: Apache-2.0
 * weight_reader.c -- reads all elements of a frozen weight in order, as pk_real; see weight_reader.h. */
#include "core/bits/weight_reader.h"
#include <string.h>

pk_weight pf_tensor_weight(const peft_tensor *t)
{
    const int64_t rows = t->ndim ? t->dim[0] : 1, count = pf_dims_count(t->ndim, t->dim);
    const pk_dtype type = t->scales ? PK_I8 : t->type == PEFT_F16 ? PK_F16 : t->type == PEFT_BF16 ? PK_BF16 : PK_REAL;
    return (pk_weight){ .type = type, .rows = rows, .cols = rows ? count / rows : 0, .scales = t->scales,
                        .data = t->data };
}

void pf_reader_start(pf_reader *r, const pk_table *kernels, const pk_weight *w)
{
    r->kernels = kernels;
    r->w = *w;
    r->first = r->n = 0;
}

/* Moves r to the next piece and reads it; the first piece begins at first + n = 0. */
bool pf_reader_next(pf_reader *r)
{
    const bool in_place = r->w.type == PK_REAL;
    r->first += r->n;
    r->n = r->w.rows * r->w.cols - r->first;
    if (!in_place && r->n > PF_READ_PIECE) r->n = PF_READ_PIECE;
    if (r->n > 0) r->x = pk_weight_read(r->kernels, &r->w, r->first, r->n, r->buffer);
    return r->n > 0;
}

void pf_tensor_read(pk_real *to, const peft_tensor *t)
{
    const pk_weight w = pf_tensor_weight(t);
    const int64_t n = w.rows * w.cols;
    const pk_real *x = n ? pk_weight_read(t->ctx->kernels, &w, 0, n, to) : to;
    if (x != to) memcpy(to, x, (size_t)n * sizeof *to);
}
