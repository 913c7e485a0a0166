/* SPDX-License-Identifier: Apache-2.0
 * double_starts.c -- properties of methods in double precision: which start as the unchanged backbone; LoRA's scale; an
 * adapter of zeros learns only its last bias; gradients do not depend on whether weights on their way are frozen;
 * biases act after LayerScale; FPT does not depend on the order of tokens. */
#include "invariants.h"

/* Methods, with options, whose initial values do not change the backbone's output. */
static const char *const identities[][2] = {
    { "linear", "" }, { "full", "" }, { "partial", "blocks=2" }, { "bitfit", "" }, { "ln_tune", "" }, { "lora", "" },
    { "lora", "targets=[attn.qkv,attn.proj,mlp.fc1,mlp.fc2,patch_embed.proj],rslora=true" },
    { "lora", "targets=[attn.qkv,attn.proj,mlp.fc1,mlp.fc2,patch_embed.proj],dora=true" },
    { "lora", "targets=[attn.q,attn.k,attn.v],dora=true,init=gaussian" }, { "ia3", "" },
    { "lora", "targets=[attn.q,mlp.fc1],bias=lora_only" },
    { "lora", "targets=[attn.q,attn.v],bias=lora_only,dora=true" },
    { "ia3", "targets=[attn.k,attn.q,attn.proj,mlp.fc1,patch_embed.proj],feedforward=[attn.q,attn.proj]" },
    { "ln_tune", "targets=norm1" }, { "vera", "" }, { "oft", "" },
    { "oft", "terms=0,share=true,targets=[attn.qkv,attn.proj,mlp.fc1,mlp.fc2]" }, { "adapter", "" },
    { "adapter", "init=zero" }, { "adaptformer", "" }, { "attnscale_dra", "" }, { "cls_tune", "registers=true" },
    { "ept", "insert=add,length=100" }, { "ept", "insert=multiply,length=100" } };
enum { IDENTITIES = sizeof identities / sizeof *identities };

/* Relative difference of the logits to those of the backbone without the method. */
static double effect(const char *backbone, const char *method, const char *options)
{
    tiny t = VARIANT(.backbone = backbone, .method = method, .options = options),
         plain = VARIANT(.backbone = backbone);
    double d = difference(logits_of(&t), logits_of(&plain));             /* frees both */
    tiny_free(&t);
    tiny_free(&plain);
    return d;
}

START_TEST(these_methods_start_as_the_unchanged_backbone)
{
    static const char *const backbones[] = {
        "registers=2", "registers=1,pool=mean,layer_scale=true", "registers=1,swiglu=true,qkv_bias=false",
        ("class_token=false,registers=1,pool=mean,final_norm=before,qk_norm=true,"
         "attn_norm=true,mlp_norm=true,gate=last"),
        "registers=1,rope=mixed,pos_embed=false" };
    enum { BACKBONES = sizeof backbones / sizeof *backbones };
    for (size_t i = 0; i < IDENTITIES; i++)
        for (int k = 0; k < BACKBONES; k++) {
            double d = effect(backbones[k], identities[i][0], identities[i][1]);
            ck_assert_msg(d <= 1e-12, "%s(%s) on %s: difference %g", identities[i][0], identities[i][1],
                          backbones[k], d);
        }
    for (size_t m = 0; m < peft_method_count(); m++) {
        const char *name = peft_method_name(m);
        size_t i = 0;                        /* the method's first row; EPT is an identity with some options only */
        while (i < IDENTITIES && (strcmp(identities[i][0], name) || !strcmp(name, "ept"))) i++;
        const bool needs_own_head = *peft_method_head(name) != 0;     /* a side network replaces the backbone's head */
        if (i < IDENTITIES || needs_own_head) continue;
        ck_assert_msg(effect(backbones[0], name, "") > 1e-9,
                      "%s starts as the unchanged backbone: add it to identities", name);
    }
}
END_TEST

/* LoRA's scale is alpha / r, with rslora alpha / sqrt(r): two options with the same scale give the same model. */
START_TEST(options_of_equal_lora_scale_give_equal_models)
{
    static const char *const pairs[][2] = {
        { "r=4,alpha=8", "r=4,alpha=4,rslora=true" }, { "r=4,alpha=32", "r=4,alpha=16,rslora=true" },
        { "r=3,alpha=6,alpha_pattern=\"attn.v=12\",rank_pattern=\"attn.v=6\"",
          "r=3,alpha=2,alpha_pattern=\"attn.q=6,attn.v=12\",rank_pattern=\"attn.v=6\"" } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        tiny a = VARIANT(.method = "lora", .options = pairs[i][0]),
             b = VARIANT(.method = "lora", .options = pairs[i][1]);
        tiny_perturb(a.model);
        tiny_perturb(b.model);
        ck_assert_double_le(difference(logits_of(&a), logits_of(&b)), 1e-12);
        tiny_free(&a);
        tiny_free(&b);
    }
    /* Twice alpha alone changes the logits; with half of B as well it does not. */
    tiny a = VARIANT(.method = "lora", .options = "r=4,alpha=8"),
         b = VARIANT(.method = "lora", .options = "r=4,alpha=16");
    tiny_perturb(a.model);
    tiny_perturb(b.model);
    ck_assert_double_gt(difference(logits_of(&a), logits_of(&b)), 1e-6);
    for (size_t i = 0; i < peft_model_param_count(b.model); i++) {
        pf_param *p = peft_model_param(b.model, i);
        pk_real *x = p->value.data;
        for (int64_t k = 0; strstr(p->name, "lora_B") && k < peft_tensor_count(&p->value); k++) x[k] /= 2;
    }
    ck_assert_double_le(difference(logits_of(&a), logits_of(&b)), 1e-12);
    tiny_free(&a);
    tiny_free(&b);
}
END_TEST

