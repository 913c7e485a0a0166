/* SPDX-License-Identifier: Apache-2.0
 * save_prep.c -- preprocessor_config.json: the note "preprocess" as an image processor of Hugging Face. Theirs crop at
 * an offset rounded down and lay transparency on white, which no setting changes; the file's header has the exact
 * text. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/options/options.h"
#include "core/options/value.h"
#include "core/weights/save.h"

/* Values of the text's words; "" where it lacks one. */
typedef struct {
    char size[16], resize[24], pct[32], filter[16], mean[100], std[100], grey[8], range[64], offset[8];
} words;

static void read_words(const char *text, words *w)
{
    const struct { const char *name; char *to; size_t room; } rows[] = {
        { "size", w->size, sizeof w->size }, { "resize", w->resize, sizeof w->resize },
        { "crop_pct", w->pct, sizeof w->pct }, { "interpolation", w->filter, sizeof w->filter },
        { "mean", w->mean, sizeof w->mean }, { "std", w->std, sizeof w->std }, { "grey", w->grey, sizeof w->grey },
        { "range", w->range, sizeof w->range }, { "crop_offset", w->offset, sizeof w->offset } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) pf_prep_value(text, rows[i].name, rows[i].to, rows[i].room);
}

/* a:b:c, or one number for three, as the members of a JSON list. */
static bool list_of(const char *text, bool positive, char out[128])
{
    double v[3];
    char one[3][40];
    if (!pf_value_numbers(text, 3, v) || (positive && !(v[0] > 0 && v[1] > 0 && v[2] > 0))) return false;
    for (int i = 0; i < 3; i++) pf_print_float(one[i], sizeof one[i], v[i]);
    return snprintf(out, 128, "%s, %s, %s", one[0], one[1], one[2]) < 128;
}

static int filter_number(const char *name)
{
    for (int i = 0; i < 6; i++) {
        json_t *v = json_integer(i);
        const char *known = pf_prep_filter(v);
        json_decref(v);
        if (known && !strcmp(known, name)) return i;
    }
    return -1;
}

/* Writes the processor's size before the crop as JSON; false: resize has an unknown value. *crops: a crop follows. */
static bool size_of(const words *w, char *out, size_t room, bool *crops)
{
    double pct = 1;
    int64_t side, height, width = 0;
    const bool older = !*w->offset, squash = !strcmp(w->resize, "squash");             /* squash left nothing to crop */
    if (!pf_parse_int(w->size, &side) || side < 1) return false;
    if (*w->pct && (!pf_parse_float(w->pct, &pct) || !(pct > 0))) return false;
    if (older && squash) pct = 1;
    *crops = !squash || pct != 1;
    height = (int64_t)floor((double)side / pct);
    if (squash) width = height;
    else if (strcmp(w->resize, "shorter") && !pf_value_sides(w->resize, &height, &width)) return false;
    if (width) snprintf(out, room, "{\"height\": %lld, \"width\": %lld}", (long long)height, (long long)width);
    else snprintf(out, room, "{\"shortest_edge\": %lld}", (long long)height);
    return true;
}

bool pf_save_processor(const char *preprocess, char out[PF_PREP_MAX])
{
    words w = { "", "", "", "", "", "", "", "", "" };
    char mean[128], std[128], size[96] = "", crop[96] = "", resize[128] = "";
    bool crops = true;
    read_words(preprocess, &w);
    const int filter = filter_number(w.filter);
    const bool none = !strcmp(w.resize, "none");
    const bool range = *w.range && strcmp(w.range, "full");
    if (!*w.size || !*w.resize || filter < 0) return false;
    if (!list_of(w.mean, false, mean) || !list_of(w.std, true, std)) return false;
    if (range || !strcmp(w.grey, "true") || (!none && !size_of(&w, size, sizeof size, &crops))) return false;
    if (!none) snprintf(resize, sizeof resize, ",\n  \"size\": %s", size);
    if (crops) snprintf(crop, sizeof crop, "  \"crop_size\": {\"height\": %s, \"width\": %s},\n", w.size, w.size);
    return snprintf(out, PF_PREP_MAX, "{\n%s  \"do_center_crop\": %s,\n  \"do_convert_rgb\": true,\n"
                    "  \"do_normalize\": true,\n  \"do_rescale\": true,\n  \"do_resize\": %s,\n"
                    "  \"image_mean\": [%s],\n"
                    "  \"image_processor_type\": \"%sImageProcessor\",\n  \"image_std\": [%s],\n  \"resample\": %d,\n"
                    "  \"rescale_factor\": 0.00392156862745098%s\n}\n", crop, crops ? "true" : "false",
                    none ? "false" : "true", mean, crops ? "Bit" : "ViT", std, filter, resize) < PF_PREP_MAX;
}
