/* SPDX-License-Identifier: Apache-2.0
 * inspect.c -- peft_file: the public functions that list the tensors and the metadata of any safetensors file. */
#include <peft/file.h>
#include "core/weights/backbone.h"

struct peft_file { peft_context *ctx; pf_st *st; const char *kind; };

peft_status peft_file_open(peft_context *ctx, const char *path, peft_file **out)
{
    if (!ctx || !path || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !ctx ? "ctx" : !path
                                              ? "path" : "out");
    peft_file *f = pf_alloc_zero(ctx, sizeof *f);
    if (!f) return pf_nomem("file", sizeof *f);
    peft_status s = pf_st_open_header(ctx, path, &f->st);
    if (s) {
        pf_free(ctx, f);
        return s;
    }
    pf_detected found[PF_DETECTED_MAX];
    f->ctx = pf_context_retain(ctx);
    f->kind = pf_st_meta(f->st, "libpeft.kind");
    if (!f->kind) f->kind = pf_naming_detect(pf_all_families, f->st, NULL, found) ? "backbone" : "unknown";
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

peft_status peft_file_tensor(const peft_file *f, size_t i, const char **name, const char **type, int *ndim,
                             const int64_t **dims)
{
    if (!f || i >= pf_st_count(f->st)) return pf_fail(PEFT_E_NOTFOUND, "tensor %zu: the file has %zu", i,
                                                      peft_file_tensor_count(f));
    const pf_st_tensor *t = pf_st_at(f->st, i);
    if (name) *name = t->name;
    if (type) *type = t->type_name;
    if (ndim) *ndim = t->ndim;
    if (dims) *dims = t->dim;
    return PEFT_OK;
}

peft_status peft_file_meta_at(const peft_file *f, size_t i, const char **key, const char **value)
{
    const char *k, *v;
    if (!f || i >= pf_st_meta_count(f->st)) return pf_fail(PEFT_E_NOTFOUND, "metadata entry %zu: the file has %zu", i,
                                                           peft_file_meta_count(f));
    pf_st_meta_at(f->st, i, &k, &v);
    if (key) *key = k;
    if (value) *value = v;
    return PEFT_OK;
}
