/* SPDX-License-Identifier: Apache-2.0
 * test_predictor.c -- a predictor gives the same bits as peft_transform_apply and peft_session_predict called for each
 * image, allocates nothing in repeated calls, and keeps its session, model and context alive. */
#include "failing_alloc.h"
#include "predictor_fixture.h"
#include <peft/predictor.h>

/* The depth of an image of pixels of this type. */
static int depth_of(peft_dtype type)
{
    return type == PEFT_U8 ? 8 : type == PEFT_U16 ? 16 : type == PEFT_I16 ? PEFT_SIGNED_16 : PEFT_FLOAT_32;
}

/* Image i of the pixels t [n, h, w, c]. */
static peft_image *image_at(peft_context *ctx, const peft_tensor *t, int64_t i)
{
    peft_image *im;
    const int64_t count = peft_tensor_count(t) / peft_tensor_dim(t, 0);
    const peft_dtype type = peft_tensor_dtype(t);
    const size_t sample = type == PEFT_U8 ? 1 : type == PEFT_F32 ? 4 : 2;
    ok(peft_image_from_buffer(ctx, (const char *)peft_tensor_cdata(t) + (size_t)(i * count) * sample,
                              peft_tensor_dim(t, 2), peft_tensor_dim(t, 1), (int)peft_tensor_dim(t, 3), depth_of(type),
                              0, &im));
    return im;
}

typedef enum { LOGITS, PROBABILITIES } output;

/* The expected output for one image, by transform and session: logits, or probabilities by softmax. */
static void predict_one(const fixture *b, const peft_transform *t, const peft_image *im, output kind, float *out)
{
    peft_tensor *input = tensor(b->ctx, PEFT_F32, 4, (const int64_t[]){ 1, 3, SIDE, SIDE });
    peft_tensor *row = logits_of(b->ctx, 1);
    ok(peft_transform_apply(t, im, peft_tensor_data(input)));
    const int multi_label = 0;
    if (kind == PROBABILITIES) ok(peft_session_probabilities(b->session, input, multi_label, row));
    else ok(peft_session_predict(b->session, input, row));
    memcpy(out, peft_tensor_cdata(row), CLASSES * sizeof *out);
    peft_tensor_free(input);
    peft_tensor_free(row);
}

/* 7 images with a session of batch 3 (two full batches and one of 1) and of batch 8 (less than a batch); of each pixel
 * type, with 1 and 3 channels. */
START_TEST(predictions_equal_transform_and_session)
{
    static const peft_dtype types[] = { PEFT_U8, PEFT_U16, PEFT_I16, PEFT_F32 };
    static const char *const sizes[] = { "batch=3", "batch=8,threads=2" };
    enum { BY_PIXELS, BY_IMAGES, PIXELS_PROBABILITIES, IMAGES_PROBABILITIES, FUNCTIONS };      /* of a predictor */
    for (int k = 0; k < 16; k++) {
        const peft_dtype type = types[k % 4];
        const int channels = k / 8 ? 3 : 1;
        const bool needs_range = type == PEFT_I16 || type == PEFT_F32;
        fixture b = fixture_make(io_ctx, "classes=3", sizes[k / 4 % 2], needs_range ? NOTE ",range=p1:p99" : NOTE);
        peft_predictor *p;
        float want[CLASSES];
        ok(peft_predictor_create(b.session, NULL, &p));
        peft_tensor *pixels = pixels_of(io_ctx, type, MAX_IMAGES, 23, 31, channels),
            *got = logits_of(io_ctx, MAX_IMAGES);
        const peft_image *images[MAX_IMAGES];
        for (int i = 0; i < MAX_IMAGES; i++) images[i] = image_at(io_ctx, pixels, i);
        for (int function = 0; function < FUNCTIONS; function++) {
            const output kind = function >= PIXELS_PROBABILITIES ? PROBABILITIES : LOGITS;
            memset(peft_tensor_data(got), 0, MAX_IMAGES * CLASSES * sizeof *want);
            if (function == BY_PIXELS) ok(peft_predictor_pixels(p, pixels, got));
            if (function == BY_IMAGES) ok(peft_predictor_images(p, images, MAX_IMAGES, got));
            if (function == PIXELS_PROBABILITIES) ok(peft_predictor_pixels_probabilities(p, pixels, got));
            if (function == IMAGES_PROBABILITIES)
                ok(peft_predictor_images_probabilities(p, images, MAX_IMAGES, got));
            for (int i = 0; i < MAX_IMAGES; i++) {
                predict_one(&b, peft_predictor_transform(p), images[i], kind, want);
                ck_assert_mem_eq((const float *)peft_tensor_cdata(got) + i * CLASSES, want, sizeof want);
            }
        }
        for (int i = 0; i < MAX_IMAGES; i++) peft_image_free((peft_image *)images[i]);
        peft_tensor_free(pixels);
        peft_tensor_free(got);
        peft_predictor_free(p);
        fixture_free(&b);
    }
}
END_TEST

