/* SPDX-License-Identifier: Apache-2.0
 * test_fpt.c -- the methods FPT and FPT+ (fine-grained prompt tuning, a side network): parameter counts and cache sizes
 * of the papers, training with the feature cache to the same bits as without, and refusal of models that do not fit. */
#include <math.h>
#include <peft/peft.h>
#include "core/base/rng.h"
#include "core/train/cache/cache.h"
#include "suite.h"

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    ck_assert_int_eq(peft_options_create(ctx, &o), PEFT_OK);
    ck_assert_int_eq(peft_options_parse(o, text), PEFT_OK);
    return o;
}

/* FPT, then FPT+: options; trained parameters; bytes that the feature cache keeps of a sample. */
static const struct { const char *options; int64_t parameters; size_t sample_bytes; } published[] = {
    { "classes=5,side_input=given", 1602341, 15114240 },
    { "classes=5,side_input=given,plus=true,layers=6-11,side_image=128", 900965, 7557120 } };

/* On a ViT-B/16 of 512 pixels. Its weights are allocated but not filled: only their shapes matter here. */
START_TEST(parameter_counts_and_cache_sizes_are_the_published_ones)
{
    enum { ROOM_FOR_ONE_SAMPLE = 16 << 20 };         /* bytes; a sample of FPT has 15,114,240 */
    const pf_vit_shape vit = { .image = { 512, 512 }, .patch = 16, .width = 768, .depth = 12, .heads = 12, .mlp = 3072,
                               .eps = 1e-12, .act = PK_GELU, PF_PLAIN_VIT };
    peft_context *ctx;
    peft_backbone *b;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(pf_backbone_alloc(ctx, &vit, &b), PEFT_OK);
    for (size_t i = 0; i < b->weights; i++) ck_assert_ptr_nonnull(pf_backbone_alloc_data(b, i));
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        peft_options *o = options(ctx, published[i].options);
        peft_options *model_options = options(ctx, "classes=5,head=side_encoder");
        pf_source no_file = { 0 };                   /* with a source the parameters get no initial values */
        peft_adapter *a;
        peft_model *m;
        pf_engine engine = { .ctx = ctx, .threads = 1 };
        pf_compiled net;
        pf_cache cache;
        pf_loss loss = { .kind = &pf_loss_ce };
        ck_assert_msg(!pf_adapter_make(b, "fpt", o, &no_file, &a), "%s", peft_last_error());
        ck_assert_int_eq(peft_model_create(b, model_options, &m), PEFT_OK);
        ck_assert_int_eq(peft_model_attach(m, a), PEFT_OK);
        ck_assert_int_eq(peft_model_trainable_count(m), published[i].parameters);
        pf_net_spec spec = { .model = m, .loss = &loss, .part = PF_PREFIX_PART,
                             .compile = pf_engine_spec(&engine, (pf_compile_spec){ .batch = 2, .training = true }) };
        ck_assert_msg(!pf_compiled_create(&net, &spec), "%s", peft_last_error());
        const pf_cache_spec cache_spec = { .ctx = ctx, .front = &net, .limit = ROOM_FOR_ONE_SAMPLE };
        ck_assert_int_eq(pf_cache_create(&cache, &cache_spec), PEFT_OK);
        ck_assert_uint_eq(cache.sample_bytes, published[i].sample_bytes);
        pf_cache_free(&cache);
        pf_compiled_free(&net);
        peft_model_free(m);
        peft_adapter_free(a);
        peft_options_free(o);
        peft_options_free(model_options);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

/* A small backbone, and a batch of four images with labels 0 to 2. */
typedef struct { peft_context *ctx; peft_backbone *b; peft_tensor *images, *labels; } fixture;

static fixture make_fixture(void)
{
    fixture x;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &x.ctx), PEFT_OK);
    peft_options *o = options(x.ctx, "image_size=32,patch=4,width=48,depth=3,heads=3");
    ck_assert_int_eq(peft_backbone_create(x.ctx, o, &x.b), PEFT_OK);
    peft_options_free(o);
    ck_assert_int_eq(peft_tensor_create(x.ctx, PEFT_F32, 4, (int64_t[]){ 4, 3, 32, 32 }, &x.images), PEFT_OK);
    ck_assert_int_eq(peft_tensor_create(x.ctx, PEFT_I64, 1, (int64_t[]){ 4 }, &x.labels), PEFT_OK);
    pf_rng r = { 9, 1, 0 };
    for (int64_t i = 0; i < peft_tensor_count(x.images); i++)
        ((float *)peft_tensor_data(x.images))[i] = (float)pf_rng_normal(&r, (uint64_t)i);
    for (int i = 0; i < 4; i++) ((int64_t *)peft_tensor_data(x.labels))[i] = i % 3;
    return x;
}

