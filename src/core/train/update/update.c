/* SPDX-License-Identifier: Apache-2.0
 * update.c -- peft_trainer_update: sums the gradients over all ranks, computes and clips their norm, and runs the
 * optimiser. */
#include <math.h>
#include "core/train/trainer.h"

/* Elements that are summed, or updated by one task, at a time. A fixed number, so that results have the same bits with
 * any number of threads. */
enum { CHUNK = 1 << 16 };
typedef struct {
    peft_trainer *t;
    double grad_scale, lr;               /* grad_scale: 1 / number of passes, times the factor of clipping */
    const pf_trained *trained;           /* the parameter that is updated */
    int64_t updates;                     /* updates of this parameter before this one */
    double correction1, correction2;     /* AdamW's bias corrections: 1 - beta^(updates + 1) */
    atomic_int nonfinite;                /* 1: an updated value is NaN or Inf */
} update_job;

/* The L2 norm of the gradients, summed over the passes, of all parameters that are not frozen. */
static double grad_norm(peft_trainer *t)
{
    double total = 0;
    for (size_t i = 0; i < t->trained_count; i++)
        for (int64_t start = 0; start < t->trained[i].count && !t->trained[i].frozen; start += CHUNK) {
            const int64_t left = t->trained[i].count - start, n = left < CHUNK ? left : CHUNK;
            double sum_of_squares;
            double *const no_sum = NULL;
            t->engine.kernels->sums(no_sum, &sum_of_squares, (const pk_real *)t->trained[i].p->grad.data + start, n);
            total += sum_of_squares;
        }
    return sqrt(total);
}

/* One task: updates the elements of chunk number `chunk` of the parameter j->trained. */
static void update_chunk(void *arg, int64_t chunk, int worker)
{
    update_job *j = arg;
    const pf_trained *s = j->trained;
    const pf_optimizer *o = &j->t->optimizer;
    const pk_table *k = j->t->engine.kernels;
    int64_t start = chunk * CHUNK, n = s->count - start < CHUNK ? s->count - start : CHUNK;
    pk_real *p = (pk_real *)s->p->value.data + start;
    const pk_real *g = (const pk_real *)s->p->grad.data + start;
    double lr = j->lr * s->lr_scale;
    const bool first_update = j->updates == 0;
    int nonfinite = 0;
    (void)worker;
    if (o->adamw) k->adamw(p, s->m + start, s->v + start, g, n, j->grad_scale, lr, o->beta1, o->beta2, o->eps,
                           s->weight_decay, j->correction1, j->correction2, &nonfinite);
    else k->sgd(p, s->m + start, g, n, j->grad_scale, lr, o->momentum, s->weight_decay, o->nesterov, first_update,
                &nonfinite);
    if (nonfinite) atomic_store_explicit(&j->nonfinite, 1, memory_order_relaxed);
}

/* Prepares the update of parameter s. Its bias corrections count its own updates, which are fewer than t->step if the
 * parameter was frozen for a while, and more after a warm start. */
static void start_update(update_job *j, const pf_trained *s)
{
    j->trained = s;
    j->updates = j->t->step - s->skipped + s->earlier;
    j->correction1 = 1 - pow(j->t->optimizer.beta1, (double)(j->updates + 1));
    j->correction2 = 1 - pow(j->t->optimizer.beta2, (double)(j->updates + 1));
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

peft_status peft_trainer_update(peft_trainer *t)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    t->caller_mode = PK_FLOAT_CALLER;
    if (!pf_pending_count(t)) return pf_fail(PEFT_E_STATE, "update: no backward pass since the last one; call "
                                             "peft_trainer_backward first");
    pf_forward_end(t);                   /* drops a peft_trainer_forward that no backward pass followed */
    const double begin = pk_seconds();
    const bool has_pending = t->pending > 0;
    int64_t passes = t->pending;
    PF_TRY(pf_reduce_gradients(t, &passes));
    t->pending = t->batches = 0;
    if (!passes) return PEFT_OK;                           /* no rank made a pass */
    const double mean = 1.0 / (double)passes, norm = grad_norm(t) * mean;
    t->last_norm = norm;
    if (!isfinite(norm)) {
        if (has_pending) pf_pending_restore_buffers(t);
        return pf_fail(PEFT_E_NONFINITE, "the gradients hold NaN or Inf at step %lld: nothing was updated",
                       (long long)t->step);
    }
    const char *nonfinite_name = NULL;
    update_job j = { .t = t, .grad_scale = mean, .lr = pf_schedule_lr(&t->schedule, t->step) };
    warn_at_end(t, j.lr);
    const double epsilon = 1e-6;                           /* as torch's clip_grad_norm_ */
    if (t->optimizer.clip > 0 && norm > 0) j.grad_scale *= fmin(1, t->optimizer.clip / (norm + epsilon));
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < t->trained_count; i++) {
        if (t->trained[i].frozen) {
            t->trained[i].skipped++;
            continue;
        }
        start_update(&j, &t->trained[i]);
        pk_pool_run(t->engine.pool, (j.trained->count + CHUNK - 1) / CHUNK, update_chunk, &j);
        if (atomic_load(&j.nonfinite) && !nonfinite_name) nonfinite_name = j.trained->p->name;
    }
    pf_model_unlock(t->model);
    t->last_lr = j.lr;
    t->step++;
    t->seconds += pk_seconds() - begin;
    if (!nonfinite_name) return PEFT_OK;
    char rate[32], length[32];
    pf_print_float(rate, sizeof rate, j.lr);
    pf_print_float(length, sizeof length, norm);
    return pf_fail(PEFT_E_NONFINITE, "the update of step %lld made NaN or Inf in parameter '%s' or its moments (lr %s, "
                   "gradient norm %s): restore an earlier state, then lower lr or set clip_norm",
                   (long long)t->step - 1, nonfinite_name, rate, length);
}
