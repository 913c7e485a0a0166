/* SPDX-License-Identifier: Apache-2.0
 * test_inputs.c -- named inputs: a method declares two of them (peft_sys_input), and the application passes tensors for
 * them to sessions and trainers; wrong names and shapes and missing inputs are refused. */
#include "tiny.h"
#include "core/train/session/compiled.h"

enum { TOKENS = 17, WIDTH = 24, BATCH = 3 };             /* of BACKBONE */
#define BACKBONE "image_size=16,patch=4,width=24,mlp=40,depth=2,heads=3"

/* What the method declares; a test may set wrong values. */
static const char *second = "late";                      /* name of the second input */
static int64_t second_width = WIDTH;
static int further;                                      /* number of further inputs */

/* The method declares no parameters. */
static peft_status init(peft_adapter *a, const peft_vit *v) { (void)v; return peft_sys_init_status(a); }

/* Adds "early" to the tokens before block 0 and "late" to those after it; declares each input twice. */
static void emit(const void *state, peft_build *b, peft_site *s)
{
    (void)state;
    char name[16];
    if (s->layer > 0) return;
    const char *which = s->where == PEFT_TOKENS ? "early" : second;
    const int64_t width = s->where == PEFT_TOKENS ? WIDTH : second_width;
    peft_val x = peft_sys_input(b, which, PEFT_DIMS(TOKENS, width));
    s->out = peft_sys_add(b, s->out, peft_sys_scale(b, x, 0.5));
    s->out = peft_sys_add(b, s->out, peft_sys_scale(b, peft_sys_input(b, which, PEFT_DIMS(TOKENS, width)), 0.5));
    for (int i = 0; i < further; i++) {
        snprintf(name, sizeof name, "input%d", i);
        peft_sys_input(b, name, PEFT_DIMS(2));
    }
}

static const peft_method two_inputs = { .name = "two_inputs", .summary = "adds two inputs to the tokens", .paper = "",
    .sites = PEFT_AT(PEFT_TOKENS) | PEFT_AT(PEFT_BLOCK_OUT), .init = init, .emit = emit };

/* A model with this method. */
static tiny make(void)
{
    tiny t = { .ctx = tiny_plain_context() };
    OK(peft_sys_register_method(t.ctx, &two_inputs, PEFT_METHOD_ABI));
    t.backbone = tiny_backbone(t.ctx, BACKBONE, NULL);
    t.model = tiny_model(t.backbone, "classes=3");
    OK(peft_adapter_create(t.backbone, "two_inputs", NULL, &t.adapter));
    OK(peft_model_attach(t.model, t.adapter));
    tiny_perturb(t.model);
    return t;
}

/* Tokens of n samples, all 0. */
static peft_tensor *zero_tokens(const tiny *t, int n) { return tiny_tensor(t->ctx, PEFT_F32, 3, n, TOKENS, WIDTH); }

/* Random tokens of n samples in -1..1. */
static peft_tensor *random_tokens(const tiny *t, int n)
{
    peft_tensor *x = zero_tokens(t, n);
    float *p = peft_tensor_data(x);
    const uint64_t stream = 2;
    for (int64_t i = 0; i < peft_tensor_count(x); i++) p[i] = (float)tiny_random(stream, (uint64_t)i);
    return x;
}

/* The logits of samples first .. first + n - 1 with these inputs. */
static void predict(const tiny *t, peft_session *s, int n, int first, const peft_tensor *early, const peft_tensor *late,
                    float logits[])
{
    tiny_batch b = tiny_batch_make(t->model, n, first);
    peft_tensor *out = tiny_tensor(t->ctx, PEFT_F32, 2, n, 3);
    OK(peft_session_input(s, "late", late));
    OK(peft_session_input(s, "early", early));
    OK(peft_session_predict(s, b.images, out));
    memcpy(logits, peft_tensor_cdata(out), (size_t)(n * 3) * sizeof(float));
    peft_tensor_free(out);
    tiny_batch_free(&b);
}

