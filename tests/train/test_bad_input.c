/* SPDX-License-Identifier: Apache-2.0
 * test_bad_input.c -- what a trainer refuses: NaN and infinity in images, targets or parameters, wrong labels, shapes,
 * types, options and NULL. After a refusal training goes on to the same bits as without the refused call. */
#include <math.h>
#include "tiny_bits.h"

enum { N = 3 };

/* Which value to overwrite, and with what: NaN at even numbers, infinity at odd ones. */
typedef enum { IMAGE_NAN, IMAGE_INF, TARGET_NAN, TARGET_INF, PARAM_NAN, PARAM_INF, NOTHING } bad_value;

/* The element to overwrite: in the middle of the images, the targets or a parameter. */
static float *element_to_overwrite(peft_trainer *t, tiny_batch *b, bad_value bad)
{
    peft_model *m = t->model;
    peft_tensor *x = bad <= IMAGE_INF ? b->images : bad <= TARGET_INF ? b->targets
                   : peft_param_value(peft_model_param(m, peft_model_param_count(m) / 2));
    return (float *)peft_tensor_data(x) + peft_tensor_count(x) / 2;
}

/* Records the bits of six steps. Before steps 0 and 3 a batch with the value `bad` is refused; NOTHING: no batch is. */
static void record(const tiny_spec *spec, const char *options, bad_value bad, tiny_bits *bits)
{
    tiny t = tiny_make(spec);
    bool bce = strstr(options, "bce");
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,lr=1e-2%s", N, options);
    int64_t per_update = r->accumulate;
    for (int i = 0; i < 6; i++) {
        tiny_batch b = tiny_batch_make(t.model, N, i % 3 * N);
        /* the feature cache holds this batch from step 0, so its images are not read again */
        bool cached = i && strstr(options, "cache");
        if (bad != NOTHING && i % 3 == 0 && !cached) {
            tiny_bits before = { 0 }, after = { 0 };
            float *element = element_to_overwrite(r, &b, bad), saved = *element;
            const peft_tensor *y = bce ? b.targets : b.labels;
            double step = peft_trainer_get(r, "step");
            /* this pass is dropped with the refused one */
            if (per_update > 1) OK(peft_trainer_backward(r, b.images, y, b.ids));
            *element = bad % 2 == 0 ? NAN : INFINITY;
            /* The refused step drops the pass before it and takes back what that did to running statistics: with
             * accumulation the state differs from the one before, so it is not compared. */
            if (per_update == 1) tiny_bits_training(&before, r);
            peft_status status = peft_trainer_step(r, b.images, y, b.ids);
            const bool label = bad == TARGET_NAN || bad == TARGET_INF;
            ck_assert_msg(status == (label ? PEFT_E_INVALID : PEFT_E_NONFINITE) &&
                              strstr(peft_last_error(), label ? "labels["
                                     : bad <= IMAGE_INF ? "sample 1 of the batch (sample id" : "loss"),
                "%s, %s%s, bad value %d: %s: loss %g", spec->method,
                          spec->model, options, (int)bad, peft_status_name(status), peft_trainer_get(r, "loss"));
            if (per_update == 1) tiny_bits_training(&after, r);
            tiny_same(&before, &after, spec->method);
            tiny_bits_free(&before);
            ck_assert(peft_trainer_get(r, "step") == step);
            *element = saved;
        }
        OK(peft_trainer_step(r, b.images, bce ? b.targets : b.labels, b.ids));
        tiny_batch_free(&b);
    }
    tiny_bits_training(bits, r);
    peft_trainer_free(r);
    tiny_free(&t);
}

/* Six steps with refused batches between them end with the same bits as without. */
static void check(const tiny_spec *spec, const char *options, bad_value bad)
{
    tiny_bits clean = { 0 }, after_refusals = { 0 };
    char name[128];
    record(spec, options, NOTHING, &clean);
    record(spec, options, bad, &after_refusals);
    snprintf(name, sizeof name, "%s%s, bad value %d", spec->method, options, (int)bad);
    tiny_same(&clean, &after_refusals, name);
    tiny_bits_free(&clean);
}

