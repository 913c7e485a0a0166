/* SPDX-License-Identifier: Apache-2.0
 * test_segmenter_errors.c -- what segmenters refuse, models with several labels a pixel, the memory of a call, and
 * allocations that fail. */
#include "segmenter_fixture.h"
#include "failing_alloc.h"
#include <peft/io.h>

#define WHOLE "size=16,resize=squash" NORMALISE

/* A segmenter of f by these texts, which must be refused. */
static void refused(const fixture *f, const char *transform, const char *options, peft_status status, const char *word)
{
    peft_transform *t;
    peft_segmenter *s = NULL;
    ok(peft_transform_parse(io_ctx, transform, &t));
    fails(status, word, peft_segmenter_create(f->session, t, options, &s));
    ck_assert_ptr_null(s);
    peft_transform_free(t);
}

START_TEST(bad_options_are_refused)
{
    fixture f = fixture_make(GLOBAL, SIDE, "");
    refused(&f, WHOLE, "mode=half", PEFT_E_OPTION, "whole or tiles");
    refused(&f, WHOLE, "overlap=0.95", PEFT_E_OPTION, "0.95");
    refused(&f, WHOLE, "stride=3", PEFT_E_OPTION, "stride");
    refused(&f, WHOLE, "mode=tiles,trim=5", PEFT_E_OPTION, "trim up to 4");
    refused(&f, WHOLE, "mode=tiles,overlap=0,trim=1", PEFT_E_OPTION, "trim=1");
    refused(&f, WHOLE, "trim=3", PEFT_E_OPTION, "trim: has no effect with mode=whole");
    refused(&f, WHOLE, "mode=whole,overlap=0.25", PEFT_E_OPTION, "overlap: has");
    refused(&f, WHOLE, "blend=linear", PEFT_E_OPTION, "blend: has");
    refused(&f, WHOLE, "border=edge", PEFT_E_OPTION, "mode=tiles");
    refused(&f, "size=32,resize=squash" NORMALISE, "", PEFT_E_MISMATCH, "size=16");
    refused(&f, "size=16,resize=shorter,crop_pct=0.8" NORMALISE, "", PEFT_E_UNSUPPORTED, "of 16x16 pixels");
    refused(&f, "size=16,resize=squash,crop_pct=0.8" NORMALISE, "", PEFT_E_UNSUPPORTED, "crop_pct=1");
    peft_segmenter *s = NULL;
    fails(PEFT_E_NOTFOUND, "preprocess", peft_segmenter_create(f.session, NULL, NULL, &s));
    fails(PEFT_E_INVALID, "session is NULL", peft_segmenter_create(NULL, NULL, NULL, &s));
    fails(PEFT_E_INVALID, "out is NULL", peft_segmenter_create(f.session, NULL, NULL, NULL));
    ck_assert_str_eq(peft_option_name(peft_segmenter_option(0)), "mode");
    fixture_free(&f);
}
END_TEST

/* A head that gives one class for the image has no map. */
START_TEST(models_without_a_map_are_refused)
{
    fixture f = { 0 };
    peft_options *o = options_of("image_size=16,patch=4,width=24,depth=1,heads=2");
    ok(peft_backbone_create(io_ctx, o, &f.vit));
    peft_options_free(o);
    o = options_of("classes=3");
    ok(peft_model_create(f.vit, o, &f.model));
    peft_options_free(o);
    ok(peft_session_create(f.model, NULL, &f.session));
    refused(&f, WHOLE, "", PEFT_E_UNSUPPORTED, "one class for the image");
    fixture_free(&f);
}
END_TEST

/* What a failing callback gets and gives. */
static peft_status stop_at_second(int64_t first, const peft_tensor *labels, const peft_tensor *p, void *user)
{
    ck_assert_ptr_nonnull(labels);
    ck_assert_ptr_null(p);
    if (++*(int *)user == 1) ck_assert_int_eq(first, 0);
    return *(int *)user == 2 ? peft_set_error(PEFT_E_IO, "the disk is full") : PEFT_OK;
}

