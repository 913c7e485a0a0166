/* SPDX-License-Identifier: Apache-2.0
 * test_warm_start.c -- training in stages: peft_trainer_warm_start gives a new trainer values, moments and counts of
 * updates of an earlier one, whose model had other adapters. */
#include "tiny_bits.h"

static const char *const optimizers[] = { "batch=4,lr=0.01,weight_decay=0.1",
                                          "batch=4,lr=0.05,optimizer=sgd,momentum=0.9" };
enum { OPTIMIZERS = sizeof optimizers / sizeof *optimizers };

static void steps(peft_trainer *t, int from, int to)
{
    for (int k = from; k < to; k++) tiny_step(t, 4, 4 * k);
}

/* Three steps, a warm start, three more: as six steps. The second trainer begins with step 0. */
START_TEST(a_warm_start_goes_on_as_without_a_break)
{
    for (int k = 0; k < OPTIMIZERS; k++) {
        tiny a = tiny_make(&(tiny_spec){ .method = "prefix", .model = "classes=3,head=bn_linear" }),
             b = tiny_make(&(tiny_spec){ .method = "prefix", .model = "classes=3,head=bn_linear" });
        peft_trainer *whole = tiny_trainer(a.model, "%s", optimizers[k]),
                     *first = tiny_trainer(b.model, "%s", optimizers[k]);
        size_t parameters = 0;
        steps(whole, 0, 6);
        steps(first, 0, 3);
        OK(peft_trainer_save(first, tiny_path("first")));
        peft_trainer_free(first);
        tiny_perturb(b.model);                             /* the state's values count */
        peft_trainer *second = tiny_trainer(b.model, "%s", optimizers[k]);
        OK(peft_trainer_warm_start(second, tiny_path("first"), &parameters));
        ck_assert_uint_eq(parameters, peft_model_param_count(b.model));
        ck_assert(peft_trainer_get(second, "step") == 0);
        steps(second, 3, 6);
        ck_assert(peft_trainer_get(second, "step") == 3);
        second->step = 6;                                /* tiny_bits_training compares it too */
        tiny_bits want = { 0 }, got = { 0 };
        tiny_bits_training(&want, whole);
        tiny_bits_training(&got, second);
        tiny_same(&want, &got, optimizers[k]);
        tiny_bits_free(&want);
        peft_trainer_free(whole);
        peft_trainer_free(second);
        tiny_free(&a);
        tiny_free(&b);
    }
    tiny_clean();
}
END_TEST

/* The first stage trains prefix tokens, the second one prefix tokens and `then`. The first one's state is "stage1". */
static peft_trainer *second_stage(tiny *t, const char *then, const char *options, size_t *parameters)
{
    peft_trainer *first = tiny_trainer(t->model, "%s", options);
    steps(first, 0, 3);
    OK(peft_trainer_save(first, tiny_path("stage1")));
    peft_trainer_free(first);
    peft_adapter *a = tiny_adapter(t->backbone, then, NULL);
    OK(peft_model_attach(t->model, a));
    peft_adapter_free(a);
    peft_trainer *second = tiny_trainer(t->model, "%s", options);
    OK(peft_trainer_warm_start(second, tiny_path("stage1"), parameters));
    return second;
}

