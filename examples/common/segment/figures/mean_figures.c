/* SPDX-License-Identifier: Apache-2.0
 * mean_figures.c -- means and intervals (mean_figures.h), by <peft/statistics.h>. */
#include "mean_figures.h"
#include "case_means.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>

/* The values that a mean is over: NaN in place of those that are left out, which are counted. */
static double *values_of(const mean_figures *m, int kind, mean_figure *mean)
{
    const case_table *f = m->of;
    double *v = check_alloc(malloc((size_t)(f->cases * f->classes) * sizeof *v));
    for (int64_t k = 0; k < f->cases * f->classes; k++) {
        mean_figure *of = &mean[k % f->classes];
        const double value = f->value[kind][k];
        v[k] = counted_value(f, m->millimetres, kind, k / f->classes, k % f->classes);
        if (!isnan(v[k])) of->cases++;
        else if (isinf(value)) of->infinite++;
        else if (!isnan(value)) of->other_unit++;
    }
    return v;
}

/* The mean of the classes from `first` on. all->scores [cases, classes]. */
static void estimate_mean_of_classes(peft_context *ctx, const peft_samples *all, int64_t first, mean_figure *mean)
{
    const int64_t classes = all->classes - first;
    double *v = check_alloc(malloc((size_t)(all->n * classes) * sizeof *v));
    mean_figure *of = &mean[all->classes];
    for (int64_t k = 0; k < all->n * classes; k++) v[k] = all->scores[k / classes * all->classes + first + k % classes];
    const peft_samples some = { .n = all->n, .classes = classes, .scores = v, .groups = all->groups };
    must(peft_statistics_bootstrap(ctx, &some, "mean_macro", NULL, &of->e, 1));
    for (int64_t c = first; c < all->classes; c++) {
        of->infinite += mean[c].infinite;
        of->other_unit += mean[c].other_unit;
    }
    for (int64_t i = 0; i < all->n; i++) {
        bool any = false;
        for (int64_t c = 0; c < classes; c++) any |= !isnan(v[i * classes + c]);
        of->cases += any;
    }
    free(v);
}

mean_figures estimate_means(peft_context *ctx, const case_table *f)
{
    int64_t *groups = patients_of_cases(f);
    mean_figures m = { .of = f, .by_patient = groups, .millimetres = any_millimetres(f) };
    peft_estimate *e = check_alloc(malloc((size_t)f->classes * sizeof *e));
    for (int k = 0; k < CASE_KINDS; k++) {
        m.figure[k] = check_alloc(calloc((size_t)f->classes + 1, sizeof *m.figure[k]));
        double *v = values_of(&m, k, m.figure[k]);
        const peft_samples all = { .n = f->cases, .classes = f->classes, .scores = v, .groups = groups };
        must(peft_statistics_bootstrap(ctx, &all, "mean", NULL, e, (size_t)f->classes));
        for (int64_t c = 0; c < f->classes; c++) m.figure[k][c].e = e[c];
        estimate_mean_of_classes(ctx, &all, first_counted(f), m.figure[k]);
        free(v);
    }
    free(e);
    free(groups);
    return m;
}

void free_means(mean_figures *m)
{
    for (int k = 0; k < CASE_KINDS; k++) free(m->figure[k]);
}