START_TEST(calls_refuse_what_they_cannot_segment)
{
    fixture f = fixture_make(GLOBAL, SIDE, "batch=2");
    peft_segmenter *crop = segmenter_of(&f, "size=16,resize=shorter" NORMALISE, NULL);
    peft_segmenter *tiles = segmenter_of(&f, WHOLE, "mode=tiles");
    peft_image *im = picture(50, 40, 3, 8, 1), *labels = NULL;
    peft_tensor *out = tensor_of(40, 49), *right = tensor_of(40, 50), *bytes;
    fails(PEFT_E_UNSUPPORTED, "resize=squash", peft_segmenter_labels(crop, im, &labels));
    fails(PEFT_E_SHAPE, "given f32 [40, 49, 3], expected f32 [40, 50, 3]",
          peft_segmenter_probabilities(tiles, im, out));
    ok(peft_tensor_create(io_ctx, PEFT_U8, 3, (int64_t[]){ 40, 50, 3 }, &bytes));
    fails(PEFT_E_DTYPE, "given u8 [40, 50, 3], expected f32", peft_segmenter_probabilities(tiles, im, bytes));
    fails(PEFT_E_INVALID, "image is NULL", peft_segmenter_probabilities(tiles, NULL, right));
    fails(PEFT_E_INVALID, "segmenter is NULL", peft_segmenter_labels(NULL, im, &labels));
    fails(PEFT_E_INVALID, "fn is NULL", peft_segmenter_rows(tiles, im, 0, NULL, NULL));
    int calls = 0;
    fails(PEFT_E_IO, "the disk is full", peft_segmenter_rows(tiles, im, 0, stop_at_second, &calls));
    ck_assert_int_eq(calls, 2);
    float *bias = peft_tensor_data(peft_param_value(peft_model_find_param(f.model, "head.bias")));
    bias[1] = NAN;
    fails(PEFT_E_NONFINITE, "row 0, column 0", peft_segmenter_probabilities(tiles, im, right));
    ck_assert_ptr_null(labels);
    peft_tensor_free(out);
    peft_tensor_free(right);
    peft_tensor_free(bytes);
    peft_image_free(im);
    peft_segmenter_free(crop);
    peft_segmenter_free(tiles);
    fixture_free(&f);
    peft_segmenter_free(NULL);
    ck_assert_int_eq(peft_segmenter_tiles(NULL, 5, 5), 0);
    ck_assert_ptr_null(peft_segmenter_link(NULL));
}
END_TEST

/* With link sigmoid each class has a probability of its own, and there is no label map. */
START_TEST(several_labels_a_pixel_have_probabilities)
{
    fixture f = fixture_make(CONSTANT, SIDE, "");
    ok(peft_model_set_note(f.model, "link", "sigmoid"));
    peft_segmenter *s = segmenter_of(&f, WHOLE, "mode=tiles");
    peft_image *im = picture(20, 10, 3, 8, 1), *labels = NULL;
    ck_assert_str_eq(peft_segmenter_link(s), "sigmoid");
    fails(PEFT_E_UNSUPPORTED, "3 classes", peft_segmenter_labels(s, im, &labels));
    peft_tensor *got = probabilities_of(s, im);
    const float *p = peft_tensor_cdata(got);
    for (int i = 0; i < 20 * 10 * CLASSES; i++)
        ck_assert_double_eq_tol((double)p[i], 1 / (1 + exp(-(double[]){ 0.1, 0.7, -0.3 }[i % 3])), 1e-6);
    peft_tensor_free(got);

    const struct { const double *thresholds; int expected[CLASSES]; } rows[] = {      /* p = 0.525, 0.668, 0.426 */
        { NULL, { 1, 1, 0 } }, { (double[]){ 0.6, 0.6, 0.4 }, { 0, 1, 1 } },
        { (double[]){ 0, 1, 0.43 }, { 1, 0, 0 } } };
    peft_tensor *targets;
    ok(peft_tensor_create(io_ctx, PEFT_U8, 3, (int64_t[]){ 10, 20, CLASSES }, &targets));
    const uint8_t *t = peft_tensor_cdata(targets);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        ok(peft_segmenter_targets(s, im, rows[k].thresholds, targets));
        for (int i = 0; i < 20 * 10 * CLASSES; i++) ck_assert_int_eq(t[i], rows[k].expected[i % CLASSES]);
    }
    fails(PEFT_E_INVALID, "class 1 is 1.5", peft_segmenter_targets(s, im, (double[]){ 0, 1.5, 0 }, targets));
    fails(PEFT_E_INVALID, "class 0 is nan", peft_segmenter_targets(s, im, (double[]){ NAN, 1, 0 }, targets));
    fails(PEFT_E_INVALID, "out is NULL", peft_segmenter_targets(s, im, NULL, NULL));
    peft_image *wide = picture(21, 10, 3, 8, 1);
    fails(PEFT_E_SHAPE, "given u8 [10, 20, 3], expected u8 [10, 21, 3]",
          peft_segmenter_targets(s, wide, NULL, targets));
    peft_image_free(wide);
    peft_tensor *floats = tensor_of(10, 20);
    fails(PEFT_E_DTYPE, "expected u8", peft_segmenter_targets(s, im, NULL, floats));
    peft_tensor_free(floats);
    peft_segmenter_free(s);
    ok(peft_model_set_note(f.model, "link", "softmax"));
    s = segmenter_of(&f, WHOLE, "mode=tiles");
    fails(PEFT_E_UNSUPPORTED, "peft_segmenter_labels", peft_segmenter_targets(s, im, NULL, targets));
    peft_tensor_free(targets);
    peft_image_free(im);
    peft_segmenter_free(s);
    fixture_free(&f);
}
END_TEST

