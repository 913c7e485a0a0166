/* SPDX-License-Identifier: Apache-2.0
 * test_peft_dir.c -- saving adapters as directories of Hugging Face's PEFT library: loaded again they have the same
 * bits and logits and train on; fields of adapter_config.json and names of tensors. test_peft_dir_read.c reads
 * directories as PEFT writes them, test_peft_dir_refuse.c has what is refused. */
#include <math.h>
#include "failing_alloc.h"
#include "peft_dirs.h"

/* --- saving and loading ------------------------------------------------------------------------------------------ */
/* options: of the method; save: of saving; backbone, model: further options of these. */
#define DINOV3 ",layer_scale=true,registers=2,pos_embed=false,rope=dinov3,rope_rotate_half=true"
static const struct save_case { const char *method, *options, *save, *backbone, *model; } save_cases[] = {
    { "lora", "", "", "", "classes=3" },
    { "lora", "r=3,alpha=5.5,rslora=true,targets=[attn.q,attn.k,mlp.fc2]", "naming=hf5", "", "classes=3" },
    { "lora", "dora=true,targets=[attn.v,attn.proj,mlp.fc1,patch_embed.proj]", "prefix=\"\"", "", "classes=4" },
    { "lora", "dora=true,targets=[attn.qkv,patch_embed.proj],train_norm=true", "naming=timm", "", "" },
    { "lora", "targets=[attn.qkv,mlp.fc1],layers=\"0,2\",rank_pattern=\"attn.qkv=2,blocks.2.mlp.fc1=5\"",
      "naming=timm,prefix=model.", "", "" },
    { "lora",
      "targets=[attn.q,mlp.fc2],layers=\"1\",alpha_pattern=\"blocks.1.attn.q=0.1\",dropout=0.5,init=gaussian",
      "", "", "" },
    { "lora", "targets=[attn.q],train_norm=true", "prefix=a.b.vit.", "", "classes=2" },
    { "lora", "targets=[attn.qkv],train_norm=true", "naming=timm", ",pool=mean", "classes=2" },
    { "lora", "targets=[mlp.fc1,attn.proj]", "", ",layer_scale=true,pool=cls_mean", "" },
    { "ia3", "", "", "", "classes=3" }, { "ia3", "", "naming=hf5", "", "" },
    { "ia3", "", "", ",layer_scale=true,pool=cls_mean", "" },
    { "ln_tune", "", "", "", "classes=3" },
    { "ln_tune", "", "naming=hf5,prefix=\"\"", ",layer_scale=true,pool=cls_mean", "" },
    { "lora", "targets=[attn.q,2.attn.v,mlp.fc1],bias=lora_only", "", "", "classes=3" },
    { "lora", "targets=[attn.q,attn.proj],bias=all,dora=true", "naming=hf", "", "classes=3" },
    { "lora", "targets=[attn.qkv],bias=lora_only", "naming=timm", "", "" },
    { "lora", "targets=[attn.q,mlp.fc1_g,mlp.fc1_x],dora=true,bias=lora_only", "",
      ",layer_scale=true,swiglu=true,pool=cls_mean", "" },
    { "lora", "targets=[mlp.fc1_x],bias=lora_only", "naming=timm", ",swiglu=true", "classes=3" },
    { "lora", "targets=[mlp.fc1,mlp.fc2]", "naming=timm,gated_mlp=w12", ",swiglu=true", "" },
    { "lora", "targets=[attn.q,attn.proj,mlp.fc1],bias=all", "naming=hf-clip",
      ",norm_pre=true,pool=mean,final_norm=none", "classes=3" },
    { "lora", "targets=[attn.qkv,attn.proj,mlp.fc1],alpha=5,alpha_pattern=attn.proj=10", "naming=clip",
      ",norm_pre=true", "" },
    { "lora", "targets=[attn.qkv,attn.proj],rslora=true,alpha_pattern=attn.proj=16", "naming=clip,prefix=v.", "", "" },
    { "ia3", "targets=[mlp.fc1,mlp.fc2]", "naming=clip", "", "" },
    { "ln_tune", "", "naming=clip", ",norm_pre=true", "" },
    { "lora", "targets=[attn.v,mlp.fc1_g,mlp.fc1_x],dora=true", "naming=timm-unfused", ",swiglu=true", "classes=3" },
    { "oft", "targets=[attn.q,attn.proj]", "naming=timm-unfused", "", "" },
    { "lora", "targets=[attn.q,mlp.fc1_x,mlp.fc2]", "naming=hf-dinov3", DINOV3 ",swiglu=true", "" },
    { "ln_tune", "", "naming=hf-dinov3,prefix=a.model.", DINOV3, "" },
    { "ia3", "targets=[attn.q,0.mlp.fc1,mlp.fc2],feedforward=[mlp.fc2]", "", "", "classes=3" },
    { "ia3", "targets=[attn.qkv,attn.proj,mlp.fc1],feedforward=[attn.qkv,1.mlp.fc1]", "naming=timm", "", "" },
    { "ia3", "targets=[mlp.fc1_g,patch_embed.proj],feedforward=[]", "naming=timm", ",swiglu=true", "" },
    { "vera", "targets=[attn.q,mlp.fc2],r=4", "", "", "classes=3" },
    { "vera", "targets=[attn.qkv,2.mlp.fc1],r=3,dropout=0.5", "naming=timm", "", "" },
    { "oft", "targets=[attn.q,mlp.fc2]", "naming=hf", "", "classes=3" },
    { "oft", "targets=[attn.qkv,mlp.fc1],terms=0,share=true,block_size=0,blocks=6", "naming=timm", "", "" },
    { "ln_tune", "targets=[norm1,norm]", "", "", "" }, { "ln_tune", "targets=[norm1,0.norm2]", "naming=timm", "", "" },
    { "ln_tune", "targets=norm2,layers=\"1,2\"", "naming=hf", "", "classes=3" },
    { "ln_tune", "targets=[norm_pre,norm]", "naming=timm", ",norm_pre=true", "" },
    { "ln_tune", "", "naming=timm", "", "classes=3" }, { "ln_tune", "", "naming=timm", ",pool=mean", "" } };

