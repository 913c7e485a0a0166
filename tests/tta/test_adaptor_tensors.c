/* SPDX-License-Identifier: Apache-2.0
 * test_adaptor_tensors.c -- an adaptor's tensors beside tensors of the model that have the same name: only the norms
 * are copies of the model's, and a norm that a method replaced with other extents is refused. */
#include "adaptors.h"
#include <peft/sys/method.h>

/* Methods that declare one tensor and change nothing. */
#define DECLARES(function, name, ...) \
    static peft_status function(peft_adapter *a, const peft_vit *v) \
    { \
        (void)v; \
        peft_sys_declare(a, PEFT_DIMS(__VA_ARGS__), "one", "%s", name); \
        return peft_sys_init_status(a); \
    }
DECLARES(large_prompts, "prompts", 600, 700)
DECLARES(small_shift, "shift", 1)
DECLARES(large_prompt, "vptta.prompt", 600, 700)
DECLARES(large_norm, "blocks.1.norm1.weight", 600, 700)
DECLARES(small_norm, "norm.bias", 3)
static void no_change(const void *state, peft_build *b, peft_site *s) { (void)state, (void)b, (void)s; }
#define METHOD(n) { .name = #n, .sites = PEFT_AT(PEFT_TOKENS), .init = n, .emit = no_change }
static const peft_method methods[] = { METHOD(large_prompts), METHOD(small_shift), METHOD(large_prompt),
                                       METHOD(large_norm), METHOD(small_norm) };

/* A model with an adapter of this method; NULL: without an adapter. */
static tiny model_with(const char *method)
{
    tiny t = { .ctx = tiny_plain_context() };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        OK(peft_sys_register_method(t.ctx, &methods[i], PEFT_METHOD_ABI));
    t.backbone = tiny_default_backbone(t.ctx);
    t.model = tiny_model(t.backbone, "classes=3,head_init=normal:0.3");
    if (!method) return t;
    OK(peft_adapter_create(t.backbone, method, NULL, &t.adapter));
    OK(peft_model_attach(t.model, t.adapter));
    return t;
}

/* The tensor of the model stays what it is, and the adaptor adapts as it does without it. */
START_TEST(tensors_of_the_model_with_the_same_name_are_not_copied)
{
    static const struct { const char *kind, *method; } rows[] = {
        { "foa", "large_prompts" }, { "foa", "small_shift" }, { "vptta", "large_prompt" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = model_with(rows[i].method), plain = model_with(NULL);
        peft_adaptor *a = ready_adaptor(t.model, rows[i].kind, ""), *b = ready_adaptor(plain.model, rows[i].kind, "");
        same_adaptation(a, b, 0, rows[i].kind);
        OK(peft_adaptor_reset(a));
        OK(peft_adaptor_reset(b));
        same_adaptation(a, b, 0, rows[i].kind);
        peft_adaptor_free(a);
        peft_adaptor_free(b);
        tiny_free(&t);
        tiny_free(&plain);
    }
}
END_TEST

START_TEST(norms_with_other_extents_are_refused)
{
    static const char *const kinds[] = { "tent", "foa_bp" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char options[40];
        snprintf(options, sizeof options, "kind=%s", kinds[i]);
        tiny t = model_with("large_norm");
        adaptor_refused(t.model, PEFT_E_UNSUPPORTED, "'blocks.1.norm1.weight'", options);
        tiny_free(&t);
        t = model_with("small_norm");
        adaptor_refused(t.model, PEFT_E_UNSUPPORTED, "given [3], expected [48]", options);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("adaptor_tensors", tensors_of_the_model_with_the_same_name_are_not_copied,
           norms_with_other_extents_are_refused)
