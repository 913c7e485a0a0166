/* SPDX-License-Identifier: Apache-2.0
 * forward.c -- from a batch of images to logits in training mode: the part of a step in front of the loss. */
#include <string.h>
#include "core/train/trainer.h"

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

/* Runs the nodes in front of the loss. There the head's batch norm writes its running statistics, so that no session of
 * this model may predict meanwhile; those of other models that share an adapter may. */
static void run(peft_trainer *t)
{
    const bool writes = t->model->buffers.count > 0;
    if (writes) pf_guard_write(&t->model->guard);
    pf_exec_run(&t->net.exec, 0, t->net.loss_node);
    if (writes) pf_guard_done(&t->model->guard);
}

peft_status pf_forward(peft_trainer *t, const peft_tensor *images, const int64_t *ids, int64_t n, const void *labels,
                       bool copy)
{
    pf_compiled *net = &t->net;
    pf_exec *e = &net->exec;
    t->forwarded = 0;
    PF_TRY(pf_trainer_net(t, n));
    PF_TRY(pf_given_bind(&t->given, net, n, 0));
    const double start = pf_trainer_now();
    const pk_real *pixels = images ? pf_trainer_reals(images, t->images) : NULL;
    const peft_status finite = pixels ? pf_trainer_pixels(t, pixels, ids, n) : PEFT_OK;
    if (finite) {
        pf_pending_drop(t);
        return finite;
    }
    if (t->front.crossings) PF_TRY(fill(t, net, pixels, ids, n));
    if (copy && pixels != t->images)
        pixels = memcpy(t->images, pixels, (size_t)(n * pf_trainer_image(t)) * sizeof *pixels);
    if (!t->pending) pf_pending_buffers(t, false);
    pf_exec_input(e, net->images, pixels);
    pf_exec_input(e, net->labels, labels);
    PF_TRY(pf_exec_bound(e));
    e->run.accumulate = t->pending > 0;
    /* dropout differs in every pass of every rank */
    e->run.step = ((uint64_t)t->step * (uint64_t)t->reduce.ranks + (uint64_t)t->reduce.rank) * (uint64_t)t->accumulate
                + (uint64_t)t->pending;
    e->run.seed = t->seed;
    run(t);
    t->logits_view.dim[0] = n;
    t->logits_view.data = memcpy(t->logits, pf_exec_data(e, net->logits),
                                 (size_t)(n * pf_shape_count(&t->model->output)) * sizeof(pk_real));
    t->seconds = pf_trainer_now() - start;
    t->forwarded = n;
    return PEFT_OK;
}