/* Images of different sizes and types in one call, one of them rescaled. */
START_TEST(images_of_different_sizes_and_types_in_one_call)
{
    fixture b = fixture_make(io_ctx, "classes=3", "batch=2", NOTE ",range=p2:p98");
    peft_predictor *p;
    peft_tensor *got = logits_of(io_ctx, 5);
    const peft_image *images[5] = { picture(40, 20, 3, 8, 1), picture(17, 90, 1, 16, 2), picture(40, 20, 3, 8, 3),
                                    NULL, picture(16, 16, 1, 8, 5) };
    peft_image *scaled;
    float want[CLASSES];
    ok(peft_image_rescale(images[1], -0.5, 7, &scaled));
    images[3] = scaled;
    ok(peft_predictor_create(b.session, NULL, &p));
    for (int round = 0; round < 2; round++) {
        ok(peft_predictor_images(p, images, 5, got));
        for (int i = 0; i < 5; i++) {
            predict_one(&b, peft_predictor_transform(p), images[i], LOGITS, want);
            ck_assert_mem_eq((const float *)peft_tensor_cdata(got) + i * CLASSES, want, sizeof want);
        }
    }
    images[3] = NULL;
    fails(PEFT_E_INVALID, "image 3 of the call: predictor: the image is NULL",
          peft_predictor_images(p, images, 5, got));
    for (int i = 0; i < 5; i++) peft_image_free((peft_image *)images[i]);
    peft_image_free(scaled);
    peft_tensor_free(got);
    peft_predictor_free(p);
    fixture_free(&b);
}
END_TEST

/* The head patch_linear predicts classes for each patch: logits [n, 4, 4, classes]. */
START_TEST(per_patch_predictions_equal_the_session)
{
    fixture b = fixture_make(io_ctx, "classes=3,head=patch_linear", "batch=2", NOTE);
    peft_predictor *p;
    ok(peft_predictor_create(b.session, NULL, &p));
    peft_tensor *pixels = pixels_of(io_ctx, PEFT_U8, 3, 20, 20, 3);
    peft_tensor *got = tensor(io_ctx, PEFT_F32, 4, (const int64_t[]){ 3, 4, 4, CLASSES });
    peft_tensor *input = tensor(io_ctx, PEFT_F32, 4, (const int64_t[]){ 1, 3, SIDE, SIDE });
    peft_tensor *want = tensor(io_ctx, PEFT_F32, 4, (const int64_t[]){ 1, 4, 4, CLASSES });
    peft_tensor *flat = logits_of(io_ctx, 3);
    peft_image *im = image_at(io_ctx, pixels, 2);
    ok(peft_predictor_pixels(p, pixels, got));
    ok(peft_transform_apply(peft_predictor_transform(p), im, peft_tensor_data(input)));
    ok(peft_session_predict(b.session, input, want));
    ck_assert_mem_eq((const float *)peft_tensor_cdata(got) + 2 * 16 * CLASSES, peft_tensor_cdata(want),
                     16 * CLASSES * sizeof(float));
    fails(PEFT_E_SHAPE, "given f32 [3, 3], expected f32 [3, 4, 4, 3]", peft_predictor_pixels(p, pixels, flat));
    peft_image_free(im);
    peft_tensor_free(pixels);
    peft_tensor_free(got);
    peft_tensor_free(input);
    peft_tensor_free(want);
    peft_tensor_free(flat);
    peft_predictor_free(p);
    fixture_free(&b);
}
END_TEST

