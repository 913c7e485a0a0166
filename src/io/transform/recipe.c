/* SPDX-License-Identifier: Apache-2.0
 * recipe.c -- reads the text of a transform over the defaults, checks which settings go together, and converts the
 * texts of models that earlier versions saved. */
#include "io/transform/recipe.h"
#include <math.h>
#include <stdio.h>

enum {
#define IO_SETTING(kind, name, low, high, words, fallback, help) KEY_##name,
#include "io/transform/recipe.def"
#undef IO_SETTING
    KEYS, OLD_KEYS = KEY_crop_offset                          /* earlier versions had the settings before this one */
};
_Static_assert(KEYS <= 64, "peft_sys_opt_read reports the settings that a text gives as bits of a uint64_t");

/* Rows of { name, kind, default, lowest, highest, help }, where the value is stored, words. */
static const peft_opt_key keys[] = {
#define IO_SETTING(kind, name, low, high, words, fallback, help) \
    { { #name, IO_LETTER_##kind, fallback, low, high, help }, offsetof(io_recipe, name), words },
#include "io/transform/recipe.def"
#undef IO_SETTING
    { { 0 }, 0, NULL }
};

const peft_option *peft_transform_option(size_t i) { return peft_sys_opt_row(keys, i); }

/* Whether the text gave this setting: bit `key` of what peft_sys_opt_read reports. */
static bool is_given(uint64_t given, int key) { return given >> key & 1; }

/* Converts settings that an earlier version printed, so that its saved model predicts as before. In those versions
 * squash ignored crop_pct, crop_pct could exceed 1 with shorter, the horizontal pass came first, erase_ratio was width
 * / height, and erase_fill=random drew from a uniform distribution. */
static void convert_old_settings(io_recipe *r)
{
    r->resize_order = IO_PILLOW12;
    if (r->resize.word == IO_RESIZE_SQUASH) {
        r->crop_pct = 1;
    } else if (r->crop_pct > 1) {
        r->resize = (peft_opt_side){ .word = -1, .height = io_before_crop(r, r->size.height) };
        r->crop_pct = 1;
    }
    if (r->erase > 0) {
        double low = r->erase_ratio[0];
        r->erase_ratio[0] = 1 / r->erase_ratio[1];
        r->erase_ratio[1] = 1 / low;
        if (r->erase_fill == IO_ERASE_RANDOM) r->erase_fill = IO_ERASE_UNIFORM;
    }
}

/* Refuses a crop_pct above 1, one without effect, and one by which the resized image is too small or too large. */
static peft_status check_geometry(const io_recipe *r)
{
    char given[32];
    const bool given_in_pixels = r->resize.word < 0;          /* resize=N or HxW */
    const bool uses_crop_pct = !given_in_pixels && r->resize.word != IO_RESIZE_NONE;
    if (r->crop_pct > 1)
        return io_fail(PEFT_E_OPTION, "transform: crop_pct=%s: the side of the crop over the resized side, expected "
                       "above 0 and up to 1 (0.875, not 87.5); give a size in pixels as resize=N",
                       peft_sys_opt_number(given, r->crop_pct));
    if (!uses_crop_pct && r->crop_pct != 1)
        return io_fail(PEFT_E_OPTION, "transform: crop_pct=%s has no effect with this resize, which gives the size "
                       "in pixels; leave crop_pct out, or use resize=shorter, squash or longest",
                       peft_sys_opt_number(given, r->crop_pct));
    for (int i = 0; i < 2; i++) {
        const double side = (double)(i ? r->size.width : r->size.height) / r->crop_pct;
        if (floor(side) < 1 || side > 1 << 20)
            return io_fail(PEFT_E_OPTION, "transform: size / crop_pct = %s pixels, expected 1 to 1048576",
                           peft_sys_opt_number(given, side));
    }
    return PEFT_OK;
}

/* Prints v / divisor as "a:b:c", rounded to nine decimals so that 57.12 / 255 gives 0.224. */
static const char *print_divided(char text[100], const double v[3], double divisor)
{
    char number[3][32];
    for (int c = 0; c < 3; c++) peft_sys_opt_number(number[c], round(1e9 * v[c] / divisor) / 1e9);
    snprintf(text, 100, "%s:%s:%s", number[0], number[1], number[2]);
    return text;
}

/* Refuses mean and std that are meant for samples in 0..255, as some frameworks state them. */
static peft_status check_normalisation(const io_recipe *r)
{
    bool large = false;
    for (int c = 0; c < 3; c++) large |= r->mean[c] > 1 || r->std[c] > 2;
    if (!large) return PEFT_OK;
    char mean[100], std[100], scaled_mean[100], scaled_std[100];
    return io_fail(PEFT_E_OPTION, "transform: mean=%s, std=%s are for samples in 0..255; here samples are 0..1; "
                   "expected mean=%s,std=%s", print_divided(mean, r->mean, 1), print_divided(std, r->std, 1),
                   print_divided(scaled_mean, r->mean, 255), print_divided(scaled_std, r->std, 255));
}

/* The side of a resize that was given for old_size, in proportion for another size: 256 for size 224 becomes 439 for
 * size 384. */
static int64_t scale_side(int64_t side, int64_t size, int64_t old_size)
{
    int64_t v = (int64_t)floor((double)side * (double)size / (double)old_size + 0.5);
    return v < 1 ? 1 : v > 1 << 20 ? 1 << 20 : v;
}

static int64_t shorter(peft_opt_side s) { return s.height < s.width ? s.height : s.width; }

/* Adapts a resize in pixels, which was given for old_size, to the size of r, as peft_backbone_note does: sides change
 * in proportion. But N, the shorter side of the picture, cannot say how large a picture of other proportions must be to
 * cover an input that is not square: resize=shorter can. Its crop_pct is the share of N that was cropped. N below the
 * input covers nothing and stays N. */
static void scale_resize(io_recipe *r, peft_opt_side old_size)
{
    const bool squares = r->size.height == r->size.width && old_size.height == old_size.width;
    const bool same = r->size.height == old_size.height && r->size.width == old_size.width;
    if (r->resize.width) {
        r->resize.height = scale_side(r->resize.height, r->size.height, old_size.height);
        r->resize.width = scale_side(r->resize.width, r->size.width, old_size.width);
    } else if (squares || same || r->resize.height < shorter(old_size)) {
        r->resize.height = scale_side(r->resize.height, shorter(r->size), shorter(old_size));
    } else {
        r->crop_pct = (double)shorter(old_size) / (double)r->resize.height;
        r->resize = (peft_opt_side){ .word = IO_RESIZE_SHORTER };
    }
}

/* Overwrites the settings of r that text gives, and adapts those that depend on them; text may be NULL. A text that
 * gives all settings of earlier versions and no other is taken for that of a saved model. */
static peft_status overwrite(const char *text, io_recipe *r)
{
    const uint64_t old = ((uint64_t)1 << OLD_KEYS) - 1;       /* the bits of all settings of earlier versions */
    const peft_opt_side old_size = r->size;
    uint64_t given;
    peft_status s = peft_sys_opt_read(keys, text, "transform", r, &given);
    if (s) return s;
    if (!r->size.width) r->size.width = r->size.height;
    if (is_given(given, KEY_resize) && !is_given(given, KEY_crop_pct))
        r->crop_pct = r->resize.word == IO_RESIZE_SHORTER ? 0.875 : 1;        /* 0.875: 224 of 256 pixels */
    const bool in_pixels = r->resize.word < 0;                /* resize=N or HxW */
    if (is_given(given, KEY_size) && !is_given(given, KEY_resize) && in_pixels) scale_resize(r, old_size);
    if (given == old) convert_old_settings(r);
    s = check_geometry(r);
    if (!s && (given & old) != old) s = check_normalisation(r);              /* not for the text of a saved model */
    return s;
}

peft_status io_recipe_parse(const char *base, const char *text, io_recipe *r)
{
    peft_status s = peft_sys_opt_defaults(keys, r);
    r->size.width = r->size.height;                           /* the default is a square, "N" */
    if (!s) s = overwrite(base, r);
    return s ? s : overwrite(text, r);
}

peft_status io_recipe_print(peft_context *ctx, const io_recipe *r, char **text)
{
    io_recipe shown = *r;
    if (shown.size.height == shown.size.width) shown.size.width = 0;          /* size=N */
    const size_t size = peft_sys_opt_print(keys, &shown, NULL, 0) + 1;        /* prints nothing, returns the length */
    char *printed = peft_sys_alloc(ctx, size);
    if (!printed) return io_nomem("text of a transform");
    peft_sys_opt_print(keys, &shown, printed, size);
    *text = printed;
    return PEFT_OK;
}
