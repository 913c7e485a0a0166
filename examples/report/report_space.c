/* SPDX-License-Identifier: Apache-2.0
 * report_space.c -- shows the features of held-out images before and after tuning: a table of their scatter, silhouette
 * and effective rank, charts of the last two, and maps of the first two principal components. */
#include "common/figures/statistics.h"
#include "common/program/errors.h"
#include "report_parts.h"
#include <math.h>
#include <stdlib.h>

enum { space_ratio = space_numbers,                           /* one more number: inter / intra */
       side = 280, margin = 14, most_points = 600, marks = 3 };
typedef enum when { BEFORE, AFTER } when;

/* decimals: FOUR_DIGITS, or how many */
enum { FOUR_DIGITS = -1 };
#define HEADINGS(name) name, name " before tuning", name " after tuning"
static const struct { const char *heading, *before, *after; int number, decimals; } columns[] = {
    { HEADINGS("Intra-class scatter"), space_intra, FOUR_DIGITS },
    { HEADINGS("Inter-class scatter"), space_inter, FOUR_DIGITS }, { HEADINGS("Inter / intra"), space_ratio, 4 },
    { HEADINGS("Silhouette"), space_silhouette, 3 }, { HEADINGS("Effective rank"), space_rank, 1 } };
enum { column_count = sizeof columns / sizeof *columns };

/* A number of run r; NaN: there is none. number: space_intra, ..., or space_ratio. */
static double number_of(const run *r, when w, int number)
{
    const double *v = w == BEFORE ? r->analysis.before : r->analysis.after;
    if (!r->done || !r->analysis.known) return NAN;
    return number == space_ratio ? v[space_inter] / v[space_intra] : v[number];
}

/* The numbers of all runs of m, [runs], to be freed. */
static double *numbers_of(const study *s, const method *m, when w, int number)
{
    double *v = check_alloc(malloc((size_t)s->runs * sizeof *v));
    for (int64_t i = 0; i < s->runs; i++) v[i] = number_of(&m->run[i], w, number);
    return v;
}

static double mean_of(const study *s, const method *m, when w, int number)
{
    double *v = numbers_of(s, m, w, number);
    const double mean = statistics_of(v, s->runs).mean;
    free(v);
    return mean;
}

/* The first finished run with an analysis; NULL: the method has none. */
static const run *analysed_run(const study *s, const method *m)
{
    for (int64_t i = 0; i < s->runs; i++)
        if (m->run[i].done && m->run[i].analysis.known) return &m->run[i];
    return NULL;
}

/* The first method with an analysis; NULL: there is none. */
static const method *analysed_method(const study *s)
{
    for (int64_t m = 0; m < s->methods; m++)
        if (analysed_run(s, &s->method[m])) return &s->method[m];
    return NULL;
}

/* The decimals of column k: for FOUR_DIGITS as many as the largest number needs to have four digits. */
static int decimals_of(const study *s, int k)
{
    double largest = 0;
    if (columns[k].decimals != FOUR_DIGITS) return columns[k].decimals;
    for (int64_t i = 0; i < s->methods; i++)
        for (when w = BEFORE; w <= AFTER; w++) largest = fmax(largest, mean_of(s, &s->method[i], w, columns[k].number));
    const int digits = largest > 0 ? (int)floor(log10(largest)) + 1 : 1;         /* before the point */
    return digits > 4 ? 0 : digits < -8 ? 12 : 4 - digits;
}

static void put_space_table(page *p, const study *s)
{
    table *t = new_table("Scatter, silhouette and effective rank", "Method");
    for (int k = 0; k < column_count; k++)
        add_column(t, (table_column){ .heading = columns[k].heading, .decimals = decimals_of(s, k),
                                      .joiner = " \342\206\222 ", .first = columns[k].before,
                                      .second = columns[k].after });          /* an arrow */
    for (int64_t i = 0; i < s->methods; i++) {
        const method *m = &s->method[i];
        if (!analysed_run(s, m)) continue;
        add_row(t, m->label);
        for (int k = 0; k < column_count; k++)
            add_numbers(t, mean_of(s, m, BEFORE, columns[k].number), mean_of(s, m, AFTER, columns[k].number));
    }
    put_table(p, t);
}

