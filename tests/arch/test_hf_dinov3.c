/* SPDX-License-Identifier: Apache-2.0
 * test_hf_dinov3.c -- DINOv3 in the files of transformers: config.json, biases that only some layers have, files
 * without config.json, saving, and the same network under the names of timm and of Facebook's code. */
#include "core/format/json_value.h"
#include "weights/config_fixture.h"
#include "weights/formats.h"

#define PLAIN "image_size=8,patch=4,width=16,depth=2,heads=2,mlp=24,layer_scale=true,pos_embed=false,eps=1e-5," \
    "rope=dinov3,rope_rotate_half=true,rope_temperature=100,registers=3"
#define GATED PLAIN ",gate=first,act=silu"

static const format plain_files = { "HF DINOv3", "", "layer.%d.", "classifier", PLAIN, "", hf_dinov3,
                                    LIST("embeddings.mask_token"), 0 };
static const format gated_files = { "HF DINOv3, gated", "", "layer.%d.", "classifier", GATED, "", hf_dinov3_gated,
                                    NULL, 0 };
static const format facebook_files = { "DINOv3", "", "blocks.%d.", "head", GATED, "", dinov3,
                                       LIST("rope_embed.periods"), 0 };

/* A context that keeps warnings in log, and the path of the tests' weights. */
static peft_context *start(log_lines *log)
{
    peft_context *ctx = tiny_plain_context();
    *log = (log_lines){ "", 0 };
    OK(peft_context_set_log(ctx, fixture_log, log, 3));
    return ctx;
}

/* Loads model.safetensors of the temporary folder. */
static peft_status try_weights(peft_context *ctx, const char *options, peft_backbone **out)
{
    peft_options *o = tiny_options(ctx, "%s", options);
    peft_status s = peft_backbone_load(ctx, tiny_path("model.safetensors"), o, out);
    peft_options_free(o);
    return s;
}

static peft_backbone *weights(peft_context *ctx, const char *options)
{
    peft_backbone *b;
    OK(try_weights(ctx, options, &b));
    return b;
}

/* Are features and blocks of both computed from equal bits? */
static void same_network(peft_backbone *a, peft_backbone *b)
{
    ck_assert_str_eq(peft_backbone_fingerprint(a), peft_backbone_fingerprint(b));
    ck_assert_mem_eq(&a->shape.rope, &b->shape.rope, sizeof a->shape.rope);
    ck_assert(pf_grid_equal(a->shape.image, b->shape.image));
}

#define CONFIG "{\"model_type\": \"dinov3_vit\", \"hidden_size\": 16, \"num_attention_heads\": 2, \"image_size\": 8, " \
    "\"layer_norm_eps\": 1e-3, \"rope_theta\": 37.5, \"pos_embed_rescale\": 2.0, \"pos_embed_shift\": null, "
