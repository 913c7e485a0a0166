/* SPDX-License-Identifier: Apache-2.0
 * trainer_file.c -- the whole training state in one file: parameters, moments, gradients of an unfinished accumulation,
 * buffers, counters, and the options they belong to. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/store/origin.h"
#include "core/store/state.h"
#include "core/train/trainer.h"

static const struct { const char *key; size_t offset; } counter[] = {
    { "libpeft.step", offsetof(struct peft_trainer, step) }, { "libpeft.epoch", offsetof(struct peft_trainer, epoch) },
    { "libpeft.batch_in_epoch", offsetof(struct peft_trainer, batch_in_epoch) },
    { "libpeft.samples", offsetof(struct peft_trainer, samples) },
    { "libpeft.pending", offsetof(struct peft_trainer, pending) } };
#define COUNTERS (sizeof counter / sizeof *counter)
/* Written where it is not the number of pending passes, as with a reducer (pf_pending_count). */
static const char batches_key[] = "libpeft.batches";
#define MOST ((int64_t)1e15)             /* as many steps as the option "steps" may name; counting on cannot overflow */

/* Visits every tensor of the state with its name in the file. */
typedef peft_status (*tensor_fn)(void *user, const char *name, peft_tensor *t);
static peft_status each(const peft_trainer *t, tensor_fn fn, void *user)
{
    char name[160];
    pk_real *before = t->saved_buffers;
    for (size_t i = 0; i < t->slots; i++) {
        const pf_slot *s = &t->slot[i];
        const struct { const char *prefix; void *data; } parts[] = {
            { "param.", s->p->value.data }, { "moment1.", s->m }, { "moment2.", s->v },
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
        view.data = before;
        before += peft_tensor_count(&view);
        PF_TRY(fn(user, name, &view));
    }
    return PEFT_OK;
}

static peft_status write_one(void *user, const char *name, peft_tensor *t)
{
    if (!pf_finite(t->data, peft_tensor_count(t)))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: not saved; restore an earlier state", name);
    return pf_st_out_tensor(user, name, t->type, t->ndim, t->dim, t->data);
}

static peft_status fill(const peft_trainer *t, pf_st_out *o)
{
    PF_TRY(pf_meta_write(o, "trainer", t->model->backbone));
    PF_TRY(pf_settings_write(t, o));
    PF_TRY(pf_changes_write(t, o));
    PF_TRY(pf_meta_write_classifier(o, t->model));
    for (size_t i = 0; i < COUNTERS; i++)
        PF_TRY(pf_meta_number(o, counter[i].key, *(const int64_t *)((const char *)t + counter[i].offset)));
    if (pf_pending_count(t) != t->pending) PF_TRY(pf_meta_number(o, batches_key, t->batches));
    PF_TRY(pf_meta_number(o, "libpeft.seed", (int64_t)t->seed));
    char sum[40];
    pf_print_float(sum, sizeof sum, t->pending ? t->loss_sum : 0);
    PF_TRY(pf_st_out_meta(o, "libpeft.loss_sum", sum));
    return each(t, write_one, o);
}

peft_status peft_trainer_save(const peft_trainer *t, const char *path)
{
    PK_FLOAT_SCOPE;
    pf_st_out *o;
    if (!t || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", t ? "path" : "trainer");
    PF_TRY(pf_st_out_create(t->ctx, &o));
    peft_status s = fill(t, o);
    if (!s) s = pf_st_out_write(o, path);
    pf_st_out_free(o);
    return s ? pf_within(s, "%s", path) : PEFT_OK;
}

/* First all tensors are checked, then all are copied: a file that does not fit changes nothing. */
typedef struct { const pf_st *st; size_t seen; bool copy; } reader;

static peft_status read_one(void *user, const char *name, peft_tensor *t)
{
    reader *r = user;
    const pf_st_tensor *from = pf_st_find(r->st, name);
    if (!from) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", name);
    if (from->type != t->type || from->ndim != t->ndim || memcmp(from->dim, t->dim, sizeof(int64_t) * (size_t)t->ndim))
        return pf_fail(PEFT_E_MISMATCH, "tensor '%s' has another type or other extents than the model's", name);
    if (!r->copy && !pf_finite(from->data, peft_tensor_count(t)))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", name);
    if (r->copy) memcpy(t->data, from->data, from->bytes);
    r->seen++;
    return PEFT_OK;
}

static peft_status read_batches(const pf_st *st, int64_t pending, int64_t *batches)
{
    *batches = pending;
    if (!pf_st_meta(st, batches_key)) return PEFT_OK;
    PF_TRY(pf_meta_int(st, batches_key, batches));
    if (*batches >= pending && *batches <= MOST) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected %lld (libpeft.pending) to %lld",
                   batches_key, (long long)*batches, (long long)pending, (long long)MOST);
}

static peft_status restore(peft_trainer *t, const pf_st *st)
{
    const char *sum;
    double loss_sum;
    int64_t value[COUNTERS], seed, batches, pending = t->pending;
    reader check = { st, 0, false }, copy = { st, 0, true };
    PF_TRY(pf_meta_check(st, "trainer", t->model->backbone));
    PF_TRY(pf_settings_check(t, st));
    PF_TRY(pf_meta_check_classifier(st, t->model));
    for (size_t i = 0; i < COUNTERS; i++) {
        PF_TRY(pf_meta_int(st, counter[i].key, &value[i]));
        if (value[i] < 0 || value[i] > MOST)
            return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected 0 to %lld", counter[i].key,
                           (long long)value[i], (long long)MOST);
    }
    PF_TRY(pf_changes_read(t, st, value[0], false));
    PF_TRY(read_batches(st, value[COUNTERS - 1], &batches));
    PF_TRY(pf_meta_int(st, "libpeft.seed", &seed));
    PF_TRY(pf_meta_text(st, "libpeft.loss_sum", &sum));
    if (!pf_parse_float(sum, &loss_sum) || !isfinite(loss_sum))
        return pf_fail(PEFT_E_FORMAT, "metadata entry 'libpeft.loss_sum': given '%.40s', expected a number", sum);
    t->pending = value[COUNTERS - 1];
    peft_status s = each(t, read_one, &check);
    if (!s && check.seen != pf_st_count(st)) s = pf_fail(PEFT_E_FORMAT, "%zu tensors, expected %zu", pf_st_count(st),
                                                         check.seen);
    if (!s) {
        pf_model_lock_write(t->model);
        s = each(t, read_one, &copy);
        pf_model_unlock(t->model);
    }
    if (s) {
        t->pending = pending;
        return s;
    }
    pf_forward_end(t);
    t->seed = (uint64_t)seed;
    t->loss_sum = loss_sum;
    for (size_t i = 0; i < COUNTERS; i++) *(int64_t *)((char *)t + counter[i].offset) = value[i];
    t->batches = batches;
    PF_TRY(pf_changes_read(t, st, value[0], true));
    t->first = (pf_place){ t->epoch, t->batch_in_epoch, t->samples };
    return PEFT_OK;
}

peft_status peft_trainer_restore(peft_trainer *t, const char *path)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    PF_TRY(pf_trainer_ready(t));
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected a text");
    PF_TRY(pf_st_read(t->ctx, path, &st));
    peft_status s = restore(t, st);
    pf_st_close(st);
    return s ? pf_within(s, "%s", path) : PEFT_OK;
}
