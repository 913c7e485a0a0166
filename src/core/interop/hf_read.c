/* SPDX-License-Identifier: Apache-2.0
 * hf_read.c -- loads a PEFT directory as an adapter, or as a model with its classifier. The configuration determines
 * the tensors: the file must hold each of them, in its shape, and no other. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/format/folder.h"
#include "core/format/json_value.h"
#include "core/interop/hf_dir.h"
#include "core/store/state.h"
#include "core/weights/save/save.h"
#include "core/weights/files/files.h"

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

/* Copies the tensors that are not row-major. */
static peft_status fetch_all(pf_st *file)
{
    for (size_t i = 0; i < pf_st_count(file); i++) PF_TRY(pf_st_fetch(file, pf_st_at(file, i)));
    return PEFT_OK;
}

/* Opens the file of tensors: that of safetensors if there is one, as PEFT does, else that of torch.save. *out is set
 * also if a copy fails. */
static peft_status open_tensors(peft_context *ctx, const char *dir, pf_st **out)
{
    char *path = pf_path_join(ctx, dir, PF_PEFT_TENSORS), *torch = pf_path_join(ctx, dir, PF_PEFT_TORCH);
    peft_status s = path && torch ? PEFT_OK : PEFT_E_NOMEM;
    if (!s && access(path, F_OK) && !access(torch, F_OK)) {
        s = pf_weights_open(ctx, torch, out);
        if (!s) s = fetch_all(*out);
    } else if (!s) s = pf_st_read(ctx, path, out);
    pf_free(ctx, path);
    pf_free(ctx, torch);
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
    if (!s) pf_peft_warn_bypassed(b, &r->names, &r->modules);
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

/* Does the configuration train the bias of every module? */
static bool trains_all_biases(const reader *r)
{
    const char *bias = json_string_value(json_object_get(r->config.root, "bias"));
    return bias && !strcmp(bias, "all");
}

/* Fills a matrix that VeRA's layers share. That of the file is larger if PEFT adapts a larger layer too, the
 * classifier: the other layers use its first rows and columns. */
static peft_status fill_shared(const pf_st_tensor *t, pf_param *p)
{
    const int64_t rows = p->value.dim[0], cols = p->value.dim[1];
    char given[96];
    if (t->ndim != 2 || t->dim[0] < rows || t->dim[1] < cols)
        return pf_fail(PEFT_E_FORMAT, "tensor '" PF_PEFT_SHARED "%s': given %s, expected at least [%lld, %lld]",
                       p->name, pf_dims_text(given, sizeof given, t->ndim, t->dim), (long long)rows, (long long)cols);
    for (int64_t i = 0; i < rows; i++) {
        pk_real *to = (pk_real *)p->value.data + i * cols;
        const char *from = (const char *)t->data + i * t->dim[1] * (int64_t)pf_dtype_size(t->type);
        if (!pf_to_real(to, from, t->type, cols))
            return pf_fail(PEFT_E_DTYPE, "tensor '" PF_PEFT_SHARED "%s': given %s, expected F32, F16 or BF16", p->name,
                           t->type_name);
        if (!pf_finite(to, cols))
            return pf_fail(PEFT_E_NONFINITE, "tensor '" PF_PEFT_SHARED "%s' holds NaN or Inf", p->name);
    }
    return PEFT_OK;
}

/* Fills the entry's elements of its parameter. The tensor may have the extents of a convolution or of the matrix. The
 * bias of an adapted module has ".base_layer" in its name since PEFT 0.6. */
static peft_status fill_param(const pf_st *file, const pf_peft_entry *e)
{
    static const char base[] = ".base_layer.bias", plain[] = ".bias";
    char given[96], expected[96], key[PF_KEY_MAX];
    const size_t length = strlen(e->key);
    const pf_st_tensor *t = pf_st_find(file, e->key);
    const int64_t count = pf_peft_entry_count(e);
    pf_param *p = e->param;
    if (!t && length >= sizeof base && !strcmp(e->key + length - (sizeof base - 1), base)) {
        snprintf(key, sizeof key, "%.*s%s", (int)(length - (sizeof base - 1)), e->key, plain);
        t = pf_st_find(file, key);
    }
    if (!t) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", e->key);
    if (!p->buffer && !has_extents(t, e->ndim, e->dim) && !(count == peft_tensor_count(&p->value)
                                              && has_extents(t, p->value.ndim, p->value.dim)))
        return pf_fail(PEFT_E_FORMAT, "tensor '%s': given %s, expected %s by configuration and backbone", e->key,
                       pf_dims_text(given, sizeof given, t->ndim, t->dim),
                       pf_dims_text(expected, sizeof expected, e->ndim, e->dim));
    if (p->buffer) return fill_shared(t, p);
    pk_real *to = (pk_real *)p->value.data + e->first;
    if (!pf_to_real(to, t->data, t->type, count))
        return pf_fail(PEFT_E_DTYPE, "tensor '%s': given %s, expected F32, F16 or BF16", e->key, t->type_name);
    if (!pf_finite(to, count))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", e->key);
    return PEFT_OK;
}

/* The classifier's module if the file has tensors of it; NULL: it has none. With bias=all PEFT saves its bias. */
static const pf_module *head_in_file(const reader *r)
{
    char key[PF_KEY_MAX];
    for (size_t i = 0; i < r->modules.count; i++) {
        const pf_module *m = &r->modules.item[i];
        if (m->kind != PF_MODULE_HEAD) continue;
        pf_peft_key(m, m->path, ".bias", key);
        return m->saved || m->target || (trains_all_biases(r) && pf_st_find(r->file, key)) ? m : NULL;
    }
    return NULL;
}

/* The classifier's module if the file has all of it (modules_to_save); NULL: it has not. */
static const pf_module *saved_head(const reader *r)
{
    const pf_module *m = head_in_file(r);
    return m && m->saved ? m : NULL;
}

/* Does the tensor belong to the module with this path? */
static bool belongs_to(const char *name, const char *path)
{
    const size_t front = strlen(PF_PEFT_FRONT), length = strlen(path);
    return !strncmp(name, PF_PEFT_FRONT, front) && !strncmp(name + front, path, length) && name[front + length] == '.';
}

/* Does the configuration expect a tensor of this name that no entry has: one of the classifier, which pf_peft_fill_head
 * reads, or which is left out with the classifier (with_head: the entries list the classifier's parameters); or one of
 * a module that has no effect on the features (the pooler)? */
static bool is_expected_besides(const reader *r, bool with_head, const char *name)
{
    const pf_module *head = head_in_file(r);
    if (head && belongs_to(name, head->path))                /* PEFT saves the biases of the copies as well */
        return !with_head || (trains_all_biases(r) && (strstr(name, ".original_module.") || strstr(name,
                                                                                                 ".modules_to_save.")));
    bool outside = pf_peft_is_outside(&r->names, name);
    for (size_t i = 0; i < r->modules.count && !outside; i++)
        outside = r->modules.item[i].kind == PF_MODULE_OTHER && belongs_to(name, r->modules.item[i].path);
    if (outside) pf_warn(r->b->ctx, "tensor '%s' is left out: features do not depend on its module", name);
    return outside;
}

/* Is there an entry for this tensor? */
static bool is_listed(const pf_peft_entries *e, const char *name)
{
    char key[PF_KEY_MAX];
    const size_t length = strlen(name), tail = strlen(".bias");
    snprintf(key, sizeof key, "%.*s.base_layer.bias", (int)(length > tail ? length - tail : 0), name);
    const bool bias = length > tail && !strcmp(name + length - tail, ".bias");
    for (size_t i = 0; i < e->count; i++)
        if (!strcmp(e->item[i].key, name) || (bias && !strcmp(e->item[i].key, key))) return true;
    return false;
}

/* The error for a tensor that no parameter takes. It may be of a module in modules_to_save that this library
 * lacks. */
static peft_status unexpected(const reader *r, const char *name)
{
    const json_t *saved = pf_json_get(r->config.root, "modules_to_save");
    char part[PF_PATH_MAX];
    size_t i;
    json_t *v;
    json_array_foreach(saved, i, v) {
        snprintf(part, sizeof part, ".%s.", json_string_value(v));
        if (strstr(name, part))
            return pf_fail(PEFT_E_UNSUPPORTED, "field 'modules_to_save': '%s' cannot be saved whole with peft_type %s "
                           "(tensor '%s')", json_string_value(v), pf_peft_kinds[r->config.type].type, name);
    }
    return pf_fail(PEFT_E_FORMAT, "tensor '%s' is unexpected: no module that the configuration adapts or saves has it",
                   name);
}

/* Fills the parameters of a and of the head (NULL: none) with the tensors of the file. */
static peft_status fill_all(const reader *r, const peft_adapter *a, const pf_params *head)
{
    pf_peft_entries e;
    PF_TRY(pf_peft_entries_make(a, head, &r->names, &r->modules, &e));
    peft_status s = PEFT_OK;
    for (size_t i = 0; i < e.count && !s; i++) s = fill_param(r->file, &e.item[i]);
    for (size_t i = 0; i < pf_st_count(r->file) && !s; i++) {
        const char *name = pf_st_at(r->file, i)->name;
        if (!is_listed(&e, name) && !is_expected_besides(r, head != NULL, name)) s = unexpected(r, name);
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

/* Makes a model with a linear head of this many classes. */
static peft_status make_with_head(reader *r, int64_t classes, peft_model **out)
{
    peft_options *o;
    PF_TRY(peft_options_create(r->b->ctx, &o));
    peft_status s = peft_options_set_int(o, "classes", classes);
    if (!s) s = pf_model_make(r->b, o, &r->source, out);
    peft_options_free(o);
    return s;
}

/* Makes a model with a linear head of as many classes as the file's classifier has; without one in the file, with the
 * backbone's own, or, where the backbone has none either, without a head. An adapted classifier becomes a linear head,
 * since its weight differs from the backbone's. */
static peft_status make_model(reader *r, peft_model **out)
{
    char key[PF_KEY_MAX];
    const peft_options *defaults = NULL;
    const pf_module *head = head_in_file(r);
    if (head && head->target && !r->b->shape.classes)
        return pf_fail(PEFT_E_FORMAT, "the adapter changes the classifier '%s', which the backbone lacks: expected the "
                       "weights of the whole model (peft_adapter_load_hf reads the adapter alone)", head->path);
    if (!saved_head(r) && !r->b->shape.classes) return make_headless(r, out);
    if (!head) return pf_model_make(r->b, defaults, &r->source, out);
    if (!head->saved) return make_with_head(r, r->b->shape.classes, out);
    pf_peft_key(head, head->path, ".weight", key);
    const pf_st_tensor *w = pf_st_find(r->file, key);
    if (!w) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", key);
    if (w->ndim != 2 || w->dim[0] < 1)
        return pf_fail(PEFT_E_FORMAT, "tensor '%s': has %d extents, expected [classes, width]", key, w->ndim);
    return make_with_head(r, w->dim[0], out);
}

/* Warns if the class that the file's classifier is of reads another feature than the model. */
static void warn_of_feature(const reader *r, const peft_model *m)
{
    const pf_hf_model *model = NULL;
    const pf_vit_shape shape = pf_vit_with_pool(&r->b->shape, m->pool);
    if (saved_head(r) && pf_save_class(r->b, &shape, pf_peft_naming_of(r->names.naming), true, &model))
        pf_warn(r->b->ctx, "the logits may differ from those in Python: %s", peft_last_error());
}

/* Makes the model, attaches the adapter, and fills both. */
static peft_status read_model(reader *r, peft_model **out)
{
    peft_adapter *a;
    peft_model *m = NULL;
    PF_TRY(make_adapter(r, &a));
    peft_status s = make_model(r, &m);
    if (!s) s = peft_model_attach(m, a);
    const pf_params *head = !s && m->params.count ? &m->params : NULL;
    const bool changed = head && !saved_head(r);             /* the backbone's classifier, changed by the adapter */
    if (!s) s = fill_all(r, a, changed ? NULL : head);
    if (!s && changed) s = pf_peft_fill_head(r->b, &r->config, head_in_file(r), r->file, head);
    peft_adapter_free(a);
    if (!s) warn_of_feature(r, m);
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
