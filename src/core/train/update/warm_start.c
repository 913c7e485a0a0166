/* SPDX-License-Identifier: Apache-2.0
 * warm_start.c -- peft_trainer_warm_start: parameters, moments and counts of updates from the state of an earlier
 * training, whose model may have had other adapters. */
#include <stdio.h>
#include <string.h>
#include "core/bits/finite.h"
#include "core/format/meta.h"
#include "core/store/origin.h"
#include "core/train/trainer.h"

/* A tensor of t that the state may hold: under `name`, which the message of an error shows, to `data`. */
typedef struct carried { char name[160]; void *data; const peft_tensor *like; } carried;

/* The tensor of the state; NULL: it has none of this name. PEFT_E_MISMATCH, PEFT_E_NONFINITE: it cannot be used. */
static peft_status find(const pf_st *st, const carried *c, const pf_st_tensor **out)
{
    char given[96], expected[96];
    const pf_st_tensor *from = *out = pf_st_find(st, c->name);
    const peft_tensor *like = c->like;
    if (!from) return PEFT_OK;
    if (from->type != like->type || from->ndim != like->ndim
        || memcmp(from->dim, like->dim, sizeof(int64_t) * (size_t)like->ndim))
        return pf_fail(PEFT_E_MISMATCH, "tensor '%s': the state has %s, the trainer's model %s; expected the same "
                       "extents and type", c->name, pf_dims_text(given, sizeof given, from->ndim, from->dim),
                       pf_dims_text(expected, sizeof expected, like->ndim, like->dim));
    if (pf_finite(from->data, peft_tensor_count(like))) return PEFT_OK;
    return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", c->name);
}

/* Checks the tensor, and copies it if `copy`. *found: the state has it. */
static peft_status carry(const pf_st *st, const carried *c, bool copy, bool *found)
{
    const pf_st_tensor *from;
    PF_TRY(find(st, c, &from));
    *found = from != NULL;
    if (copy && from) memcpy(c->data, from->data, from->bytes);
    return PEFT_OK;
}

static carried tensor_of(const char *prefix, const char *name, void *data, const peft_tensor *like)
{
    carried c = { .data = data, .like = like };
    snprintf(c.name, sizeof c.name, "%s%s", prefix, name);
    return c;
}

/* Value and moments of a parameter. *found: the state has it. */
static peft_status carry_parameter(pf_trained *s, const pf_st *st, int64_t step, bool copy, bool *found)
{
    const struct { const char *prefix; void *data; } moments[] = { { "moment1.", s->m }, { "moment2.", s->v } };
    const carried value = tensor_of("param.", s->p->name, s->p->value.data, &s->p->value);
    pf_update_counts c;
    PF_TRY(carry(st, &value, copy, found));
    if (!*found) return PEFT_OK;
    for (int k = 0; k < 2 && moments[k].data; k++) {
        const carried moment = tensor_of(moments[k].prefix, s->p->name, moments[k].data, &s->p->value);
        bool has_moment;
        PF_TRY(carry(st, &moment, copy, &has_moment));
        if (!has_moment) return pf_fail(PEFT_E_FORMAT, "tensor '%s' is missing", moment.name);
    }
    PF_TRY(pf_changes_counts(s, st, step, &c));
    if (copy) s->earlier = step - c.skipped + c.earlier;
    return PEFT_OK;
}

/* All parameters and buffers that the state has. *count: the number of these parameters. */
static peft_status carry_all(peft_trainer *t, const pf_st *st, int64_t step, bool copy, size_t *count)
{
    bool found;
    *count = 0;
    for (size_t i = 0; i < t->trained_count; i++) {
        PF_TRY(carry_parameter(&t->trained[i], st, step, copy, &found));
        *count += found;
    }
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++) {
        const pf_param *b = pf_model_buffer(t->model, i);
        const carried buffer = tensor_of("buffer.", b->name, b->value.data, &b->value);
        PF_TRY(carry(st, &buffer, copy, &found));
    }
    return PEFT_OK;
}

/* Whether the state has a parameter of list. */
static bool has_some(const pf_st *st, const pf_params *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const carried c = tensor_of("param.", list->item[i]->name, NULL, NULL);
        if (pf_st_find(st, c.name)) return true;
    }
    return false;
}

/* Parameters of the same name and extents mean the same only in the same head, or the same method with the same
 * options. */
static peft_status check_settings(const peft_trainer *t, const pf_st *st)
{
    const peft_model *m = t->model;
    if (has_some(st, &m->params)) PF_TRY(pf_settings_check_head(t, st));
    for (size_t i = 0; i < m->adapters; i++)
        if (has_some(st, &m->adapter[i]->params)) PF_TRY(pf_settings_check_adapter(t, st, i));
    return PEFT_OK;
}

/* Moments of one optimiser mean nothing to the other. */
static peft_status check_optimizer(const peft_trainer *t, const pf_st *st)
{
    const char *saved, *given = t->optimizer.adamw ? "adamw" : "sgd";
    PF_TRY(pf_meta_read_text(st, "libpeft.trainer.option.optimizer", &saved));
    if (!strcmp(saved, given)) return PEFT_OK;
    return pf_fail(PEFT_E_MISMATCH, "optimizer: the state was saved with %.40s, the trainer has %s, which cannot use "
                   "its moments; expected the same", saved, given);
}

static peft_status warm_start(peft_trainer *t, const pf_st *st, size_t *parameters)
{
    int64_t step;
    size_t count;
    PF_TRY(pf_origin_check(st, "trainer", t->model->backbone));
    PF_TRY(pf_origin_check_classifier(st, t->model));
    PF_TRY(check_optimizer(t, st));
    PF_TRY(pf_meta_read_int(st, "libpeft.step", &step));
    if (step < 0 || step > PF_MAX_COUNT)
        return pf_fail(PEFT_E_FORMAT, "metadata entry 'libpeft.step': given %lld, expected 0 to %lld", (long long)step,
                       (long long)PF_MAX_COUNT);
    PF_TRY(carry_all(t, st, step, false, &count));
    if (!count)
        return pf_fail(PEFT_E_NOTFOUND, "the state has no parameter of the trainer's model; expected that of a "
                       "training with one of its adapters or with its head");
    PF_TRY(check_settings(t, st));
    pf_forward_end(t);
    pf_model_lock_write(t->model);
    const peft_status s = carry_all(t, st, step, true, &count);
    pf_proximal_start(t);
    pf_model_unlock(t->model);
    if (!s && parameters) *parameters = count;
    return s;
}

peft_status peft_trainer_warm_start(peft_trainer *t, const char *path, size_t *parameters)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    PF_TRY(pf_trainer_ready(t));
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected a string");
    if (t->step || t->samples)
        return pf_fail(PEFT_E_STATE, "the trainer has trained on %lld samples; expected a call before its first batch",
                       (long long)t->samples);
    PF_TRY(pf_st_read(t->ctx, path, &st));
    peft_status s = warm_start(t, st, parameters);
    pf_st_close(st);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}
