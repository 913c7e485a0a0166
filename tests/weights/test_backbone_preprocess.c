/* SPDX-License-Identifier: Apache-2.0
 * test_backbone_preprocess.c -- the note "preprocess" of a backbone: the transform that files of timm and Hugging Face
 * describe, at any input size. A transform that no text can express gives a warning and no note. */
#include <peft/io.h>
#include "config_fixture.h"

#define SMALL    "image_size=8,patch=4,width=64,depth=2,heads=2,mlp=24,classes=2"
/* Parts of the expected texts. HALF, IMAGENET, OPENAI: mean and std. TIMM_IS, HF_DROP, HF_WHITE: how timm and Hugging
 * Face's processors round the crop's offset, and whether they drop alpha or blend with white. */
#define HALF     ",mean=0.5:0.5:0.5,std=0.5:0.5:0.5"
#define IMAGENET ",mean=0.485:0.456:0.406,std=0.229:0.224:0.225"
#define OPENAI   ",mean=0.48145466:0.4578275:0.40821073,std=0.26862954:0.26130258:0.27577711"
#define TIMM_IS  ",crop_offset=round,alpha=drop,interpolation="
#define HF_DROP  ",crop_offset=floor,alpha=drop,interpolation="
#define HF_WHITE ",crop_offset=floor,alpha=white,interpolation="
#define TIMM_CFG(more)                                                                                                 \
    "{\"architecture\": \"vit_x\", \"pretrained_cfg\": {\"input_size\": [3, 8, 8]" more "}}"
#define PROC(class, more) "{\"image_processor_type\": \"" class "ImageProcessor\"" more "}"

/* A configuration file of this content, loaded with these options (without image_size: 8 x 8 pixels), gives the note
 * `text`; NULL: no note, and a warning that contains `warning`. */
