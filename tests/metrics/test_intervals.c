/* SPDX-License-Identifier: Apache-2.0
 * test_intervals.c -- intervals of proportions, McNemar's test, and variances of the AUROC against their definitions
 * over all pairs of a positive and a negative sample. */
#include "expect.h"
#include "failing_alloc.h"
#include "simulated.h"
#include <peft/statistics.h>
#include "core/statistics/statistics.h"

START_TEST(normal_distribution)
{
    /* tables of the normal distribution, to the digits of a double */
    NEAR(pf_normal_quantile(0.975), 1.959963984540054, 1e-15);
    NEAR(pf_normal_quantile(0.5), 0, 0);
    NEAR(pf_normal_quantile(1e-9), -5.997807015007687, 1e-14);
    NEAR(pf_normal_quantile(1e-300), -37.0470962993612, 1e-13);
    for (double x = -8; x < 6; x += 0.37) NEAR(pf_normal_quantile(pf_normal_below(x)), x, 1e-7);
    ck_assert(isinf(pf_normal_quantile(0)) && isnan(pf_normal_quantile(1.5)));
}
END_TEST

/* P(X >= k) of small n by counting outcomes with binomial coefficients. */
START_TEST(binomial_distribution)
{
    for (int n = 1; n <= 40; n++)
        for (int k = 0; k <= n; k++) {
            const double p = 0.3;
            double choose = 1, sum = 0;                      /* choose: n over j */
            for (int j = 0; j <= n; choose = choose * (n - j) / (j + 1), j++)
                if (j >= k) sum += choose * pow(p, j) * pow(1 - p, n - j);
            NEAR(pf_binomial_upper(k, n, p), sum, 1e-14);
        }
    /* an even number of fair coins: (1 + P(X = n/2)) / 2, the middle term by Stirling's series */
    const double n = 1e10, middle = sqrt(2 / (3.14159265358979323846 * n)) * (1 - 1 / (4 * n));
    NEAR(pf_binomial_upper(5000000000, 10000000000, 0.5), 0.5 + middle / 2, 1e-12);          /* 10^6 terms are added */
}
END_TEST

START_TEST(proportions)
{
    peft_estimate e;
    /* Newcombe, Statistics in Medicine 17 (1998), table I: 81/263, 15/148, 0/20, 1/29 */
    static const struct { int64_t k, n; double wilson[2], exact[2]; } row[] = {
        { 81, 263, { 0.2553, 0.3662 }, { 0.2527, 0.3676 } }, { 15, 148, { 0.0624, 0.1605 }, { 0.0578, 0.1617 } },
        { 0, 20, { 0, 0.1611 }, { 0, 0.1684 } }, { 1, 29, { 0.0061, 0.1718 }, { 0.0009, 0.1776 } } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        OK(peft_statistics_proportion(row[i].k, row[i].n, 0.95, "wilson", &e));
        NEAR(e.value, (double)row[i].k / (double)row[i].n, 0);
        NEAR(e.low, row[i].wilson[0], 5.001e-5);
        NEAR(e.high, row[i].wilson[1], 5.001e-5);
        OK(peft_statistics_proportion(row[i].k, row[i].n, 0.95, "clopper_pearson", &e));
        NEAR(e.low, row[i].exact[0], 5.001e-5);
        NEAR(e.high, row[i].exact[1], 5.001e-5);
        ck_assert(isnan(e.error) && isnan(e.p) && !e.resamples && !e.undefined);
    }
    OK(peft_statistics_proportion(0, 0, 0.95, "wilson", &e));
    ck_assert(isnan(e.value) && isnan(e.low) && isnan(e.high));
    /* at its ends the tail of the exact interval is what it should be */
    OK(peft_statistics_proportion(123456789, 1000000000, 0.9, "clopper_pearson", &e));
    NEAR(pf_binomial_upper(123456789, 1000000000, e.low), 0.05, 1e-7);
    NEAR(1 - pf_binomial_upper(123456790, 1000000000, e.high), 0.05, 1e-7);
}
END_TEST

