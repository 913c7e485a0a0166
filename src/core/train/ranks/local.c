/* SPDX-License-Identifier: Apache-2.0
 * local.c -- post-local SGD (Lin, Stich, Patel and Jaggi, ICLR 2020, Don't Use Large Mini-Batches, Use Local SGD):
 * after option local_from updates each rank makes updates from its own gradients, and after every local_steps of them
 * the parameters become their mean over the ranks. */
#include <string.h>
#include "core/train/trainer.h"

bool pf_update_is_local(const peft_trainer *t)
{
    return t->reduce.fn && t->local.steps > 1 && t->step >= t->local.from;
}

bool pf_local_mean_is_due(const peft_trainer *t)
{
    return t->reduce.fn && t->local.steps > 1 && t->step > t->local.from
        && (t->step - t->local.from) % t->local.steps == 0;
}

/* The gradients are no longer needed: their memory holds the parameters that the reducer adds up. */
peft_status pf_local_mean(peft_trainer *t)
{
    int64_t ranks = 1;
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        memcpy(s->p->grad.data, s->p->value.data, (size_t)s->count * sizeof(pk_real));
    }
    const int returned = pf_call_reducer(t, &ranks);
    if (returned) return pf_callback_failed(t, "reducer of parameters", returned);
    if (ranks < 1)
        return pf_fail(PEFT_E_INVALID, "reducer of parameters at step %lld: passes is %lld, expected the sum of 1 for "
                       "each rank", (long long)t->step, (long long)ranks);
    const double mean = 1.0 / (double)ranks;
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < t->trained_count; i++) {
        const pf_trained *s = &t->trained[i];
        const pk_real *sum = s->p->grad.data;
        pk_real *w = s->p->value.data;
        for (int64_t k = 0; k < s->count && !s->frozen; k++) w[k] = (pk_real)(mean * (double)sum[k]);
    }
    pf_model_unlock(t->model);
    return PEFT_OK;
}
