/* SPDX-License-Identifier: Apache-2.0
 * double_starts.c -- how methods start and what they are made of: which leave the backbone's function as it is, LoRA's
 * scales, the adapter that cannot learn, FPT's tokens without an order; and that a frozen backward pass is the full
 * one's. In double precision. */
#include "invariants.h"

/* Methods that change nothing before the first step, in several forms. */
static const char *const identities[][2] = {
    { "linear", "" }, { "full", "" }, { "partial", "blocks=2" }, { "bitfit", "" }, { "ln_tune", "" }, { "lora", "" },
    { "lora", "targets=[attn.qkv,attn.proj,mlp.fc1,mlp.fc2,patch_embed.proj],rslora=true" },
    { "lora", "targets=[attn.qkv,attn.proj,mlp.fc1,mlp.fc2,patch_embed.proj],dora=true" },
    { "lora", "targets=[attn.q,attn.k,attn.v],dora=true,init=gaussian" }, { "ia3", "" }, { "adapter", "" },
    { "adapter", "init=zero" }, { "adaptformer", "" }, { "attnscale_dra", "" }, { "cls_tune", "registers=true" } };
enum { IDENTITIES = sizeof identities / sizeof *identities };

/* Largest difference of logits to the bare backbone's, relative. */
static double effect(const char *backbone, const char *method, const char *options)
{
    tiny t = make(backbone, method, options, NULL, 0), plain = make(backbone, NULL, NULL, NULL, 0);
    double d = apart(logits_of(&t), logits_of(&plain));
    tiny_free(&t);
    tiny_free(&plain);
    return d;
}

START_TEST(who_starts_as_the_backbone)
{
    static const char *const backbones[] = { "registers=2", "registers=1,pool=mean,layer_scale=true",
                                             "registers=1,swiglu=true,qkv_bias=false" };
    for (size_t i = 0; i < IDENTITIES; i++)
        for (int k = 0; k < 3; k++) {
            double d = effect(backbones[k], identities[i][0], identities[i][1]);
            ck_assert_msg(d <= 1e-12, "%s(%s) on %s: %g", identities[i][0], identities[i][1], backbones[k], d);
        }
    for (size_t m = 0; m < peft_method_count(); m++) {
        const char *name = peft_method_name(m);
        size_t i = 0;
        while (i < IDENTITIES && strcmp(identities[i][0], name)) i++;
        if (i < IDENTITIES || *peft_method_head(name)) continue;
        ck_assert_msg(effect(backbones[0], name, "") > 1e-9, "%s starts as an identity: it belongs in the table", name);
    }
}
END_TEST

/* The scale is alpha / r or alpha / sqrt(r): pairs of options with the same one, and the same values of A and B. */
START_TEST(scales_of_lora)
{
    static const char *const pairs[][2] = {
        { "r=4,alpha=8", "r=4,alpha=4,rslora=true" }, { "r=4,alpha=32", "r=4,alpha=16,rslora=true" },
        { "r=3,alpha=6,alpha_pattern=\"attn.v=12\",rank_pattern=\"attn.v=6\"",
          "r=3,alpha=2,alpha_pattern=\"attn.q=6,attn.v=12\",rank_pattern=\"attn.v=6\"" } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        tiny a = make(NULL, "lora", pairs[i][0], NULL, 0), b = make(NULL, "lora", pairs[i][1], NULL, 0);
        tiny_shake(a.model);
        tiny_shake(b.model);
        ck_assert_double_le(apart(logits_of(&a), logits_of(&b)), 1e-12);
        tiny_free(&a);
        tiny_free(&b);
    }
    /* half of B and twice alpha; and alpha alone does matter */
    tiny a = make(NULL, "lora", "r=4,alpha=8", NULL, 0), b = make(NULL, "lora", "r=4,alpha=16", NULL, 0);
    tiny_shake(a.model);
    tiny_shake(b.model);
    ck_assert_double_gt(apart(logits_of(&a), logits_of(&b)), 1e-6);
    for (size_t i = 0; i < peft_model_param_count(b.model); i++) {
        pf_param *p = peft_model_param(b.model, i);
        pk_real *x = p->value.data;
        for (int64_t k = 0; strstr(p->name, "lora_B") && k < peft_tensor_count(&p->value); k++) x[k] /= 2;
    }
    ck_assert_double_le(apart(logits_of(&a), logits_of(&b)), 1e-12);
    tiny_free(&a);
    tiny_free(&b);
}
END_TEST

