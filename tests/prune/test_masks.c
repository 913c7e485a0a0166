/* SPDX-License-Identifier: Apache-2.0
 * test_masks.c -- masks of prompts (e2vpt, peft_sys_declare_mask): lists, errors, files; the random numbers of dropout.
 */
#include "tiny_bits.h"

#define TOKEN_MASK "prompt_soft_tokens_mask_cls_token"
#define PIECE_MASK "prompt_soft_tokens_pieces_mask_cls_token"
#define LISTS "tokens=3,pieces=4,mask_tokens=[0,1,1],mask_pieces=[[1,1,1,1],[1,0,0,1],[1,1,1,0]]"

static void check_mask(const peft_tensor *t, const char *digits)
{
    const float *x = peft_tensor_cdata(t);
    ck_assert_int_eq(peft_tensor_count(t), strlen(digits));
    for (size_t i = 0; digits[i]; i++)
        ck_assert_msg(x[i] == (float)(digits[i] - '0'), "element %zu: %g", i, (double)x[i]);
}

START_TEST(a_list_is_a_buffer_and_trained_is_a_parameter)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = LISTS });
    check_mask(peft_adapter_find_buffer(t.adapter, TOKEN_MASK), "011");
    check_mask(peft_adapter_find_buffer(t.adapter, PIECE_MASK), "111110011110");
    ck_assert_ptr_null(peft_model_find_param(t.model, TOKEN_MASK));
    tiny_free(&t);
    t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = "mask_tokens=trained" });
    ck_assert_str_eq(peft_param_group(peft_model_find_param(t.model, TOKEN_MASK)), "prompt");
    ck_assert_uint_eq(peft_adapter_buffer_count(t.adapter), 0);
    ck_assert_ptr_null(peft_model_find_param(t.model, PIECE_MASK));
    tiny_free(&t);
}
END_TEST

START_TEST(wrong_lists_are_refused)
{
    static const char *const bad[][2] = {
        { "mask_tokens=[1,0]", "option 'mask_tokens' of method 'e2vpt': given '[1,0]', expected none, trained, or a "
                               "list of 3" },
        { "mask_tokens=[1,0,1,1]", "a list of 3 numbers 0 and 1" }, { "mask_tokens=[1,0,2]", "a list of 3" },
        { "mask_tokens=[1,0,0.5]", "a list of 3" }, { "mask_tokens=fixed", "none, trained" },
        { "mask_tokens=[]", "none, trained" },
        { "mask_pieces=[1,0,1]", "option 'mask_pieces' of method 'e2vpt': given '[1,0,1]', expected none, trained, "
                                 "or a list of 48" },
        { "pieces=49,mask_pieces=trained", "option 'pieces' of method 'e2vpt': given '49', expected at most the "
                                           "backbone's width" },
        { "pieces=0", "pieces" }, { "kv_tokens=-1", "kv_tokens" } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        peft_adapter *a = NULL;
        peft_options *o = tiny_method_options(t.ctx, "e2vpt", bad[i][0]);
        FAILS(PEFT_E_OPTION, bad[i][1], peft_adapter_create(t.backbone, "e2vpt", o, &a));
        ck_assert_ptr_null(a);
        peft_options_free(o);
    }
    tiny_free(&t);
}
END_TEST

/* Also for masks that the application has changed: the file's values count, not the list. */
START_TEST(masks_are_saved_and_loaded)
{
    static const char *const forms[] = { LISTS, "mask_tokens=trained,mask_pieces=trained", "mask_tokens=[1,1,0]" };
    for (size_t i = 0; i < 3; i++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = forms[i] });
        tiny_bits want = { 0 }, got = { 0 };
        peft_model *m;
        if (!i) ((float *)peft_tensor_data(peft_adapter_find_buffer(t.adapter, TOKEN_MASK)))[2] = 0;
        tiny_bits_model(&want, t.model);
        tiny_bits_predict(&want, t.model, 3, 1);
        OK(peft_model_save(t.model, tiny_path("masks")));
        OK(peft_model_load(t.backbone, tiny_path("masks"), &m));
        tiny_bits_model(&got, m);
        tiny_bits_predict(&got, m, 3, 1);
        tiny_same(&want, &got, forms[i]);
        ck_assert_str_eq(peft_adapter_option_value(peft_model_adapter(m, 0), "mask_tokens"),
                         peft_adapter_option_value(t.adapter, "mask_tokens"));
        tiny_bits_free(&want);
        peft_model_free(m);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

