/* SPDX-License-Identifier: Apache-2.0
 * cases.c -- predictions of cases of several images (cases.h). */
#include "cases.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const case_rule_phrase[] = {
    [CASE_MEAN] = "mean of the probabilities of their images",
    [CASE_MAX] = "maximum of the probabilities of their images",
    [CASE_ATTENTION] = "attention over the features of their images" };

case_rule parse_case_rule(const char *text, bool attention)
{
    if (!strcmp(text, "mean")) return CASE_MEAN;
    if (!strcmp(text, "max")) return CASE_MAX;
    if (attention && !strcmp(text, "attention")) return CASE_ATTENTION;
    fail("--per-case: given '%s', expected %s", text, attention ? "mean, max or attention" : "mean or max");
}

typedef struct named { const char *name; int64_t image; } named;

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : x->image < y->image ? -1 : x->image > y->image;
}

/* Sets representative[i] to the first image of the case of image i. */
static void find_first(const char *const *name, int64_t images, int64_t *representative)
{
    named *sorted = check_alloc(malloc((size_t)(images + 1) * sizeof *sorted));
    int64_t n = 0;
    for (int64_t i = 0; i < images; i++) {
        representative[i] = i;
        if (name[i]) sorted[n++] = (named){ name[i], i };
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    for (int64_t k = 1; k < n; k++)
        if (!strcmp(sorted[k].name, sorted[k - 1].name))
            representative[sorted[k].image] = representative[sorted[k - 1].image];
    free(sorted);
}

case_list find_cases(const char *const *name, const bool *known, int64_t images)
{
    const size_t bytes = (size_t)(images + 1) * sizeof(int64_t);
    case_list c = { .of = check_alloc(malloc(bytes)), .first = check_alloc(malloc(bytes)),
                    .slices = check_alloc(calloc(1, bytes)), .failed = check_alloc(calloc(1, bytes)) };
    int64_t *representative = check_alloc(malloc(bytes));
    find_first(name, images, representative);
    for (int64_t i = 0; i < images; i++) {
        if (representative[i] == i) c.first[c.count++] = i;
        c.of[i] = representative[i] == i ? c.count - 1 : c.of[representative[i]];
        (!known || known[i] ? c.slices : c.failed)[c.of[i]]++;
    }
    free(representative);
    return c;
}

case_list cases_of(const peft_dataset *d)
{
    const int64_t n = peft_dataset_count(d);
    const char **name = check_alloc(malloc((size_t)(n + 1) * sizeof *name));
    for (int64_t i = 0; i < n; i++) name[i] = peft_dataset_case(d, i);
    const bool *all_known = NULL;
    case_list c = find_cases(name, all_known, n);
    free(name);
    return c;
}

void free_cases(case_list *c)
{
    free(c->of);
    free(c->first);
    free(c->slices);
    free(c->failed);
}

/* Divides the maxima of a case by their sum. */
static void normalise(double *p, int64_t classes)
{
    double sum = 0;
    for (int64_t k = 0; k < classes; k++) sum += p[k];
    for (int64_t k = 0; k < classes; k++) p[k] /= sum;
}

double *aggregate_cases(const case_list *c, const double *scores, const bool *known, int64_t images, int64_t classes,
                        case_rule rule, bool multilabel)
{
    double *out = check_alloc(calloc((size_t)(c->count * classes) + 1, sizeof *out));
    for (int64_t i = 0; i < images; i++) {
        double *to = out + c->of[i] * classes;
        if (known && !known[i]) continue;
        for (int64_t k = 0; k < classes; k++) {
            const double p = scores[i * classes + k];
            if (rule == CASE_MEAN) to[k] += p / (double)c->slices[c->of[i]];
            else if (p > to[k]) to[k] = p;
        }
    }
    for (int64_t n = 0; n < c->count; n++) {
        double *p = out + n * classes;
        if (c->slices[n] && rule == CASE_MAX && !multilabel) normalise(p, classes);
        for (int64_t k = 0; k < classes && !c->slices[n]; k++) p[k] = NAN;
    }
    return out;
}