/* Inputs of zeros change no bit; "early" and "late" differ in effect; each sample reads its own rows. */
START_TEST(inputs_are_passed_by_name)
{
    tiny t = make();
    peft_session *s = tiny_session(t.model, "batch=%d", BATCH), *plain;
    peft_tensor *zero = zero_tokens(&t, BATCH), *x = random_tokens(&t, BATCH), *one = zero_tokens(&t, 1);
    float early[9], zeros[9], late_only[9], single[3];
    peft_model *without = tiny_model(t.backbone, "classes=3");
    tiny_perturb(without);
    plain = tiny_session(without, "batch=%d", BATCH);
    tiny_batch b = tiny_first_batch(without, BATCH);
    peft_tensor *out = tiny_tensor(t.ctx, PEFT_F32, 2, BATCH, 3);
    OK(peft_session_predict(plain, b.images, out));
    predict(&t, s, BATCH, 0, zero, zero, zeros);
    ck_assert_mem_eq(zeros, peft_tensor_cdata(out), sizeof zeros);
    predict(&t, s, BATCH, 0, x, zero, early);
    predict(&t, s, BATCH, 0, zero, x, late_only);
    ck_assert(memcmp(early, zeros, sizeof zeros) && memcmp(late_only, zeros, sizeof zeros));
    ck_assert_mem_ne(early, late_only, sizeof early);
    for (int i = 0; i < BATCH; i++) {
        memcpy(peft_tensor_data(one), (const float *)peft_tensor_cdata(x) + i * TOKENS * WIDTH,
               TOKENS * WIDTH * sizeof(float));
        peft_tensor *late = zero_tokens(&t, 1);
        predict(&t, s, 1, i, one, late, single);
        ck_assert_mem_eq(single, early + 3 * i, sizeof single);
        peft_tensor_free(late);
    }
    peft_session_free(s);
    peft_session_free(plain);
    peft_model_free(without);
    tiny_batch_free(&b);
    peft_tensor *const all[] = { zero, x, one, out };
    for (int i = 0; i < 4; i++) peft_tensor_free(all[i]);
    tiny_free(&t);
}
END_TEST

START_TEST(a_trainer_step_needs_all_inputs_for_its_batch)
{
    tiny t = make();
    char text[80];
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,cache_features=1000000", BATCH);
    for (int n = BATCH; n >= 1; n--) {
        tiny_batch b = tiny_first_batch(t.model, n);
        peft_tensor *x = random_tokens(&t, n), *logits = tiny_tensor(t.ctx, PEFT_F32, 2, n, 3);
        OK(peft_trainer_input(r, "early", x));
        const int given_before = n == BATCH ? 0 : n + 1;     /* samples of the input "late" that was given last */
        snprintf(text, sizeof text, "late: given for %d samples, expected %d", given_before, n);
        FAILS(PEFT_E_STATE, text, peft_trainer_step(r, b.images, b.labels, b.ids));
        OK(peft_trainer_input(r, "late", x));
        OK(peft_trainer_step(r, b.images, b.labels, b.ids));
        OK(peft_trainer_evaluate(r, b.images, logits));
        ck_assert(isfinite(peft_trainer_get(r, "loss")));
        peft_tensor_free(x);
        peft_tensor_free(logits);
        tiny_batch_free(&b);
    }
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

START_TEST(wrong_inputs_are_refused)
{
    tiny t = make();
    peft_session *s = tiny_session(t.model, "batch=%d", BATCH);
    peft_tensor *wide = tiny_tensor(t.ctx, PEFT_F32, 3, 1, TOKENS, WIDTH + 1), *four = random_tokens(&t, 4);
    peft_tensor *integers = tiny_tensor(t.ctx, PEFT_I64, 3, 1, TOKENS, WIDTH);
    FAILS(PEFT_E_NOTFOUND, "input 'images': the model has no such input, expected early, late",
          peft_session_input(s, "images", four));
    FAILS(PEFT_E_SHAPE, "late: given [1, 17, 25], expected [1..3, 17, 24]", peft_session_input(s, "late", wide));
    FAILS(PEFT_E_SHAPE, "late: given [4, 17, 24], expected [1..3, 17, 24]", peft_session_input(s, "late", four));
    FAILS(PEFT_E_DTYPE, "late", peft_session_input(s, "late", integers));
    peft_session_free(s);
    peft_session *bad = NULL;
    const struct { const char *name; int64_t width; int further; peft_status status; const char *text; } mistakes[] = {
        { "labels", WIDTH, 0, PEFT_E_INVALID, "peft_sys_input 'labels': the library has an input of this name" },
        { "early", WIDTH + 1, 0, PEFT_E_INVALID, "input 'early': declared before with another shape" },
        { "late", -1, 0, PEFT_E_SHAPE, "peft_sys_input 'late': expected 1 to 4 extents" },
        { "", WIDTH, 0, PEFT_E_INVALID, "expected a name of 1 to 39 characters" },
        { "late", WIDTH, PF_INPUTS_MAX, PEFT_E_INVALID, "inputs already" } };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        second = mistakes[i].name;
        second_width = mistakes[i].width;
        further = mistakes[i].further;
        FAILS(mistakes[i].status, mistakes[i].text, peft_session_create(t.model, NULL, &bad));
    }
    second = "late";
    second_width = WIDTH;
    further = 0;
    peft_tensor_free(wide);
    peft_tensor_free(four);
    peft_tensor_free(integers);
    tiny_free(&t);
}
END_TEST

