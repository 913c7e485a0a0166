/* SPDX-License-Identifier: Apache-2.0
 * test_keep.c -- option keep=bf16: the loss has the bits of keep=f32, and the gradients are near those; results do not
 * depend on threads, memory plan, memory limit and feature cache; about half the bytes are kept; a state is continued
 * with the type that it was saved with. */
#include "core/graph/report/report.h"
#include "tested_isas.h"
#include "tiny_states.h"

enum { N = TINY_STEP_SAMPLES, STEPS = 3 };

/* --- gradients ------------------------------------------------------------------------------------ */
/* Loss and gradients of a pass, but for those of the head, which are long and hardly change; the caller frees
 * gradient [count]. kept: the bytes of the values that are kept for the backward pass, from the table of operations. */
typedef struct result { double loss; float *gradient; int64_t count; long long kept_f32, kept_bf16; } result;

static void find_kept(const char *line, void *user)
{
    result *x = user;
    const char *text = strstr(line, "; kept for the backward pass: ");
    if (!strncmp(line, "train: ", 7) && text)
        ck_assert_int_eq(sscanf(text, "; kept for the backward pass: %lld bytes in f32, %lld in bf16", &x->kept_f32,
                                &x->kept_bf16), 2);
}

static result run(const tiny_spec *spec, const char *options)
{
    tiny t = tiny_make(spec);
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,%s", N, options);
    tiny_batch b = tiny_first_batch(t.model, N);
    result x = { 0 };
    OK(peft_trainer_backward(r, b.images, b.labels, NULL));
    x.loss = r->last_loss;
    peft_trainer_describe(r, find_kept, &x);
    for (size_t i = 0; i < peft_model_param_count(t.model); i++) {
        const peft_param *p = peft_model_param(t.model, i);
        const int64_t count = peft_tensor_count(peft_param_grad(p));
        if (!strcmp(peft_param_group(p), "head")) continue;
        x.gradient = realloc(x.gradient, (size_t)(x.count + count) * sizeof *x.gradient);
        memcpy(x.gradient + x.count, peft_tensor_cdata(peft_param_grad(p)), (size_t)count * sizeof *x.gradient);
        x.count += count;
    }
    tiny_batch_free(&b);
    peft_trainer_free(r);
    tiny_free(&t);
    return x;
}

/* bf16 has 8 bits of significand, so that a kept value is off by at most 2^-9 = 0.2 %. */
#define MOST 1e-2

/* Trainers with these options and with keep=bf16 beside them have the same loss and nearly the same gradients. */
static void check_near(const tiny_spec *spec, const char *options)
{
    char rounded[96];
    snprintf(rounded, sizeof rounded, "%s,keep=bf16", options);
    const result x = run(spec, options), y = run(spec, rounded);
    ck_assert_msg(!memcmp(&x.loss, &y.loss, sizeof x.loss), "%s: another loss", spec->method);
    ck_assert_int_eq(x.count, y.count);
    if (x.count) {
        const double d = tiny_distance(y.gradient, x.gradient, x.count);
        ck_assert_msg(d > 0 && d < MOST, "%s, %s, %s, %s: relative distance %g", spec->isa ? spec->isa : "auto",
                      options, spec->more ? spec->more : "", spec->method, d);
    }
    ck_assert_int_eq(x.kept_bf16, 0);
    free(x.gradient);
    free(y.gradient);
}

/* check_near for all methods and kernels. */
static void check_methods(const char *options)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (size_t i = 0; i < tiny_method_count(); i += (size_t)partial_step(3))
            check_near(&(tiny_spec){ .isa = *isa, .backbone = TINY_WIDE, .method = tiny_method_name(i) }, options);
}

/* Two tests, as one takes minutes under the sanitizers. */
START_TEST(gradients_are_near_those_of_f32) { check_methods("compute=f32"); } END_TEST
START_TEST(gradients_are_near_those_of_f32_in_bf16x3) { check_methods("compute=bf16x3"); } END_TEST

