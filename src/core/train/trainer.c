/* SPDX-License-Identifier: Apache-2.0
 * trainer.c -- creates and frees a trainer: reads its options, then makes threads, optimiser state, graphs, cache and
 * the buffers for a batch. */
#include <math.h>
#include <string.h>
#include "core/train/trainer.h"

/* The value of an option of the trainer's table, by its type. */
#define OPTION(t, kind, name) pf_options_##kind((t)->options, pf_trainer_options, name)
static double number(const peft_trainer *t, const char *name) { return OPTION(t, float, name); }
static int64_t integer(const peft_trainer *t, const char *name) { return OPTION(t, int, name); }
static const char *text(const peft_trainer *t, const char *name) { return OPTION(t, string, name); }

/* PEFT_E_OPTION: the head has batch norm over samples, and a batch, or the last one of an epoch, would have a single
 * sample. Found here, not at the end of the first epoch. */
static peft_status check_last_batch(const peft_trainer *t)
{
    const int64_t samples = integer(t, "samples"), last = samples ? samples % t->batch : 0;
    if (!pf_model_normalises_samples(t->model) || (t->batch > 1 && last != 1)) return PEFT_OK;
    if (t->batch == 1)
        return pf_fail(PEFT_E_OPTION, "batch: given 1, but head %s has batch norm, which cannot train on one sample; "
                       "expected 2 or more", t->model->head->name);
    return pf_fail(PEFT_E_OPTION, "batch: given %lld; of %lld samples it leaves 1 for an epoch's last batch, and head "
                   "%s has batch norm, which cannot train on one; choose another batch, or leave that sample out "
                   "(drop_last=true of a loader, samples=%lld)", (long long)t->batch, (long long)samples,
                   t->model->head->name, (long long)(samples - 1));
}

/* Reads option keep. In bf16 arithmetic factors are rounded anyway, so that kept values in bf16 move gradients
 * little. */
static peft_status read_keep(peft_trainer *t)
{
    const char *keep = text(t, "keep");
    const bool automatic = !strcmp(keep, "auto"), half = !strcmp(keep, "bf16");
    if (!automatic && !half && strcmp(keep, "f32"))
        return pf_fail(PEFT_E_OPTION, "keep: given '%s', expected f32, bf16 or auto", keep);
    t->compile.keep = half || (automatic && t->compile.compute == PK_COMPUTE_BF16) ? PK_BF16 : PK_REAL;
    return PEFT_OK;
}

/* Reads the options extrapolate and extrapolate_lr. */
static peft_status read_extrapolate(peft_trainer *t)
{
    const char *kind = text(t, "extrapolate");
    for (int i = 0; i < PF_EXTRAPOLATE_KINDS; i++)
        if (!strcmp(kind, pf_extrapolate_names[i])) {
            t->extrapolate = (pf_extrapolate){ .kind = (pf_extrapolate_kind)i, .lr = number(t, "extrapolate_lr") };
            if (i == PF_EXTRAPOLATE_NONE || t->extrapolate.lr > 0) return PEFT_OK;
            return pf_fail(PEFT_E_OPTION, "extrapolate_lr: given 0, but extrapolate=%s moves the parameters by it; "
                           "expected more than 0, such as the rate for a small batch", kind);
        }
    return pf_fail(PEFT_E_OPTION, "extrapolate: given '%s', expected none, gradient, noise or momentum", kind);
}

/* Reads t->options into the members of t. */
static peft_status read_options(peft_trainer *t)
{
    const char *optimizer = text(t, "optimizer"), *decay_on = text(t, "decay_on");
    if (strcmp(optimizer, "adamw") && strcmp(optimizer, "sgd"))
        return pf_fail(PEFT_E_OPTION, "optimizer: given '%s', expected adamw or sgd", optimizer);
    if (strcmp(decay_on, "all") && strcmp(decay_on, "matrices"))
        return pf_fail(PEFT_E_OPTION, "decay_on: given '%s', expected all or matrices", decay_on);
    t->optimizer = (pf_optimizer){ .adamw = !strcmp(optimizer, "adamw"), .nesterov = integer(t, "nesterov"),
                             .weight_decay = number(t, "weight_decay"), .beta1 = number(t, "beta1"),
                             .beta2 = number(t, "beta2"), .eps = number(t, "eps"), .momentum = number(t, "momentum"),
                             .clip = number(t, "clip_norm") };
    t->schedule = (pf_schedule){ .lr = number(t, "lr"), .min_lr = number(t, "min_lr"),
                                 .start_lr = number(t, "start_lr"), .steps = integer(t, "steps"),
                                 .warmup = integer(t, "warmup"), .decay_every = integer(t, "decay_every"),
                                 .gamma = number(t, "decay"), .steps_per_epoch = integer(t, "steps_per_epoch") };
    t->batch = integer(t, "batch");
    t->accumulate = integer(t, "accumulate");
    PF_TRY(pf_check_unread_options(t->options));
    PF_TRY(check_last_batch(t));
    PF_TRY(pf_schedule_parse(text(t, "schedule"), &t->schedule.kind));
    PF_TRY(pf_schedule_check(&t->schedule));
    PF_TRY(pf_compile_options(t->options, pf_trainer_options, &t->compile));
    if (t->compile.compute == PK_COMPUTE_INT8)
        return pf_fail(PEFT_E_OPTION, "compute: given int8, which is for sessions and adaptors; a trainer computes in "
                       "f32, bf16x3 or bf16");
    PF_TRY(read_keep(t));
    PF_TRY(read_extrapolate(t));
    t->proximal = number(t, "proximal");
    t->local = (pf_local){ .steps = integer(t, "local_steps"), .from = integer(t, "local_from") };
    t->split_prefix = integer(t, "cache_features") > 0;
    return pf_loss_read_options(t);
}

