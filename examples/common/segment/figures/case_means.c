/* SPDX-License-Identifier: Apache-2.0
 * case_means.c -- means over classes and over cases, and the first image of a case (case_means.h). */
#include "case_means.h"
#include "common/slices/slice_name.h"
#include "common/program/errors.h"
#include <math.h>
#include <peft/peft.h>
#include <stdlib.h>
#include <string.h>

bool any_millimetres(const case_table *f)
{
    bool any = false;
    for (int64_t i = 0; i < f->cases; i++) any |= f->millimetres[i];
    return any;
}

double counted_value(const case_table *f, bool millimetres, int kind, int64_t i, int64_t c)
{
    const double v = f->value[kind][i * f->classes + c];
    return isinf(v) || (is_case_distance(kind) && millimetres && !f->millimetres[i]) ? NAN : v;
}

double case_mean(const case_table *f, int kind, int64_t i)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t c = first_counted(f); c < f->classes; c++) {
        const double v = counted_value(f, f->millimetres[i], kind, i, c);
        if (!isnan(v)) sum += v, n++;
    }
    return n ? sum / (double)n : NAN;
}

const int recorded_kind[results_of_class] = { CASE_DICE, CASE_IOU, CASE_HD95, CASE_SURFACE_DISTANCE };

double means_by_class(const case_table *f, int kind, double *mean)
{
    const bool millimetres = any_millimetres(f);
    const int64_t values = f->cases * f->classes;
    double *counted = check_alloc(malloc((size_t)(values + f->classes) * sizeof *counted));
    double *of_class = mean ? mean : counted + values, sum = 0;
    int64_t n = 0;
    for (int64_t k = 0; k < values; k++)
        counted[k] = counted_value(f, millimetres, kind, k / f->classes, k % f->classes);
    must(peft_metrics_values(counted, f->cases, f->classes, "mean", of_class, (size_t)f->classes));
    for (int64_t c = first_counted(f); c < f->classes; c++)
        if (!isnan(of_class[c])) sum += of_class[c], n++;
    free(counted);
    return n ? sum / (double)n : NAN;
}

typedef struct ranked { double dice; int64_t i; } ranked;
static int by_dice(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->dice > y->dice) return -1;
    if (x->dice < y->dice) return 1;
    return x->i < y->i ? -1 : x->i > y->i;
}

int64_t *order_by_dice(const case_table *f, int64_t *n)
{
    ranked *r = check_alloc(malloc(((size_t)f->cases + 1) * sizeof *r));
    int64_t *order = check_alloc(malloc(((size_t)f->cases + 1) * sizeof *order));
    *n = 0;
    for (int64_t i = 0; i < f->cases; i++) {
        r[*n] = (ranked){ case_mean(f, CASE_DICE, i), i };
        *n += !isnan(r[*n].dice);
    }
    qsort(r, (size_t)*n, sizeof *r, by_dice);
    for (int64_t k = 0; k < *n; k++) order[k] = r[k].i;
    free(r);
    return order;
}

int64_t place_of_rank(const char *rank, int64_t n)
{
    if (!strcmp(rank, "best")) return n ? 0 : -1;
    if (!strcmp(rank, "median")) return n > 2 ? (n - 1) / 2 : -1;
    return n > 1 && !strcmp(rank, "worst") ? n - 1 : -1;
}

bool begins_case(const case_table *f, int64_t i, const char *image)
{
    size_t length;
    if (f->images[i] == 1) return !strcmp(f->name[i], image);
    const int64_t slice = slice_of_name(image, &length);
    char *name = slice < 0 ? NULL : name_of_volume(image, length, slice, f->images[i]);
    const bool same = name && !strcmp(f->name[i], name);
    free(name);
    return same;
}
