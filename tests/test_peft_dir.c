/* SPDX-License-Identifier: Apache-2.0
 * test_peft_dir.c -- directories of Hugging Face's PEFT library: read under every naming, written, written again the
 * same, and what is malformed or means other mathematics refused by name. */
#include <errno.h>
#include "failing_alloc.h"
#include "peft_dirs.h"

#define CONFIG(targets, ...) \
    "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 6, \"target_modules\": " targets __VA_ARGS__ "}"
#define QV CONFIG("[\"query\", \"value\"]")

/* --- patterns ------------------------------------------------------------------------------------------------------------- */
START_TEST(patterns)
{
    static const struct { const char *pattern, *text; bool tail, yes; } row[] = {
        { "abc", "abc", false, true }, { "abc", "abcd", false, false }, { "abc", "xabc", false, false },
        { ".*\\.qkv", "blocks.0.attn.qkv", false, true }, { ".*\\.qkv", "blocksqkv", false, false },
        { "blocks\\.\\d+\\.attn\\.(qkv|proj)", "blocks.11.attn.proj", false, true },
        { "blocks\\.\\d\\.attn\\.(qkv|proj)", "blocks.11.attn.proj", false, false },
        { "blocks\\.[0-3]\\..*", "blocks.3.mlp.fc1", false, true }, { "blocks\\.[^0-3]\\..*", "blocks.3.mlp.fc1", false, false },
        { "[]a-c\\d]+", "]7b", false, true }, { "(?:a|b)*c?", "abab", false, true }, { "(?:a|b)*c?", "ababcc", false, false },
        { "a?a?a?aaa", "aaa", false, true }, { "(a*)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", false, true },
        { "(a|aa)+", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false, false }, { ".*?fc[12]", "x.fc2", false, true },
        { "", "", false, true }, { "", "a", false, false }, { "a|", "", false, true },
        { "attn.q", "blocks.0.attn.q", true, true }, { "ttn.q", "blocks.0.attn.q", true, false },
        { "attn.q", "blocks.0.attn.q.x", true, false }, { "q|k", "attn.k", true, true }, { "blocks.1.q", "blocks.11.q", true, false } };
    bool yes;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        OK(pf_peft_match(row[i].pattern, row[i].text, row[i].tail, &yes));
        ck_assert_msg(yes == row[i].yes, "%s on %s", row[i].pattern, row[i].text);
    }
    static const char *const bad[][2] = {
        { "a\\w", "'\\w'" }, { "^a", "'^'" }, { "a$", "'$'" }, { "a{2}", "'{'" }, { "(?=a)", "'(?='" }, { "(a", "'('" },
        { "a)", "')'" }, { "[a", "'['" }, { "[z-a]", "range" }, { "*a", "repeat" }, { "a**", "repeat" }, { "a\\", "'\\" },
        { "a\\1", "'\\1'" }, { "x|[[:alpha:]]", "inside a class" }, { "((((((((((((((((((a))))))))))))))))))", "deep" },
        { "(((((((.*)+.*)+.*)+.*)+.*)+.*)+.*)+b|\\s", "" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        FAILS(PEFT_E_UNSUPPORTED, bad[i][1], pf_peft_match(bad[i][0], "layers.0.attention.q_proj.xxxxxxxxxxxxxxxxxxxxx", false, &yes));
}
END_TEST

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

static peft_backbone *small(peft_context *ctx, const char *more)
{
    peft_options *o = tiny_options(ctx, "image_size=16,patch=4,width=48,depth=3,heads=3,mlp=192,classes=5%s", more);
    peft_backbone *b;
    OK(peft_backbone_create(ctx, o, &b));
    peft_options_free(o);
    return b;
}

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
        "\n  \"use_rslora\": false\n}" };
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

