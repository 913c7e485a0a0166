/* SPDX-License-Identifier: Apache-2.0
 * preprocess.c -- builds the transform from the backbone's notes and --preprocess (preprocess.h). */
#include "preprocess.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char no_augmentation[] = "random_crop=false,flip=0,brightness=0,contrast=0,saturation=0,pad=0,erase=0";
static const char list_name[] = "--preprocess";

image_sides requested_size(const char *image_size, const char *preprocess)
{
    settings s = read_transform_settings(preprocess, list_name);
    const char *size = find_setting(&s, "size");
    const image_sides given = parse_sides(image_size, "--image-size"), set = parse_sides(size, "--preprocess size");
    if (size && !set.height) fail("--preprocess size=%s: expected sides in pixels, from 1 on", size);
    if (size && given.height && !same_sides(given, set))
        fail("--image-size %s and --preprocess size=%s differ; give one of them", image_size, size);
    free_settings(&s);
    return set.height ? set : given;
}

/* Returns the backbone's preprocessing as text, to be freed: the note "preprocess" of its files; else its notes of
 * mean, std, interpolation and crop_pct (of the files or of the model family); else ImageNet's mean and std. */
static char *backbone_settings(const peft_backbone *b, const char **origin)
{
    static const char *const notes[] = { "mean", "std", "interpolation", "crop_pct" };
    const char *preprocess = peft_backbone_note(b, "preprocess");
    settings s = { 0 };
    *origin = "as the backbone's files say";
    if (preprocess) return check_alloc(strdup(preprocess));
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (peft_backbone_note(b, notes[i])) set_setting(&s, notes[i], peft_backbone_note(b, notes[i]));
    *origin = "mean and std of the backbone's files or its model family; defaults for the rest";
    if (!find_setting(&s, "mean")) {
        set_setting(&s, "mean", "0.485:0.456:0.406");
        set_setting(&s, "std", "0.229:0.224:0.225");
        *origin = "ImageNet's mean and std, as the backbone's files say nothing";
    }
    if (find_setting(&s, "crop_pct")) set_setting(&s, "resize", "shorter");
    char *text = settings_text(&s);
    free_settings(&s);
    return text;
}

static void add_missing(settings *s, const char *name, const char *value)
{
    if (!find_setting(s, name)) set_setting(s, name, value);
}

/* The backbone's preprocessing at its image size. Settings in changes replace its own. Unless changes sets them, flip
 * is the argument, and the augmentations that the backbone was trained with are off. */
static peft_transform *make_transform(peft_context *ctx, const peft_backbone *b, const char *flip, const char *changes,
                                      const char **origin)
{
    peft_transform *t;
    char sides[SIDES_TEXT], *base = backbone_settings(b, origin);
    settings s = read_transform_settings(changes, list_name), disabled = read_settings(no_augmentation, list_name);
    set_setting(&s, "size", sides_text(sides, backbone_sides(b)));
    add_missing(&s, "flip", flip);
    for (int i = 0; i < disabled.count; i++) add_missing(&s, disabled.item[i].name, disabled.item[i].value);
    char *text = settings_text(&s);
    must(peft_transform_parse_over(ctx, base, text, &t));
    free(base);
    free(text);
    free_settings(&s);
    free_settings(&disabled);
    return t;
}

peft_transform *continued_transform(peft_context *ctx, const char *base, image_sides sides, const char *changes)
{
    peft_transform *t;
    char size[SIDES_TEXT];
    settings s = read_transform_settings(changes, list_name);
    set_setting(&s, "size", sides_text(size, sides));
    char *text = settings_text(&s);
    must(peft_transform_parse_over(ctx, base, text, &t));
    free(text);
    free_settings(&s);
    return t;
}

char *whole_image(const char *changes)
{
    settings s = read_transform_settings(changes, list_name);
    if (!find_setting(&s, "resize")) {
        set_setting(&s, "resize", "squash");
        add_missing(&s, "crop_pct", "1");
    }
    char *text = settings_text(&s);
    free_settings(&s);
    return text;
}

peft_transform *training_transform(peft_context *ctx, const peft_backbone *b, const char *changes, const char **origin)
{
    return make_transform(ctx, b, "0.5", changes, origin);
}

peft_transform *inference_transform(peft_context *ctx, const peft_backbone *b, const char *changes)
{
    const char *origin;
    peft_transform *t = make_transform(ctx, b, "0", changes, &origin);
    if (!changes && !peft_backbone_note(b, "preprocess"))
        warn("no file says how pictures are prepared; used: %s. Give --preprocess mean=..,std=.. for other values",
             origin);
    return t;
}
