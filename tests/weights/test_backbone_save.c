/* SPDX-License-Identifier: Apache-2.0
 * test_backbone_save.c -- backbones saved under Hugging Face's names: the tensors come back with the same bits, q, k
 * and v are separate, config.json holds the facts that the weights do not; networks that transformers cannot express
 * are refused. */
#include <jansson.h>
#include <math.h>
#include "failing_alloc.h"
#include "tiny_files.h"

static peft_status try_save(const peft_backbone *b, const char *path, const char *options)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    peft_status s = peft_backbone_save_as(b, path, o);
    peft_options_free(o);
    return s;
}

static void check_same(peft_backbone *a, peft_backbone *b, const char *name)
{
    tiny_same_backbone(a, b, name);
    ck_assert_mem_eq(a->note, b->note, sizeof a->note);
}

/* The file has the tensors that tiny_save_backbone, a writer with its own table of names, writes. */
static void check_names(const char *path, const peft_backbone *b, const tiny_save *s)
{
    pf_st *file, *expected;
    tiny_save_backbone(b, s, tiny_path("wanted.safetensors"));
    OK(pf_st_open(b->ctx, path, &file));
    OK(pf_st_open(b->ctx, tiny_path("wanted.safetensors"), &expected));
    ck_assert_uint_eq(pf_st_count(file), pf_st_count(expected));
    for (size_t i = 0; i < pf_st_count(expected); i++) {
        const pf_st_tensor *x = pf_st_at(expected, i), *y = pf_st_find(file, x->name);
        ck_assert_msg(y && y->bytes == x->bytes && !memcmp(y->data, x->data, x->bytes), "%s: %s", path, x->name);
    }
    pf_st_close(file);
    pf_st_close(expected);
}

static json_t *config_of(const char *name)
{
    json_error_t e;
    json_t *o = json_load_file(tiny_path(name), JSON_REJECT_DUPLICATES, &e);
    ck_assert_msg(o != NULL, "%s: %s", name, e.text);
    return o;
}

static const struct {
    const char *backbone, *save;         /* options of the backbone and of saving it */
    tiny_save like;                      /* what tiny_save_backbone writes equally; TIMM: not compared */
    const char *architecture;            /* in config.json */
} forms[] = {
    { "classes=5,eps=1e-12", "naming=hf", { .naming = HF, .prefix = "vit." }, "ViTForImageClassification" },
    { "classes=5,act=quickgelu,qkv_bias=false", "naming=hf5", { .naming = HF5, .prefix = "vit." },
      "ViTForImageClassification" },
    { "classes=0,mlp=50,heads=1", "naming=hf", { .naming = HF }, "ViTModel" },
    { "classes=0", "naming=hf5", { .naming = HF5 }, "ViTModel" },
    { "classes=0,layer_scale=true", "naming=hf", { .naming = TIMM }, "Dinov2Model" },
    { "classes=0,layer_scale=true,swiglu=true,mlp=128", "naming=hf5", { .naming = TIMM }, "Dinov2Model" },
    { "classes=0,layer_scale=true,registers=2", "naming=hf", { .naming = TIMM }, "Dinov2WithRegistersModel" } };

/* Saved as a file and as a folder; and the folder's file without facts in its header, so that config.json gives
 * them. */
