/* SPDX-License-Identifier: Apache-2.0
 * test_peft_dir_read.c -- loading directories as Hugging Face's PEFT library writes them: every naming of tensors, the
 * options that a configuration gives, LoRA factors of the patch embedding in the shape of a convolution, and tensors
 * in a file of torch.save. */
#include "peft_dirs.h"
#include "torch_file.h"

/* --- namings -------------------------------------------------------------------------------------------- */
/* The names of an adapted layer, and the shapes of its lora_A and lora_B. */
typedef struct { const char *in_file, *in_library, *a, *b; } pair;
/* name: of the test's folder; backbone: further options; front: what stands in front of the layer's name in the file;
 * config: of adapter_config.json. */
static const struct naming { const char *name, *backbone, *front, *config; pair pair[8]; } namings[] = {
    { "hf", "", "vit.encoder.layer.%d.", CONFIG("[\"query\", \"key\", \"value\", \"dense\"]"),
      { { "attention.attention.query", "attn.q", "4x48", "48x4" },
      { "attention.attention.key", "attn.k", "4x48", "48x4" },
        { "attention.attention.value", "attn.v", "4x48", "48x4" },
        { "attention.output.dense", "attn.proj", "4x48", "48x4" },
        { "intermediate.dense", "mlp.fc1", "4x48", "192x4" }, { "output.dense", "mlp.fc2", "4x192", "48x4" } } },
    { "hf5", "", "vit.layers.%d.", CONFIG("[\"q_proj\", \"k_proj\", \"v_proj\", \"o_proj\", \"fc1\", \"fc2\"]"),
      { { "attention.q_proj", "attn.q", "4x48", "48x4" }, { "attention.k_proj", "attn.k", "4x48", "48x4" },
        { "attention.v_proj", "attn.v", "4x48", "48x4" }, { "attention.o_proj", "attn.proj", "4x48", "48x4" },
        { "mlp.fc1", "mlp.fc1", "4x48", "192x4" }, { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } },
    { "bare", "", "encoder.layer.%d.", CONFIG("\".*\\\\.attention\\\\.(query|value)\""),
      { { "attention.attention.query", "attn.q", "4x48", "48x4" },
      { "attention.attention.value", "attn.v", "4x48", "48x4" } } },
    { "bare5", "", "layers.%d.", CONFIG("[\"mlp.fc2\"]"), { { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } },
    { "dinov2", ",layer_scale=true", "dinov2.encoder.layer.%d.",
      CONFIG("[\"attention.query\", \"mlp.fc1\", \"output.dense\"]"),
      { { "attention.attention.query", "attn.q", "4x48", "48x4" }, { "mlp.fc1", "mlp.fc1", "4x48", "192x4" },
        { "attention.output.dense", "attn.proj", "4x48", "48x4" } } },
    /* transformers 5.24 */
    { "dinov2-5", ",layer_scale=true", "dinov2.encoder.layer.%d.", CONFIG("[\"fc1\", \"q_proj\", \"o_proj\"]"),
      { { "mlp.fc1", "mlp.fc1", "4x48", "192x4" }, { "attention.q_proj", "attn.q", "4x48", "48x4" },
        { "attention.o_proj", "attn.proj", "4x48", "48x4" } } },
    { "gated-5", ",layer_scale=true,swiglu=true,registers=2", "dinov2_with_registers.encoder.layer.%d.",
      CONFIG("[\"v_proj\", \"down_proj\"]"),
      { { "attention.v_proj", "attn.v", "4x48", "48x4" }, { "mlp.down_proj", "mlp.fc2", "4x192", "48x4" } } },
    { "wrapped", "", "model.net.vit.encoder.layer.%d.", QV,
      { { "attention.attention.query", "attn.q", "4x48", "48x4" },
      { "attention.attention.value", "attn.v", "4x48", "48x4" } } },
    { "linear", "", "vit.layers.%d.", CONFIG("\"all-linear\""),
      { { "attention.q_proj", "attn.q", "4x48", "48x4" }, { "attention.k_proj", "attn.k", "4x48", "48x4" },
        { "attention.v_proj", "attn.v", "4x48", "48x4" }, { "attention.o_proj", "attn.proj", "4x48", "48x4" },
        { "mlp.fc1", "mlp.fc1", "4x48", "192x4" }, { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } },
    { "timm", "", "blocks.%d.", CONFIG("[\"qkv\", \"attn.proj\", \"fc1\", \"fc2\"]"),
      { { "attn.qkv", "attn.qkv", "4x48", "144x4" }, { "attn.proj", "attn.proj", "4x48", "48x4" },
        { "mlp.fc1", "mlp.fc1", "4x48", "192x4" }, { "mlp.fc2", "mlp.fc2", "4x192", "48x4" } } },
    { "dinov3", ",layer_scale=true,swiglu=true", "model.layer.%d.", CONFIG("\".*(q|gate|down)_proj\""),
      { { "attention.q_proj", "attn.q", "4x48", "48x4" }, { "mlp.gate_proj", "mlp.fc1_g", "4x48", "192x4" },
        { "mlp.down_proj", "mlp.fc2", "4x192", "48x4" } } },
    { "timm-unfused", "", "visual.trunk.blocks.%d.", CONFIG("[\"q_proj\", \"attn.proj\"]"),
      { { "attn.q_proj", "attn.q", "4x48", "48x4" }, { "attn.proj", "attn.proj", "4x48", "48x4" } } },
    /* PEFT adapts in_proj and out_proj of a MultiheadAttention as one module */
    { "clip", "", "visual.transformer.resblocks.%d.", CONFIG("[\"attn\", \"c_fc\"]"),
      { { "attn", "attn.qkv", "4x48", "144x4" }, { "attn.base_layer.out_proj", "attn.proj", "4x48", "48x4" },
        { "mlp.c_fc", "mlp.fc1", "4x48", "192x4" } } } };

/* Adds the tensors lora_A and lora_B of all pairs in three blocks. */
static void add_pairs(peft_dir *d, const struct naming *r)
{
    char front[64];
    for (int l = 0; l < 3; l++)
        for (const pair *p = r->pair; p->in_file; p++) {
            snprintf(front, sizeof front, r->front, l);
            peft_dir_tensor(d, p->a, FRONT "%s%s.lora_A.weight", front, p->in_file);
            peft_dir_tensor(d, p->b, FRONT "%s%s.lora_B.weight", front, p->in_file);
        }
}

/* The parameter of this name. */
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

/* Loads the directory, whose tensors are those of row r. */
static peft_adapter *load_and_compare(peft_backbone *b, const peft_dir *d, const struct naming *r)
{
    peft_adapter *a;
    size_t checked = 0;
    OK(peft_adapter_load_hf(b, d->path, &a));
    for (int l = 0; l < 3; l++)
        for (const pair *p = r->pair; p->in_file; p++) {
            peft_dir_same(d, checked++, param(a, "blocks.%d.%s.lora_A.weight", l, p->in_library), r->name);
            peft_dir_same(d, checked++, param(a, "blocks.%d.%s.lora_B.weight", l, p->in_library), r->name);
        }
    ck_assert_uint_eq(checked, peft_adapter_param_count(a));
    return a;
}

/* A loop test of the library check: _i counts the rows of namings. */
START_TEST(directories_of_every_naming_load)
{
    const struct naming *r = &namings[_i];
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, r->backbone);
    peft_dir *d = peft_dir_new(ctx, r->name);
    add_pairs(d, r);
    peft_dir_write(d, r->config);
    peft_adapter *a = load_and_compare(b, d, r);
    ck_assert_str_eq(peft_adapter_method(a), "lora");
    ck_assert_int_eq(peft_sys_opt_int(a, "r"), 4);
    ck_assert_double_eq(peft_sys_opt_float(a, "alpha"), 6);
    peft_adapter_free(a);
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* --- options from a configuration -------------------------------------------------------------------------------- */
/* A configuration for modules named by timm or Hugging Face, and the value of one of the library's options (name) for
 * it; NULL: the option is not set. */
static const struct { const char *config, *naming, *name, *value; } choices[] = {
    { CONFIG("[\"qkv\"]", ", \"use_rslora\": true"), "timm", "rslora", "true" },
    { CONFIG("[\"qkv\"]", ", \"lora_dropout\": 0.25"), "timm", "dropout", "0.25" },
    { CONFIG("[\"qkv\"]", ", \"init_lora_weights\": \"gaussian\""), "timm", "init", "gaussian" },
    { CONFIG("[\"qkv\"]", ", \"layers_to_transform\": [0, 2]"), "timm", "layers", "0,2" },
    { CONFIG("[\"qkv\"]", ", \"layers_to_transform\": 1, \"layers_pattern\": \"blocks\""), "timm", "layers", "1" },
    { CONFIG("[\"query\"]", ", \"layers_to_transform\": [1], \"layers_pattern\": [\"x\", \"layer\"]"), "hf",
      "layers", "1" },
    { CONFIG("[\"query\"]", ", \"layers_to_transform\": []"), "hf", "layers", NULL },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"exclude_modules\": [\"fc1\"]"), "timm", "targets", "attn.qkv" },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"exclude_modules\": \"blocks.0.*\""), "timm", "layers", "1,2" },
    { CONFIG("[\"query\", \"classifier\"]", ", \"modules_to_save\": [\"classifier\", \"score\"]"), "hf", "targets",
      "attn.q" },
    { CONFIG("[\"dense\"]"), "hf", "targets", "attn.proj,mlp.fc1,mlp.fc2" },
    { CONFIG("[\"proj\"]"), "timm", "targets", "attn.proj,patch_embed.proj" },
    { CONFIG("[\"qkv\"]", ", \"rank_pattern\": {\"blocks.1.attn.qkv\": 2}"), "timm", "rank_pattern", "1.attn.qkv=2" },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"rank_pattern\": {\"f.1\": 2, \"0.mlp.fc1\": 3}"), "timm", "rank_pattern",
      "mlp.fc1=2" },
    { CONFIG("[\"qkv\", \"fc1\"]", ", \"rank_pattern\": {\"0.mlp.fc1\": 3, \"fc1\": 2}"), "timm", "rank_pattern",
      "1.mlp.fc1=2,2.mlp.fc1=2,mlp.fc1=3" },
    { CONFIG("[\"qkv\"]", ", \"rank_pattern\": {\"qkv\": 4}"), "timm", "rank_pattern", NULL },
    { CONFIG("[\"qkv\"]", ", \"alpha_pattern\": {\"blocks\\\\.\\\\d\\\\.attn.qkv\": 0.5}"), "timm", "alpha_pattern",
      "attn.qkv=0.5" },
    { CONFIG("[\"qkv\"]", ", \"modules_to_save\": [\"norm\"]"), "timm", "train_norm", "true" },
    { CONFIG("[\"query\"]", ", \"modules_to_save\": [\"layernorm\"]"), "hf", "train_norm", "true" },
    { CONFIG("[\"qkv\"]",
      ", \"auto_mapping\": {\"a\": 1}, \"peft_version\": \"9\", \"runtime_config\": {\"x\": true}, \"odd\": null,"
      " \"odder\": {}, \"oddest\": false, \"task_type\": \"FEATURE_EXTRACTION\""), "timm", "targets", "attn.qkv" },
    { "{\"peft_type\": \"LORA\", \"target_modules\": [\"qkv\"]}", "timm", "r", "8" } };

