/* SPDX-License-Identifier: Apache-2.0
 * test_cache.c -- training with the feature cache (the output of the frozen prefix is computed sample by sample and
 * stored): every method trains to the same bits as without, whatever samples a batch mixes; steps without images; side
 * images; evaluation; memory. */
#include "cache_fixture.h"

/* --- the same bits as without a cache --------------------------------------------------------- */
enum { STEPS = 8 };
/* Which samples of a batch have ids. SOME: all but the second. TWICE: two equal samples have the same id. */
typedef enum { ALL, NONE, SOME, TWICE } given_ids;
/* The batches of a training: n samples from `first` on. */
static const struct { int first, n; given_ids ids; } plan[STEPS] = {
    { 0, 3, ALL }, { 1, 3, ALL }, { 5, 2, NONE }, { 4, 3, SOME }, { 4, 3, ALL }, { 2, 2, TWICE }, { 3, 1, ALL },
    { 8, 1, NONE } };

/* Trains on the batches of `plan`; single: also on those of one sample, which batch normalisation does not take. */
static void take_steps(peft_trainer *x, bool single)
{
    for (int i = 0; i < STEPS; i++) {
        if (plan[i].n == 1 && !single) continue;
        tiny_batch b = tiny_batch_make(x->model, plan[i].n, plan[i].first);
        if (plan[i].ids == SOME) b.ids[1] = -1;
        if (plan[i].ids == TWICE) {
            const size_t half = pf_tensor_bytes(b.images) / 2;
            memcpy((char *)b.images->data + half, b.images->data, half);
            b.ids[1] = b.ids[0];
        }
        OK(peft_trainer_step(x, b.images, b.labels, plan[i].ids == NONE ? NULL : b.ids));
        tiny_batch_free(&b);
    }
}

/* Trains and records the state; *separate: the trainer runs the frozen prefix as its own graph. */
static tiny_bits record(const tiny_spec *spec, const char *options, bool *separate)
{
    tiny_bits bits = { 0 };
    tiny t = tiny_make(spec);
    peft_trainer *x = tiny_trainer(t.model, "batch=3,lr=1e-2,clip_norm=1%s", options);
    const bool has_buffers = peft_model_buffer_count(t.model) > 0;       /* as batch normalisation has */
    take_steps(x, !has_buffers);
    *separate = x->front.crossings > 0;
    tiny_bits_training(&bits, x);
    tiny_bits_add(&bits, "loss", &x->last_loss, sizeof x->last_loss);
    peft_trainer_free(x);
    tiny_free(&t);
    return bits;
}

START_TEST(training_with_a_cache_is_bit_equal_for_every_method)
{
    /* room for all samples, twice; for some; for none */
    static const char *const caches[] = { ",cache_features=4000000", ",cache_features=4000000,executor=naive",
        ",cache_features=20000,threads=3", ",cache_features=1" };
    static const char *const models[] = { "classes=3", "classes=3,head=bn_linear,pool=mean" };
    int separate_runs = 0;
    for (size_t i = 0; i < tiny_method_count(); i++)
        for (int h = 0; h < 2; h++) {
            tiny_spec spec = { .method = tiny_method_name(i), .model = models[h] };
            bool separate;
            tiny_bits without = record(&spec, "", &separate);
            ck_assert(!separate);
            for (int k = 0; k < 4; k++) {
                tiny_bits with = record(&spec, caches[k], &separate);
                tiny_same(&without, &with, spec.method);
                separate_runs += separate;
                ck_assert_msg(separate || (strcmp(spec.method, "linear") && strcmp(spec.method, "fpt")
                              && strcmp(spec.method, "partial")), "%s: no frozen prefix",
                              spec.method);
            }
            tiny_bits_free(&without);
        }
    ck_assert_int_gt(separate_runs, 40);
}
END_TEST

START_TEST(training_with_a_cache_is_bit_equal_for_other_backbones)
{
    static const char *const kinds[] = { "registers=2,depth=1", "layer_scale=1,norm_pre=1", "qkv_bias=0,act=quickgelu",
                                         "pool=mean,depth=1", "width=34,heads=2,image_size=12",
                                         "rope=axial,qk_norm=1", "rope=mixed,depth=1" };
    static const char *const methods[] = { "linear", "partial", "fpt", "lora", "vpt" };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
            bool separate;
            tiny_spec spec = { .method = methods[i], .more = kinds[k] };
            tiny_bits without = record(&spec, "", &separate);
            tiny_bits with = record(&spec, ",cache_features=4000000", &separate);
            tiny_same(&without, &with, kinds[k]);
            tiny_bits_free(&without);
        }
}
END_TEST

