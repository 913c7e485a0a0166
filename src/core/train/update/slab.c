/* SPDX-License-Identifier: Apache-2.0
 * slab.c -- one allocation (the slab) for the memory of the optimiser. Example with parameters A and B, and AdamW:
 *
 *     gradient A, B | first moment A, B | second moment A, B | saved copy of the model's buffers
 *
 * and behind them, if options proximal and extrapolate ask for them, one array of all parameters each: the values that
 * training began with; the values during a pass; the gradients of the last update.
 *
 * The gradients have no gaps, so that a reducer sees one array. The parameters' values are not here but in the model,
 * because sessions read them and they outlive the trainer. */
#include "core/train/trainer.h"

/* Whether the trainer has these members of pf_trained. */
static bool has_start(const peft_trainer *t) { return t->proximal > 0; }
static bool has_kept(const peft_trainer *t) { return t->extrapolate.kind != PF_EXTRAPOLATE_NONE; }
static bool has_direction(const peft_trainer *t) { return t->extrapolate.kind == PF_EXTRAPOLATE_GRADIENT; }

/* Gives every parameter its memory. elements: number of elements of all parameters together.
 * PEFT_E_STATE: another trainer already trains one of the parameters. It may belong to another model, because models
 * can share an adapter. */
static peft_status assign_memory(peft_trainer *t, int64_t elements, int64_t buffer_elements, bool matrices_only)
{
    pk_real *gradient = t->slab, *more = t->saved_buffers + buffer_elements, *const start = more;
    if (has_start(t)) more += elements;
    pk_real *const kept = more;
    if (has_kept(t)) more += elements;
    for (size_t i = 0; i < t->trained_count; i++) {
        pf_trained *s = &t->trained[i];
        s->p = peft_model_param(t->model, i);
        s->count = peft_tensor_count(&s->p->value);
        s->lr_scale = 1;
        s->weight_decay = matrices_only && s->p->value.ndim < 2 ? 0 : t->optimizer.weight_decay;
        if (s->p->grad.data) {
            t->trained_count = i;                             /* so that pf_slab_release clears only those set here */
            return pf_fail(PEFT_E_STATE, "parameter '%s': another trainer holds it; free that trainer first",
                           s->p->name);
        }
        s->p->grad.data = gradient;
        s->m = gradient + elements;
        if (pf_optimizer_moments(&t->optimizer) > 1) s->v = gradient + 2 * elements;
        const int64_t offset = gradient - t->slab;
        if (has_start(t)) s->start = start + offset;
        if (has_kept(t)) s->kept = kept + offset;
        if (has_direction(t)) s->direction = more + offset;
        gradient += s->count;
    }
    return PEFT_OK;
}

peft_status pf_slab_create(peft_trainer *t, bool matrices_only)
{
    int64_t elements = peft_model_trainable_count(t->model), buffer_elements = 0;
    int moments = pf_optimizer_moments(&t->optimizer);
    t->trained_count = peft_model_param_count(t->model);
    if (!t->trained_count)
        return pf_fail(PEFT_E_STATE, "model: it has nothing to train; attach an adapter or make it with a head (option "
                       "classes >= 1)");
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++)
        buffer_elements += peft_tensor_count(&pf_model_buffer(t->model, i)->value);
    const int64_t arrays = 1 + moments + has_start(t) + has_kept(t) + has_direction(t);        /* 1: the gradients */
    t->slab_bytes = (size_t)(elements * arrays + buffer_elements) * sizeof(pk_real);
    t->trained = pf_alloc_zero(t->ctx, t->trained_count * sizeof *t->trained);
    t->slab = pf_alloc_zero(t->ctx, t->slab_bytes);
    if (!t->trained || !t->slab) return pf_nomem("gradients and moments", t->slab_bytes);
    t->saved_buffers = t->slab + (1 + moments) * elements;
    pf_model_lock_write(t->model);
    const peft_status status = assign_memory(t, elements, buffer_elements, matrices_only);
    if (!status) pf_proximal_start(t);
    pf_model_unlock(t->model);
    return status;
}

/* Clears the pointers to gradients, so that another trainer can train the parameters. */
void pf_slab_release(peft_trainer *t)
{
    if (!t->trained) return;
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < t->trained_count; i++) if (t->trained[i].p) t->trained[i].p->grad.data = NULL;
    pf_model_unlock(t->model);
}
