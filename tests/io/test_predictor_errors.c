/* SPDX-License-Identifier: Apache-2.0
 * test_predictor_errors.c -- where a predictor's transform and link come from, and what it refuses. */
#include "predictor_bed.h"
#include <math.h>
#include <peft/predictor.h>

/* A backbone whose file says how pictures are prepared and what its classifier's outputs are. */
static peft_backbone *described_backbone(void)
{
    bed b = bed_make(io_ctx, "classes=0", "batch=1", "size=16,crop_pct=0.5");
    peft_backbone *merged, *read;
    ok(peft_model_merge(b.model, &merged));                   /* takes the note over */
    peft_options *o = options_of(io_ctx, "link=sigmoid");
    ok(peft_backbone_save_as(merged, in_folder("vit.safetensors"), o));
    peft_options_free(o);
    peft_backbone_free(merged);
    bed_free(&b);
    o = options_of(io_ctx, "heads=3");
    ok(peft_context_set_log(io_ctx, NULL, NULL, 0));          /* loading warns of facts that it assumes */
    ok(peft_backbone_load(io_ctx, in_folder("vit.safetensors"), o, &read));
    peft_options_free(o);
    return read;
}

static peft_session *session_of(peft_backbone *b, const char *options, const char *key, const char *value)
{
    peft_model *m;
    peft_session *s;
    peft_options *o = options_of(io_ctx, options);
    ok(peft_model_create(b, o, &m));
    if (key) ok(peft_model_set_note(m, key, value));
    ok(peft_session_create(m, NULL, &s));
    ck_assert_ptr_eq(peft_session_model(s), m);
    ck_assert_ptr_eq(peft_model_backbone(m), b);
    ck_assert_int_eq(peft_session_batch(s), 1);
    peft_options_free(o);
    peft_model_free(m);
    return s;
}

/* The transform is the given one, else the model's, else the backbone's; the backbone's link is that of its own
 * classifier alone. */
START_TEST(where_transform_and_link_come_from)
{
    static const struct { const char *model, *key, *value, *given, *text, *link; } rows[] = {
        { "classes=3", NULL, NULL, NULL, "crop_pct=0.5", "softmax" },
        { "classes=0", NULL, NULL, NULL, "crop_pct=0.5", "sigmoid" },
        { "classes=0", "link", "softmax", NULL, "crop_pct=0.5", "softmax" },
        { "classes=3", "link", "sigmoid", NULL, "crop_pct=0.5", "sigmoid" },
        { "classes=3", "preprocess", "size=16,crop_pct=0.75", NULL, "crop_pct=0.75", "softmax" },
        { "classes=3", "preprocess", "size=16,crop_pct=0.75", "size=16,crop_pct=0.25", "crop_pct=0.25", "softmax" } };
    peft_backbone *b = described_backbone();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_session *s = session_of(b, rows[i].model, rows[i].key, rows[i].value);
        peft_transform *t = NULL;
        peft_predictor *p;
        if (rows[i].given) ok(peft_transform_parse(io_ctx, rows[i].given, &t));
        ok(peft_predictor_create(s, t, &p));
        const char *text = peft_transform_text(peft_predictor_transform(p));
        ck_assert_msg(strstr(text, rows[i].text) != NULL, "row %zu: %s", i, text);
        ck_assert_str_eq(peft_predictor_link(p), rows[i].link);
        peft_transform_free(t);
        peft_session_free(s);
        peft_predictor_free(p);
    }
    peft_backbone_free(b);
}
END_TEST

static void refused(const char *note, const char *value, peft_transform *t, peft_status status, const char *word)
{
    bed b = bed_make(io_ctx, "classes=3", "batch=1", NULL);
    peft_predictor *p = NULL;
    if (note) ok(peft_model_set_note(b.model, note, value));
    fails(status, word, peft_predictor_create(b.session, t, &p));
    ck_assert_ptr_null(p);
    peft_transform_free(t);
    bed_free(&b);
}

static peft_transform *transform(const char *text)
{
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, text, &t));
    return t;
}

START_TEST(what_create_refuses)
{
    refused(NULL, NULL, NULL, PEFT_E_NOTFOUND, "give a transform, or set the note");
    refused("preprocess", "size=24", NULL, PEFT_E_MISMATCH,
            "24 x 24, the model takes 16 x 16; give a transform with size=16");
    refused(NULL, NULL, transform("size=8"), PEFT_E_MISMATCH, "8 x 8");
    refused("preprocess", "size=many", NULL, PEFT_E_OPTION, "the model's note 'preprocess': ");
    refused("link", "tanh", transform("size=16"), PEFT_E_INVALID, "'tanh', expected softmax");
    bed b = bed_make(io_ctx, "head=none", "batch=1", NOTE);
    peft_predictor *none = NULL;
    fails(PEFT_E_UNSUPPORTED, "no head (head=none)", peft_predictor_create(b.session, NULL, &none));
    ck_assert_ptr_null(none);
    bed_free(&b);
    fails(PEFT_E_INVALID, "session is NULL", peft_predictor_create(NULL, NULL, &(peft_predictor *){ NULL }));
    ck_assert(!peft_predictor_link(NULL) && !peft_predictor_transform(NULL) && !peft_session_model(NULL));
    ck_assert(!peft_model_backbone(NULL) && !peft_backbone_context(NULL) && !peft_model_link(NULL));
    ck_assert_int_eq(peft_session_batch(NULL), 0);
    peft_predictor_free(NULL);
}
END_TEST

