/* SPDX-License-Identifier: Apache-2.0
 * test_backbone_facts.c -- facts of a network that its tensors do not give: which values are assumed, that a warning
 * and the note "assumed" name them, and what architecture names of timm and Hugging Face imply. */
#include "tiny_files.h"

/* Warnings, as the log gives them. */
typedef struct { char text[4096]; int warnings; } log_lines;

/* A log function that appends warnings, which have level 1. */
static void keep_warning(int level, const char *message, void *user)
{
    log_lines *d = user;
    if (level != 1) return;
    d->warnings++;
    strncat(d->text, message, sizeof d->text - strlen(d->text) - 1);
}

/* Loads a backbone; d: the warnings logged meanwhile. */
static peft_backbone *load_logged(peft_context *ctx, const char *options, log_lines *d)
{
    *d = (log_lines){ "", 0 };
    OK(peft_context_set_log(ctx, keep_warning, d, 3));
    peft_backbone *b = tiny_load(ctx, tiny_path("backbone"), options);
    OK(peft_context_set_log(ctx, NULL, NULL, 0));
    return b;
}

START_TEST(assumed_facts_are_warned_of)
{
    static const struct { tiny_naming naming; const char *more, *options, *assumed; } rows[] = {
        { TIMM, "width=128,heads=2", "", "pool=cls: there is no fc_norm\nheads=2: width / 64\n"
          "eps=1e-06: usual for timm files\nact=gelu: usual for timm files" },
        { TIMM, "width=128,heads=2,pool=mean", "eps=1e-6,act=gelu,heads=2", "pool=mean: there is fc_norm" },
        { TIMM, "width=128,heads=2", "eps=1e-6,act=gelu,heads=2,pool=cls", NULL },
        { TIMM, "width=128,heads=2", "eps=1e-6,act=gelu,heads=2,pool=cls,image_size=24",
          "resample=timm: usual for timm files" },
        { TIMM, "width=128,heads=2", "eps=1e-6,act=gelu,heads=2,pool=cls,image_size=24,resample=bilinear", NULL },
        { TIMM, "swiglu=1", "eps=1e-6,pool=cls,heads=3", "act=silu: usual for gated MLPs, on the first half" },
        { HF5, "width=128,heads=2,eps=1e-12", "", "heads=2: width / 64\neps=1e-12: usual for hf5 files\n"
          "act=gelu: usual for hf5 files" } };
    log_lines d;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].more });
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = rows[i].naming, .no_facts = true },
                           tiny_path("backbone"));
        peft_backbone *b = load_logged(t.ctx, rows[i].options, &d);
        const char *got = peft_backbone_note(b, "assumed");
        ck_assert_msg(rows[i].assumed ? got && !strcmp(got, rows[i].assumed) : !got, "row %zu: %s", i, got ? got : "");
        ck_assert_msg(d.warnings == (rows[i].assumed != NULL), "row %zu: %d warnings: %s", i, d.warnings, d.text);
        if (i == 0)
            ck_assert_ptr_nonnull(strstr(d.text,
                                         "states it: pool=cls: there is no fc_norm; heads=2: width / 64; eps="));
        peft_backbone_free(b);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

