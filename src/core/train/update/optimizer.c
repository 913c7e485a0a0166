/* SPDX-License-Identifier: Apache-2.0
 * optimizer.c -- the norm of gradients, and the update of trained parameters. */
#include <math.h>
#include "core/train/update/optimizer.h"

/* Elements that are summed, or updated by one task, at a time. A fixed number, so that results have the same bits with
 * any number of threads. */
enum { CHUNK = 1 << 16 };
typedef struct {
    const pf_update *u;
    const pf_trained *trained;           /* the parameter that is updated */
    int64_t updates;                     /* updates of this parameter before this one */
    double correction1, correction2;     /* AdamW's bias corrections: 1 - beta^(updates + 1) */
    atomic_int nonfinite;                /* 1: an updated value is NaN or Inf */
} update_job;

int pf_optimizer_moments(const pf_optimizer *o) { return o->adamw ? 2 : 1; }

double pf_gradient_norm(const pf_update *u)
{
    double total = 0;
    for (size_t i = 0; i < u->trained_count; i++)
        for (int64_t start = 0; start < u->trained[i].count && !u->trained[i].frozen; start += CHUNK) {
            const int64_t left = u->trained[i].count - start, n = left < CHUNK ? left : CHUNK;
            double sum_of_squares;
            double *const no_sum = NULL;
            u->engine->kernels->sums(no_sum, &sum_of_squares, (const pk_real *)u->trained[i].p->grad.data + start, n);
            total += sum_of_squares;
        }
    return sqrt(total);
}

/* One task: updates the elements of chunk number `chunk` of the parameter j->trained. */
static void update_chunk(void *arg, int64_t chunk, int worker)
{
    update_job *j = arg;
    const pf_trained *s = j->trained;
    const pf_optimizer *o = j->u->optimizer;
    const pk_table *k = j->u->engine->kernels;
    int64_t start = chunk * CHUNK, n = s->count - start < CHUNK ? s->count - start : CHUNK;
    pk_real *p = (pk_real *)s->p->value.data + start;
    const pk_real *g = (const pk_real *)s->p->grad.data + start;
    const double lr = j->u->lr * s->lr_scale, grad_scale = j->u->grad_scale;
    const bool first_update = j->updates == 0;
    int nonfinite = 0;
    (void)worker;
    if (o->adamw) k->adamw(p, s->m + start, s->v + start, g, n, grad_scale, lr, o->beta1, o->beta2, o->eps,
                           s->weight_decay, j->correction1, j->correction2, &nonfinite);
    else k->sgd(p, s->m + start, g, n, grad_scale, lr, o->momentum, s->weight_decay, o->nesterov, first_update,
                &nonfinite);
    if (nonfinite) atomic_store_explicit(&j->nonfinite, 1, memory_order_relaxed);
}

/* Prepares the update of parameter s. Its bias corrections count its own updates, which are fewer than step if the
 * parameter was frozen for a while, and more after a warm start. */
static void start_update(update_job *j, const pf_trained *s)
{
    j->trained = s;
    j->updates = j->u->step - s->skipped + s->earlier;
    j->correction1 = 1 - pow(j->u->optimizer->beta1, (double)(j->updates + 1));
    j->correction2 = 1 - pow(j->u->optimizer->beta2, (double)(j->updates + 1));
}

const char *pf_update_all(const pf_update *u)
{
    update_job j = { .u = u };
    const char *nonfinite_name = NULL;
    for (size_t i = 0; i < u->trained_count; i++) {
        if (u->trained[i].frozen) {
            u->trained[i].skipped++;
            continue;
        }
        start_update(&j, &u->trained[i]);
        pk_pool_run(u->engine->pool, (j.trained->count + CHUNK - 1) / CHUNK, update_chunk, &j);
        if (atomic_load(&j.nonfinite) && !nonfinite_name) nonfinite_name = j.trained->p->name;
    }
    return nonfinite_name;
}