/* The logits of two images; the caller frees them. */
static peft_tensor *logits_of(peft_model *m)
{
    peft_session *s = tiny_session(m, "batch=2");
    tiny_batch batch = tiny_first_batch(m, 2);
    peft_tensor *logits = tiny_tensor(m->backbone->ctx, PEFT_F32, 2, 2, (int)m->classes);
    OK(peft_session_predict(s, batch.images, logits));
    tiny_finite(logits, "logits");
    tiny_batch_free(&batch);
    peft_session_free(s);
    return logits;
}

/* The file `name` of folders a and b has the same bytes. */
static void same_file(const char *a, const char *b, const char *name, const char *who)
{
    size_t n, m;
    char *x = peft_dir_file(a, name, &n), *y = peft_dir_file(b, name, &m);
    ck_assert_msg(n == m && !memcmp(x, y, n), "%s: %s differs:\n%s\n%s", who, name, x, y);
    free(x);
    free(y);
}

/* A loop test of the library check: _i counts the rows of save_cases. */
START_TEST(a_saved_directory_loads_to_the_same_model)
{
    const struct save_case *t = &save_cases[_i];
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, t->backbone);
    b->shape.patch_bias = !strstr(t->save, "clip");           /* CLIP has no bias there */
    peft_options *o = tiny_options(ctx, "%s", t->options), *save = tiny_options(ctx, "%s", t->save);
    peft_model *m = tiny_model(b, t->model), *loaded;
    peft_adapter *a, *alone;
    OK(peft_adapter_create(b, t->method, o, &a));
    OK(peft_model_attach(m, a));
    tiny_perturb(m);
    char first[128], second[128], third[128];
    snprintf(first, sizeof first, "%s", tiny_path("first"));
    snprintf(second, sizeof second, "%s", tiny_path("second"));
    snprintf(third, sizeof third, "%s", tiny_path("third"));
    OK(peft_model_save_hf(m, first, save));
    OK(peft_model_load_hf(b, first, &loaded));
    ck_assert_str_eq(peft_adapter_method(loaded->adapter[0]), t->method);
    tiny_bits given = { 0 }, got = { 0 };
    tiny_bits_model(&given, m);
    tiny_bits_model(&got, loaded);
    tiny_same(&given, &got, t->options);
    peft_tensor *x = logits_of(m), *y = logits_of(loaded);
    ck_assert_msg(!memcmp(peft_tensor_cdata(x), peft_tensor_cdata(y), pf_tensor_bytes(x)), "%s: logits differ",
                  t->options);
    OK(peft_model_save_hf(loaded, second, save));
    same_file(first, second, PF_PEFT_TENSORS, t->options);
    same_file(first, second, PF_PEFT_CONFIG, t->options);
    OK(peft_adapter_load_hf(b, first, &alone));              /* the adapter without the classifier */
    ck_assert_uint_eq(peft_adapter_param_count(alone), peft_adapter_param_count(a));
    OK(peft_adapter_save_hf(alone, third, save));
    OK(peft_adapter_save(alone, tiny_path("ordinary.safetensors")));
    tiny_bits_free(&given);
    peft_tensor_free(x);
    peft_tensor_free(y);
    peft_adapter_free(alone);
    peft_adapter_free(a);
    peft_model_free(loaded);
    peft_model_free(m);
    peft_options_free(o);
    peft_options_free(save);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* A loaded model trains to the same bits as the saved one. */