/* With all tensors of an adapter at zero only the last bias gets a gradient; with a random down-projection all do. */
START_TEST(the_adapter_that_cannot_learn)
{
    for (int zero = 0; zero < 2; zero++) {
        tiny t = make(NULL, "adapter", zero ? "init=zero" : "init=kaiming", NULL, 3);
        peft_trainer *r = tiny_trainer(t.model, "batch=%d,lr=1e-2,optimizer=sgd", BATCH);
        for (int step = 0; step < 3; step++) tiny_step(r, BATCH, step * BATCH);
        for (size_t i = 0; i < t.adapter->params.count; i++) {
            const pf_param *p = t.adapter->params.item[i];
            double top = largest(p->value.data, peft_tensor_count(&p->value));
            bool moves = !zero || strstr(p->name, "up.bias");
            ck_assert_msg(moves ? top > 0 : top == 0, "%s, zero %d: up to %g", p->name, zero, top);
        }
        peft_trainer_free(r);
        tiny_free(&t);
    }
}
END_TEST

/* The gradient of a prompt is the same whether the weights on its way are trained too or frozen. */
START_TEST(frozen_backward_is_the_full_one)
{
    static const char *const methods[] = { "vpt", "ept", "prefix", "vp", "adapter", "lora" };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        tiny frozen = make(NULL, methods[m], NULL, NULL, 3), full = make(NULL, methods[m], NULL, "full", 3);
        for (int k = 0; k < 2; k++)
            for (size_t i = 0; i < frozen.adapter->params.count; i++) {
                pf_param *p = (k ? full.adapter : frozen.adapter)->params.item[i];
                tiny_shake_tensor(&p->value, p->name, 0.3);
            }
        peft_trainer *a = backward(&frozen), *b = backward(&full);
        for (size_t i = 0; i < frozen.adapter->params.count; i++) {
            const pf_param *p = frozen.adapter->params.item[i], *q = full.adapter->params.item[i];
            const pk_real *x = p->grad.data, *y = q->grad.data;
            double top = largest(y, peft_tensor_count(&q->value));
            ck_assert_double_gt(top, 0);
            for (int64_t n = 0; n < peft_tensor_count(&p->value); n++)
                ck_assert_msg(fabs((double)x[n] - (double)y[n]) <= 1e-12 * top, "%s: %s", methods[m], p->name);
        }
        peft_trainer_free(a);
        peft_trainer_free(b);
        tiny_free(&frozen);
        tiny_free(&full);
    }
}
END_TEST

/* On a network with LayerScale a bias of the way up is an offset behind LayerScale, as attnscale_dra's are. */
static peft_tensor *with_offsets(const char *method, const char *options, const char *tensor)
{
    tiny t = make("layer_scale=true", method, options, NULL, 0);
    for (int64_t l = 0; tensor && l < t.backbone->shape.depth; l++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.%s", (int)l, tensor);
        tiny_shake_tensor(peft_param_value(peft_model_find_param(t.model, name)), l % 2 ? "odd" : "even", 0.5);
    }
    peft_tensor *logits = logits_of(&t);
    tiny_free(&t);
    return logits;
}

START_TEST(adapters_act_behind_layer_scale)
{
    static const char offset[] = "adapter_2.offset", up[] = "adapter.up.bias", up_proj[] = "adaptmlp.up_proj.bias";
    ck_assert_double_gt(apart(with_offsets("linear", "", NULL), with_offsets("adapter", "", up)), 1e-3);
    ck_assert_double_le(apart(with_offsets("attnscale_dra", "scale=false", offset),
                              with_offsets("adapter", "", up)), 1e-12);
    ck_assert_double_le(apart(with_offsets("attnscale_dra", "scale=false", offset),
                              with_offsets("adaptformer", "scale=1", up_proj)), 1e-12);
}
END_TEST

