/* SPDX-License-Identifier: Apache-2.0
 * bootstrap.c -- bootstrap intervals of any metric: groups of samples are drawn with replacement (Efron and Tibshirani,
 * An Introduction to the Bootstrap, 1993). Draw i of resample r is element i of the random stream (seed, "bootstrap",
 * r). */
#include "core/statistics/figure.h"
#include <math.h>
#include <stdlib.h>
#include "core/base/rng.h"

const pf_opt pf_statistics_options[] = {
    { "resamples", 'i', "2000", 1, 1e7, "number of resamples" },
    { "level", 'f', "0.95", 0.01, 0.9999, "probability with which the interval should hold the true value" },
    { "interval", 's', "percentile", 0, 0, "percentile: quantiles of the resamples; bca: bias-corrected and "
      "accelerated" },
    { "stratified", 'b', "false", 0, 0, "each resample has as many groups of each label as the samples" },
    { "seed", 'i', "0", 0, 9e15, "seed of the draws" },
    { 0 } };

const peft_option *peft_statistics_option(size_t i) { return pf_option_at(pf_statistics_options, i); }

/* A bootstrap in progress. Strata are numbered 0 to strata - 1; by_stratum lists the groups, those of stratum k from
 * first[k] to first[k + 1] - 1. */
typedef struct boot {
    pf_figure figure;
    pf_groups groups;
    int64_t strata, *by_stratum, *first;
    int64_t *size, *joined;              /* [labels]: groups of a label, and the label with which it is drawn */
    int64_t *drawn, *index, room;        /* drawn [groups]; the samples of the drawn groups, and room for them */
    double *value;                       /* [count]: of all samples */
    double *of;                          /* [count, resamples] */
    double *left;                        /* [count, groups]: without a group; NULL: not needed */
    double *scratch;                     /* [count] */
} boot;

/* The stratum of a group: the largest of its labels, or targets + 1. */
static int64_t stratum_of(const boot *b, int64_t g)
{
    const peft_samples *s = b->figure.s;
    int64_t largest = 0;
    for (int64_t k = b->groups.start[g]; k < b->groups.start[g + 1]; k++) {
        const int64_t i = b->groups.members[k], v = s->labels ? s->labels[i] : (int64_t)s->targets[i] + 1;
        if (v > largest) largest = v;
    }
    return largest;
}

/* A stratum of one group would be drawn unchanged in each resample, as if its samples did not vary: joins the strata of
 * one group to one, or a single such stratum with the smallest other one (collapsed strata: Cochran, Sampling
 * Techniques, 1977, section 5A.12). If all have one group, they stay. */
static void join_small_strata(boot *b, int64_t labels)
{
    int64_t single = -1, singles = 0, smallest = -1;
    for (int64_t k = labels - 1; k >= 0; k--) {
        b->joined[k] = k;
        if (b->size[k] == 1) single = k, singles++;
        if (b->size[k] > 1 && (smallest < 0 || b->size[k] <= b->size[smallest])) smallest = k;
    }
    if (smallest < 0) return;
    for (int64_t k = 0; k < labels; k++)
        if (b->size[k] == 1) b->joined[k] = singles > 1 ? single : smallest;
}

/* Sorts the groups by stratum. */
static void make_strata(boot *b, bool stratified)
{
    const int64_t most = !stratified ? 1 : b->figure.s->labels ? b->figure.s->classes : 3;   /* 3: targets -1, 0, 1 */
    int64_t n = 0;
    for (int64_t k = 0; k < most; k++) b->size[k] = 0;
    for (int64_t g = 0; g < b->groups.count; g++) b->size[stratified ? stratum_of(b, g) : 0]++;
    join_small_strata(b, most);
    b->strata = 0;
    for (int64_t k = 0; k < most; k++) {
        b->first[b->strata] = n;
        for (int64_t g = 0; g < b->groups.count; g++)
            if (b->joined[stratified ? stratum_of(b, g) : 0] == k) b->by_stratum[n++] = g;
        b->strata += n > b->first[b->strata];
    }
    b->first[b->strata] = n;
}

/* Puts the samples of the drawn groups, `count` of them, into index; *m: how many samples. */
static peft_status collect(boot *b, const int64_t *drawn, int64_t count, int64_t *m)
{
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) total += b->groups.start[drawn[i] + 1] - b->groups.start[drawn[i]];
    if (total > b->room) {
        pf_free(b->figure.ctx, b->index);
        b->room = 0;
        b->index = pf_alloc(b->figure.ctx, (size_t)total * sizeof *b->index);
        if (!b->index) return pf_nomem(b->figure.who, (size_t)total * sizeof *b->index);
        b->room = total;
    }
    *m = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = b->groups.start[drawn[i]]; k < b->groups.start[drawn[i] + 1]; k++)
            b->index[(*m)++] = b->groups.members[k];
    return PEFT_OK;
}