START_TEST(every_method_refuses_nan_in_images)
{
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (const char *const *isa = pk_isas(); *isa; isa++)
            check(&(tiny_spec){ .isa = *isa, .method = tiny_method_name(i),
                                .model = i % 2 ? "classes=3,head=mlp,head_layers=1,pool=mean" : "classes=3" }, "",
                                    IMAGE_NAN);
}
END_TEST

START_TEST(nan_and_infinity_are_refused_wherever_they_are)
{
    static const char *const options[] = { "", ",loss=bce", ",loss=bce_sum,optimizer=sgd", ",accumulate=3",
        ",cache_features=100000",
                                           ",clip_norm=1,executor=naive" };
    static const char *const heads[] = { "classes=3", "classes=3,head=bn_linear", "classes=3,head=mlp,head_layers=1" };
    for (size_t k = 0; k < sizeof options / sizeof *options; k++)
        for (int h = 0; h < 3; h++)
            for (bad_value bad = 0; bad < NOTHING; bad++) {
                if (!strstr(options[k], "bce") && (bad == TARGET_NAN || bad == TARGET_INF)) continue;
                check(&(tiny_spec){ .method = h ? "linear" : "ept", .model = heads[h] }, options[k], bad);
            }
}
END_TEST

/* The loss is finite, its gradients overflow: the step is refused before the update. */
START_TEST(overflowing_gradients_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ln_tune", .model = "classes=3,head_init=zero" });
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,loss=bce_sum,class_weights=\"1e30,1e30,1e30\"", N);
    tiny_batch b = tiny_first_batch(t.model, N);
    tiny_bits before = { 0 }, after = { 0 };
    peft_tensor *gamma = peft_param_value(peft_model_find_param(t.model, "norm.weight"));
    peft_tensor *head = peft_param_value(peft_model_find_param(t.model, "head.weight"));
    for (int64_t i = 0; i < peft_tensor_count(gamma); i++) ((float *)peft_tensor_data(gamma))[i] = 1e12f;
    memset(peft_tensor_data(head), 0, pf_tensor_bytes(head));
    tiny_bits_training(&before, r);
    FAILS(PEFT_E_NONFINITE, "gradients", peft_trainer_step(r, b.images, b.targets, NULL));
    tiny_bits_training(&after, r);
    tiny_same(&before, &after, "overflow");
    FAILS(PEFT_E_STATE, "backward", peft_trainer_update(r));
    tiny_bits_free(&before);
    tiny_batch_free(&b);
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

START_TEST(wrong_options_are_refused_by_name)
{
    static const char *const bad[] = { "lr=nan", "lr=inf", "lr=-1", "weight_decay=nan", "weight_decay=-1", "beta1=1",
        "beta2=1",
        "beta1=nan", "eps=0", "eps=inf", "momentum=2", "clip_norm=nan", "clip_norm=-1", "batch=0", "batch=2.5",
        "accumulate=0",
        "label_smoothing=1.5", "label_smoothing=nan", "schedule=linear", "schedule=cosine", "optimizer=adam",
        "loss=mse",
        "weight_reduction=sum", "class_weights=\"1,2\"", "class_weights=\"1,2,nan\"", "class_weights=\"1,2,-3\"",
        "class_weights=\"[1,2,3],4\"", "class_weights=\"1,2,3]x\"", "class_weights=\"[1,2,3\"",
        "class_weights=\"1,2,3,4\"", "class_weights=\"a,b,c\"", "executor=fast", "threads=-1", "cache_features=-1",
        "schedule=warmup_cosine,steps=3,warmup=9", "min_lr=2,schedule=cosine,steps=9,lr=1", "warmup=3",
        "learning_rate=1" };
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[64];
        peft_trainer *r = NULL;
        peft_options *o = tiny_options(t.ctx, "%s", bad[i]);
        /* The message names the first option, except of settings that do not fit together: schedule=cosine lacks the
         * option steps; warmup=9 exceeds steps=3; min_lr=2 exceeds lr=1. */
        snprintf(name, sizeof name, "%.*s", (int)strcspn(bad[i], "="), bad[i]);
        if (!strcmp(bad[i], "schedule=cosine")) strcpy(name, "steps");
        if (strchr(bad[i], ',') && !strchr(bad[i], '"')) strcpy(name, *bad[i] == 's' ? "warmup" : "min_lr");
        peft_status s = peft_trainer_create(t.model, o, &r);
        ck_assert_msg(s == PEFT_E_OPTION && !r, "%s: %s", bad[i], peft_status_name(s));
        ck_assert_msg(strstr(peft_last_error(), name), "%s: %s", bad[i], peft_last_error());
        peft_options_free(o);
    }
    tiny_free(&t);
}
END_TEST

