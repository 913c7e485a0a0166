/* SPDX-License-Identifier: Apache-2.0
 * conformal.c -- split conformal prediction. The score of a class says how badly it fits a sample; sets hold the
 * classes whose score is at most a quantile of the scores of true classes. The random number of sample i is element i
 * of the stream (seed, "conformal", 0) for calibration, of (seed, "conformal", 1) for sets. */
#include <peft/conformal.h>
#include <math.h>
#include <stdio.h>
#include "core/base/rng.h"
#include "core/options/options.h"
#include "core/statistics/statistics.h"

static const pf_opt table[] = {
    { "score", 's', "lac", 0, 0, "lac: 1 - probability; aps: sum of the probabilities down to that of the class" },
    { "randomized", 'b', "false", 0, 0, "aps: take a random share of the class's own probability" },
    { "by_class", 'b', "false", 0, 0, "a quantile for each class (Mondrian)" },
    { "allow_empty", 'b', "false", 0, 0, "sets may be empty; false: such a set gets the class of largest probability" },
    { "seed", 'i', "0", 0, 9e15, "seed of randomized" },
    { 0 } };

const peft_option *peft_conformal_option(size_t i) { return pf_option_at(table, i); }

/* How scores are computed. row [classes]: those of a sample; items [2, classes] sort its probabilities. */
typedef struct scorer {
    bool aps, randomized, by_class, allow_empty;
    pf_rng rng;
    double *row;
    pf_ranked *items;
} scorer;

static peft_status scorer_make(scorer *s, const char *who, peft_context *ctx, int64_t classes,
                               const peft_options *options, uint32_t stream)
{
    *s = (scorer){ .row = NULL };
    PF_TRY(pf_options_check(options, table, who));
    PF_TRY(pf_statistics_kind(who, "option score", pf_options_string(options, table, "score"), "lac", "aps", &s->aps));
    s->randomized = pf_options_int(options, table, "randomized") != 0;
    s->by_class = pf_options_int(options, table, "by_class") != 0;
    s->allow_empty = pf_options_int(options, table, "allow_empty") != 0;
    if (s->randomized && !s->aps)
        return pf_fail(PEFT_E_OPTION, "%s: option randomized is true, which score lac does not know; expected "
                       "score=aps", who);
    s->rng = (pf_rng){ .seed = (uint64_t)pf_options_int(options, table, "seed"), .a = pf_rng_stream("conformal"),
                       .b = stream };
    const size_t bytes = (size_t)classes * (2 * sizeof(pf_ranked) + sizeof(double));
    s->items = pf_alloc(ctx, bytes);
    if (!s->items) return pf_nomem(who, bytes);
    s->row = (double *)(s->items + 2 * classes);
    return PEFT_OK;
}

/* Computes the scores of all classes of sample i into s->row. aps: the probabilities are summed from the largest, of
 * equal ones the class of lower index first; all of them have the sum 1, without the rounding of a sum. */
static void score_row(scorer *s, const double *probabilities, int64_t classes, int64_t i)
{
    if (!s->aps) {
        for (int64_t c = 0; c < classes; c++) s->row[c] = 1 - probabilities[c];
        return;
    }
    const double u = s->randomized ? pf_rng_uniform(&s->rng, (uint64_t)i) : 1;
    for (int64_t c = 0; c < classes; c++) s->items[c] = (pf_ranked){ .score = probabilities[c], .tag = c };
    const pf_ranked *sorted = pf_rank_sort(s->items, s->items + classes, classes);
    double above = 0;
    for (int64_t k = 0; k < classes; k++) {
        const double p = sorted[k].score;
        s->row[sorted[k].tag] = k < classes - 1 ? above + u * p : 1 - (1 - u) * p;
        above += p;
    }
}

static peft_status check_rows(const char *who, const double *probabilities, int64_t n, int64_t classes)
{
    PF_TRY(pf_metric_probabilities(who, probabilities, n, classes));
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t c = 0; c < classes; c++) sum += probabilities[i * classes + c];
        if (fabs(sum - 1) <= 1e-3) continue;
        char text[40];
        pf_print_digits(text, sizeof text, sum, 6);
        return pf_fail(PEFT_E_INVALID, "%s: the probabilities of sample %lld have the sum %s, expected 1; of several "
                       "labels a sample take each as two classes, 1 - p and p", who, (long long)i, text);
    }
    return PEFT_OK;
}

/* The rank of the quantile among n scores. The subtrahend undoes the rounding of 1 - alpha. */
static double quantile_rank(double n, double alpha) { return ceil((n + 1) * (1 - alpha) - 1e-12 * (n + 1)); }

/* The least number of scores among which the rank is. */
static int64_t least_number(double alpha)
{
    double n = fmax(1, floor(1 / alpha) - 2);
    while (quantile_rank(n, alpha) > n) n++;
    return (int64_t)n;
}