/* The largest memory that was in use while rows were given out, beyond that at the start. */
typedef struct watch { size_t before, most; } watch;
static peft_status watch_memory(int64_t first, const peft_tensor *labels, const peft_tensor *p, void *user)
{
    watch *w = user;
    const size_t used = peft_context_memory_used(io_ctx) - w->before;
    (void)first, (void)labels, (void)p;
    if (used > w->most) w->most = used;
    return PEFT_OK;
}

/* A call needs what peft_segmenter_memory says, whatever the height, and much less than all logits. */
START_TEST(memory_does_not_grow_with_the_height)
{
    enum { WIDTH = 400, PREPARATION = 32768 };                /* of tiles of 16 x 16 pixels */
    const char *const options[] = { "mode=tiles", "mode=whole" };
    fixture f = fixture_make(LOCAL, SIDE, "batch=2");
    for (int i = 0; i < 2; i++) {
        peft_segmenter *s = segmenter_of(&f, WHOLE, options[i]);
        size_t most[2];
        for (int k = 0; k < 2; k++) {
            const int64_t height = k ? 1500 : 150;
            peft_image *im = picture(WIDTH, height, 1, 8, 1);
            watch w = { .before = peft_context_memory_used(io_ctx) };
            ok(peft_segmenter_rows(s, im, 1, watch_memory, &w));
            most[k] = w.most;
            const size_t axes = (size_t)(height + WIDTH + 8 * SIDE) * 12;     /* positions along the axes */
            ck_assert_uint_ge(w.most, peft_segmenter_memory(s, WIDTH));
            ck_assert_uint_le(w.most, peft_segmenter_memory(s, WIDTH) + axes + PREPARATION);
            peft_image_free(im);
        }
        if (i == 0) ck_assert_uint_le(most[1], most[0]);
        ck_assert_uint_lt(2 * most[1], WIDTH * 1500 * CLASSES * sizeof(float));
        peft_segmenter_free(s);
    }
    fixture_free(&f);
}
END_TEST

/* For failing_alloc_loop: makes a model and segments an image by the options. */
static peft_status segment_in(peft_context *ctx, void *options)
{
    peft_backbone *vit = NULL;
    peft_options *o = NULL;
    peft_model *m = NULL;
    peft_session *session = NULL;
    peft_transform *t = NULL;
    peft_segmenter *s = NULL;
    peft_image *im = NULL, *labels = NULL;
    peft_status status = peft_options_create(ctx, &o);
    if (!status) status = peft_options_parse(o, "image_size=8,patch=4,width=8,depth=1,heads=1,seed=3");
    if (!status) status = peft_backbone_create(ctx, o, &vit);
    peft_options_free(o);
    o = NULL;
    if (!status) status = peft_options_create(ctx, &o);
    if (!status) status = peft_options_parse(o, "classes=2,head=patch_linear");
    if (!status) status = peft_model_create(vit, o, &m);
    peft_options_free(o);
    if (!status) status = peft_session_create(m, NULL, &session);
    if (!status) status = peft_transform_parse(ctx, "size=8,resize=squash", &t);
    if (!status) status = peft_segmenter_create(session, t, options, &s);
    const uint8_t pixels[150] = { 1 };
    if (!status) status = peft_image_from_buffer(ctx, pixels, 15, 10, 1, 8, 0, &im);
    if (!status) status = peft_segmenter_labels(s, im, &labels);
    peft_image_free(labels);
    peft_image_free(im);
    peft_segmenter_free(s);
    peft_transform_free(t);
    peft_session_free(session);
    peft_model_free(m);
    peft_backbone_free(vit);
    return status;
}

START_TEST(failing_allocations_leak_nothing)
{
    ck_assert_int_gt(failing_alloc_loop(segment_in, "mode=tiles"), 40);
    ck_assert_int_gt(failing_alloc_loop(segment_in, "mode=whole"), 40);
}
END_TEST

IO_SUITE_MAIN("segmenter_errors", bad_options_are_refused, models_without_a_map_are_refused,
              calls_refuse_what_they_cannot_segment, several_labels_a_pixel_have_probabilities,
              memory_does_not_grow_with_the_height, failing_allocations_leak_nothing)
