/* SPDX-License-Identifier: Apache-2.0
 * auroc.c -- variance of the AUROC, and of the difference of two. The placement of a positive sample is the share of
 * negatives below it, that of a negative the share of positives above it, ties count one half; the AUROC is the mean
 * placement of either. DeLong's variance is that of these two means; Obuchowski's the same for sums over groups. That
 * of a difference is the variance of the differences of the placements. */
#include "core/statistics/statistics.h"
#include <math.h>

/* The judged samples of a call. */
typedef struct judged {
    int64_t positives, negatives;
    pf_groups groups;
    double *placement;                   /* [n]; of a sample that is not judged 0 */
    double *sums;                        /* [2, n]: by group, over positives and negatives, of placement - AUROC */
    pf_ranked *items;                    /* [2, n] */
} judged;

/* Adds sign times the placements of the samples with these scores, and returns their AUROC. Equal scores are one step:
 * all positives of it have the same placement, and all negatives. */
static double add_placements(judged *j, const double *scores, const float *targets, int64_t n, double sign)
{
    int64_t known = 0, rank = 0, above = 0, above_negatives = 0;
    for (int64_t i = 0; i < n; i++)
        if (targets[i] >= 0) j->items[known++] = (pf_ranked){ .score = scores[i], .tag = i };
    const pf_ranked *v = pf_rank_sort(j->items, j->items + n, known);
    double pairs = 0;
    while (rank < known) {
        const int64_t start = rank;
        int64_t p = 0;
        for (; rank < known && v[rank].score == v[start].score; rank++) p += targets[v[rank].tag] > 0;
        const int64_t q = rank - start - p, below = j->negatives - above_negatives - q;
        const double of_positive = ((double)below + 0.5 * (double)q) / (double)j->negatives;
        const double of_negative = ((double)above + 0.5 * (double)p) / (double)j->positives;
        for (int64_t i = start; i < rank; i++)
            j->placement[v[i].tag] += sign * (targets[v[i].tag] > 0 ? of_positive : of_negative);
        pairs += (double)p * ((double)below + 0.5 * (double)q);
        above += p;
        above_negatives += q;
    }
    return pairs / ((double)j->positives * (double)j->negatives);
}

/* The sum of squares s of `count` group sums as the variance of a mean of m samples; NaN for one group. */
static double variance_of_mean(double s, double count, double m)
{
    return count > 1 ? count / (count - 1) * s / (m * m) : NAN;
}

/* The variance of the mean placement, which is `value`; 0 where it is rounding error of placements. */
static double variance(const judged *j, const float *targets, int64_t n, double value)
{
    double *positive = j->sums, *negative = j->sums + n;
    double squares[2] = { 0, 0 }, with[2] = { 0, 0 }, product = 0, all = 0;  /* with, all: numbers of groups */
    for (int64_t g = 0; g < j->groups.count; g++) {
        bool has[2] = { false, false };
        positive[g] = negative[g] = 0;
        for (int64_t k = j->groups.start[g]; k < j->groups.start[g + 1]; k++) {
            const int64_t i = j->groups.members[k];
            if (targets[i] < 0) continue;
            const bool is_positive = targets[i] > 0;
            has[is_positive] = true;
            (is_positive ? positive : negative)[g] += j->placement[i] - value;
        }
        with[0] += has[0];
        with[1] += has[1];
        all += has[0] || has[1];
        squares[0] += negative[g] * negative[g];
        squares[1] += positive[g] * positive[g];
        product += positive[g] * negative[g];
    }
    const double m = (double)j->positives, k = (double)j->negatives;
    const double both = product != 0 ? 2 * all / (all - 1) * product / (m * k) : 0;
    const double v = variance_of_mean(squares[1], with[1], m) + variance_of_mean(squares[0], with[0], k) + both;
    return v < 1e-30 ? 0 : v;
}

static void release(judged *j, peft_context *ctx)
{
    pf_groups_free(&j->groups, ctx);
    pf_free(ctx, j->placement);
    pf_free(ctx, j->items);
}

