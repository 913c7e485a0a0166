/* SPDX-License-Identifier: Apache-2.0
 * class_figures.c -- figures of each class against the others, with intervals (class_figures.h). */
#include "class_figures.h"
#include "common/decision/intervals.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SENSITIVITY, SPECIFICITY, PPV, NPV, AUROC, AVERAGE_PRECISION, F1, FIGURES };
/* One class: its columns of scores, decisions (0 or 1) and targets, [n] each, and what is computed from them. */
typedef struct class_row {
    double *score, *decided;
    float *target, *hit;                                      /* hit: of a share (intervals.h) */
    int64_t positive, negative, unjudged;
    peft_estimate of[FIGURES];
} class_row;

/* Prints "value [low, high]", without the ends where they are unknown, or "-", padded to `width` columns (0: not). */
static void print_estimate(const peft_estimate *e, int width)
{
    char text[40] = "-";
    if (!isnan(e->value)) snprintf(text, sizeof text, "%.4f", e->value);
    if (!isnan(e->low)) snprintf(text, sizeof text, "%.4f [%.4f, %.4f]", e->value, e->low, e->high);
    printf("%-*s", width, text);
}

void print_share(peft_context *ctx, const peft_dataset *d, const float *right)
{
    int64_t patients = 0, *patient = number_patients(d, &patients);
    const sample_set s = { ctx, peft_dataset_count(d), patient };
    const peft_estimate e = share_of_samples(&s, right);
    print_estimate(&e, 0);
    free(patient);
}

/* A rate of two by two counts: the share of `wanted` in one column among samples whose other column is `given`. */
static peft_estimate rate(const sample_set *s, class_row *row, bool of_decisions, int value)
{
    for (int64_t i = 0; i < s->n; i++) {
        const bool decided = row->decided[i] > 0, known = row->target[i] >= 0, truth = row->target[i] > 0;
        const bool counts = known && (of_decisions ? decided : truth) == (value > 0);
        row->hit[i] = counts ? decided == truth : -1;
    }
    return share_of_samples(s, row->hit);
}

/* Computes the figures of the row, whose columns are set. */
static void compute_row(const sample_set *s, class_row *row)
{
    const peft_estimate none = { NAN, NAN, NAN, NAN, NAN, 0, 0 };
    for (int64_t i = 0; i < s->n; i++) {
        row->positive += row->target[i] > 0;
        row->negative += row->target[i] == 0;
        row->unjudged += row->target[i] < 0;
    }
    row->of[SENSITIVITY] = rate(s, row, false, 1);
    row->of[SPECIFICITY] = rate(s, row, false, 0);
    row->of[PPV] = rate(s, row, true, 1);
    row->of[NPV] = rate(s, row, true, 0);
    row->of[AUROC] = auroc_of_class(s, row->score, row->target);
    row->of[AVERAGE_PRECISION] = row->positive ? bootstrapped(s, "average_precision", row->score, row->target) : none;
    row->of[F1] = row->positive ? bootstrapped(s, "f1", row->decided, row->target) : none;
}

/* The figures of all classes, [classes], to be freed. */
static class_row *compute_rows(const sample_set *s, const double *scores, const float *targets, const decision *how)
{
    const int64_t classes = how->classes, n = s->n;
    class_row *rows = check_alloc(calloc((size_t)classes, sizeof *rows));
    double *decided = check_alloc(malloc((size_t)(n * classes) * sizeof *decided));
    double *columns = check_alloc(malloc((size_t)n * 2 * sizeof *columns));
    float *more = check_alloc(malloc((size_t)n * 2 * sizeof *more));
    decide(how, scores, n, decided);
    for (int64_t c = 0; c < classes; c++) {
        class_row *row = &rows[c];
        *row = (class_row){ .score = columns, .decided = columns + n, .target = more, .hit = more + n };
        for (int64_t i = 0; i < n; i++) {
            row->score[i] = scores[i * classes + c];
            row->decided[i] = decided[i * classes + c];
            row->target[i] = targets[i * classes + c];
        }
        compute_row(s, row);
        row->score = row->decided = NULL;
        row->target = row->hit = NULL;
    }
    free(decided);
    free(columns);
    free(more);
    return rows;
}

