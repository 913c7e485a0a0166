/* SPDX-License-Identifier: Apache-2.0
 * test_predictor_errors.c -- which transform and link (softmax or sigmoid) a predictor chooses, and the models, pixels
 * and outputs it refuses. */
#include "predictor_fixture.h"
#include <math.h>
#include <peft/predictor.h>

/* A backbone loaded from a file that stores its preprocessing and link=sigmoid. */
static peft_backbone *described_backbone(void)
{
    fixture b = fixture_make(io_ctx, "classes=0", "batch=1", "size=16,crop_pct=0.5");
    peft_backbone *merged, *read;
    ok(peft_model_merge(b.model, &merged));                   /* copies the note to the backbone */
    peft_options *o = options_of(io_ctx, "link=sigmoid");
    ok(peft_backbone_save_as(merged, in_folder("vit.safetensors"), o));
    peft_options_free(o);
    peft_backbone_free(merged);
    fixture_free(&b);
    o = options_of(io_ctx, "heads=3");
    ok(peft_context_set_log(io_ctx, NULL, NULL, 0));          /* no warnings of assumed facts */
    ok(peft_backbone_load(io_ctx, in_folder("vit.safetensors"), o, &read));
    peft_options_free(o);
    return read;
}

/* A session of a new model with these options. key, value: a note of the model; key NULL: none. */
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

/* The transform is the given one, or else the model's, or else the backbone's. The link is the model's, or else the
 * backbone's if the model uses the backbone's own classifier (classes=0), or else softmax. */
START_TEST(transform_and_link_are_chosen_in_order)
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

/* A predictor is refused. note, value: a note of the model; note NULL: none. t: the transform that is given to the
 * predictor and freed here; NULL: none is given. */
static void create_fails(const char *note, const char *value, peft_transform *t, peft_status status, const char *word)
{
    fixture b = fixture_make(io_ctx, "classes=3", "batch=1", NULL);
    peft_predictor *p = NULL;
    if (note) ok(peft_model_set_note(b.model, note, value));
    fails(status, word, peft_predictor_create(b.session, t, &p));
    ck_assert_ptr_null(p);
    peft_transform_free(t);
    fixture_free(&b);
}

static peft_transform *transform(const char *text)
{
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, text, &t));
    return t;
}

START_TEST(create_refuses_models_without_usable_preprocessing)
{
    create_fails(NULL, NULL, NULL, PEFT_E_NOTFOUND, "give a transform, or set the note");
    create_fails("preprocess", "size=24", NULL, PEFT_E_MISMATCH,
            "24x24, the model takes 16x16; give a transform with size=16");
    create_fails(NULL, NULL, transform("size=8"), PEFT_E_MISMATCH, "8x8");
    create_fails(NULL, NULL, transform("size=16x24"), PEFT_E_MISMATCH,
            "16x24 (height x width), the model takes 16x16; give a transform with size=16x16, or load the backbone "
            "with image_size=16x24");
    create_fails("preprocess", "size=many", NULL, PEFT_E_OPTION, "the model's note 'preprocess': ");
    create_fails("link", "tanh", transform("size=16"), PEFT_E_INVALID, "'tanh', expected softmax");
    fixture b = fixture_make(io_ctx, "head=none", "batch=1", NOTE);
    peft_predictor *none = NULL;
    fails(PEFT_E_UNSUPPORTED, "no head (head=none)", peft_predictor_create(b.session, NULL, &none));
    ck_assert_ptr_null(none);
    fixture_free(&b);
    fails(PEFT_E_INVALID, "session is NULL", peft_predictor_create(NULL, NULL, &(peft_predictor *){ NULL }));
    ck_assert(!peft_predictor_link(NULL) && !peft_predictor_transform(NULL) && !peft_session_model(NULL));
    ck_assert(!peft_model_backbone(NULL) && !peft_backbone_context(NULL) && !peft_model_link(NULL));
    ck_assert_int_eq(peft_session_batch(NULL), 0);
    peft_predictor_free(NULL);
}
END_TEST

