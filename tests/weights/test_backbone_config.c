/* SPDX-License-Identifier: Apache-2.0
 * test_backbone_config.c -- config.json: facts of the network that the weights do not give (options have precedence
 * over the header, the header over config.json, config.json over usual values), notes for preprocessing, invalid and
 * unsupported files. */
#include "tiny.h"

#define SMALL "image_size=8,patch=4,width=64,depth=2,heads=2,mlp=24"
static char weights[128], config[128], preprocessor[128];

/* Writes b without facts (heads, eps, ...) in the header, except the entry key = value; key NULL: no entry. */
static void write_weights_with(const peft_backbone *b, const char *key, const char *value)
{
    pf_st_out *o;
    OK(pf_st_out_create(b->ctx, &o));
    if (key) OK(pf_st_out_meta(o, key, value));
    for (size_t i = 0; i < b->weights; i++) {
        const peft_tensor *t = &b->weight[i].tensor;
        OK(pf_st_out_tensor(o, b->weight[i].name, t->type, t->ndim, t->dim, t->data));
    }
    OK(pf_st_out_write(o, weights));
    pf_st_out_free(o);
}

static void write_weights(const peft_backbone *b) { write_weights_with(b, NULL, NULL); }

static void write_text(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, n, f), n);
    fclose(f);
}

/* Loads the file `weights`, with the configuration files in its folder. */
static peft_status try_load(peft_context *ctx, const char *options, peft_backbone **out)
{
    peft_options *o = tiny_options(ctx, "%s", options);
    peft_status s = peft_backbone_load(ctx, weights, o, out);
    peft_options_free(o);
    return s;
}

/* Loads the backbone with `text` as config.json. */
static peft_backbone *load(peft_context *ctx, const char *text, const char *options)
{
    peft_backbone *b;
    write_text(config, text, strlen(text));
    OK(try_load(ctx, options, &b));
    return b;
}

/* Makes a context and a small backbone, and writes the backbone to the file `weights`. */
static peft_backbone *start(peft_context **ctx)
{
    *ctx = tiny_plain_context();
    snprintf(weights, sizeof weights, "%s", tiny_path("model.safetensors"));
    snprintf(config, sizeof config, "%s", tiny_path("config.json"));
    snprintf(preprocessor, sizeof preprocessor, "%s", tiny_path("preprocessor_config.json"));
    peft_backbone *b = tiny_backbone(*ctx, SMALL, NULL);
    write_weights(b);
    return b;
}

static void finish(peft_context *ctx, peft_backbone *b)
{
    peft_backbone_free(b);
    tiny_clean();
    peft_context_free(ctx);
}

/* The note `key` of b is `value`; NULL: there is none. */
static void check_note(const peft_backbone *b, const char *key, const char *value)
{
    const char *note = peft_backbone_note(b, key);
    ck_assert_msg(value ? note && !strcmp(note, value) : !note, "note '%s', expected '%s'", note ? note : "none",
                  value ? value : "none");
}

/* config.json of transformers' ViT, of timm, and of a whole CLIP model of transformers. */
#define HF                                                                                                             \
    "{\"layer_norm_eps\": 1e-7, \"num_attention_heads\": 4, \"hidden_act\": \"quick_gelu\", \"image_size\": 8, "       \
    "\"patch_size\": 4, \"hidden_size\": 64, \"num_hidden_layers\": 2, \"qkv_bias\": true, \"architectures\": "        \
    "[\"ViTModel\"]}"
#define TIMM                                                                                                           \
    "{\"architecture\": \"vit_quickgelu\", \"global_pool\": \"token\", \"model_args\": {\"num_heads\": 8}, "           \
    "\"pretrained_cfg\": "                                                                                             \
    "{\"mean\": [0.5, 0.25, 1], \"std\": [0.1, 0.2, 0.3], \"input_size\": [3, 8, 8], \"crop_pct\": 0.9, "              \
    "\"interpolation\": \"bicubic\"}}"
