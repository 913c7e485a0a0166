/* SPDX-License-Identifier: Apache-2.0
 * test_open_clip_config.c -- open_clip_config.json gives the facts of open_clip's image tower that the tensors do not
 * (activation, heads, eps, pooling) and its preprocessing. */
#include "config_fixture.h"

#define SMALL  "image_size=8,patch=4,width=128,depth=2,heads=2,mlp=24,norm_pre=true"
/* Further entries of model_cfg, of vision_cfg and of preprocess_cfg. */
#define CLIP(model, vision, pictures)                                                                                  \
    "{\"model_cfg\": {\"embed_dim\": 8, \"vision_cfg\": {\"image_size\": 8, \"layers\": 2, "          \
    "\"width\": 128, \"patch_size\": 4" vision "}" model "}, \"preprocess_cfg\": {" pictures "}}"
#define OPENAI ",mean=0.48145466:0.4578275:0.40821073,std=0.26862954:0.26130258:0.27577711"

/* open_clip's names of timm's tensors. */
static const char *const names[][2] = {
    { "cls_token", "class_embedding" }, { "pos_embed", "positional_embedding" }, { "patch_embed.proj.weight",
      "conv1.weight" },
    { "norm_pre.", "ln_pre." }, { "norm1.", "ln_1." }, { "norm2.", "ln_2." }, { "attn.qkv.", "attn.in_proj_" },
    { "attn.proj.", "attn.out_proj." }, { "mlp.fc1.", "mlp.c_fc." }, { "mlp.fc2.", "mlp.c_proj." }, { "norm.",
      "ln_post." } };

/* The name that open_clip gives to a timm tensor. */
static void open_clip_name(const char *timm, char *out, size_t size)
{
    long long layer = -1;
    int skip = 0;
    char front[48] = "visual.";
    if (sscanf(timm, "blocks.%lld.%n", &layer, &skip) == 1)
        snprintf(front, sizeof front, "visual.transformer.resblocks.%lld.", layer);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const size_t n = strlen(names[i][0]);
        if (strncmp(timm + skip, names[i][0], n)) continue;
        snprintf(out, size, "%s%s%s", front, names[i][1], timm + skip + n);
        return;
    }
    ck_abort_msg("no name for %s", timm);
}

/* A fixture whose weights file has open_clip's names. */
static void start(fixture *b)
{
    pf_st_out *o;
    char name[160];
    fixture_start(b, SMALL);
    OK(pf_st_out_create(b->ctx, &o));
    for (size_t i = 0; i < b->created->weights; i++) {
        const peft_tensor *t = &b->created->weight[i].tensor;
        if (!strcmp(b->created->weight[i].name, "patch_embed.proj.bias")) continue;
        open_clip_name(b->created->weight[i].name, name, sizeof name);
        /* open_clip has the class token as [width] and the positions as [rows, width], without leading extents of 1 */
        const int dropped = !strncmp(name, "visual.class", 12) ? 2 : !strncmp(name, "visual.pos", 10) ? 1 : 0;
        OK(pf_st_out_tensor(o, name, t->type, t->ndim - dropped, t->dim + dropped, t->data));
    }
    OK(pf_st_out_write(o, b->weights));
    pf_st_out_free(o);
}

