/* SPDX-License-Identifier: Apache-2.0
 * weight_reader.h -- reads all elements of a frozen weight in order, as pk_real, whatever its type:
 *     pf_reader r;
 *     pf_reader_start(&r, kernels, &w);
 *     while (pf_reader_next(&r)) use(r.x, r.n);                           elements r.first .. r.first + r.n - 1
 * A weight of type pk_real comes in one piece, without a copy; others in pieces of PF_READ_PIECE elements. */
#ifndef PF_WEIGHT_READER_H
#define PF_WEIGHT_READER_H
#include "core/base/tensor.h"

enum { PF_READ_PIECE = 4096 };
typedef struct pf_reader {
    const pk_table *kernels;
    pk_weight w;
    int64_t first, n;            /* the piece that was read last: index of its first element, and its length */
    const pk_real *x;            /* its elements: in the weight's own data, or in buffer */
    pk_real buffer[PF_READ_PIECE];
} pf_reader;

/* t, of type pk_real, f16 or bf16, or stored as int8, as a matrix [first extent, product of the others]; borrows its
 * data. */
pk_weight pf_tensor_weight(const peft_tensor *t);
void pf_reader_start(pf_reader *r, const pk_table *kernels, const pk_weight *w);
bool pf_reader_next(pf_reader *r);                            /* the next piece; false: there is none */
/* Copies all elements of t to `to`, as pk_real. */
void pf_tensor_read(pk_real *to, const peft_tensor *t);
#endif
