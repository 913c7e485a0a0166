/* SPDX-License-Identifier: Apache-2.0
 * test_prompts.c -- vpt, vfpt, cvpt, dvpt, apt and e2vpt: options that are refused; rows that are the same for all
 * samples are computed once, whatever the batch; vfpt with prompts chosen at random; the backbone's norms and values
 * kept by name, as methods use them. */
#include "tiny_bits.h"

/* --- options that are refused ------------------------------------------------------------------------------------- */
START_TEST(options_without_a_meaning_are_refused)
{
    static const struct { const char *method, *options, *texts[3]; } refused[] = {
        { "vpt", "tokens=4,rank=5", { "vpt", "rank", "at most the number of tokens" } },
        { "vpt", "tokens=40,project=7,rank=8", { "vpt", "rank", "the width of a prompt" } },
        { "vpt", "rank=-1", { "rank", "-1", "0 to" } },
        { "vfpt", "transform=both", { "vfpt", "transform", "all, hidden, sequence or learned" } },
        { "vfpt", "location=prepend", { "vfpt", "location", "first, last or random" } },
        { "vfpt", "location=random,transform=sequence", { "vfpt", "transform", "location=random" } },
        { "vfpt", "tokens=10,fraction=0.05", { "vfpt", "fraction", "one prompt or more" } },
        { "vfpt", "tokens=1,fraction=1,transform=sequence", { "vfpt", "transform", "over a single prompt" } },
        { "vfpt", "fraction=0,transform=learned", { "vfpt", "fraction", "would transform nothing" } },
        { "e2vpt", "kv_tokens=0,kv_shared=false", { "e2vpt", "kv_shared", "true where kv_tokens=0" } },
        { "e2vpt", "pieces=5,mask_tokens=trained", { "e2vpt", "pieces", "where mask_pieces=none" } },
        { "e2vpt", "tokens=10000,pieces=48,mask_pieces=trained", { "e2vpt", "mask_pieces", "longer than 262144" } },
        { "vfpt", "fraction=1.5", { "fraction", "1.5", "0 to 1" } },
        { "vfpt", "deep=false,fourier_layers=1-2", { "vfpt", "fourier_layers", "deep=false" } },
        { "vfpt", "fourier_layers=3", { "vfpt", "fourier_layers", "" } },
        { "cvpt", "insert=6", { "insert", "6", "1 to 5" } }, { "cvpt", "dropout=1", { "dropout", "1", "0.99" } },
        { "dvpt", "form=published", { "dvpt", "form", "released or paper" } },
        { "dvpt", "pool=mean", { "dvpt", "pool", "prompts, class or patches" } },
        { "dvpt", "share=0", { "share", "0", "1 to" } }, { "apt", "hidden=0", { "hidden", "0", "1 to" } } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_default_backbone(ctx);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        peft_adapter *a = NULL;
        peft_options *o = tiny_options(ctx, "%s", refused[i].options);
        for (int k = 0; k < 3; k++)
            FAILS(PEFT_E_OPTION, refused[i].texts[k], peft_adapter_create(b, refused[i].method, o, &a));
        ck_assert_ptr_null(a);
        peft_options_free(o);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

/* --- rows that all samples share ---------------------------------------------------------------------------------- */
/* Adds the floating-point operations of linear layers. */
static void add_flops(const char *line, void *user)
{
    char operation[64];
    long long flops;
    if (sscanf(line, "%*s %*s %*s %63s %*s %*s %*s %lld", operation, &flops) == 2 && !strncmp(operation, "linear", 6))
        *(int64_t *)user += flops;
}

static int64_t flops_of_a_batch(const tiny *t, int batch)
{
    int64_t flops = 0;
    peft_session *s = tiny_session(t->model, "batch=%d", batch);
    peft_session_describe(s, add_flops, &flops);
    peft_session_free(s);
    return flops;
}

/* With F(b) operations for a batch of b samples, 2 F(1) - F(2) are those that do not grow with the batch. n prompts of
 * width d: a product with a [d,d] matrix takes 2 n d^2, one with an [n,n] matrix 2 n^2 d. */
START_TEST(rows_that_all_samples_share_are_computed_once)
{
    enum { N = 6, D = 48, DEPTH = 3, HALF = N / 2, RANK = 4 };           /* of TINY_BACKBONE */
    const int64_t square = 2 * N * D * D, keys_and_values = DEPTH * 2 * square;
    const struct { const char *method, *options; int64_t once; } rows[] = {
        { "cvpt", "tokens=6", keys_and_values },
        { "vpt", "tokens=6", keys_and_values },
        { "vpt", "tokens=6,rank=4", keys_and_values + DEPTH * 2 * N * D * RANK },
        { "vfpt", "tokens=6,fraction=0", keys_and_values },
        { "vfpt", "tokens=6,fraction=1,transform=hidden", keys_and_values + DEPTH * square },
        { "vfpt", "tokens=6,fraction=1,transform=sequence", keys_and_values + DEPTH * 2 * N * N * D },
        { "vfpt", "tokens=6,fraction=1", keys_and_values + DEPTH * 2 * (square + 2 * N * N * D) },
        { "vfpt", "tokens=6,fraction=0.5", keys_and_values + DEPTH * 2 * (2 * HALF * D * D + 2 * HALF * HALF * D) },
        { "vfpt", "tokens=6,location=random", keys_and_values + DEPTH * square },
        { "apt", "tokens=6,hidden=4", DEPTH * 2 * 2 * N * D * RANK } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const tiny_spec spec = { .method = rows[i].method, .adapter = rows[i].options };
        tiny t = tiny_make(&spec);
        const int64_t one = flops_of_a_batch(&t, 1), two = flops_of_a_batch(&t, 2), five = flops_of_a_batch(&t, 5);
        ck_assert_msg(2 * one - two == rows[i].once, "%s %s: %lld operations once for all samples, expected %lld",
                      rows[i].method, rows[i].options, (long long)(2 * one - two), (long long)rows[i].once);
        ck_assert_int_eq(five, one + 4 * (two - one));
        tiny_free(&t);
    }
}
END_TEST

/* With class-token pooling the last block computes one row, apt's part of it too: for N prompts and t rows two products
 * of 2 t N d operations. */
START_TEST(apt_computes_one_row_of_the_last_block)
{
    enum { N = 6, D = 48, DEPTH = 3, TOKENS = 17, RANK = 4 };            /* of TINY_BACKBONE */
    const tiny_spec spec = { .method = "apt", .adapter = "tokens=6,hidden=4" };
    tiny t = tiny_make(&spec), plain = tiny_make(&(tiny_spec){ 0 });
    const int64_t keys = DEPTH * 2 * 2 * N * D * RANK, rows = (DEPTH - 1) * TOKENS + 1;
    ck_assert_int_eq(flops_of_a_batch(&t, 1) - flops_of_a_batch(&plain, 1), keys + rows * 2 * 2 * N * D);
    tiny_free(&t);
    tiny_free(&plain);
}
END_TEST

/* --- vfpt with location=random ---------------------------------------------------------------------------------- */
#define RANDOM "tokens=5,fraction=0.4,location=random"

/* The losses of three steps that change nothing, on one batch. */
static void losses(const char *options, int threads, double loss[3])
{
    const tiny_spec spec = { .method = "vfpt", .adapter = options, .threads = threads };
    tiny t = tiny_make(&spec);
    peft_trainer *r = tiny_trainer(t.model, "batch=3,optimizer=sgd,lr=0,threads=%d", threads);
    for (int i = 0; i < 3; i++) {
        tiny_step(r, 3, 0);
        loss[i] = r->last_loss;
    }
    peft_trainer_free(r);
    tiny_free(&t);
}

START_TEST(random_prompts_differ_between_steps_and_not_between_threads)
{
    double one[3], four[3], fixed[3];
    losses(RANDOM, 1, one);
    losses(RANDOM, 4, four);
    losses("tokens=5,fraction=0.4", 1, fixed);
    ck_assert(!memcmp(one, four, sizeof one));
    ck_assert(one[0] != one[1] && one[1] != one[2]);
    ck_assert(fixed[0] == fixed[1] && fixed[1] == fixed[2]);
}
END_TEST

/* Predictions depend neither on the context's seed, nor on steps of training before, nor on the batch. */
START_TEST(predictions_with_random_prompts_are_always_the_same)
{
    enum { N = 4 };
    const tiny_spec spec = { .method = "vfpt", .adapter = RANDOM };
    tiny_bits first = { 0 }, other = { 0 };
    tiny t = tiny_make(&spec);
    const int threads_of_context = 0;
    tiny_bits_predict(&first, t.model, N, threads_of_context);
    OK(peft_context_set_seed(t.ctx, 12345));
    tiny_bits_predict(&other, t.model, N, threads_of_context);
    tiny_same(&first, &other, "another seed");
    float all[N * 3];
    for (int batch = 1; batch <= N; batch += N - 1) {
        peft_session *s = tiny_session(t.model, "batch=%d", batch);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, batch, 3);
        for (int i = 0; i < N; i += batch) {
            tiny_batch part = tiny_batch_make(t.model, batch, i);
            OK(peft_session_predict(s, part.images, logits));
            if (batch == 1) memcpy(all + 3 * i, peft_tensor_cdata(logits), 3 * sizeof *all);
            else ck_assert(!memcmp(all, peft_tensor_cdata(logits), sizeof all));
            tiny_batch_free(&part);
        }
        peft_tensor_free(logits);
        peft_session_free(s);
    }
    OK(peft_context_set_seed(t.ctx, 7));
    tiny_bits_free(&first);
    tiny_free(&t);
}
END_TEST

/* --- norms and values of the systems interface -------------------------------------------------------------------- */
static peft_status init_nothing(peft_adapter *a, const peft_vit *v) { (void)v; return peft_sys_init_status(a); }

static void fill_with(void *user, peft_real *data, int64_t count)
{
    for (int64_t i = 0; i < count; i++) data[i] = *(const peft_real *)user;
}

/* Adds a constant of its own, named as that of the method `outer`, at the final norm. */
static void inner_emit(const void *state, peft_build *b, peft_site *s)
{
    peft_real three = 3;
    (void)state;
    if (s->role != PEFT_FINAL) return;
    s->out = peft_sys_add(b, s->out, peft_sys_constant(b, PEFT_DIMS(48), fill_with, &three, "shift"));
    peft_sys_set_value(b, "mine", PEFT_NONE);
}
static const peft_method inner = { .name = "inner", .sites = PEFT_AT(PEFT_NORM), .init = init_nothing,
                                   .emit = inner_emit };

static int nested;                       /* calls of norm_at_norm at the final norm */
static void nested_emit(const void *state, peft_build *b, peft_site *s)
{
    (void)state;
    if (s->role != PEFT_FINAL) return;
    nested++;
    s->out = peft_sys_final_norm(b, s->out);
}
static const peft_method norm_at_norm = { .name = "norm_at_norm", .sites = PEFT_AT(PEFT_NORM), .init = init_nothing,
                                          .emit = nested_emit };

/* Makes the feature the final norm of all tokens' first row, plus the constant 5. "mine" is kept from block 0 on; it
 * must be there, though the method `inner` set a value of this name. */
static void outer_emit(const void *state, peft_build *b, peft_site *s)
{
    peft_real five = 5;
    (void)state;
    if (s->where == PEFT_BLOCK_IN) {
        if (!s->layer) peft_sys_set_value(b, "mine", s->out);
        return;
    }
    ck_assert(peft_sys_has_weight(b, "blocks.%d.attn.proj.weight", 2));
    ck_assert(!peft_sys_has_weight(b, "blocks.%d.attn.proj.weight", 3));
    s->out = peft_sys_final_norm(b, peft_sys_take_rows(b, s->in, 0, 1));
    s->out = peft_sys_add(b, s->out, peft_sys_constant(b, PEFT_DIMS(48), fill_with, &five, "shift"));
    ck_assert(peft_sys_value(b, "mine").id != 0 && !peft_sys_value(b, "another").id);
}
static const peft_method outer = { .name = "outer", .sites = PEFT_AT(PEFT_BLOCK_IN) | PEFT_AT(PEFT_POOL),
                                   .init = init_nothing, .emit = outer_emit };

/* A model with these methods; NULL: none. */
static tiny with_methods(const char *first, const char *second)
{
    tiny t = { .ctx = tiny_plain_context() };
    OK(peft_sys_register_method(t.ctx, &inner, PEFT_METHOD_ABI));
    OK(peft_sys_register_method(t.ctx, &outer, PEFT_METHOD_ABI));
    OK(peft_sys_register_method(t.ctx, &norm_at_norm, PEFT_METHOD_ABI));
    t.backbone = tiny_default_backbone(t.ctx);
    t.model = tiny_model(t.backbone, "classes=0");
    for (const char *name = first; name; name = name == first ? second : NULL) {
        peft_adapter *a;
        OK(peft_adapter_create(t.backbone, name, NULL, &a));
        OK(peft_model_attach(t.model, a));
        peft_adapter_free(a);
    }
    return t;
}

static void feature_of(tiny t, float feature[48])
{
    tiny_batch b = tiny_batch_make(t.model, 1, 0);
    peft_session *s = tiny_session(t.model, "batch=1,taps=feature");
    peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 1, (int)t.model->classes);
    OK(peft_session_predict(s, b.images, logits));
    memcpy(feature, peft_tensor_cdata(tiny_tap(s, "feature")), 48 * sizeof *feature);
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
    tiny_free(&t);
}

