/* SPDX-License-Identifier: Apache-2.0
 * read_cases.c -- reads the file of --case-figures (case_figures.h). */
#include "case_figures.h"
#include "common/files/csv.h"
#include "common/files/text_file.h"
#include "common/flags/decimal.h"
#include "common/program/errors.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Columns of a row. */
enum { NAME, PATIENT, CLASS, TRUTH, PREDICTED, FIGURES, UNIT = FIGURES + CASE_KINDS, IMAGES, COLUMNS };

/* The rows of a file. */
typedef struct rows { const char *path; int64_t count; char *(*field)[COLUMNS]; } rows;

static const char *const before[] = { "case", "patient", "class", "pixels_truth", "pixels_predicted" };
static const char *column(int k)
{
    return k < FIGURES ? before[k] : k < UNIT ? case_figure_name[k - FIGURES] : k == UNIT ? "unit" : "images";
}

static rows split_rows(const char *path, char *text)
{
    rows r = { .path = path };
    char *heading[COLUMNS];
    int fields = read_csv_row(&text, heading, COLUMNS);
    for (int k = 0; k < COLUMNS; k++)
        if (fields != COLUMNS || strcmp(heading[k], column(k)))
            fail("%s: is no table of figures by case: column %d is '%.60s', expected '%s'", path, k + 1,
                 k < fields ? heading[k] : "", column(k));
    for (; *text; r.count++) {
        r.field = grow_by_one(r.field, r.count, sizeof *r.field);
        fields = read_csv_row(&text, r.field[r.count], COLUMNS);
        if (fields != COLUMNS)
            fail("%s:%lld: has %s than the %d fields of the heading; the file is cut short or damaged", path,
                 (long long)r.count + 2, fields < 0 ? "more" : "fewer", COLUMNS);
    }
    if (!r.count) fail("%s: has a heading and no cases", path);
    return r;
}

/* Field k of row i as a number from 0 to `most`; empty: NaN. The text inf is a number if `most` is infinite. */
static double number(const rows *r, int64_t i, int k, double most)
{
    const char *text = r->field[i][k];
    char *end;
    const double v = read_decimal(text, &end);
    if (!*text && k >= FIGURES) return NAN;
    if (isinf(most) && !strcmp(text, "inf")) return INFINITY;
    if (end == text || *end || !(v >= 0 && v <= most))
        fail("%s:%lld: %s is '%.60s', expected a number from 0 to %g", r->path, (long long)i + 2, column(k), text,
             most);
    return v;
}

static int64_t whole_number(const rows *r, int64_t i, int k)
{
    const double most = 9007199254740992.0, v = number(r, i, k, most);
    if (v != floor(v))                                        /* NaN too */
        fail("%s:%lld: %s is '%.60s', expected a whole number", r->path, (long long)i + 2, column(k), r->field[i][k]);
    return (int64_t)v;
}

static char *copy(const char *text) { return check_alloc(strdup(text)); }

/* The classes are those of the first case's rows. */
static int64_t count_classes(const rows *r)
{
    int64_t n = 1;
    while (n < r->count && !strcmp(r->field[n][NAME], r->field[0][NAME]) &&
           strcmp(r->field[n][CLASS], r->field[0][CLASS])) n++;
    return n;
}

static bool read_unit(const rows *r, int64_t i)
{
    const char *unit = r->field[i][UNIT];
    if (strcmp(unit, "mm") && strcmp(unit, "px"))
        fail("%s:%lld: unit is '%.60s', expected mm or px", r->path, (long long)i + 2, unit);
    return !strcmp(unit, "mm");
}

static int64_t read_images(const rows *r, int64_t i)
{
    const int64_t n = whole_number(r, i, IMAGES);
    if (!n) fail("%s:%lld: images is '0', expected a number from 1 on", r->path, (long long)i + 2);
    return n;
}

/* Row i, of class c of the last case of f. */
static void read_row(const rows *r, int64_t i, int64_t c, case_table *f)
{
    char **field = r->field[i];
    const int64_t at = f->cases - 1, k = at * f->classes + c;
    if (strcmp(field[NAME], f->name[at]) || strcmp(field[CLASS], f->class_name[c]))
        fail("%s:%lld: is of class '%.60s' of case '%.200s'; expected class '%.60s' of case '%.200s', as each case has "
             "a row for each class of the first case, in the same order", r->path, (long long)i + 2, field[CLASS],
             field[NAME], f->class_name[c], f->name[at]);
    if (strcmp(field[PATIENT], f->patient[at] ? f->patient[at] : "") || read_unit(r, i) != f->millimetres[at])
        fail("%s:%lld: patient or unit is another than in the case's first row", r->path, (long long)i + 2);
    if (read_images(r, i) != f->images[at])
        fail("%s:%lld: images is another number than in the case's first row", r->path, (long long)i + 2);
    f->truth[k] = whole_number(r, i, TRUTH);
    f->predicted[k] = whole_number(r, i, PREDICTED);
    for (int j = 0; j < CASE_KINDS; j++)
        f->value[j][k] = number(r, i, FIGURES + j, is_case_distance(j) ? INFINITY : 1);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void check_names(const case_table *f, const char *path)
{
    char **name = check_alloc(malloc(((size_t)f->cases + 1) * sizeof *name));
    for (int64_t i = 0; i < f->cases; i++) name[i] = f->name[i];
    qsort(name, (size_t)f->cases, sizeof *name, by_text);
    for (int64_t i = 1; i < f->cases; i++)
        if (!strcmp(name[i - 1], name[i])) fail("%s: has two cases named '%.200s'", path, name[i]);
    free(name);
}

case_table read_case_figures(const char *path)
{
    char *text = read_text_file(path, NULL);
    if (!text) fail("%s: there is no such file", path);
    rows r = split_rows(path, text);
    const int64_t classes = count_classes(&r);
    case_table f = make_case_figures((r.count + classes - 1) / classes, classes);
    for (int64_t c = 0; c < classes; c++) f.class_name[c] = copy(r.field[c][CLASS]);
    for (int64_t i = 0; i < r.count; i++) {
        if (i % classes == 0) {
            char **field = r.field[i];
            f.name[f.cases] = copy(field[NAME]);
            f.patient[f.cases] = *field[PATIENT] ? copy(field[PATIENT]) : NULL;
            f.images[f.cases] = read_images(&r, i);
            f.millimetres[f.cases++] = read_unit(&r, i);
        }
        read_row(&r, i, i % classes, &f);
    }
    if (r.count % classes)
        fail("%s:%lld: the last case has no row of class '%.60s'; the file is cut short", path, (long long)r.count + 2,
             f.class_name[r.count % classes]);
    check_names(&f, path);
    free(r.field);
    free(text);
    return f;
}