typedef struct { const char *file, *json, *options, *text, *warning; } row;
static const row rows[] = {
    /* timm: resolve_data_config and transforms_imagenet_eval */
    { "config.json", TIMM_CFG(), "", "size=8,resize=shorter,crop_pct=0.875" TIMM_IS "bicubic" IMAGENET, NULL },
    { "config.json",
      TIMM_CFG(", \"crop_pct\": 0.9, \"interpolation\": \"bilinear\", \"mean\": [0.5, 0.5, 0.5], \"std\": "
      "[0.5, 0.5, 0.5], \"fixed_input_size\": true"), "image_size=16",
      "size=16,resize=shorter,crop_pct=0.9" TIMM_IS "bilinear" HALF, NULL },
    { "config.json", TIMM_CFG(", \"crop_mode\": \"squash\", \"crop_pct\": 1.0, \"mean\": [0.5], \"std\": 0.5"), "",
      "size=8,resize=squash,crop_pct=1" TIMM_IS "bicubic" HALF, NULL },
    { "config.json", TIMM_CFG(", \"test_input_size\": [3, 16, 16], \"crop_pct\": 0.9, \"test_crop_pct\": 1"),
      "image_size=16", "size=16,resize=shorter,crop_pct=1" TIMM_IS "bicubic" IMAGENET, NULL },
    { "config.json", TIMM_CFG(", \"test_input_size\": [3, 16, 16], \"crop_pct\": 0.9, \"test_crop_pct\": 1"),
      "image_size=12", "size=12,resize=shorter,crop_pct=0.9" TIMM_IS "bicubic" IMAGENET, NULL },
    { "config.json", "{\"architecture\": \"vit_x\", \"input_size\": [3, 8, 8], \"interpolation\": \"lanczos\"}", "",
      "size=8,resize=shorter,crop_pct=0.875" TIMM_IS "lanczos" IMAGENET, NULL },
    { "config.json", TIMM_CFG(", \"crop_mode\": \"border\""), "",
      "size=8,resize=longest_mean,crop_pct=0.875" TIMM_IS "bicubic" IMAGENET, NULL },
    { "config.json", TIMM_CFG(", \"interpolation\": \"spline\""), "", NULL, "interpolation 'spline'" },
    { "config.json", TIMM_CFG(", \"crop_pct\": 1.1"), "", NULL, "crop_pct above 1" },
    /* Hugging Face: defaults of the classes, sizes, crops, values */
    { "preprocessor_config.json", PROC("ViT", ""), "", "size=8,resize=squash,crop_pct=1" HF_DROP "bilinear" HALF,
      NULL },
    { "preprocessor_config.json", PROC("ViT", ", \"do_normalize\": false, \"do_convert_rgb\": true"), "",
      "size=8,resize=squash,crop_pct=1" HF_WHITE "bilinear,mean=0:0:0,std=1:1:1", NULL },
    { "preprocessor_config.json", PROC("ViT", ", \"do_rescale\": false, \"image_mean\": [127.5, 127.5, 127.5], "
      "\"image_std\": 51, \"resample\": 3"), "",
      "size=8,resize=squash,crop_pct=1" HF_DROP "bicubic,mean=0.5:0.5:0.5,std=0.2:0.2:0.2", NULL },
    { "preprocessor_config.json", PROC("ViT", ", \"rescale_factor\": 0.00784313725490196, \"do_normalize\": false"), "",
      "size=8,resize=squash,crop_pct=1" HF_DROP "bilinear,mean=0:0:0,std=0.5:0.5:0.5", NULL },
    { "preprocessor_config.json", PROC("ViT", ", \"size\": 384, \"resample\": 0"), "image_size=16",
      "size=16,resize=squash,crop_pct=1" HF_DROP "nearest" HALF, NULL },
    { "preprocessor_config.json", PROC("CLIP", ""), "image_size=224", "size=224,resize=224" HF_WHITE "bicubic" OPENAI,
      NULL },
    { "preprocessor_config.json",
      "{\"feature_extractor_type\": \"CLIPFeatureExtractor\", \"size\": 336, \"crop_size\": 336}",
      "image_size=336", "size=336,resize=336" HF_WHITE "bicubic" OPENAI, NULL },
    { "preprocessor_config.json", PROC("Bit", ", \"size\": {\"shortest_edge\": 256}, \"crop_size\": {\"height\": 224, "
      "\"width\": 224}, \"image_mean\": 0.5, \"image_std\": 0.25"), "image_size=224",
      "size=224,resize=256" HF_WHITE "bicubic,mean=0.5:0.5:0.5,std=0.25:0.25:0.25", NULL },
    { "preprocessor_config.json", PROC("Bit", ", \"size\": {\"shortest_edge\": 256}, \"crop_size\": 224"),
      "image_size=516", "size=516,resize=590" HF_WHITE "bicubic" OPENAI, NULL },   /* 256 / 224 * 516 = 589.7 */
    { "preprocessor_config.json", PROC("DeiT", "") , "image_size=112",
      "size=112,resize=128x128" HF_DROP "bicubic" HALF, NULL },
    { "preprocessor_config.json", PROC("DeiT", ", \"do_center_crop\": false, \"size\": [8, 8]") , "",
      "size=8,resize=squash,crop_pct=1" HF_DROP "bicubic" HALF, NULL },
    { "preprocessor_config.json", PROC("Siglip", ", \"do_convert_rgb\": null"), "",
      "size=8,resize=squash,crop_pct=1" HF_WHITE "bicubic" HALF, NULL },
    { "preprocessor_config.json", PROC("CLIP", ", \"do_resize\": false"), "image_size=224",
      "size=224,resize=none" HF_WHITE "bicubic" OPENAI, NULL },
    { "processor_config.json", "{\"processor_class\": \"CLIPProcessor\", \"image_processor\": " PROC("CLIP", "") "}",
      "image_size=448", "size=448,resize=448" HF_WHITE "bicubic" OPENAI, NULL },
    { "preprocessor_config.json", "{\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5], \"resample\": 1, "
      "\"size\": {\"height\": 8, \"width\": 8}}", "", "size=8,resize=squash,crop_pct=1" HF_DROP "lanczos" HALF, NULL },
    { "preprocessor_config.json", "{\"do_normalize\": true}", "", NULL, "no image_processor_type and no size" },
    { "preprocessor_config.json", PROC("Sam", ""), "", NULL, "'SamImageProcessor', which is not known" },
    { "preprocessor_config.json", PROC("ViT", ", \"do_pad\": true"), "", NULL, "do_pad" },
    { "preprocessor_config.json", PROC("DPT", ", \"ensure_multiple_of\": 14"), "", NULL, "ensure_multiple_of" },
    { "preprocessor_config.json", PROC("ViT", ", \"size\": {\"height\": 8, \"width\": 16}"), "", NULL, "8 x 16" },
    { "preprocessor_config.json", PROC("Bit", ", \"do_center_crop\": false"), "", NULL, "without do_center_crop" },
    { "preprocessor_config.json", PROC("Bit", ", \"crop_size\": [8, 16]"), "", NULL, "crop_size 8 x 16" },
    { "preprocessor_config.json", PROC("ViT", ", \"size\": {\"longest_edge\": 8}"), "", NULL, "longest edge" },
    { "preprocessor_config.json", PROC("ViT", ", \"do_resize\": false"), "", NULL, "neither do_resize" } };

