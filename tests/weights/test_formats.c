/* SPDX-License-Identifier: Apache-2.0
 * test_formats.c -- one small backbone under every naming convention of formats.h: equal fingerprints and logits;
 * errors for missing and unexpected tensors and other architectures; gated MLPs and CLIP's classifier compute the right
 * values. */
#include <math.h>
#include "formats.h"

START_TEST(every_naming_gives_the_same_backbone)
{
    peft_context *ctx = tiny_plain_context();
    for (int i = 0; i < FORMATS; i++) {
        const format *f = &formats[i];
        peft_backbone *b = random_backbone(ctx, f->create), *expected, *got;
        const format *timm = &formats[0];
        write_format(b, timm, f->flags & ~FLAT_TOKENS, tiny_path("timm.safetensors"));
        write_format(b, f, f->flags, tiny_path("other.safetensors"));
        expected = load(ctx, tiny_path("timm.safetensors"), eps_and_act(b));
        ck_assert_msg(!try_load(ctx, tiny_path("other.safetensors"), f->load, &got), "%s: %s", f->name,
                      peft_last_error());
        ck_assert_int_eq(got->shape.classes, b->shape.classes);
        check_same_backbone(expected, got, f->name);
        write_format_without(b, f, f->flags, "blocks.1.attn.qkv.weight", tiny_path("other.safetensors"));
        char names[3][160], text[600] = "";
        const int parts = rename_tensor(f, "blocks.1.attn.qkv.weight", names);
        snprintf(text, sizeof text, "%d tensors missing (%s%s%s%s%s) and 0 unexpected", parts, names[0],
                 parts > 1 ? ", " : "", parts > 1 ? names[1] : "", parts > 1 ? ", " : "", parts > 1 ? names[2] : "");
        /* the message writes names without the number of the chunk, so that only its beginning is known */
        if (strstr(f->block, "0.%d")) strcpy(text, "1 tensors missing (");
        FAILS(PEFT_E_FORMAT, text, try_load(ctx, tiny_path("other.safetensors"), f->load, &got));
        peft_backbone_free(b);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

/* With registers, Facebook's and Hugging Face's files hold the class token and its position embedding apart; timm's
 * hold the sum of the two as cls_token. */
START_TEST(class_token_positions_of_registers_are_added)
{
    static const stem names[] = { { "reg_token", { "register_tokens" } }, { NULL, { NULL } } };
    /* columns: see format in formats.h */
    const format file[] = {
        { "DINOv2", "", "blocks.%d.", "head", "", "", names, LIST("mask_token"), 0 },
        { "HF DINOv2", "", "encoder.layer.%d.", "classifier", "", "", hf_dino, NULL, 0 } };
    peft_context *ctx = tiny_plain_context();
    for (int i = 0; i < 2; i++) {
        peft_backbone *b = random_backbone(ctx, VIT ",registers=3,layer_scale=true"), *got;
        write_format(b, &file[i], LIKE_TIMM, tiny_path("other.safetensors"));
        pk_real *cls = peft_tensor_data((peft_tensor *)pf_backbone_find(b, "cls_token"));
        const pk_real *pos = peft_tensor_cdata(pf_backbone_find(b, "pos_embed"));
        for (int c = 0; c < 16; c++) cls[c] += pos[c];
        write_format(b, &formats[0], NO_CLASS_ROW, tiny_path("timm.safetensors"));
        got = load(ctx, tiny_path("other.safetensors"), "");
        ck_assert(!got->shape.pos_prefix);
        check_same_backbone(load(ctx, tiny_path("timm.safetensors"), ""), got, file[i].name);
        peft_backbone_free(b);
    }
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

START_TEST(other_networks_are_refused)
{
    static const struct { const char *extra; peft_status status; const char *text;
    } bad[] = { { "blocks.0.attn.relative_position_bias_table", PEFT_E_UNSUPPORTED, "relative position bias" },
                { "head_dist.weight", PEFT_E_OPTION, "no distillation token" },
                { "attn_pool.latent", PEFT_E_FORMAT, "1 unexpected (attn_pool.latent)" },
                { "layer1.0.conv1.weight", PEFT_E_UNSUPPORTED, "ResNet" },
                { "blocks.0.attn.q_norm.weight", PEFT_E_FORMAT, "'blocks.0.attn.q_norm.weight': given [2], expected" },
                { "blocks.0.attn.more.weight", PEFT_E_FORMAT, "1 unexpected (blocks.0.attn.more.weight)" },
                { "blocks.01.norm1.weight", PEFT_E_FORMAT, "1 unexpected" },
                { "register_tokens.more", PEFT_E_FORMAT, "1 unexpected" },
                { "classifier.weight", PEFT_E_FORMAT, "'classifier.weight'" },
                { "blocks.7.norm2.weight", PEFT_E_FORMAT, "1 unexpected" },
                { "encoder.blocks.0.norm1.weight", PEFT_E_FORMAT, "1 unexpected" } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = random_backbone(ctx, NO_HEAD ",classes=5"), *loaded;
    const char *path = tiny_path("bad.safetensors");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        format f = formats[0];
        f.extra = LIST(bad[i].extra);
        write_format(b, &f, LIKE_TIMM, path);
        FAILS(bad[i].status, bad[i].text, try_load(ctx, path, "", &loaded));
    }
    write_format_without(b, &formats[0], LIKE_TIMM, "cls_token", path);
    FAILS(PEFT_E_FORMAT, "cls_token", try_load(ctx, path, "", &loaded));
    format nothing = { "", "x.", "layer.%d.", "x", "", "", NULL, NULL, LIKE_TIMM };
    write_format(b, &nothing, LIKE_TIMM, path);
    FAILS(PEFT_E_FORMAT, "no ViT found", try_load(ctx, path, "", &loaded));
    write_format(b, &formats[0], LIKE_TIMM, path);
    FAILS(PEFT_E_OPTION, "names are timm", try_load(ctx, path, "naming=hf", &loaded));
    peft_backbone_free(b);
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

/* Hugging Face's classifier of CLIP takes the mean of the last block's patch tokens, without post_layernorm. With
 * pool=cls the backbone has no classifier. */
START_TEST(the_classifier_of_clip_follows_its_formula)
{
    peft_context *ctx = tiny_plain_context();
    const format *f = formats;
    while (strcmp(f->name, "HF CLIP")) f++;
    peft_backbone *b = random_backbone(ctx, VIT ",norm_pre=true,act=quickgelu,eps=1e-5"), *with, *without, *again;
    const char *path = tiny_path("clip.safetensors");
    write_format(b, f, f->flags, path);
    with = load(ctx, path, "");
    without = load(ctx, path, "pool=cls");
    ck_assert_int_eq(peft_backbone_get(with, "classes"), 5);
    ck_assert_int_eq(peft_backbone_get(without, "classes"), 0);
    ck_assert_str_ne(peft_backbone_fingerprint(with), peft_backbone_fingerprint(without));
    peft_model *m = tiny_model(without, "classes=2");
    peft_session *s = tiny_session(m, "batch=2,taps=block.10");
    tiny_batch x = tiny_first_batch(m, 2);
    peft_tensor *y = tiny_tensor(ctx, PEFT_F32, 2, 2, 2);
    float got[10];
    OK(peft_session_predict(s, x.images, y));
    const peft_tensor *tokens = tiny_tap(s, "block.10");
    logits(with, got);
    const float *t = peft_tensor_cdata(tokens), *w = peft_tensor_cdata(pf_backbone_find(b, "head.weight"));
    const float *bias = peft_tensor_cdata(pf_backbone_find(b, "head.bias"));
    for (int i = 0; i < 10; i++) {                  /* logit i % 5 of image i / 5; tokens: class token and 4 patches */
        double want = bias[i % 5];
        for (int c = 0; c < 16; c++)
            for (int k = 1; k < 5; k++) want += (double)w[i % 5 * 16 + c] * t[(i / 5 * 5 + k) * 16 + c] / 4;
        ck_assert_msg(fabs(got[i] - want) < 1e-5 * (1 + fabs(want)), "logit %d: %g, expected %g", i, got[i], want);
    }
    OK(peft_backbone_save(with, tiny_path("saved.safetensors")));
    again = load(ctx, tiny_path("saved.safetensors"), "");
    check_same_backbone(with, again, "saved");
    peft_tensor_free(y);
    tiny_batch_free(&x);
    peft_session_free(s);
    peft_model_free(m);
    peft_backbone_free(without);
    peft_backbone_free(b);
    tiny_clean();
    peft_context_free(ctx);
}
END_TEST

/* Makes a gated MLP that computes a QuickGELU MLP: SiLU(1.702 x) = 1.702 QuickGELU(x), and the second half of fc1 is
 * the constant 1 / 1.702. */
static void make_gated(peft_backbone *gated, const peft_backbone *plain)
{
    const int64_t f = plain->shape.mlp, d = plain->shape.width;
    for (size_t i = 0; i < gated->weights; i++) {
        const char *name = gated->weight[i].name;
        const pk_real *source = pf_backbone_find(plain, name)->data;
        pk_real *target = gated->weight[i].tensor.data;
        const bool weights = strstr(name, "fc1.weight"), bias = strstr(name, "fc1.bias");
        const int64_t half = weights ? f * d : f;
        if (!weights && !bias) memcpy(target, source, pf_tensor_bytes(&gated->weight[i].tensor));
        for (int64_t k = 0; (weights || bias) && k < half; k++) {
            target[k] = (pk_real)1.702 * source[k];
            target[half + k] = weights ? 0 : (pk_real)(1 / 1.702);
        }
    }
}

/* a and b differ by at most 1e-5 of the largest |b|. */
static void check_near(const float *a, const float *b, int64_t n, const char *name)
{
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    ck_assert_msg(largest > 0 && worst <= 1e-5 * largest, "%s: worst difference %g, largest value %g", name, worst,
                  largest);
}

START_TEST(a_gated_mlp_equals_its_quickgelu_form)
{
    peft_context *ctx = tiny_context(NULL, 2);
    peft_backbone *plain = random_backbone(ctx, NO_HEAD ",act=quickgelu"),
                  *gated = tiny_backbone(ctx, NO_HEAD ",swiglu=true", NULL);
    make_gated(gated, plain);
    ck_assert_int_eq(peft_backbone_get(gated, "mlp"), 24);
    peft_model *m[2] = { tiny_model(plain, NULL), tiny_model(gated, NULL) };
    peft_trainer *t[2];
    for (int i = 0; i < 2; i++) {
        peft_adapter *a = tiny_adapter(i ? gated : plain, "lora", NULL);
        OK(peft_model_attach(m[i], a));
        peft_adapter_free(a);
        tiny_perturb(m[i]);
        t[i] = tiny_trainer(m[i], "batch=3");
        tiny_step(t[i], 3, 0);
    }
    ck_assert_double_eq_tol(peft_trainer_get(t[0], "loss"), peft_trainer_get(t[1], "loss"), 1e-5);
    for (size_t i = 0; i < peft_model_param_count(m[0]); i++) {
        peft_param *p = peft_model_param(m[0], i), *q = peft_model_param(m[1], i);
        check_near(peft_tensor_cdata(peft_param_grad(q)), peft_tensor_cdata(peft_param_grad(p)),
                   peft_tensor_count(peft_param_grad(p)), peft_param_name(p));
    }
    for (int i = 0; i < 2; i++) {
        peft_trainer_free(t[i]);
        peft_model_free(m[i]);
    }
    peft_backbone_free(plain);
    peft_backbone_free(gated);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("formats", every_naming_gives_the_same_backbone, class_token_positions_of_registers_are_added,
           other_networks_are_refused, the_classifier_of_clip_follows_its_formula,
           a_gated_mlp_equals_its_quickgelu_form)