#define DINOV3 "pos_embed=false,class_token=true,registers=2,layer_scale=true"
/* A file like DINOv3's under timm's names: what nothing states is DINOv3's, and options have precedence over it. */
START_TEST(settings_of_assumed_rotary_positions_can_be_given)
{
    static const struct { const char *options; double temperature, eps; bool halves, xy; } rows[] = {
        { "", 100, 1e-5, true, false }, { ",rope_temperature=50", 50, 1e-5, true, false },
        { ",rope_rotate_half=false", 100, 1e-5, false, false }, { ",rope_grid_indexing=xy", 100, 1e-5, true, true },
        { ",eps=1e-4,rope=dinov3", 10000, 1e-4, false, false } };
    tiny t = tiny_make(&(tiny_spec){ .more = DINOV3 });
    log_lines d;
    char options[200];
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM, .no_facts = true }, tiny_path("backbone"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(options, sizeof options, "heads=3,image_size=16%s", rows[i].options);
        peft_backbone *b = load_logged(t.ctx, options, &d);
        const pf_rope *r = &b->shape.rope;
        ck_assert_int_eq(r->kind, PF_ROPE_CENTRED);
        ck_assert_msg(r->temperature == rows[i].temperature && r->halves == rows[i].halves && r->xy == rows[i].xy
                      && b->shape.eps == rows[i].eps, "%s: %g %d %d %g", options, r->temperature, r->halves, r->xy,
                      b->shape.eps);
        if (!i) ck_assert(strstr(d.text, "eps=1e-05: as in DINOv3") && strstr(d.text, "timm's own feature of it"));
        peft_backbone_free(b);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* The note "settings" is a text of load options, which gives the same network for a file that states nothing. */
START_TEST(the_note_settings_gives_the_same_network)
{
    static const struct { const char *more, *settings, *parts; } rows[] = {
        { "", "heads=3,eps=1e-06,act=gelu,pool=cls,rope=none",
          "class token, position embedding, biases of q, k and v, norm before pooling, classifier" },
        { "act=relu,eps=1e-4,heads=6,pool=mean,registers=2,layer_scale=1,norm_pre=1,classes=0",
          "heads=6,eps=0.0001,act=relu,pool=mean,rope=none", "class token, 2 registers, position embedding, "
          "norm before the blocks, biases of q, k and v, LayerScale, norm after pooling" },
        { "gate=last,act=tanh", "heads=3,eps=1e-06,act=tanh,gate=last,pool=cls,rope=none", NULL },
        { "pool=attention", "heads=3,eps=1e-06,act=gelu,pool=attention,pool_heads=3,pool_eps=1e-06,rope=none", NULL },
        { DINOV3 ",rope=dinov3,rope_temperature=50", "heads=3,eps=1e-06,act=gelu,pool=cls,rope=dinov3,"
          "rope_temperature=50,rope_grid_offset=0,rope_grid_indexing=ij,rope_rotate_half=false,ref_feat_shape=0",
          "class token, 2 registers, rotary positions, biases of q, k and v, LayerScale, norm before pooling, "
          "classifier" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].more });
        char options[400];
        ck_assert_str_eq(peft_backbone_note(t.backbone, "settings"), rows[i].settings);
        if (rows[i].parts) ck_assert_str_eq(peft_backbone_note(t.backbone, "parts"), rows[i].parts);
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM, .no_facts = true }, tiny_path("backbone"));
        snprintf(options, sizeof options, "image_size=%d,%s", (int)t.backbone->shape.image.h, rows[i].settings);
        peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), options);
        ck_assert_str_eq(peft_backbone_note(b, "settings"), rows[i].settings);
        ck_assert_msg(!strcmp(peft_backbone_fingerprint(b), peft_backbone_fingerprint(t.backbone)), "row %zu", i);
        peft_backbone_free(b);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

