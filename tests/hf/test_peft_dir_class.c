/* SPDX-License-Identifier: Apache-2.0
 * test_peft_dir_class.c -- the model class that a PEFT directory is written for: the naming that is chosen without an
 * option, its prefix, and networks and classifiers that the class does not have, which are refused with the cure. */
#include "peft_dirs.h"

#define CLIP "norm_pre=true,act=quickgelu,classes=0"
#define SIGLIP "class_token=false,act=gelu_tanh,classes=0,final_norm=before"
#define DINOV2 "layer_scale=true,classes=0"
#define EVA "rope=axial,class_token=true,swiglu=true,classes=0"
#define DEIT "registers=1,classes=0"
#define HEAD "classes=3"
#define NONE "head=none"
static const pf_naming *const of_file[] = { NULL, &pf_naming_timm, &pf_naming_hf, &pf_naming_hf5, &pf_naming_hf_clip };
enum { NO_FILE, A_TIMM, A_HF, A_HF5, A_CLIP };

/* file: the naming that the backbone came from. path: that of an adapted module in the directory; NULL: saving is
 * refused with the message. */
static const struct { int file; const char *backbone, *model, *save, *path, *message; } rows[] = {
    { A_CLIP, CLIP, HEAD, "", NULL, "pool=cls, that of CLIPForImageClassification reads pool=mean,final_norm=false" },
    { A_CLIP, CLIP ",pool=mean,final_norm=before", HEAD, "", NULL, "pool=mean after the final norm" },
    { A_CLIP, CLIP ",pool=mean,final_norm=none", HEAD, "", "vision_model.encoder.layers.0.self_attn.q_proj", NULL },
    { A_CLIP, CLIP, NONE, "", "vision_model.encoder.layers.0.self_attn.q_proj", NULL },
    { A_CLIP, CLIP, NONE, "naming=hf5", NULL, "naming=hf5: CLIPVisionModel" },
    { A_CLIP, CLIP, HEAD, "naming=timm", "blocks.0.attn.qkv", NULL },
    { A_TIMM, CLIP, HEAD, "", "blocks.0.attn.qkv", NULL },
    { A_CLIP, SIGLIP ",pool=attention", HEAD, "", NULL, "SiglipForImageClassification reads pool=mean" },
    { A_CLIP, SIGLIP ",pool=mean", HEAD, "", "vision_model.encoder.layers.0.self_attn.q_proj", NULL },
    { A_CLIP, SIGLIP ",pool=attention", NONE, "", "vision_model.encoder.layers.0.self_attn.q_proj", NULL },
    { A_HF5, DINOV2, HEAD, "", NULL, "loaded with pool=cls_mean" },
    { A_HF5, DINOV2 ",pool=cls_mean", HEAD, "", "dinov2.encoder.layer.0.attention.q_proj", NULL },
    { A_HF, DINOV2 ",pool=cls_mean", HEAD, "", "dinov2.encoder.layer.0.attention.q_proj", NULL },
    { A_HF5, DINOV2 ",registers=2", NONE, "", "dinov2_with_registers.encoder.layer.0.attention.q_proj", NULL },
    { A_TIMM, DINOV2, HEAD, "", "blocks.0.attn.qkv", NULL },
    { A_TIMM, DINOV2 ",pool=cls_mean", HEAD, "naming=timm", NULL, "naming=timm: the classifier reads pool=cls_mean" },
    { A_TIMM, DEIT ",pool=cls_dist", HEAD, "", NULL, "loaded with pool=cls" },
    { A_HF5, DEIT ",pool=cls_dist", HEAD, "", NULL, "loaded with pool=cls" },
    { A_TIMM, DEIT, HEAD, "", "deit.layers.0.attention.q_proj", NULL },
    { A_TIMM, DEIT ",pool=cls_dist", NONE, "", "deit.layers.0.attention.q_proj", NULL },
    { A_TIMM, EVA, HEAD, "", "blocks.0.attn.qkv", NULL },
    { A_TIMM, EVA, HEAD, "naming=hf5", NULL, "rotary positions" },
    { NO_FILE, EVA, HEAD, "", "blocks.0.attn.qkv", NULL },
    { NO_FILE, "", HEAD, "", "vit.layers.0.attention.q_proj", NULL },
    { A_TIMM, "", HEAD, "", "vit.layers.0.attention.q_proj", NULL },
    { A_HF, "", HEAD, "", "vit.layers.0.attention.q_proj", NULL },
    { A_TIMM, "pool=mean", HEAD, "", "blocks.0.attn.qkv", NULL },
    { A_HF5, "pool=mean", HEAD, "", NULL, "ViTForImageClassification reads pool=cls" } };

