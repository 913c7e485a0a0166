/* SPDX-License-Identifier: Apache-2.0
 * hf_read.c -- loads a PEFT directory as an adapter, or as a model with its classifier. The configuration determines
 * the tensors: the file must hold each of them, in its shape, and no other. */
#include <string.h>
#include <unistd.h>
#include "core/format/folder.h"
#include "core/interop/hf_dir.h"
#include "core/store/state.h"

typedef struct {
    peft_backbone *b;
    pf_peft_config config;
    pf_st *file;
    pf_peft_names names;
    pf_modules modules;
    pf_source source;                    /* file, whose size limits the parameters that are made */
} reader;

static void reader_close(reader *r)
{
    if (r->modules.item) pf_modules_free(&r->modules);
    pf_st_close(r->file);
    pf_peft_config_free(&r->config);
}

/* Opens the file of tensors. PEFT_E_UNSUPPORTED: the directory has a Python pickle in its place. */
static peft_status open_tensors(peft_context *ctx, const char *dir, pf_st **out)
{
    char *path = pf_path_join(ctx, dir, PF_PEFT_TENSORS), *pickle = pf_path_join(ctx, dir, "adapter_model.bin");
    peft_status s = path && pickle ? PEFT_OK : PEFT_E_NOMEM;
    if (!s && access(path, F_OK) && !access(pickle, F_OK))
        s = pf_fail(PEFT_E_UNSUPPORTED, "%s is a Python pickle: expected " PF_PEFT_TENSORS
                    " (PEFT: save_pretrained(.., safe_serialization=True))", pickle);
    if (!s) s = pf_st_read(ctx, path, out);
    pf_free(ctx, path);
    pf_free(ctx, pickle);
    return s;
}

/* Reads the configuration and finds the modules that it adapts; the tensors are not read yet. */
static peft_status reader_open(reader *r, peft_backbone *b, const char *dir)
{
    r->b = b;
    PF_TRY(pf_peft_config_read(b->ctx, dir, &r->config));
    PF_TRY(open_tensors(b->ctx, dir, &r->file));
    r->source = pf_source_other_names(r->file);
    PF_TRY(pf_peft_detect(b, r->file, &r->names));
    PF_TRY(pf_modules_make(b, &r->names, &r->modules));
    peft_status s = pf_peft_select(&r->config, &r->modules);
    return s ? pf_prefix_error(s, PF_PEFT_CONFIG) : PEFT_OK;
}

/* Makes the adapter that the configuration describes, with parameters of zeros. */
static peft_status make_adapter(reader *r, peft_adapter **out)
{
    peft_options *o;
    PF_TRY(pf_peft_options(&r->config, r->b, &r->modules, &o));
    peft_status s = pf_adapter_make(r->b, pf_peft_kinds[r->config.type].method, o, &r->source, out);
    peft_options_free(o);
    return s;
}

static bool has_extents(const pf_st_tensor *t, int ndim, const int64_t *dims)
{
    return t->ndim == ndim && !memcmp(t->dim, dims, sizeof(int64_t) * (size_t)ndim);
}

/* Fills the entry's parameter. Its tensor may have the extents of a convolution or those of the parameter. */
static peft_status fill_param(const pf_st *file, const pf_peft_entry *e)
{
    char given[96], expected[96];
    const pf_st_tensor *t = pf_st_find(file, e->key);
    pf_param *p = e->param;
    if (!t) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", e->key);
    if (!has_extents(t, e->ndim, e->dim) && !has_extents(t, p->value.ndim, p->value.dim))
        return pf_fail(PEFT_E_FORMAT, "tensor '%s': given %s, expected %s by configuration and backbone", e->key,
                       pf_dims_text(given, sizeof given, t->ndim, t->dim),
                       pf_dims_text(expected, sizeof expected, e->ndim, e->dim));
    if (!pf_to_real(p->value.data, t->data, t->type, peft_tensor_count(&p->value)))
        return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16 or BF16", e->key, t->type_name);
    if (!pf_finite(p->value.data, peft_tensor_count(&p->value)))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", e->key);
    return PEFT_OK;
}

/* The classifier's module if the configuration states that it is saved; NULL: it is not. */
static const pf_module *saved_head(const reader *r)
{
    for (size_t i = 0; i < r->modules.count; i++)
        if (r->modules.item[i].kind == PF_MODULE_HEAD && r->modules.item[i].saved) return &r->modules.item[i];
    return NULL;
}

/* Does the configuration expect a tensor of this name? with_head: e lists the classifier's parameters, which are read.
 * Without: a classifier in the directory is expected as well, though it is not read. */