START_TEST(configuration_files_give_a_transform)
{
    fixture b;
    fixture_start(&b, SMALL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture_write(rows[i].file, rows[i].json);
        peft_backbone *x = fixture_load(&b, rows[i].options);
        fixture_check_note(x, "preprocess", rows[i].text, rows[i].json);
        if (rows[i].warning) fixture_check_note(x, "crop_pct", NULL, rows[i].json);         /* nor a note "crop_pct" */
        ck_assert_msg(!rows[i].warning || strstr(b.log.text, rows[i].warning), "%s: %s", rows[i].json, b.log.text);
        ck_assert_msg(!strstr(b.log.text, "preprocess") == !rows[i].warning, "%s: %s", rows[i].json, b.log.text);
        peft_backbone_free(x);
        ck_assert_int_eq(unlink(tiny_path(rows[i].file)), 0);
    }
    fixture_end(&b);
}
END_TEST

/* Every text is accepted by peft_transform_parse. */
START_TEST(every_text_is_a_transform)
{
    fixture b;
    fixture_start(&b, SMALL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_transform *t;
        if (!rows[i].text) continue;
        OK(peft_transform_parse(b.ctx, rows[i].text, &t));
        peft_transform_free(t);
    }
    fixture_end(&b);
}
END_TEST

START_TEST(model_type_chooses_the_image_processor)
{
    static const struct { const char *type, *text; } types[] = {
        { "vit", "size=8,resize=squash,crop_pct=1" HF_DROP "bilinear" HALF },
        { "dinov2", "size=8,resize=8" HF_WHITE "bicubic" OPENAI },
        { "deit", "size=8,resize=9x9" HF_DROP "bicubic" HALF },
        { "vision", NULL } };
    fixture b;
    char json[64];
    fixture_start(&b, SMALL);
    fixture_write("preprocessor_config.json", "{\"do_resize\": true}");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(json, sizeof json, "{\"model_type\": \"%s\"}", types[i].type);
        fixture_write("config.json", json);
        peft_backbone *x = fixture_load(&b, "");
        fixture_check_note(x, "preprocess", types[i].text, types[i].type);
        peft_backbone_free(x);
    }
    fixture_end(&b);
}
END_TEST