/* Makes the feature cache, which stays empty without option cache_features. */
static peft_status create_cache(peft_trainer *t)
{
    const char *path = text(t, "cache_file"), *type = text(t, "cache_type");
    char kernels[32];
    pf_engine_kernels_text(&t->engine, &t->compile, kernels, sizeof kernels);
    const pf_cache_spec spec = { .ctx = t->ctx, .front = &t->front, .limit = integer(t, "cache_features"),
                                 .as_f16 = !strcmp(type, "f16"), .path = *path ? path : NULL, .kernels = kernels };
    if (strcmp(type, "f32") && !spec.as_f16)
        return pf_fail(PEFT_E_OPTION, "cache_type: given '%s', expected f32 or f16", type);
    if (spec.path && !spec.limit)
        return pf_fail(PEFT_E_OPTION, "cache_file '%s': cache_features is 0; set it to the largest size of the file in "
                       "bytes", path);
    return pf_cache_create(&t->cache, &spec);
}

/* A tensor over data, of n samples with ndim extents dims each. */
static peft_tensor batch_view(const peft_trainer *t, peft_dtype type, int64_t n, int ndim, const int64_t *dims,
                              void *data)
{
    peft_tensor v = { .ctx = t->ctx, .type = type, .ndim = 1 + ndim, .dim = { n }, .data = data };
    memcpy(v.dim + 1, dims, (size_t)ndim * sizeof *dims);
    return v;
}

/* Allocates labels, targets, logits and ids of a batch and makes the views of them. */
static peft_status allocate_batch(peft_trainer *t)
{
    const pf_shape *out = &t->model->output;
    const pf_grid sides = t->model->backbone->shape.image;
    const int64_t logits = t->batch * pf_shape_count(out), image[] = { 3, sides.h, sides.w };
    const bool classes = t->loss.kind->labels == PF_LABEL_CLASS;
    const size_t bytes = (size_t)logits * sizeof(pk_real),
        labels = (size_t)(logits / t->model->classes) * sizeof(int64_t);        /* one for each row of logits */
    t->targets = pf_alloc_zero(t->ctx, bytes);
    t->logits = pf_alloc_zero(t->ctx, bytes);
    t->labels = pf_alloc_zero(t->ctx, labels);
    t->ids = pf_alloc_zero(t->ctx, (size_t)t->batch * sizeof(int64_t));
    if (!t->targets || !t->logits || !t->labels || !t->ids) return pf_nomem("batch", 2 * bytes + labels);
    t->image_view = batch_view(t, PF_REAL, t->batch, 3, image, t->images);
    t->label_view = classes ? batch_view(t, PEFT_I64, t->batch, out->ndim - 1, out->dim, t->labels)
                            : batch_view(t, PF_REAL, t->batch, out->ndim, out->dim, t->targets);
    t->logits_view = batch_view(t, PF_REAL, 0, out->ndim, out->dim, NULL);       /* forward.c sets samples and data */
    return PEFT_OK;
}

peft_status peft_trainer_create(peft_model *m, const peft_options *o, peft_trainer **out)
{
    PK_FLOAT_SCOPE;
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    PF_TRY(pf_options_check(o, pf_trainer_options, "a trainer"));
    PF_TRY(pf_model_check_logits(m, "a trainer"));
    peft_trainer *t = pf_alloc_zero(m->backbone->ctx, sizeof *t);
    if (!t) return pf_nomem("trainer", sizeof *t);
    t->ctx = m->backbone->ctx;
    t->seed = t->ctx->seed;
    t->reduce.ranks = t->ranks.ranks = 1;
    t->model = m;
    pf_model_use(m);
    t->last_loss = t->last_added = t->last_norm = t->last_lr = NAN;
    peft_status s = o ? pf_options_copy(o, &t->options) : PEFT_OK;
    if (!s) s = read_options(t);
    if (!s) s = pf_engine_start(&t->engine, t->ctx, integer(t, "threads"));
    const bool decay_matrices_only = !strcmp(text(t, "decay_on"), "matrices");
    if (!s) s = pf_slab_create(t, decay_matrices_only);
    if (!s) s = pf_trainer_compile(t);
    if (!s) s = pf_method_inputs_create(&t->method_inputs, &t->net);
    if (!s) s = create_cache(t);
    if (!s) s = allocate_batch(t);
    if (s) peft_trainer_free(t);
    else *out = t;
    return s;
}

void peft_trainer_free(peft_trainer *t)
{
    if (!t) return;
    peft_context *ctx = t->ctx;
    peft_model *m = t->model;
    pf_slab_release(t);
    pf_ranks_free(t);
    pf_extents_free(&t->extents, ctx);
    pf_compiled_free(&t->net);
    pf_compiled_free(&t->front);
    pf_compiled_free(&t->eval);
    pf_engine_stop(&t->engine);
    pf_cache_free(&t->cache);
    pf_method_inputs_free(&t->method_inputs, ctx);
    void *const blocks[] = { t->arena, t->own_images, t->slab, t->trained, t->targets, t->logits, t->labels, t->ids };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) pf_free(ctx, blocks[i]);
    pf_loss_free(t);
    pf_notes_free(&t->notes, ctx);
    peft_options_free(t->options);
    pf_free(ctx, t);
    pf_model_unuse(m);
}
