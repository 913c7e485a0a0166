/* SPDX-License-Identifier: Apache-2.0
 * step.c -- one training step: forward, loss and backward in one run of the compiled graph, clipping, update. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/bits/finite.h"
#include "core/train/trainer.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Copies the model's buffers (running statistics) to t->saved_buffers, or back. */
static void keep_buffers(peft_trainer *t, bool restore)
{
    pk_real *at = t->saved_buffers;
    if (restore) pf_guard_write(&t->model->guard);
    for (size_t i = 0; i < t->model->buffers.count; i++) {
        peft_tensor *b = &t->model->buffers.item[i]->value;
        int64_t n = peft_tensor_count(b);
        memcpy(restore ? b->data : at, restore ? at : b->data, (size_t)n * sizeof *at);
        at += n;
    }
    if (restore) pf_guard_done(&t->model->guard);
}

/* Runs the graph. Batch norm writes its running statistics in the forward pass, so that no session may predict then. */
static void run_pass(peft_trainer *t, pf_exec *e)
{
    const bool writes = t->model->buffers.count > 0;
    if (writes) pf_guard_write(&t->model->guard);
    pf_exec_run(e, 0, e->g.nodes);
    if (writes) pf_guard_done(&t->model->guard);
}

/* Drops the passes since the last update: the next pass overwrites their gradients, and running statistics are
 * restored. */
static void drop_pending(peft_trainer *t)
{
    if (t->pending) keep_buffers(t, true);
    t->pending = 0;
}

/* Sets *n to the number of samples of a batch. images may be NULL only where the ids say which features of the cache to
 * use and where nothing but the cached part of the graph reads images. */
static peft_status count_batch(const peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                               const int64_t *ids, int64_t *n)
{
    if (images || !t->front.crossings || t->reads_images) return pf_check_images(t->model, images, t->batch, n);
    if (!ids)
        return pf_fail(PEFT_E_INVALID, "images and sample_ids are both NULL: expected images, or the ids of samples "
                       "that are in the cache");
    if (!labels) return pf_fail(PEFT_E_INVALID, "labels is NULL: expected a tensor");
    if (labels->ndim < 1 || labels->dim[0] < 1 || labels->dim[0] > t->batch)
        return pf_fail(PEFT_E_SHAPE, "labels: given %lld samples, expected 1 to %lld",
                       labels->ndim < 1 ? 0LL : (long long)labels->dim[0], (long long)t->batch);
    *n = labels->dim[0];
    return PEFT_OK;
}

static peft_status missing(const int64_t *ids, int64_t i)
{
    return pf_fail(PEFT_E_NOTFOUND, "images is NULL, and sample id %lld (sample_ids[%lld]) is not in the cache: its "
                   "image is needed", (long long)ids[i], (long long)i);
}

/* Puts the outputs of the frozen part into net, sample by sample: from the cache, or computed. */
static peft_status fill(peft_trainer *t, pf_compiled *net, const pk_real *images, const int64_t *ids, int64_t n)
{
    for (int64_t i = 0; i < n && !images; i++) if (!pf_cache_knows(&t->cache, ids[i])) return missing(ids, i);
    for (int64_t i = 0; i < n; i++) {
        int64_t id = ids ? ids[i] : -1;
        if (id < 0 && t->cache.shelf && !t->warned_ids) {
            pf_log(t->ctx, 1, "cache_features: a sample without an id is computed anew each time; a loader gives ids "
                   "only where the transform draws no random values");
            t->warned_ids = true;
        }
        if (pf_cache_fetch(&t->cache, net, i, id)) continue;
        if (!images) return missing(ids, i);
        pf_exec_input(&t->front.exec, PF_IN_IMAGES, images + i * pf_trainer_image(t));
        pf_exec_run(&t->front.exec, 0, t->front.exec.g.nodes);
        for (uint32_t c = 0; c < net->crossings; c++)
            memcpy(pf_crossing_data(net, c, i), pf_crossing_data(&t->front, c, 0),
                   (size_t)net->crossing[c].count * sizeof(pk_real));
        pf_cache_keep(&t->cache, net, i, id);
    }
    return PEFT_OK;
}

/* No label of this batch has an effect: there is no gradient, and running statistics, momentum and parameters stay. */
static peft_status pass_without_labels(peft_trainer *t, int64_t n)
{
    if (!t->warned_labels)
        pf_log(t->ctx, 1, "a batch at step %lld has no label that counts (class weight 0, or not judged): it changes "
               "nothing; further ones are not reported", (long long)t->step);
    t->warned_labels = true;
    t->samples += n;
    return PEFT_OK;
}

