/* SPDX-License-Identifier: Apache-2.0
 * tensor.h -- the tensor inside. Row-major and dense; data is owned, or borrowed from something that outlives it. */
#ifndef PF_TENSOR_H
#define PF_TENSOR_H
#include <peft/tensor.h>
#include "core/base/context.h"

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
    bool owned;
};

size_t      pf_dtype_size(peft_dtype t);                      /* 0: no such type */
const char *pf_dtype_name(peft_dtype t);                      /* "f32" */
int64_t     pf_dims_count(int ndim, const int64_t *dims);     /* product; -1: a dim < 0 or overflow of int64 bytes */
size_t      pf_tensor_bytes(const peft_tensor *t);
/* "[2, 3, 4]" into text (for messages); returns text */
const char *pf_dims_text(char *text, size_t room, int ndim, const int64_t *dims);

/* n elements of `from` type to pk_real (f32, f64, f16, bf16, and integers by value). false: type has no conversion. */
bool pf_to_real(pk_real *to, const void *from, peft_dtype type, int64_t n);
bool pf_from_real(void *to, peft_dtype type, const pk_real *from,
                  int64_t n);   /* f32, f64, f16, bf16: round to nearest even */
#endif
