/* SPDX-License-Identifier: Apache-2.0
 * test_backbone_facts.c -- what no tensor of a backbone tells: what is assumed and that it is said. */
#include "tiny_files.h"

typedef struct { char text[4096]; int warnings; } diary;

static void keep(int level, const char *message, void *user)
{
    diary *d = user;
    if (level != 1) return;
    d->warnings++;
    strncat(d->text, message, sizeof d->text - strlen(d->text) - 1);
}

/* Loads with what is logged in d. */
static peft_backbone *listen(peft_context *ctx, const char *options, diary *d)
{
    *d = (diary){ "", 0 };
    OK(peft_context_set_log(ctx, keep, d, 3));
    peft_backbone *b = tiny_load(ctx, tiny_path("backbone"), options);
    OK(peft_context_set_log(ctx, NULL, NULL, 0));
    return b;
}

START_TEST(what_is_assumed_is_said)
{
    static const struct { tiny_naming naming; const char *more, *options, *assumed; int lines; } rows[] = {
        { TIMM, "width=128,heads=2", "", "pool=cls: there is no fc_norm\nheads=2: width / 64\n"
          "eps=1e-06: usual for timm files\nact=gelu: usual for timm files", 4 },
        { TIMM, "width=128,heads=2,pool=mean", "eps=1e-6,act=gelu,heads=2", "pool=mean: there is fc_norm", 1 },
        { TIMM, "width=128,heads=2", "eps=1e-6,act=gelu,heads=2,pool=cls", NULL, 0 },
        { TIMM, "width=128,heads=2", "eps=1e-6,act=gelu,heads=2,pool=cls,image_size=24",
          "resample=timm: usual for timm files", 1 },
        { TIMM, "width=128,heads=2", "eps=1e-6,act=gelu,heads=2,pool=cls,image_size=24,resample=bilinear", NULL, 0 },
        { TIMM, "swiglu=1", "eps=1e-6,pool=cls", "heads=1: the width is no multiple of 64", 1 },
        { HF5, "width=128,heads=2,eps=1e-12", "", "heads=2: width / 64\neps=1e-12: usual for hf5 files\n"
          "act=gelu: usual for hf5 files", 3 } };
    diary d;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tiny t = tiny_make(&(tiny_spec){ .more = rows[i].more });
        tiny_save_backbone(t.backbone, &(tiny_save){ .naming = rows[i].naming, .no_facts = true },
                           tiny_path("backbone"));
        peft_backbone *b = listen(t.ctx, rows[i].options, &d);
        const char *got = peft_backbone_note(b, "assumed");
        ck_assert_msg(rows[i].assumed ? got && !strcmp(got, rows[i].assumed) : !got, "row %zu: %s", i, got ? got : "");
        ck_assert_msg(d.warnings == rows[i].lines, "row %zu: %d warnings: %s", i, d.warnings, d.text);
        peft_backbone_free(b);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

/* What the library writes tells everything. */
START_TEST(a_saved_backbone_assumes_nothing)
{
    diary d;
    tiny t = tiny_make(&(tiny_spec){ 0 });
    ck_assert_ptr_null(peft_backbone_note(t.backbone, "assumed"));
    OK(peft_backbone_save(t.backbone, tiny_path("backbone")));
    peft_backbone *b = listen(t.ctx, "", &d);
    ck_assert_ptr_null(peft_backbone_note(b, "assumed"));
    ck_assert_int_eq(d.warnings, 0);
    peft_backbone_free(b);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(misspelt_words_are_refused)
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

/* Positions at another size: which rule is used for which files, by what they come out as. */
START_TEST(rules_by_family)
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
        peft_backbone *usual = tiny_load(t.ctx, tiny_path("backbone"), "image_size=24");
        static const char *const rules[] = { "timm", "hf", "mmcls", "torchvision", "bilinear" };
        for (size_t k = 0; k < 5; k++) {
            snprintf(options, sizeof options, "image_size=24,resample=%s", rules[k]);
            peft_backbone *b = tiny_load(t.ctx, tiny_path("backbone"), options);
            const peft_tensor *x = pf_backbone_find(usual, "pos_embed"), *y = pf_backbone_find(b, "pos_embed");
            const bool same = !memcmp(x->data, y->data, pf_tensor_bytes(x));
            ck_assert_msg(same == !strcmp(rules[k], rows[i].rule), "row %zu: %s", i, rules[k]);
            peft_backbone_free(b);
        }
        peft_backbone_free(usual);
        tiny_free(&t);
    }
    tiny_clean();
}
END_TEST

SUITE_MAIN("backbone_facts", what_is_assumed_is_said, a_saved_backbone_assumes_nothing, misspelt_words_are_refused,
           rules_by_family)