#define FULL_CLIP "{\"text_config\": {\"hidden_size\": 512}, \"vision_config\": " HF ", \"hidden_size\": 512}"

START_TEST(facts_are_read_in_order_of_precedence)
{
    peft_context *ctx;
    peft_backbone *b = start(&ctx);
    static const struct { const char *json, *options; double eps; int heads, act;
    } rows[] = { { "{}", "", 1e-6, 1, PK_GELU },
                 { HF, "", 1e-7, 4, PK_QUICKGELU },
                 { FULL_CLIP, "", 1e-7, 4, PK_QUICKGELU },
                 { TIMM, "", 1e-6, 8, PK_QUICKGELU },
                 { HF, "config=none", 1e-6, 1, PK_GELU },
                 { HF, "heads=2,eps=1e-3,act=gelu", 1e-3, 2, PK_GELU },
                 { "{\"hidden_act\": null, \"global_pool\": \"\"}", "", 1e-6, 1, PK_GELU } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_backbone *x = load(ctx, rows[i].json, rows[i].options);
        ck_assert_double_eq(x->shape.eps, rows[i].eps);
        ck_assert_int_eq(x->shape.heads, rows[i].heads);
        ck_assert_int_eq(x->shape.act, rows[i].act);
        peft_backbone_free(x);
    }
    write_weights_with(b, "heads", "2");
    peft_backbone *x = load(ctx, HF, "");                                /* the header has precedence */
    ck_assert_int_eq(x->shape.heads, 2);
    ck_assert_double_eq(x->shape.eps, 1e-7);
    peft_backbone_free(x);
    x = load(ctx, HF, "heads=8");
    ck_assert_int_eq(x->shape.heads, 8);
    peft_backbone_free(x);
    char options[200];
    ck_assert_int_eq(rename(config, tiny_path("elsewhere.json")), 0);
    snprintf(options, sizeof options, "config=%s", tiny_path("elsewhere.json"));
    OK(try_load(ctx, options, &x));
    ck_assert_double_eq(x->shape.eps, 1e-7);
    peft_backbone_free(x);
    FAILS(PEFT_E_IO, "nowhere.json", try_load(ctx, "config=/nowhere.json", &x));
    finish(ctx, b);
}
END_TEST

START_TEST(preprocessing_notes_are_read)
{
    peft_context *ctx;
    peft_backbone *b = start(&ctx), *x = load(ctx, TIMM, "image_size=16");
    check_note(b, "mean", NULL);
    check_note(x, "mean", "0.5:0.25:1");
    check_note(x, "std", "0.1:0.2:0.3");
    check_note(x, "image_size", "8");
    check_note(x, "crop_pct", "0.9");
    check_note(x, "interpolation", "bicubic");
    check_note(x, "colour", NULL);
    check_note(x, NULL, NULL);
    check_note(NULL, "mean", NULL);
    peft_backbone_free(x);
    const char *text = "{\"image_mean\": [0.4, 0.5, 0.6], \"image_std\": [1, 2, 3], \"resample\": 3, \"crop_size\": "
                       "{\"height\": 12, \"width\": 12}, \"size\": {\"shortest_edge\": 16}}";
    write_text(preprocessor, text, strlen(text));
    /* timm's entries have precedence over the preprocessor's */
    x = load(ctx, "{\"mean\": [0, 0, 0], \"std\": [1, 1, 1]}", "");
    check_note(x, "mean", "0:0:0");
    check_note(x, "std", "1:1:1");
    check_note(x, "crop_pct", "0.875");
    peft_backbone_free(x);
    x = load(ctx, "{\"image_size\": 8}", "");
    check_note(x, "mean", "0.4:0.5:0.6");
    check_note(x, "std", "1:2:3");
    check_note(x, "interpolation", "bicubic");
    check_note(x, "image_size", "12");                         /* the size of the crop, not of the position embedding */
    check_note(x, "crop_pct", NULL);
    peft_backbone_free(x);
    write_weights_with(b, "mean", "1:1:1");
    x = load(ctx, "{\"mean\": [0, 0, 0], \"std\": [1, 1, 1]}", "");
    check_note(x, "mean", "1:1:1");
    peft_backbone_free(x);
    finish(ctx, b);
}
END_TEST