static bool is_expected(const reader *r, const pf_peft_entries *e, bool with_head, const char *name)
{
    char key[PF_PATH_MAX + 64];
    for (size_t i = 0; i < e->count; i++) if (!strcmp(e->item[i].key, name)) return true;
    for (int i = 0; i < 2 && !with_head && saved_head(r); i++)
        if (pf_peft_key(&r->names, PF_KEYS_PLAIN, i ? "head.bias" : "head.weight", key) && !strcmp(key, name))
            return true;
    return false;
}

/* Fills the parameters of a and of the head (NULL: none) with the tensors of the file. */
static peft_status fill_all(const reader *r, const peft_adapter *a, const pf_params *head)
{
    pf_peft_entries e;
    PF_TRY(pf_peft_entries_make(a, head, &r->names, &e));
    peft_status s = PEFT_OK;
    for (size_t i = 0; i < e.count && !s; i++) s = fill_param(r->file, &e.item[i]);
    for (size_t i = 0; i < pf_st_count(r->file) && !s; i++) {
        const char *name = pf_st_at(r->file, i)->name;
        if (!is_expected(r, &e, head != NULL, name))
            s = pf_fail(PEFT_E_FORMAT,
                        "tensor '%s' is unexpected: no module that the configuration adapts or saves has it", name);
    }
    pf_peft_entries_free(&e);
    return s;
}

static peft_status read_adapter(reader *r, peft_adapter **out)
{
    peft_adapter *a;
    PF_TRY(make_adapter(r, &a));
    const pf_params *no_head = NULL;
    peft_status s = fill_all(r, a, no_head);
    if (s) peft_adapter_free(a);
    else *out = a;
    return s;
}

/* Makes a model without a head. */
static peft_status make_headless(reader *r, peft_model **out)
{
    peft_options *o;
    PF_TRY(peft_options_create(r->b->ctx, &o));
    peft_status s = peft_options_set_string(o, "head", "none");
    if (!s) s = pf_model_make(r->b, o, &r->source, out);
    peft_options_free(o);
    return s;
}

/* Makes a model with a linear head of as many classes as the file's classifier has; without one in the file, with the
 * backbone's own, or, where the backbone has none either, without a head. */
static peft_status make_model(reader *r, peft_model **out)
{
    char key[PF_PATH_MAX + 64];
    peft_options *o;
    const peft_options *defaults = NULL;
    if (!saved_head(r) && r->b->shape.classes) return pf_model_make(r->b, defaults, &r->source, out);
    if (!saved_head(r)) return make_headless(r, out);
    if (!pf_peft_key(&r->names, PF_KEYS_PLAIN, "head.weight", key))
        return pf_fail(PEFT_E_INTERNAL, "the classifier has no name");
    const pf_st_tensor *w = pf_st_find(r->file, key);
    if (!w) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", key);
    if (w->ndim != 2 || w->dim[0] < 1)
        return pf_fail(PEFT_E_FORMAT, "tensor '%s': has %d extents, expected [classes, width]", key, w->ndim);
    PF_TRY(peft_options_create(r->b->ctx, &o));
    peft_status s = peft_options_set_int(o, "classes", w->dim[0]);
    if (!s) s = pf_model_make(r->b, o, &r->source, out);
    peft_options_free(o);
    return s;
}

/* Makes the model, attaches the adapter, and fills both. */
static peft_status read_model(reader *r, peft_model **out)
{
    peft_adapter *a;
    peft_model *m = NULL;
    PF_TRY(make_adapter(r, &a));
    peft_status s = make_model(r, &m);
    if (!s) s = peft_model_attach(m, a);
    if (!s) s = fill_all(r, a, m->params.count ? &m->params : NULL);
    peft_adapter_free(a);
    if (s) peft_model_free(m);
    else *out = m;
    return s;
}

/* Reads the directory as an adapter, or as a model, whichever pointer is not NULL. */
static peft_status read_folder(peft_backbone *b, const char *dir, peft_adapter **adapter, peft_model **model)
{
    PK_FLOAT_SCOPE;
    reader r = { .b = b };
    if (!b || !dir || (!adapter && !model))
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !b ? "backbone" : !dir ? "dir" : "out");
    peft_status s = reader_open(&r, b, dir);
    if (!s) s = adapter ? read_adapter(&r, adapter) : read_model(&r, model);
    reader_close(&r);
    return s ? pf_prefix_error(s, "%s", dir) : PEFT_OK;
}

peft_status peft_adapter_load_hf(peft_backbone *b, const char *dir, peft_adapter **out)
{
    peft_model **no_model = NULL;
    return read_folder(b, dir, out, no_model);
}

peft_status peft_model_load_hf(peft_backbone *b, const char *dir, peft_model **out)
{
    peft_adapter **no_adapter = NULL;
    return read_folder(b, dir, no_adapter, out);
}
