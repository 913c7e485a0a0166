/* SPDX-License-Identifier: Apache-2.0
 * test_segment_tables.c -- tables of figures of cases in functions of metrics.h and statistics.h: means without NaN,
 * intervals by patient, paired tests; memory of large maps, and lack of it. */
#include "failing_alloc.h"
#include "metrics/expect.h"
#include "metrics/simulated.h"
#include <peft/metrics.h>
#include <peft/segmentation.h>
#include <peft/statistics.h>
#include <string.h>

enum { CASES = 30, CLASSES = 2 };

START_TEST(means_leave_undefined_values_out)
{
    const double v[4 * 3] = { 1, NAN, NAN,  0.5, 0.25, NAN,  0, NAN, NAN,  NAN, 0.75, NAN };
    double mean[3], macro;
    OK(peft_metrics_values(v, 4, 3, "mean", mean, 3));
    ck_assert(mean[0] == 0.5 && mean[1] == 0.5 && isnan(mean[2]));
    OK(peft_metrics_values(v, 3, 3, "mean_macro", &macro, 1));
    ck_assert(macro == (0.5 + 0.25) / 2);
    REFUSED(peft_metrics_values(v, 4, 3, "accuracy", mean, 3), PEFT_E_NOTFOUND, "no metric 'accuracy'");
    REFUSED(peft_metrics_values(v, 4, 3, "mean", mean, 2), PEFT_E_SHAPE, "writes 3 values");
    REFUSED(peft_metrics_values(NULL, 4, 3, "mean", mean, 3), PEFT_E_INVALID, "values is NULL");
}
END_TEST

/* Dice of two methods in cases of ten patients; class 1 is undefined in some. The difference is of the cases that both
 * define: the second method lacks one more. */
START_TEST(intervals_and_paired_tests_of_cases)
{
    double a[CASES * CLASSES], b[CASES * CLASSES], sum[CLASSES] = { 0 }, difference = 0;
    int64_t patient[CASES], n[CLASSES] = { 0 }, pairs = 0;
    simulated r = { 3 };
    for (int i = 0; i < CASES; i++) {
        patient[i] = i / 3;
        for (int c = 0; c < CLASSES; c++) {
            a[i * CLASSES + c] = c && i % 4 == 1 ? NAN : 0.6 + 0.2 * uniform(&r);
            b[i * CLASSES + c] = c && i == 7 ? NAN : a[i * CLASSES + c] - 0.1 - 0.05 * uniform(&r);
            if (isnan(a[i * CLASSES + c])) continue;
            sum[c] += a[i * CLASSES + c];
            n[c]++;
            if (!c || isnan(b[i * CLASSES + c])) continue;
            difference += a[i * CLASSES + c] - b[i * CLASSES + c];
            pairs++;
        }
    }
    ck_assert_int_eq(pairs, n[1] - 1);
    peft_context *ctx = context();
    peft_samples s = { .n = CASES, .classes = CLASSES, .scores = a, .groups = patient };
    peft_estimate e[CLASSES], macro;
    OK(peft_statistics_bootstrap(ctx, &s, "mean", NULL, e, CLASSES));
    for (int c = 0; c < CLASSES; c++) {
        NEAR(e[c].value, sum[c] / (double)n[c], 1e-12);
        ck_assert(e[c].low < e[c].value && e[c].value < e[c].high && e[c].high - e[c].low < 0.1 && !e[c].undefined);
    }
    OK(peft_statistics_bootstrap(ctx, &s, "mean_macro", NULL, &macro, 1));
    NEAR(macro.value, (e[0].value + e[1].value) / 2, 1e-12);
    s.others = b;
    OK(peft_statistics_bootstrap(ctx, &s, "mean", NULL, e, CLASSES));
    NEAR(e[1].value, difference / (double)pairs, 1e-12);
    ck_assert(e[1].low > 0.1 && e[1].high < 0.15);
    OK(peft_statistics_permutation(ctx, &s, "mean", NULL, e, CLASSES));
    NEAR(e[1].value, difference / (double)pairs, 1e-12);
    ck_assert(e[0].p < 0.02 && e[1].p < 0.02);
    for (int i = 0; i < CASES; i++) a[i * CLASSES] = NAN;                  /* class 0 is defined nowhere */
    s.others = NULL;
    OK(peft_statistics_bootstrap(ctx, &s, "mean", NULL, e, CLASSES));
    ck_assert(isnan(e[0].value) && isnan(e[0].low) && e[0].resamples == 0);
    peft_context_free(ctx);
}
END_TEST