/* Same weights, other options of loading: the error names both. Options that state no setting are not kept. */
START_TEST(the_error_for_another_backbone_names_other_options)
{
    static const struct { const char *training, *now, *error; } rows[] = {
        { "heads=6,act=silu", "act=auto", "with the options 'heads=6,act=silu' for the training, and with '' now; load "
          "the weights that it was trained on with the options heads=6,act=silu (--backbone-options" },
        { "config=none", "eps=1e-3", "and with 'eps=1e-3' now; load the weights that it was trained on without these" },
        { "heads=6", "heads=12", "'heads=6' for the training, and with 'heads=12' now" } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM }, tiny_path("backbone"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_backbone *training = tiny_load(t.ctx, tiny_path("backbone"), rows[i].training);
        peft_backbone *now = tiny_load(t.ctx, tiny_path("backbone"), rows[i].now);
        peft_model *m = tiny_model(training, "classes=2"), *loaded = NULL;
        OK(peft_model_save(m, tiny_path("model")));
        FAILS(PEFT_E_MISMATCH, rows[i].error, peft_model_load(now, tiny_path("model"), &loaded));
        OK(peft_model_load(training, tiny_path("model"), &loaded));
        peft_model_free(loaded);
        peft_model_free(m);
        peft_backbone_free(training);
        peft_backbone_free(now);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A file saved by the library holds all facts. */
START_TEST(a_saved_backbone_assumes_nothing)
{
    log_lines d;
    tiny t = tiny_make(&(tiny_spec){ 0 });
    ck_assert_ptr_null(peft_backbone_note(t.backbone, "assumed"));
    OK(peft_backbone_save(t.backbone, tiny_path("backbone")));
    peft_backbone *b = load_logged(t.ctx, "", &d);
    ck_assert_ptr_null(peft_backbone_note(b, "assumed"));
    ck_assert_int_eq(d.warnings, 0);
    peft_backbone_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* final_norm=false leaves out the norm that a file has: the network and its fingerprint are others. */
START_TEST(final_norm_false_leaves_the_norm_out)
{
    static const char *const pools[] = { "cls", "mean" };    /* the file has norm, or fc_norm */
    for (int i = 0; i < 2; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = i ? "pool=mean" : "" });
        OK(peft_backbone_save(t.backbone, tiny_path("backbone")));
        peft_backbone *with = tiny_load(t.ctx, tiny_path("backbone"), ""),
                      *without = tiny_load(t.ctx, tiny_path("backbone"), "final_norm=false");
        ck_assert_int_eq(without->shape.pool, pf_feature_named(pools[i]));
        ck_assert(with->shape.norm || with->shape.fc_norm);
        ck_assert(!without->shape.norm && !without->shape.fc_norm);
        ck_assert(!pf_backbone_find(without, "norm.weight") && !pf_backbone_find(without, "fc_norm.weight"));
        ck_assert_str_ne(peft_backbone_fingerprint(with), peft_backbone_fingerprint(without));
        peft_backbone_free(with);
        peft_backbone_free(without);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

START_TEST(misspelt_option_values_are_refused)
{
    static const struct { const char *option, *text; } rows[] = {
        { "resample=bogus", "'bogus', expected timm" }, { "naming=h", "'h'" }, { "naming=", "''" },
        { "act=gel", "act" }, { "pool=max", "pool" } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF }, tiny_path("backbone"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_backbone *b = NULL;
        peft_options *o = tiny_options(t.ctx, "%s", rows[i].option);
        FAILS(PEFT_E_OPTION, rows[i].text, peft_backbone_load(t.ctx, tiny_path("backbone"), o, &b));
        if (!strncmp(rows[i].option, "pool", 4) || !strncmp(rows[i].option, "act", 3))
            FAILS(PEFT_E_OPTION, rows[i].text, peft_backbone_create(t.ctx, o, &b));
        peft_options_free(o);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Which rule resamples the position embedding of which kind of file: the default gives the bits of that rule. */
START_TEST(each_family_has_its_resampling_rule)
{
    static const struct { tiny_naming naming; const char *more, *prefix, *rule; } rows[] = {
        { TIMM, "", "", "timm" }, { HF, "", "", "mmcls" }, { HF5, "", "vit.", "mmcls" },
        { HF, "layer_scale=1,classes=0", "", "mmcls" }, { HF, "layer_scale=1,registers=2,classes=0", "", "timm" },
        { TIMM, "", "teacher.", "hf" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].more });
        char options[64];
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = rows[i].naming, .prefix = rows[i].prefix },
                           tiny_path("backbone"));
        peft_backbone *by_default = tiny_load(t.ctx, tiny_path("backbone"), "image_size=24");
        static const char *const rules[] = { "timm", "hf", "mmcls", "torchvision", "bilinear" };
        for (size_t k = 0; k < 5; k++) {
            snprintf(options, sizeof options, "image_size=24,resample=%s", rules[k]);
            peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), options);
            const peft_tensor *x = pf_backbone_find(by_default, "pos_embed"), *y = pf_backbone_find(b, "pos_embed");
            const bool same = !memcmp(x->data, y->data, pf_tensor_bytes(x));
            ck_assert_msg(same == !strcmp(rules[k], rows[i].rule), "row %zu: %s", i, rules[k]);
            peft_backbone_free(b);
        }
        peft_backbone_free(by_default);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

/* --- names in config.json ----------------------------------------------------------------------------------------- */
static void write_config(const char *json)
{
    FILE *f = fopen(tiny_path("config.json"), "w");
    ck_assert_ptr_nonnull(f);
    fputs(json, f);
    fclose(f);
}

#define ARCH(name) "{\"architecture\": \"" name "\", \"global_pool\": \"token\"}"
#define ARGS(name, args) \
    "{\"architecture\": \"" name "\", \"global_pool\": \"token\", \"model_args\": {" args "}}"
#define TYPE(name) "{\"model_type\": \"" name "\"}"

/* Expected values are those of timm 1.0. The architecture of the last row is unknown, so that the facts follow from the
 * names of the tensors; their prefix "teacher." implies another resampling rule. */
START_TEST(timm_architectures_imply_heads_eps_and_rule)
{
    static const struct { const char *shape, *json; int64_t heads; double eps; const char *rule, *assumed; } rows[] = {
        { "width=128,heads=2", ARCH("vit_base_patch16_224"), 2, 1e-6, "timm", NULL },
        { "width=1152,heads=18,depth=1,mlp=8", ARCH("vit_so400m_patch14_reg1_tipsv2"), 16, 1e-6, "timm", NULL },
        { "width=64,heads=1", ARCH("test_vit"), 2, 1e-6, "timm", NULL },
        { "width=64,heads=1", ARCH("vit_base_patch16_clip_224"), 1, 1e-5, "timm", NULL },
        { "width=64,heads=1,norm_pre=1", ARCH("vit_base_patch16_224"), 1, 1e-6, "timm", NULL },
        { "width=64,heads=1", ARGS("vit_base_patch16_clip_224", "\"norm_layer\": \"layernorm\""), 1, 1e-6, "timm",
          NULL },
        { "width=64,heads=1", ARCH("flexivit_small"), 1, 1e-6, "bilinear", NULL },
        { "width=64,heads=1", ARGS("vit_base_patch16_224", "\"embed_dim\": 64"), 1, 1e-6, "timm",
          "heads=1: width / 64" },
        { "width=64,heads=1", ARGS("vit_base_patch16_224", "\"embed_dim\": 64, \"num_heads\": 4"), 4, 1e-6, "timm",
          NULL },
        { "width=64,heads=1", ARCH("my_network"), 1, 1e-6, "timm",
          "architecture=my_network: taken for a plain ViT\nheads=1: width / 64\neps=1e-06: usual for timm files\n"
          "act=gelu: usual for timm files\nresample=timm: usual for timm files" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const bool known = i + 1 < sizeof rows / sizeof *rows;
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].shape });
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM, .no_facts = true, .prefix = "teacher." },
                           tiny_path("backbone"));
        write_config(rows[i].json);
        peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), "image_size=24"), *c;
        char options[64];
        ck_assert_msg(b->shape.heads == rows[i].heads, "row %zu: %d heads", i, (int)b->shape.heads);
        ck_assert_msg(b->shape.eps == rows[i].eps, "row %zu: eps %g", i, b->shape.eps);
        ck_assert_int_eq(b->shape.act, PK_GELU);
        const char *assumed = peft_backbone_note(b, "assumed");
        if (known)                                           /* a known name has precedence over the prefix */
            ck_assert_msg(rows[i].assumed ? assumed && !strcmp(assumed, rows[i].assumed) : !assumed, "row %zu: %s", i,
                          assumed ? assumed : "");
        else ck_assert_ptr_nonnull(strstr(assumed, "architecture=my_network: taken for a plain ViT\nheads=1"));
        snprintf(options, sizeof options, "image_size=24,resample=%s", rows[i].rule);
        c = tiny_load(t.ctx, tiny_path("backbone"), options);
        const peft_tensor *x = pf_backbone_find(b, "pos_embed"), *y = pf_backbone_find(c, "pos_embed");
        if (known)
            ck_assert_msg(!memcmp(x->data, y->data, pf_tensor_bytes(x)), "row %zu: positions of another rule", i);
        peft_backbone_free(b);
        peft_backbone_free(c);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

