/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/tensors.h -- writes arrays of the program into a safetensors file, for converters of other formats. Part of
 * the systems interface, whose promise method.h states. */
#ifndef PEFT_SYS_TENSORS_H
#define PEFT_SYS_TENSORS_H
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

/* One tensor, by name: data is borrowed, holds dim[0] * .. * dim[ndim - 1] elements of the type, the last extent
 * running fastest, little-endian. */
typedef struct peft_named_data {
    const char *name; peft_dtype type; int ndim; int64_t dim[PEFT_MAX_DIMS]; const void *data;
} peft_named_data;

/* Writes count tensors, in the order given, into the file path. It is written beside path, read back, compared and only
 * then renamed, so that path holds the old file or the whole new one. Give types of larger elements first (f32 before
 * f16): the data of each tensor is then aligned for readers that map the file. notes: key, value, key, value, .., NULL,
 * for the header's metadata; NULL: none. PEFT_E_INVALID: path or a name is NULL, a key has no value, or a name or key
 * is given twice, too long or not UTF-8; PEFT_E_SHAPE: a negative extent, more than PEFT_MAX_DIMS of them, or a file
 * too large; PEFT_E_DTYPE: an unknown type; PEFT_E_IO: path cannot be written, or what was written does not read
 * back. */
PEFT_API PEFT_NODISCARD peft_status peft_sys_write_tensors(const char *path, const peft_named_data *tensors,
                                                           size_t count, const char *const *notes);

PEFT_END_DECLS
#endif
