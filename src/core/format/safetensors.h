/* SPDX-License-Identifier: Apache-2.0
 * safetensors.h -- the container of all our files: u64 header length, JSON header, raw little-endian data. The reader
 * is strict (duplicate names, holes, overlaps, trailing bytes, overflowing shapes, oversized headers are refused). */
#ifndef PF_SAFETENSORS_H
#define PF_SAFETENSORS_H
#include "core/os/file.h"
#include "core/base/tensor.h"

typedef struct pf_st pf_st;                                   /* an opened file; immutable */
peft_status pf_st_open(peft_context *ctx, const char *path, pf_st **out);      /* its data stays mapped: file.h */
peft_status pf_st_read(peft_context *ctx, const char *path, pf_st **out);      /* its data in memory */
peft_status pf_st_open_header(peft_context *ctx, const char *path, pf_st **out);        /* data must not be read */
peft_status pf_st_open_memory(peft_context *ctx, const void *data, size_t size, pf_st **out);  /* borrows data */
void        pf_st_close(pf_st *st);

typedef struct pf_st_tensor { const char *name; peft_dtype type; const char *type_name; int ndim; int64_t dim[PEFT_MAX_DIMS];
                              const void *data; size_t bytes; } pf_st_tensor;
/* type is 0 for a dtype that is legal in the format and unknown to us (type_name has its name); data may be
 * unaligned. */
/* Takes the pages of t's data out of memory where the file is mapped; reading them loads them from the file again. */
void                pf_st_forget(const pf_st *st, const pf_st_tensor *t);
size_t              pf_st_count(const pf_st *st);
const pf_st_tensor *pf_st_at(const pf_st *st, size_t i);      /* in the order of their offsets */
const pf_st_tensor *pf_st_find(const pf_st *st, const char *name);             /* NULL: none (binary search) */
const char         *pf_st_meta(const pf_st *st, const char *key);              /* NULL: none */
size_t              pf_st_meta_count(const pf_st *st);
void                pf_st_meta_at(const pf_st *st, size_t i, const char **key, const char **value);

/* Writing: declare everything, then write. Names and values are copied; data is borrowed until write. Tensors are
 * sorted by dtype size descending, then name; the header is padded with blanks to 8. */
typedef struct pf_st_out pf_st_out;
peft_status pf_st_out_create(peft_context *ctx, pf_st_out **out);
peft_status pf_st_out_meta(pf_st_out *o, const char *key, const char *value);
peft_status pf_st_out_tensor(pf_st_out *o, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                             const void *data);
/* The same for data of type `from`, converted to `type` while it is written; both are f32, f64, f16 or bf16. Rounds to
 * nearest even. */
peft_status pf_st_out_floats(pf_st_out *o, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                             peft_dtype from, const void *data);
peft_status pf_st_out_write(pf_st_out *o, const char *path);  /* atomically, see file.h; then re-read and compared */
void        pf_st_out_keep_order(pf_st_out *o);               /* tensors in the order declared, not by element size */
void        pf_st_out_free(pf_st_out *o);
/* Metadata is UTF-8 or PEFT_E_INVALID; what: for the message. */
peft_status pf_st_check_text(const char *what, const char *s);
#endif
