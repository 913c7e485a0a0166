/* SPDX-License-Identifier: Apache-2.0
 * predictor_fixture.h -- fixture of the predictor tests: a small model with a session, tensors of pixels and logits. */
#ifndef PREDICTOR_FIXTURE_H
#define PREDICTOR_FIXTURE_H
#include "io_files.h"
#include <peft/io.h>
#include <peft/peft.h>

#define NOTE "size=16,resize=shorter,crop_pct=0.9,mean=0.4:0.5:0.6,std=0.2:0.3:0.4"
enum { SIDE = 16, CLASSES = 3, MAX_IMAGES = 7 };
#define BACKBONE "image_size=16,patch=4,width=48,depth=2,heads=3,classes=5,seed=3"

/* ctx is borrowed; the fixture owns the rest. */
typedef struct fixture { peft_context *ctx; peft_backbone *vit; peft_model *model; peft_session *session; } fixture;

static inline peft_options *options_of(peft_context *ctx, const char *text)
{
    peft_options *o;
    ok(peft_options_create(ctx, &o));
    ok(peft_options_parse(o, text));
    return o;
}

/* model, session: option texts. note: value of the model's note "preprocess"; NULL: the model has no note. */
static inline fixture fixture_make(peft_context *ctx, const char *model, const char *session, const char *note)
{
    fixture f = { .ctx = ctx };
    peft_options *o = options_of(ctx, BACKBONE);
    ok(peft_backbone_create(ctx, o, &f.vit));
    peft_options_free(o);
    o = options_of(ctx, model);
    ok(peft_model_create(f.vit, o, &f.model));
    peft_options_free(o);
    if (note) ok(peft_model_set_note(f.model, "preprocess", note));
    o = options_of(ctx, session);
    ok(peft_session_create(f.model, o, &f.session));
    peft_options_free(o);
    return f;
}

static inline void fixture_free(fixture *f)
{
    peft_session_free(f->session);
    peft_model_free(f->model);
    peft_backbone_free(f->vit);
}

static inline peft_tensor *tensor(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims)
{
    peft_tensor *t;
    ok(peft_tensor_create(ctx, type, ndim, dims, &t));
    return t;
}

/* A tensor for the logits of n images. */
static inline peft_tensor *logits_of(peft_context *ctx, int64_t n)
{
    return tensor(ctx, PEFT_F32, 2, (const int64_t[]){ n, CLASSES });
}

/* Pixels [n, h, w, c] of pseudo-random samples. type: PEFT_U8, PEFT_U16, PEFT_I16 or PEFT_F32. */
static inline peft_tensor *pixels_of(peft_context *ctx, peft_dtype type, int64_t n, int64_t h, int64_t w, int64_t c)
{
    peft_tensor *t = tensor(ctx, type, 4, (const int64_t[]){ n, h, w, c });
    void *data = peft_tensor_data(t);
    for (int64_t i = 0; i < peft_tensor_count(t); i++) {
        const unsigned v = (unsigned)i * 2654435761u >> 16;
        if (type == PEFT_U8) ((uint8_t *)data)[i] = (uint8_t)v;
        else if (type == PEFT_U16) ((uint16_t *)data)[i] = (uint16_t)v;
        else if (type == PEFT_I16) ((int16_t *)data)[i] = (int16_t)(v - 30000);
        else ((float *)data)[i] = (float)v / 7 - 2000;
    }
    return t;
}
#endif