/* Prefix and head go on with their moments, and count 3 updates; what the second stage adds counts none. */
START_TEST(prefix_and_then_another_method)
{
    static const char *const then[] = { "lora", "adapter", "full" };
    for (size_t k = 0; k < sizeof then / sizeof *then; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "prefix" });
        const size_t shared = peft_model_param_count(t.model);
        size_t parameters = 0;
        peft_trainer *r = second_stage(&t, then[k], optimizers[0], &parameters);
        ck_assert_uint_eq(parameters, shared);
        ck_assert_uint_gt(r->trained_count, shared);
        for (size_t i = 0; i < r->trained_count; i++) {
            const pf_trained *p = &r->trained[i];
            const bool old = !strcmp(p->p->name, "prefix") || !strncmp(p->p->name, "head.", 5);
            pk_real sum = 0;
            for (int64_t e = 0; e < p->count; e++) sum += p->v[e];
            ck_assert_msg((sum > 0) == old, "%s: second moments add up to %g", p->p->name, (double)sum);
            ck_assert_int_eq(p->earlier, old ? 3 : 0);
        }
        float before = ((float *)peft_tensor_data(peft_param_value(peft_model_find_param(t.model, "prefix"))))[0];
        steps(r, 3, 4);
        ck_assert(((float *)peft_tensor_data(peft_param_value(peft_model_find_param(t.model, "prefix"))))[0] != before);
        peft_trainer_free(r);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

/* Saved in the middle of the second stage, restored into a new process's objects, trained on: the same bits. */
START_TEST(the_second_stage_is_resumed_with_the_same_bits)
{
    for (int k = 0; k < OPTIMIZERS; k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "prefix" }), again = tiny_make(&(tiny_spec){ .method = "prefix" });
        peft_trainer *r = second_stage(&t, "lora", optimizers[k], NULL);
        steps(r, 3, 5);
        OK(peft_trainer_save(r, tiny_path("middle")));
        steps(r, 5, 7);
        peft_adapter *a = tiny_adapter(again.backbone, "lora", NULL);
        OK(peft_model_attach(again.model, a));
        peft_adapter_free(a);
        peft_trainer *s = tiny_trainer(again.model, "%s", optimizers[k]);
        OK(peft_trainer_restore(s, tiny_path("middle")));
        steps(s, 5, 7);
        tiny_bits want = { 0 }, got = { 0 };
        tiny_bits_training(&want, r);
        tiny_bits_training(&got, s);
        tiny_same(&want, &got, optimizers[k]);
        tiny_bits_free(&want);
        peft_trainer_free(r);
        peft_trainer_free(s);
        tiny_free(&t);
        tiny_free(&again);
    }
    tiny_clean();
}
END_TEST