START_TEST(invalid_and_unsupported_files_are_refused)
{
    static const struct { const char *json; peft_status status; const char *text;
    } bad[] = { { "", PEFT_E_FORMAT, "not valid JSON" },
                { "[]", PEFT_E_FORMAT, "expected an object" },
                { "{\"a\": 1, \"a\": 1}", PEFT_E_FORMAT, "not valid JSON" },
                { "{\"hidden_act\": \"mish\"}", PEFT_E_UNSUPPORTED, "hidden_act: given \"mish\"" },
                { "{\"hidden_act\": 3}", PEFT_E_FORMAT, "hidden_act" },
                { "{\"hidden_act\": \"an activation whose name is longer than what a message shows of any value\"}",
                  PEFT_E_UNSUPPORTED, "hidden_act: given a long text, which is not" },
                { "{\"mean\": [0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19, 0.21, 0.22, 0.23, 0.24, 0.25], "
                  "\"std\": 1}", PEFT_E_FORMAT, "mean: given a list, expected" },
                { "{\"global_pool\": \"max\"}", PEFT_E_UNSUPPORTED, "global_pool: given \"max\"" },
                { "{\"global_pool\": \"map\"}", PEFT_E_OPTION, "the backbone has no attention pooling" },
                { "{\"layer_norm_eps\": true}", PEFT_E_FORMAT, "layer_norm_eps" },
                { "{\"patch_size\": [4, 8]}", PEFT_E_UNSUPPORTED, "patch_size: given [4,8], which is not supported: "
                  "expected two equal sides" },
                { "{\"image_size\": [8, 16], \"model_type\": \"vit\"}", PEFT_E_FORMAT,
                  "states image_size 8x16, a grid of 2 x 4 patches, but the position embedding has 2 x 2" },
                { "{\"image_size\": 8.5}", PEFT_E_FORMAT, "image_size: given 8.5, expected a whole number" },
                { "{\"num_channels\": 1}", PEFT_E_UNSUPPORTED,
                  "num_channels: given 1, which is not supported: expected 3" },
                { "{\"model_args\": {\"in_chans\": 1}, \"pretrained_cfg\": {\"mean\": [0.5]}}", PEFT_E_UNSUPPORTED,
                  "in_chans: given 1" },
                { "{\"pretrained_cfg\": {\"input_size\": [1, 8, 8], \"mean\": [0.5]}}", PEFT_E_UNSUPPORTED,
                  "input_size: given [1,8,8]" },
                { "{\"mean\": [1, 2], \"std\": 1}", PEFT_E_FORMAT, "mean: given [1,2]" },
                { "{\"mean\": [1, 2, \"x\"], \"std\": 1}", PEFT_E_FORMAT, "mean" },
                { "{\"mean\": 0, \"std\": [-1.2345678901234567e-200, -1.2345678901234567e-201, "
                  "-1.2345678901234567e-202]}", PEFT_E_FORMAT, "std" },
                { "{\"hidden_size\": 32}", PEFT_E_FORMAT, "width 32, but the weights have 64" },
                { "{\"num_hidden_layers\": 3}", PEFT_E_FORMAT, "depth 3" },
                { "{\"patch_size\": 8}", PEFT_E_FORMAT, "patch 8" },
                { "{\"intermediate_size\": 7}", PEFT_E_FORMAT,
                  "config.json states intermediate_size 7, but the weights have 24" },
                { "{\"vision_config\": {\"intermediate_size\": 7}}", PEFT_E_FORMAT, "intermediate_size 7" },
                { "{\"num_attention_heads\": 2, \"num_key_value_heads\": 1}", PEFT_E_UNSUPPORTED,
                  "num_key_value_heads: given 1, which is not supported: expected 2, num_attention_heads" },
                { "{\"num_attention_heads\": 2, \"hidden_size\": 64, \"head_dim\": 4}", PEFT_E_UNSUPPORTED,
                  "head_dim: given 4, which is not supported: expected hidden_size / num_attention_heads, 64 / 2" },
                { "{\"num_attention_heads\": 3}", PEFT_E_INVALID, "heads 3" },
                { "{\"num_attention_heads\": 1.5}", PEFT_E_FORMAT,
                  "config.json: num_attention_heads: given 1.5, expected a whole number from 1 to 65536" },
                { "{\"num_attention_heads\": -3}", PEFT_E_FORMAT,
                  "config.json: num_attention_heads: given -3, expected a whole number from 1 to 65536" },
                { "{\"num_attention_heads\": 0}", PEFT_E_FORMAT, "num_attention_heads: given 0" },
                { "{\"num_attention_heads\": 1000000000000000000}", PEFT_E_FORMAT,
                  "num_attention_heads: given 1000000000000000000, expected a whole number from 1 to 65536" },
                { "{\"model_args\": {\"num_heads\": 0}}", PEFT_E_FORMAT, "num_heads: given 0" },
                { "{\"layer_norm_eps\": -1}", PEFT_E_FORMAT,
                  "config.json: layer_norm_eps: given -1, expected a number from 0 to 1" },
                { "{\"num_attention_heads\": 99999999999999999999}", PEFT_E_FORMAT, "not valid JSON" },
                { "{\"qkv_bias\": false}", PEFT_E_FORMAT, "2 unexpected (blocks.0.attn.qkv.bias" },
                { "{\"patch_size\": -4}", PEFT_E_FORMAT, "patch -4" },
                { "{\"architecture\": \"x\", \"interpolation\": 9}", PEFT_E_FORMAT, "interpolation" },
                { "{\"pretrained_cfg\": 3, \"model_args\": [], \"vision_config\": {\"hidden_act\": \"elu\"}}",
                  PEFT_E_UNSUPPORTED, "elu" } };
    static char big[(1 << 20) + 2];
    peft_context *ctx;
    peft_backbone *b = start(&ctx), *x = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(config, bad[i].json, strlen(bad[i].json));
        FAILS(bad[i].status, bad[i].text, try_load(ctx, "", &x));
        ck_assert_ptr_null(x);
    }
    memset(big, '[', sizeof big);
    write_text(config, big, 1000);
    FAILS(PEFT_E_FORMAT, "nested deeper", try_load(ctx, "", &x));
    write_text(config, big, sizeof big);
    FAILS(PEFT_E_FORMAT, "at most 1048576", try_load(ctx, "", &x));
    const char *scalar = "{\"hidden_size\": [64]}";
    write_text(config, scalar, strlen(scalar));
    FAILS(PEFT_E_FORMAT, "hidden_size", try_load(ctx, "", &x));
    finish(ctx, b);
}
END_TEST

