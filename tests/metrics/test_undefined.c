/* SPDX-License-Identifier: Apache-2.0
 * test_undefined.c -- resamples whose figure is undefined, and samples that give no interval. */
#include "bootstrapped.h"
#include <stdbool.h>

/* One positive sample of n: a resample lacks it with probability (1 - 1/n)^n. */
START_TEST(undefined_resamples_are_counted)
{
    enum { FEW = 10 };
    peft_context *ctx = context();
    double x[2 * FEW];
    float y[2 * FEW];
    int64_t labels[FEW];
    for (int i = 0; i < FEW; i++) {
        x[2 * i] = 1 - 0.1 * i;
        x[2 * i + 1] = 0.1 * i;
        labels[i] = i == 5;
        y[2 * i] = 1 - (y[2 * i + 1] = (float)labels[i]);
    }
    peft_samples s = { .n = FEW, .classes = 2, .scores = x, .targets = y };
    static const struct { const char *metric; size_t count; bool undefined[2]; } row[] = {
        { "auroc", 2, { true, true } }, { "average_precision", 2, { false, true } }, { "recall", 2, { false, true } },
        { "specificity", 2, { true, false } }, { "f1_macro", 1, { true, 0 } }, { "auroc_macro", 1, { true, 0 } },
        { "subset_accuracy", 1, { false, 0 } }, { "brier", 1, { false, 0 } } };
    const double lacking = pow(0.9, FEW);                    /* 0.349 */
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        peft_estimate e[2];
        OK(bootstrap(ctx, &s, row[k].metric, "resamples=2000", e, row[k].count));
        for (size_t c = 0; c < row[k].count; c++) {
            if (row[k].undefined[c]) NEAR((double)e[c].undefined / 2000, lacking, 0.04);   /* 0.011: standard error */
            else ck_assert_msg(!e[c].undefined, "%s", row[k].metric);
            ck_assert_int_eq(e[c].resamples + e[c].undefined, 2000);
        }
        OK(bootstrap(ctx, &s, row[k].metric, "interval=bca resamples=100", e, row[k].count));
        ck_assert(isnan(e[row[k].count - 1].low) == row[k].undefined[row[k].count - 1]);
    }
    /* strata of two samples and of eight: each resample has both classes */
    int64_t two[FEW];
    for (int i = 0; i < FEW; i++) two[i] = i == 5 || i == 7;
    peft_samples by_label = { .n = FEW, .classes = 2, .scores = x, .labels = two };
    peft_estimate e[2];
    OK(bootstrap(ctx, &by_label, "auroc", "stratified=true", e, 2));
    ck_assert(!e[0].undefined && !e[1].undefined);
    by_label.labels = labels;
    OK(bootstrap(ctx, &by_label, "balanced_accuracy", "", e, 1));
    const int64_t without = e[0].undefined;
    ck_assert_int_gt(without, 0);
    static const char *const of_two_classes[] = { "mcc", "kappa", "kappa_quadratic" };
    const int64_t alike[FEW] = { 0 };
    for (int k = 0; k < 3; k++) {
        by_label.labels = labels;
        OK(bootstrap(ctx, &by_label, of_two_classes[k], "", e, 1));
        ck_assert_msg(e[0].undefined == without, "%s", of_two_classes[k]);
        by_label.labels = alike;
        OK(bootstrap(ctx, &by_label, of_two_classes[k], "", e, 1));
        ck_assert_msg(isnan(e[0].value) && e[0].undefined == 2000, "%s", of_two_classes[k]);
    }
    const float column[FEW] = { 0, 0, 0, 0, 1, 1, 0, -1, -1, 0 };
    const double one[FEW] = { 0.1, 0.3, 0.8, 0.2, 0.7, 0.6, 0.1, 0, 0, 0.9 };
    peft_samples single = { .n = FEW, .classes = 1, .scores = one, .targets = column };
    OK(bootstrap(ctx, &single, "auroc", "stratified=true", e, 1));
    ck_assert(!e[0].undefined);
    OK(bootstrap(ctx, &single, "auroc", "", e, 1));
    ck_assert(e[0].undefined > 0);
    peft_context_free(ctx);
}
END_TEST

