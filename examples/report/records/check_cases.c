/* SPDX-License-Identifier: Apache-2.0
 * check_cases.c -- refuses figures of masks that contradict others of the records (report_study.h): those of a case its
 * numbers of pixels, the means of a run its cases, and the cases of a run those of the other runs. */
#include "common/program/errors.h"
#include "common/segment/figures/case_means.h"
#include "report/report_study.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { number_size = 32 };
static const char *number_text(char text[number_size], double v)
{
    if (isnan(v)) return "empty";
    snprintf(text, number_size, "%.9g", v);
    return text;
}

/* A ratio of a class (CASE_DICE to CASE_RECALL) by its pixels in the true mask, in the predicted one, and in both. */
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

/* The line of class c of case i in its file. */
static long long line_of(const case_table *f, int64_t i, int64_t c) { return (long long)(i * f->classes + c + 2); }

/* What a figure must be by the pixels of its class. */
static const char *expected_text(char text[number_size], int kind, double truth, double predicted, double both)
{
    if (!is_case_distance(kind)) return number_text(text, figure_of_pixels(kind, truth, predicted, both));
    if (truth == 0 && predicted == 0) return "empty";
    if (truth == 0 || predicted == 0) return "inf";
    return both < fmax(truth, predicted) ? "a number" : "0";
}

/* Computes the pixels that both masks have from Dice, which has nine digits, and the other ratios from them. */
static void check_row(const case_table *f, int64_t i, int64_t c, const char *path)
{
    const int64_t at = i * f->classes + c;
    const double truth = (double)f->truth[at], predicted = (double)f->predicted[at], dice = f->value[CASE_DICE][at];
    const double both = isnan(dice) ? 0 : round(dice * (truth + predicted) / 2);
    const double rounding = floor(1e-9 * (truth + predicted));            /* largest error of `both` */
    const double tolerance = 1e-8 + rounding / fmax(1, fmin(truth, predicted));
    char text[number_size], expected[number_size];
    if (both > fmin(truth, predicted) + rounding)
        fail("%s:%lld: dice is %s; with %.0f true and %.0f predicted pixels expected %.9g or less; %s", path,
             line_of(f, i, c), number_text(text, dice), truth, predicted,
             figure_of_pixels(CASE_DICE, truth, predicted, fmin(truth, predicted)), damaged_records_advice);
    for (int kind = 0; kind < CASE_KINDS; kind++) {
        const double value = f->value[kind][at];
        const double ratio = is_case_distance(kind) ? NAN : figure_of_pixels(kind, truth, predicted, both);
        const bool as_expected = is_case_distance(kind) ? is_distance_of(value, truth, predicted, both)
                                 : isnan(value) ? isnan(ratio) : fabs(value - ratio) <= tolerance;
        if (as_expected) continue;
        fail("%s:%lld: %s is %s; with %.0f true and %.0f predicted pixels%s expected %s; %s", path, line_of(f, i, c),
             case_figure_name[kind], number_text(text, value), truth, predicted,
             kind == CASE_DICE ? "" : " and this Dice", expected_text(expected, kind, truth, predicted, both),
             damaged_records_advice);
    }
}

/* Each judged pixel has one class in either mask, as compare refuses masks with several labels a pixel. */
static void check_sums(const case_table *f, int64_t i, const char *path)
{
    int64_t truth = 0, predicted = 0;
    for (int64_t c = 0; c < f->classes; c++) {
        truth += f->truth[i * f->classes + c];
        predicted += f->predicted[i * f->classes + c];
    }
    if (f->classes > 1 && truth != predicted)
        fail("%s:%lld: the classes of case '%.200s' have %lld true and %lld predicted pixels in all, expected the same "
             "number; %s", path, line_of(f, i, 0), f->name[i], (long long)truth, (long long)predicted,
             damaged_records_advice);
}

/* Checks a mean of the .run.csv file. class: its name; "": the mean of the classes. */
static void check_mean(const study *s, const method *m, const run *r, const char *path, int kind, const char *class,
                       double mean, double of_run)
{
    char text[number_size], other[number_size];
    if (isnan(mean) ? isnan(of_run) : fabs(mean - of_run) <= 1e-8 * fmax(1, mean)) return;
    char *run_path = path_of_record(s, m, r, "run");
    fail("%s: the mean %s%s%s of the cases is %s, and %s has %s; %s", path, case_figure_name[kind],
         *class ? " of class " : "", class, number_text(text, mean), run_path, number_text(other, of_run),
         damaged_records_advice);
}

static void check_means(const study *s, const method *m, const run *r, const char *path)
{
    double *mean = check_alloc(malloc((size_t)s->classes * sizeof *mean));
    for (int k = 0; k < results_of_class; k++) {
        const int kind = recorded_kind[k];
        check_mean(s, m, r, path, kind, "", means_by_class(&r->cases, kind, mean), r->value[result_first_of_class + k]);
        for (int64_t c = 0; c < s->classes; c++)
            check_mean(s, m, r, path, kind, s->class_name[c], mean[c], r->of_class[c * results_of_class + k]);
    }
    free(mean);
}

void check_recorded_cases(const study *s, const method *m, const run *r, const char *path)
{
    const case_table *f = &r->cases;
    for (int64_t i = 0; i < f->cases; i++) {
        for (int64_t c = 0; c < f->classes; c++) check_row(f, i, c, path);
        check_sums(f, i, path);
        if (s->spaced && !f->millimetres[i])
            fail("%s:%lld: unit is px, and the study was made with --spacing, so that it is mm; %s", path,
                 line_of(f, i, 0), damaged_records_advice);
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
    fail("%s:%lld: %s of case '%.200s' is another than in %s:%lld; %s", other, line_of(&b->run->cases, b->at, class),
         what, b->run->name[b->at], path, line_of(&a->run->cases, a->at, class), damaged_records_advice);
}

/* Runs on one draw test the same cases in the same order. first_of_draw: the first finished run of this draw. */
static void check_order(const study *s, const known_case *first_of_draw, const method *m, const run *r)
{
    const run *first = first_of_draw->run;
    int64_t at = 0;
    while (at < first->images && at < r->images && !strcmp(first->name[at], r->name[at])) at++;
    if (at == first->images && at == r->images) return;
    char *path = path_of_record(s, first_of_draw->method, first, "cases"), *other = path_of_record(s, m, r, "cases");
    fail("%s:%lld: expected the same case as in %s, as the runs of a draw test the same cases in the same order; %s",
         other, line_of(&r->cases, at, 0), path, damaged_records_advice);
}

void check_cases_of_runs(const study *s)
{
    int64_t n = 0, class;
    known_case *all = NULL, *first = check_alloc(calloc((size_t)s->runs + 1, sizeof *first));
    for (int64_t m = 0; m < s->methods; m++)
        for (int64_t i = 0; i < s->runs; i++) {
            const run *r = &s->method[m].run[i];
            if (!r->done) continue;
            known_case *first_of_draw = &first[r->draw - 1];
            if (first_of_draw->run) check_order(s, first_of_draw, &s->method[m], r);
            else *first_of_draw = (known_case){ &s->method[m], r, 0 };
            all = check_alloc(realloc(all, (size_t)(n + r->images + 1) * sizeof *all));
            for (int64_t at = 0; at < r->images; at++) all[n++] = (known_case){ &s->method[m], r, at };
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