/* model_args: timm's arguments of the network, also in files of transformers' TimmWrapper. */
#define ARGS(text) "{\"architecture\": \"vit_quickgelu\", \"model_type\": \"timm_wrapper\", \"model_args\": {" text "}}"
START_TEST(arguments_of_timm_are_read_or_refused)
{
    static const struct { const char *json; int act; } good[] = {
        { ARGS(""), PK_QUICKGELU }, { ARGS("\"act_layer\": \"gelu\""), PK_GELU },
        { ARGS("\"act_layer\": \"quick_gelu\""), PK_QUICKGELU }, { ARGS("\"act_layer\": null"), PK_QUICKGELU },
        { "{\"architecture\": \"vit_base\", \"model_args\": {\"act_layer\": \"quick_gelu\"}}", PK_QUICKGELU },
        { ARGS("\"norm_layer\": \"layernorm\", \"fc_norm\": false, \"class_token\": true, \"qk_norm\": false, "
               "\"embed_norm_layer\": null, \"global_pool\": \"token\""), PK_QUICKGELU },
        { ARGS("\"act_layer\": \"relu\""), PK_RELU }, { ARGS("\"act_layer\": \"silu\""), PK_SILU },
        { ARGS("\"act_layer\": \"gelu_tanh\""), PK_GELU_TANH }, { ARGS("\"act_layer\": \"swish\""), PK_SILU },
        { "{\"hidden_act\": \"gelu_pytorch_tanh\"}", PK_GELU_TANH }, { "{\"hidden_act\": \"gelu_new\"}", PK_GELU_TANH },
        { "{\"hidden_act\": \"silu\"}", PK_SILU }, { "{\"hidden_act\": \"relu\"}", PK_RELU },
        { ARGS("\"global_pool\": \"avg\", \"fc_norm\": false"), PK_QUICKGELU } };
    static const struct { const char *json, *text; } bad[] = {
        { ARGS("\"act_layer\": \"mish\""), "act_layer: given 'mish', which is not supported: expected gelu" },
        { ARGS("\"pool_include_prefix\": true"), "pool_include_prefix: given true" },
        { ARGS("\"use_post_norm\": true"), "use_post_norm" },
        { ARGS("\"norm_layer\": \"rmsnorm\""), "norm_layer: given \"rmsnorm\"" },
        { ARGS("\"attn_layer\": \"diff\""), "attn_layer" },
        { ARGS("\"patch_size\": [4, 8]"), "patch_size: given [4,8]" },
        { ARGS("\"global_pool\": \"avgmax\""), "global_pool: given \"avgmax\"" },
        { "{\"hidden_act\": \"hardswish\"}", "hidden_act: given \"hardswish\"" } };
    peft_context *ctx;
    peft_backbone *b = start(&ctx), *x = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        x = load(ctx, good[i].json, "");
        ck_assert_msg(x->shape.act == good[i].act, "%s: activation %d", good[i].json, x->shape.act);
        peft_backbone_free(x);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(config, bad[i].json, strlen(bad[i].json));
        FAILS(PEFT_E_UNSUPPORTED, bad[i].text, try_load(ctx, "", &x));
    }
    x = load(ctx, ARGS("\"act_layer\": \"mish\""), "act=gelu");          /* an option has precedence */
    ck_assert_int_eq(x->shape.act, PK_GELU);
    peft_backbone_free(x);
    x = load(ctx, ARGS("\"global_pool\": \"avg\", \"fc_norm\": false"), "");        /* the mean of normalised patches */
    ck_assert(x->shape.pool == PF_FEATURE_MEAN && x->shape.norm && !x->shape.fc_norm);
    peft_backbone_free(x);
    finish(ctx, b);
}
END_TEST

