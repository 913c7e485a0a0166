/* SPDX-License-Identifier: Apache-2.0
 * check_cases.c -- refuses figures of masks that contradict others of the records (report_study.h): those of a case its
 * numbers of pixels, the means of a run its cases, and the cases of a run those of the other runs. */
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "common/segment/map_figures.h"
#include "report/report_study.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char cure[] = "the records were changed or are damaged; restore them, or repeat the study";

enum { number_size = 32 };
static const char *number_text(char text[number_size], double v)
{
    if (isnan(v)) return "empty";
    snprintf(text, number_size, "%.9g", v);
    return text;
}

/* A figure of a class by its pixels in the true mask, in the predicted one, and in both. */
static double figure_of_pixels(int kind, double truth, double predicted, double both)
{
    const struct { double part, of; } share[] = { { 2 * both, truth + predicted }, { both, truth + predicted - both },
                                                  { both, predicted }, { both, truth } };
    return share[kind].of > 0 ? share[kind].part / share[kind].of : NAN;
}

/* Is it a distance that masks with these pixels can have? */
static bool is_distance_of(double v, double truth, double predicted, double both)
{
    if (truth == 0 && predicted == 0) return isnan(v);
    if (truth == 0 || predicted == 0) return isinf(v);
    return isfinite(v) && (v == 0 || both < fmax(truth, predicted));
}

/* Dice tells how many pixels both masks have, and these the other shares. Figures have nine digits. */
static void check_row(const case_table *f, int64_t i, int64_t c, const char *path)
{
    const int64_t at = i * f->classes + c, line = at + 2;
    const double truth = (double)f->truth[at], predicted = (double)f->predicted[at], dice = f->value[CASE_DICE][at];
    const double both = isnan(dice) ? 0 : round(dice * (truth + predicted) / 2);
    const double doubt = floor(1e-9 * (truth + predicted));   /* of `both`, by the digits of Dice */
    char text[number_size], want[number_size];
    if (both > fmin(truth, predicted) + doubt)
        fail("%s:%lld: dice is %s; with %.0f true and %.0f predicted pixels expected %.9g or less; %s", path,
             (long long)line, number_text(text, dice), truth, predicted,
             figure_of_pixels(CASE_DICE, truth, predicted, fmin(truth, predicted)), cure);
    for (int kind = 0; kind < CASE_KINDS; kind++) {
        const double v = f->value[kind][at];
        const bool distance = is_case_distance(kind);
        const double by_pixels = distance ? NAN : figure_of_pixels(kind, truth, predicted, both);
        const double most = 1e-8 + doubt / fmax(1, fmin(truth, predicted));
        if (distance ? is_distance_of(v, truth, predicted, both)
                     : isnan(v) ? isnan(by_pixels) : fabs(v - by_pixels) <= most) continue;
        const char *wanted = !distance ? number_text(want, by_pixels) : truth == 0 && predicted == 0 ? "empty"
                             : truth == 0 || predicted == 0 ? "inf" : both < fmax(truth, predicted) ? "a number" : "0";
        fail("%s:%lld: %s is %s; with %.0f true and %.0f predicted pixels%s expected %s; %s", path, (long long)line,
             case_figure_name[kind], number_text(text, v), truth, predicted, kind == CASE_DICE ? "" : " and this Dice",
             wanted, cure);
    }
}

/* Each judged pixel has one class in either mask. */
static void check_sums(const case_table *f, int64_t i, const char *path)
{
    int64_t truth = 0, predicted = 0;
    for (int64_t c = 0; c < f->classes; c++) {
        truth += f->truth[i * f->classes + c];
        predicted += f->predicted[i * f->classes + c];
    }
    if (f->classes > 1 && truth != predicted)
        fail("%s:%lld: the classes of case '%.200s' have %lld true and %lld predicted pixels in all, expected the same "
             "number; %s", path, (long long)(i * f->classes + 2), f->name[i], (long long)truth, (long long)predicted,
             cure);
}

/* The means in the .run.csv file. */
static void check_means(const study *s, const method *m, const run *r, const char *path)
{
    static const struct { int result, kind; } stored[] = {
        { result_dice, CASE_DICE }, { result_iou, CASE_IOU }, { result_hd95, CASE_HD95 },
        { result_surface_distance, CASE_SURFACE_DISTANCE } };
    const case_table *f = &r->cases;
    const int64_t cells = f->cases * f->classes;
    double *counted = check_alloc(malloc((size_t)(cells + f->classes) * sizeof *counted));
    for (size_t k = 0; k < sizeof stored / sizeof *stored; k++) {
        const double of_run = r->value[stored[k].result];
        char text[number_size], other[number_size];
        for (int64_t at = 0; at < cells; at++)
            counted[at] = counted_value(f, any_millimetres(f), stored[k].kind, at / f->classes, at % f->classes);
        const double mean = means_of_maps(counted, f->cases, f->classes, f->several, counted + cells);
        if (isnan(mean) ? isnan(of_run) : fabs(mean - of_run) <= 1e-8 * fmax(1, mean)) continue;
        char *run_path = path_of_record(s, m, r, "run");
        fail("%s: the mean %s of the cases is %s, and %s has %s; %s", path, case_figure_name[stored[k].kind],
             number_text(text, mean), run_path, number_text(other, of_run), cure);
    }
    free(counted);
}

