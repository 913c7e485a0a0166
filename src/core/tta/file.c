/* SPDX-License-Identifier: Apache-2.0
 * file.c -- saves and restores an adaptor: a safetensors file with the parts of its state (parts.c) and, as metadata,
 * kind, options, counters, and a checksum of the model's parameters. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/model/locks.h"
#include "core/store/origin.h"
#include "core/store/state.h"
#include "core/tta/adaptor.h"

/* Counters by the key of their metadata entry. */
static const struct { const char *key; size_t offset; int64_t most; } counter[] = {
    { "libpeft.adaptor.batches", offsetof(struct peft_adaptor, batches), PF_TTA_MAX_COUNT },
    { "libpeft.adaptor.images", offsetof(struct peft_adaptor, images_seen), PF_TTA_MAX_COUNT },
    { "libpeft.adaptor.updates", offsetof(struct peft_adaptor, updates), PF_TTA_MAX_COUNT },
    { "libpeft.adaptor.source_images", offsetof(struct peft_adaptor, statistics.images), PF_TTA_MAX_COUNT },
    { "libpeft.adaptor.source_stored", offsetof(struct peft_adaptor, statistics.stored), 1 } };
enum { COUNTERS = sizeof counter / sizeof *counter };
static int64_t *counter_of(const peft_adaptor *a, int i)
{
    return (int64_t *)(uintptr_t)((const char *)a + counter[i].offset);
}

/* Whether all elements of a part are finite, integers within their bounds, and positive if they must be. */
static bool is_valid(const pf_tta_part *p, const void *data, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double d;
        int64_t n;
        if (p->type == PEFT_F64) {
            memcpy(&d, (const char *)data + i * (int64_t)sizeof d, sizeof d);
            if (!isfinite(d) || (p->positive && d <= 0)) return false;
        } else if (p->type == PEFT_I64) {
            memcpy(&n, (const char *)data + i * (int64_t)sizeof n, sizeof n);
            if (n < p->low || n > p->high) return false;
        }
    }
    return p->type != PF_REAL || pf_finite(data, count);
}

static peft_status write_part(void *user, const pf_tta_part *p)
{
    if (!is_valid(p, p->data, pf_dims_count(p->ndim, p->dim)))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: the state is not saved; reset the adaptor, or "
                       "restore an earlier state", p->name);
    return pf_st_out_tensor(user, p->name, p->type, p->ndim, p->dim, p->data);
}

/* "0123456789abcdef", the checksum of the model's parameters. */
static void checksum_text(const peft_adaptor *a, char text[24])
{
    snprintf(text, 24, "%016llx", (unsigned long long)pf_model_checksum(a->model));
}

static void option_key(char key[128], const pf_opt *row) { snprintf(key, 128, "libpeft.adaptor.option.%s", row->name); }

static peft_status write_state(pf_st_out *o, const void *object)
{
    const peft_adaptor *a = object;
    char text[128], kernels[32];
    pf_compile_spec compile = { 0 };
    PF_TRY(pf_tta_compile_options(a, &compile));
    PF_TRY(pf_origin_write_classifier(o, a->model));
    checksum_text(a, text);
    PF_TRY(pf_st_out_meta(o, "libpeft.adaptor.model", text));
    pf_engine_kernels_text(&a->engine, &compile, kernels, sizeof kernels);
    PF_TRY(pf_st_out_meta(o, "libpeft.kernels", kernels));
    PF_TRY(pf_st_out_meta(o, "libpeft.adaptor.kind", a->kind->name));
    for (const pf_opt *row = a->kind->options; row && row->name; row++) {
        option_key(text, row);
        PF_TRY(pf_st_out_meta(o, text, pf_tta_string(a, row->name)));
    }
    for (int i = 0; i < COUNTERS; i++) PF_TRY(pf_meta_add_int(o, counter[i].key, *counter_of(a, i)));
    return pf_tta_each(a, write_part, o);
}

/* PEFT_E_STATE: the state belongs to earlier values of the model's parameters, and could not be restored. */
static peft_status check_untrained(const peft_adaptor *a)
{
    if (a->model_checksum != pf_model_checksum(a->model))
        return pf_fail(PEFT_E_STATE, "the model has been trained since the adaptor was made, reset or restored, and "
                       "the state belongs to the earlier values of its parameters: reset the adaptor, or save it "
                       "before training");
    return pf_tta_check_source(a);
}

