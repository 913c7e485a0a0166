/* SPDX-License-Identifier: Apache-2.0
 * class_figures.c -- figures of each class against the others, with intervals (class_figures.h). */
#include "class_figures.h"
#include "common/cases/cases.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double level = 0.95;

/* Prints "value [low, high]", without the ends where they are unknown, or "-", padded to `width` columns (0: not). */
static void print_estimate(const peft_estimate *e, int width)
{
    char text[40] = "-";
    if (!isnan(e->value)) snprintf(text, sizeof text, "%.4f", e->value);
    if (!isnan(e->low)) snprintf(text, sizeof text, "%.4f [%.4f, %.4f]", e->value, e->low, e->high);
    printf("%-*s", width, text);
}

void print_share(int64_t k, int64_t n)
{
    peft_estimate e;
    must(peft_statistics_proportion(k, n, level, "wilson", &e));
    print_estimate(&e, 0);
}

/* The rates of all classes, to be freed. Decisions are scores 0 and 1, or probabilities, with the threshold 0.5. */
static peft_rates *find_rates(const double *scores, const float *targets, const int64_t *predicted, int64_t n,
                              int64_t classes)
{
    peft_rates *rates = check_alloc(calloc((size_t)classes, sizeof *rates));
    double *thresholds = check_alloc(malloc((size_t)classes * sizeof *thresholds));
    double *decided = check_alloc(malloc((size_t)(n * classes) * sizeof *decided));
    for (int64_t c = 0; c < classes; c++) thresholds[c] = 0.5;
    for (int64_t i = 0; i < n * classes; i++)
        decided[i] = predicted ? predicted[i / classes] == i % classes : scores[i];
    must(peft_threshold_rates(decided, targets, n, classes, thresholds, level, "wilson", rates));
    free(thresholds);
    free(decided);
    return rates;
}

/* The number of each image's patient, to be freed; NULL where d knows none. *patients: how many. */
static int64_t *find_patients(const peft_dataset *d, int64_t n, int64_t *patients)
{
    if (!peft_dataset_has_groups(d)) return NULL;
    const char **name = check_alloc(malloc((size_t)n * sizeof *name));
    int64_t *of = check_alloc(malloc((size_t)n * sizeof *of));
    for (int64_t i = 0; i < n; i++) name[i] = peft_dataset_group(d, i);
    case_list found = find_cases(name, NULL, n);
    for (int64_t i = 0; i < n; i++) of[i] = found.of[i];
    *patients = found.count;
    free_cases(&found);
    free(name);
    return of;
}

/* Prints the AUROC of class c, with its interval. */
static void print_auroc(peft_context *ctx, const double *scores, const float *targets, const int64_t *patient,
                        int64_t n, int64_t classes, int64_t c)
{
    double *score = check_alloc(malloc((size_t)n * sizeof *score));
    float *target = check_alloc(malloc((size_t)n * sizeof *target));
    peft_estimate e;
    for (int64_t i = 0; i < n; i++) {
        score[i] = scores[i * classes + c];
        target[i] = targets[i * classes + c];
    }
    must(peft_statistics_auroc(ctx, score, target, patient, n, level, "logit", &e));
    print_estimate(&e, 0);
    free(score);
    free(target);
}

void print_class_figures(peft_context *ctx, const double *scores, const float *targets, const int64_t *predicted,
                         const peft_dataset *d, const char *unit)
{
    enum { WIDTH = 27 };
    const int64_t n = peft_dataset_count(d), classes = peft_dataset_classes(d);
    int64_t patients = 0, *patient = find_patients(d, n, &patients);
    peft_rates *rates = find_rates(scores, targets, predicted, n, classes);
    printf("%-22s %6s  %-25s  %s\n", "class", unit, "sensitivity [95 %]", "specificity [95 %]");
    for (int64_t c = 0; c < classes; c++) {
        printf("  %-20s %6lld  ", peft_dataset_class_name(d, c), (long long)(rates[c].tp + rates[c].fn));
        print_estimate(&rates[c].sensitivity, WIDTH);
        print_estimate(&rates[c].specificity, 0);
        putchar('\n');
    }
    printf("%-22s %6s  %-25s  %-25s  %s\n", "class", "", "ppv [95 %]", "npv [95 %]", "auroc [95 %]");
    for (int64_t c = 0; c < classes; c++) {
        printf("  %-20s %6s  ", peft_dataset_class_name(d, c), "");
        print_estimate(&rates[c].ppv, WIDTH);
        print_estimate(&rates[c].npv, WIDTH);
        print_auroc(ctx, scores, targets, patient, n, classes, c);
        putchar('\n');
    }
    if (patient)
        printf("intervals: of auroc by patient (%lld patients), of the others as if all %s were independent\n",
               (long long)patients, unit);
    free(rates);
    free(patient);
}
