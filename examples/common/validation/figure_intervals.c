/* SPDX-License-Identifier: Apache-2.0
 * figure_intervals.c -- figures with bootstrap intervals (figure_intervals.h). */
#include "figure_intervals.h"
#include "common/decision/intervals.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

figure_intervals estimate_figures(peft_context *ctx, const double *scores, const peft_dataset *d)
{
    const bool several = peft_dataset_multilabel(d);
    const int64_t images = peft_dataset_count(d), classes = peft_dataset_classes(d);
    figure_intervals all = { .count = 0 };
    float *targets = check_alloc(malloc((size_t)(images * classes) * sizeof *targets));
    int64_t *labels = check_alloc(malloc((size_t)images * sizeof *labels)), count;
    int64_t *patients = number_patients(d, &count);
    for (int64_t i = 0; i < images; i++) {
        must(peft_dataset_targets(d, i, targets + i * classes));
        labels[i] = peft_dataset_label(d, i);
    }
    const peft_samples samples = { .n = images, .classes = classes, .scores = scores,
                                   .labels = several ? NULL : labels, .targets = several ? targets : NULL,
                                   .groups = patients };
    const judging_figure *f;
    for (; all.count < most_figures && (f = figure_at(all.count, several)); all.count++) {
        peft_estimate *e = &all.of[all.count];
        *e = (peft_estimate){ .value = figure_of(f, ctx, scores, d), .low = NAN, .high = NAN };
        if (!smaller_is_better(f)) must(peft_statistics_bootstrap(ctx, &samples, figure_name(f), NULL, e, 1));
    }
    free(targets);
    free(labels);
    free(patients);
    return all;
}

void print_intervals(const figure_intervals *f, const peft_dataset *d)
{
    for (int i = 0; i < f->count; i++) {
        const peft_estimate *e = &f->of[i];
        printf("  %-20s %.4f", figure_name(figure_at(i, peft_dataset_multilabel(d))), e->value);
        if (isfinite(e->low)) printf(" [%.4f, %.4f]", e->low, e->high);
        putchar('\n');
    }
}