peft_status peft_adaptor_save(const peft_adaptor *a, const char *path)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_tta_check(a));
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected a string");
    pf_model_lock_read(a->model);
    peft_status s = check_untrained(a);
    if (!s) s = pf_origin_write_file(a->model->backbone, "adaptor", path, write_state, a);
    pf_model_unlock(a->model);
    return s;
}

static peft_status read_part(void *user, const pf_tta_part *p)
{
    const pf_restorer *r = user;
    const void *stored;
    PF_TRY(pf_restore_tensor(user, p->name, p->type, p->ndim, p->dim, p->data, &stored));
    if (r->copy || is_valid(p, stored, pf_dims_count(p->ndim, p->dim))) return PEFT_OK;
    return pf_fail(p->type == PEFT_I64 ? PEFT_E_FORMAT : PEFT_E_NONFINITE, "tensor '%s' holds %s", p->name,
                   p->type == PEFT_I64 ? "a number that is out of its range"
                   : p->positive ? "a number that is not positive, NaN or Inf" : "NaN or Inf");
}

/* PEFT_E_MISMATCH: the state is of another kind, has other options, or belongs to a model with other parameters. */
static peft_status check_settings(const peft_adaptor *a, const pf_st *st)
{
    char key[128], sum[24], kernels[32];
    pf_compile_spec compile = { 0 };
    const char *saved;
    PF_TRY(pf_origin_check(st, "adaptor", a->model->backbone));
    PF_TRY(pf_origin_check_classifier(st, a->model));
    PF_TRY(pf_meta_read_text(st, "libpeft.adaptor.kind", &saved));
    if (strcmp(saved, a->kind->name))
        return pf_fail(PEFT_E_MISMATCH, "the state was saved with kind=%.60s, the adaptor has kind=%s", saved,
                       a->kind->name);
    for (const pf_opt *row = a->kind->options; row && row->name; row++) {
        option_key(key, row);
        PF_TRY(pf_meta_read_text(st, key, &saved));
        if (!pf_option_same(row, saved, pf_tta_string(a, row->name)))
            return pf_fail(PEFT_E_MISMATCH, "the state was saved with %s=%.200s, the adaptor has %s=%.200s", row->name,
                           saved, row->name, pf_tta_string(a, row->name));
    }
    PF_TRY(pf_meta_read_text(st, "libpeft.adaptor.model", &saved));
    checksum_text(a, sum);
    if (strcmp(saved, sum))
        return pf_fail(PEFT_E_MISMATCH, "the state belongs to a model with other values of its parameters (checksum "
                       "%.40s, this one has %s): restore it with the model file that it was saved beside", saved, sum);
    PF_TRY(pf_tta_compile_options(a, &compile));
    pf_engine_kernels_text(&a->engine, &compile, kernels, sizeof kernels);
    saved = pf_st_meta(st, "libpeft.kernels");
    if (saved && strcmp(saved, kernels))
        pf_warn(a->ctx, "the state was saved by an adaptor with the kernels and matrix product '%.40s', this one has "
                "'%s': results differ in rounding", saved, kernels);
    return PEFT_OK;
}

/* Checks the whole state in st against a, and only then changes a. */
static peft_status restore(peft_adaptor *a, const pf_st *st)
{
    int64_t value[COUNTERS];
    pf_restorer check = { .st = st, .owner = "this adaptor" }, copy = check;
    copy.copy = true;
    PF_TRY(check_settings(a, st));
    for (int i = 0; i < COUNTERS; i++) {
        PF_TRY(pf_meta_read_int(st, counter[i].key, &value[i]));
        if (value[i] < 0 || value[i] > counter[i].most)
            return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected 0 to %lld", counter[i].key,
                           (long long)value[i], (long long)counter[i].most);
    }
    PF_TRY(pf_tta_each(a, read_part, &check));
    PF_TRY(pf_restore_found_all(&check));
    PF_TRY(pf_tta_each(a, read_part, &copy));
    for (int i = 0; i < COUNTERS; i++) *counter_of(a, i) = value[i];
    a->model_checksum = a->statistics.model_checksum = pf_model_checksum(a->model);
    a->loss = a->seconds = NAN;
    if (a->taps) pf_tta_statistics_ready(a);
    return PEFT_OK;
}

peft_status peft_adaptor_restore(peft_adaptor *a, const char *path)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    PF_TRY(pf_tta_check(a));
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected a string");
    PF_TRY(pf_st_read(a->ctx, path, &st));
    pf_model_lock_read(a->model);
    const peft_status s = restore(a, st);
    pf_model_unlock(a->model);
    pf_st_close(st);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}
