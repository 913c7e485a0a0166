/* SPDX-License-Identifier: Apache-2.0
 * mean_text.c -- prints means of figures of masks (mean_figures.h). */
#include "mean_figures.h"
#include <math.h>
#include <stdio.h>

static const char *const heading[CASE_KINDS] = { "Dice", "IoU", "precision", "recall", "HD95", "surface distance" };

static const char *unit_of(const mean_figures *m) { return m->millimetres ? "mm" : "pixels"; }

/* Names of the classes with a count above 0: "benign 2, malignant 1". */
static void print_counts(FILE *f, const mean_figures *m, int kind, bool infinite)
{
    const char *between = "";
    for (int64_t c = 0; c < m->of->classes; c++) {
        const mean_figure *row = &m->figure[kind][c];
        const int64_t n = infinite ? row->infinite : row->other_unit;
        if (!n) continue;
        fprintf(f, "%s%s %lld", between, m->of->class_name[c], (long long)n);
        between = ", ";
    }
    fputc('\n', f);
}

static int64_t sum_of(const mean_figures *m, int kind, bool infinite)
{
    int64_t n = 0;
    for (int64_t c = 0; c < m->of->classes; c++)
        n += infinite ? m->figure[kind][c].infinite : m->figure[kind][c].other_unit;
    return n;
}

/* What the means of a distance leave out. */
static void print_left_out(FILE *f, const mean_figures *m, int kind)
{
    const int64_t infinite = sum_of(m, kind, true), other = sum_of(m, kind, false);
    if (infinite) {
        fprintf(f, "  left out of the means: %lld infinite distance%s, where only one of both masks has the class: ",
               (long long)infinite, infinite == 1 ? "" : "s");
        print_counts(f, m, kind, true);
    }
    if (other) {
        fprintf(f,
                "  left out of the means: %lld distance%s in pixels, of cases without spacing (--spacing gives one): ",
                (long long)other, other == 1 ? "" : "s");
        print_counts(f, m, kind, false);
    }
}

static void print_kind(FILE *f, const mean_figures *m, int kind)
{
    const int64_t classes = m->of->classes;
    char name[40];
    snprintf(name, sizeof name, "%s%s%s", heading[kind], is_case_distance(kind) ? ", " : "",
             is_case_distance(kind) ? unit_of(m) : "");
    fprintf(f, "\n%-24s %10s %10s   95 %% interval by %s\n", name, "cases", "mean", m->by_patient ? "patient" : "case");
    for (int64_t c = 0; c <= classes; c++) {
        const mean_figure *row = &m->figure[kind][c];
        const char *mean = classes > 1 && !m->of->several ? "mean of all but first" : "mean";
        const char *title = c < classes ? m->of->class_name[c] : mean;
        fprintf(f, "%-24s %10lld ", title, (long long)row->cases);
        if (isnan(row->e.value)) fprintf(f, "%10s", "undefined");
        else fprintf(f, "%10.4f", row->e.value);
        if (!isnan(row->e.low)) fprintf(f, "   %.4f to %.4f", row->e.low, row->e.high);
        fputc('\n', f);
    }
    if (is_case_distance(kind)) print_left_out(f, m, kind);
}

void print_means(FILE *f, const mean_figures *m, const char *prefix)
{
    for (int k = 0; k < CASE_KINDS; k++) print_kind(f, m, k);
    if (!m->millimetres)
        fprintf(f, "distances are in pixels: no file states the spacing of its pixels, and --spacing is not given\n");
    fputc('\n', f);
    char name[64];
    snprintf(name, sizeof name, "%scases", prefix);
    fprintf(f, "%-22s %lld\n", name, (long long)m->of->cases);
    for (int k = 0; k < CASE_KINDS; k++) {
        snprintf(name, sizeof name, "%s%s", prefix, case_figure_name[k]);
        const double value = m->figure[k][m->of->classes].e.value;
        if (isnan(value)) fprintf(f, "%-22s undefined\n", name);
        else fprintf(f, "%-22s %.5f%s%s\n", name, value, is_case_distance(k) ? " " : "",
                     is_case_distance(k) ? unit_of(m) : "");
    }
}
