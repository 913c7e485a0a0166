/* SPDX-License-Identifier: Apache-2.0
 * adaptor.c -- creates, frees and resets an adaptor, and the short functions of peft/adaptor.h. */
#include <math.h>
#include <string.h>
#include "core/graph/report/report.h"
#include "core/model/locks.h"
#include "core/tta/adaptor.h"

static size_t image_bytes(const peft_adaptor *a)
{
    return (size_t)(a->batch * 3 * pf_vit_pixels(&a->model->backbone->shape)) * sizeof(pk_real);
}

/* The state of a new adaptor. */
static void reset(peft_adaptor *a)
{
    pf_model_lock_read(a->model);
    pf_tta_copy_tensors(a);
    a->model_checksum = pf_model_checksum(a->model);
    pf_model_unlock(a->model);
    if (a->kind->reset) a->kind->reset(a);
    a->batches = a->images_seen = a->updates = 0;
    a->loss = a->seconds = NAN;
}

/* PEFT_E_UNSUPPORTED: the kind reads the logits as those of a softmax, and the model's classes do not exclude each
 * other. */
static peft_status check_link(const peft_adaptor *a)
{
    const char *link = peft_model_link(a->model);
    if (!a->kind->softmax || !link || strcmp(link, "sigmoid")) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "kind=%s adapts to the softmax of the logits, and the model has several labels "
                   "an image (link=sigmoid); expected a model whose classes exclude each other, or another kind, such "
                   "as vptta", a->kind->name);
}

static peft_status create(peft_adaptor *a, const peft_options *o)
{
    peft_status s;
    PF_TRY(pf_tta_options(a, o));
    PF_TRY(check_link(a));
    a->taps = a->kind->taps;
    a->batch_norm = a->kind->batch_norm;
    if (a->taps == PF_TTA_CLASS_TOKEN && !a->model->backbone->shape.class_token)
        return pf_fail(PEFT_E_UNSUPPORTED, "an adaptor of kind %s compares class tokens, and the model's backbone has "
                       "none", a->kind->name);
    a->batch = pf_tta_int(a, "batch");
    PF_TRY(pf_engine_start(&a->engine, a->ctx, pf_tta_int(a, "threads")));
    a->state = a->kind->state_size ? pf_tta_memory(a, "state", a->kind->state_size, &s) : NULL;
    if (a->kind->state_size && !a->state) return s;
    if (a->kind->create) PF_TRY(a->kind->create(a));
    if (a->taps) PF_TRY(pf_tta_statistics(a));
    PF_TRY(pf_tta_slots(a));
    PF_TRY(pf_tta_compile(a));
    PF_TRY(pf_method_inputs_create(&a->method_inputs, &a->net));
    a->images = pf_alloc_zero(a->ctx, image_bytes(a));
    if (!a->images) return pf_nomem("images", image_bytes(a));
    reset(a);
    return PEFT_OK;
}

peft_status peft_adaptor_create(peft_model *m, const peft_options *o, peft_adaptor **out)
{
    PK_FLOAT_SCOPE;
    if (!m || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", m ? "out" : "model");
    PF_TRY(pf_model_check_logits(m, "an adaptor"));
    peft_adaptor *a = pf_alloc_zero(m->backbone->ctx, sizeof *a);
    if (!a) return pf_nomem("adaptor", sizeof *a);
    a->model = m;
    a->ctx = m->backbone->ctx;
    pf_model_use(m);
    const peft_status s = create(a, o);
    if (s) peft_adaptor_free(a);
    else *out = a;
    return s;
}

void peft_adaptor_free(peft_adaptor *a)
{
    if (!a) return;
    peft_context *ctx = a->ctx;
    peft_model *m = a->model;
    if (a->kind && a->kind->release) a->kind->release(a);
    pf_extents_free(&a->extents, ctx);
    pf_extents_free(&a->source_extents, ctx);
    pf_compiled_free(&a->net);
    pf_compiled_free(&a->source);
    pf_engine_stop(&a->engine);
    pf_method_inputs_free(&a->method_inputs, ctx);
    for (int i = 0; i < a->blocks; i++) pf_free(ctx, a->block[i]);
    void *const blocks[] = { a->arena, a->slab, a->trained, a->images };
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) pf_free(ctx, blocks[i]);
    pf_params_free(ctx, &a->params);
    peft_options_free(a->options);
    pf_free(ctx, a);
    pf_model_unuse(m);
}

peft_status peft_adaptor_reset(peft_adaptor *a)
{
    PK_FLOAT_SCOPE;
    PF_TRY(pf_tta_check(a));
    reset(a);
    if (a->statistics.images && a->statistics.model_checksum != a->model_checksum)
        pf_warn(a->ctx, "the model has been trained since the adaptor got its training images, whose statistics belong "
                "to the earlier values of its parameters: give the images again by peft_adaptor_source");
    return PEFT_OK;
}

static size_t planned_bytes(const peft_adaptor *a)
{
    /* each graph's tables twice: pf_extents_find builds a second graph to compare with */
    size_t bytes = sizeof *a + 2 * (pf_compiled_table_bytes(&a->net) + pf_compiled_table_bytes(&a->source))
                 + (a->extents.count + a->source_extents.count) * sizeof *a->extents.item;
    for (size_t i = 0; i < a->params.count; i++)
        bytes += sizeof(pf_param) + pf_tensor_bytes(&a->params.item[i]->value) + (a->trained ? sizeof *a->trained : 0);
    return bytes + a->arena_bytes + a->slab_bytes + a->block_bytes + image_bytes(a)
         + pf_method_inputs_bytes(&a->method_inputs) + pf_model_constant_bytes(a->model);
}

peft_model *peft_adaptor_model(const peft_adaptor *a) { return a ? a->model : NULL; }
const char *peft_adaptor_kind(const peft_adaptor *a) { return a ? a->kind->name : NULL; }
int64_t     peft_adaptor_batch(const peft_adaptor *a) { return a ? a->batch : 0; }
size_t      peft_adaptor_memory(const peft_adaptor *a) { return a ? planned_bytes(a) : 0; }

void peft_adaptor_describe(const peft_adaptor *a, peft_text_fn fn, void *user)
{
    if (a && fn) pf_exec_describe(&a->net.exec, fn, user);
}

static pf_figures figures_of(const void *object)
{
    const peft_adaptor *a = object;
    pf_figures f = { .rows = 9, .row = {
        PF_NUMBER("loss", a->loss, "no batch since the adaptor was made or reset, or the kind has no loss"),
        PF_NUMBER("seconds", a->seconds, "no batch since the adaptor was made or reset"),
        PF_COUNT("batches", a->batches), PF_COUNT("images", a->images_seen), PF_COUNT("updates", a->updates),
        PF_COUNT("source_images", a->statistics.images), PF_COUNT("planned_bytes", planned_bytes(a)),
        PF_COUNT("arena_bytes", a->arena_bytes), PF_COUNT("flops", a->net.exec.flops) } };
    if (a->kind->figures) a->kind->figures(a, &f);
    return f;
}

static const pf_figure_owner owner = { "an", "adaptor", "peft_adaptor_get_float", figures_of };

peft_status peft_adaptor_get_int(const peft_adaptor *a, const char *name, int64_t *out)
{
    return pf_figure_int(&owner, a, name, out);
}

peft_status peft_adaptor_get_float(const peft_adaptor *a, const char *name, double *out)
{
    return pf_figure_float(&owner, a, name, out);
}
