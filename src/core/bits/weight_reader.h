/* SPDX-License-Identifier: Apache-2.0
 * weight_reader.h -- all elements of a frozen weight in order, as pk_real, whatever type it is held in:
 *     pf_reader r;
 *     pf_reader_start(&r, kernels, &w);
 *     while (pf_read(&r)) use(r.x, r.n);                                  elements r.at .. r.at + r.n - 1
 * A weight that is pk_real comes in one piece, where it lies; others come in pieces of PF_READ_PIECE. */
#ifndef PF_WEIGHT_READER_H
#define PF_WEIGHT_READER_H
#include "core/base/tensor.h"

enum { PF_READ_PIECE = 4096 };
typedef struct pf_reader {
    const pk_table *kernels;
    pk_weight w;
    int64_t at, n;
    const pk_real *x;
    pk_real room[PF_READ_PIECE];
} pf_reader;

/* A tensor of pk_real, f16 or bf16 as a matrix [first extent, product of the others]; borrows its data. */
pk_weight pf_tensor_weight(const peft_tensor *t);
void pf_reader_start(pf_reader *r, const pk_table *kernels, const pk_weight *w);
bool pf_read(pf_reader *r);
/* Copies all elements to to[count] as pk_real. */
void pf_tensor_read(pk_real *to, const peft_tensor *t);
#endif