/* The logits or features of three images. */
static peft_tensor *results(peft_model *m)
{
    const bool features = !peft_model_classes(m);
    peft_session *s = tiny_session(m, "batch=3");
    tiny_batch b = { .images = tiny_tensor(m->backbone->ctx, PEFT_F32, 4, 3, 3, 16, 16) };
    float *x = peft_tensor_data(b.images);
    for (int64_t i = 0; i < peft_tensor_count(b.images); i++) x[i] = (float)tiny_random(7, (uint64_t)i);
    const int64_t columns = features ? peft_model_feature_width(m) : peft_model_classes(m);
    peft_tensor *y = tiny_tensor(m->backbone->ctx, PF_REAL, 2, 3, (int)columns);
    OK(features ? peft_session_features(s, b.images, y) : peft_session_predict(s, b.images, y));
    peft_session_free(s);
    peft_tensor_free(b.images);
    return y;
}

/* The directory has a tensor of the module `path`, and reading it gives the model's results. */
static void check_directory(peft_model *m, const char *path, size_t row)
{
    char key[PF_KEY_MAX], file[200];
    pf_st *st;
    peft_model *loaded;
    snprintf(key, sizeof key, FRONT "%s.lora_A.weight", path);
    snprintf(file, sizeof file, "%s", tiny_path("class/" PF_PEFT_TENSORS));
    OK(pf_st_read(m->backbone->ctx, file, &st));
    ck_assert_msg(pf_st_find(st, key) != NULL, "row %zu: no '%s', but '%s'", row, key, pf_st_at(st, 0)->name);
    pf_st_close(st);
    ck_assert_msg(!peft_model_load_hf(m->backbone, tiny_path("class"), &loaded), "row %zu: %s", row, peft_last_error());
    peft_tensor *x = results(m), *y = results(loaded);
    const pk_real *a = peft_tensor_cdata(x), *b = peft_tensor_cdata(y);
    ck_assert_int_eq(peft_tensor_count(x), peft_tensor_count(y));
    for (int64_t i = 0; i < peft_tensor_count(x); i++) ck_assert_double_eq_tol((double)a[i], (double)b[i], 1e-4);
    peft_tensor_free(x);
    peft_tensor_free(y);
    peft_model_free(loaded);
}

START_TEST(a_directory_is_for_a_class_that_computes_the_network)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = tiny_backbone(ctx, NULL, rows[i].backbone);
        b->shape.patch_bias = !b->shape.norm_pre;             /* CLIP has no bias there */
        peft_model *m = tiny_model(b, rows[i].model);
        peft_adapter *a = tiny_adapter(b, "lora", "targets=[attn.q,attn.v]");
        peft_options *o = tiny_options(ctx, "%s", rows[i].save);
        b->naming = of_file[rows[i].file];
        OK(peft_model_attach(m, a));
        tiny_perturb(m);
        const peft_status s = peft_model_save_hf(m, tiny_path("class"), *rows[i].save ? o : NULL);
        if (rows[i].path) {
            ck_assert_msg(!s, "row %zu: %s", i, peft_last_error());
            check_directory(m, rows[i].path, i);
        } else {
            ck_assert_msg(s == PEFT_E_UNSUPPORTED, "row %zu: status %d", i, (int)s);
            ck_assert_msg(strstr(peft_last_error(), rows[i].message) != NULL, "row %zu: %s", i, peft_last_error());
            ck_assert_msg(access(tiny_path("class"), F_OK) != 0, "row %zu", i);
        }
        peft_options_free(o);
        peft_adapter_free(a);
        peft_model_free(m);
        peft_backbone_free(b);
        peft_context_free(ctx);
        tiny_clean();
    }
}
END_TEST