/* Gated MLPs, norms of q and k, inner norms, rotary positions, pooling by attention. */
static const char *const networks[] = { "gate=first,act=silu,qk_norm=true", "gate=last,mlp_norm=true,attn_norm=true",
    "act=relu,rope=axial,layer_scale=true", "class_token=false,pool=attention,act=quickgelu" };
enum { NETWORKS = sizeof networks / sizeof *networks };

START_TEST(gradients_of_other_networks_are_near)
{
    static const char *const methods[] = { "full", "lora", "bitfit", "ln_tune" };
    for (int n = 0; n < NETWORKS; n++)
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
            check_near(&(tiny_spec){ .backbone = TINY_WIDE, .more = networks[n], .method = methods[i] }, "compute=f32");
}
END_TEST

/* In bf16 arithmetic the error of the gradients is about the same with both types. */
START_TEST(gradients_in_bf16_arithmetic_are_as_near_with_both_types)
{
    for (size_t i = 0; i < tiny_method_count(); i += (size_t)partial_step(3)) {
        const tiny_spec spec = { .backbone = TINY_WIDE, .method = tiny_method_name(i) };
        const result exact = run(&spec, "compute=f32"), f32 = run(&spec, "compute=bf16,keep=f32"),
            bf16 = run(&spec, "compute=bf16,keep=bf16"), automatic = run(&spec, "compute=bf16");
        if (exact.count) {
            const double d_f32 = tiny_distance(f32.gradient, exact.gradient, exact.count),
                d_bf16 = tiny_distance(bf16.gradient, exact.gradient, exact.count);
            ck_assert_msg(d_bf16 < 1.5 * d_f32, "%s: %g with keep=bf16, %g with keep=f32", spec.method, d_bf16, d_f32);
            ck_assert_msg(!memcmp(automatic.gradient, bf16.gradient, (size_t)exact.count * sizeof(float)),
                          "%s: keep=auto is not bf16", spec.method);
        }
        free(exact.gradient);
        free(f32.gradient);
        free(bf16.gradient);
        free(automatic.gradient);
    }
}
END_TEST

/* Of methods that train all blocks, all but statistics and values of single rows is kept in bf16. */
START_TEST(half_of_the_bytes_are_kept)
{
    static const char *const methods[] = { "full", "bitfit", "lora", "ept", "vpt", "adapter", "ssf" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const tiny_spec spec = { .backbone = TINY_WIDE, .method = methods[i] };
        const result f32 = run(&spec, "keep=f32"), bf16 = run(&spec, "keep=bf16"), usual = run(&spec, "lr=1e-3");
        ck_assert_int_eq(f32.kept_f32, bf16.kept_f32 + 2 * bf16.kept_bf16);
        ck_assert_msg(20 * bf16.kept_f32 < f32.kept_f32, "%s: %lld of %lld bytes are kept in f32", methods[i],
                      bf16.kept_f32, f32.kept_f32);
        ck_assert_int_eq(usual.kept_bf16, 0);
        free(f32.gradient);
        free(bf16.gradient);
        free(usual.gradient);
    }
}
END_TEST

/* --- the same bits -------------------------------------------------------------------------------- */
static void record(const tiny_spec *spec, const char *options, bool ids, tiny_bits *bits)
{
    tiny t = tiny_make(spec);
    peft_trainer *r = tiny_trainer(t.model, "batch=%d,lr=1e-2,keep=bf16%s", N, options);
    for (int i = 0; i < STEPS; i++) {
        const int n = i < STEPS - 1 ? N : N - 1;         /* the last batch is smaller */
        tiny_batch b = tiny_batch_make(t.model, n, i * N);
        OK(peft_trainer_backward(r, b.images, b.labels, ids ? b.ids : NULL));
        tiny_bits_add(bits, "loss", &r->last_loss, sizeof r->last_loss);
        tiny_bits_grads(bits, t.model);
        OK(peft_trainer_update(r));
        tiny_batch_free(&b);
    }
    tiny_bits_training(bits, r);
    peft_trainer_free(r);
    tiny_free(&t);
}

