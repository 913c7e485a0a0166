/* SPDX-License-Identifier: Apache-2.0
 * models.h -- makes the backbone, adapters and model of a case (cases.h). */
#ifndef SAME_BITS_MODELS_H
#define SAME_BITS_MODELS_H
#include "cases.h"
#include "data.h"

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, text ? text : ""));
    return o;
}

static peft_model *new_model(peft_context *ctx, peft_backbone *b, const char *text)
{
    peft_model *m;
    peft_options *o = options(ctx, text);
    OK(peft_model_create(b, o, &m));
    peft_options_free(o);
    return m;
}

/* Makes an adapter of the method and attaches it to m; text: its options. */
static peft_adapter *attach(peft_context *ctx, peft_backbone *b, peft_model *m, const char *method, const char *text)
{
    peft_adapter *a;
    peft_options *o = options(ctx, text);
    OK(peft_adapter_create(b, method, o, &a));
    OK(peft_model_attach(m, a));
    peft_options_free(o);
    return a;
}

/* A hash (FNV-1a) of a name: the stream of random numbers for the tensor of this name. */
static uint64_t stream_of(const char *name)
{
    uint64_t h = 1469598103934665603u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

/* Adds noise to all parameters: initial zeros would hide differences in the tensors that they are multiplied with. */
static void shake(peft_model *m)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_param *p = peft_model_param(m, i);
        float *x = peft_tensor_data(peft_param_value(p));
        const int64_t n = peft_tensor_count(peft_param_value(p));
        for (int64_t k = 0; k < n; k++) x[k] += 0.05f * number(stream_of(peft_param_name(p)), (uint64_t)k);
    }
}

/* A backbone whose biases, norms and scales are random too: a random backbone merged with a noisy adapter "full". */
static peft_backbone *new_backbone(peft_context *ctx, const char *text)
{
    peft_backbone *b, *out;
    peft_options *o = options(ctx, text);
    OK(peft_backbone_create(ctx, o, &b));
    peft_options_free(o);
    peft_model *m = new_model(ctx, b, NULL);
    peft_adapter *a = attach(ctx, b, m, "full", NULL);
    shake(m);
    OK(peft_model_merge(m, &out));
    peft_adapter_free(a);
    peft_model_free(m);
    peft_backbone_free(b);
    return out;
}

/* The backbone of a case: random, or also saved and loaded. */
static peft_backbone *backbone(peft_context *ctx, const bits_case *c)
{
    peft_backbone *created = new_backbone(ctx, c->backbone ? c->backbone : SMALL), *b;
    if (!c->stored) return created;
    peft_options *o = options(ctx, c->stored);
    const int folder = strstr(c->stored, "naming=hf") != NULL;
    OK(peft_backbone_save_as(created, path(folder ? "backbone" : "backbone.safetensors"), o));
    peft_backbone_free(created);
    OK(peft_backbone_load(ctx, path(folder ? "backbone/model.safetensors" : "backbone.safetensors"), NULL, &b));
    peft_options_free(o);
    return b;
}

/* A case and its objects; a: the attached adapters, or NULL. */
typedef struct case_objects {
    const bits_case *c;
    peft_context *ctx;
    peft_backbone *b;
    peft_adapter *a[2];
    peft_model *m;
} case_objects;

/* Makes the model of the case with its adapters and noise in all parameters. */
static void make_model(case_objects *t)
{
    const char *head = t->c->method[0] ? peft_method_head(t->c->method[0]) : NULL;
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", t->c->model ? t->c->model : CLASSES, head && *head ? ",head=" : "",
             head ? head : "");
    t->m = new_model(t->ctx, t->b, text);
    for (size_t i = 0; i < COUNT(t->a); i++)
        t->a[i] = t->c->method[i] ? attach(t->ctx, t->b, t->m, t->c->method[i], t->c->adapter[i]) : NULL;
    shake(t->m);
}

static void free_model(case_objects *t)
{
    for (size_t i = 0; i < COUNT(t->a); i++) peft_adapter_free(t->a[i]);
    peft_model_free(t->m);
}
#endif