/* Only the first of these is read: header, timm's config.json, processor_config.json, preprocessor_config.json. */
START_TEST(the_first_description_counts)
{
    const char *timm = "size=8,resize=shorter,crop_pct=0.875" TIMM_IS "bicubic" IMAGENET;
    fixture b;
    fixture_start(&b, SMALL);
    peft_backbone *x = fixture_load(&b, "");
    fixture_check_note(x, "preprocess", NULL, "no file");
    peft_backbone_free(x);
    fixture_write("preprocessor_config.json", PROC("ViT", ""));
    fixture_write("processor_config.json", "{\"image_processor\": " PROC("CLIP", "") "}");
    x = fixture_load(&b, "");
    fixture_check_note(x, "preprocess", "size=8,resize=8" HF_WHITE "bicubic" OPENAI, "processor_config.json");
    peft_backbone_free(x);
    fixture_write("processor_config.json", "{\"processor_class\": \"CLIPProcessor\"}");
    x = fixture_load(&b, "");
    fixture_check_note(x, "preprocess", "size=8,resize=squash,crop_pct=1" HF_DROP "bilinear" HALF,
                       "no processor in it");
    fixture_check_note(x, "image_size", "224", "of the description");
    peft_backbone_free(x);
    fixture_write("config.json", TIMM_CFG());
    x = fixture_load(&b, "");
    fixture_check_note(x, "preprocess", timm, "timm");
    peft_backbone_free(x);
    tiny_edit(b.weights, tiny_path("edited.safetensors"),
              &(tiny_change){ SET_META, "preprocess", "grey=true,size=16,resize=18x20,std=1:1:1" });
    x = tiny_load(b.ctx, tiny_path("edited.safetensors"), "");
    fixture_check_note(x, "preprocess", "grey=true,size=8,resize=9x10,std=1:1:1", "header");
    peft_backbone_free(x);
    x = tiny_load(b.ctx, tiny_path("edited.safetensors"), "config=none,image_size=16");
    fixture_check_note(x, "preprocess", "grey=true,size=16,resize=18x20,std=1:1:1", "header, config=none");
    peft_backbone_free(x);
    fixture_end(&b);
}
END_TEST

/* Headers with mean and std alone, as earlier versions and peft_npz_to_safetensors write them. */
START_TEST(headers_of_earlier_versions_are_read)
{
    fixture b;
    fixture_start(&b, SMALL);
    tiny_edit(b.weights, tiny_path("a"), &(tiny_change){ SET_META, "mean", "0.1:0.2:0.3" });
    tiny_edit(tiny_path("a"), tiny_path("b"), &(tiny_change){ SET_META, "std", "1:2:3" });
    peft_backbone *x = tiny_load(b.ctx, tiny_path("b"), "image_size=16");
    fixture_check_note(x, "preprocess", "size=16,mean=0.1:0.2:0.3,std=1:2:3", "mean and std");
    peft_backbone_free(x);
    tiny_edit(tiny_path("b"), tiny_path("c"), &(tiny_change){ SET_META, "crop_pct", "0.9" });
    x = tiny_load(b.ctx, tiny_path("c"), "");
    fixture_check_note(x, "preprocess", "size=8,resize=shorter,crop_pct=0.9,mean=0.1:0.2:0.3,std=1:2:3", "crop_pct");
    peft_backbone_free(x);
    fixture_write("config.json", TIMM_CFG());
    x = tiny_load(b.ctx, tiny_path("b"), "");
    fixture_check_note(x, "preprocess",
                       "size=8,resize=shorter,crop_pct=0.875" TIMM_IS "bicubic,mean=0.1:0.2:0.3,std=1:2:3",
                       "header over timm");
    peft_backbone_free(x);
    fixture_end(&b);
}
END_TEST