/* Keys that agree with the weights, and keys that do not describe them: of a text tower, or without effect beside
 * mlp_ratio. */
START_TEST(keys_of_blocks_that_agree_are_accepted)
{
    static const char *const good[] = {
        "{\"intermediate_size\": 24, \"num_attention_heads\": 2, \"num_key_value_heads\": 2, \"head_dim\": 32, "
        "\"hidden_size\": 64}",
        "{\"intermediate_size\": null, \"num_key_value_heads\": null, \"head_dim\": null}",
        "{\"intermediate_size\": 7, \"mlp_ratio\": 4}",
        "{\"intermediate_size\": 7, \"num_key_value_heads\": 1, \"head_dim\": 3, \"num_attention_heads\": 2, "
        "\"vision_config\": {\"intermediate_size\": 24, \"hidden_size\": 64}}" };
    peft_context *ctx;
    peft_backbone *b = start(&ctx);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        peft_backbone *x = load(ctx, good[i], "");
        ck_assert_int_eq(x->shape.mlp, 24);
        peft_backbone_free(x);
    }
    finish(ctx, b);
}
END_TEST

/* A gated MLP computes SiLU, unless timm's act_layer states another activation; Hugging Face's hidden_act is
 * ignored. */
START_TEST(a_gated_mlp_has_the_activation_of_act_layer)
{
    peft_context *ctx;
    static const struct { const char *json; int act; } rows[] = {
        { ARGS("\"act_layer\": \"silu\""), PK_SILU }, { ARGS("\"act_layer\": \"gelu\""), PK_GELU },
        { ARGS(""), PK_SILU },
        { "{\"hidden_act\": \"relu\", \"use_swiglu_ffn\": true}", PK_SILU } };
    peft_backbone *b = start(&ctx), *gated = tiny_backbone(ctx, SMALL, "swiglu=true"), *x;
    write_weights(gated);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        x = load(ctx, rows[i].json, "");
        ck_assert_msg(x->shape.act == rows[i].act && x->shape.gate == PF_GATE_FIRST, "%s: activation %d", rows[i].json,
                      x->shape.act);
        peft_backbone_free(x);
    }
    peft_backbone_free(gated);
    finish(ctx, b);
}
END_TEST

