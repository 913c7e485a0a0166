/* SPDX-License-Identifier: Apache-2.0
 * files.c -- saves and loads adapter files and model files: safetensors files with the trained parameters and, as
 * metadata, methods, options and the fingerprint of the backbone they were trained on. */
#include <stdio.h>
#include <string.h>
#include "core/model/locks.h"
#include "core/store/origin.h"
#include "core/store/state.h"

/* Adapter and model files hold the tensors of one adapter or model under their own names. A file of one adapter stores
 * it as adapter 0. */
static const char no_prefix[] = "";
enum { ONLY_ADAPTER = 0 };

/* Reads options from the text of metadata entry `key`, as write_options writes them. */
static peft_status read_options(peft_context *ctx, const pf_st *st, const char *key, peft_options **out)
{
    const char *text;
    PF_TRY(pf_meta_read_text(st, key, &text));
    PF_TRY(peft_options_create(ctx, out));
    peft_status s = peft_options_parse(*out, text);
    if (!s) return PEFT_OK;
    peft_options_free(*out);
    return pf_prefix_error(s == PEFT_E_NOMEM ? s : PEFT_E_FORMAT, "metadata entry '%s'", key);
}

/* Writes options as the text of metadata entry `key`. */
static peft_status write_options(peft_context *ctx, pf_st_out *o, const char *key, const peft_options *options)
{
    char *text;
    PF_TRY(pf_options_print(ctx, options, &text));
    peft_status s = pf_st_out_meta(o, key, text);
    pf_free(ctx, text);
    return s;
}

/* Writes method, options and tensors of adapter k; its metadata is "libpeft.adapter.k.method" and ".options". */
static peft_status write_one_adapter(pf_st_out *o, const peft_adapter *a, size_t k)
{
    char key[64];
    snprintf(key, sizeof key, "libpeft.adapter.%zu.method", k);
    PF_TRY(pf_st_out_meta(o, key, a->method->name));
    snprintf(key, sizeof key, "libpeft.adapter.%zu.options", k);
    PF_TRY(write_options(a->backbone->ctx, o, key, a->options));
    PF_TRY(pf_state_write(o, no_prefix, &a->params));
    return pf_state_write(o, no_prefix, &a->buffers);
}

/* Makes adapter k of the file, with the values that the file has. */
static peft_status read_one_adapter(peft_backbone *b, const pf_st *st, size_t k, peft_adapter **out)
{
    char key[64];
    const char *method;
    peft_options *o;
    peft_adapter *a;
    snprintf(key, sizeof key, "libpeft.adapter.%zu.method", k);
    PF_TRY(pf_meta_read_text(st, key, &method));
    snprintf(key, sizeof key, "libpeft.adapter.%zu.options", k);
    PF_TRY(read_options(b->ctx, st, key, &o));
    pf_source source = pf_source_same_names(st);      /* parameters that the file does not have are refused */
    peft_status s = pf_adapter_make(b, method, o, &source, &a);
    peft_options_free(o);
    if (s) return s;
    s = pf_state_read(st, no_prefix, &a->params);
    if (!s) s = pf_state_read(st, no_prefix, &a->buffers);
    if (s) peft_adapter_free(a);
    else *out = a;
    return s;
}

/* adapter_has and model_has are what pf_state_refuse_others asks: whether the object has a tensor of that name. */
static bool adapter_has(const void *object, const char *name)
{
    const peft_adapter *adapter = object;
    return pf_params_find(&adapter->params, name) || pf_params_find(&adapter->buffers, name);
}

static bool model_has(const void *object, const char *name)
{
    peft_model *m = (peft_model *)object;               /* the two searches change nothing */
    return peft_model_find_param(m, name) || peft_model_find_buffer(m, name) || pf_source_has(m, name);
}

static peft_status fill_adapter(pf_st_out *o, const void *object)
{
    PF_TRY(pf_meta_add_int(o, "libpeft.adapters", 1));
    return write_one_adapter(o, object, ONLY_ADAPTER);
}

static peft_status fill_model(pf_st_out *o, const void *object)
{
    const peft_model *m = object;
    PF_TRY(pf_meta_add_int(o, "libpeft.adapters", (int64_t)m->adapters));
    PF_TRY(write_options(m->backbone->ctx, o, "libpeft.model.options", m->options));
    PF_TRY(pf_origin_write_classifier(o, m));
    for (size_t i = 0; i < m->adapters; i++) PF_TRY(write_one_adapter(o, m->adapter[i], i));
    for (size_t i = 0; i < m->notes.count; i++)
        PF_TRY(pf_st_out_meta(o, m->notes.item[i].key, m->notes.item[i].value));
    PF_TRY(pf_source_write(o, m));
    PF_TRY(pf_state_write(o, no_prefix, &m->params));
    return pf_state_write(o, no_prefix, &m->buffers);
}

