/* SPDX-License-Identifier: Apache-2.0
 * test_peft_dir.c -- directories of Hugging Face's PEFT library: read under every naming, written, read again the same.
 * What is refused is in test_peft_dir_refuse.c. */
#include "failing_alloc.h"
#include "peft_dirs.h"

/* --- reading, by naming ---------------------------------------------------------------------------------------------------------- */
typedef struct { const char *theirs, *ours, *a, *b; } pair;              /* a module of each block, its factors' extents */
#define WIDE "48"
static const struct reading { const char *name, *backbone, *front, *config; pair pair[8]; } readings[] = {
    { "hf", "", "vit.encoder.layer.%d.", CONFIG("[\"query\", \"key\", \"value\", \"dense\"]"),
      { { "attention.attention.query", "attn.q", "4x48", "48x4" }, { "attention.attention.key", "attn.k", "4x48", "48x4" },
        { "attention.attention.value", "attn.v", "4x48", "48x4" }, { "attention.output.dense", "attn.proj", "4x48", "48x4" },
        { "intermediate.dense", "mlp.fc1", "4x48", "192x4" }, { "output.dense", "mlp.fc2", "4x192", "48x4" } } },
    { "hf5", "", "vit.layers.%d.", CONFIG("[\"q_proj\", \"k_proj\", \"v_proj\", \"o_proj\", \"fc1\", \"fc2\"]"),
      { { "attention.q_proj", "attn.q", "4x48", "48x4" }, { "attention.k_proj", "attn.k", "4x48", "48x4" },
        { "attention.v_proj", "attn.v", "4x48", "48x4" }, { "attention.o_proj", "attn.proj", "4x48", "48x4" },
        { "mlp.fc1", "mlp.fc1", "4x48", "192x4" }, { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } },
    { "bare", "", "encoder.layer.%d.", CONFIG("\".*\\\\.attention\\\\.(query|value)\""),
      { { "attention.attention.query", "attn.q", "4x48", "48x4" }, { "attention.attention.value", "attn.v", "4x48", "48x4" } } },
    { "bare5", "", "layers.%d.", CONFIG("[\"mlp.fc2\"]"), { { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } },
    { "dinov2", ",layer_scale=true", "dinov2.encoder.layer.%d.", CONFIG("[\"attention.query\", \"mlp.fc1\", \"output.dense\"]"),
      { { "attention.attention.query", "attn.q", "4x48", "48x4" }, { "mlp.fc1", "mlp.fc1", "4x48", "192x4" },
        { "attention.output.dense", "attn.proj", "4x48", "48x4" } } },
    { "wrapped", "", "model.net.vit.encoder.layer.%d.", QV,
      { { "attention.attention.query", "attn.q", "4x48", "48x4" }, { "attention.attention.value", "attn.v", "4x48", "48x4" } } },
    { "linear", "", "vit.layers.%d.", CONFIG("\"all-linear\""),
      { { "attention.q_proj", "attn.q", "4x48", "48x4" }, { "attention.k_proj", "attn.k", "4x48", "48x4" },
        { "attention.v_proj", "attn.v", "4x48", "48x4" }, { "attention.o_proj", "attn.proj", "4x48", "48x4" },
        { "mlp.fc1", "mlp.fc1", "4x48", "192x4" }, { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } },
    { "timm", "", "blocks.%d.", CONFIG("[\"qkv\", \"attn.proj\", \"fc1\", \"fc2\"]"),
      { { "attn.qkv", "attn.qkv", "4x48", "144x4" }, { "attn.proj", "attn.proj", "4x48", "48x4" },
        { "mlp.fc1", "mlp.fc1", "4x48", "192x4" }, { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } } };

static void add_pairs(peft_dir *d, const struct reading *r)
{
    char front[64];
    for (int l = 0; l < 3; l++)
        for (const pair *p = r->pair; p->theirs; p++) {
            snprintf(front, sizeof front, r->front, l);
            peft_dir_tensor(d, p->a, FRONT "%s%s.lora_A.weight", front, p->theirs);
            peft_dir_tensor(d, p->b, FRONT "%s%s.lora_B.weight", front, p->theirs);
        }
}

static const peft_param *param(const peft_adapter *a, const char *format, ...)
{
    char name[96];
    va_list ap;
    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    const peft_param *p = pf_params_find(&a->params, name);
    ck_assert_msg(p != NULL, "no parameter %s", name);
    return p;
}

START_TEST(reads_namings)
{
    const struct reading *r = &readings[_i];
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, r->backbone);
    peft_dir *d = peft_dir_new(ctx, r->name);
    peft_adapter *a;
    add_pairs(d, r);
    peft_dir_write(d, r->config);
    OK(peft_adapter_load_hf(b, d->path, &a));
    ck_assert_str_eq(peft_adapter_method(a), "lora");
    size_t at = 0;
    for (int l = 0; l < 3; l++)
        for (const pair *p = r->pair; p->theirs; p++) {
            peft_dir_same(d, at++, param(a, "blocks.%d.%s.lora_A.weight", l, p->ours), r->name);
            peft_dir_same(d, at++, param(a, "blocks.%d.%s.lora_B.weight", l, p->ours), r->name);
        }
    ck_assert_uint_eq(at, peft_adapter_param_count(a));
    ck_assert_int_eq(pf_opt_int(a, "r"), 4);
    ck_assert_double_eq(pf_opt_float(a, "alpha"), 6);
    peft_adapter_free(a);
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- what a configuration chooses ------------------------------------------------------------------------------------------------ */
/* Our options for a configuration, over the timm names or HF's. */
static const struct { const char *config, *naming, *name, *value; } choices[] = {
    { CONFIG("[\"qkv\"]", ", \"use_rslora\": true"), "timm", "rslora", "true" },
    { CONFIG("[\"qkv\"]", ", \"lora_dropout\": 0.25"), "timm", "dropout", "0.25" },
    { CONFIG("[\"qkv\"]", ", \"init_lora_weights\": \"gaussian\""), "timm", "init", "gaussian" },
    { CONFIG("[\"qkv\"]", ", \"layers_to_transform\": [0, 2]"), "timm", "layers", "0,2" },
    { CONFIG("[\"qkv\"]", ", \"layers_to_transform\": 1, \"layers_pattern\": \"blocks\""), "timm", "layers", "1" },
    { CONFIG("[\"query\"]", ", \"layers_to_transform\": [1], \"layers_pattern\": [\"x\", \"layer\"]"), "hf", "layers", "1" },
    { CONFIG("[\"query\"]", ", \"layers_to_transform\": []"), "hf", "layers", NULL },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"exclude_modules\": [\"fc1\"]"), "timm", "targets", "attn.qkv" },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"exclude_modules\": \"blocks.0.*\""), "timm", "layers", "1,2" },
    { CONFIG("[\"query\", \"classifier\"]", ", \"modules_to_save\": [\"classifier\", \"score\"]"), "hf", "targets", "attn.q" },
    { CONFIG("[\"dense\"]"), "hf", "targets", "attn.proj,mlp.fc1,mlp.fc2" },
    { CONFIG("[\"proj\"]"), "timm", "targets", "attn.proj,patch_embed.proj" },
    { CONFIG("[\"qkv\"]", ", \"rank_pattern\": {\"blocks.1.attn.qkv\": 2}"), "timm", "rank_pattern", "1.attn.qkv=2" },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"rank_pattern\": {\"f.1\": 2, \"0.mlp.fc1\": 3}"), "timm", "rank_pattern", "mlp.fc1=2" },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"rank_pattern\": {\"0.mlp.fc1\": 3, \"fc1\": 2}"), "timm", "rank_pattern",
      "1.mlp.fc1=2,2.mlp.fc1=2,mlp.fc1=3" },
    { CONFIG("[\"qkv\"]", ", \"rank_pattern\": {\"qkv\": 4}"), "timm", "rank_pattern", NULL },
    { CONFIG("[\"qkv\"]", ", \"alpha_pattern\": {\"blocks\\\\.\\\\d\\\\.attn.qkv\": 0.5}"), "timm", "alpha_pattern", "attn.qkv=0.5" },
    { CONFIG("[\"qkv\"]", ", \"modules_to_save\": [\"norm\"]"), "timm", "train_norm", "true" },
    { CONFIG("[\"query\"]", ", \"modules_to_save\": [\"layernorm\"]"), "hf", "train_norm", "true" },
    { CONFIG("[\"qkv\"]", ", \"auto_mapping\": {\"a\": 1}, \"peft_version\": \"9\", \"runtime_config\": {\"x\": true}, \"odd\": null,"
      " \"odder\": {}, \"oddest\": false, \"task_type\": \"FEATURE_EXTRACTION\""), "timm", "targets", "attn.qkv" },
    { "{\"peft_type\": \"LORA\", \"target_modules\": [\"qkv\"]}", "timm", "r", "8" } };