/* Writes a panel with a row for the features before tuning (of the first analysed method) and one for each method. */
static void put_panel(page *p, const study *s, const char *title, int number, int decimals)
{
    const char **labels = check_alloc(calloc((size_t)s->methods + 1, sizeof *labels));
    double *points = check_alloc(calloc((size_t)((s->methods + 1) * s->runs), sizeof *points));
    int64_t rows = 0;
    for (int64_t i = -1; i < s->methods; i++) {
        const method *m = i < 0 ? analysed_method(s) : &s->method[i];
        if (!analysed_run(s, m)) continue;
        double *v = numbers_of(s, m, i < 0 ? BEFORE : AFTER, number);
        for (int64_t k = 0; k < s->runs; k++) points[rows * s->runs + k] = v[k];
        labels[rows++] = i < 0 ? "before tuning" : m->label;
        free(v);
    }
    const chart_panel panel = { .title = title, .points = points, .decimals = decimals };
    put_chart_figure(p, s, &panel, "Method", labels, rows);
    free(labels);
    free(points);
}

/* Writes a mark of class c around (x, y) as part of an SVG path: circle, square or triangle. Classes that share a
 * colour, c and c + ink_lines, have different marks. */
static void put_mark(FILE *f, int64_t c, double x, double y)
{
    switch ((c / ink_lines + c) % marks) {
    case 0: fprintf(f, "M%.1f %.1fa3 3 0 1 0 6 0a3 3 0 1 0-6 0z", x - 3, y); break;
    case 1: fprintf(f, "M%.1f %.1fh5v5h-5z", x - 2.5, y - 2.5); break;
    default: fprintf(f, "M%.1f %.1fl3.5 6h-7z", x, y - 3.5);
    }
}

static const char *class_fill(int64_t c) { return fill_ink(INK_LINE + (int)(c % ink_lines)); }

static void put_class_legend(FILE *f, const study *s)
{
    fputs("<ul class=\"legend marks\">\n", f);
    for (int64_t c = 0; c < s->classes; c++) {
        fprintf(f, "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><title>mark</title><path %s d=\"",
                class_fill(c));
        put_mark(f, c, 5, 5);
        fputs("\"/></svg>", f);
        put_escaped(f, s->class_name[c]);
        fputs("</li>\n", f);
    }
    fputs("</ul>\n", f);
}

/* A map of the images of a run. sign: of its axes; -1 mirrors one after tuning, if that makes it more like the one
 * before. */
typedef struct point_map { const run *r; when w; double sign[2]; } point_map;
/* Coordinate k (0, 1) of image i. */
static double coordinate(const point_map *p, int64_t i, int k)
{
    return p->sign[k] * p->r->analysis.map[4 * i + 2 * (p->w == AFTER) + k];
}

static point_map map_of(const run *r, when w)
{
    point_map p = { r, w, { 1, 1 } };
    for (int k = 0; k < 2 && w == AFTER; k++) {
        double product = 0;
        for (int64_t i = 0; i < r->images; i++)
            product += r->analysis.map[4 * i + k] * r->analysis.map[4 * i + 2 + k];
        if (product < 0) p.sign[k] = -1;
    }
    return p;
}

/* The table of a map without rows. */
static table *map_table(const point_map *p, const method *m, const char *row_heading)
{
    char title[256];
    snprintf(title, sizeof title, "Features %s tuning%s%.160s", p->w == BEFORE ? "before" : "after",
             p->w == BEFORE ? "" : " by ", p->w == BEFORE ? "" : m->label);
    return new_table(title, row_heading);
}

/* Mean and standard deviation of each class, for the page. */
static table *map_summary(const study *s, const point_map *p, const method *m)
{
    table *t = map_table(p, m, "Class");
    double *v = check_alloc(malloc((size_t)p->r->images * sizeof *v));
    add_number_column(t, "Images", WHOLE);
    for (int k = 0; k < 2; k++)
        add_column(t, (table_column){ .heading = k ? "Component 2, mean \302\261 deviation"
                                                   : "Component 1, mean \302\261 deviation",
                                      .decimals = 3, .joiner = " \302\261 ", .second = "its deviation" });
    for (int64_t c = 0; c < s->classes; c++) {
        add_row(t, s->class_name[c]);
        for (int k = 0; k < 2; k++) {
            int64_t n = 0;
            for (int64_t i = 0; i < p->r->images; i++)
                if (p->r->label[i] == c) v[n++] = coordinate(p, i, k);
            const statistics all = statistics_of(v, n);
            if (!k) add_number(t, (double)n);
            add_numbers(t, all.mean, all.sd);
        }
    }
    free(v);
    return t;
}

