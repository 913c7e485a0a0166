/* SPDX-License-Identifier: Apache-2.0
 * test_peft_dir_refuse.c -- directories of PEFT that are malformed or use features that the library does not have are
 * refused by name, and so are adapters that PEFT cannot express. A failed save never leaves a mixture of old and new
 * files. */
#include <errno.h>
#include <math.h>
#include "peft_dirs.h"

/* --- loading ----------------------------------------------------------------------------------------------------- */
/* In the tables below: U is valid for PEFT but not supported here, F is malformed. */
#define U PEFT_E_UNSUPPORTED
#define F PEFT_E_FORMAT
static const struct { peft_status status; const char *message, *config; } bad_configs[] = {
    { F, "JSON", "{\"peft_type\": \"LORA\"" }, { F, "JSON", "" }, { F, "object", "[1]" }, { F, "JSON", QV "x" },
    { F, "duplicate", CONFIG("[\"query\"]", ", \"r\": 5") },
    { F, "nested", "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]" },
    { F, "peft_type", "{\"r\": 8, \"target_modules\": [\"query\"]}" },
    { U, "BOFT is a method of PEFT", "{\"peft_type\": \"BOFT\", \"target_modules\": [\"query\"]}" },
    { U, "save_projection", "{\"peft_type\": \"VERA\", \"target_modules\": [\"query\"], \"save_projection\": false}" },
    { U, "projection", "{\"peft_type\": \"VERA\", \"target_modules\": [\"projection\"]}" },
    { U, "coft", "{\"peft_type\": \"OFT\", \"target_modules\": [\"query\"], \"oft_block_size\": 32, \"coft\": true}" },
    { U, "oft_block_size", "{\"peft_type\": \"OFT\", \"target_modules\": [\"query\"], \"r\": 8}" },
    { U, "given 0.17.1", "{\"peft_type\": \"OFT\", \"target_modules\": [\"query\"], \"oft_block_size\": 32, "
      "\"peft_version\": \"0.17.1\"}" },
    { U, "given 'LARA'", "{\"peft_type\": \"LARA\", \"target_modules\": [\"query\"]}" },
    { F, "target_modules", "{\"peft_type\": \"LORA\"}" }, { F, "target_modules", CONFIG("[]") },
    { F, "target_modules", CONFIG("[1]") },
    { F, "target_modules", CONFIG("7") }, { F, "no module", CONFIG("[\"blub\"]") },
    { F, "no module", CONFIG("\".*blub\"") },
    { U, "\\w", CONFIG("\".*\\\\w\"") }, 
    { F, "classifier.lora_A.weight' is missing", CONFIG("[\"query\", \"value\", \"classifier\"]") },
    { U, "layernorm_before", CONFIG("[\"query\", \"layernorm_before\"]") },
    { U, "fan_in_fan_out", CONFIG("[\"query\"]", ", \"fan_in_fan_out\": true") },
    { F, "bias' is missing", CONFIG("[\"query\", \"value\"]", ", \"bias\": \"all\"") },
    { F, "query.base_layer.bias' is missing", CONFIG("[\"query\", \"value\"]", ", \"bias\": \"lora_only\"") },
    { U, "'bias': \"some\"", CONFIG("[\"query\"]", ", \"bias\": \"some\"") },
    { U, "lora_bias", CONFIG("[\"query\"]", ", \"lora_bias\": true") },
    { U, "pissa", CONFIG("[\"query\"]", ", \"init_lora_weights\": \"pissa_niter_4\"") },
    { U, "path_initial_model_for", CONFIG("[\"query\"]", ", \"init_lora_weights\": \"olora\"") },
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
    { U, "'+'", CONFIG("[\"query\", \"value\"]", ", \"alpha_pattern\": {\"+\": 4}") },
    { F, "rank", CONFIG("[\"query\", \"value\"]", ", \"rank_pattern\": {\"query\": 0}") },
    { F, "rank", CONFIG("[\"query\", \"value\"]", ", \"rank_pattern\": {\"query\": 2.5}") },
    { F, "given [4, 48], expected [2, 48]", CONFIG("[\"query\", \"value\"]", ", \"rank_pattern\": {\"query\": 2}") },
    { F, "field 'lora_alpha': given -3, expected 0 to 1000000",
      "{\"peft_type\": \"LORA\", \"target_modules\": [\"query\", \"value\"], \"r\": 4, \"lora_alpha\": -3}" },
    { F, "field 'r': given 0, expected 1 to 4096",
      "{\"peft_type\": \"LORA\", \"target_modules\": [\"query\", \"value\"], \"r\": 0}" },
    { F, "field 'lora_alpha': null",
      "{\"peft_type\": \"LORA\", \"target_modules\": [\"query\", \"value\"], \"r\": 4, \"lora_alpha\": null}" },
    { F, "field 'lora_dropout': null", CONFIG("[\"query\", \"value\"]", ", \"lora_dropout\": null") },
    { F, "field 'lora_dropout': given 2", CONFIG("[\"query\", \"value\"]", ", \"lora_dropout\": 2") },
    { F, "query: its alpha (alpha_pattern): given -1", CONFIG("[\"query\", \"value\"]",
      ", \"alpha_pattern\": {\"query\": -1}") },
    { U, "field 'modules_to_save': 'attention' cannot be saved whole with peft_type LORA", CONFIG("[\"query\"]",
      ", \"modules_to_save\": [\"attention\"]") },
    { F, "layers_to_transform", CONFIG("\".*query\"", ", \"layers_to_transform\": [1]") },
    { F, "layers_to_transform", CONFIG("[\"query\"]", ", \"layers_to_transform\": \"1\"") },
    { F, "no module", CONFIG("[\"query\"]", ", \"layers_to_transform\": [3]") },
    { F, "no module", CONFIG("[\"query\"]", ", \"layers_to_transform\": [0], \"layers_pattern\": \"h\"") },
    { F, "value.lora_A.weight' is unexpected", CONFIG("[\"query\", \"1.attention.attention.value\"]") },
    { U, "modules_to_save", CONFIG("[\"query\"]", ", \"modules_to_save\": [\"value\"]") },
    { F, "classifier.weight' is missing", CONFIG("[\"query\", \"value\"]",
      ", \"modules_to_save\": [\"classifier\"]") },
    { F, "value.lora_A.weight' is unexpected", CONFIG("[\"query\"]") },
    { F, "value.lora_A.weight' is unexpected", CONFIG("[\"query\", \"value\"]",
      ", \"exclude_modules\": [\"value\"]") },
    { F, "key.lora_A.weight' is missing", CONFIG("[\"query\", \"key\", \"value\"]") },
    { F, "lora_magnitude_vector' is missing", CONFIG("[\"query\", \"value\"]", ", \"use_dora\": true") },
    { F, "is missing", CONFIG("[\"query\", \"value\"]", ", \"modules_to_save\": [\"layernorm\"]") },
    { F, "key.ia3_l' is missing",
      "{\"peft_type\": \"IA3\", \"target_modules\": [\"key\"], \"feedforward_modules\": []}" },
    { U, "pixels", "{\"peft_type\": \"IA3\", \"target_modules\": [\"projection\"], "
      "\"feedforward_modules\": [\"projection\"]}" },
    { U, "layernorm_after", "{\"peft_type\": \"IA3\", \"target_modules\": [\"layernorm_after\"]}" },
    { U, "lora_alpha", "{\"peft_type\": \"IA3\", \"target_modules\": [\"key\"], \"lora_alpha\": 3}" },
    { F, "layernorm_before.ln_tuning_layers.weight' is missing",
      "{\"peft_type\": \"LN_TUNING\", \"target_modules\": [\"layernorm_before\", \"layernorm\"]}" },
    { U, "query", "{\"peft_type\": \"LN_TUNING\", \"target_modules\": [\"query\"]}" } };

