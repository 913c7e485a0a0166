/* SPDX-License-Identifier: Apache-2.0
 * test_foa.c -- kind foa of test-time adaptation: the fitness falls on shifted images and never rises on the same ones,
 * activation shift, forms of the covariance matrix, failures that leave the state as it was, refusals. */
#include <math.h>
#include "adaptors.h"
#include "core/tta/kinds/foa.h"

/* Adapts on the same images `times` times; returns the last loss. The loss must not rise: the best prompts so far are
 * evaluated again with each batch. */
static double loss_after(peft_adaptor *a, int times)
{
    double last = INFINITY;
    for (int i = 0; i < times; i++) {
        peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
        ck_assert_double_le(figure(a, "loss"), last);
        last = figure(a, "loss");
    }
    return last;
}

static void keep_first_line(const char *line, void *user) { if (!*(char *)user) snprintf(user, 200, "%s", line); }

/* The description names the form of the covariance matrix. */
START_TEST(the_fitness_falls_on_shifted_images)
{
    static const char *const covariances[] = { "full", "separable" };
    for (int i = 0; i < 2; i++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
        peft_adaptor *a = adaptor_make(t.model, "kind=foa,batch=%d,covariance=%s", ADAPT_BATCH, covariances[i]);
        give_source(a, ADAPT_BATCH, 0);
        const double first = loss_after(a, 1), last = loss_after(a, 40);
        ck_assert_msg(last < 0.95 * first, "%s: fitness of %g, then %g", covariances[i], first, last);
        ck_assert_int_eq((int64_t)figure(a, "candidates"), 28);
        ck_assert_double_gt(figure(a, "sigma"), 0);
        char line[200] = "", wanted[60];
        peft_adaptor_describe(a, keep_first_line, line);
        snprintf(wanted, sizeof wanted, "foa, %s covariance: ", covariances[i]);
        ck_assert_ptr_eq(strstr(line, wanted), line);
        peft_adaptor_free(a);
        tiny_free(&t);
    }
}
END_TEST

/* lambda 0 leaves the entropy alone: with 40 batches of the same images the predictions become nearly certain. */
START_TEST(without_lambda_the_fitness_is_the_entropy)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = adaptor_make(t.model, "kind=foa,batch=%d,lambda=0,shift=0", ADAPT_BATCH);
    give_source(a, ADAPT_BATCH, 0);
    loss_after(a, 5);
    peft_tensor *logits = adapt_on(a, ADAPT_BATCH, 0);
    double entropy = 0;
    for (int i = 0; i < ADAPT_BATCH; i++) {
        const float *x = (const float *)logits->data + 3 * i;
        double sum = 0;
        for (int j = 0; j < 3; j++) sum += exp((double)x[j]);
        for (int j = 0; j < 3; j++) entropy -= exp((double)x[j]) / sum * ((double)x[j] - log(sum)) / ADAPT_BATCH;
    }
    ck_assert_double_eq_tol(figure(a, "loss"), entropy, 1e-6);
    peft_tensor_free(logits);
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

/* The first batch has no history and is not shifted. The next logits differ from those of shift=0, whose search is the
 * same, by the head's weights times the difference of the means. */
START_TEST(predictions_are_those_of_the_shifted_feature)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = ready_adaptor(t.model, "foa", ""), *still = ready_adaptor(t.model, "foa", ",shift=0");
    same_tensors(adapt_on(a, ADAPT_BATCH, 0), adapt_on(still, ADAPT_BATCH, 0), "the first batch");
    const pf_foa *f = a->state;
    const int64_t width = t.backbone->shape.width, features = pf_tta_features(a);
    const float *w = peft_tensor_cdata(peft_param_value(peft_model_find_param(t.model, "head.weight")));
    double difference[3] = { 0 };
    for (int j = 0; j < 3; j++)
        for (int64_t c = 0; c < width; c++)
            difference[j] += (double)w[j * width + c] * (a->statistics.mean[features - width + c] - f->history[c]);
    peft_tensor *shifted = adapt_on(a, ADAPT_BATCH, 10), *plain = adapt_on(still, ADAPT_BATCH, 10);
    for (int i = 0; i < 3 * ADAPT_BATCH; i++)
        ck_assert_double_eq_tol((double)((float *)shifted->data)[i] - (double)((float *)plain->data)[i],
                                difference[i % 3], 1e-5);
    ck_assert_double_gt(fabs(difference[0]) + fabs(difference[1]) + fabs(difference[2]), 1e-3);
    ck_assert(figure(a, "loss") == figure(still, "loss"));
    peft_tensor_free(shifted);
    peft_tensor_free(plain);
    peft_adaptor_free(a);
    peft_adaptor_free(still);
    tiny_free(&t);
}
END_TEST