START_TEST(facts_and_preprocessing_are_read)
{
    /* mean: pooling by the mean; text: the note "preprocess" */
    static const struct { const char *json; int act, heads; double eps; bool mean; const char *text; } rows[] = {
        { CLIP("", "", ""), PK_GELU, 2, 1e-5, false, "size=8,resize=shorter,crop_pct=1,crop_offset=round,alpha=drop,"
          "interpolation=bicubic" OPENAI },
        { CLIP(", \"quick_gelu\": true", "",
          "\"mean\": [0.5, 0.5, 0.5], \"std\": 0.5, \"interpolation\": \"bilinear\", "
          "\"resize_mode\": \"squash\""), PK_QUICKGELU, 2, 1e-5, false,
          "size=8,resize=squash,crop_pct=1,crop_offset=round,"
          "alpha=drop,interpolation=bilinear,mean=0.5:0.5:0.5,std=0.5:0.5:0.5" },
        { CLIP("",
          ", \"head_width\": 16, \"norm_kwargs\": {\"eps\": 1e-6}, \"act_kwargs\": {\"approximate\": \"none\"}",
          "\"resize_mode\": \"longest\", \"fill_color\": 0"), PK_GELU, 8, 1e-6, false,
          "size=8,resize=longest,crop_pct=1,crop_offset=round,alpha=drop,interpolation=bicubic" OPENAI },
        { CLIP("", "", "\"resize_mode\": \"longest\", \"fill_color\": 114"), PK_GELU, 2, 1e-5, false, NULL },
        { CLIP("", ", \"pool_type\": \"avg\", \"final_ln_after_pool\": true", "\"interpolation\": \"random\""),
          PK_GELU, 2,
          1e-5, true, "size=8,resize=shorter,crop_pct=1,crop_offset=round,alpha=drop,interpolation=bicubic" OPENAI },
        { CLIP("", ", \"pool_type\": \"tok\", \"final_ln_after_pool\": true, \"attentional_pool\": false", ""),
          PK_GELU, 2,
          1e-5, false, "size=8,resize=shorter,crop_pct=1,crop_offset=round,alpha=drop,interpolation=bicubic" OPENAI } };
    fixture b;
    start(&b);
    /* not read: the weights have open_clip's names */
    fixture_write("config.json", "{\"hidden_act\": \"quick_gelu\", \"num_attention_heads\": 1}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture_write("open_clip_config.json", rows[i].json);
        peft_backbone *x = fixture_load(&b, "");
        ck_assert_msg(x->shape.act == rows[i].act && x->shape.heads == rows[i].heads && x->shape.eps == rows[i].eps
                      && (x->shape.pool == PF_FEATURE_MEAN) == rows[i].mean, "row %zu", i);
        fixture_check_note(x, "preprocess", rows[i].text, rows[i].json);
        fixture_check_note(x, "assumed", NULL, rows[i].json);
        const peft_tensor *norm = pf_backbone_find(x, rows[i].mean ? "fc_norm.weight" : "norm.weight");
        ck_assert_mem_eq(norm->data, pf_backbone_find(b.created, "norm.weight")->data, pf_tensor_bytes(norm));
        peft_backbone_free(x);
    }
    fixture_end(&b);
}
END_TEST

