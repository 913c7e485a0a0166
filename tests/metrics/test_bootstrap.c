/* SPDX-License-Identifier: Apache-2.0
 * test_bootstrap.c -- bootstrap and permutation of metrics: against resamples that the test makes itself by the same
 * random numbers, and samples whose interval is known. */
#include "bootstrapped.h"
#include "failing_alloc.h"
#include <peft/metrics.h>
#include "core/base/rng.h"
#include "core/statistics/statistics.h"

enum { RESAMPLES = 400 };

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double accuracy(const fixture *f, const double *scores, const int64_t *index, int m)
{
    int right = 0;
    for (int i = 0; i < m; i++) {
        const double *row = scores + index[i] * CLASSES;
        int64_t best = 0;
        for (int c = 1; c < CLASSES; c++) if (row[c] > row[best]) best = c;
        right += best == f->labels[index[i]];
    }
    return (double)right / m;
}

/* Draws samples, or with groups true the patients: the eight samples without one first or last, by their number. */
START_TEST(resamples_are_those_of_the_generator)
{
    peft_context *ctx = context();
    fixture f;
    fill(&f, 3);
    for (int kind = 0; kind < 4; kind++) {
        const bool groups = kind & 1, difference = kind & 2;
        pf_groups g;
        OK(pf_groups_make(&g, "test", ctx, groups ? f.groups : NULL, N));
        ck_assert_int_eq(g.count, groups ? 8 + (N - 8) / 4 : N);
        f.s.groups = groups ? f.groups : NULL;
        f.s.others = difference ? f.others : NULL;
        double v[RESAMPLES], mean = 0, squares = 0;
        for (int r = 0; r < RESAMPLES; r++) {
            const pf_rng rng = { .seed = 11, .a = pf_rng_stream("bootstrap"), .b = (uint32_t)r };
            int64_t index[4 * N];
            int m = 0;
            for (int64_t i = 0; i < g.count; i++) {
                const int64_t drawn = pf_rng_below(&rng, (uint64_t)i, g.count);
                for (int64_t k = 0; k < N; k++) if (g.of[k] == drawn) index[m++] = k;
            }
            v[r] = accuracy(&f, f.scores, index, m) - (difference ? accuracy(&f, f.others, index, m) : 0);
            mean += v[r] / RESAMPLES;
        }
        for (int r = 0; r < RESAMPLES; r++) squares += (v[r] - mean) * (v[r] - mean);
        qsort(v, RESAMPLES, sizeof *v, ascending);
        peft_estimate e, again;
        OK(bootstrap(ctx, &f.s, "accuracy", "resamples=400 level=0.9 seed=11", &e, 1));
        NEAR(e.error, sqrt(squares / (RESAMPLES - 1)), 1e-14);
        NEAR(e.low, pf_sorted_quantile(v, RESAMPLES, (1 - 0.9) / 2), 0);
        NEAR(e.high, pf_sorted_quantile(v, RESAMPLES, 1 - (1 - 0.9) / 2), 0);
        ck_assert(e.resamples == RESAMPLES && !e.undefined && isnan(e.p));
        OK(peft_context_set_threads(ctx, 1 + kind));
        OK(bootstrap(ctx, &f.s, "accuracy", "resamples=400 level=0.9 seed=11", &again, 1));
        ck_assert(e.low == again.low && e.high == again.high && e.error == again.error);
        OK(bootstrap(ctx, &f.s, "accuracy", "resamples=400 level=0.9 seed=12", &again, 1));
        ck_assert(e.error != again.error && e.value == again.value);
        pf_groups_free(&g, ctx);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(quantiles_are_linear)
{
    const double v[5] = { 1, 2, 4, 8, INFINITY };
    NEAR(pf_sorted_quantile(v, 4, 0), 1, 0);
    NEAR(pf_sorted_quantile(v, 4, 1), 8, 0);
    NEAR(pf_sorted_quantile(v, 4, 0.5), 3, 0);
    NEAR(pf_sorted_quantile(v, 4, 0.9), 4 + 4 * 0.7, 1e-15);
    ck_assert(isinf(pf_sorted_quantile(v, 5, 1)) && isnan(pf_sorted_quantile(v, 0, 0.5)));
}
END_TEST

/* Every metric that labels or targets have is the same function of all samples as in metrics.h. */
START_TEST(every_metric_is_bootstrapped)
{
    peft_context *ctx = context();
    fixture f;
    fill(&f, 5);
    int computed = 0;
    for (size_t k = 0; peft_metrics_name(k); k++) {
        const char *name = peft_metrics_name(k), *help = peft_metrics_help(name);
        const char *families = strchr(help, '[') + 1;
        int64_t predicted[N], counts[CLASSES * CLASSES];
        double want[CLASSES];
        peft_estimate e[CLASSES];
        if (!strcmp(name, "brier_binary")) continue;                          /* of two classes */
        for (int targets = 0; targets < 2; targets++) {
            const char *end = strchr(families, ']'), *in = NULL;
            for (const char *p = families; p < end; p++) if (strchr(targets ? "mr" : "drc", *p)) in = p;
            f.s.labels = targets ? NULL : f.labels;
            f.s.targets = targets ? f.targets : NULL;
            size_t count = 1;
            peft_status s = bootstrap(ctx, &f.s, name, "resamples=50", e, count);
            if (!in) { ck_assert_int_eq(s, PEFT_E_NOTFOUND); continue; }
            if (s) {
                ck_assert_int_eq(s, PEFT_E_SHAPE);
                count = CLASSES;
                OK(bootstrap(ctx, &f.s, name, "resamples=50", e, count));
            }
            if (targets ? *in == 'm' : *in == 'd') {
                OK(peft_metrics_decide(f.scores, N, CLASSES, predicted));
                OK(peft_metrics_confusion(f.labels, predicted, N, CLASSES, counts));
                OK(targets ? peft_metrics_multilabel(f.scores, f.targets, N, CLASSES, 0.5, name, want, count)
                           : peft_metrics_decision(counts, CLASSES, name, want, count));
            } else if (*in == 'c') OK(peft_metrics_calibration(f.scores, f.labels, N, CLASSES, name, want, count));
            else OK(peft_metrics_ranking(ctx, f.scores, f.targets, N, CLASSES, name, want, count));
            for (size_t c = 0; c < count; c++) {
                ck_assert_msg(e[c].value == want[c], "%s", name);
                ck_assert_msg(e[c].low <= e[c].high && e[c].resamples + e[c].undefined == 50, "%s", name);
            }
            computed++;
        }
    }
    ck_assert_int_gt(computed, 35);
    peft_context_free(ctx);
}
END_TEST

/* BCa of the brier score of one class: the mean of n numbers, whose acceleration is their skewness / (6 sqrt n). */
START_TEST(bca_of_a_mean)
{
    enum { M = 30, B = 1000 };
    peft_context *ctx = context();
    simulated r = { 4 };
    double p[M], third = 0, second = 0, mean = 0, v[B], below = 0;
    float y[M];
    for (int i = 0; i < M; i++) {
        p[i] = uniform(&r) * uniform(&r);
        y[i] = 0;
        mean += p[i] * p[i] / M;
    }
    for (int i = 0; i < M; i++) {
        const double d = p[i] * p[i] - mean;
        second += d * d;
        third += d * d * d;
    }
    for (int b = 0; b < B; b++) {
        const pf_rng rng = { .seed = 0, .a = pf_rng_stream("bootstrap"), .b = (uint32_t)b };
        v[b] = 0;
        for (int i = 0; i < M; i++) {
            const double x = p[pf_rng_below(&rng, (uint64_t)i, M)];
            v[b] += x * x;
        }
        v[b] /= M;
        below += v[b] < mean;
    }
    qsort(v, B, sizeof *v, ascending);
    const double z0 = pf_normal_quantile(below / B), a = third / (6 * pow(second, 1.5));
    const double low = z0 - 1.959963984540054, high = z0 + 1.959963984540054;
    peft_samples s = { .n = M, .classes = 1, .scores = p, .targets = y };
    peft_estimate e;
    OK(bootstrap(ctx, &s, "brier", "interval=bca resamples=1000", &e, 1));
    NEAR(e.value, mean, 1e-15);
    NEAR(e.low, pf_sorted_quantile(v, B, pf_normal_below(z0 + low / (1 - a * low))), 1e-12);
    NEAR(e.high, pf_sorted_quantile(v, B, pf_normal_below(z0 + high / (1 - a * high))), 1e-12);
    peft_estimate plain;
    OK(bootstrap(ctx, &s, "brier", "resamples=1000", &plain, 1));
    ck_assert(e.high > plain.high && e.low > plain.low);     /* the numbers are skewed to the right */
    peft_context_free(ctx);
}
END_TEST

/* All 2^n ways of swapping n samples, of which the permutation test draws some. */
START_TEST(permutations)
{
    enum { FEW = 8, DRAWN = 20000 };
    peft_context *ctx = context();
    fixture f;
    fill(&f, 9);
    f.s.n = FEW;
    f.s.others = f.others;
    double value = 0;
    int as_large = 0;
    for (int mask = 0; mask < 1 << FEW; mask++) {
        double sum = 0;                                      /* of the brier scores' difference */
        for (int i = 0; i < FEW; i++)
            for (int c = 0; c < CLASSES; c++) {
                const int k = i * CLASSES + c;
                const double x = f.scores[k] - (f.labels[i] == c), z = f.others[k] - (f.labels[i] == c);
                sum += (mask >> i & 1 ? z * z - x * x : x * x - z * z) / FEW;
            }
        if (!mask) value = sum;
        as_large += fabs(sum) >= fabs(value) - 1e-12;
    }
    peft_options *o = options(ctx, "resamples=20000 seed=2");
    peft_estimate e;
    OK(peft_statistics_permutation(ctx, &f.s, "brier", o, &e, 1));
    const double p = as_large / 256.0;
    NEAR(e.value, value, 1e-14);
    NEAR(e.p, p, 4 * sqrt(p * (1 - p) / DRAWN));
    ck_assert(e.resamples == DRAWN && !e.undefined && isnan(e.low));
    /* samples of one group are swapped together: only 0 or all, so each difference is as large */
    const int64_t same[FEW] = { 0 };
    f.s.groups = same;
    OK(peft_statistics_permutation(ctx, &f.s, "brier", o, &e, 1));
    ck_assert(e.p == 1);
    peft_options_free(o);
    peft_context_free(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    peft_context *ctx = context();
    fixture f;
    fill(&f, 1);
    peft_estimate e[CLASSES] = { { .value = -7 } };
    REFUSED(bootstrap(ctx, &f.s, "acuracy", "", e, 1), PEFT_E_NOTFOUND, "'acuracy'", "did you mean 'accuracy'");
    REFUSED(bootstrap(ctx, &f.s, "subset_accuracy", "", e, 1), PEFT_E_NOTFOUND, "samples with labels");
    REFUSED(bootstrap(ctx, &f.s, "auroc", "", e, 1), PEFT_E_SHAPE, "count is 1", "writes 3");
    REFUSED(bootstrap(ctx, &f.s, "accuracy", "interval=wald", e, 1), PEFT_E_INVALID, "'wald'", "percentile or bca");
    REFUSED(bootstrap(ctx, &f.s, "accuracy", "resamples=0", e, 1), PEFT_E_OPTION, "resamples");
    REFUSED(bootstrap(ctx, &f.s, "accuracy", "sampels=10", e, 1), PEFT_E_OPTION, "resamples");
    REFUSED(bootstrap(ctx, NULL, "accuracy", "", e, 1), PEFT_E_INVALID, "s is NULL");
    REFUSED(bootstrap(ctx, &f.s, NULL, "", e, 1), PEFT_E_INVALID, "metric is NULL");
    REFUSED(peft_statistics_permutation(ctx, &f.s, "accuracy", NULL, e, 1), PEFT_E_INVALID, "others is NULL");
    peft_samples both = f.s, bad = f.s;
    const peft_samples targets = { .n = N, .classes = CLASSES, .scores = f.scores, .targets = f.targets };
    both.targets = f.targets;
    REFUSED(bootstrap(ctx, &both, "accuracy", "", e, 1), PEFT_E_INVALID, "both given");
    both.targets = NULL;
    both.labels = NULL;
    REFUSED(bootstrap(ctx, &both, "accuracy", "", e, 1), PEFT_E_NOTFOUND, "from samples with values alone");
    REFUSED(bootstrap(ctx, &both, "mean", "stratified=true", e, CLASSES), PEFT_E_INVALID, "values alone");
    REFUSED(bootstrap(ctx, &targets, "auroc", "stratified=true", e, CLASSES), PEFT_E_INVALID, "stratified",
            "3 classes");
    const int64_t wrong[N] = { 0, 9 };
    bad.labels = wrong;
    REFUSED(bootstrap(ctx, &bad, "accuracy", "", e, 1), PEFT_E_INVALID, "peft_statistics_bootstrap", "labels[1] is 9");
    f.scores[4] = NAN;
    REFUSED(bootstrap(ctx, &f.s, "accuracy", "", e, 1), PEFT_E_NONFINITE, "peft_statistics_bootstrap", "scores[4]");
    f.scores[4] = 1.5;
    REFUSED(bootstrap(ctx, &f.s, "ece", "", e, 1), PEFT_E_INVALID, "probabilities[4] (sample 1, class 1) is 1.5");
    ck_assert(e[0].value == -7);
    peft_context_free(ctx);
}
END_TEST

static peft_status all_of_it(peft_context *ctx, void *arg)
{
    const fixture *f = arg;
    peft_estimate e[CLASSES];
    peft_options *o = NULL;
    peft_status s = peft_options_create(ctx, &o);
    if (!s) s = peft_options_parse(o, "resamples=3 interval=bca stratified=true");
    if (!s) s = peft_statistics_bootstrap(ctx, &f->s, "auroc", o, e, CLASSES);
    if (!s) s = peft_statistics_permutation(ctx, &f->s, "accuracy", NULL, e, 1);
    peft_options_free(o);
    return s;
}

START_TEST(failing_allocations_are_reported)
{
    fixture f;
    fill(&f, 1);
    f.s.n = 12;
    f.s.others = f.others;
    f.s.groups = f.groups;
    ck_assert_int_ge(failing_alloc_loop(all_of_it, &f), 15);
}
END_TEST

SUITE_MAIN("bootstrap", resamples_are_those_of_the_generator, quantiles_are_linear, every_metric_is_bootstrapped,
           bca_of_a_mean, permutations, wrong_arguments_are_refused, failing_allocations_are_reported)
