/* SPDX-License-Identifier: Apache-2.0
 * tensor.h -- tensors, which all data passes through: an element type, 0 to 8 extents, elements in row-major order
 * without gaps. */
#ifndef PEFT_TENSOR_H
#define PEFT_TENSOR_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

typedef struct peft_tensor peft_tensor;

/* Element types in native byte order: F32, F64 (IEEE 754 single and double), F16 (IEEE half), BF16 (bfloat16: the upper
 * half of an F32), I8, I16, I32, I64 (signed integers), U8, U16 (unsigned). Values never change; later versions may
 * append types. */
typedef enum peft_dtype { PEFT_F32 = 1, PEFT_BF16 = 2, PEFT_F16 = 3, PEFT_I32 = 4, PEFT_I64 = 5, PEFT_U8 = 6,
               PEFT_F64 = 7, PEFT_U16 = 8, PEFT_I16 = 9, PEFT_I8 = 10 } peft_dtype;
#define PEFT_MAX_DIMS 8

/* A tensor of dims[0..ndim-1] zeros with memory of its own, aligned to 64 bytes. ndim 0 is one element (dims may be
 * NULL); an extent of 0 makes an empty tensor.
 * PEFT_E_DTYPE: no such type. PEFT_E_SHAPE: ndim is not 0 to 8, an extent is negative, or the size overflows. */
PEFT_API PEFT_NODISCARD peft_status
peft_tensor_create(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims, peft_tensor **out);

/* Makes a tensor over memory of the caller, which must outlive the tensor and is not freed with it. The memory needs no
 * alignment or padding. Errors as above, and PEFT_E_INVALID: data is NULL and the tensor is not empty. */
PEFT_API PEFT_NODISCARD peft_status
peft_tensor_wrap(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims, void *data, peft_tensor **out);

/* Frees what peft_tensor_create or peft_tensor_wrap made; tensors that a function returned are borrowed and not
 * freed. */
PEFT_API void        peft_tensor_free(peft_tensor *t);

PEFT_API peft_dtype  peft_tensor_dtype(const peft_tensor *t);             /* 0 for NULL */
PEFT_API int         peft_tensor_ndim(const peft_tensor *t);              /* 0 for NULL */
PEFT_API int64_t     peft_tensor_dim(const peft_tensor *t, int axis);     /* axis 0..ndim-1; -1: no such axis */
PEFT_API int64_t     peft_tensor_count(const peft_tensor *t);             /* the extents' product; 0 for NULL */

/* The first element; borrowed, valid until the tensor is freed. NULL for NULL. */
PEFT_API void       *peft_tensor_data(peft_tensor *t);
PEFT_API const void *peft_tensor_cdata(const peft_tensor *t);

/* Overwrites all elements with those at src, of the tensor's type and in its order, `bytes` bytes in all.
 * PEFT_E_SHAPE: bytes is not the size of the tensor's data. */
PEFT_API PEFT_NODISCARD peft_status peft_tensor_copy_from(peft_tensor *t, const void *src, size_t bytes);

/* Writes all elements, of whatever type, as f32 to to[count], in the tensor's order; f16 and bf16 are exact, f64 and
 * large integers are rounded to nearest.
 * PEFT_E_SHAPE: count is not the number of elements. */
PEFT_API PEFT_NODISCARD peft_status peft_tensor_to_f32(const peft_tensor *t, float *to, int64_t count);

PEFT_END_DECLS
#endif
