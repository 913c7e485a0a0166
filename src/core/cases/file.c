/* SPDX-License-Identifier: Apache-2.0
 * file.c -- saves and loads case pools: a safetensors file with the parameters, and as metadata the options and notes
 * (<peft/case_pool.h>). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/cases/case_pool.h"
#include "core/format/meta.h"

static const char kind[] = "case_pool";
static const char option_key[] = "libpeft.case_pool.option.", epochs_key[] = "libpeft.case_pool.epochs";

enum { SHIFT, SCALE, OF_V, OF_U, OF_W, OF_C, OF_B, TENSORS };
typedef struct tensor { const char *name; int ndim; int64_t dim[2]; double *data; } tensor;

/* The tensors of p; data NULL: it has no such tensor. */
static void tensors_of(const peft_case_pool *p, tensor t[TENSORS])
{
    const pf_case_shape *s = &p->shape;
    const pf_case_params q = pf_case_params_in(s, p->values);
    t[SHIFT] = (tensor){ "features.shift", 1, { s->width }, p->shift };
    t[SCALE] = (tensor){ "features.scale", 1, { s->width }, p->scale };
    t[OF_V] = (tensor){ "attention.v", 2, { s->width, s->hidden }, q.v };
    t[OF_U] = (tensor){ "attention.u", 2, { s->width, s->hidden }, q.u };
    t[OF_W] = (tensor){ "attention.w", 1, { s->hidden }, q.w };
    t[OF_C] = (tensor){ "classifier.weight", 2, { s->classes, s->width }, q.c };
    t[OF_B] = (tensor){ "classifier.bias", 1, { s->classes }, q.b };
}

static int64_t elements(const tensor *t) { return t->dim[0] * (t->ndim == 2 ? t->dim[1] : 1); }

static bool all_finite(const tensor *t)
{
    for (int64_t i = 0; i < elements(t); i++) if (!isfinite(t->data[i])) return false;
    return true;
}

/* The number of threads is the machine's and not the pool's. */
static bool is_stored(const char *option) { return strcmp(option, "threads"); }

/* Defaults are stored too, so that a library with others trains a loaded pool as this one. */
static const char *value_of(const peft_case_pool *p, const pf_opt *row)
{
    const char *setting = pf_options_setting(p->options, row->name);
    return setting ? setting : row->fallback;
}

static peft_status write(const peft_case_pool *p, pf_st_out *o)
{
    tensor t[TENSORS];
    char key[128];
    PF_TRY(pf_st_out_meta(o, "libpeft.kind", kind));
    PF_TRY(pf_st_out_meta(o, "libpeft.format", "1"));
    PF_TRY(pf_st_out_meta(o, "libpeft.version", peft_version_string()));
    PF_TRY(pf_meta_add_int(o, epochs_key, p->epochs));
    for (const pf_opt *row = pf_case_options; row->name; row++) {
        snprintf(key, sizeof key, "%s%s", option_key, row->name);
        if (is_stored(row->name)) PF_TRY(pf_st_out_meta(o, key, value_of(p, row)));
    }
    for (size_t i = 0; i < p->notes.count; i++)
        PF_TRY(pf_st_out_meta(o, p->notes.item[i].key, p->notes.item[i].value));
    tensors_of(p, t);
    for (int i = 0; i < TENSORS; i++) {
        if (!t[i].data) continue;
        if (!all_finite(&t[i]))
            return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: the case pool is not saved", t[i].name);
        PF_TRY(pf_st_out_tensor(o, t[i].name, PEFT_F64, t[i].ndim, t[i].dim, t[i].data));
    }
    return PEFT_OK;
}

peft_status peft_case_pool_save(const peft_case_pool *p, const char *path)
{
    pf_st_out *o;
    if (!p || !path) return pf_fail(PEFT_E_INVALID, "peft_case_pool_save: %s is NULL", p ? "path" : "p");
    PF_TRY(pf_st_out_create(p->ctx, &o));
    peft_status s = write(p, o);
    if (!s) s = pf_st_out_write(o, path);
    pf_st_out_free(o);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}

