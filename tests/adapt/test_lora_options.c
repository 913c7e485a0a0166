/* SPDX-License-Identifier: Apache-2.0
 * test_lora_options.c -- options of LoRA: targets under their short names and Hugging Face's, rank_pattern and
 * alpha_pattern; and options of models, vpt and cls_tune that are refused because they would have no effect. */
#include "tiny.h"

/* Creates an adapter with options given as text; returns the status of peft_adapter_create. */
static peft_status create(const tiny *t, const char *method, const char *options, peft_adapter **out)
{
    peft_options *o = tiny_options(t->ctx, "%s", options);
    const peft_status s = peft_adapter_create(t->backbone, method, o, out);
    peft_options_free(o);
    return s;
}

/* Two adapters have parameters of the same names. */
static void same_tensors(const peft_adapter *a, const peft_adapter *b, const char *who)
{
    ck_assert_msg(a->params.count == b->params.count, "%s: %zu tensors, expected %zu", who, a->params.count,
                  b->params.count);
    for (size_t i = 0; i < a->params.count; i++) ck_assert_str_eq(a->params.item[i]->name, b->params.item[i]->name);
}

START_TEST(targets_have_short_and_hugging_face_names)
{
    static const char *const rows[][2] = {               /* targets, and the same by libpeft's names; NULL: refused */
        { "q,v", "attn.q,attn.v" }, { "[q, v]", "attn.q,attn.v" }, { "query,value", "attn.q,attn.v" },
        { "q_proj,k_proj,v_proj", "attn.q,attn.k,attn.v" }, { "k,key", NULL }, { "key", "attn.k" },
        { "qkv", "attn.qkv" }, { "proj", "attn.proj" }, { "o_proj", "attn.proj" }, { "out_proj", "attn.proj" },
        { "attention.output.dense", "attn.proj" }, { "fc1,fc2", "mlp.fc1,mlp.fc2" },
        { "intermediate.dense", "mlp.fc1" }, { "projection", "patch_embed.proj" }, { "attn.q,query", NULL },
        { "attention.attention.query,self_attn.v_proj", "attn.q,attn.v" }, { "output.dense,w12", "mlp.fc1,mlp.fc2" },
        { "blocks.1.attn.q,2.mlp.fc1", "2.mlp.fc1,1.attn.q" }, { "blocks.9.attn.q", NULL },
        { "1.attn.q,blocks.1.attn.q", NULL }, { "dense", NULL }, { "Q", NULL }, { "attn", NULL },
        { "q,attn.qkv", "attn.qkv,attn.q" } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[128];
        peft_adapter *a = NULL, *b = NULL;
        snprintf(text, sizeof text, "targets=\"%s\"", rows[i][0]);
        if (!rows[i][1]) {
            /* the message lists all names of layers, among them query */
            FAILS(PEFT_E_OPTION, "query", create(&t, "lora", text, &a));
            continue;
        }
        ck_assert_msg(!create(&t, "lora", text, &a), "%s", peft_last_error());
        snprintf(text, sizeof text, "targets=\"%s\"", rows[i][1]);
        OK(create(&t, "lora", text, &b));
        same_tensors(a, b, rows[i][0]);
        peft_adapter_free(a);
        peft_adapter_free(b);
    }
    tiny_free(&t);
}
END_TEST

START_TEST(patterns_with_bad_values_or_without_a_match_are_refused)
{
    static const struct { const char *options, *word; } bad[] = {
        { "rank_pattern=\"attn.q=1.5\"", "whole numbers" }, { "rank_pattern=\"attn.q=0\"", "whole numbers" },
        { "rank_pattern=\"attn.q=4097\"", "4096" }, { "rank_pattern=\"attn.q=1e300\"", "4096" },
        { "rank_pattern=\"attn.q=-1\"", "whole numbers" }, { "rank_pattern=\"attn.q=nan\"", "rank_pattern" },
        { "alpha_pattern=\"attn.q=-2\"", "alpha_pattern" }, { "alpha_pattern=\"attn.v=inf\"", "alpha_pattern" },
        { "rank_pattern=\"attn.qq=4\"", "'attn.qq=4'" }, { "rank_pattern=\"attn.k=4\"", "'attn.k=4'" },
        { "rank_pattern=\"attn.q=4,blocks.7.attn.q=3\"", "'blocks.7.attn.q=3'" },
        { "rank_pattern=\"attn.q=4,blocks.1.attn.q=3\"", "'blocks.1.attn.q=3'" },       /* attn.q matched it before */
        { "alpha_pattern=\"q_proj=4\"", "'q_proj=4'" },
        { "layers=0,rank_pattern=\"blocks.1.attn.q=3\"", "'blocks.1.attn.q=3'" } };
    static const struct { const char *options; int64_t rank[3]; } good[] = {
        { "rank_pattern=\"attn.q=4\"", { 4, 4, 4 } }, { "rank_pattern=\"blocks.1.attn.q=3,attn.q=5\"", { 5, 3, 5 } },
        { "rank_pattern=\"q=1\",alpha_pattern=\"attn.v=2,1.attn.q=3\"", { 1, 1, 1 } } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adapter *a = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        FAILS(PEFT_E_OPTION, bad[i].word, create(&t, "lora", bad[i].options, &a));
    ck_assert_ptr_null(a);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(!create(&t, "lora", good[i].options, &a), "%s: %s", good[i].options, peft_last_error());
        for (int l = 0; l < 3; l++) {
            char name[64];
            snprintf(name, sizeof name, "blocks.%d.attn.q.lora_A.weight", l);
            ck_assert_int_eq(pf_params_find(&a->params, name)->value.dim[0], good[i].rank[l]);
        }
        peft_adapter_free(a);
    }
    tiny_free(&t);
}
END_TEST