/* Every image, for the CSV files. */
static table *map_points(const study *s, const point_map *p, const method *m)
{
    table *t = map_table(p, m, study_has_cases(s) ? "Case" : "Image");
    add_number_column(t, "Class", 0);
    add_number_column(t, "Component 1", 3);
    add_number_column(t, "Component 2", 3);
    for (int64_t i = 0; i < p->r->images; i++) {
        add_row(t, p->r->name[i]);
        add_text(t, s->class_name[p->r->label[i]]);
        for (int k = 0; k < 2; k++) add_number(t, coordinate(p, i, k));
    }
    return t;
}

/* Writes a map of at most most_points images, with the same scale on both axes. */
static void put_map(page *out, const study *s, const method *m, const run *r, when w)
{
    FILE *f = out->f;
    const point_map p = map_of(r, w);
    const double share = number_of(r, w, space_map_share), silhouette = number_of(r, w, space_silhouette);
    const int64_t step = (r->images + most_points - 1) / most_points;
    double low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY };
    char text[96];
    if (isnan(share)) return;
    for (int64_t i = 0; i < r->images; i += step)
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], coordinate(&p, i, k));
            high[k] = fmax(high[k], coordinate(&p, i, k));
        }
    double range = fmax(high[0] - low[0], high[1] - low[1]);
    if (!(range > 0)) range = 1;
    const double scale = (side - 2 * margin) / range;
    snprintf(text, sizeof text, "silhouette %.3f; the map holds %.0f %% of the variance",
             round(1e3 * silhouette) / 1e3 + 0.0, 100 * share);
    open_figure(out, NULL);
    put_caption(out, w == BEFORE ? "Backbone, before tuning" : m->label, text);
    open_svg(f, side, side, w == BEFORE ? "Map of the features before tuning" : "Map of the features after tuning by ",
             w == BEFORE ? "" : m->label,
             "A mark for each held-out image, whose shape and colour are those of its class in the legend above.");
    fprintf(f, "<rect x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" fill=\"none\" %s/>\n", side - 1, side - 1,
            stroke_ink(INK_GRID));
    for (int64_t c = 0; c < s->classes; c++) {
        fprintf(f, "<path %s fill-opacity=\"0.8\" d=\"", class_fill(c));
        for (int64_t i = 0; i < r->images; i += step) {
            if (r->label[i] != c) continue;
            const double x = coordinate(&p, i, 0) - (low[0] + high[0]) / 2, y = coordinate(&p, i, 1)
                             - (low[1] + high[1]) / 2;
            put_mark(f, c, side / 2 + scale * x, side / 2 - scale * y);
        }
        fputs("\"/>\n", f);
    }
    fputs("</svg>\n", f);
    close_figure(out, map_summary(s, &p, m), map_points(s, &p, m));
}

void put_space(page *p, const study *s)
{
    FILE *f = p->f;
    const method *first = analysed_method(s);
    if (!first) return;
    fputs("<p class=\"small\">Of the held-out images, as the classifier "
          "reads them. Before tuning: those of the backbone as it is. Intra-class scatter: the sum of squared "
          "distances to the mean of the class; inter-class scatter: that between the means of all pairs of classes. "
          "Both grow with the scale of the features; their ratio and the silhouette do not, and are higher where "
          "classes are better separated. Effective rank: exp of the entropy of the normalised singular values, the "
          "number of directions in use. Means over runs; a dash: the method has a network of its own and no such "
          "feature.</p>\n", f);
    put_space_table(p, s);
    fputs("<div class=\"grid wide\">\n", f);
    put_panel(p, s, "Silhouette", space_silhouette, 3);
    put_panel(p, s, "Effective rank", space_rank, 1);
    fputs("</div>\n<h4>Maps</h4>\n<p class=\"small\">The first two principal components of the features, a mark for "
          "each held-out image of the first run of each method. Axes are mirrored where that makes the map more like "
          "the one before tuning.", f);
    if (analysed_run(s, first)->images > most_points) fprintf(f, " At most %d images are shown.", most_points);
    fputs("</p>\n", f);
    put_class_legend(f, s);
    fputs("<div class=\"grid narrow\">\n", f);
    put_map(p, s, first, analysed_run(s, first), BEFORE);
    for (int64_t m = 0; m < s->methods; m++)
        if (analysed_run(s, &s->method[m])) put_map(p, s, &s->method[m], analysed_run(s, &s->method[m]), AFTER);
    fputs("</div>\n", f);
}
