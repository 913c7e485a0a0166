/* SPDX-License-Identifier: Apache-2.0
 * test_lora.c -- the preset med_peft of LoRA: the options it sets, its published parameter count, and that it trains to
 * the same bits as two LoRA adapters (query, value), one of which trains the final norm. */
#include "tiny_bits.h"

START_TEST(the_preset_has_the_published_parameter_count)
{
    const pf_vit_shape vit = { .image = { 224, 224 }, .patch = 16, .width = 768, .depth = 12, .heads = 12, .mlp = 3072,
                               .eps = 1e-6, .act = PK_GELU, PF_PLAIN_VIT };
    peft_context *ctx = tiny_plain_context();
    for (int mean = 0; mean < 2; mean++)
        for (int r = 4; r <= 32; r *= 2) {
            pf_vit_shape s = vit;
            peft_backbone *b;                                /* without weights: only shapes matter */
            peft_adapter *a;
            s.pool = mean ? PF_FEATURE_MEAN : PF_FEATURE_CLS;
            s.fc_norm = mean;
            s.norm = !mean;
            peft_options *o = tiny_options(ctx, "preset=med_peft,r=%d", r);
            OK(pf_backbone_alloc(ctx, &s, &b));
            pf_source no_file = { 0 };                       /* a source: the parameters get no initial values */
            OK(pf_adapter_make(b, "lora", o, &no_file, &a));
            int64_t n = 0;
            for (size_t i = 0; i < a->params.count; i++) n += peft_tensor_count(&a->params.item[i]->value);
            /* A and B of query and value in each block; weight and bias of the norm */
            ck_assert_int_eq(n, 12 * 2 * 2 * 768 * r + 2 * 768);
            peft_adapter_free(a);
            peft_backbone_free(b);
            peft_options_free(o);
        }
    peft_context_free(ctx);
}
END_TEST

/* The value that was given for an option, by the caller or by the preset; "" where there is none. */
static const char *value_of(const peft_adapter *a, const char *name)
{
    const char *text = pf_options_setting(a->options, name);
    return text ? text : "";
}

/* Every value of the parameter is v. */
static void check_constant(peft_adapter *a, const char *name, float v)
{
    const peft_param *p = pf_params_find(&a->params, name);
    ck_assert_msg(p != NULL, "no parameter %s", name);
    const float *x = p->value.data;
    for (int64_t i = 0; i < peft_tensor_count(&p->value); i++) ck_assert(x[i] == v);
}

