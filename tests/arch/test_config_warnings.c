/* SPDX-License-Identifier: Apache-2.0
 * test_config_warnings.c -- what config.json states and loading leaves out is said in a warning: class names that do
 * not fit, a class of another model_type. */
#include "weights/config_fixture.h"

/* Loads the backbone of f beside this config.json. text: a part of the warning; "": no warning contains `about`. */
static void expect_warning(fixture *f, const char *json, const char *about, const char *text)
{
    fixture_write("config.json", json);
    peft_backbone_free(fixture_load(f, ""));
    ck_assert_msg(*text ? strstr(f->log.text, text) != NULL : !strstr(f->log.text, about), "%s: %s", json, f->log.text);
}

/* A warning says which name is unusable, or that their number is not that of the classifier's outputs. */
START_TEST(class_names_that_do_not_fit_are_said)
{
    static const struct { const char *json, *text; } rows[] = {
        { "{\"id2label\": {\"0\": \"a\"}}", "config.json has 1 class names, but the classifier has 3 outputs" },
        { "{\"id2label\": {\"0\": \"a\", \"5\": \"b\", \"2\": \"c\"}}",
          "config.json: id2label: there is no name \"1\", expected names from 0 without a gap" },
        { "{\"id2label\": {\"0\": \"a\\nb\", \"1\": \"c\", \"2\": \"d\"}}",
          "config.json: id2label: name 0 is \"a\\nb\", expected one line of text" },
        { "{\"label_names\": [\"a\", 3, \"c\"]}", "config.json: label_names: name 1 is 3, expected one line of text" },
        { "{\"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}}", "" },
        { "{\"id2label\": {\"0\": \"LABEL_0\", \"1\": \"LABEL_1\"}}", "" } };
    static const char about[] = "class names are left out";
    fixture f;
    fixture_start(&f, "width=64,heads=1,classes=3");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) expect_warning(&f, rows[i].json, about, rows[i].text);
    fixture_end(&f);
    fixture_start(&f, "width=64,heads=1");                              /* no classifier: nothing to say */
    expect_warning(&f, rows[1].json, about, "");
    fixture_end(&f);
}
END_TEST

START_TEST(a_class_of_another_model_type_is_said)
{
    static const char about[] = "architectures names";
    fixture f;
    fixture_start(&f, "width=64,heads=1");
    expect_warning(&f, "{\"model_type\": \"vit\", \"architectures\": [\"ViTModel\"]}", about, "");
    expect_warning(&f, "{\"model_type\": \"vit\", \"architectures\": [\"Another\"]}", about, "");
    expect_warning(&f, "{\"model_type\": \"vit\", \"architectures\": [\"Dinov2Model\"]}", about,
                   "config.json: architectures names Dinov2Model, a class of model_type dinov2, but model_type is vit");
    fixture_end(&f);
}
END_TEST

/* Of pictures of 229 x 229 pixels 14 x 14 patches of 16 cover 224 x 224. */
START_TEST(an_image_size_that_patches_do_not_fill_is_said)
{
    static const char about[] = "is no multiple of the patch side";
    fixture f;
    fixture_start(&f, "width=64,heads=1");
    expect_warning(&f, "{\"model_type\": \"vit\", \"image_size\": 224}", about, "");
    expect_warning(&f, "{\"model_type\": \"vit\", \"image_size\": 229}", about,
                   "config.json: image_size 229 is no multiple of the patch side 16: pictures are resized to 224 "
                   "pixels");
    fixture_end(&f);
}
END_TEST

SUITE_MAIN("config warnings", class_names_that_do_not_fit_are_said, a_class_of_another_model_type_is_said,
           an_image_size_that_patches_do_not_fill_is_said)
