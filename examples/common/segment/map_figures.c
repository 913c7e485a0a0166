/* SPDX-License-Identifier: Apache-2.0
 * map_figures.c -- means of Dice with bootstrap intervals, printed and recorded (map_figures.h). */
#include "map_figures.h"
#include "common/corruption/random.h"
#include "common/program/errors.h"
#include "mask_sets.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 2000, BOOTSTRAP_STREAM = 77 };

/* The images of each patient: those of patient g are member[first[g]] .. member[first[g + 1] - 1]. An image without a
 * patient stands for itself. */
typedef struct patients { int64_t count, *first, *member; } patients;

typedef struct keyed { const char *group; int64_t image; } keyed;
static int by_group(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    const int order = x->group && y->group ? strcmp(x->group, y->group) : !!x->group - !!y->group;
    if (order) return order;
    return x->image < y->image ? -1 : x->image > y->image;
}

static patients find_patients(const peft_dataset *d)
{
    const int64_t n = peft_dataset_count(d);
    keyed *k = check_alloc(malloc(((size_t)n + 1) * sizeof *k));
    patients p = { 0, check_alloc(malloc(((size_t)n + 1) * sizeof(int64_t))),
                   check_alloc(malloc(((size_t)n + 1) * sizeof(int64_t))) };
    for (int64_t i = 0; i < n; i++) k[i] = (keyed){ peft_dataset_has_groups(d) ? peft_dataset_group(d, i) : NULL, i };
    qsort(k, (size_t)n, sizeof *k, by_group);
    for (int64_t i = 0; i < n; i++) {
        if (!i || !k[i].group || !k[i - 1].group || strcmp(k[i].group, k[i - 1].group)) p.first[p.count++] = i;
        p.member[i] = k[i].image;
    }
    p.first[p.count] = n;
    free(k);
    return p;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The quantile of n sorted values, linear between two. */
static double quantile(const double *v, int64_t n, double q)
{
    const double at = q * (double)(n - 1), below = floor(at);
    const int64_t i = (int64_t)below;
    return i + 1 < n ? v[i] + (at - below) * (v[i + 1] - v[i]) : v[n - 1];
}

/* Draws patients with replacement and fills value [classes + 1, RESAMPLES] with the means. */
static void resample(const double *dice, int64_t classes, const patients *p, double *value)
{
    stream s = make_stream(BOOTSTRAP_STREAM, 1, 0, 0);
    int64_t most = 1;
    for (int64_t g = 0; g < p->count; g++) {
        const int64_t n = p->first[g + 1] - p->first[g];
        most = n > most ? n : most;
    }
    double *drawn = check_alloc(malloc((size_t)(p->count * most * classes) * sizeof *drawn));
    double *mean = check_alloc(malloc(((size_t)classes + 1) * sizeof *mean));
    for (int64_t r = 0; r < RESAMPLES; r++) {
        int64_t rows = 0;
        for (int64_t k = 0; k < p->count; k++) {
            const int64_t g = (int64_t)(next_word(&s) % (uint64_t)p->count);
            for (int64_t m = p->first[g]; m < p->first[g + 1]; m++, rows++)
                memcpy(drawn + rows * classes, dice + p->member[m] * classes, (size_t)classes * sizeof *drawn);
        }
        mean[classes] = means_of_maps(drawn, rows, classes, mean);
        for (int64_t c = 0; c <= classes; c++) value[c * RESAMPLES + r] = mean[c];
    }
    free(mean);
    free(drawn);
}

map_figures estimate_maps(const double *dice, const peft_dataset *d)
{
    const int64_t classes = peft_dataset_mask_classes(d), images = peft_dataset_count(d);
    map_figures f = { images, classes, peft_dataset_has_groups(d),
                      check_alloc(calloc((size_t)classes, sizeof(int64_t))),
                      check_alloc(calloc((size_t)classes + 1, sizeof(peft_estimate))) };
    patients p = find_patients(d);
    double *value = check_alloc(malloc((size_t)(classes + 1) * RESAMPLES * sizeof *value));
    double *mean = check_alloc(malloc(((size_t)classes + 1) * sizeof *mean));
    mean[classes] = means_of_maps(dice, images, classes, mean);
    resample(dice, classes, &p, value);
    for (int64_t c = 0; c <= classes; c++) {
        double *v = value + c * RESAMPLES;
        int64_t n = 0;
        for (int64_t r = 0; r < RESAMPLES; r++)
            if (!isnan(v[r])) v[n++] = v[r];
        if (n) qsort(v, (size_t)n, sizeof *v, ascending);
        const bool known = n && p.count > 1;
        f.of[c] = (peft_estimate){ .value = mean[c], .error = NAN,
                                   .low = known ? quantile(v, n, 0.025) : NAN,
                                   .high = known ? quantile(v, n, 0.975) : NAN, .p = NAN, .resamples = n,
                                   .undefined = RESAMPLES - n };
        for (int64_t i = 0; c < classes && i < images; i++) f.defined[c] += !isnan(dice[i * classes + c]);
    }
    free(mean);
    free(value);
    free(p.first);
    free(p.member);
    return f;
}

void free_map_figures(map_figures *f)
{
    free(f->defined);
    free(f->of);
}

void print_map_figures(const map_figures *f, const peft_dataset *d, const char *set)
{
    printf("\n%-22s %10s %7s   95 %% interval by %s\n", "class", "images", "Dice", f->by_patient ? "patient" : "image");
    for (int64_t c = 0; c <= f->classes; c++) {
        const peft_estimate *e = &f->of[c];
        if (c < f->classes) printf("%-22s %10lld", label_class_name(d, c), (long long)f->defined[c]);
        else printf("%-22s %10lld", f->classes > 1 ? "mean of all but first" : "mean", (long long)f->images);
        printf(" %7.4f   %.4f to %.4f\n", e->value, e->low, e->high);
    }
    printf("%-22s %lld\n", set, (long long)f->images);
    printf("%-22s %.5f\n", "test_dice", f->of[f->classes].value);
}

void record_map_figures(json_writer *w, const char *name, const double *dice, const peft_dataset *d)
{
    if (!dice) {
        json_null(w, name);
        return;
    }
    map_figures f = estimate_maps(dice, d);
    json_object(w, name);
    json_integer(w, "images", f.images);
    json_number(w, "dice", f.of[f.classes].value);
    json_number(w, "dice_low", f.of[f.classes].low);
    json_number(w, "dice_high", f.of[f.classes].high);
    json_text(w, "intervals", f.by_patient ? "by patient" : "by image");
    json_list(w, "classes");
    for (int64_t c = 0; c < f.classes; c++) {
        json_object(w, NULL);
        json_text(w, "class", label_class_name(d, c));
        json_integer(w, "images", f.defined[c]);
        json_number(w, "dice", f.of[c].value);
        json_number(w, "dice_low", f.of[c].low);
        json_number(w, "dice_high", f.of[c].high);
        json_close(w);
    }
    json_close(w);
    json_list(w, "cases");
    for (int64_t i = 0; i < f.images; i++) {
        json_object(w, NULL);
        json_text(w, "image", peft_dataset_name(d, i));
        json_list(w, "dice");
        for (int64_t c = 0; c < f.classes; c++) json_number(w, NULL, dice[i * f.classes + c]);
        json_close(w);
        json_close(w);
    }
    json_close(w);
    json_close(w);
    free_map_figures(&f);
}