/* After the first call for an image size, calls allocate nothing, for any number of images. A call that fails for lack
 * of memory leaves the predictor usable. */
START_TEST(repeated_calls_allocate_nothing)
{
    static const char *const notes[] = { NOTE, NOTE ",range=p1:p99,grey=true",
                                         "size=16,resize=longest_mean,range=0:99" };
    failing_alloc f = { .fail_at = -1 };
    peft_context *ctx;
    ok(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx));
    for (int k = 0; k < 3; k++) {
        fixture b = fixture_make(ctx, "classes=3", "batch=3", notes[k]);
        peft_predictor *p;
        ok(peft_predictor_create(b.session, NULL, &p));
        peft_tensor *pixels = pixels_of(io_ctx, PEFT_U8, MAX_IMAGES, 33, 21, 3), *out = logits_of(io_ctx, MAX_IMAGES);
        peft_tensor *few = pixels_of(io_ctx, PEFT_U8, 2, 33, 21, 3), *two = logits_of(io_ctx, 2);
        peft_tensor *other = pixels_of(io_ctx, PEFT_U8, 2, 34, 21, 3);
        const peft_image *im = image_at(io_ctx, pixels, 0);
        f.fail_at = f.calls, f.and_after = true;
        fails(PEFT_E_NOMEM, "memory", peft_predictor_pixels(p, pixels, out));
        f.fail_at = -1;
        ok(peft_predictor_pixels(p, pixels, out));
        f.fail_at = f.calls;                                  /* every allocation fails from here on */
        ok(peft_predictor_pixels(p, pixels, out));
        ok(peft_predictor_pixels_probabilities(p, few, two));
        ok(peft_predictor_images(p, (const peft_image *[]){ im, im }, 2, two));
        ck_assert_int_eq(f.calls, f.fail_at);
        fails(PEFT_E_NOMEM, "memory", peft_predictor_pixels(p, other, two));
        f.fail_at = -1;
        ok(peft_predictor_pixels(p, other, two));
        peft_image_free((peft_image *)im);
        peft_tensor *all[] = { pixels, few, other, out, two };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) peft_tensor_free(all[i]);
        peft_predictor_free(p);
        fixture_free(&b);
    }
    peft_context_free(ctx);
    ck_assert_int_eq(f.blocks, 0);
}
END_TEST

static peft_status create_and_free(peft_context *ctx, void *session)
{
    (void)ctx;
    peft_predictor *p = NULL;
    const peft_status s = peft_predictor_create(session, NULL, &p);
    peft_predictor_free(p);
    return s;
}

/* Creation with each allocation failing in turn; the predictor keeps its session, model and context alive. */
START_TEST(creation_survives_failing_allocations)
{
    failing_alloc f = { .fail_at = -1 };
    peft_context *ctx;
    peft_predictor *p;
    ok(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx));
    fixture b = fixture_make(ctx, "classes=3", "batch=3", NOTE);
    const long blocks = f.blocks;
    peft_status s = PEFT_E_NOMEM;
    long allocations = 0;
    for (; s; allocations++) {
        f.fail_at = f.calls + allocations;
        s = create_and_free(ctx, b.session);
        ck_assert(!s || s == PEFT_E_NOMEM);
        ck_assert_int_eq(f.blocks, blocks);
    }
    ck_assert_int_gt(allocations, 4);
    f.fail_at = -1;
    ok(peft_predictor_create(b.session, NULL, &p));
    fixture_free(&b);
    peft_context_free(ctx);
    peft_tensor *pixels = pixels_of(io_ctx, PEFT_U8, 2, 5, 6, 1), *out = logits_of(io_ctx, 2);
    ok(peft_predictor_pixels(p, pixels, out));
    peft_predictor_free(p);
    ck_assert_int_eq(f.blocks, 0);
    peft_tensor_free(pixels);
    peft_tensor_free(out);
}
END_TEST

IO_SUITE_MAIN("predictor", predictions_equal_transform_and_session, images_of_different_sizes_and_types_in_one_call,
              per_patch_predictions_equal_the_session, repeated_calls_allocate_nothing,
              creation_survives_failing_allocations)
