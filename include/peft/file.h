/* SPDX-License-Identifier: Apache-2.0
 * peft/file.h -- reads names and shapes of the tensors of a file (backbone, adapter, model, training state) without
 * loading them; writes files atomically; SHA-256. */
#ifndef PEFT_FILE_H
#define PEFT_FILE_H
#include <peft/tensor.h>
PEFT_BEGIN_DECLS

/* The header of a safetensors file, read when it is opened; later changes of the file have no effect. Of a file of
 * torch.save, or the index of a model in several files, the tensors are listed too, under the names that they have for
 * peft_backbone_load; such a file must not be changed in place while it is open. */
typedef struct peft_file peft_file;
PEFT_API PEFT_NODISCARD peft_status peft_file_open(peft_context *ctx, const char *path, peft_file **out);
PEFT_API void        peft_file_free(peft_file *f);
/* "backbone", "adapter", "model", "trainer" (a training state), "adaptor", "case_pool", "best_epoch"
 * (early_stop.h), or "unknown". */
PEFT_API const char *peft_file_kind(const peft_file *f);
/* The tensors, i from 0 on, in the order of their data. Texts are borrowed from f. */
PEFT_API size_t      peft_file_tensor_count(const peft_file *f);
PEFT_API const char *peft_file_tensor_name(const peft_file *f, size_t i);      /* NULL: no such tensor */
PEFT_API const char *peft_file_tensor_type(const peft_file *f, size_t i);      /* as in the file: "F32"; NULL: none */
PEFT_API int         peft_file_tensor_ndim(const peft_file *f, size_t i);      /* its extents' number; -1: no tensor */
PEFT_API int64_t     peft_file_tensor_dim(const peft_file *f, size_t i, int axis);     /* -1: no such tensor or axis */
/* The metadata, pairs of key and value, i from 0 on; borrowed from f. NULL: no such pair or key. */
PEFT_API size_t      peft_file_meta_count(const peft_file *f);
PEFT_API const char *peft_file_meta_key(const peft_file *f, size_t i);
PEFT_API const char *peft_file_meta_value(const peft_file *f, size_t i);
PEFT_API const char *peft_file_meta(const peft_file *f, const char *key);      /* the value of a key */

/* SHA-256 (FIPS 180-4) of size bytes (data NULL: of none) as 64 lower-case hexadecimal digits and a 0. */
PEFT_API void        peft_sha256(const void *data, size_t size, char hex[65]);

/* Replaces the content of path atomically by size bytes of data (NULL: none): readers find the old file or the whole
 * new one, also after a crash or on a full disk. The library saves all its files in this way. A temporary file
 * <path>.tmp.<number> is written beside it, synchronised to the disk and renamed. Such a file that a killed process
 * left is removed by the next save of the same path. An existing file keeps its permissions (its owner becomes the
 * process's). A symbolic link is followed: the file it leads to is replaced, or made, and the link stays. PEFT_E_IO:
 * path is a folder, pipe, socket or device, which a file must not replace, or the system refuses. */
PEFT_API PEFT_NODISCARD peft_status peft_write_file(const char *path, const void *data, size_t size);

PEFT_END_DECLS
#endif