/* With init=zero only the bias of the up-projection gets a gradient; with init=kaiming all tensors do. */
START_TEST(an_adapter_of_zeros_learns_only_its_last_bias)
{
    for (int zero = 0; zero < 2; zero++) {
        tiny t = VARIANT(.method = "adapter", .options = zero ? "init=zero" : "init=kaiming", .classes = 3);
        peft_trainer *r = tiny_trainer(t.model, "batch=%d,lr=1e-2,optimizer=sgd", BATCH);
        for (int step = 0; step < 3; step++) tiny_step(r, BATCH, step * BATCH);
        for (size_t i = 0; i < t.adapter->params.count; i++) {
            const pf_param *p = t.adapter->params.item[i];
            double maximum = largest(p->value.data, peft_tensor_count(&p->value));
            bool learns = !zero || strstr(p->name, "up.bias");
            ck_assert_msg(learns ? maximum > 0 : maximum == 0, "%s, init=zero %d: values up to %g", p->name, zero,
                          maximum);
        }
        peft_trainer_free(r);
        tiny_free(&t);
    }
}
END_TEST

/* The gradient of an adapter is the same whether the backbone's weights are frozen or trained too. */
START_TEST(gradients_do_not_depend_on_frozen_weights)
{
    static const char *const methods[] = { "vpt", "ept", "prefix", "vp", "adapter", "lora" };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        tiny frozen = VARIANT(.method = methods[m], .classes = 3),
             full = VARIANT(.method = methods[m], .second = "full", .classes = 3);
        for (int k = 0; k < 2; k++)
            for (size_t i = 0; i < frozen.adapter->params.count; i++) {
                pf_param *p = (k ? full.adapter : frozen.adapter)->params.item[i];
                tiny_perturb_tensor(&p->value, p->name, 0.3);
            }
        peft_trainer *a = backward(&frozen), *b = backward(&full);
        for (size_t i = 0; i < frozen.adapter->params.count; i++) {
            const pf_param *p = frozen.adapter->params.item[i], *q = full.adapter->params.item[i];
            const pk_real *x = p->grad.data, *y = q->grad.data;
            double maximum = largest(y, peft_tensor_count(&q->value));
            ck_assert_double_gt(maximum, 0);
            for (int64_t n = 0; n < peft_tensor_count(&p->value); n++)
                ck_assert_msg(fabs((double)x[n] - (double)y[n]) <= 1e-12 * maximum, "%s: gradient of %s",
                              methods[m], p->name);
        }
        peft_trainer_free(a);
        peft_trainer_free(b);
        tiny_free(&frozen);
        tiny_free(&full);
    }
}
END_TEST

/* Logits of a method on a backbone with LayerScale, with random values in its parameters blocks.<i>.<tensor> (NULL: as
 * the method starts). A bias of an up-projection acts like attnscale_dra's offset, which is added after LayerScale. */
static peft_tensor *logits_with_offsets(const char *method, const char *options, const char *tensor)
{
    tiny t = VARIANT(.backbone = "layer_scale=true", .method = method, .options = options);
    for (int64_t l = 0; tensor && l < t.backbone->shape.depth; l++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.%s", (int)l, tensor);
        /* "odd" and "even" are seeds: all methods get the same values */
        tiny_perturb_tensor(peft_param_value(peft_model_find_param(t.model, name)), l % 2 ? "odd" : "even", 0.5);
    }
    peft_tensor *logits = logits_of(&t);
    tiny_free(&t);
    return logits;
}

START_TEST(biases_of_adapters_act_after_layer_scale)
{
    static const char offset[] = "adapter_2.offset", up[] = "adapter.up.bias", up_proj[] = "adaptmlp.up_proj.bias";
    const char *const without = NULL;
    ck_assert_double_gt(difference(logits_with_offsets("linear", "", without),
                                   logits_with_offsets("adapter", "", up)), 1e-3);
    ck_assert_double_le(difference(logits_with_offsets("attnscale_dra", "scale=false", offset),
                                   logits_with_offsets("adapter", "", up)), 1e-12);
    ck_assert_double_le(difference(logits_with_offsets("attnscale_dra", "scale=false", offset),
                                   logits_with_offsets("adaptformer", "scale=1", up_proj)), 1e-12);
}
END_TEST

