/* SPDX-License-Identifier: Apache-2.0
 * save_prep.c -- writes the note "preprocess" as an image processor of Hugging Face (preprocessor_config.json). Their
 * processors always round the crop's offset down and draw transparent pixels on white, so that a note with other
 * settings is written inexactly; the header of the weights has it exactly. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"
#include "core/options/value.h"
#include "core/weights/save/save.h"

/* Values of the note's settings; "": the note does not have the setting. */
typedef struct {
    char size[16], resize[24], pct[32], filter[16], mean[100], std[100], grey[8], range[64], offset[8];
} settings;

/* Fills in s by the settings of the note. */
static void read_settings(const char *text, settings *s)
{
    const struct { const char *name; char *value; size_t capacity; } rows[] = {
        { "size", s->size, sizeof s->size }, { "resize", s->resize, sizeof s->resize },
        { "crop_pct", s->pct, sizeof s->pct }, { "interpolation", s->filter, sizeof s->filter },
        { "mean", s->mean, sizeof s->mean }, { "std", s->std, sizeof s->std }, { "grey", s->grey, sizeof s->grey },
        { "range", s->range, sizeof s->range }, { "crop_offset", s->offset, sizeof s->offset } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        pf_prep_value(text, rows[i].name, rows[i].value, rows[i].capacity);
}

enum sign { ANY_SIGN, ABOVE_ZERO };
/* Writes "a:b:c", or one number that stands for three, as members of a JSON list: "a, b, c". false: text is neither, or
 * a number does not have the required sign. */
static bool list_of(const char *text, enum sign required, char out[128])
{
    double v[3];
    char number[3][40];
    if (!pf_value_numbers(text, 3, v) || (required == ABOVE_ZERO && !(v[0] > 0 && v[1] > 0 && v[2] > 0))) return false;
    for (int i = 0; i < 3; i++) pf_print_float(number[i], sizeof number[i], v[i]);
    return snprintf(out, 128, "%s, %s, %s", number[0], number[1], number[2]) < 128;
}

enum { PILLOW_FILTERS = 6 };                        /* numbered from 0 */
/* Pillow's number of the filter; -1: it has none. */
static int filter_number(const char *name)
{
    for (int i = 0; i < PILLOW_FILTERS; i++) {
        json_t *v = json_integer(i);
        const char *known = pf_prep_filter(v);
        json_decref(v);
        if (known && !strcmp(known, name)) return i;
    }
    return -1;
}

/* Writes the size to which the processor resizes, before the crop, as JSON. *crops: a crop follows. false: resize has
 * an unknown value. */
static bool size_of(const settings *s, char *out, size_t capacity, bool *crops)
{
    double pct = 1;
    int64_t side, height, width = 0;
    /* Notes without crop_offset are of an earlier version, in which squash was not followed by a crop. */
    const bool older = !*s->offset, squash = !strcmp(s->resize, "squash");
    if (!pf_parse_int(s->size, &side) || side < 1) return false;
    if (*s->pct && (!pf_parse_float(s->pct, &pct) || !(pct > 0))) return false;
    if (older && squash) pct = 1;
    *crops = !squash || pct != 1;
    height = (int64_t)floor((double)side / pct);
    if (squash) width = height;
    else if (strcmp(s->resize, "shorter") && !pf_value_sides(s->resize, &height, &width)) return false;
    if (width) snprintf(out, capacity, "{\"height\": %lld, \"width\": %lld}", (long long)height, (long long)width);
    else snprintf(out, capacity, "{\"shortest_edge\": %lld}", (long long)height);
    return true;
}

/* The file of class BitImageProcessor, or, for pictures that are not cropped, of ViTImageProcessor. */
bool pf_save_processor(const char *preprocess, char out[PF_PREP_MAX])
{
    settings s = { .size = "" };
    char mean[128], std[128], size[96] = "", crop[96] = "", resize[128] = "";
    bool crops = true;
    read_settings(preprocess, &s);
    const int filter = filter_number(s.filter);
    const bool no_resize = !strcmp(s.resize, "none");
    const bool other_range = *s.range && strcmp(s.range, "full");        /* other samples than all become 0..1 */
    if (!*s.size || !*s.resize || filter < 0) return false;
    if (!list_of(s.mean, ANY_SIGN, mean) || !list_of(s.std, ABOVE_ZERO, std)) return false;
    if (other_range || !strcmp(s.grey, "true") || (!no_resize && !size_of(&s, size, sizeof size, &crops))) return false;
    if (!no_resize) snprintf(resize, sizeof resize, ",\n  \"size\": %s", size);
    if (crops) snprintf(crop, sizeof crop, "  \"crop_size\": {\"height\": %s, \"width\": %s},\n", s.size, s.size);
    return snprintf(out, PF_PREP_MAX, "{\n%s  \"do_center_crop\": %s,\n  \"do_convert_rgb\": true,\n"
                    "  \"do_normalize\": true,\n  \"do_rescale\": true,\n  \"do_resize\": %s,\n"
                    "  \"image_mean\": [%s],\n"
                    "  \"image_processor_type\": \"%sImageProcessor\",\n  \"image_std\": [%s],\n  \"resample\": %d,\n"
                    "  \"rescale_factor\": 0.00392156862745098%s\n}\n", crop, crops ? "true" : "false",
                    no_resize ? "false" : "true", mean, crops ? "Bit" : "ViT", std, filter, resize) < PF_PREP_MAX;
}
