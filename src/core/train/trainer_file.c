/* SPDX-License-Identifier: Apache-2.0
 * trainer_file.c -- saves and restores the training state, a safetensors file with parameters, moments and what other
 * options of the update keep, buffers, the gradients of pending passes, and (as metadata) counters and settings. */
#include <math.h>
#include <stdio.h>
#include "core/store/origin.h"
#include "core/store/state.h"
#include "core/train/trainer.h"

/* Counters by the key of their metadata entry; step is the first, pending the last. */
static const struct { const char *key; size_t offset; } counter[] = {
    { "libpeft.step", offsetof(struct peft_trainer, step) }, { "libpeft.epoch", offsetof(struct peft_trainer, epoch) },
    { "libpeft.batch_in_epoch", offsetof(struct peft_trainer, batch_in_epoch) },
    { "libpeft.samples", offsetof(struct peft_trainer, samples) },
    { "libpeft.pending", offsetof(struct peft_trainer, pending) } };
#define COUNTERS (sizeof counter / sizeof *counter)
/* t->batches, written only with a reducer and if it is not the number of pending passes. */
static const char batches_key[] = "libpeft.batches";

typedef peft_status (*tensor_fn)(void *user, const char *name, peft_tensor *t);
/* Calls fn for every tensor of the state, with its name in the file: "moment1.head.weight". grad.* and saved.* (buffers
 * before the pending passes) exist only while passes are pending. */
static peft_status for_each_tensor(const peft_trainer *t, tensor_fn fn, void *user)
{
    char name[160];
    pk_real *saved = t->saved_buffers;                   /* the copy of the next buffer */
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        const struct { const char *prefix; void *data; } parts[] = {
            { "param.", t->extrapolate.moved ? s->kept : s->p->value.data }, { "moment1.", s->m },
            { "moment2.", s->v }, { "start.", s->start }, { "direction.", s->direction },
            { "grad.", t->pending ? s->p->grad.data : NULL } };
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            if (!parts[k].data) continue;
            peft_tensor view = s->p->value;
            view.data = parts[k].data;
            snprintf(name, sizeof name, "%s%s", parts[k].prefix, s->p->name);
            PF_TRY(fn(user, name, &view));
        }
    }
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++) {
        snprintf(name, sizeof name, "buffer.%s", pf_model_buffer(t->model, i)->name);
        peft_tensor view = pf_model_buffer(t->model, i)->value;
        PF_TRY(fn(user, name, &view));
        if (!t->pending) continue;
        snprintf(name, sizeof name, "saved.%s", pf_model_buffer(t->model, i)->name);
        view.data = saved;
        saved += peft_tensor_count(&view);
        PF_TRY(fn(user, name, &view));
    }
    return PEFT_OK;
}

static peft_status write_tensor(void *user, const char *name, peft_tensor *t)
{
    if (!pf_finite(t->data, peft_tensor_count(t)))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: the state is not saved; restore an earlier one",
                       name);
    return pf_st_out_tensor(user, name, t->type, t->ndim, t->dim, t->data);
}

/* Adds all metadata and tensors of the state to o. */
static peft_status write_state(pf_st_out *o, const void *object)
{
    const peft_trainer *t = object;
    PF_TRY(pf_settings_write(t, o));
    PF_TRY(pf_changes_write(t, o));
    PF_TRY(pf_origin_write_classifier(o, t->model));
    for (size_t i = 0; i < COUNTERS; i++)
        PF_TRY(pf_meta_add_int(o, counter[i].key, *(const int64_t *)((const char *)t + counter[i].offset)));
    if (pf_pending_count(t) != t->pending) PF_TRY(pf_meta_add_int(o, batches_key, t->batches));
    PF_TRY(pf_meta_add_int(o, "libpeft.seed", (int64_t)t->seed));
    char loss_text[40];
    pf_print_float(loss_text, sizeof loss_text, t->pending ? t->loss_sum : 0);
    PF_TRY(pf_st_out_meta(o, "libpeft.loss_sum", loss_text));
    return for_each_tensor(t, write_tensor, o);
}