/* --- what is refused on reading ------------------------------------------------------------------------------------------------------- */
#define U PEFT_E_UNSUPPORTED
#define F PEFT_E_FORMAT
static const struct { peft_status status; const char *says, *config; } bad_configs[] = {
    { F, "JSON", "{\"peft_type\": \"LORA\"" }, { F, "JSON", "" }, { F, "object", "[1]" }, { F, "JSON", QV "x" },
    { F, "duplicate", CONFIG("[\"query\"]", ", \"r\": 5") }, { F, "nested", "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]" },
    { F, "peft_type", "{\"r\": 8, \"target_modules\": [\"query\"]}" },
    { U, "VERA", "{\"peft_type\": \"VERA\", \"target_modules\": [\"query\"]}" },
    { F, "target_modules", "{\"peft_type\": \"LORA\"}" }, { F, "target_modules", CONFIG("[]") }, { F, "target_modules", CONFIG("[1]") },
    { F, "target_modules", CONFIG("7") }, { F, "'blub'", CONFIG("[\"query\", \"blub\"]") }, { F, "no module", CONFIG("\".*blub\"") },
    { U, "\\w", CONFIG("\".*\\\\w\"") }, { U, "classifier", CONFIG("[\"query\", \"classifier\"]") },
    { U, "layernorm_before", CONFIG("[\"query\", \"layernorm_before\"]") },
    { U, "fan_in_fan_out", CONFIG("[\"query\"]", ", \"fan_in_fan_out\": true") },
    { U, "'bias': \"all\"", CONFIG("[\"query\"]", ", \"bias\": \"all\"") },
    { U, "lora_bias", CONFIG("[\"query\"]", ", \"lora_bias\": true") },
    { U, "pissa", CONFIG("[\"query\"]", ", \"init_lora_weights\": \"pissa_niter_4\"") },
    { U, "olora", CONFIG("[\"query\"]", ", \"init_lora_weights\": \"olora\"") },
    { U, "layer_replication", CONFIG("[\"query\"]", ", \"layer_replication\": [[0, 2]]") },
    { U, "use_qalora", CONFIG("[\"query\"]", ", \"use_qalora\": true") },
    { U, "velora_config", CONFIG("[\"query\"]", ", \"velora_config\": {\"rank\": 1}") },
    { U, "alora_invocation_tokens", CONFIG("[\"query\"]", ", \"alora_invocation_tokens\": [1]") },
    { U, "megatron_config", CONFIG("[\"query\"]", ", \"megatron_config\": {\"a\": 1}") },
    { U, "megatron_core", CONFIG("[\"query\"]", ", \"megatron_core\": \"other\"") },
    { U, "target_parameters", CONFIG("[\"query\"]", ", \"target_parameters\": [\"x\"]") },
    { U, "trainable_token_indices", CONFIG("[\"query\"]", ", \"trainable_token_indices\": [3]") },
    { U, "of_tomorrow", CONFIG("[\"query\"]", ", \"of_tomorrow\": 1") },
    { F, "lora_dropout", CONFIG("[\"query\"]", ", \"lora_dropout\": \"a\"") },
    { F, "use_dora", CONFIG("[\"query\"]", ", \"use_dora\": 1") },
    { F, "'rank_pattern'", CONFIG("[\"query\"]", ", \"rank_pattern\": {\"query\": \"a\"}") },
    { F, "'rank_pattern'", CONFIG("[\"query\", \"value\"]", ", \"rank_pattern\": {\"key\": 4}") },
    { F, "'alpha_pattern'", CONFIG("[\"query\", \"value\"]", ", \"alpha_pattern\": {\"kez\": 4}") },
    { U, "'+'", CONFIG("[\"query\", \"value\"]", ", \"alpha_pattern\": {\"+\": 4}") },
    { F, "rank", CONFIG("[\"query\", \"value\"]", ", \"rank_pattern\": {\"query\": 0}") },
    { F, "rank", CONFIG("[\"query\", \"value\"]", ", \"rank_pattern\": {\"query\": 2.5}") },
    { F, "given [4, 48], expected [2, 48]", CONFIG("[\"query\", \"value\"]", ", \"rank_pattern\": {\"query\": 2}") },
    { F, "layers_to_transform", CONFIG("\".*query\"", ", \"layers_to_transform\": [1]") },
    { F, "layers_to_transform", CONFIG("[\"query\"]", ", \"layers_to_transform\": \"1\"") },
    { F, "no module", CONFIG("[\"query\"]", ", \"layers_to_transform\": [3]") },
    { F, "no module", CONFIG("[\"query\"]", ", \"layers_to_transform\": [0], \"layers_pattern\": \"h\"") },
    { U, "attention.attention.value' is not adapted", CONFIG("[\"query\", \"1.attention.attention.value\"]") },
    { U, "modules_to_save", CONFIG("[\"query\"]", ", \"modules_to_save\": [\"value\"]") },
    { F, "classifier.weight' is missing", CONFIG("[\"query\", \"value\"]", ", \"modules_to_save\": [\"classifier\"]") },
    { F, "value.lora_A.weight' is unexpected", CONFIG("[\"query\"]") },
    { F, "value.lora_A.weight' is unexpected", CONFIG("[\"query\", \"value\"]", ", \"exclude_modules\": [\"value\"]") },
    { F, "key.lora_A.weight' is missing", CONFIG("[\"query\", \"key\", \"value\"]") },
    { F, "lora_magnitude_vector' is missing", CONFIG("[\"query\", \"value\"]", ", \"use_dora\": true") },
    { F, "is missing", CONFIG("[\"query\", \"value\"]", ", \"modules_to_save\": [\"layernorm\"]") },
    { U, "output.dense' is adapted", "{\"peft_type\": \"IA3\", \"target_modules\": [\"key\", \"value\", \"output.dense\"], "
      "\"feedforward_modules\": [\"output.dense\"]}" },
    { U, "left out", "{\"peft_type\": \"IA3\", \"target_modules\": [\"key\"], \"feedforward_modules\": []}" },
    { U, "feedforward_modules", "{\"peft_type\": \"IA3\", \"target_modules\": \".*(key|value|\\\\d.output.dense)\"}" },
    { U, "lora_alpha", "{\"peft_type\": \"IA3\", \"target_modules\": [\"key\"], \"lora_alpha\": 3}" },
    { U, "layernorm_after' is left out", "{\"peft_type\": \"LN_TUNING\", \"target_modules\": [\"layernorm_before\", \"layernorm\"]}" },
    { U, "query", "{\"peft_type\": \"LN_TUNING\", \"target_modules\": [\"query\"]}" } };

