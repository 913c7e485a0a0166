/* SPDX-License-Identifier: Apache-2.0
 * recipe.c -- the text of a transform: its settings, their defaults, which of them go together, and texts of earlier
 * versions. */
#include "io/transform/recipe.h"
#include <math.h>
#include <stdio.h>

enum {
#define IO_SETTING(kind, name, low, high, words, fallback, help) KEY_##name,
#include "io/transform/recipe.def"
#undef IO_SETTING
    KEYS, KEYS_OF_OLD = KEY_crop_offset                       /* settings of earlier versions: those before this one */
};
_Static_assert(KEYS <= 64, "peft_sys_opt_read reports the settings that a text gives as bits of a uint64_t");

static const peft_opt_key keys[] = {
#define IO_SETTING(kind, name, low, high, words, fallback, help) \
    { { #name, IO_LETTER_##kind, fallback, low, high, help }, offsetof(io_recipe, name), words },
#include "io/transform/recipe.def"
#undef IO_SETTING
    { { 0 }, 0, NULL }
};

const peft_option *peft_transform_option(size_t i) { return peft_sys_opt_row(keys, i); }

/* Whether the text gave this setting. */
static bool sets(uint64_t seen, int key) { return seen >> key & 1; }

/* Gives a text of an earlier version the meaning that it had there, so that a saved model predicts as it was trained:
 * squash ignored crop_pct, crop_pct above 1 was allowed with shorter, the horizontal pass came first, erase_ratio was
 * width / height, and erase_fill=random drew from a uniform distribution. */
static void read_as_old(io_recipe *r)
{
    r->resize_order = IO_PILLOW12;
    if (r->resize.word == IO_SQUASH) {
        r->crop_pct = 1;
    } else if (r->crop_pct > 1) {
        r->resize = (peft_opt_side){ -1, (int64_t)floor((double)r->size / r->crop_pct), 0 };
        r->crop_pct = 1;
    }
    if (r->erase > 0) {
        double low = r->erase_ratio[0];
        r->erase_ratio[0] = 1 / r->erase_ratio[1];
        r->erase_ratio[1] = 1 / low;
        if (r->erase_fill == IO_ERASE_RANDOM) r->erase_fill = IO_ERASE_UNIFORM;
    }
}

static peft_status check_geometry(const io_recipe *r)
{
    char given[32];
    const bool uses_crop_pct = r->resize.word >= 0 && r->resize.word != IO_NONE;
    if (r->crop_pct > 1)
        return io_fail(PEFT_E_OPTION, "transform: crop_pct=%s: the part of the resized side that the crop keeps, "
                       "expected above 0 and up to 1 (0.875, not 87.5); resize=N says a size in pixels",
                       peft_sys_opt_number(given, r->crop_pct));
    if (!uses_crop_pct && r->crop_pct != 1)
        return io_fail(PEFT_E_OPTION, "transform: crop_pct=%s has no effect with this resize, which gives the size "
                       "in pixels; leave crop_pct out, or use resize=shorter, squash or longest",
                       peft_sys_opt_number(given, r->crop_pct));
    if (floor((double)r->size / r->crop_pct) < 1 || (double)r->size / r->crop_pct > 1 << 20)
        return io_fail(PEFT_E_OPTION, "transform: size / crop_pct = %s pixels, expected 1 to 1048576",
                       peft_sys_opt_number(given, (double)r->size / r->crop_pct));
    return PEFT_OK;
}

/* v / by as "a:b:c", without the digits behind the ninth decimal, which the division makes (57.12 / 255 is 0.224). */
static const char *triple(char text[100], const double v[3], double by)
{
    char one[3][32];
    for (int c = 0; c < 3; c++) peft_sys_opt_number(one[c], round(1e9 * v[c] / by) / 1e9);
    snprintf(text, 100, "%s:%s:%s", one[0], one[1], one[2]);
    return text;
}

/* Refuses mean and std of samples in 0..255, as some configurations state them: here samples are in 0..1. */
static peft_status check_normalisation(const io_recipe *r)
{
    bool large = false;
    for (int c = 0; c < 3; c++) large |= r->mean[c] > 1 || r->std[c] > 2;
    if (!large) return PEFT_OK;
    char mean[100], std[100], mean_of_1[100], std_of_1[100];
    return io_fail(PEFT_E_OPTION, "transform: mean=%s, std=%s: these count samples as 0..255, here they are 0..1; "
                   "expected mean=%s,std=%s", triple(mean, r->mean, 1), triple(std, r->std, 1),
                   triple(mean_of_1, r->mean, 255), triple(std_of_1, r->std, 255));
}

/* A resize in pixels of the base text for another size: resize=256 of size=224 becomes 439 for size=384. */
static int64_t in_proportion(int64_t side, int64_t size, int64_t old_size)
{
    int64_t v = (int64_t)floor((double)side * (double)size / (double)old_size + 0.5);
    return v < 1 ? 1 : v > 1 << 20 ? 1 << 20 : v;
}

/* Overwrites the settings of r that text gives; text may be NULL. */
static peft_status lay_over(const char *text, io_recipe *r)
{
    const uint64_t old = ((uint64_t)1 << KEYS_OF_OLD) - 1;
    int64_t old_size = r->size;
    uint64_t seen;
    peft_status s = peft_sys_opt_read(keys, text, "transform", r, &seen);
    if (s) return s;
    if (sets(seen, KEY_resize) && !sets(seen, KEY_crop_pct))
        r->crop_pct = r->resize.word == IO_SHORTER ? 0.875 : 1;
    if (sets(seen, KEY_size) && !sets(seen, KEY_resize) && r->resize.word < 0) {
        r->resize.height = in_proportion(r->resize.height, r->size, old_size);
        if (r->resize.width) r->resize.width = in_proportion(r->resize.width, r->size, old_size);
    }
    if (seen == old) read_as_old(r);
    s = check_geometry(r);
    if (!s && (seen & old) != old) s = check_normalisation(r);               /* a model's saved text is not refused */
    return s;
}

peft_status io_recipe_parse(const char *base, const char *text, io_recipe *r)
{
    peft_status s = peft_sys_opt_defaults(keys, r);
    if (!s) s = lay_over(base, r);
    return s ? s : lay_over(text, r);
}

peft_status io_recipe_print(peft_context *ctx, const io_recipe *r, char **text)
{
    const size_t room = peft_sys_opt_print(keys, r, NULL, 0) + 1;
    char *t = peft_sys_alloc(ctx, room);
    if (!t) return io_nomem("text of settings");
    peft_sys_opt_print(keys, r, t, room);
    *text = t;
    return PEFT_OK;
}
