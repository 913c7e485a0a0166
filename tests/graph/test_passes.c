/* SPDX-License-Identifier: Apache-2.0
 * test_passes.c -- settings of graph compilation. Switching off an optional pass that the table marks `exact` changes
 * no bit of loss, logits and gradients, in training and inference, for every method and instruction set
 * (double_passes.c checks the others to 1e-12). Switching off required or unknown passes, a memory limit that is too
 * small and an unknown arithmetic are refused. */
#include "method_model.h"
#include "tiny_bits.h"
#include "core/graph/passes/passes.h"
#include "core/train/session/compiled.h"

enum { BATCH = 3, CLASSES = 3 };

static pf_net_spec net_spec(const peft_model *m, const pf_loss *loss, const pf_engine *engine, const char *without)
{
    const pf_compile_spec wanted = { .batch = BATCH, .training = loss != NULL, .without = without };
    return (pf_net_spec){ .model = m, .loss = loss, .compile = pf_engine_spec(engine, wanted) };
}

/* Runs the model compiled without these passes and records its results. */
static void record(peft_model *m, bool training, const char *without, tiny_bits *bits)
{
    const pf_engine engine = { .ctx = m->backbone->ctx, .threads = 1, .kernels = m->backbone->ctx->kernels };
    const pf_loss loss = { .kind = &pf_loss_ce };
    const pf_net_spec spec = net_spec(m, training ? &loss : NULL, &engine, without);
    tiny_batch b = tiny_first_batch(m, BATCH);
    pf_compiled net;
    OK(pf_compiled_create(&net, &spec));
    OK(pf_exec_bind(&net.exec, NULL));
    pf_exec_bind_input(&net.exec, net.images, peft_tensor_cdata(b.images));
    pf_exec_bind_input(&net.exec, net.labels, peft_tensor_cdata(b.labels));
    net.exec.run.seed = 7;
    pf_exec_run(&net.exec, 0, net.exec.g.nodes);
    tiny_bits_add(bits, "logits", pf_exec_data(&net.exec, net.logits), BATCH * CLASSES * sizeof(pk_real));
    if (training) {
        tiny_bits_add(bits, "loss", pf_exec_data(&net.exec, net.loss), sizeof(pk_real));
        tiny_bits_grads(bits, m);
    }
    pf_compiled_free(&net);
    tiny_batch_free(&b);
}

/* Leaving out each exact pass changes no bit of the results. */
static void check_model(peft_model *m, bool training, const char *who)
{
    tiny_bits want = { 0 };
    record(m, training, NULL, &want);
    for (const pf_pass *p = pf_passes; p->name; p++) {
        tiny_bits got = { 0 };
        char what[160];
        if (p->required || !p->exact) continue;
        snprintf(what, sizeof what, "%s, %s without pass %s", who, training ? "training" : "inference", p->name);
        record(m, training, p->name, &got);
        tiny_same(&want, &got, what);
        tiny_bits_free(&got);
    }
    tiny_bits_free(&want);
}

/* Allocates the gradients of all parameters, which a trainer would do. */
static void allocate_gradients(peft_model *m)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        pf_param *p = peft_model_param(m, i);
        p->grad.data = pf_alloc_zero(m->backbone->ctx, pf_tensor_bytes(&p->value));
    }
}

static void free_gradients(peft_model *m)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        pf_param *p = peft_model_param(m, i);
        pf_free(m->backbone->ctx, p->grad.data);
        p->grad.data = NULL;
    }
}

START_TEST(exact_passes_change_no_bit)
{
    static const struct { const char *backbone, *model; } forms[] = {
        { "image_size=16,patch=4,depth=2", "" },
        { "image_size=8,patch=4,depth=2,layer_scale=true,registers=2,norm_pre=true,qkv_bias=false", "pool=mean" },
        { "image_size=8,patch=4,depth=2,pool=mean,act=quickgelu", "head=bn_linear" } };
    for (const char *const *isa = pk_isas(); *isa; isa++) {
        peft_context *ctx = tiny_context(*isa, 1);
        for (size_t m = 0; m < tiny_method_count(); m++)
            for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
                char name[80];
                tiny t = method_model(ctx, forms[f].backbone, tiny_method_name(m), NULL, CLASSES, forms[f].model);
                ck_assert_msg(t.model != NULL, "%s: %s", tiny_method_name(m), peft_last_error());
                snprintf(name, sizeof name, "%s, form %zu, %s", tiny_method_name(m), f, *isa);
                const bool inference = false, training = true;
                check_model(t.model, inference, name);
                allocate_gradients(t.model);
                check_model(t.model, training, name);
                free_gradients(t.model);
                method_model_free(&t);
            }
        peft_context_free(ctx);
    }
}
END_TEST

