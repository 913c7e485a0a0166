/* SPDX-License-Identifier: Apache-2.0
 * predictor_bed.h -- what the tests of predictors share: a small model with a session, tensors of pixels and logits. */
#ifndef PREDICTOR_BED_H
#define PREDICTOR_BED_H
#include "io_files.h"
#include <peft/io.h>
#include <peft/peft.h>

#define NOTE "size=16,resize=shorter,crop_pct=0.9,mean=0.4:0.5:0.6,std=0.2:0.3:0.4"
enum { SIDE = 16, CLASSES = 3, MOST = 7 };
#define BACKBONE "image_size=16,patch=4,width=48,depth=2,heads=3,classes=5,seed=3"

typedef struct bed { peft_context *ctx; peft_backbone *vit; peft_model *model; peft_session *session; } bed;

static inline peft_options *options_of(peft_context *ctx, const char *text)
{
    peft_options *o;
    ok(peft_options_create(ctx, &o));
    ok(peft_options_parse(o, text));
    return o;
}

/* note: "preprocess" of the model; NULL: none. */
static inline bed bed_make(peft_context *ctx, const char *model, const char *session, const char *note)
{
    bed b = { .ctx = ctx };
    peft_options *o = options_of(ctx, BACKBONE);
    ok(peft_backbone_create(ctx, o, &b.vit));
    peft_options_free(o);
    o = options_of(ctx, model);
    ok(peft_model_create(b.vit, o, &b.model));
    peft_options_free(o);
    if (note) ok(peft_model_set_note(b.model, "preprocess", note));
    o = options_of(ctx, session);
    ok(peft_session_create(b.model, o, &b.session));
    peft_options_free(o);
    return b;
}

static inline void bed_free(bed *b)
{
    peft_session_free(b->session);
    peft_model_free(b->model);
    peft_backbone_free(b->vit);
}

static inline peft_tensor *tensor(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims)
{
    peft_tensor *t;
    ok(peft_tensor_create(ctx, type, ndim, dims, &t));
    return t;
}

static inline peft_tensor *logits_of(peft_context *ctx, int64_t n)
{
    return tensor(ctx, PEFT_F32, 2, (const int64_t[]){ n, CLASSES });
}

/* Samples that differ at every place, of any of the four types. */
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