START_TEST(hf_model_types_imply_the_resampling_rule)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF }, tiny_path("backbone"));
    static const struct { const char *json, *rule; } rows[] = { { TYPE("dpt"), "bilinear" }, { TYPE("vit"), "mmcls" },
        { TYPE("vit_msn"), "mmcls" } };
    for (size_t i = 0; i < 3; i++) {
        char options[64];
        write_config(rows[i].json);
        snprintf(options, sizeof options, "image_size=24,resample=%s", rows[i].rule);
        peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), "image_size=24");
        peft_backbone *c = tiny_load(t.ctx, tiny_path("backbone"), options);
        const peft_tensor *x = pf_backbone_find(b, "pos_embed"), *y = pf_backbone_find(c, "pos_embed");
        ck_assert_msg(!memcmp(x->data, y->data, pf_tensor_bytes(x)), "row %zu", i);
        ck_assert_ptr_null(peft_backbone_note(b, "assumed"));
        peft_backbone_free(b);
        peft_backbone_free(c);
    }
    write_config(TYPE("unheard_of"));
    log_lines d;
    peft_backbone *b = load_logged(t.ctx, "", &d);
    ck_assert_ptr_nonnull(strstr(d.text, "config.json was read and leaves this open: state these facts as options"));
    ck_assert_str_eq(peft_backbone_note(b, "assumed"), "model_type=unheard_of: taken for a plain ViT");
    peft_backbone_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(unsupported_architectures_are_refused)
{
    static const struct { const char *json, *text; } rows[] = {
        { ARCH("vit_base_patch16_rpn_224"), "norms after" }, { ARCH("vit_base_patch16_sapiens2"), "RMSNorm" },
        { ARGS("eva_giant_patch14_224", "\"use_rot_pos_emb\": true, \"rope_type\": \"mrope\""),
          "rope_type: given 'mrope'" },
        { ARGS("eva_giant_patch14_224", "\"num_kv_heads\": 2"), "num_kv_heads" },
        { ARGS("eva_giant_patch14_224", "\"attn_only_layer_scale\": true"), "attn_only_layer_scale" },
        { ARGS("eva_large_patch14_196", "\"use_post_norm\": true"), "use_post_norm" },
        { ARGS("vit_base_patch16_224", "\"pool_include_prefix\": true"), "pool_include_prefix" } };
    tiny t = tiny_make(&(tiny_spec){ .more = "width=64,heads=1" });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM, .no_facts = true }, tiny_path("backbone"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_backbone *b = NULL;
        write_config(rows[i].json);
        FAILS(PEFT_E_UNSUPPORTED, rows[i].text, peft_backbone_load(t.ctx, tiny_path("backbone"), NULL, &b));
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A file that a version wrote which knew SwiGLU only has act=gelu in its header. */
START_TEST(kinds_of_gated_mlp)
{
    static const struct { const char *network, *options; pf_gate gate; pk_act act; } rows[] = {
        { "swiglu=1", "", PF_GATE_FIRST, PK_SILU }, { "swiglu=1", "act=silu", PF_GATE_FIRST, PK_SILU },
        { "swiglu=1", "act=gelu,gate=last", PF_GATE_LAST, PK_GELU }, { "gate=last", "", PF_GATE_LAST, PK_GELU },
        { "gate=first,act=relu", "", PF_GATE_FIRST, PK_RELU }, { "gate=first,act=silu", "", PF_GATE_FIRST, PK_SILU },
        { "gate=last,act=silu", "gate=first", PF_GATE_FIRST, PK_SILU } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].network });
        OK(peft_backbone_save(t.backbone, tiny_path("backbone")));
        peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), rows[i].options);
        ck_assert_msg(b->shape.gate == rows[i].gate && b->shape.act == (int)rows[i].act, "row %zu", i);
        ck_assert_msg(*rows[i].options || !strcmp(peft_backbone_fingerprint(b), peft_backbone_fingerprint(t.backbone)),
                      "row %zu: another fingerprint", i);
        peft_backbone_free(b);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

