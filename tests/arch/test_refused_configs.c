/* SPDX-License-Identifier: Apache-2.0
 * test_refused_configs.c -- config.json that names another network than a plain ViT is refused, and so is a file whose
 * number of heads nothing states and no rule gives. */
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

SUITE_MAIN("refused configs", heads_of_unusual_widths_must_be_stated, model_types_that_are_no_plain_vit_are_refused)