/* The figure of the drawn groups, as column k of `to` [count, columns]. */
static peft_status figure_of(boot *b, int64_t count, double *to, int64_t k, int64_t columns)
{
    int64_t m = 0;
    PF_TRY(collect(b, b->drawn, count, &m));
    if (m) PF_TRY(pf_figure_of(&b->figure, b->figure.s->scores, b->figure.s->others, b->index, m, b->scratch));
    for (size_t v = 0; v < b->figure.count; v++) to[(int64_t)v * columns + k] = m ? b->scratch[v] : NAN;
    return PEFT_OK;
}

static peft_status resample(boot *b, uint64_t seed, int64_t resamples)
{
    for (int64_t r = 0; r < resamples; r++) {
        const pf_rng rng = { .seed = seed, .a = pf_rng_stream("bootstrap"), .b = (uint32_t)r };
        for (int64_t k = 0; k < b->strata; k++)
            for (int64_t i = b->first[k]; i < b->first[k + 1]; i++)
                b->drawn[i] = b->by_stratum[b->first[k]
                                            + pf_rng_below(&rng, (uint64_t)i, b->first[k + 1] - b->first[k])];
        PF_TRY(figure_of(b, b->groups.count, b->of, r, resamples));
    }
    return PEFT_OK;
}

/* The figure without each of the groups, in the order of by_stratum. */
static peft_status jackknife(boot *b)
{
    const int64_t n = b->groups.count;
    for (int64_t left_out = 0; left_out < n; left_out++) {
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) if (i != left_out) b->drawn[count++] = b->by_stratum[i];
        PF_TRY(figure_of(b, count, b->left, left_out, n));
    }
    return PEFT_OK;
}

/* The acceleration, from the figures without each group; each stratum is a sample of its own (Davison and Hinkley,
 * Bootstrap Methods and their Application, 1997, section 5.4). NaN: one of them is undefined. */
static double acceleration(const boot *b, const double *left)
{
    double squares = 0, cubes = 0;
    for (int64_t k = 0; k < b->strata; k++) {
        const double n = (double)(b->first[k + 1] - b->first[k]);
        double mean = 0;
        for (int64_t i = b->first[k]; i < b->first[k + 1]; i++) mean += left[i] / n;
        for (int64_t i = b->first[k]; i < b->first[k + 1]; i++) {
            const double u = (n - 1) * (mean - left[i]) / n;
            squares += u * u;
            cubes += u * u * u;
        }
    }
    return squares > 0 ? cubes / (6 * squares * sqrt(squares)) : NAN;
}

/* The level that BCa takes in place of a level of the quantiles. below: the share of resamples below the figure. */
static double corrected(double level, double below, double a)
{
    const double z0 = pf_normal_quantile(below), z = z0 + pf_normal_quantile(level);
    return isfinite(z0) ? pf_normal_below(z0 + z / (1 - a * z)) : NAN;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Makes the estimate of value v of the metric; its resamples are sorted. */
static peft_estimate summary(const boot *b, int64_t v, int64_t resamples, double level)
{
    double *of = b->of + v * resamples, mean = 0, squares = 0, below = 0;
    peft_estimate e = pf_estimate_none();
    e.value = b->value[v];
    for (int64_t r = 0; r < resamples; r++)
        if (!isnan(of[r])) of[e.resamples++] = of[r];
    e.undefined = resamples - e.resamples;
    if (!e.resamples) return e;
    const double n = (double)e.resamples;
    for (int64_t r = 0; r < e.resamples; r++) {
        mean += of[r] / n;
        below += of[r] < e.value ? 1 : of[r] == e.value ? 0.5 : 0;
    }
    for (int64_t r = 0; r < e.resamples; r++) squares += (of[r] - mean) * (of[r] - mean);
    e.error = e.resamples > 1 ? sqrt(squares / (n - 1)) : NAN;
    qsort(of, (size_t)e.resamples, sizeof *of, ascending);
    double low = (1 - level) / 2, high = 1 - low;
    if (b->left) {
        const double a = acceleration(b, b->left + v * b->groups.count);
        low = corrected(low, below / n, a);
        high = corrected(high, below / n, a);
    }
    e.low = pf_sorted_quantile(of, e.resamples, low);
    e.high = pf_sorted_quantile(of, e.resamples, high);
    return e;
}

/* The estimate where each resample has the same groups: resamples do not tell how far the figure would vary. */
static peft_estimate without_interval(const boot *b, size_t v, int64_t resamples)
{
    peft_estimate e = pf_estimate_none();
    e.value = b->value[v];
    e.undefined = resamples;
    return e;
}

/* BCa computes the metric once for each group, of all others: refuses what would take longer than some minutes. */
static peft_status check_time(const boot *b)
{
    const int64_t most = 1000000000, groups = b->groups.count;
    const int64_t samples = b->figure.s->n, classes = b->figure.s->classes;
    if (groups <= most / (samples * classes)) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "%s: interval=bca of %lld groups, %lld samples and %lld classes reads all "
                   "scores once for each group, expected a product of these numbers of at most %lld; "
                   "give interval=percentile",
                   b->figure.who, (long long)groups, (long long)samples, (long long)classes, (long long)most);
}