START_TEST(a_loaded_model_trains_like_the_saved_one)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    peft_model *loaded;
    tiny_bits given = { 0 }, got = { 0 };
    OK(peft_model_save_hf(t.model, tiny_path("trained"), NULL));
    OK(peft_model_load_hf(t.backbone, tiny_path("trained"), &loaded));
    const char *const defaults = "";
    peft_trainer *x = tiny_trainer(t.model, "%s", defaults), *y = tiny_trainer(loaded, "%s", defaults);
    for (int i = 0; i < 3; i++) tiny_step(x, 2, 2 * i), tiny_step(y, 2, 2 * i);
    tiny_bits_training(&given, x);
    tiny_bits_training(&got, y);
    tiny_same(&given, &got, "three steps");
    tiny_bits_free(&given);
    peft_trainer_free(x);
    peft_trainer_free(y);
    peft_model_free(loaded);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* --- adapter_config.json ----------------------------------------------------------------------------------------- */
START_TEST(the_configuration_has_all_fields_of_peft)
{
    static const char *const wanted[] = {
        "{\n  \"alora_invocation_tokens\": null,\n  \"alpha_pattern\": {\n    \"1.mlp.fc2\": 3\n  },\n",
        "  },\n  \"arrow_config\": null,\n",
        "\n  \"bias\": \"none\",\n", "\n  \"fan_in_fan_out\": false,\n", "\n  \"inference_mode\": true,\n",
        "\n  \"lora_alpha\": 6.5,\n",
        "\n  \"lora_dropout\": 0.0,\n", "\n  \"megatron_core\": \"megatron.core\",\n",
        "\n  \"modules_to_save\": [\n    \"vit.layernorm\",\n    \"classifier\"\n  ],\n",
        "\n  \"peft_type\": \"LORA\",\n", "\n  \"r\": 4,\n",
        "\n  \"rank_pattern\": {\n    \"q_proj\": 2\n  },\n",
        "\n  \"target_modules\": [\n    \"q_proj\",\n    \"fc2\"\n  ],\n",
        "\n  \"use_rslora\": false,\n  \"velora_config\": null\n}" };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    peft_options *o = tiny_options(ctx, "r=4,alpha=6.5,targets=[attn.q,mlp.fc2],rank_pattern=attn.q=2,"
                                        "alpha_pattern=blocks.1.mlp.fc2=3,train_norm=true");
    peft_model *m = tiny_model(b, "classes=3");
    peft_adapter *a;
    size_t n;
    OK(peft_adapter_create(b, "lora", o, &a));
    OK(peft_model_attach(m, a));
    OK(peft_model_save_hf(m, tiny_path("fields"), NULL));
    char *text = peft_dir_file(tiny_path("fields"), PF_PEFT_CONFIG, &n);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "'%s' is not in\n%s", wanted[i], text);
    static const char *const fields[] = {
        "task_type", "base_model_name_or_path", "revision", "peft_version", "auto_mapping", "exclude_modules",
        "use_dora", "lora_bias", "init_lora_weights", "layers_to_transform", "layers_pattern",
        "trainable_token_indices", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_config",
        "layer_replication", "target_parameters", "use_qalora", "qalora_group_size", "velora_config",
        "monteclora_config", "use_bdlora", "kasa_config", "ensure_weight_tying" };
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        ck_assert_msg(json_object_get(root, fields[i]) != NULL, "no field '%s'", fields[i]);
    const size_t fields_in_wanted = 15;
    ck_assert_uint_eq(json_object_size(root), sizeof fields / sizeof *fields + fields_in_wanted);
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

