/* SPDX-License-Identifier: Apache-2.0
 * safetensors.h -- reads and writes safetensors files, the format of all files of this library: the header's length
 * (u64), the header as JSON, then the tensors' data, little-endian. The reader is strict: it refuses duplicate names,
 * holes, overlaps, trailing bytes, shapes that overflow and headers that are too large. core/format/torch opens files
 * of PyTorch as the same pf_st. */
#ifndef PF_SAFETENSORS_H
#define PF_SAFETENSORS_H
#include "core/os/file.h"
#include "core/base/tensor.h"

/* Reading. "st" in the names stands for safetensors. */
/* Whether the file begins with a length and an object, as a safetensors file does. */
bool        pf_st_recognise(const void *data, size_t size);
typedef struct pf_st pf_st;               /* an open file; immutable, but for pf_st_fetch */
peft_status pf_st_open(peft_context *ctx, const char *path, pf_st **out);      /* maps the file: pf_map_open */
peft_status pf_st_open_map(peft_context *ctx, pf_map *map, pf_st **out);       /* owns map, also on an error */
peft_status pf_st_read(peft_context *ctx, const char *path, pf_st **out);      /* into memory: pf_map_read */
peft_status pf_st_open_header(peft_context *ctx, const char *path, pf_st **out);        /* the header, no data */
peft_status pf_st_open_memory(peft_context *ctx, const void *data, size_t size, pf_st **out);  /* borrows data */
void        pf_st_close(pf_st *st);

/* A tensor of the file. type is 0 for a type of the format that this library does not have; type_name is its name in
 * the format. data may be unaligned, and must not be read after pf_st_open_header. Where stride is not NULL, data must
 * not be read before pf_st_fetch. */
typedef struct pf_st_tensor {
    const char *name;
    peft_dtype type;
    const char *type_name;
    int ndim;
    int64_t dim[PEFT_MAX_DIMS];
    const void *data;
    size_t bytes;
    const int64_t *stride;             /* NULL: row-major; else for each axis the elements from one index to the next */
    size_t dictionary;                 /* files of PyTorch: the first bytes of name that are the path of the tensor's
                                          dictionary, "model." of "model.norm.weight"; else 0 */
} pf_st_tensor;
/* Makes the data of t, a tensor of st, row-major: copies it into memory of st if t has strides. */
peft_status         pf_st_fetch(pf_st *st, const pf_st_tensor *t);
/* Evicts the data of t from memory if the file is mapped (pf_map_evict). */
void                pf_st_evict(const pf_st *st, const pf_st_tensor *t);
size_t              pf_st_count(const pf_st *st);
const pf_st_tensor *pf_st_at(const pf_st *st, size_t i);      /* in the order of their data */
const pf_st_tensor *pf_st_find(const pf_st *st, const char *name);             /* NULL: no such tensor */
const char         *pf_st_meta(const pf_st *st, const char *key);              /* NULL: no such entry */
size_t              pf_st_meta_count(const pf_st *st);
void                pf_st_meta_at(const pf_st *st, size_t i, const char **key, const char **value);

/* Writing: declare metadata and tensors, then write. Names and values are copied; data is borrowed until the write. The
 * writer sorts the tensors by element size, largest first, then by name. */
typedef struct pf_st_out pf_st_out;
peft_status pf_st_out_create(peft_context *ctx, pf_st_out **out);
peft_status pf_st_out_meta(pf_st_out *o, const char *key, const char *value);
peft_status pf_st_out_tensor(pf_st_out *o, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                             const void *data);
/* Declares a tensor of `type` by data of type `from`, which is converted while it is written, rounding to nearest even.
 * Both types are f32, f64, f16 or bf16. */
peft_status pf_st_out_floats(pf_st_out *o, const char *name, peft_dtype type, int ndim, const int64_t *dims,
                             peft_dtype from, const void *data);
peft_status pf_st_out_write(pf_st_out *o, const char *path);  /* atomic (file.h); read back and compared */
peft_status pf_st_out_bytes(pf_st_out *o, char **bytes, size_t *size);         /* the same in memory; pf_free frees */
void        pf_st_out_keep_order(pf_st_out *o);               /* keeps the order of declaration: no sorting */
void        pf_st_out_free(pf_st_out *o);
/* Returns PEFT_E_INVALID if s is not UTF-8; what: the word for s in the message. */
peft_status pf_st_check_text(const char *what, const char *s);
#endif
