/* SPDX-License-Identifier: Apache-2.0
 * preprocess.c -- see preprocess.h. */
#include "preprocess.h"
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/settings.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char no_augmentation[] = "random_crop=false,flip=0,brightness=0,contrast=0,saturation=0,pad=0,erase=0";
static const char where[] = "--preprocess";

int64_t asked_size(int64_t side, const char *words)
{
    settings s = read_settings(words, true, where);
    const char *size = find_setting(&s, "size");
    const int64_t n = size ? flag_count(&(flag){ .name = "size", .value = size }) : side;
    if (size && !n) fail("--preprocess size=%s: expected the side in pixels", size);
    if (side && n != side)
        fail("--image-size %lld and --preprocess size=%s differ; give one of them", (long long)side, size);
    free_settings(&s);
    return n;
}

/* What is known of the backbone's pictures: all of it, or what is usual for its family, or ImageNet's values. To be
 * freed. */
static char *base_of(const peft_backbone *b, const char **described)
{
    static const char *const facts[] = { "mean", "std", "interpolation", "crop_pct" };
    const char *own = peft_backbone_note(b, "preprocess");
    settings s = { 0 };
    *described = "as the backbone's files say";
    if (own) return need(strdup(own));
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (peft_backbone_note(b, facts[i])) set_setting(&s, facts[i], peft_backbone_note(b, facts[i]));
    *described = "mean and std as the backbone's files or its family have them; no file says the rest";
    if (!find_setting(&s, "mean")) {
        set_setting(&s, "mean", "0.485:0.456:0.406");
        set_setting(&s, "std", "0.229:0.224:0.225");
        *described = "ImageNet's mean and std, as the backbone's files say nothing";
    }
    if (find_setting(&s, "crop_pct")) set_setting(&s, "resize", "shorter");
    char *text = print_settings(&s);
    free_settings(&s);
    return text;
}

static void add_missing(settings *s, const char *name, const char *value)
{
    if (!find_setting(s, name)) set_setting(s, name, value);
}

/* The augmentations of whoever trained the backbone are none of its preprocessing. */
static peft_transform *transform_of(peft_context *ctx, const peft_backbone *b, const char *flip, const char *words,
                                    const char **described)
{
    peft_transform *t;
    char side[24], *base = base_of(b, described);
    settings s = read_settings(words, true, where), none = read_settings(no_augmentation, false, where);
    snprintf(side, sizeof side, "%lld", (long long)peft_backbone_get(b, "image_size"));
    set_setting(&s, "size", side);
    add_missing(&s, "flip", flip);
    for (int i = 0; i < none.count; i++) add_missing(&s, none.item[i].name, none.item[i].value);
    char *text = print_settings(&s);
    must(peft_transform_parse_over(ctx, base, text, &t));
    free(base);
    free(text);
    free_settings(&s);
    free_settings(&none);
    return t;
}

peft_transform *training_transform(peft_context *ctx, const peft_backbone *b, const char *words, const char **described)
{
    return transform_of(ctx, b, "0.5", words, described);
}

peft_transform *plain_transform(peft_context *ctx, const peft_backbone *b, const char *words)
{
    const char *described;
    peft_transform *t = transform_of(ctx, b, "0", words, &described);
    if (!words && !peft_backbone_note(b, "preprocess"))
        warn("no file says how pictures are prepared; taken: %s. --preprocess mean=..,std=.. says it", described);
    return t;
}
