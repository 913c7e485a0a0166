/* SPDX-License-Identifier: Apache-2.0
 * figures.c -- the figures of a trainer by name, for peft_trainer_get, peft_trainer_get_int and
 * peft_trainer_get_float. */
#include <math.h>
#include "core/train/session/figure.h"
#include "core/train/trainer.h"

/* The present values of all figures. */
static pf_figures figures_of(const void *object)
{
    const peft_trainer *t = object;
    return (pf_figures){ .rows = 15, .row = {
        PF_NUMBER("loss", t->last_loss, "no backward pass since the trainer was made, or the loss of the last one was "
                  "NaN"),
        PF_NUMBER("lr", t->last_lr, "no update since the trainer was made"),
        PF_NUMBER("grad_norm", t->last_norm, "no update since the trainer was made, or the gradients of the last one "
                  "held NaN"),
        PF_COUNT("step", t->step), PF_COUNT("epoch", t->epoch), PF_COUNT("batch_in_epoch", t->batch_in_epoch),
        PF_COUNT("samples", t->samples),
        PF_NUMBER("step_seconds", t->seconds > 0 ? t->seconds : NAN, "no backward pass since the trainer was made"),
        PF_COUNT("planned_bytes", pf_trainer_bytes(t)), PF_COUNT("arena_bytes", t->arena_bytes),
        PF_COUNT("flops", t->net.exec.flops), PF_COUNT("cache_hits", t->cache.hits),
        PF_COUNT("cache_samples", t->cache.records ? t->cache.records->count : 0),
        PF_COUNT("trainable_parameters", peft_model_trainable_count(t->model)),
        PF_NUMBER("added_loss", t->last_added, "no backward pass since the trainer was made") } };
}

static const pf_figure_owner owner = { "a", "trainer", "peft_trainer_get_float", figures_of };

peft_status peft_trainer_get_int(const peft_trainer *t, const char *name, int64_t *out)
{
    return pf_figure_int(&owner, t, name, out);
}

peft_status peft_trainer_get_float(const peft_trainer *t, const char *name, double *out)
{
    return pf_figure_float(&owner, t, name, out);
}

double peft_trainer_get(const peft_trainer *t, const char *name) { return pf_figure_or_nan(&owner, t, name); }
