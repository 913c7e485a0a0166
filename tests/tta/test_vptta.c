/* SPDX-License-Identifier: Apache-2.0
 * test_vptta.c -- kind vptta: the first step of Adam, the memory bank, the two blocks of frequencies. */
#include <math.h>
#include "adaptors.h"

static const pk_real *prompt_of(const peft_adaptor *a)
{
    return pf_params_find(&a->params, "vptta.prompt")->value.data;
}
static int64_t prompt_values(const peft_adaptor *a)
{
    return peft_tensor_count(&pf_params_find(&a->params, "vptta.prompt")->value);
}

static peft_adaptor *make(peft_model *m, const char *more)
{
    peft_adaptor *a = adaptor_make(m, "kind=vptta,batch=%d%s", ADAPT_BATCH, more);
    give_source(a, ADAPT_BATCH, 0);
    return a;
}

/* With lr 0 predictions are the model's; the first step of Adam changes each factor by lr. */
START_TEST(the_first_step_is_that_of_adam)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *still = make(t.model, ",lr=0"), *a = make(t.model, ",size=3,lr=0.125");
    peft_session *s = tiny_session(t.model, "batch=%d", ADAPT_BATCH);
    tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);
    peft_tensor *own = tiny_tensor(t.ctx, PEFT_F32, 2, ADAPT_BATCH, 3), *logits = adapt_on(still, ADAPT_BATCH, 0);
    OK(peft_session_predict(s, b.images, own));
    for (int64_t i = 0; i < peft_tensor_count(own); i++)
        ck_assert_double_eq_tol(((float *)logits->data)[i], ((float *)own->data)[i], 1e-5);
    peft_tensor *changed = adapt_on(a, ADAPT_BATCH, 0);
    ck_assert_int_eq(prompt_values(a), 27);
    for (int64_t i = 0; i < 27; i++) ck_assert_double_eq_tol(fabs((double)prompt_of(a)[i] - 1), 0.125, 1e-3);
    ck_assert(memcmp(own->data, changed->data, pf_tensor_bytes(own)));
    peft_tensor *const tensors[] = { own, logits, changed };
    for (int i = 0; i < 3; i++) peft_tensor_free(tensors[i]);
    tiny_batch_free(&b);
    peft_session_free(s);
    peft_adaptor_free(still);
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

/* The same test images in each call: with a bank of one entry each prompt starts from the last one; the loss falls. */
START_TEST(the_loss_falls_on_shifted_images)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *a = make(t.model, ",size=5,lr=0.02,bank=1,nearest=1");
    double first = NAN, last = NAN;
    for (int i = 0; i < 30; i++) {
        peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
        last = figure(a, "loss") / (1 - 1 / (sqrt(i + 1) / 5 + 1));    /* without the weight of the mixture */
        if (!i) first = last;
    }
    ck_assert_msg(last < 0.95 * first, "loss of %g, then %g", first, last);
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

/* Each prompt starts from ones until the bank has `nearest` entries, then from their weighted mean. The temperature is
 * so low that this is the most similar entry alone, which lr 0 after the first three calls leaves as it is. */
START_TEST(prompts_start_from_the_most_similar_ones)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *a = make(t.model, ",size=1,bank=3,nearest=2,lr=0.25,temperature=1e-6");
    pk_real after[4][3];
    for (int call = 0; call < 3; call++) {
        peft_tensor_free(adapt_on(a, ADAPT_BATCH, 100 * call));
        memcpy(after[call], prompt_of(a), sizeof after[call]);
    }
    for (int i = 0; i < 3; i++) {                             /* the first two started from ones */
        ck_assert_double_eq_tol(fabs((double)after[0][i] - 1), 0.25, 2e-3);
        ck_assert_double_le(fabs((double)after[1][i] - 1), 0.26);
    }
    a->lr = 0;
    peft_tensor_free(adapt_on(a, ADAPT_BATCH, 200));          /* most similar: itself, at temperature 0 the only one */
    ck_assert_int_eq((int64_t)figure(a, "bank"), 3);
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol((double)prompt_of(a)[i], (double)after[2][i], 1e-6);
    peft_tensor_free(adapt_on(a, ADAPT_BATCH, 100));          /* entry 1 is still there: entry 0 went first */
    for (int i = 0; i < 3; i++) ck_assert_double_eq_tol((double)prompt_of(a)[i], (double)after[1][i], 1e-6);
    peft_adaptor_free(a);
    tiny_free(&t);
}
END_TEST

