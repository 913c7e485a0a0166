/* SPDX-License-Identifier: Apache-2.0
 * dice_chart.c -- draws Dice of the held-out cases of each method: a dot for each case, and a box of the quartiles. */
#include "common/cases/cases.h"
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "report/report_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Lengths in units of the drawing. */
enum { width = 480, row_height = 40, top = 30, left = 130, right = 464, box_half = 9, label_letters = 18 };

/* Mean Dice of cases: of their classes without the background, and of the runs that tested them. value [methods, n]:
 * NaN where it is not defined. */
typedef struct spread { int64_t n; const char **name; double *value; } spread;

static spread find_spread(const study *s)
{
    int64_t all = 0, at = 0;
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++) all += s->method[m].run[i].images;
    const char **name = check_alloc(malloc(((size_t)all + 1) * sizeof *name));
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++)
            for (int64_t k = 0; k < s->method[m].run[i].images; k++) name[at++] = s->method[m].run[i].name[k];
    case_list images = find_cases(name, NULL, all);
    const size_t cells = (size_t)(s->methods * images.count) + 1;
    spread x = { images.count, check_alloc(malloc(((size_t)images.count + 1) * sizeof *x.name)),
                 check_alloc(calloc(cells, sizeof *x.value)) };
    int64_t *count = check_alloc(calloc(cells, sizeof *count));
    for (int64_t i = 0; i < images.count; i++) x.name[i] = name[images.first[i]];
    at = 0;
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++)
            for (int64_t k = 0; k < s->method[m].run[i].images; k++, at++) {
                const double dice = case_mean(&s->method[m].run[i].cases, CASE_DICE, k);
                if (isnan(dice)) continue;
                x.value[m * x.n + images.of[at]] += dice;
                count[m * x.n + images.of[at]]++;
            }
    for (int64_t k = 0; k < s->methods * x.n; k++) x.value[k] = count[k] ? x.value[k] / (double)count[k] : NAN;
    free_cases(&images);
    free(count);
    free(name);
    return x;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Least value, quartiles and largest value, linear between two values; n: how many are defined. */
typedef struct quartiles { int64_t n; double at[5]; } quartiles;
static quartiles quartiles_of(const spread *x, int64_t m)
{
    quartiles q = { .n = 0, .at = { NAN, NAN, NAN, NAN, NAN } };
    double *v = check_alloc(malloc(((size_t)x->n + 1) * sizeof *v));
    for (int64_t i = 0; i < x->n; i++)
        if (!isnan(x->value[m * x->n + i])) v[q.n++] = x->value[m * x->n + i];
    qsort(v, (size_t)q.n, sizeof *v, ascending);
    for (int k = 0; q.n && k < 5; k++) {
        const double place = k / 4.0 * (double)(q.n - 1), below = floor(place);
        const int64_t i = (int64_t)below;
        q.at[k] = i + 1 < q.n ? v[i] + (place - below) * (v[i + 1] - v[i]) : v[i];
    }
    free(v);
    return q;
}

/* Dots lie on lines above and below the middle in turn, so that fewer of them cover each other. */
static void put_row(FILE *f, const study *s, const spread *x, int64_t m, const axis *a, double y)
{
    const quartiles q = quartiles_of(x, m);
    double at[5];
    fprintf(f, "<text x=\"4\" y=\"%.1f\">", y + 4);
    put_shortened(f, s->method[m].label, label_letters);
    fputs("</text>\n", f);
    if (!q.n) return;
    for (int k = 0; k < 5; k++) at[k] = axis_position(a, 100 * q.at[k]);
    for (int64_t i = 0; i < x->n; i++) {
        const double v = x->value[m * x->n + i];
        if (isnan(v)) continue;
        fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\" %s opacity=\"0.35\"/>\n", axis_position(a, 100 * v),
                y + (double)(i % 5 - 2) * 3, fill_ink(INK_DOT));
    }
    fprintf(f, "<path d=\"M%.1f %.1fH%.1fM%.1f %.1fH%.1f\" %s/>\n<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
            "height=\"%d\" fill=\"none\" %s stroke-width=\"1.4\"/>\n"
            "<path d=\"M%.1f %.1fv%d\" %s stroke-width=\"2.6\"/>\n",
            at[0], y, at[1], at[3], y, at[4], stroke_ink(INK_TEXT), at[1], y - box_half, at[3] - at[1], 2 * box_half,
            stroke_ink(INK_TEXT), at[2], y - box_half, 2 * box_half, stroke_ink(INK_TEXT));
}

static table *quartile_table(const study *s, const spread *x, const char *title)
{
    static const char *const heading[] = { "Least", "First quartile", "Median", "Third quartile", "Largest" };
    table *t = new_table(title, "Method");
    add_number_column(t, "Cases", WHOLE);
    for (int k = 0; k < 5; k++) add_number_column(t, heading[k], 1);
    for (int64_t m = 0; m < s->methods; m++) {
        const quartiles q = quartiles_of(x, m);
        add_row(t, s->method[m].label);
        add_number(t, (double)q.n);
        for (int k = 0; k < 5; k++) add_number(t, 100 * q.at[k]);
    }
    return t;
}

/* For CSV files: Dice of each case, a column for each method. */
static table *image_table(const study *s, const spread *x, const char *title)
{
    table *t = new_table(title, "Case");
    for (int64_t m = 0; m < s->methods; m++) add_number_column(t, s->method[m].label, 1);
    for (int64_t i = 0; i < x->n; i++) {
        add_row(t, x->name[i]);
        for (int64_t m = 0; m < s->methods; m++) add_number(t, 100 * x->value[m * x->n + i]);
    }
    return t;
}

void put_dice_chart(page *p, const study *s)
{
    static const char title[] = "Dice of each held-out case, %";
    FILE *f = p->f;
    spread x = find_spread(s);
    axis a = round_axis(0, 100);
    tick ticks[most_ticks];
    const int bottom = top + (int)s->methods * row_height;
    a.from = left, a.to = right;
    fputs("<p class=\"small\">Each dot is a held-out case: its mean Dice over the classes but the background, and "
          "over the runs that tested it. The box is from the first to the third quartile, with a line at the median; "
          "the lines beside it end at the least and the largest value. Cases without a class in both masks have "
          "none.</p>\n", f);
    open_figure(p, NULL);
    open_svg(f, width, bottom + 40, title, " for each method", "A row for each method: dots are cases, the box spans "
             "the quartiles with a line at the median, and lines lead to the least and the largest value.");
    for (int k = 0, n = make_ticks(&a, ticks); k < n; k++) {
        const double at = axis_position(&a, ticks[k].value);
        fprintf(f, "<path d=\"M%.1f %dV%d\" %s/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", at, top,
                bottom, stroke_ink(INK_GRID), at, bottom + 18, ticks[k].text);
    }
    fprintf(f, "<text x=\"4\" y=\"16\">%s</text>\n", title);
    for (int64_t m = 0; m < s->methods; m++)
        put_row(f, s, &x, m, &a, top + ((double)m + 0.5) * row_height);
    fputs("</svg>\n", f);
    close_figure(p, quartile_table(s, &x, title), image_table(s, &x, title));
    free(x.name);
    free(x.value);
}
