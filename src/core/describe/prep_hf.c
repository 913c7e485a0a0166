/* SPDX-License-Identifier: Apache-2.0
 * prep_hf.c -- reads the preprocessing of an image processor of transformers (5.24): preprocessor_config.json, or
 * image_processor in processor_config.json. Absent keys have the default of the processor's class. The processors crop
 * at (side - crop) / 2 rounded down, and draw transparent pixels on white if they convert to RGB. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "core/arch/arch.h"
#include "core/base/error.h"
#include "core/describe/config.h"

/* mean, std */
#define HALF_STATISTICS     { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 }
#define IMAGENET_STATISTICS PF_IMAGENET_MEAN, PF_IMAGENET_STD
#define CLIP_STATISTICS     PF_CLIP_MEAN, PF_CLIP_STD
/* Defaults of a processor class; the rows of families (core/arch) say which model_type uses it. size: 224: resize to a
 * square of 224; -224: resize the shorter side to 224. crop, crops: crop_size, do_center_crop; square:
 * default_to_square; rgb: do_convert_rgb. */
typedef struct {
    const char *class, *interpolation;
    double mean[3], std[3];
    int size, crop;
    bool crops, square, rgb;
} processor;
static const processor classes[] = {
    { "ViT", "bilinear", HALF_STATISTICS, 224, 224, false, true, false },
    { "DeiT", "bicubic", HALF_STATISTICS, 256, 224, true, true, false },
    { "CLIP", "bicubic", CLIP_STATISTICS, -224, 224, true, false, true },
    { "Bit", "bicubic", CLIP_STATISTICS, -224, 224, true, false, true },
    { "ChineseCLIP", "bicubic", CLIP_STATISTICS, -224, 224, true, false, true },
    { "Siglip", "bicubic", HALF_STATISTICS, 224, 224, false, false, true },
    { "Beit", "bicubic", HALF_STATISTICS, 224, 224, false, true, false },
    { "DPT", "bicubic", HALF_STATISTICS, 384, 384, false, true, false },
    { "DINOv3ViT", "bilinear", IMAGENET_STATISTICS, 224, 224, false, true, false } };
/* Settings that change the pixels and that the settings of a transform (pf_prep_text) cannot express. */
static const char *const unsupported[] = {
    "do_pad", "do_flip_channel_order", "do_thumbnail", "do_align_long_axis", "do_grayscale",
    "do_split_image", "do_image_splitting", "keep_aspect_ratio", "rescale_offset", "crop_pct", "size_divisor",
    "do_color_quantize", "use_square_size" };
#define COUNT(a) (sizeof(a) / sizeof *(a))
static const bool on_by_default = true;                 /* the value of an absent flag, in every class */

__attribute__((format(printf, 2, 3)))
/* Records a setting that pf_prep_text cannot write; if there are several, the first is kept. */
static void cannot_express(pf_prep *p, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    if (!*p->inexpressible) vsnprintf(p->inexpressible, sizeof p->inexpressible, format, ap);
    va_end(ap);
}

/* The row of the class that the file names, or of the usual class if it names none; NULL: no row. CLIPImageProcessor,
 * CLIPImageProcessorFast and CLIPFeatureExtractor have the same row. *class becomes the name in the file, or NULL. */
static const processor *find_class(const json_t *o, const char *usual, const char **class)
{
    const char *s = json_string_value(pf_json_get(o, "image_processor_type"));
    if (!s) s = json_string_value(pf_json_get(o, "feature_extractor_type"));
    *class = s;
    for (size_t i = 0; i < COUNT(classes); i++) {
        const size_t n = strlen(classes[i].class);
        const bool named = s && !strncmp(s, classes[i].class, n)
                        && (!strncmp(s + n, "ImageProcessor", 14) || !strcmp(s + n, "FeatureExtractor"));
        if (s ? named : usual && !strcmp(usual, classes[i].class)) return &classes[i];
    }
    return NULL;
}

/* A size that the file gives as N, [height, width] or an object: either height and width, or the shorter side. What is
 * not given is 0. */