peft_status peft_trainer_save(const peft_trainer *t, const char *path)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected a string");
    return pf_origin_write_file(t->model->backbone, "trainer", path, write_state, t);
}

static peft_status read_tensor(void *user, const char *name, peft_tensor *t)
{
    const pf_restorer *r = user;
    const void *stored;
    PF_TRY(pf_restore_tensor(user, name, t->type, t->ndim, t->dim, t->data, &stored));
    if (r->copy || pf_finite(stored, peft_tensor_count(t))) return PEFT_OK;
    return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", name);
}

/* Reads the value of t->batches; without an entry it equals pending. */
static peft_status read_batches(const pf_st *st, int64_t pending, int64_t *batches)
{
    *batches = pending;
    if (!pf_st_meta(st, batches_key)) return PEFT_OK;
    PF_TRY(pf_meta_read_int(st, batches_key, batches));
    if (*batches >= pending && *batches <= PF_MAX_COUNT) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected %lld (libpeft.pending) to %lld",
                   batches_key, (long long)*batches, (long long)pending, (long long)PF_MAX_COUNT);
}

/* Checks the whole state in st against t, and only then changes t. */
static peft_status restore(peft_trainer *t, const pf_st *st)
{
    const char *loss_text;
    double loss_sum;
    int64_t value[COUNTERS], seed, batches;
    const int64_t pending_before = t->pending;
    pf_restorer check = { .st = st, .owner = "this trainer's model" }, copy = check;
    copy.copy = true;
    PF_TRY(pf_origin_check(st, "trainer", t->model->backbone));
    PF_TRY(pf_origin_check_storage(st, t->model->backbone));
    PF_TRY(pf_settings_check(t, st));
    PF_TRY(pf_origin_check_classifier(st, t->model));
    for (size_t i = 0; i < COUNTERS; i++) {
        PF_TRY(pf_meta_read_int(st, counter[i].key, &value[i]));
        if (value[i] < 0 || value[i] > PF_MAX_COUNT)
            return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected 0 to %lld", counter[i].key,
                           (long long)value[i], (long long)PF_MAX_COUNT);
    }
    const int64_t saved_step = value[0], saved_pending = value[COUNTERS - 1];
    PF_TRY(pf_changes_check(t, st, saved_step));
    PF_TRY(read_batches(st, saved_pending, &batches));
    PF_TRY(pf_meta_read_int(st, "libpeft.seed", &seed));
    PF_TRY(pf_meta_read_text(st, "libpeft.loss_sum", &loss_text));
    if (!pf_parse_float(loss_text, &loss_sum) || !isfinite(loss_sum))
        return pf_fail(PEFT_E_FORMAT, "metadata entry 'libpeft.loss_sum': given '%.40s', expected a number", loss_text);
    t->pending = saved_pending;                          /* decides which tensors for_each_tensor visits */
    peft_status s = for_each_tensor(t, read_tensor, &check);
    if (!s) s = pf_restore_found_all(&check);
    if (!s) {
        pf_forward_end(t);
        pf_model_lock_write(t->model);
        s = for_each_tensor(t, read_tensor, &copy);
        pf_model_unlock(t->model);
    }
    if (s) {
        t->pending = pending_before;
        return s;
    }
    t->seed = (uint64_t)seed;
    t->loss_sum = loss_sum;
    for (size_t i = 0; i < COUNTERS; i++) *(int64_t *)((char *)t + counter[i].offset) = value[i];
    t->batches = batches;
    PF_TRY(pf_changes_restore(t, st, saved_step));
    t->pending_start = (pf_data_position){ t->epoch, t->batch_in_epoch, t->samples };
    return PEFT_OK;
}

peft_status peft_trainer_restore(peft_trainer *t, const char *path)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    PF_TRY(pf_trainer_ready(t));
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected a string");
    PF_TRY(pf_st_read(t->ctx, path, &st));
    peft_status s = restore(t, st);
    pf_st_close(st);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}
