/* SPDX-License-Identifier: Apache-2.0
 * segmenter_fixture.h -- fixture of the segmenter tests: small models that give a class for each patch, with weights of
 * the test's choice, and images. */
#ifndef SEGMENTER_FIXTURE_H
#define SEGMENTER_FIXTURE_H
#include "io_files.h"
#include <math.h>
#include <peft/peft.h>
#include <stdbool.h>

#define NORMALISE ",mean=0.4:0.5:0.6,std=0.2:0.3:0.4"
enum { SIDE = 16, PATCH = 4, GRID = SIDE / PATCH, CLASSES = 3 };
/* GLOBAL: a ViT as it is. LOCAL: attention gives 0, and there are no positions, so that the logits of a patch depend on
 * its own pixels alone. CONSTANT: the logits are the bias of the head. */
typedef enum kind { GLOBAL, LOCAL, CONSTANT } kind;
typedef struct fixture { peft_backbone *vit; peft_adapter *full; peft_model *model; peft_session *session; } fixture;

static inline peft_options *options_of(const char *text)
{
    peft_options *o;
    ok(peft_options_create(io_ctx, &o));
    ok(peft_options_parse(o, text));
    return o;
}

/* Sets every element of the parameter to v. */
static inline void fill(peft_model *m, const char *name, float v)
{
    peft_param *p = peft_model_find_param(m, name);
    ck_assert_msg(p != NULL, "no parameter %s", name);
    float *x = peft_tensor_data(peft_param_value(p));
    for (int64_t i = 0; i < peft_tensor_count(peft_param_value(p)); i++) x[i] = v;
}

/* A model of images of these sides, "16" or "16x24"; session: its options. */
static inline fixture fixture_sized(kind which, const char *sides, const char *session)
{
    fixture f;
    char text[160];
    snprintf(text, sizeof text, "image_size=%s,patch=%d,width=24,depth=2,heads=2,seed=3", sides, PATCH);
    peft_options *o = options_of(text);
    ok(peft_context_set_seed(io_ctx, 5));
    ok(peft_backbone_create(io_ctx, o, &f.vit));
    peft_options_free(o);
    o = options_of("classes=3,head=patch_linear,head_init=normal:0.5");
    ok(peft_model_create(f.vit, o, &f.model));
    peft_options_free(o);
    ok(peft_adapter_create(f.vit, "full", NULL, &f.full));
    ok(peft_model_attach(f.model, f.full));
    const char *const local[] = { "pos_embed", "blocks.0.attn.proj.weight", "blocks.1.attn.proj.weight",
                                  "blocks.0.attn.proj.bias", "blocks.1.attn.proj.bias" };
    for (size_t i = 0; which == LOCAL && i < sizeof local / sizeof *local; i++) fill(f.model, local[i], 0);
    if (which == CONSTANT) fill(f.model, "head.weight", 0);
    float *bias = peft_tensor_data(peft_param_value(peft_model_find_param(f.model, "head.bias")));
    for (int k = 0; k < CLASSES; k++) bias[k] = (float[]){ 0.1f, 0.7f, -0.3f }[k];
    o = options_of(session);
    ok(peft_session_create(f.model, o, &f.session));
    peft_options_free(o);
    return f;
}

static inline fixture fixture_make(kind which, int side, const char *session)
{
    char sides[16];
    snprintf(sides, sizeof sides, "%d", side);
    return fixture_sized(which, sides, session);
}

static inline void fixture_free(fixture *f)
{
    peft_session_free(f->session);
    peft_model_free(f->model);
    peft_adapter_free(f->full);
    peft_backbone_free(f->vit);
}

/* A segmenter by a transform of this text. */
static inline peft_segmenter *segmenter_of(const fixture *f, const char *transform, const char *options)
{
    peft_transform *t;
    peft_segmenter *s;
    ok(peft_transform_parse(io_ctx, transform, &t));
    ok(peft_segmenter_create(f->session, t, options, &s));
    peft_transform_free(t);
    return s;
}

static inline peft_tensor *tensor_of(int64_t height, int64_t width)
{
    peft_tensor *t;
    ok(peft_tensor_create(io_ctx, PEFT_F32, 3, (int64_t[]){ height, width, CLASSES }, &t));
    return t;
}

/* The probabilities [height, width, CLASSES] of an image; the caller frees the tensor. */
static inline peft_tensor *probabilities_of(peft_segmenter *s, const peft_image *im)
{
    peft_tensor *t = tensor_of(peft_image_height(im), peft_image_width(im));
    ok(peft_segmenter_probabilities(s, im, t));
    return t;
}

/* The same by a segmenter that is made for the call. */
static inline peft_tensor *segmented(const fixture *f, const char *transform, const char *options, const peft_image *im)
{
    peft_segmenter *s = segmenter_of(f, transform, options);
    peft_tensor *t = probabilities_of(s, im);
    peft_segmenter_free(s);
    return t;
}
#endif