/* --- steps without images --------------------------------------------------------------------- */
START_TEST(steps_on_cached_samples_need_no_images)
{
    static const char *const methods[] = { "linear", "fpt" };
    for (int i = 0; i < 2; i++) {
        tiny_bits bits[2] = { { 0 } };
        for (int k = 0; k < 2; k++) {                        /* k 0: with images in every step, 1: in the first only */
            tiny t = tiny_make(&(tiny_spec){ .method = methods[i] });
            peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2,cache_features=4000000");
            tiny_batch b = tiny_first_batch(t.model, 4), two = tiny_batch_make(t.model, 2, 1);
            int64_t unknown[4] = { 0, 1, 77, 2 };
            if (k) FAILS(PEFT_E_NOTFOUND, "id 0 (sample_ids[0])", peft_trainer_step(x, NULL, b.labels, b.ids));
            OK(peft_trainer_step(x, b.images, b.labels, b.ids));
            if (k) {
                FAILS(PEFT_E_NOTFOUND, "id 77 (sample_ids[2])", peft_trainer_step(x, NULL, b.labels, unknown));
                FAILS(PEFT_E_INVALID, "sample_ids", peft_trainer_step(x, NULL, b.labels, NULL));
                FAILS(PEFT_E_INVALID, "labels", peft_trainer_step(x, NULL, NULL, b.ids));
                FAILS(PEFT_E_DTYPE, "labels", peft_trainer_step(x, NULL, b.images, b.ids));
            }
            OK(peft_trainer_step(x, k ? NULL : b.images, b.labels, b.ids));
            OK(peft_trainer_backward(x, k ? NULL : two.images, two.labels, two.ids));
            OK(peft_trainer_update(x));
            ck_assert(peft_trainer_get(x, "cache_hits") == 6 && peft_trainer_get(x, "cache_samples") == 4);
            tiny_bits_training(&bits[k], x);
            peft_trainer_free(x);
            tiny_batch_free(&b);
            tiny_batch_free(&two);
            tiny_free(&t);
        }
        tiny_same(&bits[0], &bits[1], methods[i]);
        tiny_bits_free(&bits[0]);
    }
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    tiny_batch b = tiny_first_batch(t.model, 2);
    peft_trainer *x = tiny_trainer(t.model, "batch=2");
    FAILS(PEFT_E_INVALID, "images", peft_trainer_step(x, NULL, b.labels, b.ids));
    peft_trainer_free(x);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

/* --- evaluation and fit ----------------------------------------------------------------------- */
/* evaluated: the logits of both batches of an epoch; batches: how many were given. */
typedef struct loader {
    peft_trainer *x;
    peft_model *m;
    peft_tensor *logits;
    float evaluated[2][4 * 3];
    int batches;
} loader;

/* Gives a batch of 4 samples with ids and one of 3 without, and evaluates each before the trainer steps on it: the
 * first from the memory of the trainer (images), the second from the test's. */
static int64_t next_batch(int64_t epoch, int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    loader *v = user;
    (void)epoch;
    static const int samples[] = { 4, 3, 0 };                /* of batch i; 0: the epoch is over */
    const int n = samples[i];
    if (!n) return 0;
    tiny_batch b = tiny_batch_make(v->m, n, 4 * (int)i);
    memcpy(peft_tensor_data(images), b.images->data, pf_tensor_bytes(b.images));
    memcpy(peft_tensor_data(labels), b.labels->data, pf_tensor_bytes(b.labels));
    if (i == 0) memcpy(ids, b.ids, sizeof *ids * (size_t)n);                /* the second batch has no ids */
    peft_tensor *source = i == 0 ? images : b.images;
    peft_tensor *logits = i == 0 ? v->logits : tiny_tensor(v->m->backbone->ctx, PEFT_F32, 2, n, 3);
    OK(peft_trainer_evaluate(v->x, source, logits));
    memcpy(v->evaluated[i], logits->data, pf_tensor_bytes(logits));
    if (i) peft_tensor_free(logits);
    tiny_batch_free(&b);
    v->batches++;
    return n;
}

START_TEST(fit_with_evaluation_is_bit_equal_with_a_cache)
{
    for (size_t i = 0; i < tiny_method_count(); i++) {
        tiny_bits bits[2] = { { 0 } };
        for (int k = 0; k < 2; k++) {
            tiny t = tiny_make(&(tiny_spec){ .method = tiny_method_name(i) });
            loader v = { .m = t.model, .logits = tiny_tensor(t.ctx, PEFT_F32, 2, 4, 3) };
            v.x = tiny_trainer(t.model, "batch=4,lr=1e-2%s", k ? ",cache_features=4000000" : "");
            OK(peft_trainer_fit(v.x, 3, next_batch, NULL, &v));
            ck_assert_int_eq(v.batches, 6);
            tiny_bits_add(&bits[k], "logits", v.evaluated, sizeof v.evaluated);
            tiny_bits_training(&bits[k], v.x);
            peft_trainer_free(v.x);
            peft_tensor_free(v.logits);
            tiny_free(&t);
        }
        tiny_same(&bits[0], &bits[1], tiny_method_name(i));
        tiny_bits_free(&bits[0]);
    }
}
END_TEST

/* --- FPT with side images that the caller gives ------------------------------------------------- */
START_TEST(training_with_given_side_images_is_bit_equal_with_a_cache)
{
    tiny_bits bits[2] = { { 0 } };
    for (int k = 0; k < 2; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "fpt", .adapter = "side_input=given,dropout=0.3" });
        peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2%s", k ? ",cache_features=4000000" : "");
        tiny_batch b = tiny_first_batch(t.model, 4);
        peft_tensor *side = tiny_tensor(t.ctx, PEFT_F32, 4, 4, 3, 16, 16);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 4, 3);
        tiny_perturb_tensor(side, "side", 1);
        for (int step = 0; step < 3; step++) {
            OK(peft_trainer_input(x, "side_images", side));
            OK(peft_trainer_step(x, b.images, b.labels, b.ids));
            OK(peft_trainer_evaluate(x, b.images, logits));
            tiny_bits_tensor(&bits[k], "logits", logits);
        }
        tiny_bits_training(&bits[k], x);
        peft_tensor_free(side);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
        peft_trainer_free(x);
        tiny_free(&t);
    }
    tiny_same(&bits[0], &bits[1], "fpt, side images given");
    tiny_bits_free(&bits[0]);
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */
/* The value of peft_trainer_get for one name. */
static double figure(const char *method, const char *options, const char *what)
{
    tiny t = tiny_make(&(tiny_spec){ .method = method, .backbone = TINY_WIDE });
    peft_trainer *x = tiny_trainer(t.model, "batch=16%s", options);
    double v = peft_trainer_get(x, what);
    peft_trainer_free(x);
    tiny_free(&t);
    return v;
}