START_TEST(configuration_states_what_tensors_do_not)
{
    log_lines log;
    peft_context *ctx = start(&log);
    peft_backbone *b = random_backbone(ctx, GATED), *loaded;
    write_format(b, &gated_files, 0, tiny_path("model.safetensors"));
    fixture_write("config.json", CONFIG "\"use_gated_mlp\": true, \"hidden_act\": \"gelu_pytorch_tanh\"}");
    loaded = weights(ctx, "");
    ck_assert_msg(!log.warnings, "%s", log.text);
    ck_assert(loaded->shape.eps > 0.9e-3 && loaded->shape.eps < 1.1e-3);
    ck_assert_int_eq(loaded->shape.rope.kind, PF_ROPE_CENTRED);
    ck_assert(loaded->shape.rope.temperature > 37.4 && loaded->shape.rope.temperature < 37.6);
    ck_assert(loaded->shape.rope.halves);
    ck_assert_int_eq(loaded->shape.act, PK_GELU_TANH);
    ck_assert_int_eq(loaded->shape.pool, PF_FEATURE_CLS);
    peft_backbone_free(loaded);
    loaded = weights(ctx, "image_size=16");                     /* positions are computed for any size */
    ck_assert_int_eq(peft_backbone_get(loaded, "tokens"), 4 + 16);
    peft_backbone_free(loaded);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(without_configuration_the_base_is_assumed)
{
    log_lines log;
    peft_context *ctx = start(&log);
    peft_backbone *b = random_backbone(ctx, GATED ",registers=0"), *loaded;
    write_format(b, &gated_files, 0, tiny_path("model.safetensors"));
    loaded = weights(ctx, "heads=2,image_size=8");
    ck_assert_str_eq(peft_backbone_note(loaded, "assumed"), "rope_temperature=100: usual for hf-dinov3 files\n"
                     "eps=1e-05: usual for hf-dinov3 files\n"
                     "act=silu: usual for gated MLPs, on the first half");
    same_network(b, loaded);
    peft_backbone_free(loaded);
    loaded = weights(ctx, "heads=2,image_size=8,act=silu,eps=1e-5,rope_temperature=50");
    ck_assert_ptr_null(peft_backbone_note(loaded, "assumed"));
    ck_assert(loaded->shape.rope.temperature > 49 && loaded->shape.rope.temperature < 51);
    peft_backbone_free(loaded);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Writes model.safetensors, in block 0 (from 0 on) or in all blocks without the biases of these names. */
static void write_without_biases(const peft_backbone *b, int blocks, const char *const *names)
{
    char from[64] = "whole", to[64], name[96];
    write_format(b, &plain_files, 0, tiny_path(from));
    for (int k = 0; names[k]; k++)
        for (int l = 0; l < blocks; l++) {
            snprintf(name, sizeof name, "layer.%d.%s.bias", l, names[k]);
            snprintf(to, sizeof to, "without%d", k * blocks + l);
            char *source = strdup(tiny_path(from));
            tiny_edit(source, tiny_path(to), &(tiny_change){ DROP, name, NULL });
            free(source);
            snprintf(from, sizeof from, "%s", to);
        }
    char *source = strdup(tiny_path(from));
    ck_assert_int_eq(rename(source, tiny_path("model.safetensors")), 0);
    free(source);
}

/* Sets `count` elements of a bias of all blocks to 0, from element `from` on. */
static void clear_bias(peft_backbone *b, const char *inner, int64_t from, int64_t count)
{
    for (int64_t l = 0; l < b->shape.depth; l++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.%s.bias", (int)l, inner);
        pk_real *x = pf_backbone_find(b, name)->data;
        memset(x + from, 0, (size_t)count * sizeof *x);
    }
}

START_TEST(biases_that_no_block_has_are_zero)
{
    log_lines log;
    peft_context *ctx = start(&log);
    peft_backbone *b = random_backbone(ctx, PLAIN), *loaded = NULL;
    write_without_biases(b, 2, LIST("attention.q_proj", "attention.k_proj", "attention.o_proj"));
    loaded = weights(ctx, "heads=2,image_size=8");
    clear_bias(b, "attn.qkv", 0, 32);
    clear_bias(b, "attn.proj", 0, 16);
    same_network(b, loaded);
    peft_backbone_free(loaded);
    fixture_write("config.json", CONFIG "\"query_bias\": true}");
    FAILS(PEFT_E_FORMAT, "config.json states query_bias true, but by the weights it is false",
          try_weights(ctx, "", &loaded));
    fixture_write("config.json", CONFIG "\"query_bias\": false, \"mlp_bias\": false}");
    FAILS(PEFT_E_FORMAT, "mlp_bias false", try_weights(ctx, "", &loaded));
    fixture_write("config.json", CONFIG "\"query_bias\": false, \"use_gated_mlp\": true}");
    FAILS(PEFT_E_FORMAT, "use_gated_mlp true", try_weights(ctx, "", &loaded));
    static const char *const one[] = { "attention.v_proj", "attention.o_proj", "mlp.up_proj" };
    for (int i = 0; i < 3; i++) {                                /* missing in one block, it is no zero */
        char name[64];
        write_without_biases(b, 1, LIST(one[i]));
        snprintf(name, sizeof name, "1 tensors missing (layer.0.%s.bias)", one[i]);
        FAILS(PEFT_E_FORMAT, name, try_weights(ctx, "config=none,heads=2", &loaded));
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Features of two images. */
static void features(peft_backbone *b, float out[2 * 16])
{
    peft_model *m = tiny_model(b, "classes=2");
    peft_session *s = tiny_session(m, "batch=2,taps=feature");
    peft_tensor *images = tiny_tensor(b->ctx, PEFT_F32, 4, 2, 3, 8, 8);
    peft_tensor *logits = tiny_tensor(b->ctx, PEFT_F32, 2, 2, 2);
    float *x = peft_tensor_data(images);
    for (int i = 0; i < 2 * 3 * 64; i++) x[i] = (float)((i * 37) % 101) / 50 - 1;
    OK(peft_session_predict(s, images, logits));
    memcpy(out, peft_tensor_cdata(tiny_tap(s, "feature")), 2 * 16 * sizeof *out);
    peft_tensor_free(images);
    peft_tensor_free(logits);
    peft_session_free(s);
    peft_model_free(m);
}

START_TEST(three_namings_give_the_same_feature)
{
    log_lines log;
    peft_context *ctx = start(&log);
    peft_backbone *b = random_backbone(ctx, GATED);
    const format timm_files = { "timm", "", "blocks.%d.", "head", GATED, "", NULL, NULL, 0 };
    const format *const files[] = { &gated_files, &facebook_files, &timm_files };
    float want[2 * 16], got[2 * 16];
    features(b, want);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_format(b, files[i], 0, tiny_path("model.safetensors"));
        peft_backbone *loaded = weights(ctx, "heads=2,image_size=8,eps=1e-5,act=silu,pool=cls");
        features(loaded, got);
        ck_assert_msg(!memcmp(got, want, sizeof got), "%s: other features", files[i]->name);
        same_network(b, loaded);
        peft_backbone_free(loaded);
    }
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

/* Saves b as a folder, or in naming=hf the same, and returns its config.json. */
static json_t *save(const peft_backbone *b, const char *naming, const char *folder)
{
    char path[64];
    peft_options *o = tiny_options(b->ctx, "naming=%s", naming);
    OK(peft_backbone_save_as(b, tiny_path(folder), o));
    peft_options_free(o);
    snprintf(path, sizeof path, "%s/config.json", folder);
    json_error_t error;
    json_t *top = json_load_file(tiny_path(path), 0, &error);
    ck_assert_msg(top != NULL, "%s", error.text);
    return top;
}

/* Has the folder's model this tensor, with this number of bytes? */
static void check_tensor(peft_context *ctx, const char *folder, const char *name, bool expected, size_t size)
{
    char path[64];
    pf_st *st;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    OK(pf_st_open(ctx, tiny_path(path), &st));
    const pf_st_tensor *t = pf_st_find(st, name);
    ck_assert_msg((t != NULL) == expected, "%s: %s", folder, name);
    if (t) ck_assert_uint_eq(t->bytes, size);
    pf_st_close(st);
}

static bool flag(const json_t *config, const char *key)
{
    const json_t *v = json_object_get(config, key);
    ck_assert_msg(json_is_boolean(v), "%s", key);
    return json_is_true(v);
}

START_TEST(saved_folders_are_those_of_transformers)
{
    static const struct { const char *create, *naming; bool gated, registers, k; } rows[] = {
        { PLAIN ",eps=1e-3", "hf", false, true, true }, { GATED ",registers=0", "hf5", true, false, false },
        { GATED ",rope_temperature=37.5,qkv_bias=false,proj_bias=false", "hf-dinov3", true, true, false } };
    log_lines log;
    peft_context *ctx = start(&log);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_backbone *b = random_backbone(ctx, rows[i].create), *again;
        if (!rows[i].k && b->shape.qkv_bias) clear_bias(b, "attn.qkv", 16, 16);
        json_t *config = save(b, rows[i].naming, "saved");
        ck_assert_str_eq(json_string_value(json_object_get(config, "model_type")), "dinov3_vit");
        ck_assert_str_eq(json_string_value(json_array_get(json_object_get(config, "architectures"), 0)),
                         "DINOv3ViTModel");
        ck_assert(flag(config, "use_gated_mlp") == rows[i].gated);
        ck_assert(flag(config, "query_bias") == b->shape.qkv_bias);
        ck_assert(flag(config, "key_bias") == rows[i].k);
        ck_assert(flag(config, "mlp_bias") == b->shape.proj_bias && flag(config, "proj_bias") == b->shape.proj_bias);
        const double theta = json_real_value(json_object_get(config, "rope_theta"));
        ck_assert(theta > b->shape.rope.temperature - 1e-9 && theta < b->shape.rope.temperature + 1e-9);
        ck_assert_ptr_null(json_object_get(config, "qkv_bias"));
        json_decref(config);
        check_tensor(ctx, "saved", "embeddings.mask_token", true, 16 * sizeof(float));
        check_tensor(ctx, "saved", "embeddings.register_tokens", true, rows[i].registers ? 3 * 16 * sizeof(float) : 0);
        check_tensor(ctx, "saved", "layer.1.attention.k_proj.bias", rows[i].k, 16 * sizeof(float));
        check_tensor(ctx, "saved", "layer.1.mlp.gate_proj.weight", rows[i].gated, 24 * 16 * sizeof(float));
        again = NULL;
        OK(peft_backbone_load(ctx, tiny_path("saved"), NULL, &again));
        same_network(b, again);
        ck_assert_ptr_null(peft_backbone_note(again, "assumed"));
        peft_backbone_free(again);
        peft_backbone_free(b);
    }
    ck_assert_msg(!log.warnings, "%s", log.text);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

START_TEST(networks_that_are_no_dinov3_are_refused)
{
    static const struct { const char *create, *text; } rows[] = {
        { "rope=axial", "rotary positions of another kind" }, { "rope=dinov3", "rotary positions of another kind" },
        { PLAIN ",pos_embed=true", "a position embedding beside" },
        { PLAIN ",layer_scale=false", "without LayerScale" },
        { PLAIN ",classes=3", "classifier=false" }, { GATED ",gate=last", "on the second half" },
        { PLAIN ",qk_norm=true", "norms inside attention" }, { PLAIN ",pool=mean", "fc_norm" } };
    log_lines log;
    peft_context *ctx = start(&log);
    peft_options *o = tiny_options(ctx, "naming=hf5");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_backbone *b = tiny_backbone(ctx, rows[i].create, NULL);
        FAILS(PEFT_E_UNSUPPORTED, rows[i].text, peft_backbone_save_as(b, tiny_path("no"), o));
        ck_assert(access(tiny_path("no"), F_OK) != 0);
        peft_backbone_free(b);
    }
    peft_options_free(o);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("hf_dinov3", configuration_states_what_tensors_do_not, without_configuration_the_base_is_assumed,
           biases_that_no_block_has_are_zero, three_namings_give_the_same_feature,
           saved_folders_are_those_of_transformers, networks_that_are_no_dinov3_are_refused)