START_TEST(refuses_configs)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    peft_dir *d = peft_dir_new(ctx, "bad");
    static const struct reading qv = { "", "", "vit.encoder.layer.%d.", "",
        { { "attention.attention.query", "", "4x48", "48x4" }, { "attention.attention.value", "", "4x48", "48x4" } } };
    peft_model *m = NULL;
    add_pairs(d, &qv);
    peft_dir_write(d, QV);
    for (size_t i = 0; i < sizeof bad_configs / sizeof *bad_configs; i++) {
        peft_dir_text(d, PF_PEFT_CONFIG, bad_configs[i].config);
        peft_status s = peft_model_load_hf(b, d->path, &m);
        ck_assert_msg(s == bad_configs[i].status && strstr(peft_last_error(), bad_configs[i].says), "%s\n%s: %s", bad_configs[i].config,
                      peft_status_name(s), s ? peft_last_error() : "accepted");
        ck_assert_msg(strstr(peft_last_error(), d->path) != NULL, "no folder in: %s", peft_last_error());
        ck_assert_ptr_null(m);
    }
    char *large = malloc((1 << 20) + 100);
    ck_assert_ptr_nonnull(large);
    memset(large, ' ', (1 << 20) + 99);
    large[(1 << 20) + 99] = 0;
    memcpy(large, QV, strlen(QV));
    peft_dir_text(d, PF_PEFT_CONFIG, large);
    free(large);
    FAILS(F, "1048576", peft_model_load_hf(b, d->path, &m));
    peft_dir_text(d, PF_PEFT_CONFIG, QV);
    OK(peft_model_load_hf(b, d->path, &m));                  /* the tensors were good all the time */
    ck_assert_int_eq(peft_model_classes(m), 5);              /* with the backbone's own head */
    peft_model_free(m);
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* The good tensors of one pair a block, changed in one way. */
static const struct { peft_status status; const char *says, *drop, *name, *dims; float value; } bad_tensors[] = {
    { F, "layers.1.attention.q_proj.lora_B.weight' is missing", "layers.1.attention.q_proj.lora_B.weight", NULL, NULL, 0 },
    { F, "layers.3.attention.q_proj.lora_A.weight' is unexpected", "", FRONT "vit.layers.3.attention.q_proj.lora_A.weight", "4x48", 0 },
    { F, "pooler", "", FRONT "vit.pooler.dense.lora_A.weight", "4x48", 0 },
    { F, "lora_B.bias' is unexpected", "", FRONT "vit.layers.0.attention.q_proj.lora_B.bias", "48", 0 },
    { F, "base_layer", "", FRONT "vit.layers.0.attention.q_proj.base_layer.bias", "48", 0 },
    { F, "classifier.weight' is unexpected", "", FRONT "classifier.weight", "3x48", 0 },
    { F, "other.layers.2", "layers.2.attention.q_proj.lora_A", FRONT "other.layers.2.attention.q_proj.lora_A.weight", "4x48", 0 },
    { F, "given [48, 4], expected [4, 48]", "layers.2.attention.q_proj.lora_A", FRONT "vit.layers.2.attention.q_proj.lora_A.weight", "48x4", 0 },
    { F, "given [192], expected [4, 48]", "layers.2.attention.q_proj.lora_A", FRONT "vit.layers.2.attention.q_proj.lora_A.weight", "192", 0 },
    { F, "given [8, 48], expected [4, 48]", "layers.0.attention.q_proj.lora_A", FRONT "vit.layers.0.attention.q_proj.lora_A.weight", "8x48", 0 },
    { PEFT_E_NONFINITE, "layers.2.attention.q_proj.lora_A.weight", "layers.2.attention.q_proj.lora_A",
      FRONT "vit.layers.2.attention.q_proj.lora_A.weight", "4x48", (float)INFINITY },
    { F, "no tensor adapts", "lora", "unrelated", "3", 0 }, { F, "no tensor adapts", "lora", FRONT "lora_A.weight", "3", 0 },
    { F, "no tensor adapts", "lora", NULL, NULL, 0 } };