/* Names of tensors, and target_modules as short as is unambiguous: "dense" alone would also match a pooler's layer. */
static const struct { const char *backbone, *options, *save, *tensor, *targets; } namings[] = {
    { "", "targets=[attn.proj,mlp.fc1,mlp.fc2]", "", "vit.layers.2.mlp.fc1", "[\"o_proj\",\"fc1\",\"fc2\"]" },
    { ",layer_scale=true", "targets=[attn.q,mlp.fc2]", "", "dinov2.encoder.layer.1.attention.q_proj",
      "[\"q_proj\",\"fc2\"]" },
    { ",layer_scale=true,registers=2", "targets=[attn.q]", "", "dinov2_with_registers.encoder.layer.1.attention.q_proj",
      "[\"q_proj\"]" },
    { ",layer_scale=true,swiglu=true", "targets=[attn.v,mlp.fc2]", "", "dinov2.encoder.layer.0.mlp.down_proj",
      "[\"v_proj\",\"down_proj\"]" },
    { "", "targets=[attn.proj,mlp.fc1,mlp.fc2]", "naming=hf", "vit.encoder.layer.2.intermediate.dense",
      "[\"output.dense\",\"intermediate.dense\"]" },
    { ",layer_scale=true", "targets=[attn.proj,mlp.fc2],layers=\"1\"", "naming=hf", "dinov2.encoder.layer.1.mlp.fc2",
      "[\"1.attention.output.dense\",\"1.mlp.fc2\"]" },
    { "", "targets=attn.q", "naming=hf5", "vit.layers.0.attention.q_proj", "[\"q_proj\"]" },
    { "", "targets=[attn.qkv,attn.proj]", "naming=timm", "blocks.0.attn.qkv", "[\"qkv\",\"attn.proj\"]" },
    { "", "targets=[attn.q,attn.v]", "naming=timm", "blocks.2.attn.qkv", "[\"qkv\"]" },
    { "", "targets=attn.qkv", "", "vit.layers.2.attention.k_proj", "[\"q_proj\",\"k_proj\",\"v_proj\"]" },
    { ",norm_pre=true", "targets=attn.q", "naming=hf-clip", "vision_model.encoder.layers.1.self_attn.q_proj",
      "\"vision_model\\\\.encoder\\\\.layers\\\\.\\\\d+\\\\.self_attn\\\\.q_proj\"" },
    { ",norm_pre=true", "targets=[attn.qkv,attn.proj,mlp.fc1]", "naming=clip", "visual.transformer.resblocks.1.attn",
      "\"visual\\\\.transformer\\\\.resblocks\\\\.\\\\d+\\\\.attn|"
      "visual\\\\.transformer\\\\.resblocks\\\\.\\\\d+\\\\.mlp\\\\.c_fc\"" },
    { DINOV3, "targets=mlp.fc1", "naming=hf-dinov3", "model.layer.1.mlp.up_proj", "[\"up_proj\"]" },
    { "", "targets=[attn.q,attn.proj]", "naming=timm-unfused", "blocks.0.attn.q_proj", "[\"q_proj\",\"attn.proj\"]" },
    { ",pool=attention", "targets=mlp.fc1,layers=\"0,1\"", "naming=timm", "blocks.0.mlp.fc1",
      "[\"0.mlp.fc1\",\"1.mlp.fc1\"]" },
    { "", "targets=attn.proj", "naming=timm,prefix=a.b.", "a.b.blocks.0.attn.proj", "[\"attn.proj\"]" } };