/* --- labels, shapes, types, NULLs ------------------------------------------------------------- */
/* A step that frees both tensors. */
static peft_status step(peft_trainer *r, peft_tensor *images, peft_tensor *labels)
{
    peft_status s = peft_trainer_step(r, images, labels, NULL);
    peft_tensor_free(images);
    peft_tensor_free(labels);
    return s;
}

START_TEST(wrong_tensors_of_a_step_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_trainer *ce = tiny_trainer(t.model, "batch=%d", N);
    tiny_bits before = { 0 }, after = { 0 };
    peft_context *c = t.ctx;
#define IMAGES(n, side) tiny_tensor(c, PEFT_F32, 4, n, 3, side, side)
#define LABELS(n) tiny_tensor(c, PEFT_I64, 1, n)
    tiny_bits_training(&before, ce);
    FAILS(PEFT_E_SHAPE, "images: given [4, 3, 16, 16], expected [1..3, 3, 16, 16]", step(ce, IMAGES(4, 16), LABELS(4)));
    FAILS(PEFT_E_SHAPE, "images: given [0, 3, 16, 16]", step(ce, IMAGES(0, 16), LABELS(0)));
    FAILS(PEFT_E_SHAPE, "images: given [3, 3, 20, 20]", step(ce, IMAGES(3, 20), LABELS(3)));
    FAILS(PEFT_E_SHAPE, "images: given [3, 1, 16, 16]", step(ce, tiny_tensor(c, PEFT_F32, 4, 3, 1, 16, 16), LABELS(3)));
    FAILS(PEFT_E_SHAPE, "images: given [3, 16, 16]", step(ce, tiny_tensor(c, PEFT_F32, 3, 3, 16, 16), LABELS(3)));
    FAILS(PEFT_E_DTYPE, "images: given u8, expected f32", step(ce, tiny_tensor(c, PEFT_U8, 4, 3, 3, 16, 16),
        LABELS(3)));
    FAILS(PEFT_E_SHAPE, "labels: given [2], expected [3]", step(ce, IMAGES(3, 16), LABELS(2)));
    FAILS(PEFT_E_SHAPE, "labels: given [3, 1], expected [3]", step(ce, IMAGES(3, 16),
        tiny_tensor(c, PEFT_I64, 2, 3, 1)));
    FAILS(PEFT_E_DTYPE, "labels: given i32 [3], expected i64 [3], class numbers",
          step(ce, IMAGES(3, 16), tiny_tensor(c, PEFT_I32, 1, 3)));
    FAILS(PEFT_E_INVALID, "images is NULL", step(ce, NULL, LABELS(3)));
    FAILS(PEFT_E_INVALID, "labels is NULL", step(ce, IMAGES(3, 16), NULL));
    FAILS(PEFT_E_INVALID, "trainer is NULL", step(NULL, IMAGES(3, 16), LABELS(3)));
    static const int64_t labels[] = { 3, -1, INT64_MAX, INT64_MIN };
    for (int i = 0; i < 4; i++) {
        char text[64];
        peft_tensor *y = LABELS(3);
        ((int64_t *)peft_tensor_data(y))[1] = labels[i];
        snprintf(text, sizeof text, "labels[1]: given %lld, expected 0 to 2", (long long)labels[i]);
        FAILS(PEFT_E_INVALID, text, step(ce, IMAGES(3, 16), y));
    }
    tiny_bits_training(&after, ce);
    tiny_same(&before, &after, "refused tensors");
    ck_assert_ptr_null(peft_trainer_logits(ce));
    OK(step(ce, IMAGES(3, 16), LABELS(3)));
    peft_trainer_free(ce);
    peft_trainer *bce = tiny_trainer(t.model, "batch=%d,loss=bce", N);
    FAILS(PEFT_E_DTYPE, "labels: given i64 [3], expected f32 or f64 [3, 3], values for",
          step(bce, IMAGES(3, 16), LABELS(3)));
    FAILS(PEFT_E_SHAPE, "labels: given [3, 4], expected [3, 3]", step(bce, IMAGES(3, 16),
        tiny_tensor(c, PEFT_F32, 2, 3, 4)));
    FAILS(PEFT_E_SHAPE, "labels: given [3], expected [3, 3]", step(bce, IMAGES(3, 16), tiny_tensor(c, PEFT_F32, 1, 3)));
    OK(step(bce, IMAGES(3, 16), tiny_tensor(c, PEFT_F32, 2, 3, 3)));
    peft_trainer_free(bce);
    tiny_bits_free(&before);
    tiny_free(&t);
}
END_TEST

