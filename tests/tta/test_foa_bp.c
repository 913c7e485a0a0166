/* SPDX-License-Identifier: Apache-2.0
 * test_foa_bp.c -- kind foa_bp and statistics of training images: their values against those of a session's taps, any
 * division into calls, storage in a model file, the loss, and the shift of the predictions' features. */
#include <math.h>
#include "adaptors.h"

enum { IMAGES = 5 };

/* The mean and unbiased deviation of channel c of the pooled feature over training images. */
static void feature_statistics(const tiny *t, int64_t c, double *mean, double *deviation)
{
    const int64_t width = t->backbone->shape.width;
    peft_session *s = tiny_session(t->model, "batch=%d", IMAGES);
    tiny_batch b = tiny_batch_make(t->model, IMAGES, 500);
    peft_tensor *x = tiny_tensor(t->ctx, PEFT_F32, 2, IMAGES, (int)width);
    OK(peft_session_features(s, b.images, x));
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < IMAGES; i++) sum += ((float *)x->data)[i * width + c];
    for (int64_t i = 0; i < IMAGES; i++) squares += pow(((float *)x->data)[i * width + c] - sum / IMAGES, 2);
    *mean = sum / IMAGES;
    *deviation = sqrt(squares / (IMAGES - 1));
    peft_tensor_free(x);
    tiny_batch_free(&b);
    peft_session_free(s);
}

START_TEST(statistics_are_mean_and_unbiased_deviation)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *a = adaptor_make(t.model, "kind=foa_bp,batch=%d", ADAPT_BATCH);
    give_source(a, IMAGES, 0);
    const int64_t width = t.backbone->shape.width, last = pf_tta_features(a) - width;
    for (int64_t c = 0; c < width; c++) {
        double mean, deviation;
        feature_statistics(&t, c, &mean, &deviation);
        ck_assert_double_eq_tol(a->statistics.mean[last + c], mean, 1e-5);
        ck_assert_double_eq_tol(a->statistics.deviation[last + c], deviation, 1e-5);
    }
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

/* x [width] normalised, scaled and shifted as the norm of the backbone with this name does. */
static void normalise(const tiny *t, const char *name, const float *x, double *out)
{
    char key[64];
    const int64_t width = t->backbone->shape.width;
    const float *w[2];
    double mean = 0, variance = 0;
    for (int i = 0; i < 2; i++) {
        snprintf(key, sizeof key, "%s.%s", name, i ? "bias" : "weight");
        w[i] = peft_tensor_cdata(pf_model_tensor(t->model, key));
    }
    for (int64_t c = 0; c < width; c++) mean += (double)x[c] / (double)width;
    for (int64_t c = 0; c < width; c++) variance += pow((double)x[c] - mean, 2) / (double)width;
    for (int64_t c = 0; c < width; c++)
        out[c] = (double)w[0][c] * ((double)x[c] - mean) / sqrt(variance + t->backbone->shape.eps) + (double)w[1][c];
}

/* dvpt puts its prompts before the class token: the statistics are those of the class token and not of a prompt. */
START_TEST(statistics_are_those_of_the_class_token)
{
    static const struct { const char *method, *options; int class_row; } cases[] = {
        { "vpt", "tokens=3", 0 }, { "dvpt", "tokens=3", 3 }, { "dvpt", "tokens=3,pool=class", 3 } };
    for (int k = 0; k < 3; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = cases[k].method, .adapter = cases[k].options });
        const int64_t width = t.backbone->shape.width;
        peft_adaptor *a = adaptor_make(t.model, "kind=foa_bp,batch=%d", ADAPT_BATCH);
        give_source(a, IMAGES, 0);
        peft_session *s = tiny_session(t.model, "batch=%d,taps=block.0", IMAGES);
        tiny_batch b = tiny_batch_make(t.model, IMAGES, 500);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, IMAGES, 3);
        OK(peft_session_predict(s, b.images, logits));
        const peft_tensor *tokens = peft_session_tap(s, "block.0");
        double mean[64] = { 0 }, x[64];
        for (int64_t i = 0; i < IMAGES; i++) {
            const int64_t row = i * peft_tensor_dim(tokens, 1) + cases[k].class_row;
            normalise(&t, "blocks.1.norm1", (const float *)peft_tensor_cdata(tokens) + row * width, x);
            for (int64_t c = 0; c < width; c++) mean[c] += x[c] / IMAGES;
        }
        for (int64_t c = 0; c < width; c++) ck_assert_double_eq_tol(a->statistics.mean[c], mean[c], 1e-4);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
        peft_session_free(s);
        peft_adaptor_free(a);
        tiny_free(&t);
    }
}
END_TEST

