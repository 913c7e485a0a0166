/* SPDX-License-Identifier: Apache-2.0
 * test_sink_mass.c -- the taps sink_mass.N of sessions, against attention computed from the tokens and weights of the
 * block in double; they change no prediction, and blocks without sinks have none. */
#include <math.h>
#include "tiny.h"

enum { N = 2, TOKENS = 17, WIDTH = 48, HEADS = 3, DIM = WIDTH / HEADS, DEPTH = 3, LENGTH = 4 };

/* Elements of a tensor of block `layer` of the backbone. */
static const pk_real *weight(const tiny *t, int layer, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "blocks.%d.%s", layer, name);
    const peft_tensor *w = pf_backbone_find(t->backbone, full);
    ck_assert_msg(w != NULL, "no tensor %s", full);
    return w->data;
}

/* out [WIDTH]: LayerNorm 1 of block `layer` of the token x. */
static void norm(const tiny *t, int layer, const pk_real *x, double *out)
{
    const pk_real *gamma = weight(t, layer, "norm1.weight"), *beta = weight(t, layer, "norm1.bias");
    double mean = 0, variance = 0;
    for (int c = 0; c < WIDTH; c++) mean += (double)x[c] / WIDTH;
    for (int c = 0; c < WIDTH; c++) variance += ((double)x[c] - mean) * ((double)x[c] - mean) / WIDTH;
    for (int c = 0; c < WIDTH; c++)
        out[c] = ((double)x[c] - mean) / sqrt(variance + t->backbone->shape.eps) * (double)gamma[c] + (double)beta[c];
}

/* Element j of the product of attn.qkv and the normed token x. */
static double qkv(const tiny *t, int layer, const double *x, int j)
{
    const pk_real *w = weight(t, layer, "attn.qkv.weight");
    double sum = (double)weight(t, layer, "attn.qkv.bias")[j];
    for (int c = 0; c < WIDTH; c++) sum += (double)w[j * WIDTH + c] * x[c];
    return sum;
}

/* Checks mass [TOKENS] of block `layer` for the tokens [TOKENS,WIDTH] that enter it. */
static void check_block(const tiny *t, int layer, const pk_real *tokens, const pk_real *mass)
{
    static double q[TOKENS][WIDTH], k[TOKENS][WIDTH];
    const pk_real *prompt = peft_tensor_cdata(peft_param_value(peft_model_find_param(t->model, "prompt")));
    for (int i = 0; i < TOKENS; i++) {
        double x[WIDTH];
        norm(t, layer, tokens + i * WIDTH, x);
        for (int c = 0; c < WIDTH; c++) {
            q[i][c] = qkv(t, layer, x, c);
            k[i][c] = qkv(t, layer, x, WIDTH + c);
        }
    }
    for (int i = 0; i < TOKENS; i++) {
        double want = 0;
        for (int h = 0; h < HEADS; h++) {
            double prompts = 0, scores = 0;
            for (int j = 0; j < LENGTH; j++) prompts += exp((double)prompt[(layer * TOKENS + i) * LENGTH + j]);
            for (int j = 0; j < TOKENS; j++) {
                double dot = 0;
                for (int c = h * DIM; c < (h + 1) * DIM; c++) dot += q[i][c] * k[j][c];
                scores += exp(dot / sqrt(DIM));
            }
            want += prompts / (prompts + scores) / HEADS;
        }
        ck_assert_msg(fabs((double)mass[i] - want) < 2e-6, "block %d, token %d: %.9g, expected %.9g", layer, i,
                      (double)mass[i], want);
    }
}