/* Allocates for the resamples, and with bca true for the figures without a group. */
static peft_status prepare(boot *b, int64_t resamples, bool bca)
{
    peft_context *ctx = b->figure.ctx;
    const char *who = b->figure.who;
    const size_t values = b->figure.count, groups = (size_t)b->groups.count;
    const size_t strata = (size_t)b->figure.s->classes + 4;
    size_t numbers, bytes;
    if (!pf_mul_size(values, (size_t)resamples + (bca ? groups : 0) + 2, &numbers)
        || !pf_mul_size(numbers, sizeof(double), &bytes))
        return pf_fail(PEFT_E_INVALID, "%s: %lld resamples of %zu values are too many", who, (long long)resamples,
                       values);
    b->drawn = pf_alloc(ctx, (2 * groups + 3 * strata) * sizeof *b->drawn);
    if (!b->drawn) return pf_nomem(who, (2 * groups + 3 * strata) * sizeof *b->drawn);
    b->by_stratum = b->drawn + groups;
    b->first = b->by_stratum + groups;
    b->size = b->first + strata;
    b->joined = b->size + strata;
    b->of = pf_alloc(ctx, bytes);
    if (!b->of) return pf_nomem(who, bytes);
    b->value = b->of + values * (size_t)resamples;
    b->scratch = b->value + values;
    b->left = bca ? b->scratch + values : NULL;
    return PEFT_OK;
}

static peft_status run(boot *b, const peft_options *options, peft_estimate *out)
{
    const int64_t resamples = pf_options_int(options, pf_statistics_options, "resamples");
    const double level = pf_options_float(options, pf_statistics_options, "level");
    const bool stratified = pf_options_int(options, pf_statistics_options, "stratified") != 0;
    const peft_samples *s = b->figure.s;
    bool bca;
    const char *interval = pf_options_string(options, pf_statistics_options, "interval");
    PF_TRY(pf_statistics_kind(b->figure.who, "option interval", interval, "percentile", "bca", &bca));
    if (stratified && s->targets && s->classes > 1)
        return pf_fail(PEFT_E_INVALID, "%s: stratified is true and targets have %lld classes: samples with several "
                       "labels belong to no single stratum; pass one class at a time, or stratified=false",
                       b->figure.who, (long long)s->classes);
    if (stratified && !s->targets && !s->labels)
        return pf_fail(PEFT_E_INVALID, "%s: stratified is true and the samples are values alone, without labels "
                       "by which strata are made", b->figure.who);
    PF_TRY(pf_groups_make(&b->groups, b->figure.who, b->figure.ctx, s->groups, s->n));
    if (bca) PF_TRY(check_time(b));
    PF_TRY(prepare(b, resamples, bca));
    make_strata(b, stratified);
    PF_TRY(pf_figure_of(&b->figure, s->scores, s->others, NULL, s->n, b->value));
    if (b->strata == b->groups.count) {                      /* one group in each stratum */
        for (size_t v = 0; v < b->figure.count; v++) out[v] = without_interval(b, v, resamples);
        return PEFT_OK;
    }
    PF_TRY(resample(b, (uint64_t)pf_options_int(options, pf_statistics_options, "seed"), resamples));
    if (bca) PF_TRY(jackknife(b));
    for (size_t v = 0; v < b->figure.count; v++) out[v] = summary(b, (int64_t)v, resamples, level);
    return PEFT_OK;
}

peft_status peft_statistics_bootstrap(peft_context *ctx, const peft_samples *s, const char *metric,
                                      const peft_options *options, peft_estimate *out, size_t count)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_statistics_bootstrap";
    boot b = { .room = 0 };
    if (!out) return pf_metric_null(who, "out");
    PF_TRY(pf_options_check(options, pf_statistics_options, who));
    peft_status status = pf_figure_make(&b.figure, who, ctx, s, metric, count);
    if (!status) status = run(&b, options, out);
    if (status && ctx) pf_prefix_error(status, "%s", who);
    if (ctx) {
        pf_groups_free(&b.groups, ctx);
        pf_free(ctx, b.drawn);
        pf_free(ctx, b.index);
        pf_free(ctx, b.of);
        pf_figure_free(&b.figure);
    }
    return status;
}
