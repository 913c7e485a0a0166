/* SPDX-License-Identifier: Apache-2.0
 * invariants.h -- models of a backbone with random values, their logits and gradients, and the distance of two results:
 * shared by the tests that compare two models which must compute the same function. */
#ifndef INVARIANTS_H
#define INVARIANTS_H
#include "differences.h"
#include "tiny.h"

enum { BATCH = 3 };
#define BACKBONE "image_size=16,patch=4,width=24,mlp=40,depth=3,heads=3,classes=4"

/* A model of BACKBONE. Members that are NULL or 0 are left out. */
typedef struct variant {
    const char *backbone;                /* options of the backbone besides those of BACKBONE */
    const char *method, *options;        /* method of an adapter, and its options */
    const char *second;                  /* method of a second adapter */
    int classes;                         /* of a new head; 0: the backbone's own head */
} variant;

static inline tiny make_variant(const variant *v)
{
    tiny t = { .ctx = tiny_plain_context() };
    char model[32];
    snprintf(model, sizeof model, "classes=%d", v->classes);
    t.backbone = tiny_backbone(t.ctx, BACKBONE, v->backbone);
    for (size_t i = 0; i < t.backbone->weights; i++)
        tiny_perturb_tensor(&t.backbone->weight[i].tensor, t.backbone->weight[i].name, 0.3);
    OK(pf_backbone_make_rope(t.backbone));
    t.model = tiny_model(t.backbone, model);
    if (v->method) {
        t.adapter = tiny_adapter(t.backbone, v->method, v->options);
        OK(peft_model_attach(t.model, t.adapter));
    }
    if (v->second) {
        peft_adapter *a = tiny_adapter(t.backbone, v->second, NULL);
        OK(peft_model_attach(t.model, a));
        peft_adapter_free(a);
    }
    return t;
}

/* VARIANT(.method = "lora", .classes = 3); VARIANT(0) is the backbone with its own head. */
#define VARIANT(...) make_variant(&(variant){ __VA_ARGS__ })

/* The model's logits for one batch; the caller frees them. */
static inline peft_tensor *logits_of(const tiny *t)
{
    tiny_batch b = tiny_first_batch(t->model, BATCH);
    peft_session *s = tiny_session(t->model, "batch=%d", BATCH);
    peft_tensor *logits = tiny_tensor(t->ctx, PF_REAL, 2, BATCH, (int)t->model->classes);
    OK(peft_session_predict(s, b.images, logits));
    tiny_finite(logits, "logits");
    peft_session_free(s);
    tiny_batch_free(&b);
    return logits;
}

/* The largest |a - b|, relative to the largest |b|. Frees both. */
static inline double difference(peft_tensor *a, peft_tensor *b)
{
    const pk_real *x = peft_tensor_cdata(a), *y = peft_tensor_cdata(b);
    double worst = 0, scale = largest(y, peft_tensor_count(b));
    for (int64_t i = 0; i < peft_tensor_count(a); i++) worst = fmax(worst, fabs((double)x[i] - (double)y[i]) / scale);
    peft_tensor_free(a);
    peft_tensor_free(b);
    return worst;
}

/* A new trainer after one backward pass, which holds the gradients of one batch; the caller frees it. */
static inline peft_trainer *backward(const tiny *t)
{
    tiny_batch b = tiny_first_batch(t->model, BATCH);
    peft_trainer *r = tiny_trainer(t->model, "batch=%d", BATCH);
    OK(peft_trainer_backward(r, b.images, b.labels, NULL));
    tiny_batch_free(&b);
    return r;
}
#endif