/* At the level of the executor: inputs are found by name, and pf_exec_check_inputs names the first that has no data. */
START_TEST(an_executor_finds_inputs_and_names_missing_ones)
{
    tiny t = make();
    const pf_engine engine = { .ctx = t.ctx, .threads = 1, .kernels = t.ctx->kernels };
    const pf_loss loss = { .kind = &pf_loss_ce };
    const pf_net_spec spec = { .model = t.model, .loss = &loss,
                               .compile = pf_engine_spec(&engine, (pf_compile_spec){ .batch = BATCH,
                                                                                     .training = true }) };
    pf_compiled net;
    tiny_batch b = tiny_first_batch(t.model, BATCH);
    int index;
    OK(pf_compiled_create(&net, &spec));
    OK(pf_exec_bind(&net.exec, NULL));
    FAILS(PEFT_E_NOTFOUND, "input 'targets': the graph has no such input; it has images, early, late, labels",
          pf_exec_find_input(&net.exec, "targets", &index));
    OK(pf_exec_find_input(&net.exec, "labels", &index));
    ck_assert_int_eq(index, net.labels);
    FAILS(PEFT_E_STATE, "input 'images'", pf_exec_check_inputs(&net.exec));
    pf_exec_bind_input(&net.exec, net.images, peft_tensor_cdata(b.images));
    FAILS(PEFT_E_STATE, "input 'early'", pf_exec_check_inputs(&net.exec));
    pf_exec_bind_input(&net.exec, net.method_input[0], peft_tensor_cdata(b.images));
    FAILS(PEFT_E_STATE, "input 'late'", pf_exec_check_inputs(&net.exec));
    pf_exec_bind_input(&net.exec, net.method_input[1], peft_tensor_cdata(b.images));
    FAILS(PEFT_E_STATE, "input 'labels'", pf_exec_check_inputs(&net.exec));
    pf_exec_bind_input(&net.exec, net.labels, peft_tensor_cdata(b.labels));
    OK(pf_exec_check_inputs(&net.exec));
    pf_compiled_free(&net);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("inputs", inputs_are_passed_by_name, a_trainer_step_needs_all_inputs_for_its_batch, wrong_inputs_are_refused,
           an_executor_finds_inputs_and_names_missing_ones)