/* Both lists of options give the same bits. */
static void check_same_of(const tiny_spec *spec, const char *first, const char *second)
{
    char name[160];
    tiny_bits want = { 0 }, got = { 0 };
    record(spec, first, false, &want);
    record(spec, second, strstr(second, "cache") != NULL, &got);
    snprintf(name, sizeof name, "%s, %s, %s%s", spec->isa ? spec->isa : "auto", spec->more ? spec->more : "",
             spec->method, second);
    tiny_same(&want, &got, name);
    tiny_bits_free(&want);
}

/* They do with every method. */
static void check_same(const char *isa, const char *backbone, const char *first, const char *second)
{
    for (size_t i = 0; i < tiny_method_count(); i += (size_t)partial_step(3))
        check_same_of(&(tiny_spec){ .isa = isa, .backbone = backbone, .method = tiny_method_name(i) }, first, second);
}

START_TEST(threads_change_no_bit)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++) {
        check_same(*isa, NULL, ",threads=1", ",threads=2");
        check_same(*isa, NULL, ",threads=1", ",threads=3");
    }
    check_same(NULL, TINY_WIDE, ",threads=1", ",threads=2");
    check_same(NULL, TINY_WIDE, ",threads=1", ",threads=8");
}
END_TEST

START_TEST(the_naive_executor_changes_no_bit)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++) check_same(*isa, NULL, "", ",executor=naive");
    check_same(NULL, NULL, ",compute=bf16", ",compute=bf16,executor=naive");
    check_same(NULL, TINY_WIDE, "", ",executor=naive,threads=2");
}
END_TEST

START_TEST(executor_and_threads_change_no_bit_of_other_networks)
{
    for (const char *const *isa = tested_isas_of_models(); *isa; isa++)
        for (int n = 0; n < NETWORKS; n++)
            check_same_of(&(tiny_spec){ .isa = *isa, .more = networks[n], .method = n % 2 ? "full" : "lora" }, "",
                          ",executor=naive,threads=3");
}
END_TEST

START_TEST(the_feature_cache_changes_no_bit) { check_same(NULL, NULL, "", ",cache_features=1000000"); }
END_TEST

/* --- options and states --------------------------------------------------------------------------- */
START_TEST(other_types_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_options *o = tiny_options(t.ctx, "batch=%d,keep=f16", N);
    peft_trainer *r;
    FAILS(PEFT_E_OPTION, "keep: given 'f16', expected f32, bf16 or auto", peft_trainer_create(t.model, o, &r));
    peft_options_free(o);
    tiny_free(&t);
}
END_TEST

START_TEST(a_restored_run_continues_exactly)
{
    tiny_check_continued(&(tiny_spec){ .method = "ept" }, "keep=bf16", STEPS);
}
END_TEST

/* auto is saved as the type that it stands for. f32 has no entry, as in a state of version 1.0. */
START_TEST(a_state_is_continued_with_its_own_type)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    tiny_save_state(t.model, "keep=auto", "f32");
    tiny_save_state(t.model, "keep=bf16", "bf16");
    tiny_save_state(t.model, "compute=bf16", "arithmetic");
    tiny_check_restore(t.model, "keep=f32", "f32", NULL);
    tiny_check_restore(t.model, "keep=bf16", "bf16", NULL);
    tiny_check_restore(t.model, "compute=bf16,keep=bf16", "arithmetic", NULL);
    tiny_check_restore(t.model, "keep=bf16", "f32", "saved with keep=f32, the trainer has keep=bf16");
    tiny_check_restore(t.model, "keep=auto", "bf16", "saved with keep=bf16, the trainer has keep=f32");
    tiny_check_restore(t.model, "compute=bf16,keep=f32", "arithmetic",
                       "saved with keep=bf16, the trainer has keep=f32");
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("keep", gradients_are_near_those_of_f32,
           gradients_are_near_those_of_f32_in_bf16x3, gradients_of_other_networks_are_near,
           gradients_in_bf16_arithmetic_are_as_near_with_both_types, half_of_the_bytes_are_kept, threads_change_no_bit,
           the_naive_executor_changes_no_bit, executor_and_threads_change_no_bit_of_other_networks,
           the_feature_cache_changes_no_bit, other_types_are_refused, a_restored_run_continues_exactly,
           a_state_is_continued_with_its_own_type)
