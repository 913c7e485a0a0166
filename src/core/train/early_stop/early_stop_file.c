/* SPDX-License-Identifier: Apache-2.0
 * early_stop_file.c -- saves the best values, epoch, figure and counters of early stopping to a safetensors file, and
 * loads them again (peft/early_stop.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/store/origin.h"
#include "core/store/state.h"
#include "core/train/early_stop/early_stop.h"

static const char kind[] = "best_epoch", figure_key[] = "libpeft.best_figure", goal_key[] = "libpeft.goal";
/* Counters by the key of their metadata entry. */
enum { BEST, LAST, WAITED, COUNTERS };
static const struct { const char *key; size_t offset; } counter[COUNTERS] = {
    [BEST] = { "libpeft.best_epoch", offsetof(peft_early_stop, best_epoch) },
    [LAST] = { "libpeft.last_epoch", offsetof(peft_early_stop, last_epoch) },
    [WAITED] = { "libpeft.waited", offsetof(peft_early_stop, waited) } };

typedef peft_status (*tensor_fn)(void *user, const char *name, peft_tensor *kept);
/* Calls fn for the kept values of each tensor, with their name in the file; for none if there is no best epoch. */
static peft_status for_each_tensor(const peft_early_stop *e, int64_t best_epoch, tensor_fn fn, void *user)
{
    const char *prefix;
    const pf_param *p;
    char *kept = (char *)e->values, name[160];
    for (size_t i = 0; best_epoch >= 0 && (p = pf_early_stop_tensor(e, i, &prefix)); i++) {
        peft_tensor view = p->value;
        view.data = kept;
        kept += pf_tensor_bytes(&p->value);
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        PF_TRY(fn(user, name, &view));
    }
    return PEFT_OK;
}

static peft_status write_tensor(void *user, const char *name, peft_tensor *t)
{
    if (!pf_finite(t->data, peft_tensor_count(t)))
        return pf_fail(PEFT_E_NONFINITE, "tensor '%s' of the best epoch holds NaN or Inf: not saved", name);
    return pf_st_out_tensor(user, name, t->type, t->ndim, t->dim, t->data);
}

static peft_status write_all(pf_st_out *o, const void *object)
{
    const peft_early_stop *e = object;
    char figure[40];
    for (int i = 0; i < COUNTERS; i++)
        PF_TRY(pf_meta_add_int(o, counter[i].key, *(const int64_t *)((const char *)e + counter[i].offset)));
    pf_print_float(figure, sizeof figure, e->best);
    PF_TRY(pf_st_out_meta(o, figure_key, figure));
    PF_TRY(pf_st_out_meta(o, goal_key, e->minimise ? "min" : "max"));
    return for_each_tensor(e, e->best_epoch, write_tensor, o);
}

peft_status peft_early_stop_save(const peft_early_stop *e, const char *path)
{
    PK_FLOAT_SCOPE;
    if (!e) return pf_early_stop_null();
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected the path of a file");
    return pf_origin_write_file(e->model->backbone, kind, path, write_all, e);
}

static peft_status read_tensor(void *user, const char *name, peft_tensor *t)
{
    const pf_restorer *r = user;
    const void *stored;
    PF_TRY(pf_restore_tensor(user, name, t->type, t->ndim, t->dim, t->data, &stored));
    if (r->copy || pf_finite(stored, peft_tensor_count(t))) return PEFT_OK;
    return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf", name);
}

/* Whether the counters are such as offers of epochs make: `waited` epochs were offered after the best one, or, if there
 * is none, in all. */
static peft_status check_counters(const int64_t value[COUNTERS])
{
    if (value[BEST] > value[LAST])
        return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected at most the last epoch, %lld",
                       counter[BEST].key, (long long)value[BEST], (long long)value[LAST]);
    const int64_t most = value[LAST] - value[BEST];
    if (value[WAITED] >= 0 && value[WAITED] <= most) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected 0 to %lld, the epochs after the best one",
                   counter[WAITED].key, (long long)value[WAITED], (long long)most);
}

/* Reads counters and figure. */
static peft_status read_numbers(const peft_early_stop *e, const pf_st *st, int64_t value[COUNTERS], double *best)
{
    const char *text;
    PF_TRY(pf_meta_read_text(st, goal_key, &text));
    if (strcmp(text, e->minimise ? "min" : "max"))
        return pf_fail(PEFT_E_MISMATCH, "goal: the file was saved with '%.40s', this object has '%s'", text,
                       e->minimise ? "min" : "max");
    for (int i = 0; i < COUNTERS; i++) {
        PF_TRY(pf_meta_read_int(st, counter[i].key, &value[i]));
        if (value[i] < -1)
            return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given %lld, expected -1 or more", counter[i].key,
                           (long long)value[i]);
    }
    PF_TRY(check_counters(value));
    PF_TRY(pf_meta_read_text(st, figure_key, &text));
    *best = NAN;
    if (value[BEST] < 0 || (pf_parse_float(text, best) && isfinite(*best))) return PEFT_OK;
    return pf_fail(PEFT_E_FORMAT, "metadata entry '%s': given '%.40s', expected a finite number", figure_key, text);
}

/* Checks the whole file, and only then changes e. */
static peft_status load(peft_early_stop *e, const pf_st *st)
{
    int64_t value[COUNTERS];
    double best;
    pf_restorer check = { .st = st, .owner = "this model" }, copy = check;
    copy.copy = true;
    PF_TRY(pf_origin_check(st, kind, e->model->backbone));
    PF_TRY(read_numbers(e, st, value, &best));
    PF_TRY(for_each_tensor(e, value[BEST], read_tensor, &check));
    PF_TRY(pf_restore_found_all(&check));
    PF_TRY(for_each_tensor(e, value[BEST], read_tensor, &copy));
    for (int i = 0; i < COUNTERS; i++) *(int64_t *)((char *)e + counter[i].offset) = value[i];
    e->best = best;
    return PEFT_OK;
}

peft_status peft_early_stop_load(peft_early_stop *e, const char *path)
{
    PK_FLOAT_SCOPE;
    pf_st *st;
    if (!e) return pf_early_stop_null();
    if (!path) return pf_fail(PEFT_E_INVALID, "path is NULL: expected the path of a file");
    PF_TRY(pf_st_read(e->model->backbone->ctx, path, &st));
    peft_status s = load(e, st);
    pf_st_close(st);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}