/* The prompts stand behind the class token: the tokens of the graph are those of the model and three more. */
START_TEST(prompts_enter_behind_the_class_token)
{
    static const char *const backbones[] = { "", "registers=2", "pool=mean" };
    for (int i = 0; i < 3; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = backbones[i] });
        peft_adaptor *a = ready_adaptor(t.model, "foa", ",tokens=2,population=0");
        ck_assert_int_eq((int64_t)figure(a, "candidates"), 4 + (int)floor(3 * log(2 * 48)) + 1);
        ck_assert_int_eq(((const pf_foa *)a->state)->prompts->value.dim[0], 2);
        const double first = loss_after(a, 1);
        ck_assert_double_lt(loss_after(a, 20), first);
        peft_adaptor_free(a);
        tiny_free(&t);
    }
}
END_TEST

/* A batch without any finite fitness fails and changes nothing: afterwards a goes on like an adaptor without it. */
START_TEST(a_failed_batch_leaves_the_state)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = ready_adaptor(t.model, "foa", ""), *other = ready_adaptor(t.model, "foa", "");
    same_adaptation(a, other, 0, "before");
    float *bias = peft_tensor_data(&peft_model_find_param(t.model, "head.bias")->value);
    const float good = bias[1];
    bias[1] = NAN;
    tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
    FAILS(PEFT_E_NONFINITE, "the fitness of no candidate of batch 3", peft_adaptor_predict(a, b.images, logits));
    bias[1] = good;
    same_adaptation(a, other, 40, "after a failure");
    ck_assert_int_eq((int64_t)figure(a, "updates"), 6);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    peft_adaptor_free(a);
    peft_adaptor_free(other);
    tiny_free(&t);
}
END_TEST

/* Makes the first element of the part "cma.length" negative. */
static peft_status damage_length(void *user, const pf_tta_part *part)
{
    (void)user;
    if (!strcmp(part->name, "cma.length")) *(double *)part->data = -1;
    return PEFT_OK;
}

/* The files of adaptors are tested in test_adaptor_files; here what only this kind has: lengths that are positive. */
START_TEST(a_damaged_search_is_not_saved)
{
    static const char *const covariances[] = { ",covariance=full", ",covariance=separable" };
    for (int i = 0; i < 2; i++) {
        tiny t = tiny_make(&(tiny_spec){ 0 });
        peft_adaptor *a = ready_adaptor(t.model, "foa", covariances[i]);
        peft_adaptor *b = ready_adaptor(t.model, "foa", covariances[i]);
        peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
        OK(peft_adaptor_save(a, tiny_path("state")));
        OK(peft_adaptor_restore(b, tiny_path("state")));
        same_adaptation(a, b, 10, covariances[i]);
        OK(a->kind->each(a, damage_length, NULL));
        FAILS(PEFT_E_NONFINITE, "'cma.length'", peft_adaptor_save(a, tiny_path("other")));
        OK(peft_adaptor_restore(a, tiny_path("state")));
        OK(peft_adaptor_restore(b, tiny_path("state")));
        same_adaptation(a, b, 20, covariances[i]);
        peft_adaptor_free(a);
        peft_adaptor_free(b);
        tiny_free(&t);
        tiny_clean();
    }
}
END_TEST

START_TEST(misuse_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    adaptor_refused(t.model, PEFT_E_OPTION, "covariance: given 'diagonal', expected full or separable",
                    "kind=foa,covariance=diagonal");
    adaptor_refused(t.model, PEFT_E_INVALID, "population is 2: expected at least 3", "kind=foa,population=2");
    adaptor_refused(t.model, PEFT_E_OPTION, "read by: foa", "kind=tent,sigma=2");
    peft_adaptor *a = adaptor_make(t.model, "kind=foa,batch=%d", ADAPT_BATCH);
    tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
    FAILS(PEFT_E_STATE, "call peft_adaptor_source", peft_adaptor_predict(a, b.images, logits));
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    peft_adaptor_free(a);
    tiny_free(&t);
    tiny patches = tiny_make(&(tiny_spec){ .model = "classes=3,head=patch_linear" });
    adaptor_refused(patches.model, PEFT_E_UNSUPPORTED, "head patch_linear does not read it", "kind=foa");
    tiny_free(&patches);
    tiny fixed = tiny_make(&(tiny_spec){ .method = "ept" });
    adaptor_refused(fixed.model, PEFT_E_UNSUPPORTED, "kind=foa does not fit the model's adapters", "kind=foa");
    tiny_free(&fixed);
}
END_TEST

SUITE_MAIN("foa", the_fitness_falls_on_shifted_images, without_lambda_the_fitness_is_the_entropy,
           predictions_are_those_of_the_shifted_feature, prompts_enter_behind_the_class_token,
           a_failed_batch_leaves_the_state, a_damaged_search_is_not_saved, misuse_is_refused)