/* The first frequency of the adaptor's graph. */
static int64_t first_frequency(const peft_adaptor *a)
{
    const pf_graph *g = &a->net.exec.g;
    for (int64_t i = 0; i < g->nodes; i++)
        if (g->node[i].op == &pf_op_frequencies) return g->node[i].attr.i[0];
    ck_abort_msg("the graph has no node 'frequencies'");
}

/* The factors of frequencies k and -k keep the same bits in the centred block, -2 to 2 of size 4. The published one
 * begins at row (side - size) / 2 of a spectrum whose frequency 0 is at side / 2: -2 to 1 of size 4, -2 to 0 of 3. */
START_TEST(blocks_are_centred_or_published)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_adaptor *a = make(t.model, ",size=4,lr=0.1,bank=2,nearest=1"), *b = make(t.model, ",size=4,block=published");
    const int64_t values = prompt_values(a), block = 25;
    ck_assert_int_eq(values, 3 * block);
    ck_assert_int_eq(prompt_values(b), 3 * 16);
    ck_assert_int_eq(t.backbone->shape.image.h, 16);
    peft_adaptor *odd = make(t.model, ",size=3,block=published");
    ck_assert_int_eq(prompt_values(odd), 3 * 9);
    ck_assert_int_eq(first_frequency(a), -2);
    ck_assert_int_eq(first_frequency(b), -2);
    ck_assert_int_eq(first_frequency(odd), -2);
    peft_adaptor_free(odd);
    for (int call = 0; call < 4; call++) peft_tensor_free(adapt_on(a, ADAPT_BATCH, 10 * call));
    for (int64_t c = 0; c < 3; c++)
        for (int64_t i = 0; i < block; i++)
            ck_assert(prompt_of(a)[c * block + i] == prompt_of(a)[c * block + block - 1 - i]);
    peft_tensor_free(adapt_on(b, ADAPT_BATCH, 0));
    peft_adaptor_free(a);
    peft_adaptor_free(b);
    adaptor_refused(t.model, PEFT_E_OPTION, "expected centred or published", "kind=vptta,block=left");
    adaptor_refused(t.model, PEFT_E_OPTION, "expected at most 15: ", "kind=vptta,size=16");
    adaptor_refused(t.model, PEFT_E_OPTION, "expected at most 16: ", "kind=vptta,size=17,block=published");
    peft_adaptor_free(make(t.model, ",size=15"));
    adaptor_refused(t.model, PEFT_E_OPTION, "expected at most bank=4", "kind=vptta,bank=4");
    tiny_free(&t);
}
END_TEST

/* The values of a tensor of the model's head. */
static pk_real *head_values(const peft_model *m, const char *name)
{
    pf_param *p = pf_params_find(&m->params, name);
    if (!p) p = pf_params_find(&m->buffers, name);
    ck_assert_ptr_nonnull(p);
    return p->value.data;
}

/* A model whose head has one batch norm, over HIDDEN columns. */
enum { HIDDEN = 8 };
static tiny dense_model(void)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .model = "classes=3,head=setr_naive,head_width=8" });
    for (int c = 0; c < HIDDEN; c++) {
        head_values(t.model, "head.hidden.bn.running_mean")[c] = (pk_real)(0.02 * c - 0.1);
        head_values(t.model, "head.hidden.bn.running_var")[c] = (pk_real)(0.1 + 0.05 * c);
    }
    return t;
}

/* Sets the running statistics of the head to their mixture with those of the features, of which the share is w; returns
 * the discrepancy of the features from the mixture. All in double. */
static double mix_statistics(const peft_model *m, const peft_tensor *feature, double w)
{
    enum { ROWS_MAX = 256 };
    const int64_t rows = peft_tensor_dim(feature, 0) * peft_tensor_dim(feature, 1), d = peft_tensor_dim(feature, 2);
    const float *x = peft_tensor_cdata(feature);
    const pk_real *weight = head_values(m, "head.hidden.weight");
    pk_real *mean = head_values(m, "head.hidden.bn.running_mean"), *var = head_values(m, "head.hidden.bn.running_var");
    double loss = 0, y[ROWS_MAX];
    ck_assert_int_le(rows, ROWS_MAX);
    for (int64_t c = 0; c < HIDDEN; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < rows; i++) {
            y[i] = 0;
            for (int64_t k = 0; k < d; k++) y[i] += (double)x[i * d + k] * (double)weight[c * d + k];
            sum += y[i];
        }
        for (int64_t i = 0; i < rows; i++) squares += (y[i] - sum / (double)rows) * (y[i] - sum / (double)rows);
        const double own_mean = sum / (double)rows, own_var = squares / (double)(rows - 1);
        const double mixed_mean = w * own_mean + (1 - w) * (double)mean[c];
        const double mixed_var = w * own_var + (1 - w) * (double)var[c];
        loss += (fabs(own_mean - mixed_mean) + fabs(sqrt(own_var) - sqrt(mixed_var))) / HIDDEN;
        mean[c] = (pk_real)mixed_mean;
        var[c] = (pk_real)mixed_var;
    }
    return loss;
}