START_TEST(refuses_tensors)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    for (size_t i = 0; i < sizeof bad_tensors / sizeof *bad_tensors; i++) {
        peft_dir *d = peft_dir_new(ctx, "bad");
        peft_adapter *a = NULL;
        for (int k = 0; k < 6; k++) {
            char name[96];
            snprintf(name, sizeof name, FRONT "vit.layers.%d.attention.q_proj.lora_%c.weight", k / 2, "AB"[k % 2]);
            if (!*bad_tensors[i].drop || !strstr(name, bad_tensors[i].drop)) peft_dir_tensor(d, k % 2 ? "48x4" : "4x48", "%s", name);
        }
        if (bad_tensors[i].name) {
            peft_dir_tensor(d, bad_tensors[i].dims, "%s", bad_tensors[i].name);
            if (bad_tensors[i].value != 0) d->made[d->count - 1].data[3] = bad_tensors[i].value;
        }
        peft_dir_write(d, CONFIG("[\"q_proj\"]"));
        peft_status s = peft_adapter_load_hf(b, d->path, &a);
        ck_assert_msg(s == bad_tensors[i].status && strstr(peft_last_error(), bad_tensors[i].says), "%s: %s: %s", bad_tensors[i].says,
                      peft_status_name(s), s ? peft_last_error() : "accepted");
        ck_assert_ptr_null(a);
        peft_dir_free(d);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(refuses_folders)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    peft_adapter *a = NULL;
    peft_model *m = NULL;
    FAILS(PEFT_E_IO, PF_PEFT_CONFIG, peft_adapter_load_hf(b, tiny_path("nowhere"), &a));
    peft_dir *d = peft_dir_new(ctx, "partial");
    peft_dir_text(d, PF_PEFT_CONFIG, QV);
    FAILS(PEFT_E_IO, PF_PEFT_TENSORS, peft_adapter_load_hf(b, d->path, &a));
    peft_dir_text(d, "adapter_model.bin", "x");
    FAILS(U, "pickle", peft_adapter_load_hf(b, d->path, &a));
    peft_dir_text(d, PF_PEFT_TENSORS, "x");
    FAILS(F, PF_PEFT_TENSORS, peft_adapter_load_hf(b, d->path, &a));
    FAILS(PEFT_E_INVALID, "backbone", peft_adapter_load_hf(NULL, d->path, &a));
    FAILS(PEFT_E_INVALID, "dir", peft_adapter_load_hf(b, NULL, &a));
    FAILS(PEFT_E_INVALID, "out", peft_adapter_load_hf(b, d->path, NULL));
    FAILS(PEFT_E_INVALID, "backbone", peft_model_load_hf(NULL, d->path, &m));
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- what is refused on writing ---------------------------------------------------------------------------------------------------------- */
static const struct { peft_status status; const char *says, *method, *options, *save, *model; } bad_saves[] = {
    { U, "'ept'", "ept", "", "", "" }, { U, "'bitfit'", "bitfit", "", "", "" },
    { U, "blocks.0.attn.qkv.lora_A.weight", "lora", "targets=attn.qkv", "", "" },
    { U, "timm", "lora", "targets=attn.q", "naming=timm", "" }, { U, "blocks.0.attn.k.ia3_l", "ia3", "", "naming=timm", "" },
    { PEFT_E_OPTION, "naming", "lora", "", "naming=mmcls", "" }, { PEFT_E_OPTION, "prefix", "lora", "", "prefix=vit", "" },
    { PEFT_E_OPTION, "prefix", "lora", "", "prefix=.", "" }, { PEFT_E_OPTION, "prefix", "lora", "", "prefix=\"vi t.\"", "" },
    { PEFT_E_OPTION, "prefix", "lora", "", "prefix=a123456789012345678901234567890123456789.", "" },
    { PEFT_E_OPTION, "nam", "lora", "", "nam=hf", "" }, { U, "bn_linear", "lora", "", "", "classes=3,head=bn_linear" },
    { U, "mlp", "lora", "", "", "classes=3,head=mlp" }, { U, "pool", "lora", "", "", "classes=3,pool=mean" } };

START_TEST(refuses_saves)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    for (size_t i = 0; i < sizeof bad_saves / sizeof *bad_saves; i++) {
        peft_options *o = tiny_options(ctx, "%s", bad_saves[i].options), *save = tiny_options(ctx, "%s", bad_saves[i].save);
        peft_model *m = tiny_model(b, bad_saves[i].model);
        peft_adapter *a;
        OK(peft_adapter_create(b, bad_saves[i].method, o, &a));
        FAILS(U, "0 adapters", peft_model_save_hf(m, tiny_path("no"), NULL));
        OK(peft_model_attach(m, a));
        FAILS(bad_saves[i].status, bad_saves[i].says, peft_model_save_hf(m, tiny_path("no"), save));
        ck_assert(access(tiny_path("no"), F_OK) != 0);
        peft_adapter_free(a);
        peft_model_free(m);
        peft_options_free(o);
        peft_options_free(save);
    }
    peft_model *m = tiny_model(b, "");
    peft_adapter *a = tiny_adapter(b, "lora"), *second = tiny_adapter(b, "ept");
    OK(peft_model_attach(m, a));
    OK(peft_model_attach(m, second));
    FAILS(U, "2 adapters", peft_model_save_hf(m, tiny_path("no"), NULL));
    ((float *)peft_tensor_data(peft_param_value(peft_adapter_param(a, 0))))[0] = (float)NAN;
    FAILS(PEFT_E_NONFINITE, "attn.q", peft_adapter_save_hf(a, tiny_path("no"), NULL));
    FAILS(PEFT_E_INVALID, "adapter", peft_adapter_save_hf(NULL, tiny_path("no"), NULL));
    FAILS(PEFT_E_INVALID, "dir", peft_adapter_save_hf(a, NULL, NULL));
    FAILS(PEFT_E_INVALID, "model", peft_model_save_hf(NULL, tiny_path("no"), NULL));
    peft_adapter_free(a);
    peft_adapter_free(second);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- trouble while writing ------------------------------------------------------------------------------------------------------------------ */
static _Thread_local int calls, fail_from;
static int fault(const char *call)
{
    (void)call;
    return calls++ >= fail_from ? EIO : 0;
}

/* From its n-th system call on everything fails: what is left is the old adapter, the new one, or no configuration. */
START_TEST(never_a_mixture)
{
    peft_context *ctx = tiny_context(NULL, 1);
    peft_backbone *b = small(ctx, "");
    char dir[128];
    int outcome[3] = { 0 };
    snprintf(dir, sizeof dir, "%s", tiny_path("crash"));
    peft_adapter *old, *new, *got;
    peft_options *o = tiny_options(ctx, "%s", "alpha=16");
    OK(peft_adapter_create(b, "lora", NULL, &old));
    OK(peft_adapter_create(b, "lora", o, &new));
    tiny_shake_tensor(peft_param_value(peft_adapter_param(new, 0)), "new", 0.5);
    const size_t bytes = pf_tensor_bytes(peft_param_value(peft_adapter_param(old, 0)));
    for (bool done = false; !done; fail_from++) {
        OK(peft_adapter_save_hf(old, dir, NULL));
        calls = 0;
        pf_file_fault = fault;
        peft_status s = peft_adapter_save_hf(new, dir, NULL);
        pf_file_fault = NULL;
        done = calls <= fail_from;
        ck_assert_int_eq(s == PEFT_OK, done);
        s = peft_adapter_load_hf(b, dir, &got);
        if (s) {
            ck_assert_msg(strstr(peft_last_error(), PF_PEFT_CONFIG ": cannot be opened") != NULL, "%s", peft_last_error());
            outcome[2]++;
            continue;
        }
        const bool is_new = pf_opt_float(got, "alpha") == 16;
        const peft_param *like = peft_adapter_param(is_new ? new : old, 0), *is = peft_adapter_param(got, 0);
        ck_assert(!memcmp(like->value.data, is->value.data, bytes));
        ck_assert(is_new || !done);
        outcome[is_new]++;
        peft_adapter_free(got);
    }
    ck_assert_int_gt(outcome[0], 5);
    ck_assert_int_ge(outcome[1], 1);
    ck_assert_int_ge(outcome[2], 1);
    peft_options_free(o);
    peft_adapter_free(old);
    peft_adapter_free(new);
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
    peft_adapter *a = tiny_adapter(b, "lora");
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
    tcase_add_test(c, patterns);
    tcase_add_loop_test(c, reads_namings, 0, ROWS(readings));
    tcase_add_loop_test(c, round_trips, 0, ROWS(trips));
    static const suite_test plain[] = { understands_choices, reads_convolutions, trains_on, writes_fields, refuses_configs, refuses_tensors,
                                        refuses_folders, refuses_saves, never_a_mixture, survives_no_memory };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) tcase_add_test(c, plain[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
