/* SPDX-License-Identifier: Apache-2.0
 * update.c -- peft_trainer_update: sums the gradients over all ranks, computes and clips their norm, and runs the
 * optimiser (optimizer.c). */
#include <math.h>
#include "core/train/trainer.h"

/* Counts an update for which this rank has no gradient, as one in which all parameters were frozen. */
static void skip_update(peft_trainer *t)
{
    for (size_t i = 0; i < t->trained_count; i++) t->trained[i].skipped++;
    t->step++;
}

/* Logs once that the schedule has ended with a rate of 0 (as cosine does by default), so that more updates change
 * nothing. */
static void warn_at_end(peft_trainer *t, double lr)
{
    const pf_schedule *s = &t->schedule;
    if (t->warned_schedule_end || lr > 0 || s->lr <= 0 || s->steps < 1 || t->step < s->steps) return;
    t->warned_schedule_end = true;
    pf_warn(t->ctx, "step %lld: the %lld updates of schedule '%s' are done and the learning rate is 0: more "
            "updates change nothing. Option steps counts updates: epochs x batches per epoch / accumulate",
            (long long)t->step, (long long)s->steps, pf_schedule_name(s->kind));
}

/* The update from the sum of the gradients of `passes` passes; restore_buffers: some are of this trainer. */
static peft_status update(peft_trainer *t, int64_t passes, bool restore_buffers)
{
    const double begin = pk_seconds();
    pf_update u = { .engine = &t->engine, .optimizer = &t->optimizer, .trained = t->trained,
                    .trained_count = t->trained_count, .step = t->step };
    pf_proximal_add(t, passes);
    const double mean = 1.0 / (double)passes, norm = pf_gradient_norm(&u) * mean;
    t->last_norm = norm;
    if (!isfinite(norm)) {
        if (restore_buffers) pf_pending_restore_buffers(t);
        return pf_fail(PEFT_E_NONFINITE, "the gradients hold NaN or Inf at step %lld: nothing was updated",
                       (long long)t->step);
    }
    u.grad_scale = mean;
    u.lr = pf_schedule_lr(&t->schedule, t->step);
    warn_at_end(t, u.lr);
    const double epsilon = 1e-6;                           /* as torch's clip_grad_norm_ */
    if (t->optimizer.clip > 0 && norm > 0) u.grad_scale *= fmin(1, t->optimizer.clip / (norm + epsilon));
    pf_model_lock_write(t->model);
    const char *nonfinite_name = pf_update_all(&u);
    pf_model_unlock(t->model);
    t->last_lr = u.lr;
    t->step++;
    t->seconds += pk_seconds() - begin;
    if (!nonfinite_name) return pf_is_shared(t) ? pf_share_buffers(t) : PEFT_OK;
    char rate[32], length[32];
    pf_print_float(rate, sizeof rate, u.lr);
    pf_print_float(length, sizeof length, norm);
    return pf_fail(PEFT_E_NONFINITE, "the update of step %lld made NaN or Inf in parameter '%s' or its moments (lr %s, "
                   "gradient norm %s): restore an earlier state, then lower lr or set clip_norm",
                   (long long)t->step - 1, nonfinite_name, rate, length);
}

peft_status peft_trainer_update(peft_trainer *t)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    t->caller_mode = PK_FLOAT_CALLER;
    if (!pf_pending_count(t)) return pf_fail(PEFT_E_STATE, "update: no backward pass since the last one; call "
                                             "peft_trainer_backward first");
    pf_forward_end(t);                   /* drops a peft_trainer_forward that no backward pass followed */
    const double begin = pk_seconds();
    const bool has_pending = t->pending > 0, local = pf_update_is_local(t);
    int64_t passes = t->pending;
    pf_extrapolate_keep_gradient(t);
    if (!local) PF_TRY(pf_reduce_gradients(t, &passes));
    pf_extrapolate_set_direction(t);
    t->pending = t->batches = 0;
    t->seconds += pk_seconds() - begin;
    if (passes) PF_TRY(update(t, passes, has_pending));
    else if (local) skip_update(t);
    else return PEFT_OK;                                   /* no rank made a pass */
    return pf_local_mean_is_due(t) ? pf_local_mean(t) : PEFT_OK;
}
