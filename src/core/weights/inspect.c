/* SPDX-License-Identifier: Apache-2.0
 * inspect.c -- peft_file: the public functions that list the tensors and the metadata of any file of weights. */
#include <peft/file.h>
#include "core/weights/backbone.h"
#include "core/weights/files/files.h"

struct peft_file { peft_context *ctx; pf_st *st; const char *kind; };

peft_status peft_file_open(peft_context *ctx, const char *path, peft_file **out)
{
    if (!ctx || !path || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !ctx ? "ctx" : !path
                                              ? "path" : "out");
    peft_file *f = pf_alloc_zero(ctx, sizeof *f);
    if (!f) return pf_nomem("file", sizeof *f);
    char *file;
    peft_status s = pf_weights_find(ctx, path, &file);
    if (!s) {
        s = pf_weights_open_header(ctx, file, &f->st);
        pf_free(ctx, file);
    }
    if (s) {
        pf_free(ctx, f);
        return s;
    }
    pf_detected found[PF_DETECTED_MAX];
    const char *any_prefix = NULL;
    f->ctx = pf_context_retain(ctx);
    f->kind = pf_st_meta(f->st, "libpeft.kind");
    if (!f->kind) f->kind = pf_naming_detect(pf_all_families, f->st, any_prefix, found) ? "backbone" : "unknown";
    *out = f;
    return PEFT_OK;
}

void peft_file_free(peft_file *f)
{
    if (!f) return;
    peft_context *ctx = f->ctx;
    pf_st_close(f->st);
    pf_free(ctx, f);
    peft_context_free(ctx);
}

const char *peft_file_kind(const peft_file *f) { return f ? f->kind : NULL; }
size_t peft_file_tensor_count(const peft_file *f) { return f ? pf_st_count(f->st) : 0; }
size_t peft_file_meta_count(const peft_file *f) { return f ? pf_st_meta_count(f->st) : 0; }
const char *peft_file_meta(const peft_file *f, const char *key) { return f && key ? pf_st_meta(f->st, key) : NULL; }

/* Tensor i; NULL: none. */
static const pf_st_tensor *tensor_at(const peft_file *f, size_t i)
{
    return i < peft_file_tensor_count(f) ? pf_st_at(f->st, i) : NULL;
}

const char *peft_file_tensor_name(const peft_file *f, size_t i)
{
    const pf_st_tensor *t = tensor_at(f, i);
    return t ? t->name : NULL;
}

const char *peft_file_tensor_type(const peft_file *f, size_t i)
{
    const pf_st_tensor *t = tensor_at(f, i);
    return t ? t->type_name : NULL;
}

int peft_file_tensor_ndim(const peft_file *f, size_t i)
{
    const pf_st_tensor *t = tensor_at(f, i);
    return t ? t->ndim : -1;
}

int64_t peft_file_tensor_dim(const peft_file *f, size_t i, int axis)
{
    const pf_st_tensor *t = tensor_at(f, i);
    return t && axis >= 0 && axis < t->ndim ? t->dim[axis] : -1;
}

const char *peft_file_meta_key(const peft_file *f, size_t i)
{
    const char *key = NULL, *value;
    if (i < peft_file_meta_count(f)) pf_st_meta_at(f->st, i, &key, &value);
    return key;
}

const char *peft_file_meta_value(const peft_file *f, size_t i)
{
    const char *key, *value = NULL;
    if (i < peft_file_meta_count(f)) pf_st_meta_at(f->st, i, &key, &value);
    return value;
}
