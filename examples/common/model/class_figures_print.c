/* SPDX-License-Identifier: Apache-2.0
 * class_figures_print.c -- prints the figures of each class with their intervals (class_figures.h). */
#include "class_figures.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

/* Prints "value [low, high]", without the ends where they are unknown, or "-", padded to `width` columns (0: not). */
static void print_padded(const peft_estimate *e, int width)
{
    char text[40] = "-";
    if (!isnan(e->value)) snprintf(text, sizeof text, "%.4f", e->value);
    if (!isnan(e->low)) snprintf(text, sizeof text, "%.4f [%.4f, %.4f]", e->value, e->low, e->high);
    printf("%-*s", width, text);
}

void print_estimate(const peft_estimate *e) { print_padded(e, 0); }

/* Several labels: how many samples have each, and the threshold. */
static void print_labels(const class_figures *f, const decision *how, const peft_dataset *d)
{
    printf("%-22s %8s %8s %10s  %s\n", "label", "positive", "negative", "not judged", "threshold");
    for (int64_t c = 0; c < how->classes; c++)
        printf("  %-20s %8lld %8lld %10lld  %.9g\n", peft_dataset_class_name(d, c), (long long)f->row[c].positive,
               (long long)f->row[c].negative, (long long)f->row[c].unjudged, how->thresholds[c]);
}

/* A block with some of the figures; counts: with the number of positive samples, headed by unit. */
static void print_block(const class_figures *f, const decision *how, const peft_dataset *d, const char *unit, int first,
                        int last)
{
    enum { WIDTH = 27 };
    char heading[WIDTH + 1];
    printf("%-22s %6s  ", "class", unit);
    for (int k = first; k <= last; k++) {
        snprintf(heading, sizeof heading, "%s [95 %%]", class_figure_name[k]);
        printf("%-*s", k < last ? WIDTH : 0, heading);
    }
    for (int64_t c = 0; c < how->classes; c++) {
        printf("\n  %-20s ", peft_dataset_class_name(d, c));
        if (*unit) printf("%6lld  ", (long long)f->row[c].positive);
        else printf("%6s  ", "");
        for (int k = first; k <= last; k++) print_padded(&f->row[c].of[k], k < last ? WIDTH : 0);
    }
    putchar('\n');
}

/* Names the classes whose figures do not exist for lack of positive samples, or of negative ones. */
static void print_lacking(const class_figures *f, const decision *how, const peft_dataset *d, const char *unit,
                          bool positive)
{
    int64_t lacking = 0;
    for (int64_t c = 0; c < how->classes; c++) {
        if (positive ? f->row[c].positive : f->row[c].negative) continue;
        if (lacking++) printf(", %s", peft_dataset_class_name(d, c));
        else printf("no %s test %s of: %s", positive ? "positive" : "negative", unit, peft_dataset_class_name(d, c));
    }
    if (lacking) puts("; figures that need them are -, and are left out of auroc_macro and map");
}

static void print_kind_of_intervals(const class_figures *f, const char *unit)
{
    if (f->by_patient)
        printf("intervals: by patient (%lld patients): of auroc after DeLong and Obuchowski, of the others by "
               "bootstrap (1000 resamples of patients)\n", (long long)f->patients);
    else
        printf("intervals: as if all %s were independent: of rates Wilson's, of auroc DeLong's, of average_precision "
               "and f1 by bootstrap (1000 resamples)\n", unit);
}

/* Says why figures that exist have no interval, if there are some. */
static void print_without_interval(const class_figures *f, const char *unit)
{
    bool any = false;
    for (int64_t c = 0; c < f->classes; c++)
        for (int k = 0; k < CLASS_FIGURES; k++) any |= !isnan(f->row[c].of[k].value) && isnan(f->row[c].of[k].low);
    if (!any) return;
    printf("a figure without an interval is the same in all resamples");
    if (f->by_patient) printf(", or is of one patient's %s", unit);
    putchar('\n');
}

void print_class_figures(const class_figures *f, const decision *how, const peft_dataset *d, const char *unit)
{
    if (how->multilabel) print_labels(f, how, d);
    print_block(f, how, d, how->multilabel ? "" : unit, SENSITIVITY, SPECIFICITY);
    print_block(f, how, d, "", PPV, NPV);
    print_block(f, how, d, "", AUROC, F1);
    print_lacking(f, how, d, unit, true);
    print_lacking(f, how, d, unit, false);
    print_kind_of_intervals(f, unit);
    print_without_interval(f, unit);
}