START_TEST(unsupported_towers_are_refused)
{
    static const struct { const char *json, *text; } bad[] = {
        { CLIP("", ", \"pool_type\": \"none\"", ""), "pool_type: given \"none\"" },
        { CLIP("", ", \"act_kwargs\": {\"approximate\": \"fast\"}", ""), "act_kwargs" },
        { CLIP("", ", \"pool_type\": \"avg\", \"attentional_pool\": true", ""), "pool_type: given \"avg\"" },
        { CLIP(", \"quick_gelu\": true", ", \"act_kwargs\": {\"approximate\": \"none\"}", ""), "act_kwargs" },
        { CLIP("", ", \"norm_kwargs\": {\"eps\": 1e-6, \"bias\": false}", ""), "norm_kwargs" },
        { CLIP("", ", \"attentional_pool\": \"parallel\"", ""), "attentional_pool" },
        { CLIP("", ", \"attentional_pool\": true, \"norm_kwargs\": {\"eps\": 0.01}", ""), "eps: given 0.01" },
        { CLIP("", ", \"scale_fc\": true", ""), "scale_fc" }, { CLIP("", ", \"qk_norm\": true", ""), "qk_norm" },
        { "{\"model_cfg\": {\"vision_cfg\": {\"layers\": [3, 4, 6, 3]}}}", "layers: given [3,4,6,3]" },
        { "{\"model_cfg\": {\"vision_cfg\": {\"image_size\": [8, 16]}}}", "image_size: given [8,16]" } };
    fixture b;
    peft_backbone *x;
    start(&b);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fixture_write("open_clip_config.json", bad[i].json);
        FAILS(PEFT_E_UNSUPPORTED, bad[i].text, fixture_try_load(&b, "", &x));
        ck_assert_ptr_nonnull(strstr(peft_last_error(), "open_clip_config.json"));
    }
    fixture_write("open_clip_config.json", CLIP("", ", \"attentional_pool\": true", ""));
    FAILS(PEFT_E_OPTION, "the backbone has no attention pooling", fixture_try_load(&b, "", &x));
    fixture_write("open_clip_config.json", CLIP("", ", \"pool_type\": \"avg\", \"act_kwargs\": "
                                                "{\"approximate\": \"tanh\"}", ""));
    x = fixture_load(&b, "");
    ck_assert(x->shape.pool == PF_FEATURE_MEAN && x->shape.norm && !x->shape.fc_norm && x->shape.act == PK_GELU_TANH);
    peft_backbone_free(x);
    fixture_write("open_clip_config.json", CLIP("", ", \"head_width\": 0", ""));
    FAILS(PEFT_E_FORMAT, "head_width: given 0", fixture_try_load(&b, "", &x));
    fixture_write("open_clip_config.json", "{\"model_cfg\": {\"vision_cfg\": {}}}");   /* the defaults are a ViT-B/16 */
    FAILS(PEFT_E_FORMAT, "open_clip_config.json states width 768, but the weights have 128",
          fixture_try_load(&b, "", &x));
    fixture_end(&b);
}
END_TEST

/* The file is read beside weights with open_clip's names, or by the option config. Without it the usual facts are
 * assumed, with a warning. */
START_TEST(the_file_is_read_beside_open_clip_weights_or_by_option)
{
    char options[200];
    fixture b;
    peft_backbone *x;
    start(&b);
    x = fixture_load(&b, "");
    ck_assert_ptr_nonnull(strstr(peft_backbone_note(x, "assumed"), "act=quickgelu"));
    ck_assert_ptr_nonnull(strstr(b.log.text, "act=quickgelu"));
    peft_backbone_free(x);
    fixture_write("elsewhere.json", CLIP("", "", ""));
    snprintf(options, sizeof options, "config=%s", tiny_path("elsewhere.json"));
    x = fixture_load(&b, options);
    ck_assert_int_eq(x->shape.act, PK_GELU);
    peft_backbone_free(x);
    fixture_write("open_clip_config.json", CLIP(", \"quick_gelu\": true", ", \"head_width\": 32", ""));
    tiny_save_backbone(b.created, &(tiny_save){ .naming = TIMM, .no_facts = true }, b.weights);
    x = fixture_load(&b, "heads=2,eps=1e-5");
    ck_assert_int_eq(x->shape.act, PK_GELU);
    peft_backbone_free(x);
    tiny_save_backbone(b.created, &(tiny_save){ .naming = TIMM, .no_facts = true, .prefix = "visual.trunk." },
                       b.weights);
    fixture_write("open_clip_config.json", "{\"model_cfg\": {\"quick_gelu\": true, \"vision_cfg\": {\"image_size\": 8, "
             "\"timm_model_name\": \"vit_x\", \"timm_pool\": \"token\"}}, "
             "\"preprocess_cfg\": {\"mean\": 0.5, \"std\": 0.5}}");
    x = fixture_load(&b, "heads=2,eps=1e-5");
    ck_assert_int_eq(x->shape.act, PK_GELU);                              /* quick_gelu has no effect on a timm tower */
    fixture_check_note(x, "mean", "0.5:0.5:0.5", "trunk");
    peft_backbone_free(x);
    fixture_end(&b);
}
END_TEST

SUITE_MAIN("open_clip config", facts_and_preprocessing_are_read, unsupported_towers_are_refused,
           the_file_is_read_beside_open_clip_weights_or_by_option)