/* A stratum of one group does not count as if it could not vary: it is drawn together with another. */
START_TEST(strata_of_one_group_are_joined)
{
    enum { FEW = 10 };
    peft_context *ctx = context();
    double x[3 * FEW];
    int64_t labels[FEW];
    peft_samples s = { .n = FEW, .classes = 3, .scores = x, .labels = labels };
    peft_estimate joined, plain;
    for (int i = 0; i < FEW; i++) {                          /* all of class 0 are decided right, the others wrong */
        labels[i] = i < 8 ? 0 : 1;
        for (int c = 0; c < 3; c++) x[3 * i + c] = c == 0;
    }
    labels[9] = 0;                                           /* nine and one: as without strata */
    OK(bootstrap(ctx, &s, "accuracy", "stratified=true", &joined, 1));
    OK(bootstrap(ctx, &s, "accuracy", "", &plain, 1));
    ck_assert(joined.error > 0 && joined.low < 0.9 && joined.high > 0.9);
    ck_assert(joined.error == plain.error && joined.low == plain.low && joined.high == plain.high);
    labels[9] = 2;                                           /* eight, one and one: one of each or twice the same */
    OK(bootstrap(ctx, &s, "accuracy", "stratified=true", &joined, 1));
    NEAR(joined.error, 0, 1e-12);
    NEAR(joined.low, 0.8, 1e-12);
    x[3 * 9] = 0;
    x[3 * 9 + 2] = 1;                                        /* one of the two is right: 0.8, 0.9 or 1 */
    OK(bootstrap(ctx, &s, "accuracy", "stratified=true", &joined, 1));
    ck_assert(joined.value > 0.89 && joined.value < 0.91);
    NEAR(joined.error, sqrt(0.005), 0.004);                  /* 0.1 times the deviation of a binomial count of two */
    NEAR(joined.low, 0.8, 1e-12);
    NEAR(joined.high, 1, 1e-12);
    peft_context_free(ctx);
}
END_TEST

/* All samples of one patient, and with strata one patient of each label: each resample would be the same. */
START_TEST(equal_resamples_give_no_interval)
{
    static const char *const settings[] = { "resamples=50", "resamples=50 interval=bca",
                                            "resamples=50 stratified=true" };
    peft_context *ctx = context();
    fixture f;
    const int64_t one[N] = { 0 };
    fill(&f, 5);
    for (int k = 0; k < 4; k++) {
        const bool by_label = k == 3;
        peft_estimate e;
        f.s.groups = by_label ? f.labels : one;
        OK(bootstrap(ctx, &f.s, "accuracy", settings[by_label ? 2 : k], &e, 1));
        ck_assert(e.value > 0 && e.value < 1 && isnan(e.error) && isnan(e.low) && isnan(e.high));
        ck_assert(e.resamples == 0 && e.undefined == 50);
    }
    f.s.groups = f.groups;
    peft_estimate e;
    OK(bootstrap(ctx, &f.s, "accuracy", settings[2], &e, 1));
    ck_assert(e.low < e.high && e.error > 0 && !e.undefined);
    peft_context_free(ctx);
}
END_TEST

/* 40,000 samples are refused in 40,000 groups, and computed in 10 groups or without bca. */
START_TEST(bca_of_too_many_groups_is_refused)
{
    enum { MANY = 40000 };
    static double p[MANY];
    static float y[MANY];
    static int64_t groups[MANY];
    peft_context *ctx = context();
    peft_samples s = { .n = MANY, .classes = 1, .scores = p, .targets = y };
    peft_estimate e = { .value = -7 };
    for (int i = 0; i < MANY; i++) p[i] = i / (double)MANY;
    REFUSED(bootstrap(ctx, &s, "brier", "interval=bca resamples=1", &e, 1), PEFT_E_UNSUPPORTED, "40000 groups",
            "at most 1000000000", "interval=percentile");
    ck_assert(e.value == -7);
    OK(bootstrap(ctx, &s, "brier", "resamples=2", &e, 1));
    ck_assert(e.low <= e.high);
    for (int i = 0; i < MANY; i++) groups[i] = i / 4000;
    s.groups = groups;
    OK(bootstrap(ctx, &s, "brier", "interval=bca resamples=50", &e, 1));
    ck_assert(e.low < e.high);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("undefined", undefined_resamples_are_counted, strata_of_one_group_are_joined,
           equal_resamples_give_no_interval, bca_of_too_many_groups_is_refused)
