/* SPDX-License-Identifier: Apache-2.0
 * test_features.c -- peft_session_features: pooled features equal the tap `feature` for every method; models without a
 * head (head=none). */
#include <math.h>
#include "tiny.h"

enum { N = 3, WIDTH = 48 };

/* Features of n images, numbered from first. */
static peft_tensor *features(peft_model *m, int n, int first)
{
    peft_session *s = tiny_session(m, "batch=%d", N);
    tiny_batch b = tiny_batch_make(m, n, first);
    peft_tensor *f = tiny_tensor(m->backbone->ctx, PF_REAL, 2, n, WIDTH);
    OK(peft_session_features(s, b.images, f));
    tiny_finite(f, "features");
    peft_session_free(s);
    tiny_batch_free(&b);
    return f;
}

static void check_same(const peft_tensor *a, const peft_tensor *b, int n, const char *name)
{
    ck_assert_msg(!memcmp(peft_tensor_cdata(a), peft_tensor_cdata(b), (size_t)(n * WIDTH) * sizeof(pk_real)),
                  "%s: features differ", name);
}

/* Features equal the tap's rows for any number of images, do not depend on the head, and are the same from a session
 * with the tap. Methods with a network of their own have no pooled feature. */
START_TEST(features_equal_the_tap)
{
    static const char *const models[] = { "head=none", "classes=3", "classes=0", "classes=4,head=mlp,head_layers=1" };
    for (size_t k = 0; k < tiny_method_count(); k++) {
        const char *method = tiny_method_name(k);
        if (tiny_method_named(method)->network) continue;
        for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
            tiny t = tiny_make(&(tiny_spec){ .method = method, .model = models[i] });
            tiny headless = tiny_make(&(tiny_spec){ .method = method, .model = "head=none" });
            peft_session *s = tiny_session(t.model, "batch=%d,taps=feature", N);
            for (int n = 1; n <= N; n++) {
                tiny_batch b = tiny_batch_make(t.model, n, n);
                peft_tensor *f = features(t.model, n, n), *headless_features = features(headless.model, n, n),
                            *again = tiny_tensor(t.ctx, PF_REAL, 2, n, WIDTH);
                OK(peft_session_features(s, b.images, again));
                check_same(f, tiny_tap(s, "feature"), n, method);
                check_same(f, again, n, method);
                check_same(f, headless_features, n, method);
                peft_tensor_free(f);
                peft_tensor_free(headless_features);
                peft_tensor_free(again);
                tiny_batch_free(&b);
            }
            peft_session_free(s);
            tiny_free(&headless);
            tiny_free(&t);
        }
    }
}
END_TEST

/* The logits of a linear head equal W f + b of the features f, with either pooling. */
START_TEST(logits_equal_the_head_of_the_features)
{
    static const char *const pools[] = { "cls", "mean" };
    for (int p = 0; p < 2; p++) {
        char model[64];
        snprintf(model, sizeof model, "classes=3,pool=%s", pools[p]);
        tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = model });
        peft_session *s = tiny_session(t.model, "batch=%d", N);
        tiny_batch b = tiny_first_batch(t.model, N);
        peft_tensor *f = features(t.model, N, 0), *logits = tiny_tensor(t.ctx, PF_REAL, 2, N, 3);
        OK(peft_session_predict(s, b.images, logits));
        const pk_real *x = peft_tensor_cdata(f), *y = peft_tensor_cdata(logits),
            *w = peft_tensor_cdata(peft_param_value(peft_model_find_param(t.model, "head.weight"))),
            *bias = peft_tensor_cdata(peft_param_value(peft_model_find_param(t.model, "head.bias")));
        for (int i = 0; i < N * 3; i++) {
            double z = (double)bias[i % 3];
            for (int k = 0; k < WIDTH; k++) z += (double)w[i % 3 * WIDTH + k] * (double)x[i / 3 * WIDTH + k];
            ck_assert_double_eq_tol((double)y[i], z, 1e-5);
        }
        peft_tensor_free(f);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
        peft_session_free(s);
        tiny_free(&t);
    }
}
END_TEST

/* head=none on a backbone without a classifier: features survive saving, loading, export and merging. */
START_TEST(a_model_without_a_head_is_saved_and_merged)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "classes=0", .method = "lora", .model = "head=none" });
    int64_t dims[PEFT_MAX_DIMS];
    peft_model *loaded, *merged;
    peft_backbone *b;
    ck_assert_int_eq(peft_model_classes(t.model), 0);
    ck_assert_int_eq(peft_model_output(t.model, dims), 0);
    ck_assert_uint_eq(peft_model_param_count(t.model), peft_adapter_param_count(t.adapter));
    peft_tensor *f = features(t.model, N, 0), *g;

    OK(peft_model_save(t.model, tiny_path("model")));
    OK(peft_model_load(t.backbone, tiny_path("model"), &loaded));
    ck_assert_int_eq(peft_model_classes(loaded), 0);
    g = features(loaded, N, 0);
    check_same(f, g, N, "loaded");
    peft_tensor_free(g);
    peft_model_free(loaded);

    OK(peft_model_save_hf(t.model, tiny_path("hf"), NULL));
    OK(peft_model_load_hf(t.backbone, tiny_path("hf"), &loaded));
    ck_assert_int_eq(peft_model_classes(loaded), 0);
    g = features(loaded, N, 0);
    check_same(f, g, N, "PEFT directory");
    peft_tensor_free(g);
    peft_model_free(loaded);

    OK(peft_model_merge(t.model, &b));
    ck_assert_int_eq(peft_backbone_get(b, "classes"), 0);
    merged = tiny_model(b, "head=none");
    g = features(merged, N, 0);
    const pk_real *x = peft_tensor_cdata(f), *y = peft_tensor_cdata(g);
    for (int i = 0; i < N * WIDTH; i++) ck_assert_double_eq_tol((double)x[i], (double)y[i], 1e-4);
    peft_tensor_free(g);
    peft_model_free(merged);
    peft_backbone_free(b);
    peft_tensor_free(f);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* The merged backbone of a model without a head has no classifier, even if the model's backbone has one. */