START_TEST(a_configuration_gives_the_library_s_options)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
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
        const char *value = pf_options_setting(o, choices[i].name), *want = choices[i].value;
        ck_assert_msg((!value && !want) || (value && want && !strcmp(value, want)), "%s: option %s is %s, expected %s",
                      choices[i].config, choices[i].name, value ? value : "unset", want ? want : "unset");
        peft_adapter *a;
        OK(peft_adapter_create(b, "lora", o, &a));           /* the method accepts the options */
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

/* A classifier of class token and mean side by side has 2 * width columns; LoRA of it is merged into the head. */
START_TEST(an_adapter_of_a_classifier_of_two_features_is_merged)
{
    enum { CLASSES = 5, COLUMNS = 2 * 48, RANK = 4 };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, ",pool=cls_mean");
    peft_dir *d = peft_dir_new(ctx, "two");
    peft_model *m;
    peft_dir_tensor(d, "4x96", FRONT "head.lora_A.weight");
    peft_dir_tensor(d, "5x4", FRONT "head.lora_B.weight");
    for (int l = 0; l < 3; l++) {
        peft_dir_tensor(d, "4x48", FRONT "blocks.%d.attn.qkv.lora_A.weight", l);
        peft_dir_tensor(d, "144x4", FRONT "blocks.%d.attn.qkv.lora_B.weight", l);
    }
    peft_dir_write(d, CONFIG("[\"qkv\", \"head\"]"));
    OK(peft_model_load_hf(b, d->path, &m));
    const float *A = d->made[0].data, *B = d->made[1].data;
    const pk_real *before = pf_backbone_find(b, "head.weight")->data;
    const pf_param *head = pf_params_find(&m->params, "head.weight");
    ck_assert(head && peft_tensor_count(&head->value) == CLASSES * COLUMNS);
    const pk_real *after = head->value.data;
    for (int i = 0; i < CLASSES; i++)
        for (int j = 0; j < COLUMNS; j++) {
            double sum = 0;
            for (int k = 0; k < RANK; k++) sum += (double)B[i * RANK + k] * (double)A[k * COLUMNS + j];
            ck_assert_double_eq_tol((double)after[i * COLUMNS + j], (double)before[i * COLUMNS + j] + 1.5 * sum, 1e-4);
        }
    peft_model_free(m);
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* LoRA factors of the patch embedding load in the shape of a convolution and in that of a linear layer. */
START_TEST(factors_of_the_patch_embedding_load_in_both_shapes)
{
    /* of lora_A, lora_B and the magnitudes: as a convolution, as a linear layer */
    static const char *const dims[2][3] = { { "4x3x4x4", "48x4x1x1", "1x48x1x1" }, { "4x48", "48x4", "48" } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    for (int i = 0; i < 4; i++) {                            /* two names of the module, each in both shapes */
        const char *module = i < 2 ? "vit.embeddings.patch_embeddings.projection" : "patch_embed.proj";
        const int flat = i % 2;
        peft_dir *d = peft_dir_new(ctx, flat ? "flat" : "conv");
        peft_adapter *a;
        peft_dir_tensor(d, dims[flat][0], FRONT "%s.lora_A.weight", module);
        peft_dir_tensor(d, dims[flat][1], FRONT "%s.lora_B.weight", module);
        peft_dir_tensor(d, dims[flat][2], FRONT "%s.lora_magnitude_vector", module);
        peft_dir_write(d, CONFIG("\".*(projection|patch_embed.proj)\"", ", \"use_dora\": true"));
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

/* --- files of torch.save ----------------------------------------------------------------------------------------- */
/* Writes the tensors of d, LoRA factors of rank 4, as adapter_model.bin: a dictionary of views of one storage. lora_A
 * is stored by columns, which loading has to copy into rows. */
static void write_torch(const peft_dir *d, bool legacy)
{
    char path[200];
    bytes pickle = { 0 }, data = { 0 };
    int64_t total = 0, offset = 0;
    for (size_t i = 0; i < d->count; i++) total += d->made[i].count;
    PUT(&pickle, "\x80\2}(");
    for (size_t i = 0; i < d->count; i++) {
        const peft_dir_entry *t = &d->made[i];
        const bool a = strstr(t->name, "lora_A") != NULL;
        const int64_t longer = t->count / 4;
        saved_tensor s = { .type = "Float", .key = "0", .elements = total, .offset = offset, .ndim = 2,
                           .dim = { a ? 4 : longer, a ? longer : 4 }, .stride = { a ? 1 : 4, a ? 4 : 1 } };
        pickle_text(&pickle, t->name);
        pickle_tensor(&pickle, &s, legacy);
        for (int64_t k = 0; k < t->count; k++) put(&data, &t->data[a ? k % 4 * longer + k / 4 : k], sizeof(float));
        offset += t->count;
    }
    PUT(&pickle, "u.");
    bytes file = legacy ? torch_legacy(pickle.data, pickle.size, data.data, data.size, sizeof(float))
                        : torch_zip(pickle.data, pickle.size, data.data, data.size);
    snprintf(path, sizeof path, "%s/" PF_PEFT_TORCH, d->path);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(file.data, 1, file.size, f), file.size);
    ck_assert_int_eq(fclose(f), 0);
    bytes_free(&file);
    bytes_free(&pickle);
    bytes_free(&data);
}

START_TEST(files_of_torch_save_load_unless_there_is_one_of_safetensors)
{
    const struct naming *r = &namings[0];
    char safetensors[200];
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, r->backbone);
    peft_dir *d = peft_dir_new(ctx, r->name);
    peft_adapter *a = NULL;
    add_pairs(d, r);
    peft_dir_write(d, r->config);
    peft_dir_text(d, PF_PEFT_TORCH, "x");
    peft_adapter_free(load_and_compare(b, d, r));            /* of safetensors */
    snprintf(safetensors, sizeof safetensors, "%s/" PF_PEFT_TENSORS, d->path);
    ck_assert_int_eq(remove(safetensors), 0);
    FAILS(PEFT_E_FORMAT, PF_PEFT_TORCH, peft_adapter_load_hf(b, d->path, &a));
    for (int legacy = 0; legacy < 2; legacy++) {
        write_torch(d, legacy);
        peft_adapter_free(load_and_compare(b, d, r));
    }
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* PEFT adds the update of a MultiheadAttention's out_proj twice: its alpha is twice that of in_proj. */
START_TEST(alpha_of_an_out_proj_is_doubled)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    peft_dir *d = peft_dir_new(ctx, "alpha");
    peft_adapter *a;
    for (int l = 0; l < 3; l++) {
        peft_dir_tensor(d, "4x48", FRONT "transformer.resblocks.%d.attn.lora_A.weight", l);
        peft_dir_tensor(d, "144x4", FRONT "transformer.resblocks.%d.attn.lora_B.weight", l);
        peft_dir_tensor(d, "4x48", FRONT "transformer.resblocks.%d.attn.base_layer.out_proj.lora_A.weight", l);
        peft_dir_tensor(d, "48x4", FRONT "transformer.resblocks.%d.attn.base_layer.out_proj.lora_B.weight", l);
    }
    peft_dir_write(d, CONFIG("[\"attn\"]"));
    OK(peft_adapter_load_hf(b, d->path, &a));
    ck_assert_double_eq(pf_lora_alpha(a, "blocks.1.attn.qkv"), 6);
    ck_assert_double_eq(pf_lora_alpha(a, "blocks.1.attn.proj"), 12);
    peft_adapter_free(a);
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Tensors of modules that features do not depend on are left out: of the text tower, whose blocks may have the same
 * names and come first, of projections, and of out_proj where PEFT adapts it without an effect. */
static const struct other { const char *backbone, *config, *others[6], *front, *module, *ours, *b; } others_rows[] = {
    { ",norm_pre=true", CONFIG("[\"q_proj\", \"visual_projection\"]"),
      { "text_model.encoder.layers.0.self_attn.q_proj", "text_model.encoder.layers.1.self_attn.q_proj",
        "visual_projection" }, "vision_model.encoder.layers.", "self_attn.q_proj", "attn.q", "48x4" },
    { ",class_token=false,pool=attention", CONFIG("[\"out_proj\"]"),
      { "vision_model.head.attention.out_proj", "text_model.encoder.layers.0.self_attn.out_proj" },
      "vision_model.encoder.layers.", "self_attn.out_proj", "attn.proj", "48x4" },
    { ",norm_pre=true", CONFIG("[\"c_fc\", \"out_proj\"]"),
      { "transformer.resblocks.0.mlp.c_fc", "transformer.resblocks.1.mlp.c_fc", "transformer.resblocks.2.mlp.c_fc",
        "visual.transformer.resblocks.0.attn.out_proj", "transformer.resblocks.3.attn.out_proj" },
      "visual.transformer.resblocks.", "mlp.c_fc", "mlp.fc1", "192x4" } };

START_TEST(tensors_that_have_no_effect_are_left_out)
{
    peft_context *ctx = tiny_plain_context();
    for (size_t i = 0; i < sizeof others_rows / sizeof *others_rows; i++) {
        const struct other *r = &others_rows[i];
        peft_backbone *b = small_backbone(ctx, r->backbone);
        peft_dir *d = peft_dir_new(ctx, "others");
        peft_adapter *a;
        for (size_t k = 0; k < 6 && r->others[k]; k++) {
            peft_dir_tensor(d, "4x32", FRONT "%s.lora_A.weight", r->others[k]);
            peft_dir_tensor(d, "32x4", FRONT "%s.lora_B.weight", r->others[k]);
        }
        const size_t own = d->count;
        for (int l = 0; l < 3; l++) {
            peft_dir_tensor(d, "4x48", FRONT "%s%d.%s.lora_A.weight", r->front, l, r->module);
            peft_dir_tensor(d, r->b, FRONT "%s%d.%s.lora_B.weight", r->front, l, r->module);
        }
        peft_dir_write(d, r->config);
        OK(peft_adapter_load_hf(b, d->path, &a));
        ck_assert_uint_eq(peft_adapter_param_count(a), 6);
        for (int l = 0; l < 3; l++) {
            peft_dir_same(d, own + 2 * (size_t)l, param(a, "blocks.%d.%s.lora_A.weight", l, r->ours), r->module);
            peft_dir_same(d, own + 2 * (size_t)l + 1, param(a, "blocks.%d.%s.lora_B.weight", l, r->ours), r->module);
        }
        peft_adapter_free(a);
        peft_dir_free(d);
        peft_backbone_free(b);
    }
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

#define ROWS(table) (int)(sizeof table / sizeof *table)
int main(void)
{
    Suite *s = suite_create("peft_dir_read");
    TCase *c = tcase_create("peft_dir_read");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, directories_of_every_naming_load, 0, ROWS(namings));
    const suite_test others[] = { a_configuration_gives_the_library_s_options,
                                  an_adapter_of_a_classifier_of_two_features_is_merged,
                                  factors_of_the_patch_embedding_load_in_both_shapes,
                                  files_of_torch_save_load_unless_there_is_one_of_safetensors,
                                  alpha_of_an_out_proj_is_doubled, tensors_that_have_no_effect_are_left_out };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) tcase_add_test(c, others[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