/* In timm the name "norm" would also match attn.norm, an Identity: the targets are a pattern for whole paths. */
START_TEST(norms_of_timm_are_a_pattern_for_whole_paths)
{
    static const char wanted[] =
        "\"target_modules\": \"blocks\\\\.\\\\d+\\\\.norm1|blocks\\\\.\\\\d+\\\\.norm2|norm\"";
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    peft_adapter *a = adapter_of(b, "ln_tune", "");
    peft_options *save = tiny_options(ctx, "naming=timm");
    size_t n;
    OK(peft_adapter_save_hf(a, tiny_path("norms"), save));
    char *text = peft_dir_file(tiny_path("norms"), PF_PEFT_CONFIG, &n);
    ck_assert_msg(strstr(text, wanted) != NULL, "no %s in\n%s", wanted, text);
    free(text);
    peft_options_free(save);
    peft_adapter_free(a);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- warnings ---------------------------------------------------------------------------------------------------- */
static char last_warning[2048];
static void keep(int level, const char *message, void *user)
{
    (void)user;
    if (level == 1) snprintf(last_warning, sizeof last_warning, "%s", message);
}

/* timm's models with q_bias do not call qkv: an adapter of it is written and read with a warning. */
START_TEST(an_adapter_of_a_qkv_that_timm_bypasses_is_warned_of)
{
    static const struct { unsigned form; const char *targets, *naming; bool warns; } cases[] = {
        { PF_TIMM_NO_K_BIAS, "targets=[attn.q,attn.v]", "naming=timm", true },
        { PF_TIMM_NO_K_BIAS, "targets=mlp.fc1", "naming=timm", false },
        { PF_TIMM_NO_K_BIAS, "targets=attn.q", "naming=hf5", false },
        { PF_TIMM_NO_K_BIAS | PF_TIMM_SPLIT_QKV, "targets=attn.qkv", "naming=timm", false },
        { 0, "targets=attn.qkv", "naming=timm", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = tiny_default_backbone(ctx);
        peft_adapter *a = tiny_adapter(b, "lora", cases[i].targets), *read;
        peft_options *o = tiny_options(ctx, "%s", cases[i].naming);
        b->timm_form = cases[i].form;
        OK(peft_context_set_log(ctx, keep, NULL, 1));
        *last_warning = 0;
        OK(peft_adapter_save_hf(a, tiny_path("class"), o));
        ck_assert_msg(!strstr(last_warning, "merge_and_unload") == !cases[i].warns, "case %zu: %s", i, last_warning);
        *last_warning = 0;
        OK(peft_adapter_load_hf(b, tiny_path("class"), &read));
        ck_assert_msg(!strstr(last_warning, "merge_and_unload") == !cases[i].warns, "case %zu: %s", i, last_warning);
        peft_adapter_free(read);
        peft_options_free(o);
        peft_adapter_free(a);
        peft_backbone_free(b);
        peft_context_free(ctx);
        tiny_clean();
    }
}
END_TEST

/* A classifier that PEFT saved for CLIPForImageClassification, on a backbone whose feature is the class token. */
START_TEST(a_classifier_of_another_feature_is_warned_of)
{
    for (int i = 0; i < 2; i++) {                            /* 0: the class's own feature */
        peft_context *ctx = tiny_plain_context();
        peft_backbone *b = tiny_backbone(ctx, NULL, CLIP ",pool=mean,final_norm=none"),
                      *other = tiny_backbone(ctx, NULL, CLIP);
        b->shape.patch_bias = other->shape.patch_bias = false;
        peft_model *m = tiny_model(b, HEAD), *read;
        peft_adapter *a = tiny_adapter(b, "lora", "targets=attn.q");
        peft_options *o = tiny_options(ctx, "naming=hf-clip");
        OK(peft_model_attach(m, a));
        OK(peft_model_save_hf(m, tiny_path("class"), o));
        OK(peft_context_set_log(ctx, keep, NULL, 1));
        *last_warning = 0;
        OK(peft_model_load_hf(i ? other : b, tiny_path("class"), &read));
        ck_assert_msg(!strstr(last_warning, "CLIPForImageClassification reads pool=mean,final_norm=false") == !i,
                      "%d: %s", i, last_warning);
        peft_model_free(read);
        peft_options_free(o);
        peft_adapter_free(a);
        peft_model_free(m);
        peft_backbone_free(b);
        peft_backbone_free(other);
        peft_context_free(ctx);
        tiny_clean();
    }
}
END_TEST

SUITE_MAIN("peft_dir_class", a_directory_is_for_a_class_that_computes_the_network,
           norms_of_timm_are_a_pattern_for_whole_paths, an_adapter_of_a_qkv_that_timm_bypasses_is_warned_of,
           a_classifier_of_another_feature_is_warned_of)