peft_status peft_adapter_save(const peft_adapter *a, const char *path)
{
    PK_FLOAT_SCOPE;
    if (!a || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", a ? "path" : "adapter");
    pf_rwlock *lock = (pf_rwlock *)(uintptr_t)&a->lock;       /* also a reader changes the lock */
    pf_rwlock_read(lock);
    const peft_status s = pf_origin_write_file(a->backbone, "adapter", path, fill_adapter, a);
    pf_rwlock_unlock(lock);
    return s;
}

peft_status peft_model_save(const peft_model *m, const char *path)
{
    PK_FLOAT_SCOPE;
    if (!m || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "path" : "model");
    pf_model_lock_read(m);
    const peft_status s = pf_origin_write_file(m->backbone, "model", path, fill_model, m);
    pf_model_unlock(m);
    return s;
}

peft_status peft_model_save_bytes(const peft_model *m, peft_tensor **out)
{
    PK_FLOAT_SCOPE;
    char *bytes;
    size_t size;
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    peft_context *ctx = m->backbone->ctx;
    pf_model_lock_read(m);
    peft_status s = pf_origin_write_bytes(m->backbone, "model", fill_model, m, &bytes, &size);
    pf_model_unlock(m);
    if (s) return s;
    s = peft_tensor_create(ctx, PEFT_U8, 1, (const int64_t[]){ (int64_t)size }, out);
    if (!s) memcpy(peft_tensor_data(*out), bytes, size);
    pf_free(ctx, bytes);
    return s;
}

/* Makes the adapter of an adapter file on backbone b. */
static peft_status load_adapter(peft_backbone *b, const pf_st *st, peft_adapter **out)
{
    PF_TRY(pf_origin_check(st, "adapter", b));
    peft_adapter *a;
    PF_TRY(read_one_adapter(b, st, ONLY_ADAPTER, &a));
    peft_status s = pf_state_refuse_others(st, adapter_has, a);  /* refuses tensors that the adapter does not have */
    if (s) peft_adapter_free(a);
    else *out = a;
    return s;
}

/* Reads adapters, notes and tensors of the file into m, which has the file's options. */
static peft_status read_model(peft_backbone *b, const pf_st *st, peft_model *m)
{
    int64_t adapters;
    PF_TRY(pf_origin_check_classifier(st, m));
    PF_TRY(pf_meta_read_int(st, "libpeft.adapters", &adapters));
    if (adapters < 0)
        return pf_fail(PEFT_E_FORMAT, "metadata entry 'libpeft.adapters': given %lld, expected 0 or more",
                       (long long)adapters);
    for (int64_t i = 0; i < adapters; i++) {
        peft_adapter *a;
        PF_TRY(read_one_adapter(b, st, (size_t)i, &a));
        peft_status s = peft_model_attach(m, a);
        peft_adapter_free(a);
        if (s) return s;
    }
    for (size_t i = 0; i < pf_st_meta_count(st); i++) {
        const char *key, *value;
        pf_st_meta_at(st, i, &key, &value);
        if (strncmp(key, PF_OWN_KEY, strlen(PF_OWN_KEY))) PF_TRY(peft_model_set_note(m, key, value));
    }
    PF_TRY(pf_state_read(st, no_prefix, &m->params));
    PF_TRY(pf_state_read(st, no_prefix, &m->buffers));
    PF_TRY(pf_source_read(st, m));
    return pf_state_refuse_others(st, model_has, m);             /* refuses tensors that the model does not have */
}

/* Makes the model of the file on backbone b. */
static peft_status load_model(peft_backbone *b, const pf_st *st, peft_model **out)
{
    peft_options *o;
    peft_model *m;
    PF_TRY(pf_origin_check(st, "model", b));
    PF_TRY(read_options(b->ctx, st, "libpeft.model.options", &o));
    pf_source source = pf_source_same_names(st);      /* parameters that the file does not have are refused */
    peft_status s = pf_model_make(b, o, &source, &m);
    peft_options_free(o);
    if (s) return s;
    s = read_model(b, st, m);
    if (s) peft_model_free(m);
    else *out = m;
    return s;
}

/* Checks the arguments of a load and opens the file. */
static peft_status open_file(const peft_backbone *b, const char *path, const void *out, pf_st **st)
{
    if (!b || !path || !out)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !b ? "backbone" : !path ? "path" : "out");
    return pf_st_read(b->ctx, path, st);
}

/* Closes the file; returns s, the status of what was read from it, and begins an error message with the path. */
static peft_status close_file(pf_st *st, const char *path, peft_status s)
{
    pf_st_close(st);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}

peft_status peft_adapter_load(peft_backbone *b, const char *path, peft_adapter **out)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    PF_TRY(open_file(b, path, out, &st));
    return close_file(st, path, load_adapter(b, st, out));
}

peft_status peft_model_load(peft_backbone *b, const char *path, peft_model **out)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    PF_TRY(open_file(b, path, out, &st));
    return close_file(st, path, load_model(b, st, out));
}

peft_status peft_model_load_bytes(peft_backbone *b, const void *data, size_t size, peft_model **out)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    if (!b || !data || !out)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !b ? "backbone" : !data ? "data" : "out");
    PF_TRY(pf_st_open_memory(b->ctx, data, size, &st));
    return close_file(st, "model in memory", load_model(b, st, out));
}
