/* SPDX-License-Identifier: Apache-2.0
 * area_lines.c -- lines with the area of each class (area_lines.h). */
#include "area_lines.h"
#include "common/program/errors.h"
#include "common/record/json_write.h"
#include "predict/command_line.h"
#include "segment.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A table has its columns before the first picture is read, so that a flag says whether there are areas. */
static bool has_area_columns(void) { return given[spacing].value; }

void put_area_columns(FILE *f, const csv_style *style, const loaded_model *s)
{
    const char *const own[] = { "image", "width", "height" };
    const char *both = name_in_both(own, 3, (const char *const *)s->names, s->classes);
    if (both)
        fail("--format: a class of the model is named '%s', as a column of the table is, so that two columns would "
             "have this name; give --format jsonl, or other names by --class-names", both);
    fprintf(f, "image%cwidth%cheight", style->separator, style->separator);
    for (int unit = 0; unit < (has_area_columns() ? 2 : 1); unit++)
        for (int64_t c = 0; c < s->classes; c++) {
            char *name;
            if (asprintf(&name, unit ? "%s mm2" : "%s", s->names[c]) < 0) fail("out of memory");
            fputc(style->separator, f);
            put_csv_text(f, style, name);
            free(name);
        }
}

/* A JSON object with a number for each class. */
static void put_object(FILE *f, const loaded_model *s, const areas *a, double unit)
{
    for (int64_t c = 0; c < s->classes; c++) {
        fputs(c ? ", " : "{", f);
        put_json_text(f, s->names[c]);
        fprintf(f, ": %.9g", unit * (double)a->pixels[c]);
    }
    fputc('}', f);
}

void put_areas(FILE *f, table_format format, const loaded_model *s, const areas *a)
{
    const double area = a->pixel_mm2;
    const long long width = a->width, height = a->height;
    if (format == FORMAT_JSONL) {
        fprintf(f, ", \"width\": %lld, \"height\": %lld, \"pixels\": ", width, height);
        put_object(f, s, a, 1);
        if (area > 0) fputs(", \"mm2\": ", f), put_object(f, s, a, area);
        fputc('}', f);
    } else if (format == FORMAT_TEXT) {
        fprintf(f, "  %lldx%lld ", height, width);
        for (int64_t c = 0; c < s->classes; c++) {
            fprintf(f, " %s=%lld", s->names[c], (long long)a->pixels[c]);
            if (area > 0) fprintf(f, "(%.9g mm2)", area * (double)a->pixels[c]);
        }
    } else {
        const csv_style *style = style_of_format(format);
        fprintf(f, "%c%lld%c%lld", style->separator, width, style->separator, height);
        for (int64_t c = 0; c < s->classes; c++) fprintf(f, "%c%lld", style->separator, (long long)a->pixels[c]);
        for (int64_t c = 0; c < s->classes && has_area_columns(); c++) {
            fputc(style->separator, f);
            if (area > 0) put_csv_number(f, style, area * (double)a->pixels[c]);
        }
    }
}

/* Reads the text at *at, then a whole number. */
static bool read_number(const char **at, const char *end, const char *before, int64_t *n)
{
    const size_t length = strlen(before);
    char *last;
    if ((size_t)(end - *at) <= length || strncmp(*at, before, length)) return false;
    *at += length;
    if (**at < '0' || **at > '9') return false;
    errno = 0;
    *n = strtoll(*at, &last, 10);
    *at = last;
    return !errno && *n >= 0 && *n < 1ll << 40;
}

/* Are these all pixels of the picture? */
static bool is_whole(int64_t pixels, const areas *a) { return pixels / a->width == a->height && !(pixels % a->width); }

bool read_areas(const loaded_model *s, table_format format, const char *rest, const char *end, areas *a,
                int64_t *pixels)
{
    const bool json = format == FORMAT_JSONL;
    const char separator[] = { json ? ',' : style_of_format(format)->separator, 0 };
    int64_t sum = 0;
    if (!read_number(&rest, end, json ? ", \"width\": " : separator, &a->width) ||
        !read_number(&rest, end, json ? ", \"height\": " : separator, &a->height)) return false;
    for (int64_t c = 0; c < s->classes; c++) {
        char *name = name_field(FORMAT_JSONL, s->names[c]), *before;
        if (asprintf(&before, "%s%s: ", c ? ", " : ", \"pixels\": {", name) < 0) fail("out of memory");
        const bool good = read_number(&rest, end, json ? before : separator, &pixels[c]);
        free(name);
        free(before);
        if (!good) return false;
        sum += pixels[c];
    }
    a->pixels = pixels;
    if (a->width < 1) return false;
    if (!s->multilabel && s->classes > 1) return is_whole(sum, a);
    for (int64_t c = 0; c < s->classes; c++)                  /* pixels may have no label, or several */
        if (pixels[c] / a->width >= a->height && !is_whole(pixels[c], a)) return false;
    return true;
}
