/* SPDX-License-Identifier: Apache-2.0
 * prep_text.c -- writes the preprocessing of pictures as settings for peft_transform_parse, and rewrites such settings
 * for an input of another side. */
#include "core/describe/prep.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/base/error.h"
#include "core/options/options.h"
#include "core/options/text.h"
#include "core/options/value.h"

const char *pf_prep_filter(const json_t *v)
{
    /* in the order of Pillow's numbers */
    static const char *const pillow[] = { "nearest", "lanczos", "bilinear", "bicubic", "box", "hamming" };
    const char *s = json_string_value(v);
    const json_int_t number = json_is_integer(v) ? json_integer_value(v) : -1;
    const json_int_t count = sizeof pillow / sizeof *pillow;
    for (json_int_t i = 0; i < count; i++) if (s ? !strcmp(s, pillow[i]) : number == i) return pillow[i];
    return NULL;
}

void pf_prep_print_triple(const double v[3], char *text, size_t capacity)
{
    char numbers[3][40];
    for (int i = 0; i < 3; i++) pf_print_float(numbers[i], sizeof numbers[i], v[i]);
    snprintf(text, capacity, "%s:%s:%s", numbers[0], numbers[1], numbers[2]);
}

/* Appends ",name=a:b:c". */
static void add_triple(char *text, const char *name, const double v[3])
{
    char value[128];
    const size_t used = strlen(text);
    pf_prep_print_triple(v, value, sizeof value);
    snprintf(text + used, PF_PREP_MAX - used, ",%s=%s", name, value);
}

void pf_prep_text(const pf_prep *p, char text[PF_PREP_MAX])
{
    /* in the order of pf_fit, for the fits with a crop_pct */
    static const char *const fit_name[] = { "shorter", "squash", "longest", "longest_mean" };
    char resize[64], pct[40], size[PF_SIDES_MAX];
    pf_print_float(pct, sizeof pct, p->crop_pct);
    const long long height = p->height, width = p->width;
    if (p->fit == PF_FIT_SIDE) snprintf(resize, sizeof resize, "%lld", height);
    else if (p->fit == PF_FIT_BOX) snprintf(resize, sizeof resize, "%lldx%lld", height, width);
    else if (p->fit == PF_FIT_NONE) snprintf(resize, sizeof resize, "none");
    else snprintf(resize, sizeof resize, "%s,crop_pct=%s", fit_name[p->fit], pct);
    snprintf(text, PF_PREP_MAX, "size=%s,resize=%s,crop_offset=%s,alpha=%s,interpolation=%s",
             pf_sides_text(size, p->size), resize, p->floor_offset ? "floor" : "round", p->white ? "white" : "drop",
             p->interpolation);
    add_triple(text, "mean", p->mean);
    add_triple(text, "std", p->std);
}

/* Finds the setting of that name; false: text does not have it, or is malformed before it. */
static bool find_setting(const char *text, const char *name, pf_setting *out)
{
    const size_t n = strlen(name);
    while (pf_setting_next(&text, out) && !out->error)
        if (out->name_length == n && !memcmp(out->name, name, n)) return true;
    return false;
}

bool pf_prep_value(const char *text, const char *name, char *out, size_t capacity)
{
    pf_setting setting;
    const bool fits = find_setting(text, name, &setting) && pf_setting_value(&setting, out, capacity);
    if (!fits) *out = 0;
    return fits && *out;
}

/* pixels * to / from, rounded to nearest. */
static int64_t in_proportion(int64_t pixels, int64_t from, int64_t to)
{
    return llround((double)pixels * (double)to / (double)from);
}

enum { SIDE_MAX = 1 << 24 };                       /* of a picture, in pixels */

static int64_t shorter(pf_grid g) { return g.h < g.w ? g.h : g.w; }

/* Writes to text the value of resize=N or resize=HxW for another input; false: the value is a word, such as squash, or
 * too large, and does not change. Sides change in proportion to those of the input. But N, the shorter side of the
 * picture, cannot say how large a picture of other proportions must be to cover an input that is not square:
 * resize=shorter can. Its crop_pct is the share of N that was cropped. N below the input covers nothing and stays N. */
static bool scale_resize(const char *resize, pf_grid from, pf_grid to, char text[64])
{
    int64_t height, width;
    char pct[40];
    if (!pf_value_sides(resize, &height, &width) || height > SIDE_MAX || width > SIDE_MAX) return false;
    const bool square = from.h == from.w && to.h == to.w;
    if (width) snprintf(text, 64, "%lldx%lld", (long long)in_proportion(height, from.h, to.h),
                        (long long)in_proportion(width, from.w, to.w));
    else if (square || pf_grid_equal(from, to) || height < shorter(from))
        snprintf(text, 64, "%lld", (long long)in_proportion(height, shorter(from), shorter(to)));
    else {
        pf_print_float(pct, sizeof pct, (double)shorter(from) / (double)height);
        snprintf(text, 64, "shorter,crop_pct=%s", pct);
    }
    return true;
}

/* Replaces the length bytes at start, which points into the settings, by text. */
typedef struct { const char *start; size_t length; char text[64]; } edit;

/* Copies text to out with n edits, which are in the order of their start. */
static peft_status apply_edits(const char *text, const edit *edits, int n, char out[PF_PREP_MAX])
{
    size_t used = 0;
    for (int i = 0; i <= n; i++) {
        const size_t copied = i < n ? (size_t)(edits[i].start - text) : strlen(text);
        const size_t added = i < n ? strlen(edits[i].text) : 0;
        if (used + copied + added >= PF_PREP_MAX)
            return pf_fail(PEFT_E_FORMAT, "preprocess: expected at most %d bytes", PF_PREP_MAX - 1);
        memcpy(out + used, text, copied);
        if (i < n) memcpy(out + used + copied, edits[i].text, added);
        used += copied + added;
        if (i < n) text = edits[i].start + edits[i].length;
    }
    out[used] = 0;
    return PEFT_OK;
}

/* Makes the edits for another input: of "size", and of "resize" if it is in pixels, in the order of the text. Returns
 * their number; 0: the text has no valid size. */
static int find_edits(const char *text, pf_grid side, edit edits[2])
{
    pf_setting size, resize;
    char value[64];
    pf_grid from;
    if (!find_setting(text, "size", &size) || !pf_setting_value(&size, value, sizeof value)) return 0;
    if (!pf_sides_read(value, &from) || from.h > SIDE_MAX || from.w > SIDE_MAX) return 0;
    edits[0] = (edit){ .start = size.value, .length = size.value_length };
    pf_sides_text(edits[0].text, side);
    if (!find_setting(text, "resize", &resize) || !pf_setting_value(&resize, value, sizeof value)) return 1;
    edits[1] = (edit){ .start = resize.value, .length = resize.value_length };
    if (!scale_resize(value, from, side, edits[1].text)) return 1;
    if (edits[1].start < edits[0].start) {
        const edit first = edits[1];
        edits[1] = edits[0];
        edits[0] = first;
    }
    return 2;
}

peft_status pf_prep_scale(const char *text, pf_grid side, char out[PF_PREP_MAX])
{
    edit edits[2];
    for (const char *s = text; *s; s++)
        if (*s < ' ' || *s > '~') return pf_fail(PEFT_E_FORMAT, "preprocess: expected printable ASCII characters only");
    const int n = find_edits(text, side, edits);
    if (!n) return pf_fail(PEFT_E_FORMAT, "preprocess: given '%.60s', expected settings with size=N or HxW", text);
    return apply_edits(text, edits, n, out);
}
