/* SPDX-License-Identifier: Apache-2.0
 * nets.c -- the nets of a trainer and the one arena they share.
 *
 * A batch with fewer samples than were compiled for runs in the same net, whose extents are set to it for that step
 * (extents.h): no step compiles or allocates.
 *
 * Without a front one net runs at a time, over the whole arena but the batch's images. With one (cache_features) the
 * training net begins behind the frozen prefix: what it computes, of all samples, stands first in the arena; while that
 * is filled in, the front runs for one sample after the other in what is free behind, and the images stand behind the
 * front. All that is overwritten when the training net runs, unless it reads images itself.
 *
 *     filling     crossing values | front | .. | images
 *     a step      crossing values, other values of the net, scratch
 *     evaluation  net for a sample             | images
 */
#include "core/train/trainer.h"

static pf_net_spec spec_of(const peft_trainer *t, int64_t n, bool training, pf_part part)
{
    pf_compile_spec wanted = t->compile;
    wanted.batch = n;
    wanted.training = training;
    return (pf_net_spec){ .model = t->model, .loss = training ? &t->loss : NULL, .part = part,
                          .compile = pf_team_spec(&t->team, wanted) };
}

int64_t pf_trainer_image(const peft_trainer *t)
{
    int64_t s = t->model->backbone->shape.image;
    return 3 * s * s;
}

peft_status pf_trainer_net(peft_trainer *t, int64_t n)
{
    if (n == 1 && t->model->buffers.count)
        return pf_fail(PEFT_E_SHAPE, "a batch of 1 sample: head %s has batch norm, which cannot train on one; choose "
                       "another batch than %lld, or leave an epoch's last batch out (drop_last=true of a loader)",
                       t->model->head->name, (long long)t->batch);
    if (pf_extents_set(&t->extents, n)) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "a batch of %lld samples: a method of this model computes something else for "
                   "fewer than %lld samples; expected full batches", (long long)n, (long long)t->batch);
}

void pf_forward_end(peft_trainer *t)
{
    t->forwarded = 0;
    pf_extents_set(&t->extents, t->batch);
}

/* The front, if one is wanted and there is something to have it for; then what is behind it, or the whole. */
static peft_status compile_training(peft_trainer *t)
{
    pf_net_spec front = spec_of(t, t->batch, true, PF_FRONT), net = spec_of(t, t->batch, true, PF_WHOLE);
    if (t->apart) PF_TRY(pf_compiled_create(&t->front, &front));
    if (t->front.crossings) net.part = PF_BACK;
    else pf_compiled_free(&t->front);
    PF_TRY(pf_compiled_create(&t->net, &net));
    return pf_extents_find(&t->extents, &t->net, &net);
}

static size_t aligned(size_t bytes) { return (bytes + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static peft_status share_arena(peft_trainer *t)
{
    const bool apart = t->front.crossings > 0;
    const size_t given = t->net.exec.plan.given, net = aligned(pf_exec_bytes(&t->net.exec)),
        front = apart ? aligned(given + pf_exec_bytes(&t->front.exec)) : 0,
        eval = aligned(pf_exec_bytes(&t->eval.exec)),
        images = (size_t)(t->batch * pf_trainer_image(t)) * sizeof(pk_real);
    t->reads_images = t->net.exec.reads[t->net.images];
    size_t before = larger(front, eval);                 /* of the images */
    if (!apart || t->reads_images) before = larger(before, net);
    t->arena_bytes = larger(before + images, net);
    t->arena = pf_alloc_zero(t->ctx, t->arena_bytes);
    if (!t->arena) return pf_nomem("arena", t->arena_bytes);
    t->images = (pk_real *)((char *)t->arena + before);
    if (apart) PF_TRY(pf_exec_bind(&t->front.exec, (char *)t->arena + given));
    PF_TRY(pf_exec_bind(&t->net.exec, t->arena));
    return pf_exec_bind(&t->eval.exec, t->arena);
}

peft_status pf_trainer_compile(peft_trainer *t)
{
    PF_TRY(compile_training(t));
    pf_net_spec inference = spec_of(t, t->front.crossings ? 1 : t->batch, false, PF_WHOLE);
    PF_TRY(pf_compiled_create(&t->eval, &inference));
    return share_arena(t);
}

size_t pf_trainer_bytes(const peft_trainer *t)
{
    /* targets and logits; labels and ids */
    const int64_t logits = t->batch * pf_shape_count(&t->model->output);
    size_t batch = (size_t)(2 * logits) * sizeof(pk_real)
                 + (size_t)(logits / t->model->classes + t->batch) * sizeof(int64_t);
    /* tables of the graphs, and of the one that the trainer's making compares with */
    size_t tables = sizeof *t + t->slots * sizeof *t->slot + pf_compiled_table_bytes(&t->eval)
                  + pf_compiled_table_bytes(&t->front) + 2 * pf_compiled_table_bytes(&t->net)
                  + t->extents.count * sizeof *t->extents.item;
    return t->arena_bytes + tables + t->slab_bytes + batch + pf_given_bytes(&t->given)
         + pf_model_constant_bytes(t->model) + pf_cache_bytes(&t->cache);
}