START_TEST(values_of_wrong_types_are_refused)
{
    static const struct { const char *file, *json, *text; } bad[] = {
        { "config.json", TIMM_CFG(", \"mean\": [1, 2]"), "mean: given [1,2], expected a number, or three" },
        { "config.json", TIMM_CFG(", \"std\": [1, 0, 1]"), "std: given [1,0,1], expected a number above 0" },
        { "config.json", TIMM_CFG(", \"crop_pct\": \"x\""), "crop_pct: given \"x\"" },
        { "config.json", TIMM_CFG(", \"interpolation\": 3"), "interpolation: given 3" },
        { "preprocessor_config.json", PROC("ViT", ", \"size\": \"big\""), "size: given \"big\"" },
        { "preprocessor_config.json", PROC("ViT", ", \"size\": {\"height\": 8}"), "size: given {\"height\":8}" },
        { "preprocessor_config.json", PROC("ViT", ", \"resample\": 9"), "resample: given 9, expected Pillow's number" },
        { "preprocessor_config.json", PROC("ViT", ", \"image_std\": 0"), "image_std: given 0" },
        { "preprocessor_config.json", PROC("ViT", ", \"rescale_factor\": 0"), "rescale_factor: given 0" },
        { "preprocessor_config.json", PROC("ViT", ", \"do_normalize\": \"yes\""), "do_normalize: given \"yes\"" } };
    fixture b;
    peft_backbone *x;
    fixture_start(&b, SMALL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fixture_write(bad[i].file, bad[i].json);
        FAILS(PEFT_E_FORMAT, bad[i].text, fixture_try_load(&b, "", &x));
        ck_assert_ptr_nonnull(strstr(peft_last_error(), bad[i].file));
        unlink(tiny_path(bad[i].file));
    }
    static const char *const headers[] = { "resize=8", "size=x", "size=8\nsize=9", "size=99999999999999999999" };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        tiny_edit(b.weights, tiny_path("edited.safetensors"), &(tiny_change){ SET_META, "preprocess", headers[i] });
        FAILS(PEFT_E_FORMAT, "preprocess", peft_backbone_load(b.ctx, tiny_path("edited.safetensors"), NULL, &x));
    }
    fixture_end(&b);
}
END_TEST

static peft_status save_as(const peft_backbone *b, const char *path, const char *options)
{
    peft_options *o = tiny_options(b->ctx, "%s", options);
    peft_status s = peft_backbone_save_as(b, path, o);
    peft_options_free(o);
    return s;
}

/* Saved and loaded in each naming, a backbone keeps its preprocessing and class names. `processor`: the transform that
 * the saved preprocessor_config.json gives without the header; options that Hugging Face lacks are missing in it. */
START_TEST(saving_keeps_preprocessing_and_class_names)
{
    static const struct { const char *note, *processor; } texts[] = {
        { "size=8,resize=9,crop_offset=floor,alpha=white,interpolation=bicubic,mean=0.1:0.2:0.3,std=1:2:3",
          "size=8,resize=9" HF_WHITE "bicubic,mean=0.1:0.2:0.3,std=1:2:3" },
        { "size=8,resize=shorter,crop_pct=0.9,crop_offset=round,alpha=drop,interpolation=lanczos,mean=0.5,std=0.25",
          "size=8,resize=8" HF_WHITE "lanczos,mean=0.5:0.5:0.5,std=0.25:0.25:0.25" },
        { "size=8,resize=squash,crop_pct=0.5,crop_offset=round,interpolation=box" HALF,
          "size=8,resize=16x16" HF_WHITE "box" HALF },
        /* without crop_offset, as earlier versions wrote it */
        { "size=8,resize=squash,crop_pct=0.875,interpolation=nearest" HALF,
          "size=8,resize=squash,crop_pct=1" HF_WHITE "nearest" HALF },
        { "size=8,resize=none,interpolation=hamming,range=full" HALF, "size=8,resize=none" HF_WHITE "hamming" HALF },
        { "size=8,resize=9x10,interpolation=bilinear" HALF, "size=8,resize=9x10" HF_WHITE "bilinear" HALF },
        { "size=8,resize=9,interpolation=bilinear,range=0:4095" HALF, NULL },
        { "size=8,resize=9,interpolation=bilinear,grey=true" HALF, NULL }, { "size=8,mean=0.5,std=0.5", NULL } };
    fixture b;
    fixture_start(&b, SMALL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        tiny_edit(b.weights, tiny_path("a"), &(tiny_change){ SET_META, "preprocess", texts[i].note });
        tiny_edit(tiny_path("a"), tiny_path("b"), &(tiny_change){ SET_META, "class_names", "one\ntwo" });
        peft_backbone *x = tiny_load(b.ctx, tiny_path("b"), "");
        OK(peft_backbone_save(x, tiny_path("c")));
        OK(save_as(x, tiny_path("folder"), "naming=hf5"));
        peft_backbone *from_file = tiny_load(b.ctx, tiny_path("c"), "");
        peft_backbone *from_folder = tiny_load(b.ctx, tiny_path("folder/model.safetensors"), "");
        fixture_check_note(from_file, "preprocess", texts[i].note, "timm's names");
        fixture_check_note(from_folder, "preprocess", texts[i].note, "folder");
        fixture_check_note(from_file, "class_names", "one\ntwo", "timm's names");
        fixture_check_note(from_folder, "class_names", "one\ntwo", "folder");
        peft_backbone_free(from_folder);
        tiny_edit(tiny_path("folder/model.safetensors"), tiny_path("d"), &(tiny_change){ DROP_META, "preprocess",
                  NULL });
        tiny_edit(tiny_path("d"), tiny_path("e"), &(tiny_change){ DROP_META, "mean", NULL });
        tiny_edit(tiny_path("e"), tiny_path("folder/model.safetensors"), &(tiny_change){ DROP_META, "std", NULL });
        from_folder = tiny_load(b.ctx, tiny_path("folder/model.safetensors"), "");
        fixture_check_note(from_folder, "preprocess", texts[i].processor, texts[i].note);
        peft_backbone_free(from_folder);
        peft_backbone_free(from_file);
        peft_backbone_free(x);
        unlink(tiny_path("folder/preprocessor_config.json"));
    }
    fixture_end(&b);
}
END_TEST