START_TEST(wrong_states_are_refused_and_change_nothing)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "prefix", .adapter = "tokens=3" });
    peft_trainer *r = tiny_trainer(t.model, "batch=4");
    size_t parameters = 77;
    steps(r, 0, 2);
    OK(peft_trainer_save(r, tiny_path("state")));
    FAILS(PEFT_E_STATE, "trained on 8 samples", peft_trainer_warm_start(r, tiny_path("state"), NULL));
    peft_trainer_free(r);
    const struct { const char *method, *adapter, *model, *trainer; peft_status status; const char *text; } bad[] = {
        { "prefix", "tokens=4", "classes=3", "batch=4", PEFT_E_MISMATCH, "tensor 'param.prefix': the state has "
          "[3, 2, 3, 3, 16]" },
        { "prefix", "tokens=3", "classes=4", "batch=4", PEFT_E_MISMATCH, "param.head.weight" },
        { "prefix", "tokens=3", "classes=3", "batch=4,optimizer=sgd", PEFT_E_MISMATCH, "adamw, the trainer has sgd" },
        { "bitfit", NULL, "classes=0", "batch=4", PEFT_E_NOTFOUND, "no parameter of the trainer's model" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tiny other = tiny_make(&(tiny_spec){ .method = bad[i].method, .adapter = bad[i].adapter,
                                             .model = bad[i].model });
        peft_trainer *o = tiny_trainer(other.model, "%s", bad[i].trainer);
        tiny_bits before = { 0 }, after = { 0 };
        tiny_bits_training(&before, o);
        FAILS(bad[i].status, bad[i].text, peft_trainer_warm_start(o, tiny_path("state"), &parameters));
        tiny_bits_training(&after, o);
        tiny_same(&before, &after, bad[i].text);
        tiny_bits_free(&before);
        peft_trainer_free(o);
        tiny_free(&other);
    }
    ck_assert_uint_eq(parameters, 77);
    tiny other = tiny_make(&(tiny_spec){ .backbone = TINY_BACKBONE ",seed=5", .method = "prefix",
                                         .adapter = "tokens=3" });
    peft_trainer *o = tiny_trainer(other.model, "batch=4");
    FAILS(PEFT_E_MISMATCH, "backbone", peft_trainer_warm_start(o, tiny_path("state"), NULL));
    FAILS(PEFT_E_INVALID, "path is NULL", peft_trainer_warm_start(o, NULL, NULL));
    FAILS(PEFT_E_IO, "missing", peft_trainer_warm_start(o, tiny_path("missing"), NULL));
    FAILS(PEFT_E_INVALID, "trainer is NULL", peft_trainer_warm_start(NULL, tiny_path("state"), NULL));
    peft_trainer_free(o);
    tiny_free(&other);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Parameters of the same name and extents are not taken by an adapter or head in which they mean something else. */
START_TEST(other_methods_and_options_are_refused)
{
    static const struct { const char *method[2], *adapter[2], *model[2], *text; } bad[] = {
        { { "lora", "lora" }, { "r=2,alpha=2", "r=2,alpha=64" }, { "", "" }, "saved with alpha=2, adapter 0 has "
          "alpha=64" },
        { { "vpt", "vfpt" }, { "tokens=4", "tokens=4" }, { "", "" }, "method 'vfpt', but no adapter of this method (it "
          "has one of 'vpt')" },
        { { "cvpt", "cvpt" }, { "tokens=3,insert=1", "tokens=3,insert=2" }, { "", "" }, "insert=1, adapter 0 has "
          "insert=2" },
        { { "linear", "linear" }, { "", "" }, { "", ",head=patch_linear" }, "saved with head=linear, the model has "
          "head=patch_linear" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tiny t[2];
        peft_trainer *r[2];
        for (int k = 0; k < 2; k++) {
            char model[60];
            snprintf(model, sizeof model, "classes=3%s", bad[i].model[k]);
            t[k] = tiny_make(&(tiny_spec){ .method = bad[i].method[k], .adapter = bad[i].adapter[k], .model = model });
            r[k] = tiny_trainer(t[k].model, "batch=4");
        }
        steps(r[0], 0, 1);
        OK(peft_trainer_save(r[0], tiny_path("state")));
        FAILS(PEFT_E_MISMATCH, bad[i].text, peft_trainer_warm_start(r[1], tiny_path("state"), NULL));
        for (int k = 0; k < 2; k++) {
            peft_trainer_free(r[k]);
            tiny_free(&t[k]);
        }
        tiny_clean();
    }
}
END_TEST

/* The state's values replace initial ones: their options may differ. */
START_TEST(initial_values_may_differ)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "prefix", .adapter = "tokens=2" });
    tiny zero = tiny_make(&(tiny_spec){ .method = "prefix", .adapter = "tokens=2,init=zero",
                                        .model = "classes=3,head_init=zero" });
    peft_trainer *r = tiny_trainer(t.model, "batch=4"), *o = tiny_trainer(zero.model, "batch=4");
    size_t parameters = 0;
    steps(r, 0, 2);
    OK(peft_trainer_save(r, tiny_path("state")));
    OK(peft_trainer_warm_start(o, tiny_path("state"), &parameters));
    ck_assert_uint_eq(parameters, peft_model_param_count(t.model));
    peft_trainer_free(r);
    peft_trainer_free(o);
    tiny_free(&t);
    tiny_free(&zero);
    tiny_clean();
}
END_TEST

SUITE_MAIN("warm_start", a_warm_start_goes_on_as_without_a_break, prefix_and_then_another_method,
           the_second_stage_is_resumed_with_the_same_bits, wrong_states_are_refused_and_change_nothing,
           other_methods_and_options_are_refused, initial_values_may_differ)
