/* SPDX-License-Identifier: Apache-2.0
 * nets.c -- the compiled graphs (nets) of a trainer and the arena that they share. No step compiles or allocates: for a
 * batch of fewer samples extents.h resizes the training net.
 *
 * Without a feature cache, the training net and the evaluation net begin at the arena's start, one at a time, and the
 * images of the batch have memory of their own. With one (cache_features) the frozen prefix is a graph of its own, the
 * front, and the training net has only the nodes after it. What the front computes and the training net reads are the
 * crossing values; those of all samples are at the start of the arena. Before a step the front computes them sample by
 * sample, in the memory after them. The training net then overwrites the front, and the images unless it reads them:
 *
 *     front       crossing values | memory of the front | .. | images
 *     step        crossing values | other values and scratch of the training net
 *     evaluation  memory of the evaluation net, one sample   | images
 */
#include "core/train/trainer.h"

/* What to compile for training on a full batch: the whole model or a part of it. name: for the log. */
static pf_net_spec training_spec(const peft_trainer *t, pf_part part, const char *name)
{
    pf_compile_spec wanted = t->compile;
    wanted.batch = t->batch;
    wanted.training = true;
    wanted.name = name;
    return (pf_net_spec){ .model = t->model, .loss = &t->loss, .part = part,
                          .compile = pf_engine_spec(&t->engine, wanted) };
}

/* What to compile for the evaluation of n samples. */
static pf_net_spec evaluation_spec(const peft_trainer *t, int64_t n)
{
    pf_compile_spec wanted = t->compile;
    wanted.batch = n;
    wanted.training = false;
    wanted.name = "evaluate";
    return (pf_net_spec){ .model = t->model, .part = PF_WHOLE_GRAPH, .compile = pf_engine_spec(&t->engine, wanted) };
}

int64_t pf_trainer_image_elements(const peft_trainer *t)
{
    return 3 * pf_vit_pixels(&t->model->backbone->shape);
}

/* PEFT_E_SHAPE: one sample with batch norm over samples. PEFT_E_UNSUPPORTED: net runs full batches only. */
peft_status pf_trainer_set_batch(peft_trainer *t, int64_t n)
{
    if (n == 1 && pf_model_normalises_samples(t->model))
        return pf_fail(PEFT_E_SHAPE, "images: given a batch of 1 sample, but head %s has batch norm, which needs 2 or "
                       "more; choose another batch than %lld, or leave an epoch's last batch out (drop_last=true of a "
                       "loader)", t->model->head->name, (long long)t->batch);
    if (pf_extents_set(&t->extents, n)) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "a batch of %lld samples: the graph of a method of this model has another "
                   "structure for fewer than %lld samples; expected full batches (drop_last=true of a loader)",
                   (long long)n, (long long)t->batch);
}

void pf_forward_end(peft_trainer *t)
{
    t->forward_samples = 0;
    pf_extrapolate_end(t);
    pf_extents_set(&t->extents, t->batch);
}

/* Compiles t->front and t->net: with a feature cache the frozen prefix and the nodes after it; without a cache, or if
 * there is no frozen prefix, t->net is the whole graph. */
static peft_status compile_training(peft_trainer *t)
{
    pf_net_spec front = training_spec(t, PF_PREFIX_PART, "frozen"), net = training_spec(t, PF_WHOLE_GRAPH, "train");
    if (t->split_prefix) PF_TRY(pf_compiled_create(&t->front, &front));
    if (t->front.crossings) net.part = PF_AFTER_PREFIX;
    else pf_compiled_free(&t->front);                    /* nothing comes before the first trained value */
    return pf_extents_compile(&t->extents, &t->net, &net);
}

/* Compiles t->eval for the largest divisor of the batch whose plan is within the memory limit; for one sample with a
 * feature cache, or if none is. */
static peft_status compile_evaluation(peft_trainer *t)
{
    const size_t limit = t->compile.memory_limit;
    for (int64_t n = t->front.crossings ? 1 : t->batch;; n--) {
        if (t->batch % n) continue;
        pf_net_spec spec = evaluation_spec(t, n);
        spec.compile.memory_limit = n > 1 ? 0 : limit;
        PF_TRY(pf_compiled_create(&t->eval, &spec));
        if (n == 1 || !limit || pf_exec_bytes(&t->eval.exec) <= limit) return PEFT_OK;
        pf_compiled_free(&t->eval);
    }
}

static size_t aligned(size_t bytes) { return (bytes + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN; }
static size_t maximum(size_t a, size_t b) { return a > b ? a : b; }

/* Allocates the arena, and binds the graphs and t->images to their places in it (see the top of the file). */
static peft_status share_arena(peft_trainer *t)
{
    const bool has_front = t->front.crossings > 0;
    /* plan.from_caller: bytes of the values that the caller fills, which are the crossing values */
    const size_t crossing_bytes = t->net.exec.plan.from_caller, net = aligned(pf_exec_bytes(&t->net.exec)),
        front = has_front ? aligned(crossing_bytes + pf_exec_bytes(&t->front.exec)) : 0,
        eval = aligned(pf_exec_bytes(&t->eval.exec)),
        images = (size_t)(t->batch * pf_trainer_image_elements(t)) * sizeof(pk_real);
    t->net_reads_images = t->net.exec.reads[t->net.images];        /* reads[i]: a node reads input i */
    size_t images_offset = maximum(front, eval);
    if (!has_front || t->net_reads_images) images_offset = maximum(images_offset, net);
    t->arena_bytes = maximum(images_offset + images, net);
    /* Images that share no memory with net get a block of their own, and are not written here: if every call brings its
     * images, that block is never resident. */
    const bool apart = images_offset >= net;
    t->arena = pf_alloc_zero(t->ctx, apart ? images_offset : t->arena_bytes);
    t->own_images = apart ? pf_alloc(t->ctx, images) : NULL;
    if (!t->arena || (apart && !t->own_images)) return pf_nomem("arena", t->arena_bytes);
    t->images = apart ? t->own_images : (pk_real *)((char *)t->arena + images_offset);
    if (has_front) PF_TRY(pf_exec_bind(&t->front.exec, (char *)t->arena + crossing_bytes));
    PF_TRY(pf_exec_bind(&t->net.exec, t->arena));
    return pf_exec_bind(&t->eval.exec, t->arena);
}

peft_status pf_trainer_compile(peft_trainer *t)
{
    PF_TRY(compile_training(t));
    PF_TRY(compile_evaluation(t));
    return share_arena(t);
}

size_t pf_trainer_bytes(const peft_trainer *t)
{
    /* buffers of a batch: targets and logits, then labels and ids */
    const int64_t logits = t->batch * pf_shape_count(&t->model->output);
    size_t batch = (size_t)(2 * logits) * sizeof(pk_real)
                 + (size_t)(logits / t->model->classes + t->batch) * sizeof(int64_t);
    /* graphs; twice that of net, for the one that pf_extents_find compares with */
    size_t tables = sizeof *t + t->trained_count * sizeof *t->trained + pf_compiled_table_bytes(&t->eval)
                  + pf_compiled_table_bytes(&t->front) + 2 * pf_compiled_table_bytes(&t->net)
                  + t->extents.count * sizeof *t->extents.item;
    return t->arena_bytes + tables + t->slab_bytes + batch + pf_method_inputs_bytes(&t->method_inputs)
         + pf_model_constant_bytes(t->model) + pf_cache_bytes(&t->cache);
}