/* Images in one call, in two and one by one give the same bits. */
START_TEST(the_division_into_calls_does_not_matter)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "vpt" });
    peft_adaptor *a[3];
    for (int i = 0; i < 3; i++) {
        a[i] = adaptor_make(t.model, "kind=foa_bp,batch=%d", ADAPT_BATCH);
        const int step = i == 0 ? IMAGES : i == 1 ? 3 : 1;
        for (int first = 0; first < IMAGES; first += step)
            give_source(a[i], first + step <= IMAGES ? step : IMAGES - first, first);
        ck_assert_int_eq((int64_t)figure(a[i], "source_images"), IMAGES);
    }
    for (int i = 1; i < 3; i++) {
        const size_t bytes = (size_t)pf_tta_features(a[0]) * sizeof(double);
        ck_assert(!memcmp(a[0]->statistics.mean, a[i]->statistics.mean, bytes));
        ck_assert(!memcmp(a[0]->statistics.deviation, a[i]->statistics.deviation, bytes));
    }
    for (int i = 0; i < 3; i++) peft_adaptor_free(a[i]);
    tiny_free(&t);
}
END_TEST

START_TEST(statistics_are_stored_with_the_model)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *a = adaptor_make(t.model, "kind=foa_bp,batch=%d", ADAPT_BATCH);
    tiny_batch b = tiny_batch_make(t.model, ADAPT_BATCH, 0);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
    FAILS(PEFT_E_STATE, "call peft_adaptor_source", peft_adaptor_predict(a, b.images, logits));
    give_source(a, 1, 0);
    FAILS(PEFT_E_STATE, "of which it has 1", peft_adaptor_store_source(a));
    give_source(a, 4, 1);
    OK(peft_adaptor_store_source(a));
    OK(peft_model_save(t.model, tiny_path("model")));
    peft_model *loaded;
    OK(peft_model_load(t.backbone, tiny_path("model"), &loaded));
    peft_adaptor *again = adaptor_make(loaded, "kind=foa_bp,batch=%d", ADAPT_BATCH);
    ck_assert_int_eq((int64_t)figure(again, "source_images"), 5);
    same_adaptation(a, again, 0, "statistics of the model file");
    give_source(again, 3, 0);                             /* replaces those of the model */
    ck_assert_int_eq((int64_t)figure(again, "source_images"), 3);
    OK(peft_model_save(loaded, tiny_path("second")));
    /* statistics of a model that was trained afterwards are not used */
    ((float *)peft_param_value(peft_model_param(loaded, 0))->data)[0] += 1;
    peft_adaptor *late = adaptor_make(loaded, "kind=foa_bp,batch=%d", ADAPT_BATCH);
    ck_assert_int_eq((int64_t)figure(late, "source_images"), 0);
    peft_adaptor *tent = adaptor_make(t.model, "batch=2");
    FAILS(PEFT_E_UNSUPPORTED, "kind=tent uses no statistics", peft_adaptor_store_source(tent));
    peft_adaptor_free(tent);
    peft_adaptor_free(a);
    peft_adaptor_free(again);
    peft_adaptor_free(late);
    peft_model_free(loaded);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Without discrepancy and shift foa_bp is tent. */
START_TEST(without_its_own_parts_it_is_tent)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *a = adaptor_make(t.model, "kind=foa_bp,lambda=0,shift=false,lr=0.5,batch=%d", ADAPT_BATCH);
    peft_adaptor *b = adaptor_make(t.model, "kind=tent,lr=0.5,batch=%d", ADAPT_BATCH);
    give_source(a, IMAGES, 0);
    for (int i = 0; i < 3; i++) {
        peft_tensor *x = adapt_on(a, ADAPT_BATCH, 10 * i), *y = adapt_on(b, ADAPT_BATCH, 10 * i);
        for (int64_t k = 0; k < peft_tensor_count(x); k++)
            ck_assert_double_eq_tol(((float *)x->data)[k], ((float *)y->data)[k], 1e-4);
        ck_assert_double_eq_tol(figure(a, "loss"), figure(b, "loss"), 1e-5);
        ck_assert_double_eq_tol(figure(a, "entropy"), figure(a, "loss"), 1e-6);
        peft_tensor_free(x);
        peft_tensor_free(y);
    }
    peft_adaptor_free(a);
    peft_adaptor_free(b);
    tiny_free(&t);
}
END_TEST

