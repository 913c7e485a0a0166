/* SPDX-License-Identifier: Apache-2.0
 * prep_timm.c -- reads the preprocessing of timm (pretrained_cfg) and open_clip (preprocess_cfg); absent keys have that
 * library's defaults. Both crop with torchvision and drop the alpha channel. */
#include <stdio.h>
#include <string.h>
#include "core/arch/arch.h"
#include "core/describe/config.h"

enum { SIDE_MAX = 1 << 24 };
enum sign { ANY_SIGN, ABOVE_ZERO };
/* Reads a number, or a list of three, of the required sign. */
static peft_status read_triple(const json_t *cfg, const char *key, enum sign required, double out[3])
{
    const json_t *v = pf_json_get(cfg, key);
    if (!v) return PEFT_OK;
    const bool positive = required == ABOVE_ZERO, valid = pf_json_triple(v, out);
    if (!valid || (positive && !(out[0] > 0 && out[1] > 0 && out[2] > 0)))
        return pf_json_invalid(key, v, positive ? "a number above 0, or three of them" : "a number, or three of them");
    return PEFT_OK;
}

/* Sets *index, which holds the default, to the index of the file's word in words; an unknown word gives the index of
 * the NULL that ends words. */
static peft_status choose(const json_t *cfg, const char *key, const char *const *words, int *index)
{
    const json_t *v = pf_json_get(cfg, key);
    const char *s = json_string_value(v);
    if (!v) return PEFT_OK;
    if (!s) return pf_json_invalid(key, v, "a text");
    for (*index = 0; words[*index] && strcmp(words[*index], s);) ++*index;
    return PEFT_OK;
}

/* Sets the interpolation; a filter that is not Pillow's is recorded as inexpressible. */
static peft_status read_filter(const json_t *cfg, pf_prep *p)
{
    const json_t *v = pf_json_get(cfg, "interpolation");
    if (!v) return PEFT_OK;
    if (!json_is_string(v)) return pf_json_invalid("interpolation", v, "the name of a filter");
    const char *name = pf_prep_filter(v);
    if (name) p->interpolation = name;
    else snprintf(p->inexpressible, sizeof p->inexpressible, "interpolation '%.40s'", json_string_value(v));
    return PEFT_OK;
}

/* Sets size and crop_pct from input_size and crop_pct or, as timm does, from test_input_size and test_crop_pct if the
 * network will work at test_input_size. */
static peft_status read_sizes(const json_t *cfg, pf_grid side, pf_prep *p)
{
    const json_t *input = pf_json_get(cfg, "input_size"), *test = pf_json_get(cfg, "test_input_size");
    const json_t *pct = pf_json_get(cfg, "crop_pct"), *test_pct = pf_json_get(cfg, "test_crop_pct");
    pf_grid size = { 224, 224 }, other = { 0, 0 };
    if (input && !pf_json_sides(input, &size.h, &size.w))
        return pf_json_invalid("input_size", input, "[3, height, width]");
    if (test && !pf_json_sides(test, &other.h, &other.w))
        return pf_json_invalid("test_input_size", test, "[3, height, width]");
    const bool use_test = test && side.h && pf_grid_equal(side, other) && !pf_grid_equal(side, size);
    if (use_test) size = other;
    if (use_test && test_pct) pct = test_pct;
    p->crop_pct = pct && json_number_value(pct) != 0 ? json_number_value(pct) : 0.875;
    if (pct && (!json_is_number(pct) || p->crop_pct < 0)) return pf_json_invalid("crop_pct", pct, "a number above 0");
    if (size.h < 1 || size.h > SIDE_MAX || size.w < 1 || size.w > SIDE_MAX)
        return pf_json_invalid("input_size", input, "sides above 0");
    p->size = size;
    if (p->crop_pct > 1)
        snprintf(p->inexpressible, sizeof p->inexpressible, "crop_pct above 1 (which pads the picture)");
    return PEFT_OK;
}

peft_status pf_prep_timm(const json_t *cfg, pf_grid side, pf_prep *p)
{
    enum { CENTER, SQUASH, BORDER };
    static const char *const modes[] = { "center", "squash", "border", NULL };
    int mode = CENTER;
    *p = (pf_prep){ .stated = true, .interpolation = "bicubic", .mean = PF_IMAGENET_MEAN,
                    .std = PF_IMAGENET_STD };
    PF_TRY(read_sizes(cfg, side, p));
    PF_TRY(read_triple(cfg, "mean", ANY_SIGN, p->mean));
    PF_TRY(read_triple(cfg, "std", ABOVE_ZERO, p->std));
    PF_TRY(read_filter(cfg, p));
    PF_TRY(choose(cfg, "crop_mode", modes, &mode));
    p->fit = mode == SQUASH ? PF_FIT_SQUASH : mode == BORDER ? PF_FIT_LONGEST_MEAN
                            : PF_FIT_SHORTER;                                /* timm treats an unknown mode as center */
    return PEFT_OK;
}

peft_status pf_prep_open_clip(const json_t *cfg, int64_t side, pf_prep *p)
{
    enum { SHORTEST, SQUASH, LONGEST, OTHER_MODE };
    enum { BICUBIC, BILINEAR, RANDOM, OTHER_FILTER };
    static const char *const modes[] = { "shortest", "squash", "longest", NULL };
    static const char *const filters[] = { "bicubic", "bilinear", "random", NULL };
    const char *inexpressible = "";
    int mode = SHORTEST, filter_index = BICUBIC;
    *p = (pf_prep){ .stated = true, .size = { side, side }, .crop_pct = 1, .mean = PF_CLIP_MEAN, .std = PF_CLIP_STD };
    PF_TRY(read_triple(cfg, "mean", ANY_SIGN, p->mean));
    PF_TRY(read_triple(cfg, "std", ABOVE_ZERO, p->std));
    PF_TRY(choose(cfg, "interpolation", filters, &filter_index));
    PF_TRY(choose(cfg, "resize_mode", modes, &mode));
    p->interpolation = filter_index == BILINEAR ? "bilinear" : "bicubic"; /* "random": bicubic for prediction */
    p->fit = mode == SQUASH ? PF_FIT_SQUASH : mode == LONGEST ? PF_FIT_LONGEST : PF_FIT_SHORTER;
    if (filter_index == OTHER_FILTER) inexpressible = "an interpolation other than bicubic and bilinear";
    if (mode == OTHER_MODE) inexpressible = "a resize_mode other than shortest, squash and longest";
    const json_t *fill = pf_json_get(cfg, "fill_color");
    if (mode == LONGEST && fill && json_number_value(fill) != 0) inexpressible = "a fill_color other than 0";
    snprintf(p->inexpressible, sizeof p->inexpressible, "%s", inexpressible);
    return PEFT_OK;
}
