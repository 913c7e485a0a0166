/* SPDX-License-Identifier: Apache-2.0
 * test_model_parts.c -- peft_model_backbone and peft_model_adapter of a loaded model; peft_adapter_option_value and
 * peft_adapter_trainable_count of its adapters. */
#include "tiny.h"

START_TEST(a_loaded_model_has_its_backbone_and_adapters)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "r=3,alpha=1e1,targets=\"q,v\"" });
    peft_adapter *second = tiny_adapter(t.backbone, "vpt", "tokens=2");
    peft_model *m;
    OK(peft_model_attach(t.model, second));
    peft_adapter_free(second);
    OK(peft_model_save(t.model, tiny_path("model")));
    OK(peft_model_load(t.backbone, tiny_path("model"), &m));
    ck_assert_ptr_eq(peft_model_backbone(m), t.backbone);
    ck_assert_uint_eq(peft_model_adapter_count(m), 2);
    ck_assert_str_eq(peft_adapter_method(peft_model_adapter(m, 0)), "lora");
    ck_assert_str_eq(peft_adapter_method(peft_model_adapter(m, 1)), "vpt");
    ck_assert_ptr_null(peft_model_adapter(m, 2));

    const peft_adapter *lora = peft_model_adapter(m, 0);
    ck_assert_str_eq(peft_adapter_option_value(lora, "r"), "3");
    ck_assert_str_eq(peft_adapter_option_value(lora, "alpha"), "1e1");          /* as it was given */
    ck_assert_str_eq(peft_adapter_option_value(lora, "targets"), "q,v");
    ck_assert_str_eq(peft_adapter_option_value(lora, "dropout"), "0");          /* the default */
    ck_assert_ptr_null(peft_adapter_option_value(lora, "tokens"));
    ck_assert_ptr_null(peft_adapter_option_value(lora, ""));

    int64_t n = 0;
    for (size_t i = 0; i < 2; i++) n += peft_adapter_trainable_count(peft_model_adapter(m, i));
    ck_assert_int_eq(peft_adapter_trainable_count(lora), 3 * 2 * 3 * (48 + 48));       /* blocks, targets, r, A and B */
    ck_assert_int_eq(n + 3 * 48 + 3, peft_model_trainable_count(m));                   /* and the head */
    peft_model_free(m);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Options that were not given have the preset's values, also after loading. */
START_TEST(option_values_are_those_of_the_preset)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adapter *a, *b;
    peft_options *o = tiny_options(t.ctx, "preset=med_peft,r=4,dropout=0.2");
    OK(peft_adapter_create(t.backbone, "lora", o, &a));
    OK(peft_adapter_save(a, tiny_path("adapter")));
    OK(peft_adapter_load(t.backbone, tiny_path("adapter"), &b));
    const peft_adapter *const both[] = { a, b };
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(peft_adapter_option_value(both[i], "r"), "4");
        ck_assert_str_eq(peft_adapter_option_value(both[i], "dropout"), "0.2");          /* overrides the preset */
        ck_assert_str_eq(peft_adapter_option_value(both[i], "alpha"), "32");
        ck_assert_str_eq(peft_adapter_option_value(both[i], "norm_init"), "one");
    }
    peft_options_free(o);
    peft_adapter_free(a);
    peft_adapter_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Every option of every method, registered ones too, has a value: the default where it was not given. */
START_TEST(every_option_has_a_value)
{
    for (size_t k = 0; k < tiny_method_count(); k++) {
        tiny t = tiny_make(&(tiny_spec){ .method = tiny_method_name(k) });
        const peft_option *row;
        for (size_t i = 0; (row = tiny_method_option(tiny_method_name(k), i)); i++) {
            const char *value = peft_adapter_option_value(t.adapter, row->name);
            ck_assert_msg(value != NULL, "%s: option %s has no value", tiny_method_name(k),
                          row->name);
            if (!pf_options_has(t.adapter->options, row->name)) ck_assert_str_eq(value, row->fallback);
        }
        const int64_t head = t.adapter->method->network ? 0 : 3 * 48 + 3;
        ck_assert_int_eq(peft_adapter_trainable_count(t.adapter) + head, peft_model_trainable_count(t.model));
        tiny_free(&t);
    }
}
END_TEST

START_TEST(null_handles_and_unknown_options_give_nothing)
{
    ck_assert(!peft_model_backbone(NULL) && !peft_model_adapter_count(NULL) && !peft_model_adapter(NULL, 0));
    ck_assert(!peft_adapter_option_value(NULL, "r") && !peft_adapter_trainable_count(NULL));
    tiny t = tiny_make(&(tiny_spec){ .method = "linear" });
    ck_assert_ptr_null(peft_adapter_option_value(t.adapter, "r"));           /* a method without options */
    ck_assert_ptr_null(peft_adapter_option_value(t.adapter, NULL));
    ck_assert_int_eq(peft_adapter_trainable_count(t.adapter), 0);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("model parts", a_loaded_model_has_its_backbone_and_adapters, option_values_are_those_of_the_preset,
           every_option_has_a_value, null_handles_and_unknown_options_give_nothing)