START_TEST(every_form_is_saved_and_loaded)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        peft_context *ctx = tiny_plain_context();
        peft_backbone *original = tiny_backbone(ctx, "image_size=16,patch=4,width=48,depth=3,heads=3",
                                                forms[i].backbone);
        for (size_t k = 0; k < original->weights; k++)
            tiny_perturb_tensor(&original->weight[k].tensor, original->weight[k].name, 0.3);
        /* the notes mean, std and image_size */
        snprintf(original->note[0], PF_NOTE_MAX, "0.1:0.2:0.3");
        snprintf(original->note[1], PF_NOTE_MAX, "0.4:0.5:0.6");
        snprintf(original->note[2], PF_NOTE_MAX, "16");
        char name[32], file[64], config[64], stripped[64];
        snprintf(name, sizeof name, "form%zu", i);
        snprintf(file, sizeof file, "%s/model.safetensors", name);
        snprintf(config, sizeof config, "%s/config.json", name);
        snprintf(stripped, sizeof stripped, "%s/stripped.safetensors", name);
        /* with registers, loading adds the class token's position to the token, so the loaded backbone is compared */
        OK(try_save(original, tiny_path("first.safetensors"), forms[i].save));
        peft_backbone *b = tiny_load(ctx, tiny_path("first.safetensors"), "naming=hf");
        if (!original->shape.registers) check_same(original, b, name);
        ck_assert_int_eq(b->shape.pos_prefix, !original->shape.registers);
        OK(try_save(b, tiny_path(name), forms[i].save));
        peft_backbone *again = tiny_load(ctx, tiny_path(file), "naming=hf");
        check_same(b, again, name);
        if (forms[i].like.naming != TIMM) check_names(tiny_path(file), b, &forms[i].like);
        static const char *const facts[] = { "heads", "eps", "act", "pool", "patch" };
        const char *from = tiny_path(file), *to = tiny_path(stripped);
        for (int k = 0; k < 5; k++, from = to) tiny_edit(from, to, &(tiny_change){ DROP_META, facts[k], NULL });
        peft_backbone *from_config = tiny_load(ctx, tiny_path(stripped), "");
        check_same(b, from_config, config);
        json_t *o = config_of(config);
        ck_assert_str_eq(json_string_value(json_array_get(json_object_get(o, "architectures"), 0)),
                         forms[i].architecture);
        json_decref(o);
        peft_backbone_free(from_config);
        peft_backbone_free(again);
        peft_backbone_free(b);
        peft_backbone_free(original);
        peft_context_free(ctx);
    }
    tiny_clean();
}
END_TEST