/* The discrepancy of shifted images falls, and the first batch is predicted without a shift. */
START_TEST(features_come_nearer_to_the_training_images)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = adaptor_make(t.model, "kind=foa_bp,lr=0.01,batch=%d", ADAPT_BATCH);
    peft_adaptor *still = adaptor_make(t.model, "kind=foa_bp,lr=0,shift=false,batch=%d", ADAPT_BATCH);
    give_source(a, IMAGES, 0);
    give_source(still, IMAGES, 0);
    double first = 0, last = 0;
    same_tensors(adapt_on(a, ADAPT_BATCH, 0), adapt_on(still, ADAPT_BATCH, 0), "first batch");
    first = figure(a, "loss") - figure(a, "entropy");
    for (int i = 0; i < 15; i++) peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
    last = figure(a, "loss") - figure(a, "entropy");
    ck_assert_msg(last < 0.8 * first, "discrepancy %g, then %g", first, last);
    peft_adaptor_free(a);
    peft_adaptor_free(still);
    tiny_free(&t);
}
END_TEST

/* A second batch of the same images is predicted from features moved by M - h, h the mean of the first batch. */
START_TEST(predictions_are_of_moved_features)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = adaptor_make(t.model, "kind=foa_bp,lr=0,batch=%d", ADAPT_BATCH);
    give_source(a, IMAGES, 0);
    const int64_t width = t.backbone->shape.width, last = pf_tta_features(a) - width;
    const float *w = peft_param_value(peft_model_find_param(t.model, "head.weight"))->data;
    peft_tensor *x = adapt_on(a, ADAPT_BATCH, 0), *y = adapt_on(a, ADAPT_BATCH, 0);
    const pf_mat f = pf_matrix(&a->net.exec.run, a->tap[t.backbone->shape.depth - 1]);
    for (int64_t k = 0; k < 3; k++) {
        double moved = 0;
        for (int64_t c = 0; c < width; c++) {
            double h = 0;
            for (int64_t i = 0; i < f.rows; i++) h += f.p[i * f.ld + c];
            moved += w[k * width + c] * (a->statistics.mean[last + c] - h / (double)f.rows);
        }
        for (int64_t i = 0; i < ADAPT_BATCH; i++)
            ck_assert_double_eq_tol(((float *)y->data)[i * 3 + k] - ((float *)x->data)[i * 3 + k], moved, 1e-4);
    }
    peft_tensor_free(x);
    peft_tensor_free(y);
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

START_TEST(options_of_other_kinds_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    adaptor_refused(t.model, PEFT_E_OPTION, "lambda: given '3', but kind=tent does not read it (read by: foa, foa_bp",
                    "kind=tent,lambda=3");
    adaptor_refused(t.model, PEFT_E_OPTION, "predict: given 'after', but kind=foa_bp does not read it",
                    "kind=foa_bp,predict=after");
    peft_adaptor_free(adaptor_make(t.model, "kind=tent,lambda=30"));            /* the default changes nothing */
    tiny_free(&t);
}
END_TEST

/* A head whose logits a method's network makes, in a model without that method: an error and no call of a function that
 * the head lacks. */
START_TEST(a_head_without_logits_of_its_own_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .model = "classes=3,head=side_encoder" });
    adaptor_refused(t.model, PEFT_E_STATE, "side_encoder", "kind=foa_bp");
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("foa_bp", statistics_are_mean_and_unbiased_deviation, statistics_are_those_of_the_class_token,
           the_division_into_calls_does_not_matter, statistics_are_stored_with_the_model,
           without_its_own_parts_it_is_tent, features_come_nearer_to_the_training_images,
           predictions_are_of_moved_features, options_of_other_kinds_are_refused,
           a_head_without_logits_of_its_own_is_refused)