/* One pass over a checked batch of n. */
static peft_status pass(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                        const int64_t *sample_ids, int64_t n)
{
    pf_compiled *net = &t->net;
    PF_TRY(pf_trainer_net(t, n));
    PF_TRY(pf_side_bind(&t->side, net, n, 0));
    double start = now();
    const pk_real *pixels = images ? pf_trainer_reals(images, t->images) : NULL;
    peft_status finite = pixels ? pf_trainer_pixels(t, pixels, sample_ids, n) : PEFT_OK;
    if (finite) {
        drop_pending(t);
        return finite;
    }
    if (t->front.crossings) PF_TRY(fill(t, net, pixels, sample_ids, n));
    if (!t->pending) keep_buffers(t, false);
    pf_exec *e = &net->exec;
    pf_exec_input(e, PF_IN_IMAGES, pixels);
    if (t->loss.kind->labels == PF_LABEL_CLASS) pf_exec_input(e, PF_IN_LABELS, labels->data);
    else pf_exec_input(e, PF_IN_TARGETS, pf_trainer_reals(labels, t->targets));
    e->run.accumulate = t->pending > 0;
    /* dropout differs in every pass */
    e->run.step = (uint64_t)t->step * (uint64_t)t->accumulate + (uint64_t)t->pending;
    e->run.seed = t->seed;
    run_pass(t, e);
    t->seconds = now() - start;
    const double loss = pf_exec_data(e, net->loss)[0];
    t->loss_sum = loss + (t->pending ? t->loss_sum : 0);
    t->last_loss = t->loss_sum / (double)(t->pending + 1);
    t->logits_view.dim[0] = n;
    t->logits_view.data = memcpy(t->logits, pf_exec_data(e, net->logits),
                                 (size_t)(n * pf_shape_count(&t->model->output)) * sizeof(pk_real));
    if (!isfinite(loss)) {
        keep_buffers(t, true);
        t->pending = 0;
        return pf_fail(PEFT_E_NONFINITE, "the loss is %s at step %lld: gradients dropped, nothing updated",
                       isnan(loss) ? "NaN" : "infinite", (long long)t->step);
    }
    t->pending++;
    t->samples += n;
    return PEFT_OK;
}

peft_status peft_trainer_backward(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                                  const int64_t *sample_ids)
{
    PK_FLOAT_SCOPE;
    int64_t n;
    pf_labels l;
    if (!t) return pf_fail(PEFT_E_INVALID, "trainer is NULL");
    PF_TRY(count_batch(t, images, labels, sample_ids, &n));
    PF_TRY(pf_labels_fit(&l, t->loss.kind->labels, labels, n, &t->model->output));
    PF_TRY(t->loss.kind->check(&l));
    if (!t->loss.kind->counts(&t->loss, &l)) return pass_without_labels(t, n);
    peft_status s = pass(t, images, labels, sample_ids, n);
    pf_extents_set(&t->extents, t->batch);
    return s;
}

/* Sums and updates go in pieces of this many values, so that results have the same bits for any number of threads. */
enum { PIECE = 1 << 16 };
typedef struct {
    peft_trainer *t;
    double gscale, lr, c1, c2;
    const pf_slot *slot;
    atomic_int nonfinite;
} update_job;

/* The norm of the summed gradients of all passes. */
static double grad_norm(peft_trainer *t)
{
    double total = 0;
    for (size_t i = 0; i < t->slots; i++)
        for (int64_t at = 0; at < t->slot[i].count; at += PIECE) {
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
    else k->sgd(p, s->m + at, g, n, j->gscale, lr, o->momentum, s->weight_decay, o->nesterov, j->t->step == 0,
                &nonfinite);
    if (nonfinite) atomic_store_explicit(&j->nonfinite, 1, memory_order_relaxed);
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
    if (!t) return pf_fail(PEFT_E_INVALID, "trainer is NULL");
    if (!t->pending) return pf_fail(PEFT_E_STATE, "update: no backward pass since the last one");
    double start = now(), mean = 1.0 / (double)t->pending, norm = grad_norm(t) * mean;
    t->pending = 0;
    t->last_norm = norm;
    if (!isfinite(norm)) {
        keep_buffers(t, true);
        return pf_fail(PEFT_E_NONFINITE, "the gradients hold NaN or Inf at step %lld: nothing updated",
                       (long long)t->step);
    }
    const char *broken = NULL;
    update_job j = { .t = t, .gscale = mean, .lr = pf_schedule_lr(&t->schedule, t->step) };
    warn_of_end(t, j.lr);
    if (t->opt.clip > 0 && norm > 0) j.gscale *= fmin(1, t->opt.clip / (norm + 1e-6));
    j.c1 = 1 - pow(t->opt.beta1, (double)(t->step + 1));
    j.c2 = 1 - pow(t->opt.beta2, (double)(t->step + 1));
    pf_guard_write(&t->model->guard);
    for (size_t i = 0; i < t->slots; i++) {
        j.slot = &t->slot[i];
        pk_pool_run(t->team.pool, (j.slot->count + PIECE - 1) / PIECE, update_piece, &j);
        if (atomic_load(&j.nonfinite) && !broken) broken = j.slot->p->name;
    }
    pf_guard_done(&t->model->guard);
    t->last_lr = j.lr;
    t->step++;
    t->seconds += now() - start;
    if (!broken) return PEFT_OK;
    char rate[32], length[32];
    pf_print_float(rate, sizeof rate, j.lr);
    pf_print_float(length, sizeof length, norm);
    return pf_fail(PEFT_E_NONFINITE, "the update of step %lld made NaN or Inf in parameter '%s' or its moments (lr %s, "
                   "gradient norm %s): restore an earlier state, then lower lr or set clip_norm",
                   (long long)t->step - 1, broken, rate, length);
}

peft_status peft_trainer_step(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                              const int64_t *sample_ids)
{
    PF_TRY(peft_trainer_backward(t, images, labels, sample_ids));
    return t->pending >= t->accumulate ? peft_trainer_update(t) : PEFT_OK;
}