enum { PATCH = 4, GRID = 4, SIDE = PATCH * GRID };

/* Patch i of the second image is patch other(i) of the first. */
static int other(int patch) { return (7 * patch + 3) % (GRID * GRID); }

static void move_patches(float *to, const float *from)
{
    for (int plane = 0; plane < BATCH * 3; plane++)
        for (int p = 0; p < GRID * GRID; p++)
            for (int y = 0; y < PATCH; y++)
                for (int x = 0; x < PATCH; x++) {
                    const int at = (p / GRID * PATCH + y) * SIDE + p % GRID * PATCH + x, q = other(p);
                    const int source = (q / GRID * PATCH + y) * SIDE + q % GRID * PATCH + x;
                    to[plane * SIDE * SIDE + at] = from[plane * SIDE * SIDE + source];
                }
}

static void move_positions(peft_backbone *b)
{
    pk_real was[(1 + GRID * GRID) * 64];
    const peft_tensor *t = pf_backbone_find(b, "pos_embed");
    const int64_t d = t->dim[2];
    memcpy(was, t->data, pf_tensor_bytes(t));
    for (int p = 0; p < GRID * GRID; p++)
        memcpy((pk_real *)t->data + (1 + p) * d, was + (1 + other(p)) * d, (size_t)d * sizeof *was);
}

typedef enum { AS_THEY_ARE, PATCHES_MOVED, ALL_MOVED } order;
static peft_tensor *fpt_logits(const char *options, order moved)
{
    tiny t = { .ctx = tiny_context(NULL, 1) };
    t.backbone = tiny_backbone(t.ctx, BACKBONE, NULL);
    for (size_t i = 0; i < t.backbone->weights; i++)
        tiny_shake_tensor(&t.backbone->weight[i].tensor, t.backbone->weight[i].name, 0.3);
    if (moved == ALL_MOVED) move_positions(t.backbone);
    t.model = tiny_model(t.backbone, "classes=3,head=side_encoder");
    t.adapter = tiny_adapter(t.backbone, "fpt", options);
    OK(peft_model_attach(t.model, t.adapter));
    tiny_shake(t.model);
    tiny_batch b = tiny_batch_make(t.model, BATCH, 0);
    peft_tensor *small = tiny_tensor(t.ctx, PEFT_F32, 4, BATCH, 3, 8, 8);
    peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 2, BATCH, 3), *image = tiny_tensor(t.ctx, PEFT_F32, 4, BATCH, 3,
                                                                                         SIDE, SIDE);
    memcpy(peft_tensor_data(small), peft_tensor_cdata(b.images), pf_tensor_bytes(small));
    if (moved) move_patches(peft_tensor_data(image), peft_tensor_cdata(b.images));
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

/* The large image's tokens in another order, each with its position: keys and values come to the fusion in another
 * order, and the logits stay. Without their positions they do not. */
START_TEST(order_of_fpt_s_tokens)
{
    static const char *const forms[] = {
        "side_input=given,side_image=8,ratio=0.5", "side_input=given,side_image=8,ratio=1,importance=class_token",
        "side_input=given,side_image=8,ratio=0.5,plus=true,layers=[1,2]" };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        double d = apart(fpt_logits(forms[f], ALL_MOVED), fpt_logits(forms[f], AS_THEY_ARE));
        ck_assert_msg(d <= 1e-12, "fpt with %s: %g", forms[f], d);
        ck_assert_double_gt(apart(fpt_logits(forms[f], PATCHES_MOVED), fpt_logits(forms[f], AS_THEY_ARE)), 1e-9);
    }
}
END_TEST

SUITE_MAIN("starts", who_starts_as_the_backbone, scales_of_lora, the_adapter_that_cannot_learn,
           frozen_backward_is_the_full_one, adapters_act_behind_layer_scale, order_of_fpt_s_tokens)
