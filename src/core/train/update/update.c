/* SPDX-License-Identifier: Apache-2.0
 * update.c -- peft_trainer_update: reduces the gradients of the pending passes, takes their norm, clips, and runs the
 * optimiser. */
#include <math.h>
#include "core/train/trainer.h"

/* Sums and updates go in pieces of this many values, so that results have the same bits for any number of threads. */
enum { PIECE = 1 << 16 };
typedef struct {
    peft_trainer *t;
    double gscale, lr;
    const pf_slot *slot;
    int64_t done;                        /* updates of the slot before this one */
    double c1, c2;                       /* AdamW's corrections of the moments' bias */
    atomic_int nonfinite;
} update_job;

/* The norm of the summed gradients of all passes, frozen parameters left out. */
static double grad_norm(peft_trainer *t)
{
    double total = 0;
    for (size_t i = 0; i < t->slots; i++)
        for (int64_t at = 0; at < t->slot[i].count && !t->slot[i].frozen; at += PIECE) {
            int64_t n = t->slot[i].count - at < PIECE ? t->slot[i].count - at : PIECE;
            double sq;
            t->team.kernels->sums(NULL, &sq, (const pk_real *)t->slot[i].p->grad.data + at, n);
            total += sq;
        }
    return sqrt(total);
}

static void update_piece(void *arg, int64_t piece, int worker)
{
    update_job *j = arg;
    const pf_slot *s = j->slot;
    const pf_optimizer *o = &j->t->opt;
    const pk_table *k = j->t->team.kernels;
    int64_t at = piece * PIECE, n = s->count - at < PIECE ? s->count - at : PIECE;
    pk_real *p = (pk_real *)s->p->value.data + at;
    const pk_real *g = (const pk_real *)s->p->grad.data + at;
    double lr = j->lr * s->lr_scale;
    int nonfinite = 0;
    (void)worker;
    if (o->adamw) k->adamw(p, s->m + at, s->v + at, g, n, j->gscale, lr, o->beta1, o->beta2, o->eps, s->weight_decay,
                           j->c1, j->c2, &nonfinite);
    else k->sgd(p, s->m + at, g, n, j->gscale, lr, o->momentum, s->weight_decay, o->nesterov, j->done == 0,
                &nonfinite);
    if (nonfinite) atomic_store_explicit(&j->nonfinite, 1, memory_order_relaxed);
}

/* A parameter that was frozen for a while has moments of fewer updates than the trainer has made. */
static void begin_slot(update_job *j, const pf_slot *s)
{
    j->slot = s;
    j->done = j->t->step - s->skipped;
    j->c1 = 1 - pow(j->t->opt.beta1, (double)(j->done + 1));
    j->c2 = 1 - pow(j->t->opt.beta2, (double)(j->done + 1));
}

/* After its last step a schedule keeps its final rate. Where that is 0, as with cosine by default, the run goes on and
 * learns nothing: warned of once. */
static void warn_of_end(peft_trainer *t, double lr)
{
    const pf_schedule *s = &t->schedule;
    if (t->told_end || lr > 0 || s->lr <= 0 || s->steps < 1 || t->step < s->steps) return;
    t->told_end = true;
    pf_log(t->ctx, 1, "step %lld: the %lld updates of schedule '%s' are done and the learning rate is 0: nothing more "
           "is learned. Option steps counts updates: epochs x batches per epoch / accumulate", (long long)t->step,
           (long long)s->steps, pf_schedule_name(s->kind));
}

peft_status peft_trainer_update(peft_trainer *t)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_trainer_ready(t));
    if (!pf_pending_count(t)) return pf_fail(PEFT_E_STATE, "update: no backward pass since the last one");
    pf_forward_end(t);
    const double start = pf_trainer_now();
    const bool own = t->pending > 0;
    int64_t passes = t->pending;
    PF_TRY(pf_reduce_gradients(t, &passes));
    t->pending = t->batches = 0;
    if (!passes) return PEFT_OK;                           /* no rank had a label that counts */
    const double mean = 1.0 / (double)passes, norm = grad_norm(t) * mean;
    t->last_norm = norm;
    if (!isfinite(norm)) {
        if (own) pf_pending_buffers(t, true);
        return pf_fail(PEFT_E_NONFINITE, "the gradients hold NaN or Inf at step %lld: nothing updated",
                       (long long)t->step);
    }
    const char *broken = NULL;
    update_job j = { .t = t, .gscale = mean, .lr = pf_schedule_lr(&t->schedule, t->step) };
    warn_of_end(t, j.lr);
    if (t->opt.clip > 0 && norm > 0) j.gscale *= fmin(1, t->opt.clip / (norm + 1e-6));
    pf_model_lock_write(t->model);
    for (size_t i = 0; i < t->slots; i++) {
        if (t->slot[i].frozen) {
            t->slot[i].skipped++;
            continue;
        }
        begin_slot(&j, &t->slot[i]);
        pk_pool_run(t->team.pool, (j.slot->count + PIECE - 1) / PIECE, update_piece, &j);
        if (atomic_load(&j.nonfinite) && !broken) broken = j.slot->p->name;
    }
    pf_model_unlock(t->model);
    t->last_lr = j.lr;
    t->step++;
    t->seconds += pf_trainer_now() - start;
    if (!broken) return PEFT_OK;
    char rate[32], length[32];
    pf_print_float(rate, sizeof rate, j.lr);
    pf_print_float(length, sizeof length, norm);
    return pf_fail(PEFT_E_NONFINITE, "the update of step %lld made NaN or Inf in parameter '%s' or its moments (lr %s, "
                   "gradient norm %s): restore an earlier state, then lower lr or set clip_norm",
                   (long long)t->step - 1, broken, rate, length);
}
