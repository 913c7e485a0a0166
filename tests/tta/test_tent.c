/* SPDX-License-Identifier: Apache-2.0
 * test_tent.c -- kind tent: entropy falls on shifted images, predictions are those before the update, and the update is
 * that of SGD with momentum. */
#include <math.h>
#include "adaptors.h"

/* The mean entropy of the softmax of logits [n, classes]. */
static double entropy_of(const peft_tensor *logits)
{
    const int64_t n = logits->dim[0], classes = logits->dim[1];
    const float *x = peft_tensor_cdata(logits);
    double sum = 0;
    for (int64_t i = 0; i < n; i++, x += classes) {
        double z = 0, dot = 0;
        for (int64_t j = 0; j < classes; j++) z += exp(x[j]);
        for (int64_t j = 0; j < classes; j++) dot += exp(x[j]) * x[j];
        sum += log(z) - dot / z;
    }
    return sum / (double)n;
}

static peft_tensor *session_logits(const tiny *t, int n, int first)
{
    peft_session *s = tiny_session(t->model, "batch=%d", n);
    tiny_batch b = shifted_batch(t->model, n, first);
    peft_tensor *logits = tiny_tensor(t->ctx, PEFT_F32, 2, n, 3);
    OK(peft_session_predict(s, b.images, logits));
    tiny_batch_free(&b);
    peft_session_free(s);
    return logits;
}

START_TEST(entropy_falls_on_shifted_images)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = adaptor_make(t.model, "kind=tent,batch=%d,lr=1", ADAPT_BATCH);
    double first = NAN, last = NAN;
    for (int i = 0; i < 20; i++) {
        peft_tensor *logits = adapt_on(a, ADAPT_BATCH, 10 * (i % 4));
        last = entropy_of(logits);
        ck_assert_double_eq_tol(figure(a, "loss"), last, 1e-5);
        if (!i) first = last;
        peft_tensor_free(logits);
    }
    ck_assert_msg(last < 0.7 * first, "entropy of %g, then %g", first, last);
    ck_assert_int_eq((int64_t)figure(a, "updates"), 20);
    ck_assert_int_eq((int64_t)figure(a, "images"), 20 * ADAPT_BATCH);
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

/* The first predictions are the model's; with predict=after they are those that a second batch would get, and adapt in
 * the same way. */
START_TEST(predictions_are_before_or_after_the_update)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *a = adaptor_make(t.model, "batch=%d,lr=0.02", ADAPT_BATCH);
    peft_adaptor *b = adaptor_make(t.model, "batch=%d,lr=0.02,predict=after", ADAPT_BATCH);
    peft_tensor *before = adapt_on(a, ADAPT_BATCH, 0), *own = session_logits(&t, ADAPT_BATCH, 0);
    for (int64_t i = 0; i < peft_tensor_count(before); i++)
        ck_assert_double_eq_tol(((float *)before->data)[i], ((float *)own->data)[i], 1e-5);
    peft_tensor_free(before);
    peft_tensor_free(own);
    same_tensors(adapt_on(a, ADAPT_BATCH, 0), adapt_on(b, ADAPT_BATCH, 0), "after the first update");
    peft_adaptor_free(a);
    peft_adaptor_free(b);
    tiny_free(&t);
}
END_TEST

/* With lr 0 nothing is learned; every LayerNorm's scale and shift is adapted otherwise, and nothing else. */
START_TEST(all_norms_are_adapted)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "norm_pre=true" });
    peft_adaptor *still = adaptor_make(t.model, "batch=%d,lr=0", ADAPT_BATCH);
    peft_adaptor *a = adaptor_make(t.model, "batch=%d,lr=0.1", ADAPT_BATCH);
    same_tensors(adapt_on(still, ADAPT_BATCH, 0), adapt_on(still, ADAPT_BATCH, 0), "lr=0");
    peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
    const size_t norms = 2 * (2 * (size_t)t.backbone->shape.depth + 2);
    ck_assert_uint_eq(a->params.count, norms);
    for (size_t i = 0; i < norms; i++) {
        const pf_param *p = a->params.item[i];
        const peft_tensor *own = pf_backbone_find(t.backbone, p->name);
        ck_assert_msg(memcmp(p->value.data, own->data, pf_tensor_bytes(own)), "%s did not change", p->name);
    }
    peft_adaptor_free(still);
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

/* A norm that an adapter of the model trains is copied from the adapter, not from the backbone. */
START_TEST(trained_norms_are_copied)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ln_tune" });
    peft_adaptor *a = adaptor_make(t.model, "batch=%d", ADAPT_BATCH);
    const peft_tensor *trained = peft_param_value(peft_model_find_param(t.model, "blocks.1.norm1.weight"));
    const peft_tensor *copy = &pf_params_find(&a->params, "blocks.1.norm1.weight")->value;
    ck_assert(!memcmp(trained->data, copy->data, pf_tensor_bytes(copy)));
    tiny_perturb(t.model);
    OK(peft_adaptor_reset(a));
    ck_assert(!memcmp(trained->data, copy->data, pf_tensor_bytes(copy)));
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

START_TEST(a_model_of_one_class_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .model = "classes=1" });
    adaptor_refused(t.model, PEFT_E_UNSUPPORTED, "entropy of its softmax is always 0", "kind=tent");
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("tent", entropy_falls_on_shifted_images, predictions_are_before_or_after_the_update, all_norms_are_adapted,
           trained_norms_are_copied, a_model_of_one_class_is_refused)