START_TEST(bad_configurations_are_refused)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    peft_dir *d = peft_dir_new(ctx, "bad");
    peft_model *m = NULL;
    for (int layer = 0; layer < 3; layer++)
        for (int v = 0; v < 2; v++) {
            const char *name = v ? "value" : "query";
            peft_dir_tensor(d, "4x48", FRONT "vit.encoder.layer.%d.attention.attention.%s.lora_A.weight", layer, name);
            peft_dir_tensor(d, "48x4", FRONT "vit.encoder.layer.%d.attention.attention.%s.lora_B.weight", layer, name);
        }
    peft_dir_write(d, QV);
    for (size_t i = 0; i < sizeof bad_configs / sizeof *bad_configs; i++) {
        peft_dir_text(d, PF_PEFT_CONFIG, bad_configs[i].config);
        peft_status s = peft_model_load_hf(b, d->path, &m);
        ck_assert_msg(s == bad_configs[i].status && strstr(peft_last_error(), bad_configs[i].message), "%s\n%s: %s",
            bad_configs[i].config,
                      peft_status_name(s), s ? peft_last_error() : "accepted");
        ck_assert_msg(strstr(peft_last_error(), d->path) != NULL, "the message does not name the folder: %s",
                      peft_last_error());
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
    OK(peft_model_load_hf(b, d->path, &m));                  /* the tensors are valid */
    ck_assert_int_eq(peft_model_classes(m), 5);              /* the backbone's own head */
    peft_model_free(m);
    peft_dir_free(d);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* PEFT adapts layers of attention pooling too; no method does here. MultiheadAttention has LoRA alone. */
START_TEST(modules_that_no_method_adapts_are_refused)
{
    static const struct { const char *key, *config, *message; } rows[] = {
        { "blocks.0.mlp.fc1", CONFIG("[\"fc1\"]"), "module 'attn_pool.mlp.fc1' of attention pooling" },
        { "blocks.0.mlp.fc1", CONFIG("\"all-linear\""), "module 'attn_pool.q' of attention pooling" },
        { "vision_model.encoder.layers.0.mlp.fc1", CONFIG("[\"fc1\"]"), "'vision_model.head.mlp.fc1' of attention" },
        { "transformer.resblocks.0.mlp.c_fc", CONFIG("[\"attn\"]"), "'attn_pool.attn' of attention pooling" },
        { "transformer.resblocks.0.mlp.c_fc", "{\"peft_type\": \"IA3\", \"target_modules\": [\"0.attn\"]}",
          "'transformer.resblocks.0.attn' cannot be adapted with peft_type IA3" } };
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, ",pool=attention");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_dir *d = peft_dir_new(ctx, "pool");
        peft_adapter *a = NULL;
        peft_dir_tensor(d, "4x48", FRONT "%s.lora_A.weight", rows[i].key);
        peft_dir_tensor(d, "192x4", FRONT "%s.lora_B.weight", rows[i].key);
        peft_dir_write(d, rows[i].config);
        const peft_status s = peft_adapter_load_hf(b, d->path, &a);
        ck_assert_msg(s == U && strstr(peft_last_error(), rows[i].message), "%s: %s: %s", rows[i].message,
                      peft_status_name(s), s ? peft_last_error() : "accepted");
        ck_assert_ptr_null(a);
        peft_dir_free(d);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Changes of a valid file: without the tensors whose name contains `drop` ("": with all), with one more tensor `name`
 * (NULL: without), in which one element is `value` (0: as it is). */
static const struct { peft_status status; const char *message, *drop, *name, *dims; float value; } bad_tensors[] = {
    { F, "layers.1.attention.q_proj.lora_B.weight' is missing", "layers.1.attention.q_proj.lora_B.weight", NULL,
      NULL, 0 },
    { F, "layers.3.attention.q_proj.lora_A.weight' is unexpected", "",
      FRONT "vit.layers.3.attention.q_proj.lora_A.weight", "4x48", 0 },
    { F, "pool.dense", "", FRONT "vit.pool.dense.lora_A.weight", "4x48", 0 },
    { F, "lora_B.bias' is unexpected", "", FRONT "vit.layers.0.attention.q_proj.lora_B.bias", "48", 0 },
    { F, "base_layer", "", FRONT "vit.layers.0.attention.q_proj.base_layer.bias", "48", 0 },
    { F, "classifier.weight' is unexpected", "", FRONT "classifier.weight", "3x48", 0 },
    { F, "other.layers", "layers.2.attention.q_proj.lora_A", FRONT "other.layers.2.attention.q_proj.lora_A.weight",
      "4x48", 0 },
    { F, "given [48, 4], expected [4, 48]", "layers.2.attention.q_proj.lora_A",
      FRONT "vit.layers.2.attention.q_proj.lora_A.weight", "48x4", 0 },
    { F, "given [192], expected [4, 48]", "layers.2.attention.q_proj.lora_A",
      FRONT "vit.layers.2.attention.q_proj.lora_A.weight", "192", 0 },
    { F, "given [8, 48], expected [4, 48]", "layers.0.attention.q_proj.lora_A",
      FRONT "vit.layers.0.attention.q_proj.lora_A.weight", "8x48", 0 },
    { PEFT_E_NONFINITE, "layers.2.attention.q_proj.lora_A.weight", "layers.2.attention.q_proj.lora_A",
      FRONT "vit.layers.2.attention.q_proj.lora_A.weight", "4x48", (float)INFINITY },
    { F, "no tensor adapts", "lora", "unrelated", "3", 0 },
    { F, "no tensor adapts", "lora", FRONT "lora_A.weight", "3", 0 },
    { F, "no tensor adapts", "lora", NULL, NULL, 0 } };

START_TEST(bad_tensors_are_refused)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    for (size_t i = 0; i < sizeof bad_tensors / sizeof *bad_tensors; i++) {
        peft_dir *d = peft_dir_new(ctx, "bad");
        peft_adapter *a = NULL;
        for (int k = 0; k < 6; k++) {
            char name[96];
            snprintf(name, sizeof name, FRONT "vit.layers.%d.attention.q_proj.lora_%c.weight", k / 2, "AB"[k % 2]);
            if (!*bad_tensors[i].drop || !strstr(name, bad_tensors[i].drop)) peft_dir_tensor(d,
                k % 2 ? "48x4" : "4x48", "%s", name);
        }
        if (bad_tensors[i].name) {
            peft_dir_tensor(d, bad_tensors[i].dims, "%s", bad_tensors[i].name);
            if (bad_tensors[i].value != 0) d->made[d->count - 1].data[3] = bad_tensors[i].value;
        }
        peft_dir_write(d, CONFIG("[\"q_proj\"]"));
        peft_status s = peft_adapter_load_hf(b, d->path, &a);
        ck_assert_msg(s == bad_tensors[i].status && strstr(peft_last_error(), bad_tensors[i].message), "%s: %s: %s",
            bad_tensors[i].message,
                      peft_status_name(s), s ? peft_last_error() : "accepted");
        ck_assert_ptr_null(a);
        peft_dir_free(d);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(incomplete_folders_and_null_arguments_are_refused)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    peft_adapter *a = NULL;
    peft_model *m = NULL;
    FAILS(PEFT_E_IO, PF_PEFT_CONFIG, peft_adapter_load_hf(b, tiny_path("nowhere"), &a));
    peft_dir *d = peft_dir_new(ctx, "partial");
    peft_dir_text(d, PF_PEFT_CONFIG, QV);
    FAILS(PEFT_E_IO, PF_PEFT_TENSORS, peft_adapter_load_hf(b, d->path, &a));
    peft_dir_text(d, PF_PEFT_TORCH, "x");
    FAILS(F, PF_PEFT_TORCH, peft_adapter_load_hf(b, d->path, &a));
    peft_dir_text(d, PF_PEFT_TENSORS, "x");
    FAILS(F, PF_PEFT_TENSORS, peft_adapter_load_hf(b, d->path, &a));
    OK(mkdir(tiny_path("outer"), 0777));
    FAILS(PEFT_E_IO, "cannot be opened", peft_adapter_load_hf(b, tiny_path("outer"), &a));
    OK(rename(d->path, tiny_path("outer/lesions")));          /* an adapter that has a name in PEFT */
    FAILS(PEFT_E_IO, "outer/lesions has one: expected that path", peft_adapter_load_hf(b, tiny_path("outer"), &a));
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

/* --- saving ------------------------------------------------------------------------------------------------------ */
/* options: of the method; save: of saving; model: of the model. */
static const struct { peft_status status; const char *message, *method, *options, *save, *model; } bad_saves[] = {
    { U, "'ept'", "ept", "", "", "" }, { U, "'bitfit'", "bitfit", "", "", "" },
    { U, "adapter of both", "lora", "targets=[attn.qkv,attn.q]", "naming=timm", "" },
    { U, "attn.q.vera_lambda_d", "vera", "", "naming=timm", "" }, { U, "attn.q.oft_R", "oft", "", "naming=timm", "" },
    { U, "a part's input", "ia3", "targets=[attn.k,attn.v],feedforward=attn.v", "naming=timm", "" },
    { U, "without DoRA and biases", "lora", "dora=true", "naming=clip", "" },
    { U, "by LoRA alone", "ia3", "", "naming=clip", "" },
    { U, "without DoRA and biases", "lora", "bias=all", "naming=clip", "" },
    { U, "adapter of both", "lora", "targets=[attn.qkv,attn.q]", "naming=clip", "" },
    { PEFT_E_OPTION, "gated_mlp", "lora", "", "naming=timm,gated_mlp=w13", "" },
    { PEFT_E_OPTION, "naming", "lora", "", "naming=mmcls", "" },
    { PEFT_E_OPTION, "prefix", "lora", "", "prefix=vit", "" },
    { PEFT_E_OPTION, "prefix", "lora", "", "prefix=.", "" },
    { PEFT_E_OPTION, "prefix", "lora", "", "prefix=\"vi t.\"", "" },
    { PEFT_E_OPTION, "prefix", "lora", "", "prefix=a123456789012345678901234567890123456789.", "" },
    { PEFT_E_OPTION, "nam", "lora", "", "nam=hf", "" },
    { U, "bn_linear", "lora", "", "", "classes=3,head=bn_linear" },
    { U, "mlp", "lora", "", "", "classes=3,head=mlp" }, { U, "pool", "lora", "", "", "classes=3,pool=mean" } };

START_TEST(adapters_that_peft_cannot_express_are_refused)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    for (size_t i = 0; i < sizeof bad_saves / sizeof *bad_saves; i++) {
        peft_options *o = tiny_options(ctx, "%s", bad_saves[i].options), *save = tiny_options(ctx, "%s",
            bad_saves[i].save);
        b->shape.patch_bias = !strstr(bad_saves[i].save, "clip");              /* CLIP has no bias there */
        peft_model *m = tiny_model(b, bad_saves[i].model);
        peft_adapter *a;
        OK(peft_adapter_create(b, bad_saves[i].method, o, &a));
        FAILS(U, "0 adapters", peft_model_save_hf(m, tiny_path("no"), NULL));
        OK(peft_model_attach(m, a));
        FAILS(bad_saves[i].status, bad_saves[i].message, peft_model_save_hf(m, tiny_path("no"), save));
        ck_assert(access(tiny_path("no"), F_OK) != 0);
        peft_adapter_free(a);
        peft_model_free(m);
        peft_options_free(o);
        peft_options_free(save);
    }
    peft_model *m = tiny_model(b, "");
    peft_adapter *a = adapter_of(b, "lora", ""), *second = adapter_of(b, "ept", "");
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

/* --- failing system calls ---------------------------------------------------------------------------------------- */
/* pf_file_fault calls `fault` before every system call on files. From call number fail_from on, all fail with EIO. */
static int calls, fail_from;
static int fault(const char *call)
{
    (void)call;
    return calls++ >= fail_from ? EIO : 0;
}

/* A save that fails at any system call leaves the old adapter, the new one, or a folder without configuration, which is
 * refused. */
START_TEST(a_failed_save_never_leaves_a_mixture)
{
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = small_backbone(ctx, "");
    char dir[128];
    enum { OLD, NEW, REFUSED };
    int outcome[3] = { 0 };                                  /* how often loading gave each of these */
    snprintf(dir, sizeof dir, "%s", tiny_path("crash"));
    peft_adapter *old, *new, *got;
    peft_options *o = tiny_options(ctx, "alpha=16");
    OK(peft_adapter_create(b, "lora", NULL, &old));
    OK(peft_adapter_create(b, "lora", o, &new));
    tiny_perturb_tensor(peft_param_value(peft_adapter_param(new, 0)), "new", 0.5);
    const size_t bytes = pf_tensor_bytes(peft_param_value(peft_adapter_param(old, 0)));
    for (bool done = false; !done; fail_from++) {
        OK(peft_adapter_save_hf(old, dir, NULL));
        calls = 0;
        pf_file_fault = fault;
        peft_status s = peft_adapter_save_hf(new, dir, NULL);
        pf_file_fault = NULL;
        done = calls <= fail_from;
        ck_assert_int_eq(s == PEFT_OK, done);
        ck_assert(access(tiny_path("crash/" PF_PEFT_TENSORS ".new"), F_OK) != 0);
        s = peft_adapter_load_hf(b, dir, &got);
        if (s) {
            ck_assert_msg(strstr(peft_last_error(), PF_PEFT_CONFIG ": cannot be opened") != NULL, "%s",
                peft_last_error());
            outcome[REFUSED]++;
            continue;
        }
        const bool is_new = peft_sys_opt_float(got, "alpha") == 16;
        const peft_param *want = peft_adapter_param(is_new ? new : old, 0), *p = peft_adapter_param(got, 0);
        ck_assert(!memcmp(want->value.data, p->value.data, bytes));
        ck_assert(is_new || !done);
        outcome[is_new ? NEW : OLD]++;
        peft_adapter_free(got);
    }
    ck_assert_int_gt(outcome[OLD], 5);
    ck_assert_int_ge(outcome[NEW], 1);
    ck_assert_int_ge(outcome[REFUSED], 1);
    peft_options_free(o);
    peft_adapter_free(old);
    peft_adapter_free(new);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("peft_dir_refuse", bad_configurations_are_refused,
           bad_tensors_are_refused, modules_that_no_method_adapts_are_refused,
           incomplete_folders_and_null_arguments_are_refused, adapters_that_peft_cannot_express_are_refused,
           a_failed_save_never_leaves_a_mixture)