enum { PATCH = 4, GRID = 4, SIDE = PATCH * GRID };

/* The permutation of patches: patch i of the permuted image is patch permuted(i) of the original. */
static int permuted(int patch) { return (7 * patch + 3) % (GRID * GRID); }

/* Copies a batch of images with their patches permuted. */
static void permute_patches(float *to, const float *from)
{
    for (int plane = 0; plane < BATCH * 3; plane++)
        for (int p = 0; p < GRID * GRID; p++)
            for (int y = 0; y < PATCH; y++)
                for (int x = 0; x < PATCH; x++) {
                    const int target = (p / GRID * PATCH + y) * SIDE + p % GRID * PATCH + x, q = permuted(p);
                    const int source = (q / GRID * PATCH + y) * SIDE + q % GRID * PATCH + x;
                    to[plane * SIDE * SIDE + target] = from[plane * SIDE * SIDE + source];
                }
}

/* Permutes the position embeddings of the patches; row 0 belongs to the class token. */
static void permute_positions(peft_backbone *b)
{
    pk_real original[(1 + GRID * GRID) * 64];
    const peft_tensor *t = pf_backbone_find(b, "pos_embed");
    const int64_t d = t->dim[2];
    memcpy(original, t->data, pf_tensor_bytes(t));
    for (int p = 0; p < GRID * GRID; p++)
        memcpy((pk_real *)t->data + (1 + p) * d, original + (1 + permuted(p)) * d, (size_t)d * sizeof *original);
}

/* What is permuted: nothing, the patches of the image, or these and the position embeddings. */
typedef enum { ORIGINAL, PATCHES_PERMUTED, ALL_PERMUTED } order;

/* Logits of a model with FPT, whose side network gets a small image that is never permuted. */
static peft_tensor *fpt_logits(const char *options, order moved)
{
    tiny t = { .ctx = tiny_plain_context() };
    t.backbone = tiny_backbone(t.ctx, BACKBONE, NULL);
    for (size_t i = 0; i < t.backbone->weights; i++)
        tiny_perturb_tensor(&t.backbone->weight[i].tensor, t.backbone->weight[i].name, 0.3);
    if (moved == ALL_PERMUTED) permute_positions(t.backbone);
    t.model = tiny_model(t.backbone, "classes=3,head=side_encoder");
    t.adapter = tiny_adapter(t.backbone, "fpt", options);
    OK(peft_model_attach(t.model, t.adapter));
    tiny_perturb(t.model);
    tiny_batch b = tiny_first_batch(t.model, BATCH);
    peft_tensor *small = tiny_tensor(t.ctx, PEFT_F32, 4, BATCH, 3, 8, 8);
    peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 2, BATCH, 3), *image = tiny_tensor(t.ctx, PEFT_F32, 4, BATCH, 3,
                                                                                         SIDE, SIDE);
    memcpy(peft_tensor_data(small), peft_tensor_cdata(b.images), pf_tensor_bytes(small));
    if (moved != ORIGINAL) permute_patches(peft_tensor_data(image), peft_tensor_cdata(b.images));
    else memcpy(peft_tensor_data(image), peft_tensor_cdata(b.images), pf_tensor_bytes(image));
    peft_session *s = tiny_session(t.model, "batch=%d", BATCH);
    OK(peft_session_input(s, "side_images", small));
    OK(peft_session_predict(s, image, logits));
    peft_session_free(s);
    peft_tensor_free(small);
    peft_tensor_free(image);
    tiny_batch_free(&b);
    tiny_free(&t);
    return logits;
}

/* Permuting patches and position embeddings permutes the tokens, which FPT reads as keys and values: the logits stay.
 * Permuting the patches alone changes them. */
START_TEST(the_order_of_tokens_does_not_matter_to_fpt)
{
    static const char *const forms[] = {
        "side_input=given,side_image=8,ratio=0.5", "side_input=given,side_image=8,ratio=1,importance=class_token",
        "side_input=given,side_image=8,ratio=0.5,plus=true,layers=[1,2]" };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        double d = difference(fpt_logits(forms[f], ALL_PERMUTED), fpt_logits(forms[f], ORIGINAL));
        ck_assert_msg(d <= 1e-12, "fpt with %s: difference %g", forms[f], d);
        ck_assert_double_gt(difference(fpt_logits(forms[f], PATCHES_PERMUTED), fpt_logits(forms[f], ORIGINAL)), 1e-9);
    }
}
END_TEST

SUITE_MAIN("starts", these_methods_start_as_the_unchanged_backbone, options_of_equal_lora_scale_give_equal_models,
           an_adapter_of_zeros_learns_only_its_last_bias, gradients_do_not_depend_on_frozen_weights,
           biases_of_adapters_act_after_layer_scale, the_order_of_tokens_does_not_matter_to_fpt)