/* Saved under Hugging Face's names, loaded, and saved under timm's: the tensors have the bits of the original. */
START_TEST(hf_names_and_back_change_no_bit)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    OK(peft_backbone_save(t.backbone, tiny_path("timm")));
    OK(try_save(t.backbone, tiny_path("hf.safetensors"), "naming=hf"));
    peft_backbone *hf = tiny_load(t.ctx, tiny_path("hf.safetensors"), "naming=hf");
    OK(try_save(hf, tiny_path("back"), "naming=timm"));
    pf_st *a, *b;
    OK(pf_st_open(t.ctx, tiny_path("timm"), &a));
    OK(pf_st_open(t.ctx, tiny_path("back"), &b));
    for (size_t i = 0; i < pf_st_count(a); i++) {
        const pf_st_tensor *x = pf_st_at(a, i), *y = pf_st_find(b, x->name);
        ck_assert_msg(y && x->bytes == y->bytes && !memcmp(x->data, y->data, x->bytes), "%s", x->name);
    }
    ck_assert_uint_eq(pf_st_count(a), pf_st_count(b));
    pf_st_close(a);
    pf_st_close(b);
    peft_backbone_free(hf);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(config_json_holds_shape_and_class_names)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "classes=2,eps=1e-12" });
    OK(try_save(t.backbone, tiny_path("usual"), "naming=hf"));
    peft_options *o = tiny_options(t.ctx, "naming=hf");
    OK(peft_options_set_string(o, "class_names", "benign \"a\"\nb\xc3\xb6se\n"));
    OK(peft_backbone_save_as(t.backbone, tiny_path("named"), o));
    OK(try_save(t.backbone, tiny_path("bare"), "naming=hf,classifier=false"));
    static const struct { const char *key; double value; } numbers[] = {
        { "hidden_size", 48 }, { "num_hidden_layers", 3 }, { "num_attention_heads", 3 }, { "intermediate_size", 192 },
        { "image_size", 16 }, { "patch_size", 4 }, { "num_channels", 3 }, { "layer_norm_eps", 1e-12 } };
    json_t *plain = config_of("usual/config.json"), *named = config_of("named/config.json"),
           *headless = config_of("bare/config.json");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        ck_assert_msg(json_number_value(json_object_get(plain, numbers[i].key)) == numbers[i].value, "%s",
                      numbers[i].key);
    ck_assert_str_eq(json_string_value(json_object_get(plain, "model_type")), "vit");
    ck_assert_str_eq(json_string_value(json_object_get(plain, "hidden_act")), "gelu");
    ck_assert(json_is_true(json_object_get(plain, "qkv_bias")));
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(plain, "id2label"), "1")), "LABEL_1");
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(named, "id2label"), "1")), "b\xc3\xb6se");
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(named, "label2id"), "b\xc3\xb6se")), 1);
    ck_assert_ptr_null(json_object_get(headless, "id2label"));
    peft_backbone *b = tiny_load(t.ctx, tiny_path("bare/model.safetensors"), "");
    ck_assert_int_eq(peft_backbone_get(b, "classes"), 0);
    peft_backbone_free(b);
    static const char *const bad[] = { "a", "a\nb\nc", "a\na", "a\n\n", "a\n\xff" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        OK(peft_options_set_string(o, "class_names", bad[i]));
        FAILS(PEFT_E_OPTION, "class_names", peft_backbone_save_as(t.backbone, tiny_path("no"), o));
    }
    ck_assert(access(tiny_path("no"), F_OK) != 0);
    json_decref(plain);
    json_decref(named);
    json_decref(headless);
    peft_options_free(o);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(networks_that_transformers_lacks_are_refused)
{
    static const struct { const char *backbone, *save, *text; peft_status status; } refused[] = {
        { "pool=mean", "naming=hf", "fc_norm", PEFT_E_UNSUPPORTED },
        { "norm_pre=true", "naming=hf5", "norm before", PEFT_E_UNSUPPORTED },
        { "registers=2", "naming=hf", "registers", PEFT_E_UNSUPPORTED },
        { "swiglu=true", "naming=hf", "SwiGLU", PEFT_E_UNSUPPORTED },
        { "layer_scale=true", "naming=hf", "classifier=false", PEFT_E_UNSUPPORTED },
        { "layer_scale=true,mlp=50", "naming=hf,classifier=false", "multiple", PEFT_E_UNSUPPORTED },
        { "", "naming=mmcls", "'mmcls', expected timm, hf, hf5, hf-dinov3, clip or torchvision", PEFT_E_OPTION },
        { "", "naming=hf-dinov3", "without rotary positions", PEFT_E_UNSUPPORTED },
        { "", "namng=hf", "did you mean 'naming'", PEFT_E_OPTION } };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = refused[i].backbone });
        FAILS(refused[i].status, refused[i].text, try_save(t.backbone, tiny_path("no"), refused[i].save));
        ck_assert(access(tiny_path("no"), F_OK) != 0);
        tiny_free(&t);
    }
    tiny t = tiny_make(&(tiny_spec){ .more = "seed=3" });
    FAILS(PEFT_E_INVALID, "path", peft_backbone_save_as(t.backbone, NULL, NULL));
    FAILS(PEFT_E_INVALID, "backbone", peft_backbone_save_as(NULL, tiny_path("no"), NULL));
    ((float *)t.backbone->weight[7].tensor.data)[1] = (float)INFINITY;
    FAILS(PEFT_E_NONFINITE, t.backbone->weight[7].name, try_save(t.backbone, tiny_path("no"), "naming=hf"));
    ck_assert(access(tiny_path("no"), F_OK) != 0);
    ((float *)t.backbone->weight[7].tensor.data)[1] = 0;
    FILE *f = fopen(tiny_path("file"), "wb");
    fclose(f);
    FAILS(PEFT_E_IO, "file", try_save(t.backbone, tiny_path("file"), "naming=hf"));       /* not a folder */
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Creates a model, merges it, compares both, saves and loads the result; for failing_alloc_loop. */
static peft_status merge_and_save(peft_context *ctx, void *unused)
{
    peft_options *o = NULL;
    peft_backbone *b = NULL, *merged = NULL, *loaded = NULL;
    peft_adapter *a = NULL;
    peft_model *m = NULL;
    (void)unused;
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "image_size=8,patch=4,width=16,depth=1,heads=2,mlp=16,classes=2");
    if (!s) s = peft_backbone_create(ctx, o, &b);
    if (!s) s = peft_adapter_create(b, "lora", NULL, &a);
    if (!s) s = peft_model_create(b, NULL, &m);
    if (!s) s = peft_model_attach(m, a);
    if (!s) s = peft_model_merge(m, &merged);
    if (!s) s = peft_model_merge_drift(m, merged, NULL, NULL, NULL);
    peft_options_free(o);
    o = NULL;
    if (!s) s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "naming=hf");
    if (!s) s = peft_backbone_save_as(merged, tiny_path("memory"), o);
    if (!s) s = peft_backbone_load(ctx, tiny_path("memory/model.safetensors"), NULL, &loaded);
    peft_backbone_free(loaded);
    peft_backbone_free(merged);
    peft_model_free(m);
    peft_adapter_free(a);
    peft_backbone_free(b);
    peft_options_free(o);
    return s;
}

START_TEST(saving_survives_failing_allocations)
{
    ck_assert_int_gt(failing_alloc_loop(merge_and_save, NULL), 100);
    tiny_clean();
}
END_TEST

SUITE_MAIN("backbone_save", every_form_is_saved_and_loaded, hf_names_and_back_change_no_bit,
           config_json_holds_shape_and_class_names, networks_that_transformers_lacks_are_refused,
           saving_survives_failing_allocations)
