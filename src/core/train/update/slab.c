/* SPDX-License-Identifier: Apache-2.0
 * slab.c -- the memory of the optimiser, in one piece. All gradients stand first, one parameter behind the other
 * without gaps, so that a reducer sees them as one array; then all first moments, all second ones, and the copy of the
 * buffers. The values are the model's, because sessions read them and they stay when the trainer goes. */
#include "core/train/trainer.h"

int pf_optimizer_moments(const pf_optimizer *o) { return o->adamw ? 2 : 1; }

/* Makes the parameters this trainer's, unless another trainer has one of them: of this model, or of another that shares
 * an adapter with it. */
static peft_status claim(peft_trainer *t, int64_t scalars, bool decay_matrices)
{
    pk_real *at = t->slab;
    for (size_t i = 0; i < t->slots; i++) {
        pf_slot *s = &t->slot[i];
        s->p = peft_model_param(t->model, i);
        s->count = peft_tensor_count(&s->p->value);
        s->lr_scale = 1;
        s->weight_decay = decay_matrices && s->p->value.ndim < 2 ? 0 : t->opt.weight_decay;
        if (s->p->grad.data) {
            t->slots = i;
            return pf_fail(PEFT_E_STATE, "parameter '%s': another trainer holds it", s->p->name);
        }
        s->p->grad.data = at;
        s->m = at + scalars;
        if (pf_optimizer_moments(&t->opt) > 1) s->v = at + 2 * scalars;
        at += s->count;
    }
    return PEFT_OK;
}

peft_status pf_slab_take(peft_trainer *t, bool decay_matrices)
{
    int64_t scalars = peft_model_trainable_count(t->model), buffers = 0;
    int moments = pf_optimizer_moments(&t->opt);
    t->slots = peft_model_param_count(t->model);
    if (!t->slots)
        return pf_fail(PEFT_E_STATE, "model: nothing to train; attach an adapter or give it a head (classes >= 1)");
    for (size_t i = 0; i < peft_model_buffer_count(t->model); i++)
        buffers += peft_tensor_count(&pf_model_buffer(t->model, i)->value);
    t->slab_bytes = (size_t)(scalars * (1 + moments) + buffers) * sizeof(pk_real);
    t->slot = pf_alloc_zero(t->ctx, t->slots * sizeof *t->slot);
    t->slab = pf_alloc_zero(t->ctx, t->slab_bytes);
    if (!t->slot || !t->slab) return pf_nomem("gradients and moments", t->slab_bytes);
    t->saved_buffers = t->slab + (1 + moments) * scalars;
    pf_model_lock_write(t->model);
    const peft_status status = claim(t, scalars, decay_matrices);
    pf_model_unlock(t->model);
    return status;
}

void pf_slab_leave(peft_trainer *t)
{
    if (!t->slot) return;
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < t->slots; i++) if (t->slot[i].p) t->slot[i].p->grad.data = NULL;
    pf_model_unlock(t->model);
}
