/* SPDX-License-Identifier: Apache-2.0
 * test_refused_configs.c -- config.json beside weights of another network is refused, and so is a file whose number of
 * heads nothing states and no rule gives. */
#include "tiny_files.h"

/* Writes config.json beside the weights. */
static void write_config(const char *json)
{
    FILE *f = fopen(tiny_path("config.json"), "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(json, f), 0);
    fclose(f);
}

#define ARCH(name) "{\"architecture\": \"" name "\", \"global_pool\": \"token\"}"
#define TYPE(name) "{\"model_type\": \"" name "\"}"

/* A width that is no multiple of 64 leaves no guess of the number of heads; options, header and configuration state
 * it. */
START_TEST(heads_of_unusual_widths_must_be_stated)
{
    peft_backbone *b = NULL;
    tiny t = tiny_make(&(tiny_spec){ .more = "width=48,heads=3" });
    const char *path = tiny_path("backbone");
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM, .no_facts = true }, path);
    FAILS(PEFT_E_OPTION, "does not exist for the width 48: expected heads=N among the options of the load",
          peft_backbone_load(t.ctx, path, NULL, &b));
    b = tiny_load(t.ctx, path, "heads=3");
    ck_assert_str_eq(peft_backbone_fingerprint(b), peft_backbone_fingerprint(t.backbone));
    peft_backbone_free(b);
    write_config("{\"num_attention_heads\": 3}");
    b = tiny_load(t.ctx, path, "");
    ck_assert_str_eq(peft_backbone_fingerprint(b), peft_backbone_fingerprint(t.backbone));
    peft_backbone_free(b);
    write_config(ARCH("vit_base_patch16_224"));                          /* names another width */
    FAILS(PEFT_E_OPTION, "heads=N", peft_backbone_load(t.ctx, path, NULL, &b));
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A model_type of another kind of network is refused although the tensors are a plain ViT's, unless the file is not
 * read. */
START_TEST(model_types_that_are_no_plain_vit_are_refused)
{
    static const struct { const char *type, *what; } rows[] = {
        { "swin", "stages of several widths" }, { "maskformer-swin", "stages of several widths" },
        { "dinov3_convnext", "stages of several widths" }, { "hiera", "stages of several widths" },
        { "beit", "relative positions" }, { "data2vec-vision", "relative positions" },
        { "vitpose_backbone", "a position that is added to every patch" }, { "vitdet", "windows of attention" },
        { "sam_vision_model", "windows of attention" }, { "videomae", "patches of videos" },
        { "aimv2_vision_model", "RMSNorm" }, { "siglip2_vision_model", "NaFlex" }, { "yolos", "detection" } };
    char text[200];
    tiny t = tiny_make(&(tiny_spec){ .more = "width=64,heads=1" });
    peft_backbone *b = NULL;
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF, .no_facts = true }, tiny_path("backbone"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, TYPE("%s"), rows[i].type);
        write_config(text);
        FAILS(PEFT_E_UNSUPPORTED, rows[i].what, peft_backbone_load(t.ctx, tiny_path("backbone"), NULL, &b));
        snprintf(text, sizeof text, "config.json: model_type: given '%s'", rows[i].type);
        FAILS(PEFT_E_UNSUPPORTED, text, peft_backbone_load(t.ctx, tiny_path("backbone"), NULL, &b));
        FAILS(PEFT_E_UNSUPPORTED, "config=none", peft_backbone_load(t.ctx, tiny_path("backbone"), NULL, &b));
        b = tiny_load(t.ctx, tiny_path("backbone"), "config=none");
        peft_backbone_free(b);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* What transformers would refuse, or read into other tensors, of a ViT of 2 x 2 patches of 8 pixels. */
START_TEST(configs_that_contradict_the_weights_are_refused)
{
    static const struct { const char *more, *json, *text; } rows[] = {
        { "", "{\"model_type\": \"vit\", \"image_size\": 32, \"patch_size\": 8}",
          "config.json states image_size 32, a grid of 4 x 4 patches, but the position embedding has 2 x 2" },
        { "", TYPE("dinov2"), "config.json states model_type dinov2, but the weights are of another network" },
        { "", TYPE("dinov2_with_registers"), "model_type dinov2_with_registers" },
        { "", TYPE("ijepa"), "model_type ijepa" }, { "", TYPE("clip"), "model_type clip" },
        { "layer_scale=1", TYPE("vit"), "model_type vit" },
        { "layer_scale=1,registers=2", TYPE("dinov2"), "model_type dinov2" },
        { "", "{\"model_type\": \"vit\", \"rope_theta\": 5.0}", "rope_theta: given 5, but the network has no rotary" },
        { "", "{\"rope_parameters\": {\"rope_theta\": 5.0}}", "rope_theta: given 5, but the network has no rotary" } };
    static const struct { const char *more, *json; } good[] = {
        { "", "{\"rope_theta\": 5.0, \"vision_config\": {\"hidden_size\": 64}}" },
        { "", "{\"model_type\": \"vit\", \"image_size\": 23, \"patch_size\": 8}" }, { "", TYPE("vit_msn") },
        { "", "{\"image_size\": 32}" }, { "layer_scale=1", TYPE("dinov2") }, { "", TYPE("unheard_of") },
        { "layer_scale=1,registers=2", TYPE("dinov2_with_registers") },
        { "layer_scale=1", "{\"model_type\": \"dinov2_with_registers\", \"num_register_tokens\": 0}" },
        { "", "{\"rope_theta\": null}" } };
    peft_backbone *b = NULL;
    char more[100];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(more, sizeof more, "image_size=16,patch=8,width=64,heads=1,%s", rows[i].more);
        tiny t = tiny_make(&(tiny_spec){ .more = more });
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF, .no_facts = true }, tiny_path("backbone"));
        write_config(rows[i].json);
        FAILS(PEFT_E_FORMAT, rows[i].text, peft_backbone_load(t.ctx, tiny_path("backbone"), NULL, &b));
        FAILS(PEFT_E_FORMAT, "config=none", peft_backbone_load(t.ctx, tiny_path("backbone"), NULL, &b));
        peft_backbone_free(tiny_load(t.ctx, tiny_path("backbone"), "config=none"));
        tiny_free(&t);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(more, sizeof more, "image_size=16,patch=8,width=64,heads=1,%s", good[i].more);
        tiny t = tiny_make(&(tiny_spec){ .more = more });
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = HF, .no_facts = true }, tiny_path("backbone"));
        write_config(good[i].json);
        peft_backbone_free(tiny_load(t.ctx, tiny_path("backbone"), ""));
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

SUITE_MAIN("refused configs", heads_of_unusual_widths_must_be_stated, model_types_that_are_no_plain_vit_are_refused,
           configs_that_contradict_the_weights_are_refused)
