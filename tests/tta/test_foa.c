/* SPDX-License-Identifier: Apache-2.0
 * test_foa.c -- kind foa of test-time adaptation: the fitness falls on shifted images and never rises on the same ones,
 * activation shift, forms of the covariance matrix, failures that leave the state as it was, refusals. */
#include <math.h>
#include "adaptors.h"
#include "core/tta/kinds/foa.h"
#include "failing_alloc.h"

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
        char line[LINE_BYTES] = "", wanted[60];
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

/* The logits of `images` by the model with these prompts [2,48] as those of shallow VPT, which enter behind the class
 * token. */
static peft_tensor *logits_with_prompts(const tiny *t, const peft_tensor *images, const peft_tensor *prompts)
{
    peft_adapter *vpt = tiny_adapter(t->backbone, "vpt", "deep=false,tokens=2");
    peft_tensor *to = peft_param_value(peft_adapter_param(vpt, 0)), *logits;
    ck_assert_int_eq(peft_tensor_count(to), peft_tensor_count(prompts));
    memcpy(peft_tensor_data(to), peft_tensor_cdata(prompts), pf_tensor_bytes(to));
    OK(peft_model_attach(t->model, vpt));
    peft_session *s = tiny_session(t->model, "batch=%d", ADAPT_BATCH);
    logits = tiny_tensor(t->ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
    OK(peft_session_predict(s, images, logits));
    peft_session_free(s);
    OK(peft_model_detach(t->model, vpt));
    peft_adapter_free(vpt);
    return logits;
}

/* The first batch is not shifted: its logits are those of the best prompts, which the adaptor keeps, as VPT's. */
START_TEST(prompts_enter_behind_the_class_token)
{
    static const char *const backbones[] = { "", "registers=2", "pool=mean" };
    for (int i = 0; i < 3; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = backbones[i] });
        peft_adaptor *a = ready_adaptor(t.model, "foa", ",tokens=2,population=0");
        ck_assert_int_eq((int64_t)figure(a, "candidates"), 4 + (int)floor(3 * log(2 * 48)) + 1);
        const pf_param *prompts = ((const pf_foa *)a->state)->prompts;
        ck_assert_int_eq(prompts->value.dim[0], 2);
        tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);
        peft_tensor *logits = adapt_on(a, ADAPT_BATCH, 0), *best = tiny_tensor(t.ctx, PEFT_F32, 2, 2, 48);
        memcpy(peft_tensor_data(best), prompts->value.data, pf_tensor_bytes(best));
        const double first = figure(a, "loss");
        ck_assert_double_lt(loss_after(a, 20), first);
        peft_adaptor_free(a);
        peft_tensor *own = logits_with_prompts(&t, b.images, best);
        for (int64_t k = 0; k < peft_tensor_count(own); k++)
            ck_assert_double_eq_tol(((float *)logits->data)[k], ((float *)own->data)[k], 1e-5);
        peft_tensor_free(own);
        peft_tensor_free(best);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
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

/* Evaluates the graph with all prompts set to value or -value; returns a copy of the pooled features, to be freed. */
static float *feature_with_prompts(peft_adaptor *a, float value)
{
    const pf_foa *f = a->state;
    float *prompts = f->prompts->value.data;
    for (int64_t i = 0; i < peft_tensor_count(&f->prompts->value); i++) prompts[i] = i % 2 ? value : -value;
    pf_foa_evaluate(a);
    const size_t bytes = (size_t)(ADAPT_BATCH * a->model->backbone->shape.width) * sizeof(float);
    float *feature = malloc(bytes);
    memcpy(feature, pf_exec_data(&a->net.exec, a->net.feature), bytes);
    return feature;
}

/* The cosine of the angle between the pooled features with far away prompts and with their negatives. A feature that is
 * read from a row of these prompts turns around with them (-1); that of another row stays near 1. */
static double cosine_of_opposite_prompts(const char *options)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "dvpt", .adapter = options });
    peft_adaptor *a = ready_adaptor(t.model, "foa", ",tokens=8,covariance=separable");
    tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);              /* the graph reads it in every evaluation */
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3);
    OK(peft_adaptor_predict(a, b.images, logits));
    float *x = feature_with_prompts(a, 1000), *y = feature_with_prompts(a, -1000);
    double xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < ADAPT_BATCH * t.backbone->shape.width; i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    free(x);
    free(y);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
    peft_adaptor_free(a);
    tiny_free(&t);
    return xy / sqrt(xx * yy);
}