/* Several labels: how many samples have each, and the threshold. */
static void print_labels(const class_row *rows, const decision *how, const peft_dataset *d)
{
    printf("%-22s %8s %8s %10s  %s\n", "label", "positive", "negative", "not judged", "threshold");
    for (int64_t c = 0; c < how->classes; c++)
        printf("  %-20s %8lld %8lld %10lld  %.9g\n", peft_dataset_class_name(d, c), (long long)rows[c].positive,
               (long long)rows[c].negative, (long long)rows[c].unjudged, how->thresholds[c]);
}

/* A block with some of the figures; counts: with the number of positive samples, headed by unit. */
static void print_block(const class_row *rows, const decision *how, const peft_dataset *d, const char *unit, int first,
                        int last)
{
    enum { WIDTH = 27 };
    static const char *const name[FIGURES] = {
        [SENSITIVITY] = "sensitivity [95 %]", [SPECIFICITY] = "specificity [95 %]", [PPV] = "ppv [95 %]",
        [NPV] = "npv [95 %]", [AUROC] = "auroc [95 %]", [AVERAGE_PRECISION] = "average_precision [95 %]",
        [F1] = "f1 [95 %]" };
    printf("%-22s %6s  ", "class", unit);
    for (int k = first; k <= last; k++) printf("%-*s", k < last ? WIDTH : 0, name[k]);
    for (int64_t c = 0; c < how->classes; c++) {
        printf("\n  %-20s ", peft_dataset_class_name(d, c));
        if (*unit) printf("%6lld  ", (long long)rows[c].positive);
        else printf("%6s  ", "");
        for (int k = first; k <= last; k++) print_estimate(&rows[c].of[k], k < last ? WIDTH : 0);
    }
    putchar('\n');
}

/* Names the classes whose figures do not exist for lack of positive samples, or of negative ones. */
static void print_lacking(const class_row *rows, const decision *how, const peft_dataset *d, const char *unit,
                          bool positive)
{
    int64_t lacking = 0;
    for (int64_t c = 0; c < how->classes; c++) {
        if (positive ? rows[c].positive : rows[c].negative) continue;
        if (lacking++) printf(", %s", peft_dataset_class_name(d, c));
        else printf("no %s test %s of: %s", positive ? "positive" : "negative", unit, peft_dataset_class_name(d, c));
    }
    if (lacking) puts("; figures that need them are -, and are left out of auroc_macro and map");
}

static void print_kind_of_intervals(const sample_set *s, int64_t patients, const char *unit)
{
    if (s->patient)
        printf("intervals: by patient (%lld patients): of auroc after DeLong and Obuchowski, of the others by "
               "bootstrap (1000 resamples of patients)\n", (long long)patients);
    else
        printf("intervals: as if all %s were independent: of rates Wilson's, of auroc DeLong's, of average_precision "
               "and f1 by bootstrap (1000 resamples)\n", unit);
}

void print_class_figures(peft_context *ctx, const double *scores, const float *targets, const decision *how,
                         const peft_dataset *d, const char *unit)
{
    int64_t patients = 0, *patient = number_patients(d, &patients);
    const sample_set s = { ctx, peft_dataset_count(d), patient };
    class_row *rows = compute_rows(&s, scores, targets, how);
    if (how->multilabel) print_labels(rows, how, d);
    print_block(rows, how, d, how->multilabel ? "" : unit, SENSITIVITY, SPECIFICITY);
    print_block(rows, how, d, "", PPV, NPV);
    print_block(rows, how, d, "", AUROC, F1);
    print_lacking(rows, how, d, unit, true);
    print_lacking(rows, how, d, unit, false);
    print_kind_of_intervals(&s, patients, unit);
    free(rows);
    free(patient);
}