START_TEST(understands_choices)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    peft_dir *d = peft_dir_new(ctx, "choices");
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        pf_peft_config c;
        pf_modules m;
        peft_options *o;
        pf_peft_names n = pf_peft_names_of(b, strcmp(choices[i].naming, "timm") ? PF_PEFT_HF : PF_PEFT_TIMM);
        peft_dir_text(d, PF_PEFT_CONFIG, choices[i].config);
        OK(pf_peft_config_read(ctx, d->path, &c));
        OK(pf_modules_make(b, &n, &m));
        OK(pf_peft_select(&c, &m));
        OK(pf_peft_options(&c, b, &m, &o));
        const char *value = pf_options_given(o, choices[i].name), *want = choices[i].value;
        ck_assert_msg((!value && !want) || (value && want && !strcmp(value, want)), "%s: %s is %s, not %s", choices[i].config,
                      choices[i].name, value ? value : "unset", want ? want : "unset");
        peft_adapter *a;
        OK(peft_adapter_create(b, "lora", o, &a));           /* the method takes them */
        peft_adapter_free(a);
        peft_options_free(o);
        pf_modules_free(&m);
        pf_peft_config_free(&c);
    }
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* The patch embedding's factors as a convolution's, and as a linear layer's, are the same. */
START_TEST(reads_convolutions)
{
    static const char *const dims[2][3] = { { "4x3x4x4", "48x4x1x1", "1x48x1x1" }, { "4x48", "48x4", "48" } };
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    for (int i = 0; i < 4; i++) {
        const char *module = i < 2 ? "vit.embeddings.patch_embeddings.projection" : "patch_embed.proj";
        peft_dir *d = peft_dir_new(ctx, i & 1 ? "flat" : "conv");
        peft_adapter *a;
        peft_dir_tensor(d, dims[i & 1][0], FRONT "%s.lora_A.weight", module);
        peft_dir_tensor(d, dims[i & 1][1], FRONT "%s.lora_B.weight", module);
        peft_dir_tensor(d, dims[i & 1][2], FRONT "%s.lora_magnitude_vector", module);
        peft_dir_write(d, i < 2 ? CONFIG("[\"projection\"]", ", \"use_dora\": true") : CONFIG("[\"patch_embed.proj\"]", ", \"use_dora\": true"));
        OK(peft_adapter_load_hf(b, d->path, &a));
        peft_dir_same(d, 0, param(a, "patch_embed.proj.lora_A.weight"), module);
        peft_dir_same(d, 1, param(a, "patch_embed.proj.lora_B.weight"), module);
        peft_dir_same(d, 2, param(a, "patch_embed.proj.lora_magnitude_vector"), module);
        peft_adapter_free(a);
        peft_dir_free(d);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- round trips ------------------------------------------------------------------------------------------------------------------ */
static const struct trip { const char *method, *options, *save, *backbone, *model; } trips[] = {
    { "lora", "", "", "", "classes=3" },
    { "lora", "r=3,alpha=5.5,rslora=true,targets=[attn.q,attn.k,mlp.fc2]", "naming=hf5", "", "classes=3" },
    { "lora", "dora=true,targets=[attn.v,attn.proj,mlp.fc1,patch_embed.proj]", "prefix=\"\"", "", "classes=4" },
    { "lora", "dora=true,targets=[attn.qkv,patch_embed.proj],train_norm=true", "naming=timm", "", "" },
    { "lora", "targets=[attn.qkv,mlp.fc1],layers=\"0,2\",rank_pattern=\"attn.qkv=2,blocks.2.mlp.fc1=5\"", "naming=timm,prefix=model.", "", "" },
    { "lora", "targets=[attn.q,mlp.fc2],layers=\"1\",alpha_pattern=\"blocks.1.attn.q=0.1\",dropout=0.5,init=gaussian", "", "", "" },
    { "lora", "targets=[attn.q],train_norm=true", "prefix=a.b.vit.", "", "classes=2" },
    { "lora", "targets=[attn.qkv],train_norm=true", "naming=timm", ",pool=mean", "classes=2" },
    { "lora", "targets=[mlp.fc1,attn.proj]", "", ",layer_scale=true", "" },
    { "ia3", "", "", "", "classes=3" }, { "ia3", "", "naming=hf5", "", "" }, { "ia3", "", "", ",layer_scale=true", "" },
    { "ln_tune", "", "", "", "classes=3" }, { "ln_tune", "", "naming=hf5,prefix=\"\"", ",layer_scale=true", "" },
    { "ln_tune", "", "naming=timm", "", "classes=3" }, { "ln_tune", "", "naming=timm", ",pool=mean", "" } };

static peft_tensor *logits_of(peft_model *m)
{
    peft_session *s = tiny_session(m, "batch=2");
    tiny_batch batch = tiny_batch_make(m, 2, 0);
    peft_tensor *logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, 2, (int)m->classes);
    OK(peft_session_predict(s, batch.images, logits));
    tiny_finite(logits, "logits");
    tiny_batch_free(&batch);
    peft_session_free(s);
    return logits;
}

static void same_file(const char *a, const char *b, const char *name, const char *who)
{
    size_t n, m;
    char *x = peft_dir_file(a, name, &n), *y = peft_dir_file(b, name, &m);
    ck_assert_msg(n == m && !memcmp(x, y, n), "%s: %s differs:\n%s\n%s", who, name, x, y);
    free(x);
    free(y);
}

START_TEST(round_trips)
{
    const struct trip *t = &trips[_i];
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, t->backbone);
    peft_options *o = tiny_options(ctx, "%s", t->options), *save = tiny_options(ctx, "%s", t->save);
    peft_model *m = tiny_model(b, t->model), *back;
    peft_adapter *a, *alone;
    OK(peft_adapter_create(b, t->method, o, &a));
    OK(peft_model_attach(m, a));
    tiny_shake(m);
    char first[128], second[128], third[128];
    snprintf(first, sizeof first, "%s", tiny_path("first"));
    snprintf(second, sizeof second, "%s", tiny_path("second"));
    snprintf(third, sizeof third, "%s", tiny_path("third"));
    OK(peft_model_save_hf(m, first, save));
    OK(peft_model_load_hf(b, first, &back));
    ck_assert_str_eq(peft_adapter_method(back->adapter[0]), t->method);
    tiny_bits given = { 0 }, got = { 0 };
    tiny_bits_model(&given, m);
    tiny_bits_model(&got, back);
    tiny_same(&given, &got, t->options);
    peft_tensor *x = logits_of(m), *y = logits_of(back);
    ck_assert_msg(!memcmp(peft_tensor_cdata(x), peft_tensor_cdata(y), pf_tensor_bytes(x)), "%s: other logits", t->options);
    OK(peft_model_save_hf(back, second, save));
    same_file(first, second, PF_PEFT_TENSORS, t->options);
    same_file(first, second, PF_PEFT_CONFIG, t->options);
    OK(peft_adapter_load_hf(b, first, &alone));              /* a classifier is left out */
    ck_assert_uint_eq(peft_adapter_param_count(alone), peft_adapter_param_count(a));
    OK(peft_adapter_save_hf(alone, third, save));
    OK(peft_adapter_save(alone, tiny_path("ordinary.safetensors")));
    tiny_bits_free(&given);
    peft_tensor_free(x);
    peft_tensor_free(y);
    peft_adapter_free(alone);
    peft_adapter_free(a);
    peft_model_free(back);
    peft_model_free(m);
    peft_options_free(o);
    peft_options_free(save);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* What was loaded learns like what was made here. */
START_TEST(trains_on)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_model *back;
    tiny_bits given = { 0 }, got = { 0 };
    OK(peft_model_save_hf(t.model, tiny_path("trained"), NULL));
    OK(peft_model_load_hf(t.backbone, tiny_path("trained"), &back));
    peft_trainer *x = tiny_trainer(t.model, "%s", ""), *y = tiny_trainer(back, "%s", "");
    for (int i = 0; i < 3; i++) tiny_step(x, 2, 2 * i), tiny_step(y, 2, 2 * i);
    tiny_bits_training(&given, x);
    tiny_bits_training(&got, y);
    tiny_same(&given, &got, "three steps");
    tiny_bits_free(&given);
    peft_trainer_free(x);
    peft_trainer_free(y);
    peft_model_free(back);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* --- the text ------------------------------------------------------------------------------------------------------------------------ */
START_TEST(writes_fields)
{
    static const char *const wanted[] = {
        "{\n  \"alora_invocation_tokens\": null,\n  \"alpha_pattern\": {\n    \"1.output.dense\": 3\n  },\n  \"arrow_config\": null,\n",
        "\n  \"bias\": \"none\",\n", "\n  \"fan_in_fan_out\": false,\n", "\n  \"inference_mode\": true,\n", "\n  \"lora_alpha\": 6.5,\n",
        "\n  \"lora_dropout\": 0.0,\n", "\n  \"megatron_core\": \"megatron.core\",\n",
        "\n  \"modules_to_save\": [\n    \"vit.layernorm\",\n    \"classifier\"\n  ],\n", "\n  \"peft_type\": \"LORA\",\n", "\n  \"r\": 4,\n",
        "\n  \"rank_pattern\": {\n    \"query\": 2\n  },\n",
        "\n  \"target_modules\": [\n    \"query\",\n    \"0.output.dense\",\n    \"1.output.dense\",\n    \"2.output.dense\"\n  ],\n",
        "\n  \"use_rslora\": false,\n  \"velora_config\": null\n}" };
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    peft_options *o = tiny_options(ctx, "r=4,alpha=6.5,targets=[attn.q,mlp.fc2],rank_pattern=attn.q=2,alpha_pattern=blocks.1.mlp.fc2=3,"
                                        "train_norm=true");
    peft_model *m = tiny_model(b, "classes=3");
    peft_adapter *a;
    size_t n;
    OK(peft_adapter_create(b, "lora", o, &a));
    OK(peft_model_attach(m, a));
    OK(peft_model_save_hf(m, tiny_path("fields"), NULL));
    char *text = peft_dir_file(tiny_path("fields"), PF_PEFT_CONFIG, &n);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s in\n%s", wanted[i], text);
    static const char *const fields[] = {
        "task_type", "base_model_name_or_path", "revision", "peft_version", "auto_mapping", "exclude_modules", "use_dora", "lora_bias",
        "init_lora_weights", "layers_to_transform", "layers_pattern", "trainable_token_indices", "loftq_config", "eva_config", "corda_config",
        "lora_ga_config", "megatron_config", "layer_replication", "target_parameters", "use_qalora", "qalora_group_size", "velora_config",
        "monteclora_config", "use_bdlora", "kasa_config", "ensure_weight_tying" };
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) ck_assert_msg(json_object_get(root, fields[i]) != NULL, "no %s", fields[i]);
    ck_assert_uint_eq(json_object_size(root), sizeof fields / sizeof *fields + 13);
    json_decref(root);
    free(text);
    peft_adapter_free(a);
    peft_model_free(m);
    peft_options_free(o);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- no memory ---------------------------------------------------------------------------------------------------------------------------------- */
static peft_status there_and_back(peft_context *ctx, void *arg)
{
    const char *dir = arg;
    peft_options *o = NULL;
    peft_backbone *b = NULL;
    peft_model *m = NULL;
    peft_adapter *a = NULL;
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "image_size=8,patch=4,width=16,depth=2,heads=2,mlp=16,classes=3");
    if (!s) s = peft_backbone_create(ctx, o, &b);
    if (!s) s = peft_model_load_hf(b, dir, &m);
    if (!s) s = peft_model_save_hf(m, dir, NULL);
    if (!s) s = peft_adapter_load_hf(b, dir, &a);
    if (!s) s = peft_adapter_save_hf(a, tiny_path("other"), NULL);
    peft_adapter_free(a);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_options_free(o);
    return s;
}

START_TEST(survives_no_memory)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = tiny_backbone(ctx, "image_size=8,patch=4,width=16,depth=2,heads=2,mlp=16,classes=3", NULL);
    peft_model *m = tiny_model(b, "classes=2");
    peft_adapter *a = adapter_of(b, "lora", "");
    char dir[128];
    snprintf(dir, sizeof dir, "%s", tiny_path("memory"));
    OK(peft_model_attach(m, a));
    OK(peft_model_save_hf(m, dir, NULL));
    ck_assert_int_gt(failing_alloc_loop(there_and_back, dir), 100);
    peft_adapter_free(a);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

#define ROWS(table) (int)(sizeof table / sizeof *table)
int main(void)
{
    Suite *s = suite_create("peft_dir");
    TCase *c = tcase_create("peft_dir");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, reads_namings, 0, ROWS(readings));
    tcase_add_loop_test(c, round_trips, 0, ROWS(trips));
    const suite_test plain[] = { understands_choices, reads_convolutions, trains_on, writes_fields, survives_no_memory };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) tcase_add_test(c, plain[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