START_TEST(merging_without_a_head_drops_the_classifier)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "bitfit", .model = "head=none" });
    peft_backbone *b;
    ck_assert_int_eq(peft_backbone_get(t.backbone, "classes"), 5);
    OK(peft_model_merge(t.model, &b));
    ck_assert_int_eq(peft_backbone_get(b, "classes"), 0);
    peft_backbone_free(b);
    tiny_free(&t);
}
END_TEST

/* Without a head the features are compared: those of the merged backbone are the model's up to rounding, those of the
 * backbone without the adapter are not. */
START_TEST(merge_drift_without_a_head_compares_features)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "classes=0", .method = "lora", .model = "head=none" });
    peft_backbone *b, *wider = tiny_backbone(t.ctx, NULL, "width=96");
    double relative, unadapted;
    OK(peft_model_merge(t.model, &b));
    OK(peft_model_merge_drift(t.model, b, NULL, NULL, &relative));
    OK(peft_model_merge_drift(t.model, t.backbone, NULL, NULL, &unadapted));
    ck_assert_double_lt(relative, 1e-5);
    ck_assert_double_gt(unadapted, 1e-3);
    FAILS(PEFT_E_MISMATCH, "features of width 96", peft_model_merge_drift(t.model, wider, NULL, NULL, NULL));
    peft_backbone_free(wider);
    peft_backbone_free(b);
    tiny_free(&t);
}
END_TEST

/* The status of creating a model with these options. */
static peft_status try_model(peft_backbone *b, const char *text)
{
    peft_model *m = NULL;
    peft_options *o = tiny_options(b->ctx, "%s", text);
    const peft_status s = peft_model_create(b, o, &m);
    peft_options_free(o);
    peft_model_free(m);
    return s;
}

START_TEST(a_model_without_a_head_refuses_logits)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "classes=0", .model = "head=none" });
    peft_session *s = tiny_session(t.model, "batch=%d", N);
    tiny_batch b = { .images = tiny_tensor(t.ctx, PEFT_F32, 4, N, 3, 16, 16) };
    peft_tensor *out = tiny_tensor(t.ctx, PF_REAL, 2, N, WIDTH), *narrow = tiny_tensor(t.ctx, PF_REAL, 2, N, 2);
    peft_trainer *r = NULL;
    FAILS(PEFT_E_UNSUPPORTED, "head=none and makes no logits", peft_session_predict(s, b.images, out));
    FAILS(PEFT_E_UNSUPPORTED, "peft_session_features", peft_session_probabilities(s, b.images, 0, out));
    FAILS(PEFT_E_UNSUPPORTED, "a trainer: the model was created with head=none",
          peft_trainer_create(t.model, NULL, &r));
    FAILS(PEFT_E_OPTION, "classes: given 3, but head=none", try_model(t.backbone, "classes=3,head=none"));
    FAILS(PEFT_E_OPTION, "head_init: given 'zero'", try_model(t.backbone, "head=none,head_init=zero"));
    FAILS(PEFT_E_OPTION, "or head=none for features", try_model(t.backbone, ""));
    OK(peft_session_features(s, b.images, out));                        /* the session stays usable */
    FAILS(PEFT_E_SHAPE, "given [3, 2], expected [3, 48]", peft_session_features(s, b.images, narrow));
    FAILS(PEFT_E_INVALID, "NULL", peft_session_features(s, b.images, NULL));
    FAILS(PEFT_E_INVALID, "images", peft_session_features(s, NULL, out));
    FAILS(PEFT_E_INVALID, "session", peft_session_features(NULL, b.images, out));
    ((float *)peft_tensor_data(b.images))[3 * 16 * 16] = NAN;
    FAILS(PEFT_E_NONFINITE, "image 1 of the call, counted from 0: the feature 0",
          peft_session_features(s, b.images, out));
    peft_tensor_free(out);
    peft_tensor_free(narrow);
    peft_tensor_free(b.images);
    peft_session_free(s);
    tiny_free(&t);
}
END_TEST

START_TEST(models_without_a_pooled_feature_refuse)
{
    tiny patch_head = tiny_make(&(tiny_spec){ .model = "classes=3,head=patch_linear" });
    tiny fpt = tiny_make(&(tiny_spec){ .method = "fpt" });
    peft_session *patch_session = tiny_session(patch_head.model, "batch=%d,taps=feature", N),
        *fpt_session = tiny_session(fpt.model, "batch=%d", N);
    tiny_batch b = tiny_first_batch(fpt.model, N);
    peft_tensor *out = tiny_tensor(fpt.ctx, PF_REAL, 2, N, WIDTH);
    FAILS(PEFT_E_UNSUPPORTED, "head=patch_linear", peft_session_features(patch_session, b.images, out));
    FAILS(PEFT_E_UNSUPPORTED, "method 'fpt'", peft_session_features(fpt_session, b.images, out));
    peft_tensor_free(out);
    tiny_batch_free(&b);
    peft_session_free(patch_session);
    peft_session_free(fpt_session);
    tiny_free(&patch_head);
    tiny_free(&fpt);
}
END_TEST

SUITE_MAIN("features", features_equal_the_tap, logits_equal_the_head_of_the_features,
           a_model_without_a_head_is_saved_and_merged, merging_without_a_head_drops_the_classifier,
           a_model_without_a_head_refuses_logits, merge_drift_without_a_head_compares_features,
           models_without_a_pooled_feature_refuse)