/* A model's notes have precedence over its backbone's. */
START_TEST(merging_keeps_preprocessing_and_class_names)
{
    static const struct { const char *options, *note, *names, *preprocess, *class_names; } cases[] = {
        { "classes=3", NULL, NULL, "size=8,resize=9,mean=1:1:1", NULL },
        { "classes=3", "size=8,resize=12,mean=0:0:0", "a\nb\nc", "size=8,resize=12,mean=0:0:0", "a\nb\nc" },
        { "classes=3", "nonsense", "a\nb", "size=8,resize=9,mean=1:1:1", NULL },
        { "classes=0", NULL, NULL, "size=8,resize=9,mean=1:1:1", "one\ntwo" } };
    fixture b;
    fixture_start(&b, SMALL);
    tiny_edit(b.weights, tiny_path("a"), &(tiny_change){ SET_META, "preprocess", "size=8,resize=9,mean=1:1:1" });
    tiny_edit(tiny_path("a"), tiny_path("b"), &(tiny_change){ SET_META, "class_names", "one\ntwo" });
    peft_backbone *x = tiny_load(b.ctx, tiny_path("b"), ""), *merged;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peft_model *m = tiny_model(x, cases[i].options);
        if (cases[i].note) OK(peft_model_set_note(m, "preprocess", cases[i].note));
        if (cases[i].names) OK(peft_model_set_note(m, "class_names", cases[i].names));
        OK(peft_model_merge(m, &merged));
        fixture_check_note(merged, "preprocess", cases[i].preprocess, cases[i].options);
        fixture_check_note(merged, "class_names", cases[i].class_names, cases[i].options);
        fixture_check_note(merged, "mean", i == 1 ? "0:0:0" : "1:1:1", cases[i].options);
        peft_backbone_free(merged);
        peft_model_free(m);
    }
    peft_backbone_free(x);
    fixture_end(&b);
}
END_TEST

/* A transform that no text can express: the file is saved with mean and std, and gives no note when it is loaded. */
START_TEST(saving_invents_no_preprocessing)
{
    fixture b;
    fixture_start(&b, SMALL);
    fixture_write("preprocessor_config.json", PROC("ViT", ", \"do_pad\": true, \"image_mean\": 0.25"));
    peft_backbone *x = fixture_load(&b, ""), *again;
    fixture_check_note(x, "preprocess", NULL, "described");
    OK(peft_backbone_save(x, tiny_path("c")));
    ck_assert_int_eq(remove(tiny_path("preprocessor_config.json")), 0);
    for (int i = 0; i < 2; i++) {                                        /* saved, and saved again */
        again = tiny_load(b.ctx, tiny_path("c"), "");
        fixture_check_note(again, "preprocess", NULL, "saved");
        fixture_check_note(again, "mean", "0.25:0.25:0.25", "saved");
        OK(peft_backbone_save(again, tiny_path("c")));
        peft_backbone_free(again);
    }
    fixture_write("preprocessor_config.json", PROC("ViT", ""));           /* a configuration file added later is read */
    again = tiny_load(b.ctx, tiny_path("c"), "");
    ck_assert_ptr_nonnull(peft_backbone_note(again, "preprocess"));
    peft_backbone_free(again);
    peft_backbone_free(x);
    fixture_end(&b);
}
END_TEST

