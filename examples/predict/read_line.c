/* SPDX-License-Identifier: Apache-2.0
 * read_line.c -- whether a line of an earlier run's table is as it was written (predict.h). Its probabilities are read,
 * and the line is written again: both must be the same. */
#include "predict.h"
#include "common/program/errors.h"
#include "segment/area_lines.h"
#include <stdlib.h>
#include <string.h>

/* Reads the number at *text, with this decimal sign, which `stop` must follow, and moves *text behind that. A
 * probability is 0 to 1. */
static bool read_probability(const char **text, char decimal, char stop, float *p)
{
    char number[32], *end;
    const size_t length = strcspn(*text, (char[]){ stop, '\n', 0 });
    if (length >= sizeof number || (*text)[length] != stop) return false;
    memcpy(number, *text, length);
    number[length] = 0;
    char *sign = strchr(number, decimal);
    if (sign) *sign = '.';
    *p = strtof(number, &end);
    *text += length + 1;
    return length && !*end && *p >= 0 && *p <= 1;
}

/* Reads the probabilities behind the name of a line of CSV; they are its last fields. */
static bool read_csv_numbers(const loaded_model *s, table_format format, const char *rest, const char *end, float *p)
{
    const csv_style *style = style_of_format(format);
    const char *at = end - 1;
    for (int64_t c = 0; c < s->classes; c++)
        do {
            if (at <= rest) return false;
            at--;
        } while (*at != style->separator);
    at++;
    for (int64_t c = 0; c < s->classes; c++)
        if (!read_probability(&at, style->decimal, c + 1 < s->classes ? style->separator : '\n', &p[c])) return false;
    return true;
}

/* The same for JSON, where the name of its class stands before each. */
static bool read_json_numbers(const loaded_model *s, table_format format, const char *rest, const char *end, float *p)
{
    (void)format;
    static const char before[] = "\"probabilities\": {";
    const char *at = memmem(rest, (size_t)(end - rest), before, sizeof before - 1);
    if (!at) return false;
    at += sizeof before - 1;
    for (int64_t c = 0; c < s->classes; c++) {
        char *name = name_field(FORMAT_JSONL, s->names[c]);
        const size_t length = strlen(name) + 2 + (c > 0);     /* ": " behind it; behind the comma before it a blank */
        free(name);
        if ((size_t)(end - at) <= length) return false;
        at += length;
        if (!read_probability(&at, '.', c + 1 < s->classes ? ',' : '}', &p[c])) return false;
    }
    return true;
}

/* The same for a line with areas. */
static bool is_area_line(const loaded_model *s, table_format format, const char *name, size_t length, const char *line,
                         const char *end)
{
    int64_t *pixels = check_alloc(malloc((size_t)s->classes * sizeof *pixels));
    areas a;
    size_t size;
    bool good = name + length < end && read_areas(s, format, name + length, end, &a, pixels);
    if (good) {
        char *again = line_of_field(s, format, LINE_OF_AREAS, name, length, &(prediction){ .areas = &a }, &size);
        good = size == (size_t)(end - line) && !memcmp(again, line, size);
        free(again);
    }
    free(pixels);
    return good;
}

bool is_prediction_line(const loaded_model *s, table_format format, line_kind lines, const char *name, size_t length,
                        const char *line, const char *end)
{
    if (lines == LINE_OF_AREAS) return is_area_line(s, format, name, length, line, end);
    float *p = check_alloc(malloc((size_t)s->classes * sizeof *p));
    const char *rest = name + length;
    double sum = 0;
    size_t size;
    bool good = rest < end && (is_csv(format) ? read_csv_numbers : read_json_numbers)(s, format, rest, end, p);
    if (good) {
        char *again = line_of_field(s, format, LINE_OF_IMAGE, name, length, &(prediction){ .probabilities = p }, &size);
        good = size == (size_t)(end - line) && !memcmp(again, line, size);
        free(again);
    }
    for (int64_t c = 0; c < s->classes && good; c++) sum += p[c];
    free(p);
    return good && (s->multilabel || (sum > 0.999 && sum < 1.001));
}