START_TEST(what_calls_refuse)
{
    bed b = bed_make(io_ctx, "classes=3", "batch=2", NOTE);
    peft_predictor *p;
    ok(peft_predictor_create(b.session, NULL, &p));
    peft_tensor *good = pixels_of(io_ctx, PEFT_U8, 3, 20, 20, 3), *out = logits_of(io_ctx, 3);
    peft_tensor *few = logits_of(io_ctx, 2);
    peft_tensor *four = pixels_of(io_ctx, PEFT_U8, 3, 20, 20, 4), *none = pixels_of(io_ctx, PEFT_U8, 0, 20, 20, 3);
    peft_tensor *flat = tensor(io_ctx, PEFT_U8, 3, (const int64_t[]){ 3, 20, 20 });
    peft_tensor *wide = tensor(io_ctx, PEFT_I64, 4, (const int64_t[]){ 3, 20, 20, 3 });
    peft_tensor *whole = tensor(io_ctx, PEFT_I64, 2, (const int64_t[]){ 3, CLASSES });
    peft_tensor *real = pixels_of(io_ctx, PEFT_F32, 3, 20, 20, 3);
    fails(PEFT_E_SHAPE, "expected [n, height, width, channels]", peft_predictor_pixels(p, four, out));
    fails(PEFT_E_SHAPE, "pixels have 3 extents", peft_predictor_pixels(p, flat, out));
    fails(PEFT_E_SHAPE, "no extent of 0", peft_predictor_pixels(p, none, out));
    fails(PEFT_E_DTYPE, "expected PEFT_U8", peft_predictor_pixels(p, wide, out));
    fails(PEFT_E_DTYPE, "logits have type", peft_predictor_pixels(p, good, whole));
    fails(PEFT_E_SHAPE, "probabilities have other extents than expected: [3, 3]",
          peft_predictor_pixels_probabilities(p, good, few));
    fails(PEFT_E_INVALID, "image 0 of the call: transform: the image's samples are floating-point",
          peft_predictor_pixels(p, real, out));
    fails(PEFT_E_INVALID, "predictor is NULL", peft_predictor_pixels(NULL, good, out));
    fails(PEFT_E_INVALID, "pixels is NULL", peft_predictor_pixels(p, NULL, out));
    fails(PEFT_E_INVALID, "logits is NULL", peft_predictor_pixels(p, good, NULL));
    fails(PEFT_E_INVALID, "images is NULL", peft_predictor_images(p, NULL, 1, out));
    fails(PEFT_E_INVALID, "0 images", peft_predictor_images(p, (const peft_image *[]){ NULL }, 0, out));
    ok(peft_predictor_pixels(p, good, out));
    peft_tensor *all[] = { good, out, few, four, none, flat, wide, whole, real };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) peft_tensor_free(all[i]);
    peft_predictor_free(p);
    bed_free(&b);
}
END_TEST

/* A logit that is no number: the other images are predicted, and the message counts from the first of the call. */
START_TEST(numbers_that_are_none)
{
    bed b = bed_make(io_ctx, "classes=3", "batch=2", NOTE ",range=0:1");
    peft_predictor *p;
    peft_tensor *pixels = pixels_of(io_ctx, PEFT_F32, 5, 20, 20, 1);
    peft_tensor *out = logits_of(io_ctx, 5), *right = logits_of(io_ctx, 5);
    float *weight = peft_tensor_data(peft_param_value(peft_model_find_param(b.model, "head.weight"))), kept = *weight;
    ok(peft_predictor_create(b.session, NULL, &p));
    ok(peft_predictor_pixels(p, pixels, right));
    *weight = NAN;
    fails(PEFT_E_NONFINITE, "image 0 of the call", peft_predictor_pixels(p, pixels, out));
    for (int i = 0; i < 5; i++) {
        const float *got = (const float *)peft_tensor_cdata(out) + i * CLASSES;
        ck_assert(isnan(got[0]));
        ck_assert_mem_eq(got + 1, (const float *)peft_tensor_cdata(right) + i * CLASSES + 1, 2 * sizeof *got);
    }
    *weight = kept;
    ((float *)peft_tensor_data(pixels))[3 * 400] = NAN;
    memset(peft_tensor_data(out), 0, 15 * sizeof(float));
    fails(PEFT_E_NONFINITE, "image 3 of the call", peft_predictor_pixels(p, pixels, out));
    ck_assert_mem_eq(peft_tensor_cdata(out), peft_tensor_cdata(right), 2 * CLASSES * sizeof(float));
    peft_tensor_free(pixels);
    peft_tensor_free(out);
    peft_tensor_free(right);
    peft_predictor_free(p);
    bed_free(&b);
}
END_TEST

IO_SUITE_MAIN("predictor_errors", where_transform_and_link_come_from, what_create_refuses, what_calls_refuse,
              numbers_that_are_none)
