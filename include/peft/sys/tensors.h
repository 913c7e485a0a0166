/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/tensors.h -- writes a safetensors file of tensors that need no backbone, adapter or model, as a converter of
 * another format does. Part of the systems interface, whose promise method.h states. */
#ifndef PEFT_SYS_TENSORS_H
#define PEFT_SYS_TENSORS_H
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

/* data: the numbers of dim[0] x .. x dim[ndim - 1], rows last, little-endian. */
typedef struct peft_named_data {
    const char *name; peft_dtype type; int ndim; int64_t dim[PEFT_MAX_DIMS]; const void *data;
} peft_named_data;

/* Replaces path by a file of count tensors, in their order (a reader that maps it wants larger types first), as
 * peft_write_file does, once it reads back as it was given. notes: key, value, key, value, .., NULL for the header's
 * metadata; NULL: none. PEFT_E_INVALID: a name or key is given twice, is too long or no UTF-8; PEFT_E_SHAPE,
 * PEFT_E_DTYPE; PEFT_E_IO. */
PEFT_API PEFT_NODISCARD peft_status peft_write_tensors(const char *path, const peft_named_data *tensors, size_t count,
                                                       const char *const *notes);

PEFT_END_DECLS
#endif