START_TEST(mcnemar)
{
    int64_t y[20], a[20], b[20], counts[2];
    double p;
    for (int i = 0; i < 20; i++) {                           /* a alone is right for i < 8, b alone for 8 <= i < 10 */
        y[i] = i % 3;
        a[i] = i >= 8 && i < 10 ? 7 : y[i];
        b[i] = i < 8 ? 7 : y[i];
    }
    OK(peft_statistics_mcnemar(y, a, b, 20, counts, &p));
    ck_assert(counts[0] == 8 && counts[1] == 2);
    NEAR(p, 2 * (1 + 10 + 45) / 1024.0, 1e-15);
    OK(peft_statistics_mcnemar(y, b, a, 20, counts, &p));
    NEAR(p, 2 * (1 + 10 + 45) / 1024.0, 1e-15);
    OK(peft_statistics_mcnemar(y, y, y, 20, counts, &p));
    ck_assert(!counts[0] && !counts[1] && p == 1);
}
END_TEST

/* The order of a positive's score a and a negative's b: 1, 1/2 or 0. */
static double pair(double a, double b) { return a > b ? 1 : a == b ? 0.5 : 0; }

enum { MOST = 64 };

/* AUROC and Obuchowski's covariance of two AUROCs, from all pairs; groups [n] are 0 .. n - 1. */
static double direct(const double *x, const double *z, const float *y, const int64_t *groups, int n, double *auroc)
{
    double v[2][MOST] = { { 0 } }, theta[2] = { 0, 0 }, m = 0, k = 0;
    const double *scores[2] = { x, z };
    for (int i = 0; i < n; i++) { m += y[i] == 1; k += y[i] == 0; }
    for (int q = 0; q < 2; q++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                if (y[i] == 1 && y[j] == 0) {
                    const double s = pair(scores[q][i], scores[q][j]);
                    v[q][i] += s / k;
                    v[q][j] += s / m;
                    theta[q] += s / (m * k);
                }
    double s10 = 0, s01 = 0, s11 = 0, with_positive = 0, with_negative = 0, all = 0;
    for (int g = 0; g < n; g++) {
        double positive[2] = { 0, 0 }, negative[2] = { 0, 0 }, p = 0, o = 0;
        for (int i = 0; i < n; i++) {
            if (groups[i] != g || y[i] < 0) continue;
            *(y[i] > 0 ? &p : &o) += 1;
            for (int q = 0; q < 2; q++) (y[i] > 0 ? positive : negative)[q] += v[q][i] - theta[q];
        }
        s10 += positive[0] * positive[1];
        s01 += negative[0] * negative[1];
        s11 += positive[0] * negative[1] + negative[0] * positive[1];
        with_positive += p > 0;
        with_negative += o > 0;
        all += p + o > 0;
    }
    *auroc = theta[0];
    return s10 * with_positive / ((with_positive - 1) * m * m) + s01 * with_negative / ((with_negative - 1) * k * k)
         + s11 * all / ((all - 1) * m * k);
}

/* Random samples with ties, entries that are not judged, and groups of several samples or one. */
START_TEST(auroc_equals_the_definition)
{
    peft_context *ctx = context();
    for (int seed = 1; seed <= 200; seed++) {
        simulated r = { (uint64_t)seed };
        const int n = 12 + (int)(uniform(&r) * (MOST - 12)), tied = seed % 2;
        double x[MOST], z[MOST], auroc[2], unused;
        float y[MOST];
        int64_t own[MOST], together[MOST];
        for (int i = 0; i < n; i++) {
            y[i] = i < 4 ? (float)(i % 2) : (float)((int)(uniform(&r) * 5) % 3) - 1;
            x[i] = normal(&r) + (y[i] > 0);
            z[i] = 0.5 * x[i] + normal(&r);
            if (tied) { x[i] = floor(2 * x[i]); z[i] = floor(3 * z[i]); }
            own[i] = i;
            together[i] = (int)(uniform(&r) * n / 3);
        }
        const int64_t *groups[3] = { NULL, own, together };
        for (int k = 0; k < 3; k++) {
            peft_estimate e;
            const int64_t *g = k == 2 ? together : own;
            const double xx = direct(x, x, y, g, n, &auroc[0]), zz = direct(z, z, y, g, n, &auroc[1]);
            const double xz = direct(x, z, y, g, n, &unused);
            OK(peft_statistics_auroc(ctx, x, y, groups[k], n, 0.95, "wald", &e));
            NEAR(e.value, auroc[0], 1e-12);
            if (xx > 1e-15 && isfinite(xx)) NEAR(e.error, sqrt(xx), 1e-12);
            else ck_assert(isnan(e.error));
            OK(peft_statistics_auroc_difference(ctx, x, z, y, groups[k], n, 0.95, &e));
            NEAR(e.value, auroc[0] - auroc[1], 1e-12);
            const double v = xx + zz - 2 * xz;
            if (!isfinite(v) || fabs(v) < 1e-15) {           /* one group has all, or both rank alike */
                ck_assert(isnan(e.error));
                continue;
            }
            NEAR(e.error, sqrt(v), 1e-10);
            NEAR(e.high - e.low, 2 * 1.959963984540054 * e.error, 1e-12);
            NEAR(e.p, 2 * pf_normal_below(-fabs(e.value) / e.error), 1e-14);
        }
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(intervals_of_the_auroc)
{
    peft_context *ctx = context();
    const double x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, flat[8] = { 0 };
    const float y[8] = { 0, 0, 1, 0, 1, 0, 1, 1 }, apart[8] = { 0, 0, 0, 0, 1, 1, 1, 1 };
    const float ones[8] = { 1, 1, -1, 1, 1, 1, 1, 1 };
    peft_estimate wald, logit, e;
    OK(peft_statistics_auroc(ctx, x, y, NULL, 8, 0.95, "wald", &wald));
    OK(peft_statistics_auroc(ctx, x, y, NULL, 8, 0.95, "logit", &logit));
    NEAR(wald.value, 13.0 / 16, 1e-15);
    NEAR(wald.low, wald.value - 1.959963984540054 * wald.error, 1e-14);
    ck_assert(wald.high == 1);                               /* cut off */
    const double centre = log(logit.value / (1 - logit.value));
    NEAR(log(logit.low / (1 - logit.low)) + log(logit.high / (1 - logit.high)), 2 * centre, 1e-12);
    ck_assert(logit.high < 1 && logit.low > 0);
    OK(peft_statistics_auroc(ctx, x, apart, NULL, 8, 0.95, "logit", &e));
    ck_assert(e.value == 1 && isnan(e.error) && isnan(e.low) && isnan(e.high));
    OK(peft_statistics_auroc(ctx, x, ones, NULL, 8, 0.95, "logit", &e));
    ck_assert(isnan(e.value) && isnan(e.low));
    OK(peft_statistics_auroc_difference(ctx, x, x, y, NULL, 8, 0.95, &e));
    ck_assert(e.value == 0 && e.p == 1 && isnan(e.error));
    OK(peft_statistics_auroc_difference(ctx, x, flat, apart, NULL, 8, 0.95, &e));
    ck_assert(e.value == 0.5 && isnan(e.p));
    /* numbers of groups that differ beyond the 53 bits of a double; negative ones are no group */
    const int64_t far[8] = { INT64_MAX, INT64_MAX - 1, 5, 5, -1, -1, INT64_MIN, 7 };
    const int64_t near[8] = { 0, 1, 2, 2, 3, 4, 5, 6 };
    peft_estimate a, b;
    OK(peft_statistics_auroc(ctx, x, y, far, 8, 0.95, "wald", &a));
    OK(peft_statistics_auroc(ctx, x, y, near, 8, 0.95, "wald", &b));
    NEAR(a.error, b.error, 1e-15);
    ck_assert(a.error != wald.error);
    peft_context_free(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    peft_context *ctx = context();
    const double x[3] = { 1, 2, 3 }, bad[3] = { 1, NAN, 3 };
    const float y[3] = { 1, 0, 1 }, half[3] = { 1, 0.5f, 0 };
    const int64_t l[3] = { 0 };
    peft_estimate e = { .value = -7 };
    int64_t counts[2];
    double p;
    REFUSED(peft_statistics_proportion(4, 3, 0.95, "wilson", &e), PEFT_E_INVALID, "4 successes of 3 trials");
    REFUSED(peft_statistics_proportion(-1, 3, 0.95, "wilson", &e), PEFT_E_INVALID, "-1 successes");
    REFUSED(peft_statistics_proportion(1, 3, 95, "wilson", &e), PEFT_E_INVALID, "level is 95", "0.95");
    REFUSED(peft_statistics_proportion(1, 3, NAN, "wilson", &e), PEFT_E_INVALID, "level is nan");
    REFUSED(peft_statistics_proportion(1, 3, 0.95, "wald", &e), PEFT_E_INVALID, "'wald'", "clopper_pearson");
    REFUSED(peft_statistics_proportion(1, 3, 0.95, NULL, &e), PEFT_E_INVALID, "kind is NULL");
    REFUSED(peft_statistics_mcnemar(l, l, NULL, 3, counts, &p), PEFT_E_INVALID, "second is NULL");
    REFUSED(peft_statistics_mcnemar(l, l, l, 0, counts, &p), PEFT_E_INVALID, "n is 0");
    REFUSED(peft_statistics_auroc(ctx, bad, y, NULL, 3, 0.95, "wald", &e), PEFT_E_NONFINITE, "scores[1]");
    REFUSED(peft_statistics_auroc(ctx, x, half, NULL, 3, 0.95, "wald", &e), PEFT_E_INVALID, "targets[1]", "0.5");
    REFUSED(peft_statistics_auroc(NULL, x, y, NULL, 3, 0.95, "wald", &e), PEFT_E_INVALID, "ctx is NULL");
    REFUSED(peft_statistics_auroc(ctx, x, y, NULL, 3, 0.95, "exact", &e), PEFT_E_INVALID, "'exact'", "logit or wald");
    REFUSED(peft_statistics_auroc(ctx, x, y, NULL, 0, 0.95, "wald", &e), PEFT_E_INVALID, "n is 0");
    REFUSED(peft_statistics_auroc_difference(ctx, x, NULL, y, NULL, 3, 0.95, &e), PEFT_E_INVALID, "second is NULL");
    REFUSED(peft_statistics_auroc_difference(ctx, x, x, y, NULL, 3, 1, &e), PEFT_E_INVALID, "level is 1");
    ck_assert(e.value == -7);
    peft_context_free(ctx);
}
END_TEST

static peft_status both_aurocs(peft_context *ctx, void *arg)
{
    const double x[4] = { 1, 2, 3, 4 }, z[4] = { 2, 1, 4, 3 };
    const float y[4] = { 0, 1, 0, 1 };
    const int64_t groups[4] = { 1, 1, 2, 3 };
    peft_estimate e;
    (void)arg;
    const peft_status s = peft_statistics_auroc(ctx, x, y, groups, 4, 0.95, "logit", &e);
    return s ? s : peft_statistics_auroc_difference(ctx, x, z, y, NULL, 4, 0.95, &e);
}

START_TEST(failing_allocations_are_reported) { ck_assert_int_ge(failing_alloc_loop(both_aurocs, NULL), 7); }
END_TEST

SUITE_MAIN("intervals", normal_distribution, binomial_distribution, proportions, mcnemar, auroc_equals_the_definition,
           intervals_of_the_auroc, wrong_arguments_are_refused, failing_allocations_are_reported)
