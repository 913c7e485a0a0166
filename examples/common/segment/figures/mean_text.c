/* SPDX-License-Identifier: Apache-2.0
 * mean_text.c -- prints means of figures of masks (mean_figures.h). */
#include "mean_figures.h"
#include <math.h>
#include <stdio.h>

static const char *const heading[CASE_KINDS] = { "Dice", "IoU", "precision", "recall", "HD95", "surface distance" };

static const char *unit_of(const mean_figures *m) { return m->millimetres ? "mm" : "pixels"; }

/* Names of the classes with a count above 0: "benign 2, malignant 1". */
static void print_counts(const mean_figures *m, int kind, bool infinite)
{
    const char *between = "";
    for (int64_t c = 0; c < m->of->classes; c++) {
        const mean_figure *f = &m->figure[kind][c];
        const int64_t n = infinite ? f->infinite : f->other_unit;
        if (!n) continue;
        printf("%s%s %lld", between, m->of->class_name[c], (long long)n);
        between = ", ";
    }
    putchar('\n');
}

static int64_t sum_of(const mean_figures *m, int kind, bool infinite)
{
    int64_t n = 0;
    for (int64_t c = 0; c < m->of->classes; c++)
        n += infinite ? m->figure[kind][c].infinite : m->figure[kind][c].other_unit;
    return n;
}

/* What the means of a distance leave out. */
static void print_left_out(const mean_figures *m, int kind)
{
    const int64_t infinite = sum_of(m, kind, true), other = sum_of(m, kind, false);
    if (infinite) {
        printf("  left out of the means: %lld infinite distance%s, where only one of both masks has the class: ",
               (long long)infinite, infinite == 1 ? "" : "s");
        print_counts(m, kind, true);
    }
    if (other) {
        printf("  left out of the means: %lld distance%s in pixels, of cases without spacing (--spacing gives one): ",
               (long long)other, other == 1 ? "" : "s");
        print_counts(m, kind, false);
    }
}

static void print_kind(const mean_figures *m, int kind)
{
    const int64_t classes = m->of->classes;
    char name[40];
    snprintf(name, sizeof name, "%s%s%s", heading[kind], is_case_distance(kind) ? ", " : "",
             is_case_distance(kind) ? unit_of(m) : "");
    printf("\n%-24s %10s %10s   95 %% interval by %s\n", name, "cases", "mean", m->by_patient ? "patient" : "case");
    for (int64_t c = 0; c <= classes; c++) {
        const mean_figure *f = &m->figure[kind][c];
        const char *row = c < classes ? m->of->class_name[c] : classes > 1 ? "mean of all but first" : "mean";
        printf("%-24s %10lld ", row, (long long)f->cases);
        if (isnan(f->e.value)) printf("%10s", "undefined");
        else printf("%10.4f", f->e.value);
        if (!isnan(f->e.low)) printf("   %.4f to %.4f", f->e.low, f->e.high);
        putchar('\n');
    }
    if (is_case_distance(kind)) print_left_out(m, kind);
}

void print_means(const mean_figures *m, const char *set)
{
    for (int k = 0; k < CASE_KINDS; k++) print_kind(m, k);
    if (!m->millimetres)
        printf("distances are in pixels: no file states the spacing of its pixels, and --spacing is not given\n");
    putchar('\n');
    char name[64];
    snprintf(name, sizeof name, "%s_cases", set);
    printf("%-22s %lld\n", name, (long long)m->of->cases);
    for (int k = 0; k < CASE_KINDS; k++) {
        snprintf(name, sizeof name, "%s_%s", set, case_figure_name[k]);
        printf("%-22s %.5f%s%s\n", name, m->figure[k][m->of->classes].e.value, is_case_distance(k) ? " " : "",
               is_case_distance(k) ? unit_of(m) : "");
    }
}
