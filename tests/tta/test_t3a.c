/* SPDX-License-Identifier: Apache-2.0
 * test_t3a.c -- kind t3a against the published procedure, written out: all features with their predictions and
 * entropies in one list, of which the `filter` surest of each class are chosen at each call. */
#include <math.h>
#include "adaptors.h"

enum { CLASSES = 3, CALLS = 4, LIST = CLASSES + CALLS * ADAPT_BATCH, FILTER = 4, WIDTH_MAX = 64 };

typedef struct { double x[WIDTH_MAX], entropy; int64_t class; bool chosen; } support;

/* The pooled features [n, width] of shifted images first .. first + n - 1. */
static peft_tensor *features_of(const tiny *t, int n, int first)
{
    peft_session *s = tiny_session(t->model, "batch=%d", n);
    tiny_batch b = shifted_batch(t->model, n, first);
    peft_tensor *x = tiny_tensor(t->ctx, PEFT_F32, 2, n, (int)t->backbone->shape.width);
    OK(peft_session_features(s, b.images, x));
    tiny_batch_free(&b);
    peft_session_free(s);
    return x;
}

/* Sets class and entropy of the prediction for s->x. */
static void classify(const tiny *t, support *s)
{
    const int64_t width = t->backbone->shape.width;
    const float *w = peft_tensor_cdata(peft_param_value(peft_model_find_param(t->model, "head.weight")));
    const float *bias = peft_tensor_cdata(peft_param_value(peft_model_find_param(t->model, "head.bias")));
    double z[CLASSES], sum = 0;
    s->class = 0;
    for (int64_t c = 0; c < CLASSES; c++) {
        z[c] = bias[c];
        for (int64_t i = 0; i < width; i++) z[c] += w[c * width + i] * s->x[i];
        if (z[c] > z[s->class]) s->class = c;
    }
    for (int64_t c = 0; c < CLASSES; c++) sum += exp(z[c]);
    s->entropy = 0;
    for (int64_t c = 0; c < CLASSES; c++) s->entropy -= exp(z[c]) / sum * log(exp(z[c]) / sum);
}

static double length_of(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* Marks the FILTER supports of lowest entropy of each class among the first n. */
static void choose(support *list, int n)
{
    for (int i = 0; i < n; i++) {
        int surer = 0;
        for (int k = 0; k < n; k++)
            surer += list[k].class == list[i].class && (list[k].entropy < list[i].entropy
                                                        || (list[k].entropy == list[i].entropy && k < i));
        list[i].chosen = surer < FILTER;
    }
}

static void expect_logits(const support *list, int n, int64_t width, const float *x, const float *logits)
{
    for (int64_t c = 0; c < CLASSES; c++) {
        double sum[WIDTH_MAX] = { 0 }, want = 0;
        for (int i = 0; i < n; i++)
            for (int64_t k = 0; k < width && list[i].chosen && list[i].class == c; k++)
                sum[k] += list[i].x[k] / length_of(list[i].x, width);
        const double length = length_of(sum, width);
        for (int64_t k = 0; k < width; k++) want += length > 0 ? x[k] * sum[k] / length : 0;
        ck_assert_double_eq_tol(logits[c], want, 2e-5);
    }
}

/* Changes the head's weights so that several classes are predicted. */
static void spread_classes(const tiny *t)
{
    peft_tensor *x = features_of(t, ADAPT_BATCH, 0);
    float *w = peft_tensor_data(peft_param_value(peft_model_find_param(t->model, "head.weight")));
    const int64_t width = t->backbone->shape.width;
    const float *p = peft_tensor_cdata(x);
    for (int64_t c = 0; c < CLASSES; c++)        /* class c: what distinguishes image c from the first ones */
        for (int64_t k = 0; k < width; k++)
            w[c * width + k] = p[c * width + k] - (p[k] + p[width + k] + p[2 * width + k]) / 3;
    peft_tensor_free(x);
}

START_TEST(logits_are_those_of_the_published_procedure)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    static support list[LIST];
    const int64_t width = t.backbone->shape.width;
    int n = 0, predicted = 0;                                 /* predicted: bit c, class c */
    ck_assert_int_le(width, WIDTH_MAX);
    spread_classes(&t);
    peft_adaptor *a = adaptor_make(t.model, "kind=t3a,batch=%d,filter=%d", ADAPT_BATCH, FILTER);
    const float *w = peft_tensor_cdata(peft_param_value(peft_model_find_param(t.model, "head.weight")));
    for (; n < CLASSES; n++) {
        for (int64_t k = 0; k < width; k++) list[n].x[k] = w[n * width + k];
        classify(&t, &list[n]);
    }
    for (int call = 0; call < CALLS; call++) {
        peft_tensor *x = features_of(&t, ADAPT_BATCH, 10 * call), *logits = adapt_on(a, ADAPT_BATCH, 10 * call);
        const float *p = peft_tensor_cdata(x), *y = peft_tensor_cdata(logits);
        for (int i = 0; i < ADAPT_BATCH; i++, n++) {
            for (int64_t k = 0; k < width; k++) list[n].x[k] = p[i * width + k];
            classify(&t, &list[n]);
        }
        choose(list, n);
        for (int i = 0; i < ADAPT_BATCH; i++) expect_logits(list, n, width, p + i * width, y + i * CLASSES);
        peft_tensor_free(x);
        peft_tensor_free(logits);
    }
    int chosen = 0, dropped = 0;
    for (int i = 0; i < n; i++) {
        chosen += list[i].chosen;
        dropped += !list[i].chosen;
        predicted |= 1 << list[i].class;
    }
    ck_assert_int_eq((int64_t)figure(a, "supports"), chosen);
    ck_assert_int_eq(predicted, (1 << CLASSES) - 1);          /* the test has predictions of every class, and */
    ck_assert_int_gt(dropped, 0);                             /* supports that were not sure enough */
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

START_TEST(other_heads_are_refused)
{
    static const char *const heads[] = { "mlp", "patch_linear" };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char text[40];
        snprintf(text, sizeof text, "classes=3,head=%s", heads[i]);
        tiny t = tiny_make(&(tiny_spec){ .model = text });
        adaptor_refused(t.model, PEFT_E_UNSUPPORTED, "expected a linear classifier", "kind=t3a");
        tiny_free(&t);
    }
    tiny own = tiny_make(&(tiny_spec){ .model = "classes=0" });       /* the backbone's own classifier is linear */
    peft_adaptor_free(adaptor_make(own.model, "kind=t3a"));
    tiny_free(&own);
}
END_TEST

/* NaN in the classifier is an error, which lasts until the model's head is correct and the adaptor is reset. */
START_TEST(a_classifier_with_nan_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    float *w = peft_tensor_data(peft_param_value(peft_model_find_param(t.model, "head.weight")));
    const float good = w[0];
    tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, CLASSES);
    w[0] = NAN;
    peft_adaptor *a = ready_adaptor(t.model, "t3a", "");
    FAILS(PEFT_E_NONFINITE, "row of class 0", peft_adaptor_predict(a, b.images, logits));
    ck_assert_int_eq((int64_t)figure(a, "batches"), 0);
    w[0] = good;
    OK(peft_adaptor_reset(a));
    peft_adaptor *fresh = ready_adaptor(t.model, "t3a", "");
    same_adaptation(a, fresh, 0, "after the classifier was corrected");
    peft_adaptor_free(a);
    peft_adaptor_free(fresh);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("t3a", logits_are_those_of_the_published_procedure, other_heads_are_refused,
           a_classifier_with_nan_is_refused)