START_TEST(taps_equal_a_direct_computation)
{
    static const char *const inputs[DEPTH] = { "embed", "block.0", "block.1" };
    for (int threads = 1; threads < 4; threads += 2) {
        tiny t = tiny_make(&(tiny_spec){ .method = "ept", .adapter = "length=4", .threads = threads });
        tiny_perturb_tensor(peft_param_value(peft_model_find_param(t.model, "prompt")), "prompt", 1);
        peft_session *s = threads == 1       /* both forms of a list */
            ? tiny_session(t.model, "batch=%d,taps=\"embed,block.0,block.1,sink_mass.0,sink_mass.1,sink_mass.2,"
                           "feature\"", N + 1)
            : tiny_session(t.model, "taps=[embed, block.0,block.1, sink_mass.0,sink_mass.1,sink_mass.2 ,feature],"
                           "batch=%d", N + 1);
        tiny_batch b = tiny_batch_make(t.model, N, 0);
        peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 2, N, 3);
        REFUSES("nothing predicted", peft_session_tap(s, "sink_mass.1"));
        OK(peft_session_predict(s, b.images, logits));
        for (int l = 0; l < DEPTH; l++) {
            char name[32];
            snprintf(name, sizeof name, "sink_mass.%d", l);
            const peft_tensor *mass = peft_session_tap(s, name), *x = peft_session_tap(s, inputs[l]);
            ck_assert_msg(mass && x, "%s", peft_last_error());
            ck_assert_int_eq(mass->ndim, 2);
            ck_assert_int_eq(mass->dim[0], N + 1);
            ck_assert_int_eq(mass->dim[1], TOKENS);
            for (int i = 0; i < N; i++)
                check_block(&t, l, (const pk_real *)x->data + i * TOKENS * WIDTH,
                            (const pk_real *)mass->data + i * TOKENS);
        }
        peft_tensor_free(logits);
        tiny_batch_free(&b);
        peft_session_free(s);
        tiny_free(&t);
    }
}
END_TEST

/* The session with the tap computes the last block for all tokens, the other one for the class token alone. */
START_TEST(logits_stay_the_same)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    peft_session *plain = tiny_session(t.model, "batch=%d", N),
                 *tapped = tiny_session(t.model, "batch=%d,taps=sink_mass.2", N),
                 *naive = tiny_session(t.model, "batch=%d,taps=sink_mass.2,executor=naive", N);
    peft_tensor *x = tiny_tensor(t.ctx, PF_REAL, 2, N, 3), *y = tiny_tensor(t.ctx, PF_REAL, 2, N, 3);
    OK(peft_session_predict(plain, b.images, x));
    OK(peft_session_predict(tapped, b.images, y));
    for (int i = 0; i < N * 3; i++)
        ck_assert_double_eq_tol((double)((pk_real *)x->data)[i], (double)((pk_real *)y->data)[i], 1e-6);
    OK(peft_session_predict(naive, b.images, y));
    const pk_real *a = tiny_tap(tapped, "sink_mass.2")->data, *c = tiny_tap(naive, "sink_mass.2")->data;
    for (int i = 0; i < N * TOKENS; i++) ck_assert_double_eq_tol((double)a[i], (double)c[i], 1e-6);
    peft_tensor_free(x);
    peft_tensor_free(y);
    peft_session_free(plain);
    peft_session_free(tapped);
    peft_session_free(naive);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

START_TEST(blocks_without_sinks_have_no_such_tap)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .adapter = "layers=1" }), plain = tiny_make(&(tiny_spec){ 0 });
    tiny steps = tiny_make(&(tiny_spec){ .method = "ept", .adapter = "insert=multiply_concat" });
    peft_session *s = tiny_session(t.model, "taps=sink_mass.1"), *none = NULL;
    peft_options *o = tiny_options(t.ctx, "taps=sink_mass.0");
    FAILS(PEFT_E_NOTFOUND, "sink_mass.N of a block N in which", peft_session_create(t.model, o, &none));
    FAILS(PEFT_E_NOTFOUND, "sink_mass.N of a block N in which", peft_session_create(plain.model, o, &none));
    FAILS(PEFT_E_NOTFOUND, "ept with insert=concat", peft_session_create(steps.model, o, &none));
    REFUSES("not among the session's taps", peft_session_tap(s, "sink_mass.0"));
    ck_assert_ptr_null(none);
    peft_options_free(o);
    peft_session_free(s);
    tiny_free(&steps);
    tiny_free(&plain);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("sink mass", taps_equal_a_direct_computation, logits_stay_the_same, blocks_without_sinks_have_no_such_tap)