START_TEST(with_a_cache_the_arena_holds_the_prefix_of_one_sample)
{
    static const char *const methods[] = { "linear", "fpt" };
    for (int i = 0; i < 2; i++) {
        double without = figure(methods[i], "", "arena_bytes");
        double with_cache = figure(methods[i], ",cache_features=1", "arena_bytes");
        ck_assert_msg(with_cache < 0.5 * without, "%s: %.0f bytes with a cache, %.0f without", methods[i],
                      with_cache, without);
        ck_assert(figure(methods[i], ",cache_features=1", "flops") < 0.2 * figure(methods[i], "", "flops"));
    }
}
END_TEST

START_TEST(failed_allocations_leak_nothing)
{
    ck_assert_int_gt(failing_alloc_loop(train_in_context, (char[]){ "batch=2,threads=1,cache_features=100000" }), 20);
}
END_TEST

SUITE_MAIN("cache", training_with_a_cache_is_bit_equal_for_every_method,
           training_with_a_cache_is_bit_equal_for_other_backbones, steps_on_cached_samples_need_no_images,
           fit_with_evaluation_is_bit_equal_with_a_cache, training_with_given_side_images_is_bit_equal_with_a_cache,
           with_a_cache_the_arena_holds_the_prefix_of_one_sample, failed_allocations_leak_nothing)