typedef struct { int64_t height, width, shorter; } sides;
/* What a file means by a size N: a square of that side, or pictures whose shorter side is N. */
typedef enum { SQUARE, SHORTER_SIDE } number_meaning;
/* Reads such a size. A size by the longest edge is recorded as inexpressible. */
static peft_status read_size(const json_t *o, const char *key, number_meaning meaning, sides *out, pf_prep *p)
{
    const json_t *v = pf_json_get(o, key);
    static const char expected[] = "a number of pixels, or an object of height and width, or of shortest_edge";
    if (!v) return PEFT_OK;
    *out = (sides){ 0, 0, 0 };
    if (json_is_object(v)) {
        out->height = json_integer_value(json_object_get(v, "height"));
        out->width = json_integer_value(json_object_get(v, "width"));
        out->shorter = json_integer_value(json_object_get(v, "shortest_edge"));
        if (pf_json_get(v, "longest_edge") || pf_json_get(v, "max_height") || pf_json_get(v, "max_width")) {
            cannot_express(p, "%s by the longest edge", key);
            return PEFT_OK;
        }
    } else if (json_is_integer(v) && meaning == SHORTER_SIDE) out->shorter = json_integer_value(v);
    else if (!pf_json_sides(v, &out->height, &out->width)) return pf_json_invalid(key, v, expected);
    enum { SIDE_MAX = 1 << 20 };
    const bool box = out->height > 0 && out->width > 0 && out->height <= SIDE_MAX && out->width <= SIDE_MAX;
    const bool shorter = out->shorter > 0 && out->shorter <= SIDE_MAX;
    return box != shorter ? PEFT_OK : pf_json_invalid(key, v, expected);             /* exactly one of them */
}

/* Reads one number or three; without the key out stays. */
static peft_status read_triple(const json_t *o, const char *key, double out[3])
{
    const json_t *v = pf_json_get(o, key);
    return !v || pf_json_triple(v, out) ? PEFT_OK : pf_json_invalid(key, v, "a number, or three of them");
}

/* Sets mean and std. The processor computes (f v - mean) / std of samples v in 0..255; a transform computes
 * (v / 255 - m) / s, which is the same for m = mean / (255 f) and s = std / (255 f). */
static peft_status read_normalisation(const json_t *o, pf_prep *p)
{
    bool normalise, rescale;
    const json_t *factor = pf_json_get(o, "rescale_factor");
    PF_TRY(pf_json_bool_or(o, "do_normalize", on_by_default, &normalise));
    PF_TRY(pf_json_bool_or(o, "do_rescale", on_by_default, &rescale));
    PF_TRY(read_triple(o, "image_mean", p->mean));
    PF_TRY(read_triple(o, "image_std", p->std));
    double f = rescale ? factor ? json_number_value(factor) : 1.0 / 255 : 1;
    if (!(f > 0)) return pf_json_invalid("rescale_factor", factor, "a number above 0");
    f = fabs(255 * f - 1) < 1e-6 ? 1 : 255 * f;         /* 1 for the usual 1 / 255, also if rounded */
    for (int c = 0; c < 3; c++) {
        if (!(p->std[c] > 0)) return pf_json_invalid("image_std", pf_json_get(o, "image_std"), "numbers above 0");
        p->mean[c] = normalise ? p->mean[c] / f : 0;
        p->std[c] = normalise ? p->std[c] / f : 1 / f;
    }
    return PEFT_OK;
}

/* Sets fit, sides and crop by the processor's two steps, resizing and cropping. A result that is not square is recorded
 * as inexpressible. */