START_TEST(given_options_override_the_preset)
{
    /* norm: the name of the trained norm; NULL: it is not trained */
    static const struct { const char *options, *backbone, *alpha, *dropout, *norm; } rows[] = {
        { "preset=med_peft", "pool=mean", "32", "0.1", "fc_norm" }, { "preset=med_peft", "", "32", "0.1", "norm" },
        { "preset=med_peft,alpha=4,dropout=0", "pool=mean", "4", "0", "fc_norm" },
        { "alpha=5,preset=med_peft,train_norm=false", "pool=mean", "5", "0.1", NULL } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].backbone });
        /* the final norm's weight, in front of its bias and the classifier: the preset must not start from it */
        tiny_perturb_tensor(&t.backbone->weight[t.backbone->weights - 4].tensor, "norm", 0.5);
        t.adapter = tiny_adapter(t.backbone, "lora", rows[i].options);
        ck_assert_str_eq(value_of(t.adapter, "alpha"), rows[i].alpha);
        ck_assert_str_eq(value_of(t.adapter, "dropout"), rows[i].dropout);
        const size_t lora_tensors = 3 * 2 * 2;               /* blocks; query and value; A and B */
        ck_assert_uint_eq(t.adapter->params.count, rows[i].norm ? lora_tensors + 2 : lora_tensors);
        char name[32];
        if (rows[i].norm) {
            snprintf(name, sizeof name, "%s.weight", rows[i].norm);
            check_constant(t.adapter, name, 1);
            snprintf(name, sizeof name, "%s.bias", rows[i].norm);
            check_constant(t.adapter, name, 0);
        }
        /* A file stores the values that the preset set, not only its name. */
        peft_adapter *loaded;
        tiny_perturb_tensor(&t.adapter->params.item[t.adapter->params.count - 1]->value, "bias", 0.5);
        OK(peft_adapter_save(t.adapter, tiny_path("adapter")));
        OK(peft_adapter_load(t.backbone, tiny_path("adapter"), &loaded));
        ck_assert_str_eq(value_of(loaded, "alpha"), rows[i].alpha);
        for (size_t k = 0; k < loaded->params.count; k++)
            ck_assert_mem_eq(loaded->params.item[k]->value.data, t.adapter->params.item[k]->value.data,
                             pf_tensor_bytes(&loaded->params.item[k]->value));
        peft_adapter_free(loaded);
        tiny_free(&t);
    }
    tiny t = tiny_make(&(tiny_spec){ 0 });
    static const struct { const char *options, *word; } bad[] = {
        { "preset=medpeft", "preset" }, { "train_norm=true,norm_init=two", "norm_init" } };
    for (int i = 0; i < 2; i++) {
        peft_options *o = tiny_options(t.ctx, "%s", bad[i].options);
        FAILS(PEFT_E_OPTION, bad[i].word, peft_adapter_create(t.backbone, "lora", o, &t.adapter));
        peft_options_free(o);
    }
    ck_assert_ptr_null(t.adapter);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Trains three steps and records losses and gradients, those of the query first, as in a model with one adapter for the
 * query and a second one for the value. */
static void record_training(const tiny *t, tiny_bits *bits)
{
    peft_trainer *r = tiny_trainer(t->model, "batch=3,lr=1e-2");
    for (int i = 0; i < 3; i++) {
        tiny_batch b = tiny_batch_make(t->model, 3, 3 * i);
        OK(peft_trainer_backward(r, b.images, b.labels, NULL));
        tiny_bits_add(bits, "loss", &r->last_loss, sizeof r->last_loss);
        for (int others = 0; others < 2; others++)
            for (size_t k = 0; k < peft_model_param_count(t->model); k++) {
                peft_param *p = peft_model_param(t->model, k);
                if (strstr(p->name, "attn.q") ? !others : others)
                    tiny_bits_tensor(bits, p->name, peft_param_grad(p));
            }
        OK(peft_trainer_update(r));
        tiny_batch_free(&b);
    }
    peft_trainer_free(r);
}

START_TEST(the_preset_equals_two_adapters_and_a_trained_norm)
{
    static const char *const parts[] = { "targets=attn.q,alpha=32,r=4", "targets=attn.v,alpha=32,r=4,train_norm=true,"
                                         "norm_init=one" };
    tiny_bits bits[2] = { { 0 } };
    for (int separate = 0; separate < 2; separate++) {         /* one adapter with the preset; then two */
        tiny t = tiny_make(&(tiny_spec){ .more = "pool=mean" });
        peft_adapter *a[2] = { NULL };
        for (int k = 0; k < (separate ? 2 : 1); k++) {
            a[k] = tiny_adapter(t.backbone, "lora", separate ? parts[k] : "preset=med_peft,dropout=0,r=4");
            OK(peft_model_attach(t.model, a[k]));
        }
        tiny_perturb(t.model);
        record_training(&t, &bits[separate]);
        peft_adapter_free(a[0]);
        peft_adapter_free(a[1]);
        tiny_free(&t);
    }
    tiny_same(&bits[0], &bits[1], "med_peft against separate adapters of q and v");
    tiny_bits_free(&bits[0]);
}
END_TEST

SUITE_MAIN("lora", the_preset_has_the_published_parameter_count, given_options_override_the_preset,
           the_preset_equals_two_adapters_and_a_trained_norm)
