/* SPDX-License-Identifier: Apache-2.0
 * forward.c -- the forward pass of a training step, from a batch of images to logits. With the feature cache the model
 * is two graphs: the front (the frozen prefix) and net (all nodes after it). Crossing values are those that the front
 * computes and net reads. */
#include <string.h>
#include "core/train/trainer.h"

/* The error of a batch without images whose sample i the cache does not have. */
static peft_status not_cached(const int64_t *ids, int64_t i)
{
    return pf_fail(PEFT_E_NOTFOUND, "images is NULL, but sample id %lld (sample_ids[%lld]) is not in the feature "
                   "cache: give its image", (long long)ids[i], (long long)i);
}

/* Fills the crossing values of net sample by sample, from the cache or by running the front. */
static peft_status fill_crossings(peft_trainer *t, pf_compiled *net, const pk_real *images, const int64_t *ids,
                                  int64_t n)
{
    const int64_t no_id = -1;
    for (int64_t i = 0; i < n && !images; i++) if (!pf_cache_has(&t->cache, ids[i])) return not_cached(ids, i);
    for (int64_t i = 0; i < n; i++) {
        int64_t id = ids ? ids[i] : no_id;
        if (id < 0 && t->cache.records && !t->warned_no_id) {
            pf_warn(t->ctx, "cache_features: a sample without an id (sample_ids) is not cached and is computed each "
                    "time; a loader gives ids only if its transform draws no random values");
            t->warned_no_id = true;
        }
        if (pf_cache_fetch(&t->cache, net, i, id)) continue;
        if (!images) return not_cached(ids, i);            /* its record turned out to be damaged */
        pf_exec_bind_input(&t->front.exec, t->front.images, images + i * pf_trainer_image_elements(t));
        pf_exec_run(&t->front.exec, 0, t->front.exec.g.nodes);
        for (uint32_t c = 0; c < net->crossings; c++)      /* the front has one sample: 0 */
            memcpy(pf_crossing_data(net, c, i), pf_crossing_data(&t->front, c, 0),
                   (size_t)net->crossing[c].count * sizeof(pk_real));
        pf_cache_keep(&t->cache, net, i, id);
    }
    return PEFT_OK;
}

/* Runs the nodes before the loss. Batch norm of the head then writes its running statistics, for which the model's own
 * lock is taken: sessions of this model wait, those of other models that share an adapter do not. */
static void run_forward(peft_trainer *t)
{
    const bool has_statistics = t->model->buffers.count > 0;
    if (has_statistics) pf_rwlock_write(&t->model->lock);
    pf_exec_run(&t->net.exec, 0, t->net.loss_node);
    if (has_statistics) pf_rwlock_unlock(&t->model->lock);
}

/* Prepares and runs the part of net before the loss. If an image has NaN or Inf, the pending passes are discarded. */
peft_status pf_forward(peft_trainer *t, const peft_tensor *images, const int64_t *ids, int64_t n, const void *labels,
                       pf_image_use use)
{
    pf_compiled *net = &t->net;
    pf_exec *e = &net->exec;
    t->forward_samples = 0;
    PF_TRY(pf_trainer_set_batch(t, n));
    PF_TRY(pf_method_inputs_bind(&t->method_inputs, net, n));
    const double start = pk_seconds();
    const pk_real *pixels = images ? pf_as_real(images, t->images) : NULL;
    const peft_status pixel_status = pixels ? pf_check_pixels(pixels, pf_trainer_image_elements(t), ids, n) : PEFT_OK;
    if (pixel_status) {
        pf_pending_drop(t);
        return pixel_status;
    }
    if (t->front.crossings) PF_TRY(fill_crossings(t, net, pixels, ids, n));
    if (use == PF_COPY_IMAGES && pixels != t->images)
        pixels = memcpy(t->images, pixels, (size_t)(n * pf_trainer_image_elements(t)) * sizeof *pixels);
    if (!t->pending) pf_pending_save_buffers(t);
    pf_exec_bind_input(e, net->images, pixels);
    pf_exec_bind_input(e, net->labels, labels);
    PF_TRY(pf_exec_check_inputs(e));
    e->run.accumulate = t->pending > 0 && t->ranks.rank == 0;          /* rank 0 adds to the sum of earlier rounds */
    /* a number that no other pass of any rank has, so that each has its own dropout mask */
    const uint64_t step = (uint64_t)(t->step + t->extra_draws);
    e->run.step = (step * (uint64_t)t->reduce.ranks + (uint64_t)t->reduce.rank) * (uint64_t)t->accumulate
                + (uint64_t)(t->pending + t->ranks.rank);
    e->run.seed = t->seed;
    pf_extrapolate_begin(t, e->run.step);
    run_forward(t);
    t->logits_view.dim[0] = n;
    t->logits_view.data = memcpy(t->logits, pf_exec_data(e, net->logits),
                                 (size_t)(n * pf_shape_count(&t->model->output)) * sizeof(pk_real));
    t->seconds = pk_seconds() - start;
    t->forward_samples = n;
    return PEFT_OK;
}