/* A header value longer than a note (103 bytes) is left out with a warning, and the file loads. */
START_TEST(a_too_long_header_value_is_left_out)
{
    static const struct { size_t length; bool read; } rows[] = { { 103, true }, { 104, false }, { 3000, false } };
    tiny t = tiny_make(&(tiny_spec){ 0 });
    log_lines d;
    char *text = calloc(1, 4000);
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM }, tiny_path("plain"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(text, 'x', rows[i].length);
        tiny_edit(tiny_path("plain"), tiny_path("backbone"), &(tiny_change){ SET_META, "interpolation", text });
        peft_backbone *b = load_logged(t.ctx, "", &d);
        const char *note = peft_backbone_note(b, "interpolation");
        ck_assert_msg(rows[i].read ? note && !strcmp(note, text) : !note, "%zu bytes: %s", rows[i].length, note);
        ck_assert_msg(d.warnings == !rows[i].read, "%zu bytes: %s", rows[i].length, d.text);
        if (!rows[i].read) ck_assert_msg(strstr(d.text, "\"interpolation\"") && strstr(d.text, "103"), "%s", d.text);
        peft_backbone_free(b);
    }
    free(text);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("backbone_facts", assumed_facts_are_warned_of, settings_of_assumed_rotary_positions_can_be_given,
           the_note_settings_gives_the_same_network, the_error_for_another_backbone_names_other_options,
           a_saved_backbone_assumes_nothing, final_norm_false_leaves_the_norm_out, misspelt_option_values_are_refused,
           each_family_has_its_resampling_rule,
           timm_architectures_imply_heads_eps_and_rule, hf_model_types_imply_the_resampling_rule,
           unsupported_architectures_are_refused, kinds_of_gated_mlp, a_too_long_header_value_is_left_out)