/* head, fpt: options of the model and of the method. */
static peft_model *make_model(const fixture *x, const char *head, const char *fpt)
{
    peft_options *o = options(x->ctx, head), *method_options = options(x->ctx, fpt);
    peft_model *m;
    peft_adapter *a;
    ck_assert_msg(!peft_model_create(x->b, o, &m), "%s", peft_last_error());
    ck_assert_msg(!peft_adapter_create(x->b, "fpt", method_options, &a), "%s", peft_last_error());
    ck_assert_int_eq(peft_model_attach(m, a), PEFT_OK);
    peft_adapter_free(a);
    peft_options_free(o);
    peft_options_free(method_options);
    return m;
}

static const char *const fpt_plus = "classes=3,plus=true,reduction=4,side_image=16,tokens=4,layers=[1,2]";

/* Trains five steps; returns the last loss, and in *hits the number of samples that came from the cache. */
static double train(const fixture *x, const char *opts, double *hits)
{
    peft_model *m = make_model(x, "classes=3,head=side_encoder", fpt_plus);
    peft_options *o = options(x->ctx, opts);
    peft_trainer *t;
    const int64_t ids[4] = { 11, 4, 7, 2 };
    ck_assert_msg(!peft_trainer_create(m, o, &t), "%s", peft_last_error());
    for (int i = 0; i < 5; i++)
        ck_assert_msg(!peft_trainer_step(t, x->images, x->labels, ids), "%s", peft_last_error());
    double loss = peft_trainer_get(t, "loss");
    if (hits) *hits = peft_trainer_get(t, "cache_hits");
    peft_trainer_free(t);
    peft_options_free(o);
    peft_model_free(m);
    return loss;
}

START_TEST(cached_training_has_the_same_bits)
{
    fixture x = make_fixture();
    double hits, plain = train(&x, "batch=4,lr=0.01", NULL);
    const double cached = train(&x, "batch=4,lr=0.01,cache_features=8000000", &hits);
    ck_assert(plain == cached);
    ck_assert(hits == 16);                                            /* 4 samples in each step but the first */
    ck_assert(plain < log(3));                                        /* below the loss of equal probabilities */
    peft_tensor_free(x.images);
    peft_tensor_free(x.labels);
    peft_backbone_free(x.b);
    peft_context_free(x.ctx);
}
END_TEST

START_TEST(models_and_inputs_that_do_not_fit_are_refused)
{
    static const struct { const char *head, *fpt, *word; } bad[] = {
        { "classes=3", "classes=3,reduction=4,side_image=16", "side_encoder" },
        { "classes=4,head=side_encoder", "classes=3,reduction=4,side_image=16", "classes" } };
    fixture x = make_fixture();
    for (size_t i = 0; i < 2; i++) {
        peft_model *m = make_model(&x, bad[i].head, bad[i].fpt);
        peft_trainer *t = NULL;
        ck_assert_int_ne(peft_trainer_create(m, NULL, &t), PEFT_OK);
        ck_assert_msg(strstr(peft_last_error(), bad[i].word) != NULL, "%s", peft_last_error());
        peft_model_free(m);
    }
    peft_model *m = make_model(&x, "classes=3,head=side_encoder",
                               "classes=3,reduction=4,side_image=16,side_input=given");
    peft_trainer *t;
    ck_assert_int_eq(peft_trainer_create(m, NULL, &t), PEFT_OK);
    ck_assert_int_eq(peft_trainer_step(t, x.images, x.labels, NULL), PEFT_E_STATE);   /* no side_images were given */
    ck_assert_int_eq(peft_trainer_input(t, "side_images", x.images), PEFT_E_SHAPE);
    ck_assert_int_eq(peft_trainer_input(t, "other", x.images), PEFT_E_NOTFOUND);
    peft_trainer_free(t);
    peft_model_free(m);
    peft_tensor_free(x.images);
    peft_tensor_free(x.labels);
    peft_backbone_free(x.b);
    peft_context_free(x.ctx);
}
END_TEST

SUITE_MAIN("fpt",
           parameter_counts_and_cache_sizes_are_the_published_ones, cached_training_has_the_same_bits,
           models_and_inputs_that_do_not_fit_are_refused)
