/* SPDX-License-Identifier: Apache-2.0
 * prep_text.c -- writes how pictures are prepared as text for peft_transform_parse, and rewrites such a text for an
 * input of another side. */
#include "core/describe/prep.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "core/base/error.h"
#include "core/options/options.h"

const char *pf_prep_filter(const json_t *v)
{
    static const char *const pillow[] = { "nearest", "lanczos", "bilinear", "bicubic", "box", "hamming" };
    const char *s = json_string_value(v);
    const json_int_t number = json_is_integer(v) ? json_integer_value(v) : -1;
    for (json_int_t i = 0; i < 6; i++) if (s ? !strcmp(s, pillow[i]) : number == i) return pillow[i];
    return NULL;
}

void pf_prep_print_triple(const double v[3], char *text, size_t room)
{
    char one[3][40];
    for (int i = 0; i < 3; i++) pf_print_float(one[i], sizeof one[i], v[i]);
    snprintf(text, room, "%s:%s:%s", one[0], one[1], one[2]);
}

static void add_triple(char *text, const char *name, const double v[3])
{
    char value[128];
    const size_t used = strlen(text);
    pf_prep_print_triple(v, value, sizeof value);
    snprintf(text + used, PF_PREP_MAX - used, ",%s=%s", name, value);
}

void pf_prep_text(const pf_prep *p, char text[PF_PREP_MAX])
{
    static const char *const fit[] = { "shorter", "squash", "none" };
    char resize[64], pct[40];
    pf_print_float(pct, sizeof pct, p->crop_pct);
    const long long height = p->height, width = p->width;
    if (p->fit == PF_FIT_SIDE) snprintf(resize, sizeof resize, "%lld", height);
    else if (p->fit == PF_FIT_BOX) snprintf(resize, sizeof resize, "%lldx%lld", height, width);
    else if (p->fit == PF_FIT_NONE) snprintf(resize, sizeof resize, "none");
    else snprintf(resize, sizeof resize, "%s,crop_pct=%s", fit[p->fit], pct);
    snprintf(text, PF_PREP_MAX, "size=%lld,resize=%s,crop_offset=%s,alpha=%s,interpolation=%s", (long long)p->size,
             resize, p->floor_offset ? "floor" : "round", p->white ? "white" : "drop", p->interpolation);
    add_triple(text, "mean", p->mean);
    add_triple(text, "std", p->std);
}

/* The value of "name=" in text, up to the next comma or blank; NULL: it is not there. */
static const char *value_of(const char *text, const char *name, size_t *length)
{
    const size_t n = strlen(name);
    for (const char *s = text; *s; s += strcspn(s, ", "), s += strspn(s, ", "))
        if (!strncmp(s, name, n) && s[n] == '=') {
            *length = strcspn(s + n + 1, ", ");
            return s + n + 1;
        }
    return NULL;
}

bool pf_prep_word(const char *text, const char *name, char *out, size_t room)
{
    size_t length = 0;
    const char *s = value_of(text, name, &length);
    const bool fits = s && length < room;
    if (fits) memcpy(out, s, length);
    out[fits ? length : 0] = 0;
    return fits && length;
}

bool pf_prep_triple(const char *value, double out[3])
{
    char one[40];
    int n = 0;
    for (; n < 3; n++) {
        const size_t length = strcspn(value, ":");
        if (length >= sizeof one) return false;
        memcpy(one, value, length);
        one[length] = 0;
        if (!pf_parse_float(one, &out[n])) return false;
        value += length;
        if (!*value++) break;
    }
    if (n == 0) out[1] = out[2] = out[0];
    return n == 0 || n == 2;
}

/* The number that length digits at s make; 0: other characters, or a number too large for a side in pixels. */
static int64_t parse_pixels(const char *s, size_t length)
{
    int64_t v = 0;
    for (size_t i = 0; i < length; i++) {
        if (s[i] < '0' || s[i] > '9' || v >= 1 << 24) return 0;
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

static int64_t in_proportion(int64_t pixels, int64_t from, int64_t to)
{
    return llround((double)pixels * (double)to / (double)from);
}

/* The value of resize=N or resize=HxW for another side into text; returns its length, or 0 for a word, which stays. */
static size_t scaled(const char *s, size_t length, int64_t from, int64_t to, char text[64])
{
    const char *x = s ? memchr(s, 'x', length) : NULL;
    const int64_t height = s ? parse_pixels(s, x ? (size_t)(x - s) : length) : 0;
    const int64_t width = x ? parse_pixels(x + 1, length - (size_t)(x - s) - 1) : height;
    if (!height || !width) return 0;
    if (!x) return (size_t)snprintf(text, 64, "%lld", (long long)in_proportion(height, from, to));
    return (size_t)snprintf(text, 64, "%lldx%lld", (long long)in_proportion(height, from, to),
                            (long long)in_proportion(width, from, to));
}

typedef struct { const char *at; size_t length; char text[64]; } change;

/* Copies text to out with n parts of it replaced; the changes are in the order in which they lie in text. */
static peft_status replace(const char *text, const change *c, int n, char out[PF_PREP_MAX])
{
    size_t used = 0;
    for (int i = 0; i <= n; i++) {
        const size_t kept = i < n ? (size_t)(c[i].at - text) : strlen(text), added = i < n ? strlen(c[i].text) : 0;
        if (used + kept + added >= PF_PREP_MAX)
            return pf_fail(PEFT_E_FORMAT, "preprocess: expected at most %d bytes", PF_PREP_MAX - 1);
        memcpy(out + used, text, kept);
        if (i < n) memcpy(out + used + kept, c[i].text, added);
        used += kept + added;
        if (i < n) text = c[i].at + c[i].length;
    }
    out[used] = 0;
    return PEFT_OK;
}

peft_status pf_prep_scale(const char *text, int64_t side, char out[PF_PREP_MAX])
{
    change c[2] = { { NULL, 0, "" }, { NULL, 0, "" } };
    c[0].at = value_of(text, "size", &c[0].length);
    c[1].at = value_of(text, "resize", &c[1].length);
    const int64_t from = c[0].at ? parse_pixels(c[0].at, c[0].length) : 0;
    for (const char *s = text; *s; s++)
        if (*s < ' ' || *s > '~') return pf_fail(PEFT_E_FORMAT, "preprocess: expected printable ASCII characters only");
    if (!from) return pf_fail(PEFT_E_FORMAT, "preprocess: given '%.60s', expected settings with size=N", text);
    snprintf(c[0].text, sizeof c[0].text, "%lld", (long long)side);
    const bool pixels = scaled(c[1].at, c[1].length, from, side, c[1].text) > 0;
    if (pixels && c[1].at < c[0].at) {
        const change first = c[1];
        c[1] = c[0];
        c[0] = first;
    }
    return replace(text, c, pixels ? 2 : 1, out);
}