/* align=batch_norm with lr=0: the logits of call i are those of a model whose running statistics are the mixture of
 * share 1 / (sqrt(i) / 5 + 1). */
START_TEST(batch_norms_of_the_head_are_mixed)
{
    for (int call = 1; call <= 2; call++) {
        tiny t = dense_model(), mixed = dense_model();
        peft_adaptor *a = adaptor_make(t.model, "kind=vptta,align=batch_norm,lr=0,batch=%d", ADAPT_BATCH);
        peft_session *s = tiny_session(mixed.model, "batch=%d,taps=feature", ADAPT_BATCH);
        tiny_batch b = shifted_batch(t.model, ADAPT_BATCH, 0);
        peft_tensor *own = adapt_on(a, ADAPT_BATCH, 0), *adapted;            /* own gets the session's logits below */
        OK(peft_adaptor_reset(a));
        for (int i = 1; i < call; i++) peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
        adapted = adapt_on(a, ADAPT_BATCH, 0);
        OK(peft_session_predict(s, b.images, own));
        const double loss = mix_statistics(mixed.model, peft_session_tap(s, "feature"), 1 / (sqrt(call) / 5 + 1));
        ck_assert_double_eq_tol(figure(a, "loss"), loss, 1e-5 * loss);
        OK(peft_session_predict(s, b.images, own));
        for (int64_t i = 0; i < peft_tensor_count(own); i++)
            ck_assert_double_eq_tol(((float *)adapted->data)[i], ((float *)own->data)[i], 1e-5);
        peft_tensor_free(own);
        peft_tensor_free(adapted);
        tiny_batch_free(&b);
        peft_session_free(s);
        peft_adaptor_free(a);
        tiny_free(&t);
        tiny_free(&mixed);
    }
}
END_TEST

/* The loss after 20 calls on the same images; each prompt starts from the last one. */
static double loss_after_calls(peft_model *m, double lr)
{
    peft_adaptor *a = adaptor_make(m, "kind=vptta,align=batch_norm,size=5,lr=%g,bank=1,nearest=1,batch=%d", lr,
                                   ADAPT_BATCH);
    tiny_batch b = tiny_batch_make(m, ADAPT_BATCH, 0);
    FAILS(PEFT_E_UNSUPPORTED, "with align=batch_norm: leave peft_adaptor_source out", peft_adaptor_source(a, b.images));
    for (int i = 0; i < 20; i++) peft_tensor_free(adapt_on(a, ADAPT_BATCH, 0));
    const double loss = figure(a, "loss");
    tiny_batch_free(&b);
    peft_adaptor_free(a);
    return loss;
}

START_TEST(alignment_of_batch_norms_needs_no_training_images)
{
    tiny t = dense_model(), plain = tiny_make(&(tiny_spec){ .method = "lora" });
    const double still = loss_after_calls(t.model, 0), adapted = loss_after_calls(t.model, 0.02);
    ck_assert_msg(adapted < 0.95 * still, "loss of %g without steps, %g with steps", still, adapted);
    adaptor_refused(plain.model, PEFT_E_UNSUPPORTED, "the head 'linear' has no batch norm",
                    "kind=vptta,align=batch_norm");
    adaptor_refused(t.model, PEFT_E_OPTION, "expected tokens or batch_norm", "kind=vptta,align=norms");
    tiny_free(&t);
    tiny_free(&plain);
}
END_TEST

SUITE_MAIN("vptta", the_first_step_is_that_of_adam, the_loss_falls_on_shifted_images,
           prompts_start_from_the_most_similar_ones, blocks_are_centred_or_published,
           batch_norms_of_the_head_are_mixed, alignment_of_batch_norms_needs_no_training_images)