void check_recorded_cases(const study *s, const method *m, const run *r, const char *path)
{
    const case_table *f = &r->cases;
    for (int64_t i = 0; i < f->cases; i++) {
        for (int64_t c = 0; c < f->classes; c++) check_row(f, i, c, path);
        check_sums(f, i, path);
        if (has_spacing(m) && !f->millimetres[i])
            fail("%s:%lld: unit is px, and the study was made with --spacing, so that it is mm; %s", path,
                 (long long)(i * f->classes + 2), cure);
    }
    check_means(s, m, r, path);
}

/* Case `at` of a run, and where it stands. */
typedef struct known_case { const method *method; const run *run; int64_t at; } known_case;

static int by_name(const void *a, const void *b)
{
    const known_case *x = a, *y = b;
    const int order = strcmp(x->run->name[x->at], y->run->name[y->at]);
    return order ? order : x->run < y->run ? -1 : x->run > y->run;
}

/* What of the true mask differs between two cases of one name; NULL: nothing. *class: that it is of. */
static const char *find_difference(const known_case *a, const known_case *b, int64_t *class)
{
    const case_table *x = &a->run->cases, *y = &b->run->cases;
    const char *p = x->patient[a->at], *q = y->patient[b->at];
    *class = 0;
    if (x->millimetres[a->at] != y->millimetres[b->at]) return "unit";
    if (x->images[a->at] != y->images[b->at]) return "images";
    if (p && q ? strcmp(p, q) : p != q) return "patient";
    for (; *class < x->classes; ++*class)
        if (x->truth[a->at * x->classes + *class] != y->truth[b->at * y->classes + *class]) return "pixels_truth";
    return NULL;
}

static void refuse_pair(const study *s, const known_case *a, const known_case *b, int64_t class, const char *what)
{
    char *path = path_of_record(s, a->method, a->run, "cases"), *other = path_of_record(s, b->method, b->run, "cases");
    const int64_t classes = s->classes;
    fail("%s:%lld: %s of case '%.200s' is another than in %s:%lld; %s", other, (long long)(b->at * classes + class + 2),
         what, b->run->name[b->at], path, (long long)(a->at * classes + class + 2), cure);
}

/* Runs on one draw test the same cases in the same order. a: the first finished one of the draw. */
static void check_order(const study *s, const known_case *a, const known_case *b)
{
    const int64_t n = a->run->images < b->run->images ? a->run->images : b->run->images;
    int64_t at = 0;
    while (at < n && !strcmp(a->run->name[at], b->run->name[at])) at++;
    if (at == a->run->images && at == b->run->images) return;
    char *path = path_of_record(s, a->method, a->run, "cases"), *other = path_of_record(s, b->method, b->run, "cases");
    fail("%s:%lld: expected the same case as in %s, as the runs of a draw test the same cases in the same order; %s",
         other, (long long)(at * s->classes + 2), path, cure);
}

void check_cases_of_runs(const study *s)
{
    int64_t n = 0, class;
    known_case *all = NULL, *first = check_alloc(calloc((size_t)s->runs + 1, sizeof *first));
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++) {
            const run *r = &s->method[m].run[i];
            if (!r->done) continue;
            const known_case k = { &s->method[m], r, 0 };
            known_case *of_draw = &first[r->draw - 1];
            if (of_draw->run) check_order(s, of_draw, &k);
            else *of_draw = k;
            all = check_alloc(realloc(all, (size_t)(n + r->images + 1) * sizeof *all));
            for (int64_t at = 0; at < r->images; at++) all[n++] = (known_case){ k.method, r, at };
        }
    if (n) qsort(all, (size_t)n, sizeof *all, by_name);
    for (int64_t k = 1; k < n; k++) {
        const known_case *a = &all[k - 1], *b = &all[k];
        const char *what = strcmp(a->run->name[a->at], b->run->name[b->at]) ? NULL : find_difference(a, b, &class);
        if (what) refuse_pair(s, a, b, class, what);
    }
    free(all);
    free(first);
}