static void set_geometry(bool resizes, const sides *size, bool crops, const sides *crop, pf_prep *p)
{
    const bool squash = resizes && size->height && size->height == size->width && !crops;
    p->crop_pct = 1;
    p->fit = squash ? PF_FIT_SQUASH : !resizes ? PF_FIT_NONE : size->shorter ? PF_FIT_SIDE : PF_FIT_BOX;
    p->height = size->shorter ? size->shorter : size->height;
    p->width = size->width;
    const int64_t side = crops ? crop->height : size->height;
    p->size = (pf_grid){ side, side };
    if (crops && (!crop->height || crop->height != crop->width))
        cannot_express(p, "crop_size %lld x %lld, which is not square", (long long)crop->height,
                       (long long)crop->width);
    else if (!crops && !resizes)
        cannot_express(p, "neither do_resize nor do_center_crop, so that inputs keep the size of the picture");
    else if (!crops && size->shorter)
        cannot_express(p, "size by the shortest edge without do_center_crop, so that inputs are not square");
    else if (!crops && !squash)
        cannot_express(p, "size %lld x %lld, which is not square", (long long)size->height, (long long)size->width);
}

/* Sets the defaults of a class. A size below 0 is that of the shorter side. */
static void set_defaults(const processor *defaults, sides *size, sides *crop, pf_prep *p)
{
    *p = (pf_prep){ .stated = true, .floor_offset = true, .interpolation = defaults->interpolation };
    memcpy(p->mean, defaults->mean, sizeof p->mean);
    memcpy(p->std, defaults->std, sizeof p->std);
    const int side = defaults->size;
    *size = side > 0 ? (sides){ side, side, 0 } : (sides){ 0, 0, -side };
    *crop = (sides){ defaults->crop, defaults->crop, 0 };
}

/* Checks a file without a known class. If it names an unknown class, its preprocessing is inexpressible. If it names
 * none, it must have all keys whose defaults differ between classes. */
static void check_class(const json_t *o, const char *class, pf_prep *p)
{
    static const char *const needed[] = { "size", "image_mean", "image_std", "resample" };
    if (class) cannot_express(p, "image_processor_type '%.60s', which is not known", class);
    for (size_t i = 0; i < COUNT(needed); i++)
        if (!pf_json_get(o, needed[i])) cannot_express(p, "no image_processor_type and no %s", needed[i]);
}

/* Records settings that a transform does not have. */
static void check_special(const json_t *o, const processor *defaults, pf_prep *p)
{
    for (size_t i = 0; i < COUNT(unsupported); i++) {
        const json_t *v = pf_json_get(o, unsupported[i]);
        if (v && !json_is_false(v)) cannot_express(p, "%s", unsupported[i]);
    }
    if (json_integer_value(pf_json_get(o, "ensure_multiple_of")) > 1) cannot_express(p, "ensure_multiple_of");
    if (!strcmp(defaults->class, "DINOv3ViT"))
        cannot_express(p, "resizing after the division by 255, without rounding to 8 bits");
}

/* Starts with the defaults of the class and replaces those that the file states. */
peft_status pf_prep_hf(const json_t *o, const char *usual, pf_prep *p)
{
    const char *class;
    const processor *row = find_class(o, usual, &class);
    const processor *defaults = row ? row : classes;                     /* unknown class: those of ViT */
    const json_t *filter = pf_json_get(o, "resample");
    /* in a file without a known class the key crop_size tells that a crop follows */
    const bool crop_default = row ? row->crops : pf_json_get(o, "crop_size") != NULL;
    sides size, crop;
    bool resizes, crops, square;
    set_defaults(defaults, &size, &crop, p);
    if (!row) check_class(o, class, p);
    check_special(o, defaults, p);
    if (filter && !(p->interpolation = pf_prep_filter(filter)))
        return pf_json_invalid("resample", filter, "Pillow's number of a filter, 0 to 5");
    PF_TRY(pf_json_bool_or(o, "do_resize", on_by_default, &resizes));
    PF_TRY(pf_json_bool_or(o, "do_center_crop", crop_default, &crops));
    PF_TRY(pf_json_bool_or(o, "do_convert_rgb", defaults->rgb, &p->white));
    PF_TRY(pf_json_bool_or(o, "default_to_square", defaults->square, &square));
    PF_TRY(read_size(o, "size", square ? SQUARE : SHORTER_SIDE, &size, p));
    PF_TRY(read_size(o, "crop_size", SQUARE, &crop, p));
    PF_TRY(read_normalisation(o, p));
    set_geometry(resizes, &size, crops, &crop, p);
    return PEFT_OK;
}