/* A training step changes trained masks; it changes fixed ones in no bit. */
START_TEST(training_changes_trained_masks_only)
{
    static const char *const forms[] = { LISTS, "pieces=4,mask_tokens=trained,mask_pieces=trained" };
    for (int trained = 0; trained < 2; trained++) {
        tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = forms[trained] });
        peft_tensor *mask = trained ? peft_param_value(peft_model_find_param(t.model, PIECE_MASK))
                                    : peft_model_find_buffer(t.model, PIECE_MASK);
        float before[12];
        memcpy(before, peft_tensor_cdata(mask), sizeof before);
        peft_trainer *r = tiny_trainer(t.model, "batch=3,lr=0.01");
        tiny_step(r, 3, 0);
        ck_assert_int_eq(memcmp(before, peft_tensor_cdata(mask), sizeof before) != 0, trained);
        peft_trainer_free(r);
        tiny_free(&t);
    }
}
END_TEST

static void count_dropouts(const char *line, void *user)
{
    for (; (line = strstr(line, "dropout ")); line++) ++*(int *)user;
}

/* In each block the prompts, the keys and the values, though these are one tensor, have a mask of their own. */
START_TEST(dropout_is_drawn_for_each_use)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "e2vpt", .adapter = "dropout=0.5" });
    peft_trainer *r = tiny_trainer(t.model, "batch=2");
    int dropouts = 0;
    peft_trainer_describe(r, count_dropouts, &dropouts);
    ck_assert_int_eq(dropouts, 3 * 3);
    tiny_batch b = tiny_batch_make(t.model, 2, 0);
    float *x = peft_tensor_data(b.images);
    memcpy(x + 3 * 16 * 16, x, 3 * 16 * 16 * sizeof *x);
    OK(peft_trainer_backward(r, b.images, b.labels, NULL));
    const float *logits = peft_tensor_cdata(peft_trainer_logits(r));
    ck_assert(memcmp(logits, logits + 3, 3 * sizeof *logits));               /* the same image twice */
    tiny_batch_free(&b);
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

/* Keys of prefix are the same for every sample; those of e2vpt with dropout are not. */
START_TEST(keys_with_and_without_dropout_stand_side_by_side)
{
    static const char *const method[] = { "e2vpt", "prefix" }, *const options[] = { "dropout=0.5", "tokens=2" };
    for (int first = 0; first < 2; first++) {
        tiny t = tiny_make(&(tiny_spec){ .method = method[first], .adapter = options[first] });
        peft_adapter *second = tiny_adapter(t.backbone, method[!first], options[!first]);
        OK(peft_model_attach(t.model, second));
        peft_trainer *r = tiny_trainer(t.model, "batch=3,lr=0.01");
        tiny_step(r, 3, 0);
        const peft_param *prefix = peft_model_find_param(t.model, "prefix");
        const float *g = peft_tensor_cdata(peft_param_grad(prefix));
        double sum = 0;
        for (int64_t i = 0; i < peft_tensor_count(&prefix->value); i++) sum += (double)(g[i] * g[i]);
        ck_assert_double_gt(sum, 0);
        peft_trainer_free(r);
        peft_adapter_free(second);
        tiny_free(&t);
    }
}
END_TEST

SUITE_MAIN("masks", a_list_is_a_buffer_and_trained_is_a_parameter, wrong_lists_are_refused, masks_are_saved_and_loaded,
           training_changes_trained_masks_only, dropout_is_drawn_for_each_use,
           keys_with_and_without_dropout_stand_side_by_side)