/* A model with VPT; the caller frees its context too. */
static tiny vpt_model(void)
{
    peft_context *ctx = tiny_plain_context();
    return method_model(ctx, "image_size=16,patch=4,depth=2", "vpt", NULL, CLASSES, "");
}

/* Compiling with these settings gives this status and a message that contains text. */
static void check_refusal(pf_net_spec spec, peft_status status, const char *text)
{
    pf_compiled net;
    ck_assert_int_eq(pf_compiled_create(&net, &spec), status);
    ck_assert_msg(strstr(peft_last_error(), text) != NULL, "'%s' lacks '%s'", peft_last_error(), text);
}

START_TEST(required_and_unknown_passes_cannot_be_switched_off)
{
    tiny t = vpt_model();
    const pf_engine engine = { .ctx = t.ctx, .threads = 1, .kernels = t.ctx->kernels };
    const pf_loss loss = { .kind = &pf_loss_ce };
    for (const pf_pass *p = pf_passes; p->name; p++) {
        char text[80];
        snprintf(text, sizeof text, "pass '%s' is required", p->name);
        if (p->required) check_refusal(net_spec(t.model, &loss, &engine, p->name), PEFT_E_INVALID, text);
    }
    check_refusal(net_spec(t.model, &loss, &engine, "grad"), PEFT_E_INVALID, "pass 'grad' is required");
    check_refusal(net_spec(t.model, &loss, &engine, "rows,fus"), PEFT_E_NOTFOUND,
                  "pass 'fus': no pass has this name, expected one of clean_forward, rows, ");
    check_refusal(net_spec(t.model, &loss, &engine, "rows,,fuse"), PEFT_E_NOTFOUND, "pass ''");
    method_model_free(&t);
    peft_context_free(t.ctx);
}
END_TEST

/* A limit of exactly the plan's size is accepted; one byte less is refused with both numbers in the message, if nothing
 * may be computed again. */
START_TEST(a_plan_above_the_memory_limit_is_refused)
{
    tiny t = vpt_model();
    peft_options *o;
    peft_session *s;
    peft_trainer *r;
    const pf_engine engine = { .ctx = t.ctx, .threads = 1, .kernels = t.ctx->kernels };
    const pf_loss loss = { .kind = &pf_loss_ce };
    for (int training = 0; training < 2; training++) {
        pf_compiled net;
        char text[80];
        pf_net_spec spec = net_spec(t.model, training ? &loss : NULL, &engine, "recompute");
        OK(pf_compiled_create(&net, &spec));
        const size_t bytes = pf_exec_bytes(&net.exec);
        pf_compiled_free(&net);
        spec.compile.memory_limit = bytes;
        OK(pf_compiled_create(&net, &spec));
        pf_compiled_free(&net);
        spec.compile.memory_limit = bytes - 1;
        snprintf(text, sizeof text, "3 samples takes %zu bytes, allowed are %zu", bytes, bytes - 1);
        check_refusal(spec, PEFT_E_UNSUPPORTED, text);
    }
    OK(peft_options_create(t.ctx, &o));
    OK(peft_options_parse(o, "batch=4,memory_limit=1000"));
    ck_assert_int_eq(peft_session_create(t.model, o, &s), PEFT_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "allowed are 1000"));
    ck_assert_int_eq(peft_trainer_create(t.model, o, &r), PEFT_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "allowed are 1000"));
    OK(peft_options_parse(o, "memory_limit=1000000000"));
    OK(peft_session_create(t.model, o, &s));
    peft_session_free(s);
    OK(peft_trainer_create(t.model, o, &r));
    peft_trainer_free(r);
    peft_options_free(o);
    method_model_free(&t);
    peft_context_free(t.ctx);
}
END_TEST

START_TEST(an_unknown_arithmetic_is_refused)
{
    tiny t = vpt_model();
    peft_options *o;
    peft_session *s;
    peft_trainer *r;
    OK(peft_options_create(t.ctx, &o));
    OK(peft_options_parse(o, "compute=bf8"));
    ck_assert_int_eq(peft_session_create(t.model, o, &s), PEFT_E_OPTION);
    ck_assert_str_eq(peft_last_error(), "compute: given 'bf8', expected f32, bf16x3, bf16, int8 or int8_all");
    ck_assert_int_eq(peft_trainer_create(t.model, o, &r), PEFT_E_OPTION);
    ck_assert_str_eq(peft_last_error(), "compute: given 'bf8', expected f32, bf16x3, bf16, int8 or int8_all");
    OK(peft_options_parse(o, "compute=f32"));
    OK(peft_session_create(t.model, o, &s));
    peft_session_free(s);
    peft_options_free(o);
    method_model_free(&t);
    peft_context_free(t.ctx);
}
END_TEST

SUITE_MAIN("passes", exact_passes_change_no_bit, required_and_unknown_passes_cannot_be_switched_off,
           a_plan_above_the_memory_limit_is_refused, an_unknown_arithmetic_is_refused)