START_TEST(class_names_are_read)
{
    peft_context *ctx;
    peft_backbone *b = start(&ctx), *classes = tiny_backbone(ctx, SMALL, "classes=2"), *x;
    static const struct { const char *json, *names; } rows[] = {
        { "{\"id2label\": {\"1\": \"malignant\", \"0\": \"benign\"}}", "benign\nmalignant" },
        { "{\"id2label\": {\"0\": \"LABEL_0\", \"1\": \"LABEL_1\"}}", NULL },
        { "{\"id2label\": {\"0\": \"a\"}}", NULL }, { "{\"id2label\": {\"0\": \"a\\nb\", \"1\": \"c\"}}", NULL },
        { "{\"id2label\": [\"a\", 3]}", NULL }, { "{\"id2label\": 3}", NULL },
        { "{\"architecture\": \"vit\", \"label_names\": [\"x\", \"y\"]}", "x\ny" },
        { "{\"pretrained_cfg\": {\"label_names\": [\"x\", \"y\"]}}", "x\ny" } };
    write_weights(classes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        x = load(ctx, rows[i].json, "");
        check_note(x, "class_names", rows[i].names);
        peft_backbone_free(x);
    }
    write_weights_with(classes, "class_names", "u\nv");
    x = load(ctx, rows[0].json, "");
    check_note(x, "class_names", "u\nv");
    peft_backbone_free(x);
    peft_backbone_free(classes);
    finish(ctx, b);
}
END_TEST

/* config= takes a file or a folder; a file without facts is refused. */
START_TEST(the_option_config_names_a_file_or_folder)
{
    peft_context *ctx;
    peft_backbone *b = start(&ctx), *x;
    char options[200];
    ck_assert_int_eq(mkdir(tiny_path("elsewhere"), 0777), 0);
    write_text(tiny_path("elsewhere/config.json"), HF, strlen(HF));
    snprintf(options, sizeof options, "config=%s", tiny_path("elsewhere"));
    OK(try_load(ctx, options, &x));
    ck_assert_double_eq(x->shape.eps, 1e-7);
    peft_backbone_free(x);
    write_text(tiny_path("elsewhere/other.json"), "{\"a\": 1}", 8);
    snprintf(options, sizeof options, "config=%s", tiny_path("elsewhere/other.json"));
    FAILS(PEFT_E_FORMAT, "states nothing about a network", try_load(ctx, options, &x));
    finish(ctx, b);
}
END_TEST

SUITE_MAIN("backbone config", facts_are_read_in_order_of_precedence, preprocessing_notes_are_read,
           invalid_and_unsupported_files_are_refused, arguments_of_timm_are_read_or_refused,
           keys_of_blocks_that_agree_are_accepted, a_gated_mlp_has_the_activation_of_act_layer, class_names_are_read,
           the_option_config_names_a_file_or_folder)