/* Makes *quantile of the scores of the samples of class c, or of all samples if c is -1. items [2, n]. */
static peft_status quantile_of(const char *who, const double *scores, const int64_t *labels, int64_t n, int64_t c,
                               double alpha, pf_ranked *items, double *quantile)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (c < 0 || labels[i] == c) items[count++] = (pf_ranked){ .score = -scores[i], .tag = i };
    const double rank = fmax(1, quantile_rank((double)count, alpha));
    if (rank > (double)count) {
        char text[40], of_class[40] = "";
        pf_print_float(text, sizeof text, alpha);
        if (c >= 0) snprintf(of_class, sizeof of_class, " of class %lld", (long long)c);
        return pf_fail(PEFT_E_INVALID, "%s: %lld samples%s for alpha %s, expected at least %lld; take more samples, or "
                       "a larger alpha%s", who, (long long)count, of_class, text, (long long)least_number(alpha),
                       c >= 0 ? ", or by_class=false" : "");
    }
    *quantile = -pf_rank_sort(items, items + n, count)[(int64_t)rank - 1].score;
    return PEFT_OK;
}

/* Checks and scores the samples; result [classes]. items: room for [2, n] items, and behind them for [n] scores. */
static peft_status fit(scorer *s, const char *who, const double *probabilities, const int64_t *labels, int64_t n,
                       int64_t classes, double alpha, pf_ranked *items, double *result)
{
    double *scores = (double *)(items + 2 * n);
    for (int64_t i = 0; i < n; i++) {
        score_row(s, probabilities + i * classes, classes, i);
        scores[i] = s->row[labels[i]];
    }
    for (int64_t c = 0; c < classes; c++) {
        if (s->by_class) PF_TRY(quantile_of(who, scores, labels, n, c, alpha, items, &result[c]));
        else if (c) result[c] = result[0];
        else PF_TRY(quantile_of(who, scores, labels, n, -1, alpha, items, &result[0]));
    }
    return PEFT_OK;
}

peft_status peft_conformal_fit(peft_context *ctx, const double *probabilities, const int64_t *labels, int64_t n,
                               int64_t classes, double alpha, const peft_options *options, double *quantiles)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_conformal_fit";
    if (!ctx || !quantiles) return pf_metric_null(who, ctx ? "quantiles" : "ctx");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_extents(who, n, 4));                    /* 4: numbers a sample in the memory below */
    PF_TRY(pf_metric_extents(who, classes, 4));
    if (!(alpha >= 1e-9 && alpha < 1)) {
        char text[40];
        pf_print_float(text, sizeof text, alpha);
        return pf_fail(PEFT_E_INVALID, "%s: alpha is %s, expected a number from 1e-9 to 1, such as 0.1", who, text);
    }
    PF_TRY(pf_metric_labels(who, "labels", labels, n, classes));
    PF_TRY(check_rows(who, probabilities, n, classes));
    scorer s;
    peft_status status = scorer_make(&s, who, ctx, classes, options, 0);
    const size_t numbers = (size_t)n * (2 * sizeof(pf_ranked) + sizeof(double));
    const size_t results = (size_t)classes * sizeof(double);
    if (!status) {
        pf_ranked *items = pf_alloc(ctx, numbers);
        double *result = items ? pf_alloc(ctx, results) : NULL;
        status = result ? fit(&s, who, probabilities, labels, n, classes, alpha, items, result)
                        : pf_nomem(who, items ? results : numbers);
        for (int64_t c = 0; !status && c < classes; c++) quantiles[c] = result[c];
        pf_free(ctx, result);
        pf_free(ctx, items);
    }
    pf_free(ctx, s.items);
    return status;
}

peft_status peft_conformal_sets(peft_context *ctx, const double *probabilities, int64_t n, int64_t classes,
                                const double *quantiles, int64_t first, const peft_options *options, uint8_t *sets)
{
    PK_FLOAT_SCOPE;
    const char *who = "peft_conformal_sets";
    if (!ctx || !quantiles || !sets) return pf_metric_null(who, !ctx ? "ctx" : quantiles ? "sets" : "quantiles");
    PF_TRY(pf_metric_extents(who, n, classes));
    PF_TRY(pf_metric_extents(who, classes, 4));
    if (first < 0 || first > INT64_MAX - n)
        return pf_fail(PEFT_E_INVALID, "%s: first is %lld, expected 0 or more", who, (long long)first);
    for (int64_t c = 0; c < classes; c++)
        if (isnan(quantiles[c]))
            return pf_fail(PEFT_E_INVALID, "%s: quantiles[%lld] is NaN, expected what peft_conformal_fit wrote", who,
                           (long long)c);
    PF_TRY(check_rows(who, probabilities, n, classes));
    scorer s;
    const peft_status status = scorer_make(&s, who, ctx, classes, options, 1);
    for (int64_t i = 0; !status && i < n; i++) {
        const double *p = probabilities + i * classes;
        bool empty = true;
        score_row(&s, p, classes, first + i);
        for (int64_t c = 0; c < classes; c++) {
            sets[i * classes + c] = s.row[c] <= quantiles[c];
            empty &= !sets[i * classes + c];
        }
        if (empty && !s.allow_empty) sets[i * classes + pf_metric_largest(p, classes)] = 1;
    }
    pf_free(ctx, s.items);
    return status;
}