enum { SIDE = 1200 };

/* A disc of a third of the side, at column x. */
static void disc(uint8_t *m, int x)
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            m[i * SIDE + j] = (i - SIDE / 2) * (i - SIDE / 2) + (j - x) * (j - x) < SIDE * SIDE / 9;
}

static peft_status two_discs(peft_context *ctx, void *arg)
{
    const int64_t dims[2] = { SIDE, SIDE };
    uint8_t **m = arg;
    peft_segmentation *s = NULL;
    peft_tensor *p = NULL, *t = NULL;
    peft_segment g[2];
    peft_status status = peft_tensor_wrap(ctx, PEFT_U8, 2, dims, m[0], &p);
    if (!status) status = peft_tensor_wrap(ctx, PEFT_U8, 2, dims, m[1], &t);
    if (!status) status = peft_segmentation_create(ctx, 2, 1, &s);
    if (!status) status = peft_segmentation_add(s, p, t, NULL);
    if (!status) status = peft_segmentation_case(s, g, 2);
    if (!status) ck_assert(g[1].hd == 10 && g[1].both > 400000);
    peft_segmentation_free(s);
    peft_tensor_free(p);
    peft_tensor_free(t);
    return status;
}

/* The distances of maps of 1.4 million pixels take less than a quarter of a byte a pixel. */
START_TEST(memory_of_large_maps)
{
    uint8_t *m[2] = { malloc(SIDE * SIDE), malloc(SIDE * SIDE) };
    peft_context *ctx = context();
    disc(m[0], SIDE / 2);
    disc(m[1], SIDE / 2 + 10);
    OK(two_discs(ctx, m));
    ck_assert_uint_lt(peft_context_memory_peak(ctx), SIDE * SIDE / 4);
    peft_context_free(ctx);
    free(m[0]);
    free(m[1]);
}
END_TEST

/* Small maps of two classes, and a second map of the same case. */
static peft_status small_case(peft_context *ctx, void *arg)
{
    const int64_t dims[2] = { 3, 4 }, truth[12] = { 0, 1, 1, 0,  0, 1, 0, 0,  0, 0, 0, 1 }, other[12] = { 1, 1, 0, 0 };
    peft_segmentation *s = NULL;
    peft_tensor *p = NULL, *t = NULL;
    peft_segment g[2];
    (void)arg;
    peft_status status = peft_tensor_wrap(ctx, PEFT_I64, 2, dims, (void *)(uintptr_t)other, &p);
    if (!status) status = peft_tensor_wrap(ctx, PEFT_I64, 2, dims, (void *)(uintptr_t)truth, &t);
    if (!status) status = peft_segmentation_create(ctx, 2, 1, &s);
    if (!status) status = peft_segmentation_add(s, p, t, NULL);
    if (!status) status = peft_segmentation_add(s, t, p, NULL);
    if (!status) status = peft_segmentation_case(s, g, 2);
    peft_segmentation_free(s);
    peft_tensor_free(p);
    peft_tensor_free(t);
    return status;
}

START_TEST(every_allocation_may_fail) { ck_assert_int_gt(failing_alloc_loop(small_case, NULL), 10); }
END_TEST

SUITE_MAIN("segment tables", means_leave_undefined_values_out, intervals_and_paired_tests_of_cases,
           memory_of_large_maps, every_allocation_may_fail)