START_TEST(tensors_and_targets_have_the_names_of_the_naming)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++) {
        peft_backbone *b = small_backbone(ctx, namings[i].backbone);
        b->shape.patch_bias = !strstr(namings[i].save, "clip"); /* CLIP has no bias there */
        peft_adapter *a = adapter_of(b, "lora", namings[i].options);
        peft_options *save = tiny_options(ctx, "%s", namings[i].save);
        char key[160];
        size_t n;
        pf_st *st;
        OK(peft_adapter_save_hf(a, tiny_path("names"), save));
        OK(pf_st_open(ctx, tiny_path("names/" PF_PEFT_TENSORS), &st));
        snprintf(key, sizeof key, FRONT "%s.lora_A.weight", namings[i].tensor);
        ck_assert_msg(pf_st_find(st, key) != NULL, "no tensor '%s'", key);
        ck_assert_str_eq(pf_st_meta(st, "format"), "pt");
        char *text = peft_dir_file(tiny_path("names"), PF_PEFT_CONFIG, &n);
        json_t *root = json_loads(text, 0, NULL);
        char *targets = json_dumps(json_object_get(root, "target_modules"), JSON_COMPACT | JSON_ENCODE_ANY);
        ck_assert_str_eq(targets, namings[i].targets);
        free(targets);
        json_decref(root);
        free(text);
        pf_st_close(st);
        peft_options_free(save);
        peft_adapter_free(a);
        peft_backbone_free(b);
    }
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- other modules -------------------------------------------------------------------------------------- */
/* Adapters that the naming can only express with other modules: of a whole layer for its parts, or the reverse.
 * numbers: texts of the configuration. */
static const struct { const char *method, *options, *save, *backbone, *numbers[3]; } rewritten[] = {
    { "lora", "", "naming=timm", "", { "\"r\": 16,", "\"lora_alpha\": 16,", "\"rank_pattern\": {}," } },
    { "lora", "r=3,alpha=5.5,rslora=true,rank_pattern=attn.v=2,targets=[attn.q,attn.v,attn.proj]", "naming=timm", "",
      { "\"use_rslora\": false", "\"r\": 5,", "\"proj\": 3" } },
    { "lora", "targets=[attn.q,attn.k],dora=true,bias=lora_only", "naming=timm", "", { "\"use_dora\": true" } },
    { "lora", "targets=[attn.qkv],dora=true,bias=lora_only", "naming=hf", "", { "\"r\": 8," } },
    { "lora", "targets=[mlp.fc1],bias=all", "", ",layer_scale=true,swiglu=true,pool=cls_mean",
      { "gate_proj", "up_proj" } },
    { "lora", "targets=[mlp.fc1_g,mlp.fc1_x]", "naming=timm,gated_mlp=fc1", ",swiglu=true", { "\"r\": 16," } },
    { "lora", "targets=[attn.q,attn.v,mlp.fc1]", "naming=clip", "", { "\"r\": 16,", "c_fc\": 8" } },
    { "lora", "targets=[attn.qkv,attn.proj],rank_pattern=attn.proj=2,rslora=true", "naming=clip", "", { "\"r\": 8" } },
    { "lora", "targets=attn.proj,layers=1", "naming=clip", "", { "\"r\": 8,", "\"lora_alpha\": 4," } },
    { "lora", "targets=[attn.qkv,attn.proj]", "naming=clip", "", { "\"lora_alpha\": 8," } },
    { "lora", "targets=attn.qkv", "naming=timm-unfused", "", { "\"k_proj\"" } },
    { "ia3", "", "naming=timm", "", { "\"qkv\"", "\"fc2\"" } },
    { "ia3", "targets=attn.qkv,feedforward=attn.qkv", "", "", { "\"q_proj\"", "\"k_proj\"", "\"v_proj\"" } },
    { "oft", "targets=attn.qkv", "", "", { "\"q_proj\"" } } };

