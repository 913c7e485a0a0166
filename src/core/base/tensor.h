/* SPDX-License-Identifier: Apache-2.0
 * tensor.h -- the struct behind peft_tensor: row-major, without gaps. Data is owned, or borrowed from the caller or
 * from an object that outlives the tensor. */
#ifndef PF_TENSOR_H
#define PF_TENSOR_H
#include <peft/tensor.h>
#include "core/base/context.h"

/* The element type of pk_real, in which the library computes: float, or double in the tests of gradients. */
#ifdef PF_REAL_DOUBLE
#define PF_REAL PEFT_F64
#else
#define PF_REAL PEFT_F32
#endif

struct peft_tensor {
    peft_context *ctx;
    peft_dtype type;
    int ndim;
    int64_t dim[PEFT_MAX_DIMS];
    void *data;
    bool owned;                                               /* the tensor frees data */
    float *scales;                                            /* of a weight that is stored as int8 (PK_I8), whose type
                                                               * is I8; owned. NULL: data are plain elements */
};

size_t      pf_dtype_size(peft_dtype t);                      /* bytes; 0: no such type */
const char *pf_dtype_name(peft_dtype t);                      /* "f32" */
/* The number of elements; -1: an extent < 0, or more bytes than an int64_t holds for the largest element type. */
int64_t     pf_dims_count(int ndim, const int64_t *dims);
size_t      pf_tensor_bytes(const peft_tensor *t);
/* Writes "[2, 3, 4]" to text, for messages; returns text. */
const char *pf_dims_text(char *text, size_t capacity, int ndim, const int64_t *dims);

/* Converts n elements of `type` to pk_real, integers by value. false: no such type. */
bool pf_to_real(pk_real *to, const void *from, peft_dtype type, int64_t n);
/* Converts to f32, f64, f16 or bf16, rounding to nearest even. false: another type. */
bool pf_from_real(void *to, peft_dtype type, const pk_real *from, int64_t n);
#endif