START_TEST(wrong_arguments_of_predictions_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    peft_trainer *r = tiny_trainer(t.model, "batch=%d", N);
    peft_session *s = tiny_session(t.model, "batch=%d,taps=feature", N), *unknown_tap = NULL;
    tiny_batch b = tiny_first_batch(t.model, N);
    peft_tensor *narrow = tiny_tensor(t.ctx, PEFT_F32, 2, N, 2), *wrong = tiny_tensor(t.ctx, PEFT_I64, 2, N, 3);
    peft_options *o = tiny_options(t.ctx, "taps=\"embed,block.9\"");
    REFUSES("tap 'feature': nothing predicted yet", peft_session_tap(s, "feature"));
    REFUSES("tap 'embed': not among the session's taps 'feature'", peft_session_tap(s, "embed"));
    REFUSES("tap is NULL", peft_session_tap(s, NULL));
    REFUSES("session is NULL", peft_session_tap(NULL, "feature"));
    FAILS(PEFT_E_SHAPE, "given [3, 2], expected [3, 3]", peft_session_predict(s, b.images, narrow));
    FAILS(PEFT_E_DTYPE, "given i64", peft_session_probabilities(s, b.images, 0, wrong));
    FAILS(PEFT_E_INVALID, "NULL", peft_session_predict(s, b.images, NULL));
    FAILS(PEFT_E_INVALID, "images", peft_session_predict(s, NULL, narrow));
    FAILS(PEFT_E_INVALID, "session", peft_session_predict(NULL, b.images, narrow));
    FAILS(PEFT_E_SHAPE, "given [3, 2], expected [3, 3]", peft_trainer_evaluate(r, b.images, narrow));
    FAILS(PEFT_E_INVALID, "NULL", peft_trainer_evaluate(r, b.images, NULL));
    FAILS(PEFT_E_INVALID, "trainer", peft_trainer_evaluate(NULL, b.images, narrow));
    FAILS(PEFT_E_NOTFOUND, "block.9", peft_session_create(t.model, o, &unknown_tap));
    FAILS(PEFT_E_NOTFOUND, "head.*x", peft_trainer_group(r, "head.*x", 1, 0));
    FAILS(PEFT_E_INVALID, "lr_scale", peft_trainer_group(r, "*", NAN, 0));
    FAILS(PEFT_E_INVALID, "weight_decay", peft_trainer_group(r, "*", 1, -1));
    FAILS(PEFT_E_INVALID, "pattern", peft_trainer_group(r, NULL, 1, 0));
    FAILS(PEFT_E_INVALID, "next", peft_trainer_fit(r, 1, NULL, NULL, NULL));
    ck_assert(isnan(peft_trainer_get(r, "no such figure")) && isnan(peft_trainer_get(NULL, "loss")));
    peft_options_free(o);
    peft_tensor_free(narrow);
    peft_tensor_free(wrong);
    tiny_batch_free(&b);
    peft_session_free(s);
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("bad_input", every_method_refuses_nan_in_images, nan_and_infinity_are_refused_wherever_they_are,
           overflowing_gradients_are_refused, wrong_options_are_refused_by_name, wrong_tensors_of_a_step_are_refused,
           wrong_arguments_of_predictions_are_refused)
