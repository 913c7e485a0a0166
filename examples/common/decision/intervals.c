/* SPDX-License-Identifier: Apache-2.0
 * intervals.c -- intervals by images or patients (intervals.h). */
#include "intervals.h"
#include "common/cases/cases.h"
#include "common/program/errors.h"
#include <math.h>
#include <stdlib.h>

static const double level = 0.95;

int64_t *number_patients(const peft_dataset *d, int64_t *patients)
{
    const int64_t n = peft_dataset_count(d);
    const bool *all_known = NULL;
    if (!peft_dataset_has_groups(d)) return NULL;
    const char **name = check_alloc(malloc((size_t)n * sizeof *name));
    int64_t *of = check_alloc(malloc((size_t)n * sizeof *of));
    for (int64_t i = 0; i < n; i++) name[i] = peft_dataset_group(d, i);
    case_list found = find_cases(name, all_known, n);
    for (int64_t i = 0; i < n; i++) of[i] = found.of[i];
    *patients = found.count;
    free_cases(&found);
    free(name);
    return of;
}

/* The number of patients of the samples with hit[i] 0 or 1. */
static int64_t count_patients(const sample_set *s, const float *hit)
{
    int64_t count = 0;
    bool *seen = check_alloc(calloc((size_t)s->n, sizeof *seen));
    for (int64_t i = 0; i < s->n; i++) {
        if (hit[i] < 0 || seen[s->patient[i]]) continue;
        seen[s->patient[i]] = true;
        count++;
    }
    free(seen);
    return count;
}

peft_estimate bootstrapped(const sample_set *s, const char *metric, const double *scores, const float *targets)
{
    peft_estimate e;
    peft_options *o;
    const peft_samples samples = { .n = s->n, .classes = 1, .scores = scores, .targets = targets,
                                   .groups = s->patient };
    must(peft_options_create(s->ctx, &o));
    must(peft_options_set_int(o, "resamples", 1000));
    must(peft_options_set_float(o, "level", level));
    must(peft_statistics_bootstrap(s->ctx, &samples, metric, o, &e, 1));
    peft_options_free(o);
    if (e.low == e.high) e.low = e.high = NAN;                /* resamples that do not vary tell of no interval */
    return e;
}

/* The share as the recall of samples that are all positive, those with hit[i] 0 or 1. */
static peft_estimate share_by_patients(const sample_set *s, const float *hit)
{
    int64_t m = 0;
    double *scores = check_alloc(malloc((size_t)s->n * sizeof *scores));
    float *ones = check_alloc(malloc((size_t)s->n * sizeof *ones));
    int64_t *patient = check_alloc(malloc((size_t)s->n * sizeof *patient));
    for (int64_t i = 0; i < s->n; i++) {
        if (hit[i] < 0) continue;
        scores[m] = hit[i];
        ones[m] = 1;
        patient[m++] = s->patient[i];
    }
    const sample_set counted = { s->ctx, m, patient };
    const peft_estimate e = bootstrapped(&counted, "recall", scores, ones);
    free(scores);
    free(ones);
    free(patient);
    return e;
}

peft_estimate share_of_samples(const sample_set *s, const float *hit)
{
    int64_t hits = 0, trials = 0;
    peft_estimate e;
    for (int64_t i = 0; i < s->n; i++) {
        hits += hit[i] > 0;
        trials += hit[i] >= 0;
    }
    const bool same = !hits || hits == trials;
    if (s->patient && !same) return share_by_patients(s, hit);
    if (s->patient) trials = count_patients(s, hit);
    must(peft_statistics_proportion(hits ? (same ? trials : hits) : 0, trials, level, "wilson", &e));
    return e;
}

peft_estimate auroc_of_class(const sample_set *s, const double *scores, const float *targets)
{
    peft_estimate e;
    must(peft_statistics_auroc(s->ctx, scores, targets, s->patient, s->n, level, "logit", &e));
    return e;
}