START_TEST(calls_refuse_wrong_pixels_and_outputs)
{
    fixture b = fixture_make(io_ctx, "classes=3", "batch=2", NOTE);
    peft_predictor *p;
    ok(peft_predictor_create(b.session, NULL, &p));
    peft_tensor *good = pixels_of(io_ctx, PEFT_U8, 3, 20, 20, 3), *out = logits_of(io_ctx, 3);
    peft_tensor *two_rows = logits_of(io_ctx, 2);
    peft_tensor *four_channels = pixels_of(io_ctx, PEFT_U8, 3, 20, 20, 4),
        *no_images = pixels_of(io_ctx, PEFT_U8, 0, 20, 20, 3);
    peft_tensor *three_dims = tensor(io_ctx, PEFT_U8, 3, (const int64_t[]){ 3, 20, 20 });
    peft_tensor *i64_pixels = tensor(io_ctx, PEFT_I64, 4, (const int64_t[]){ 3, 20, 20, 3 });
    peft_tensor *i64_logits = tensor(io_ctx, PEFT_I64, 2, (const int64_t[]){ 3, CLASSES });
    peft_tensor *f32_pixels = pixels_of(io_ctx, PEFT_F32, 3, 20, 20, 3);
    fails(PEFT_E_SHAPE, "expected [n, height, width, channels]", peft_predictor_pixels(p, four_channels, out));
    fails(PEFT_E_SHAPE, "pixels: given u8 [", peft_predictor_pixels(p, three_dims, out));
    fails(PEFT_E_SHAPE, "no extent of 0", peft_predictor_pixels(p, no_images, out));
    fails(PEFT_E_DTYPE, "given i64 [3, 20, 20, 3], expected u8", peft_predictor_pixels(p, i64_pixels, out));
    fails(PEFT_E_DTYPE, "logits: given i64 [3, 3], expected f32", peft_predictor_pixels(p, good, i64_logits));
    fails(PEFT_E_SHAPE, "probabilities: given f32 [2, 3], expected f32 [3, 3]",
          peft_predictor_pixels_probabilities(p, good, two_rows));
    fails(PEFT_E_INVALID, "image 0 of the call: transform: the image's samples are floating-point",
          peft_predictor_pixels(p, f32_pixels, out));
    fails(PEFT_E_INVALID, "predictor is NULL", peft_predictor_pixels(NULL, good, out));
    fails(PEFT_E_INVALID, "pixels is NULL", peft_predictor_pixels(p, NULL, out));
    fails(PEFT_E_INVALID, "logits is NULL", peft_predictor_pixels(p, good, NULL));
    fails(PEFT_E_INVALID, "images is NULL", peft_predictor_images(p, NULL, 1, out));
    fails(PEFT_E_INVALID, "0 images", peft_predictor_images(p, (const peft_image *[]){ NULL }, 0, out));
    ok(peft_predictor_pixels(p, good, out));
    peft_tensor *all[] = { good, out, two_rows, four_channels, no_images, three_dims, i64_pixels, i64_logits,
                           f32_pixels };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) peft_tensor_free(all[i]);
    peft_predictor_free(p);
    fixture_free(&b);
}
END_TEST

/* NaN in the weights or in one image: the other images are predicted, and the error gives the image's index in the
 * call. */
START_TEST(a_nan_logit_is_reported_with_its_image)
{
    fixture b = fixture_make(io_ctx, "classes=3", "batch=2", NOTE ",range=0:1");
    peft_predictor *p;
    peft_tensor *pixels = pixels_of(io_ctx, PEFT_F32, 5, 20, 20, 1);
    peft_tensor *out = logits_of(io_ctx, 5), *expected = logits_of(io_ctx, 5);
    float *weight = peft_tensor_data(peft_param_value(peft_model_find_param(b.model, "head.weight"))), saved = *weight;
    ok(peft_predictor_create(b.session, NULL, &p));
    ok(peft_predictor_pixels(p, pixels, expected));
    *weight = NAN;
    fails(PEFT_E_NONFINITE, "image 0 of the call", peft_predictor_pixels(p, pixels, out));
    for (int i = 0; i < 5; i++) {
        const float *got = (const float *)peft_tensor_cdata(out) + i * CLASSES;
        ck_assert(isnan(got[0]));
        ck_assert_mem_eq(got + 1, (const float *)peft_tensor_cdata(expected) + i * CLASSES + 1, 2 * sizeof *got);
    }
    *weight = saved;
    ((float *)peft_tensor_data(pixels))[3 * 400] = NAN;
    memset(peft_tensor_data(out), 0, 15 * sizeof(float));
    fails(PEFT_E_NONFINITE, "image 3 of the call", peft_predictor_pixels(p, pixels, out));
    ck_assert_mem_eq(peft_tensor_cdata(out), peft_tensor_cdata(expected), 2 * CLASSES * sizeof(float));
    peft_tensor_free(pixels);
    peft_tensor_free(out);
    peft_tensor_free(expected);
    peft_predictor_free(p);
    fixture_free(&b);
}
END_TEST

IO_SUITE_MAIN("predictor_errors", transform_and_link_are_chosen_in_order,
              create_refuses_models_without_usable_preprocessing, calls_refuse_wrong_pixels_and_outputs,
              a_nan_logit_is_reported_with_its_image)