/* The backbone's feature is the final norm of the class token. With `outer` it is that, plus 5; with `inner` as well,
 * which adds 3 at the norm, plus 8: constants and values of the two do not mix. */
START_TEST(norms_and_values_belong_to_their_adapter)
{
    float plain[48], with_outer[48], with_both[48];
    feature_of(with_methods(NULL, NULL), plain);
    feature_of(with_methods("outer", NULL), with_outer);
    feature_of(with_methods("outer", "inner"), with_both);
    for (int i = 0; i < 48; i++) {
        ck_assert_float_eq(with_outer[i], plain[i] + 5);
        ck_assert_float_eq(with_both[i], plain[i] + 3 + 5);
    }
}
END_TEST

START_TEST(the_final_norm_within_itself_is_refused)
{
    tiny t = with_methods("norm_at_norm", NULL);
    peft_session *s = NULL;
    peft_options *o = tiny_options(t.ctx, "batch=1");
    FAILS(PEFT_E_STATE, "peft_sys_final_norm", peft_session_create(t.model, o, &s));
    ck_assert_int_eq(nested, 2);                         /* the norm, and the norm that the method asked for */
    peft_options_free(o);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("prompts", options_without_a_meaning_are_refused, rows_that_all_samples_share_are_computed_once,
           apt_computes_one_row_of_the_last_block,
           random_prompts_differ_between_steps_and_not_between_threads,
           predictions_with_random_prompts_are_always_the_same, norms_and_values_belong_to_their_adapter,
           the_final_norm_within_itself_is_refused)