/* dvpt pools its own prompts, the class token or the patches, never the prompts of the search, which stand between. */
START_TEST(dvpt_does_not_pool_the_prompts)
{
    static const char *const options[] = { "pool=class", "pool=prompts", "pool=patches", "pool=class,form=paper" };
    for (int i = 0; i < 4; i++) {
        const double cosine = cosine_of_opposite_prompts(options[i]);
        ck_assert_msg(cosine > 0.5, "%s: cosine %g", options[i], cosine);
    }
}
END_TEST

/* A reset goes back to the seed that the context had when the adaptor was made. */
START_TEST(a_reset_keeps_the_seed)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adaptor *a = ready_adaptor(t.model, "foa", ""), *fresh = ready_adaptor(t.model, "foa", "");
    peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
    OK(peft_context_set_seed(t.ctx, 12345));
    OK(peft_adaptor_reset(a));
    same_adaptation(a, fresh, 0, "reset under another seed");
    peft_adaptor_free(a);
    peft_adaptor_free(fresh);
    tiny_free(&t);
}
END_TEST

static void count_warning(int level, const char *message, void *user)
{
    (void)level;
    *(int *)user += strstr(message, "lower sigma") != NULL;
}

/* Candidates that are too far away for a finite fitness are counted, and a warning says so once. */
START_TEST(candidates_that_are_too_far_away_are_reported)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    int warnings = 0;
    OK(peft_context_set_log(t.ctx, count_warning, &warnings, 1));
    peft_adaptor *near = ready_adaptor(t.model, "foa", ""), *far = ready_adaptor(t.model, "foa", ",sigma=1e100");
    for (int i = 0; i < 3; i++) {
        peft_tensor_free(adapt_on(near, ADAPT_BATCH, 0));
        peft_tensor_free(adapt_on(far, ADAPT_BATCH, 0));
    }
    ck_assert_int_eq((int64_t)figure(near, "finite_candidates"), 27);
    ck_assert_int_eq((int64_t)figure(far, "finite_candidates"), 0);
    ck_assert_int_eq(warnings, 1);
    peft_adaptor_free(near);
    peft_adaptor_free(far);
    tiny_free(&t);
}
END_TEST

/* Memory of at most 64 MiB a block. */
static void *take_little(size_t size, size_t align, void *user)
{
    return size > (size_t)1 << 26 ? NULL : failing_alloc_take(size, align, user);
}

/* A covariance matrix that does not fit into memory: the message names the options that make it smaller. */
START_TEST(a_matrix_that_is_too_large_is_refused)
{
    failing_alloc f = { .fail_at = -1 };
    tiny t = { 0 };
    OK(peft_context_create(take_little, failing_alloc_give, &f, &t.ctx));
    t.backbone = tiny_default_backbone(t.ctx);
    t.model = tiny_model(t.backbone, "classes=3");
    adaptor_refused(t.model, PEFT_E_NOMEM, "tokens=100 needs a covariance matrix", "kind=foa,batch=2,tokens=100");
    peft_adaptor_free(adaptor_make(t.model, "kind=foa,batch=2,tokens=100,covariance=separable"));
    tiny_free(&t);
    ck_assert_int_eq(f.blocks, 0);
}
END_TEST

START_TEST(misuse_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    adaptor_refused(t.model, PEFT_E_OPTION, "covariance: given 'diagonal', expected full or separable",
                    "kind=foa,covariance=diagonal");
    adaptor_refused(t.model, PEFT_E_OPTION, "population: given 2, expected 3 or more", "kind=foa,population=2");
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
    adaptor_refused(fixed.model, PEFT_E_UNSUPPORTED, "method 'ept' has logits for a fixed number of tokens",
                    "kind=foa");
    tiny_free(&fixed);
}
END_TEST

SUITE_MAIN("foa", the_fitness_falls_on_shifted_images, without_lambda_the_fitness_is_the_entropy,
           predictions_are_those_of_the_shifted_feature, prompts_enter_behind_the_class_token,
           a_failed_batch_leaves_the_state, a_damaged_search_is_not_saved, dvpt_does_not_pool_the_prompts,
           a_reset_keeps_the_seed, candidates_that_are_too_far_away_are_reported,
           a_matrix_that_is_too_large_is_refused, misuse_is_refused)