/* Copies the tensors of the file, of which it must have exactly those of p. */
static peft_status read_tensors(const pf_st *st, peft_case_pool *p)
{
    tensor t[TENSORS];
    size_t expected = 0;
    tensors_of(p, t);
    for (int i = 0; i < TENSORS; i++) {
        if (!t[i].data) continue;
        const pf_st_tensor *stored = pf_st_find(st, t[i].name);
        if (!stored) return pf_fail(PEFT_E_FORMAT, "there is no tensor '%s'", t[i].name);
        if (stored->type != PEFT_F64 || stored->ndim != t[i].ndim || memcmp(stored->dim, t[i].dim, (size_t)t[i].ndim *
            sizeof *t[i].dim))
            return pf_fail(PEFT_E_FORMAT, "tensor '%s' has another type or shape than the options of the pool ask for",
                           t[i].name);
        memcpy(t[i].data, stored->data, stored->bytes);
        if (!all_finite(&t[i])) return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", t[i].name);
        expected++;
    }
    if (expected == pf_st_count(st)) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "the file has %zu tensors, expected %zu", pf_st_count(st), expected);
}

static peft_status read_options(const pf_st *st, peft_options *o)
{
    const size_t prefix = strlen(option_key);
    for (size_t i = 0; i < pf_st_meta_count(st); i++) {
        const char *key, *value;
        pf_st_meta_at(st, i, &key, &value);
        if (!strncmp(key, option_key, prefix)) PF_TRY(peft_options_set_string(o, key + prefix, value));
    }
    return PEFT_OK;
}

/* Notes are the entries whose keys are not the library's own. */
static peft_status read_notes(const pf_st *st, peft_case_pool *p)
{
    for (size_t i = 0; i < pf_st_meta_count(st); i++) {
        const char *key, *value;
        pf_st_meta_at(st, i, &key, &value);
        if (strncmp(key, PF_OWN_KEY, strlen(PF_OWN_KEY))) PF_TRY(pf_notes_set(&p->notes, p->ctx, key, value));
    }
    return PEFT_OK;
}

/* Makes the pool of the file's options and of the extents of its tensors. */
static peft_status make(peft_context *ctx, const pf_st *st, const peft_options *o, peft_case_pool **out)
{
    const pf_st_tensor *v = pf_st_find(st, "attention.v"), *c = pf_st_find(st, "classifier.weight");
    if (!v || v->ndim != 2 || !c || c->ndim != 2)
        return pf_fail(PEFT_E_FORMAT, "there is no matrix '%s'", !v || v->ndim != 2 ? "attention.v"
                       : "classifier.weight");
    PF_TRY(pf_options_check(o, pf_case_options, "a case pool"));
    if (pf_options_int(o, pf_case_options, "hidden") != v->dim[1])
        return pf_fail(PEFT_E_FORMAT, "tensor 'attention.v' has %lld columns, and option hidden is %lld",
                       (long long)v->dim[1], (long long)pf_options_int(o, pf_case_options, "hidden"));
    return peft_case_pool_create(ctx, v->dim[0], c->dim[0], o, out);
}

static peft_status load(peft_context *ctx, const pf_st *st, peft_options *o, peft_case_pool **out)
{
    const char *text;
    int64_t format;
    peft_case_pool *p;
    PF_TRY(pf_meta_read_text(st, "libpeft.kind", &text));
    if (strcmp(text, kind)) return pf_fail(PEFT_E_FORMAT, "the file is of kind %.60s, expected %s", text, kind);
    PF_TRY(pf_meta_read_int(st, "libpeft.format", &format));
    if (format != 1) return pf_fail(PEFT_E_UNSUPPORTED, "file format %lld: this library reads 1", (long long)format);
    PF_TRY(read_options(st, o));
    PF_TRY(make(ctx, st, o, &p));
    peft_status s = read_tensors(st, p);
    if (!s) s = read_notes(st, p);
    if (!s) s = pf_meta_read_int(st, epochs_key, &p->epochs);
    if (s) peft_case_pool_free(p);
    else *out = p;
    return s;
}

peft_status peft_case_pool_load(peft_context *ctx, const char *path, peft_case_pool **out)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    peft_options *o;
    if (!ctx || !path || !out)
        return pf_fail(PEFT_E_INVALID, "peft_case_pool_load: %s is NULL", !ctx ? "ctx" : !path ? "path" : "out");
    PF_TRY(peft_options_create(ctx, &o));
    peft_status s = pf_st_read(ctx, path, &st);
    if (!s) {
        s = load(ctx, st, o, out);
        pf_st_close(st);
    }
    peft_options_free(o);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}