/* Checks what both functions are given and allocates. The caller calls release, also after a failure. */
static peft_status prepare(judged *j, const char *who, peft_context *ctx, const float *targets, const int64_t *groups,
                           int64_t n, double level)
{
    *j = (judged){ .positives = 0 };
    PF_TRY(pf_metric_extents(who, n, 4));                    /* 4: numbers a sample in an array below */
    PF_TRY(pf_metric_targets(who, targets, n, 1));
    PF_TRY(pf_statistics_level(who, level));
    for (int64_t i = 0; i < n; i++) {
        j->positives += targets[i] > 0;
        j->negatives += targets[i] == 0;
    }
    PF_TRY(pf_groups_make(&j->groups, who, ctx, groups, n));
    const size_t numbers = (size_t)n * 3 * sizeof(double), items = (size_t)n * 2 * sizeof(pf_ranked);
    j->placement = pf_alloc_zero(ctx, numbers);
    if (!j->placement) return pf_nomem(who, numbers);
    j->sums = j->placement + n;
    j->items = pf_alloc(ctx, items);
    return j->items ? PEFT_OK : pf_nomem(who, items);
}

/* value +- z error on the scale of log(x / (1 - x)), whose error is error / (x (1 - x)). */
static void logit_interval(peft_estimate *e, double z)
{
    const double centre = log(e->value / (1 - e->value)), half = z * e->error / (e->value * (1 - e->value));
    e->low = 1 / (1 + exp(half - centre));
    e->high = 1 / (1 + exp(-half - centre));
}

peft_status peft_statistics_auroc(peft_context *ctx, const double *scores, const float *targets, const int64_t *groups,
                                  int64_t n, double level, const char *kind, peft_estimate *out)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_statistics_auroc";
    judged j = { .positives = 0 };
    bool wald;
    if (!ctx || !out) return pf_metric_null(who, ctx ? "out" : "ctx");
    PF_TRY(pf_metric_extents(who, n, 1));
    PF_TRY(pf_metric_scores(who, scores, n, 1));
    PF_TRY(pf_statistics_kind(who, "kind", kind, "logit", "wald", &wald));
    const peft_status s = prepare(&j, who, ctx, targets, groups, n, level);
    if (!s) {
        peft_estimate e = pf_estimate_none();
        if (j.positives && j.negatives) {
            e.value = add_placements(&j, scores, targets, n, 1);
            const double v = variance(&j, targets, n, e.value);
            if (v > 0 && e.value > 0 && e.value < 1) {
                e.error = sqrt(v);
                const double z = pf_normal_deviate(level);
                if (!wald) logit_interval(&e, z);
                else {
                    e.low = fmax(0, e.value - z * e.error);
                    e.high = fmin(1, e.value + z * e.error);
                }
            }
        }
        *out = e;
    }
    release(&j, ctx);
    return s;
}

peft_status peft_statistics_auroc_difference(peft_context *ctx, const double *first, const double *second,
                                             const float *targets, const int64_t *groups, int64_t n, double level,
                                             peft_estimate *out)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_statistics_auroc_difference";
    judged j = { .positives = 0 };
    if (!ctx || !out) return pf_metric_null(who, ctx ? "out" : "ctx");
    if (!first || !second) return pf_metric_null(who, first ? "second" : "first");
    PF_TRY(pf_metric_extents(who, n, 1));
    PF_TRY(pf_metric_scores(who, first, n, 1));
    PF_TRY(pf_metric_scores(who, second, n, 1));
    const peft_status s = prepare(&j, who, ctx, targets, groups, n, level);
    if (!s) {
        peft_estimate e = pf_estimate_none();
        if (j.positives && j.negatives) {
            e.value = add_placements(&j, first, targets, n, 1);
            e.value -= add_placements(&j, second, targets, n, -1);
            const double v = variance(&j, targets, n, e.value);
            if (v > 0) {
                const double z = pf_normal_deviate(level);
                e.error = sqrt(v);
                e.low = e.value - z * e.error;
                e.high = e.value + z * e.error;
                e.p = erfc(fabs(e.value) / e.error * 0.70710678118654752440);
            } else if (e.value == 0) e.p = 1;
        }
        *out = e;
    }
    release(&j, ctx);
    return s;
}
