/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_H
#define PEFT_TENSOR_H
#include <peft/context.h>
PEFT_BEGIN_DECLS

typedef struct peft_tensor peft_tensor;
typedef enum peft_dtype { PEFT_F32 = 1, PEFT_BF16 = 2, PEFT_F16 = 3, PEFT_I32 = 4, PEFT_I64 = 5, PEFT_U8 = 6,
               PEFT_F64 = 7, PEFT_U16 = 8 } peft_dtype;
#define PEFT_MAX_DIMS 8

PEFT_API PEFT_NODISCARD peft_status
peft_tensor_create(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims, peft_tensor **out);
/* Borrows data, row-major; it must outlive the tensor. No alignment or padding is asked of it. */
PEFT_API PEFT_NODISCARD peft_status
peft_tensor_wrap(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims, void *data, peft_tensor **out);
PEFT_API void        peft_tensor_free(peft_tensor *t);
PEFT_API peft_dtype  peft_tensor_dtype(const peft_tensor *t);
PEFT_API int         peft_tensor_ndim(const peft_tensor *t);
PEFT_API int64_t     peft_tensor_dim(const peft_tensor *t, int axis);
PEFT_API int64_t     peft_tensor_count(const peft_tensor *t);
PEFT_API void       *peft_tensor_data(peft_tensor *t);
PEFT_API const void *peft_tensor_cdata(const peft_tensor *t);
PEFT_API PEFT_NODISCARD peft_status peft_tensor_copy_from(peft_tensor *t, const void *src, size_t bytes);

PEFT_END_DECLS
#endif
