/* SPDX-License-Identifier: Apache-2.0
 * early_stop.c -- early stopping: a copy of the best values of a model, and when to stop (peft/early_stop.h). */
#include <math.h>
#include <string.h>
#include "core/train/early_stop/early_stop.h"

static const pf_opt options[] = {
    { "goal", 's', "max", 0, 0, "max: larger figures are better; min: smaller ones" },
    { "patience", 'i', "0", 0, 1000000000, "epochs in a row without an improvement that end the training; 0: never" },
    { "min_delta", 'f', "0", 0, 1e300, "an improvement is one of more than this" },
    { 0 } };

peft_status pf_early_stop_null(void)
{
    return pf_fail(PEFT_E_INVALID, "early_stop: e is NULL, expected a pointer from peft_early_stop_create");
}

const peft_option *peft_early_stop_option(size_t i) { return pf_option_at(options, i); }

const pf_param *pf_early_stop_tensor(const peft_early_stop *e, size_t i, const char **prefix)
{
    const size_t params = peft_model_param_count(e->model);
    *prefix = i < params ? "param." : "buffer.";
    return i < params ? peft_model_param(e->model, i) : pf_model_buffer(e->model, i - params);
}

static peft_status read_options(peft_early_stop *e, const peft_options *o)
{
    PF_TRY(pf_options_check(o, options, "early stopping"));
    const char *goal = pf_options_string(o, options, "goal");
    e->minimise = !strcmp(goal, "min");
    e->patience = pf_options_int(o, options, "patience");
    e->min_delta = pf_options_float(o, options, "min_delta");
    if (e->minimise || !strcmp(goal, "max")) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "goal: given '%.40s', expected max or min", goal);
}

peft_status peft_early_stop_create(peft_model *m, const peft_options *o, peft_early_stop **out)
{
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    peft_context *ctx = m->backbone->ctx;
    peft_early_stop made = { .model = m, .best_epoch = -1, .last_epoch = -1, .best = NAN };
    const char *prefix;
    const pf_param *p;
    PF_TRY(read_options(&made, o));
    pf_model_use(m);
    for (size_t i = 0; (p = pf_early_stop_tensor(&made, i, &prefix)); i++) made.bytes += pf_tensor_bytes(&p->value);
    *out = pf_alloc_zero(ctx, sizeof made + made.bytes);
    if (!*out) {
        pf_model_unuse(m);
        return pf_nomem("early stopping", sizeof made + made.bytes);
    }
    **out = made;
    (*out)->values = (pk_real *)(*out + 1);
    return PEFT_OK;
}

void peft_early_stop_free(peft_early_stop *e)
{
    if (!e) return;
    peft_model *m = e->model;
    pf_free(m->backbone->ctx, e);
    pf_model_unuse(m);
}

int64_t peft_early_stop_best_epoch(const peft_early_stop *e) { return e ? e->best_epoch : -1; }
double  peft_early_stop_best_figure(const peft_early_stop *e) { return e ? e->best : NAN; }
int64_t peft_early_stop_waited(const peft_early_stop *e) { return e ? e->waited : 0; }

/* Copies all values of the model to e->values, or back. */
static void copy_values(peft_early_stop *e, bool back)
{
    const char *prefix;
    const pf_param *p;
    char *kept = (char *)e->values;
    if (back) pf_model_lock_write(e->model);
    else pf_model_lock_read(e->model);
    for (size_t i = 0; (p = pf_early_stop_tensor(e, i, &prefix)); i++) {
        const size_t bytes = pf_tensor_bytes(&p->value);
        memcpy(back ? p->value.data : kept, back ? kept : p->value.data, bytes);
        kept += bytes;
    }
    pf_model_unlock(e->model);
}

static bool improves(const peft_early_stop *e, double figure)
{
    if (!isfinite(figure)) return false;
    if (e->best_epoch < 0) return true;
    return e->minimise ? figure < e->best - e->min_delta : figure > e->best + e->min_delta;
}

peft_status peft_early_stop_offer(peft_early_stop *e, int64_t epoch, double figure, int *stop)
{
    if (!e) return pf_early_stop_null();
    if (epoch < 0 || epoch <= e->last_epoch)
        return pf_fail(PEFT_E_INVALID, "epoch: given %lld, expected %lld or more, as each epoch is offered once",
                       (long long)epoch, (long long)(e->last_epoch + 1));
    e->last_epoch = epoch;
    if (improves(e, figure)) {
        copy_values(e, false);
        e->best_epoch = epoch;
        e->best = figure;
        e->waited = 0;
    } else e->waited++;
    if (stop) *stop = e->patience && e->waited >= e->patience;
    return PEFT_OK;
}

peft_status peft_early_stop_restore(peft_early_stop *e)
{
    if (!e) return pf_early_stop_null();
    if (e->best_epoch < 0)
        return pf_fail(PEFT_E_STATE, "there is no best epoch: %s", e->last_epoch < 0
                       ? "no figure was offered yet (peft_early_stop_offer)"
                       : "all figures that were offered are NaN or infinite");
    copy_values(e, true);
    return PEFT_OK;
}