/* DoRA would have two magnitudes for each row of attn.v, and merging could not give the same network. */
START_TEST(dora_on_attn_qkv_and_a_part_of_it_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adapter *a = NULL;
    FAILS(PEFT_E_OPTION, "attn.qkv", create(&t, "lora", "dora=true,targets=[attn.qkv,attn.v]", &a));
    ck_assert_ptr_null(a);
    OK(create(&t, "lora", "dora=true,targets=[attn.q,attn.k,attn.v]", &a));
    peft_adapter_free(a);
    tiny_free(&t);
}
END_TEST

/* Methods whose init reads a tensor, or rows of a tensor, that the backbone does not have. Its attn.qkv.weight has the
 * rows 0 to 3 * width - 1; the second reads `width` rows from row 2 * width + 1 on. */
static peft_status norms_of_a_missing_tensor(peft_adapter *a, const peft_vit *v)
{
    peft_param *p = peft_sys_declare(a, PEFT_DIMS(v->width), "one", "lengths");
    const int64_t first_row = 0;
    peft_sys_fill_row_norms(a, p, "blocks.0.attn.query.weight", first_row);
    return peft_sys_init_status(a);
}
static peft_status norms_of_too_many_rows(peft_adapter *a, const peft_vit *v)
{
    peft_param *p = peft_sys_declare(a, PEFT_DIMS(v->width), "one", "lengths");
    const int64_t first_row = 2 * v->width + 1;
    peft_sys_fill_row_norms(a, p, "blocks.0.attn.qkv.weight", first_row);
    return peft_sys_init_status(a);
}

START_TEST(reading_tensors_that_the_backbone_lacks_is_an_error)
{
    static const peft_method methods[] = { { .name = "no_tensor", .init = norms_of_a_missing_tensor },
                                           { .name = "no_rows", .init = norms_of_too_many_rows } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_default_backbone(ctx);
    peft_adapter *a = NULL;
    peft_options *o = tiny_options(ctx, "registers=true");
    for (int i = 0; i < 2; i++) OK(peft_sys_register_method(ctx, &methods[i], PEFT_METHOD_ABI));
    FAILS(PEFT_E_INVALID, "'blocks.0.attn.query.weight'", peft_adapter_create(b, "no_tensor", NULL, &a));
    FAILS(PEFT_E_INVALID, "rows 97 to 144", peft_adapter_create(b, "no_rows", NULL, &a));
    FAILS(PEFT_E_OPTION, "registers", peft_adapter_create(b, "cls_tune", o, &a));
    ck_assert_ptr_null(a);
    peft_options_free(o);
    peft_backbone_free(b);
    peft_context_free(ctx);
}
END_TEST

/* Refused: options that have no effect on this model, and unknown values, even where the option has no effect. */
START_TEST(model_options_without_effect_are_refused)
{
    static const struct { const char *options, *word; } bad[] = {
        { "head_init=nonsense", "nonsense" }, { "classes=3,head_init=nonsense", "nonsense" },
        { "classes=3,head_init=normal", "normal" }, { "head_init=zero", "head_init" }, { "head=mlp", "head" },
        { "head_layers=2", "head_layers" }, { "classes=3,head_layers=2", "head_layers" },
        { "classes=3,head=side_encoder,head_init=zero", "head_init" } };
    static const char *const good[] = { "", "head_init=auto", "head=linear", "classes=3,head_init=kaiming_out",
        "classes=3,head=mlp,head_layers=2,head_init=xavier", "classes=3,head=bn_linear,head_init=trunc_normal:0.01" };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        peft_options *o = tiny_options(t.ctx, "%s", bad[i].options);
        peft_model *m = NULL;
        FAILS(PEFT_E_OPTION, bad[i].word, peft_model_create(t.backbone, o, &m));
        ck_assert_ptr_null(m);
        peft_options_free(o);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) peft_model_free(tiny_model(t.backbone, good[i]));
    tiny_free(&t);
}
END_TEST

/* vpt with deep=false: options that only deep prompts have. */
START_TEST(options_of_deep_prompts_are_refused_for_shallow_ones)
{
    static const char *const bad[] = { "deep=false,layers=0-1", "deep=false,shared=true" };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    peft_adapter *a = NULL;
    for (int i = 0; i < 2; i++) FAILS(PEFT_E_OPTION, "deep=true", create(&t, "vpt", bad[i], &a));
    ck_assert_ptr_null(a);
    OK(create(&t, "vpt", "deep=false", &a));
    peft_adapter_free(a);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("lora_options",
           options_of_deep_prompts_are_refused_for_shallow_ones, targets_have_short_and_hugging_face_names,
           patterns_with_bad_values_or_without_a_match_are_refused,
           dora_on_attn_qkv_and_a_part_of_it_is_refused, reading_tensors_that_the_backbone_lacks_is_an_error,
           model_options_without_effect_are_refused)
