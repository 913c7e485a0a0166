/* SPDX-License-Identifier: Apache-2.0
 * step.c -- one training step: forward, loss and backward in one run of the compiled graph; update/ does the rest. */
#include <math.h>
#include <string.h>
#include "core/train/trainer.h"

/* Runs the graph. Batch norm writes its running statistics in the forward pass, so that no session may predict then. */
static void run_pass(peft_trainer *t, pf_exec *e)
{
    const bool writes = peft_model_buffer_count(t->model) > 0;
    if (writes) pf_guard_write(&t->model->guard);
    pf_exec_run(e, 0, e->g.nodes);
    if (writes) pf_guard_done(&t->model->guard);
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
        pf_exec_input(&t->front.exec, t->front.images, images + i * pf_trainer_image(t));
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
    pf_pending_add(t, n, false);
    return PEFT_OK;
}

/* One pass over a checked batch of n. */
static peft_status pass(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                        const int64_t *sample_ids, int64_t n)
{
    pf_compiled *net = &t->net;
    PF_TRY(pf_trainer_net(t, n));
    PF_TRY(pf_given_bind(&t->given, net, n, 0));
    double start = pf_trainer_now();
    const pk_real *pixels = images ? pf_trainer_reals(images, t->images) : NULL;
    peft_status finite = pixels ? pf_trainer_pixels(t, pixels, sample_ids, n) : PEFT_OK;
    if (finite) {
        pf_pending_drop(t);
        return finite;
    }
    if (t->front.crossings) PF_TRY(fill(t, net, pixels, sample_ids, n));
    if (!t->pending) pf_pending_buffers(t, false);
    pf_exec *e = &net->exec;
    pf_exec_input(e, net->images, pixels);
    pf_exec_input(e, net->labels, t->loss.kind->labels == PF_LABEL_CLASS ? labels->data
                  : pf_trainer_reals(labels, t->targets));
    PF_TRY(pf_exec_bound(e));
    e->run.accumulate = t->pending > 0;
    /* dropout differs in every pass of every rank */
    e->run.step = ((uint64_t)t->step * (uint64_t)t->reduce.ranks + (uint64_t)t->reduce.rank) * (uint64_t)t->accumulate
                + (uint64_t)t->pending;
    e->run.seed = t->seed;
    run_pass(t, e);
    t->seconds = pf_trainer_now() - start;
    const double loss = pf_exec_data(e, net->loss)[0];
    t->loss_sum = loss + (t->pending ? t->loss_sum : 0);
    t->last_loss = t->loss_sum / (double)(t->pending + 1);
    t->logits_view.dim[0] = n;
    t->logits_view.data = memcpy(t->logits, pf_exec_data(e, net->logits),
                                 (size_t)(n * pf_shape_count(&t->model->output)) * sizeof(pk_real));
    if (!isfinite(loss)) {
        pf_pending_buffers(t, true);
        t->pending = t->batches = 0;
        return pf_fail(PEFT_E_NONFINITE, "the loss is %s at step %lld: gradients dropped, nothing updated",
                       isnan(loss) ? "NaN" : "infinite", (long long)t->step);
    }
    pf_pending_add(t, n, true);
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

peft_status peft_trainer_step(peft_trainer *t, const peft_tensor *images, const peft_tensor *labels,
                              const int64_t *sample_ids)
{
    PF_TRY(peft_trainer_backward(t, images, labels, sample_ids));
    return pf_pending_count(t) >= t->accumulate ? peft_trainer_update(t) : PEFT_OK;
}