START_TEST(rewritten_adapters_keep_the_logits)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof rewritten / sizeof *rewritten; i++) {
        peft_backbone *b = small_backbone(ctx, rewritten[i].backbone);
        b->shape.patch_bias = !strstr(rewritten[i].save, "clip");
        peft_adapter *a = adapter_of(b, rewritten[i].method, rewritten[i].options);
        peft_options *save = tiny_options(ctx, "%s", rewritten[i].save);
        peft_model *m = tiny_model(b, ""), *loaded;
        double largest = 0, difference = 0;
        size_t n;
        OK(peft_model_attach(m, a));
        tiny_perturb(m);
        OK(peft_model_save_hf(m, tiny_path("other"), save));
        char *text = peft_dir_file(tiny_path("other"), PF_PEFT_CONFIG, &n);
        for (int k = 0; k < 3 && rewritten[i].numbers[k]; k++)
            ck_assert_msg(strstr(text, rewritten[i].numbers[k]) != NULL, "%s: no %s in\n%s", rewritten[i].options,
                          rewritten[i].numbers[k], text);
        free(text);
        OK(peft_model_load_hf(b, tiny_path("other"), &loaded));
        peft_tensor *x = logits_of(m), *y = logits_of(loaded);
        const float *p = peft_tensor_cdata(x), *q = peft_tensor_cdata(y);
        for (int64_t k = 0; k < peft_tensor_count(x); k++) {
            largest = fmax(largest, fabs((double)p[k]));
            difference = fmax(difference, fabs((double)p[k] - (double)q[k]));
        }
        ck_assert_msg(difference <= 2e-5 * largest, "%s(%s): relative difference %g", rewritten[i].method,
                      rewritten[i].options, difference / largest);
        peft_tensor_free(x);
        peft_tensor_free(y);
        peft_model_free(loaded);
        peft_model_free(m);
        peft_adapter_free(a);
        peft_options_free(save);
        peft_backbone_free(b);
    }
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- failed allocations ------------------------------------------------------------------------------------------ */
/* Loads and saves the directory `arg`; for failing_alloc_loop. */
static peft_status load_and_save(peft_context *ctx, void *arg)
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

START_TEST(failed_allocations_leak_nothing)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, "image_size=8,patch=4,width=16,depth=2,heads=2,mlp=16,classes=3", NULL);
    peft_model *m = tiny_model(b, "classes=2");
    peft_adapter *a = adapter_of(b, "lora", "");
    char dir[128];
    snprintf(dir, sizeof dir, "%s", tiny_path("memory"));
    OK(peft_model_attach(m, a));
    OK(peft_model_save_hf(m, dir, NULL));
    ck_assert_int_gt(failing_alloc_loop(load_and_save, dir), 100);           /* it makes more than 100 allocations */
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
    tcase_add_loop_test(c, a_saved_directory_loads_to_the_same_model, 0, ROWS(save_cases));
    const suite_test others[] = { a_loaded_model_trains_like_the_saved_one, the_configuration_has_all_fields_of_peft,
                                  rewritten_adapters_keep_the_logits,
                                  tensors_and_targets_have_the_names_of_the_naming, failed_allocations_leak_nothing };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) tcase_add_test(c, others[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