START_TEST(class_names_are_saved)
{
    fixture b;
    fixture_start(&b, SMALL);
    FAILS(PEFT_E_OPTION, "class_names: expected 2", save_as(b.created, tiny_path("c"), "class_names=\"a\nb\nc\""));
    FAILS(PEFT_E_OPTION, "class_names: expected 2", save_as(b.created, tiny_path("c"), "class_names=\"a\na\""));
    OK(save_as(b.created, tiny_path("c"), "class_names=\"a\nb\""));
    peft_backbone *x = tiny_load(b.ctx, tiny_path("c"), "");
    fixture_check_note(x, "class_names", "a\nb", "option");
    peft_backbone_free(x);
    fixture_write("config.json", "{\"id2label\": {\"0\": \"crane\", \"1\": \"crane\"}}");          /* as in ImageNet */
    x = fixture_load(&b, "");
    OK(save_as(x, tiny_path("folder"), "naming=hf"));
    peft_backbone_free(x);
    x = tiny_load(b.ctx, tiny_path("folder/model.safetensors"), "");
    fixture_check_note(x, "class_names", "crane\ncrane", "repeated");
    peft_backbone_free(x);
    fixture_write("folder/preprocessor_config.json", "{}");
    OK(save_as(b.created, tiny_path("folder"), "naming=hf"));
    ck_assert_ptr_nonnull(strstr(b.log.text, "preprocessor_config.json exists but does not describe the saved model"));
    fixture_end(&b);
}
END_TEST

/* The note "link" (softmax or sigmoid of the classifier's outputs) comes from problem_type; no classifier, no note. */
START_TEST(problem_type_gives_the_link)
{
    static const struct { const char *json, *link; bool classifier; } rows[] = {
        { "{\"problem_type\": \"multi_label_classification\"}", "sigmoid", true },
        { "{\"problem_type\": \"single_label_classification\"}", "softmax", true },
        { "{\"problem_type\": \"multi_label_classification\"}", NULL, false },
        { "{\"problem_type\": null}", NULL, true }, { "{\"problem_type\": \"regression\"}", NULL, true },
        { "{}", NULL, true } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture b;
        fixture_start(&b, rows[i].classifier ? "image_size=16,patch=4,width=64,depth=1,heads=1,classes=5"
                                         : "image_size=16,patch=4,width=64,depth=1,heads=1,classes=0");
        fixture_write("config.json", rows[i].json);
        peft_backbone *x = fixture_load(&b, "");
        fixture_check_note(x, "link", rows[i].link, rows[i].json);
        ck_assert((strstr(b.log.text, "problem_type is regression") != NULL) == (strstr(rows[i].json,
                                                                                        "regress") != NULL));
        OK(peft_backbone_save(x, tiny_path("again.safetensors")));               /* kept in the header */
        peft_backbone *again = tiny_load(b.ctx, tiny_path("again.safetensors"), "config=none");
        fixture_check_note(again, "link", rows[i].link, "saved");
        peft_backbone_free(again);
        peft_backbone_free(x);
        fixture_end(&b);
    }
    tiny_clean();
}
END_TEST

SUITE_MAIN("backbone preprocess", configuration_files_give_a_transform, every_text_is_a_transform,
           model_type_chooses_the_image_processor, the_first_description_counts, headers_of_earlier_versions_are_read,
           values_of_wrong_types_are_refused, saving_keeps_preprocessing_and_class_names,
           merging_keeps_preprocessing_and_class_names, saving_invents_no_preprocessing, class_names_are_saved,
           problem_type_gives_the_link)
