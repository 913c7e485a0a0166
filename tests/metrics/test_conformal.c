/* SPDX-License-Identifier: Apache-2.0
 * test_conformal.c -- prediction sets worked out by hand, the least number of calibration samples, and sets that do not
 * depend on how the samples are divided. */
#include "expect.h"
#include "failing_alloc.h"
#include "simulated.h"
#include <peft/conformal.h>

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o = NULL;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, text));
    return o;
}

static peft_status fit(peft_context *ctx, const double *p, const int64_t *labels, int64_t n, int64_t classes,
                       double alpha, const char *text, double *quantiles)
{
    peft_options *o = options(ctx, text);
    const peft_status s = peft_conformal_fit(ctx, p, labels, n, classes, alpha, o, quantiles);
    peft_options_free(o);
    return s;
}

static peft_status sets_of(peft_context *ctx, const double *p, int64_t n, int64_t classes, const double *quantiles,
                           int64_t first, const char *text, uint8_t *sets)
{
    peft_options *o = options(ctx, text);
    const peft_status s = peft_conformal_sets(ctx, p, n, classes, quantiles, first, o, sets);
    peft_options_free(o);
    return s;
}

/* Four samples, alpha 0.4: rank ceil(5 * 0.6) = 3. */
static const double p[4 * 3] = { 0.5, 0.375, 0.125,   0.25, 0.5, 0.25,   0.125, 0.125, 0.75,   0.625, 0.25, 0.125 };
static const int64_t labels[4] = { 0, 2, 2, 1 };

START_TEST(sets_worked_out_by_hand)
{
    peft_context *ctx = context();
    double q[3];
    uint8_t s[6];
    const double fresh[2 * 3] = { 0.25, 0.375, 0.375,   0.125, 0.75, 0.125 };
    OK(fit(ctx, p, labels, 4, 3, 0.4, "", q));               /* 1 - p: 0.5, 0.75, 0.25, 0.75 */
    ck_assert(q[0] == 0.75 && q[1] == 0.75 && q[2] == 0.75);
    OK(sets_of(ctx, fresh, 2, 3, q, 0, "", s));
    ck_assert(s[0] && s[1] && s[2] && !s[3] && s[4] && !s[5]);
    /* aps: 0.5; 0.5 + 0.25 + 0.25 (class 0 comes first); 0.75; 0.625 + 0.25 */
    OK(fit(ctx, p, labels, 4, 3, 0.4, "score=aps", q));
    ck_assert(q[0] == 0.875);
    OK(sets_of(ctx, fresh, 2, 3, q, 0, "score=aps", s));     /* sums: class 1 0.375, class 2 0.75, class 0 1 */
    ck_assert(!s[0] && s[1] && s[2] && s[3] && s[4] && !s[5]);
    OK(fit(ctx, p, labels, 4, 3, 0.2, "score=aps", q));      /* rank 4, the largest */
    ck_assert(q[0] == 1);
    /* a set is empty, or gets the most probable class */
    const double small[3] = { 0.1, 0.1, 0.1 };
    OK(sets_of(ctx, fresh, 2, 3, small, 0, "allow_empty=true", s));
    for (int k = 0; k < 6; k++) ck_assert(!s[k]);
    OK(sets_of(ctx, fresh, 2, 3, small, 0, "", s));
    ck_assert(!s[0] && s[1] && !s[2] && !s[3] && s[4] && !s[5]);
    peft_context_free(ctx);
}
END_TEST

START_TEST(quantiles_of_classes)
{
    enum { M = 30 };
    peft_context *ctx = context();
    double x[M * 2], q[2];
    int64_t y[M];
    for (int i = 0; i < M; i++) {                            /* class 1: ten samples of scores 0.5, 0.51 .. 0.59 */
        y[i] = i % 3 == 0;
        x[2 * i + y[i]] = y[i] ? 0.5 - 0.01 * (i / 3) : 0.9 - 0.01 * i;
        x[2 * i + 1 - y[i]] = 1 - x[2 * i + y[i]];
    }
    OK(fit(ctx, x, y, M, 2, 0.2, "by_class=true", q));
    NEAR(q[1], 0.58, 1e-14);                                 /* rank ceil(11 * 0.8) = 9 */
    NEAR(q[0], 0.1 + 0.01 * 25, 1e-14);                      /* rank ceil(21 * 0.8) = 17 of i = 1, 2, 4, 5 .. */
    REFUSED(fit(ctx, x, y, M, 2, 0.05, "by_class=true", q), PEFT_E_INVALID, "10 samples of class 1", "at least 19",
            "by_class=false");
    OK(fit(ctx, x, y, M, 2, 0.05, "", q));
    peft_context_free(ctx);
}
END_TEST

/* The least n is the first with (n + 1) (1 - alpha) <= n, also where 1 - alpha is rounded. */
START_TEST(least_numbers_of_samples)
{
    enum { MOST = 1000 };
    peft_context *ctx = context();
    static double x[MOST];
    static int64_t y[MOST];
    static const struct { double alpha; int least; const char *text; } row[] = { { 0.1, 9, "at least 9" },
        { 0.05, 19, "at least 19" }, { 0.01, 99, "at least 99" }, { 0.3, 3, "at least 3" },
        { 0.001, 999, "at least 999" },
        { 0.025, 39, "at least 39" } };
    for (int i = 0; i < MOST; i++) x[i] = 1;
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        double q;
        OK(fit(ctx, x, y, row[k].least, 1, row[k].alpha, "", &q));
        REFUSED(fit(ctx, x, y, row[k].least - 1, 1, row[k].alpha, "", &q), PEFT_E_INVALID, row[k].text);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(sets_do_not_depend_on_the_division)
{
    enum { M = 40, C = 4 };
    peft_context *ctx = context();
    double x[M * C], q[C];
    int64_t y[M];
    uint8_t all[M * C], part[M * C], other[M * C];
    simulated r = { 3 };
    for (int i = 0; i < M; i++) {
        double sum = 0;
        y[i] = i % C;
        for (int c = 0; c < C; c++) sum += x[i * C + c] = uniform(&r);
        for (int c = 0; c < C; c++) x[i * C + c] /= sum;
    }
    const char *text = "score=aps randomized=true seed=5";
    OK(fit(ctx, x, y, M, C, 0.3, text, q));
    OK(sets_of(ctx, x, M, C, q, 7, text, all));
    for (int i = 0; i < M; i += 8) OK(sets_of(ctx, x + i * C, 8, C, q, 7 + i, text, part + i * C));
    ck_assert(!memcmp(all, part, sizeof all));
    OK(sets_of(ctx, x, M, C, q, 7, "score=aps randomized=true seed=6", other));
    ck_assert(memcmp(all, other, sizeof all) != 0);
    peft_context_free(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    peft_context *ctx = context();
    double q[3] = { -7, -7, -7 };
    const double bad[3] = { 0.5, NAN, 0.5 }, several[3] = { 0.9, 0.7, 0.1 }, unknown[3] = { 1, NAN, 1 };
    const int64_t wrong[4] = { 0, 3, 0, 0 };
    uint8_t s[12] = { 9 };
    REFUSED(fit(ctx, p, labels, 4, 3, 0, "", q), PEFT_E_INVALID, "alpha is 0");
    REFUSED(fit(ctx, p, labels, 4, 3, 1, "", q), PEFT_E_INVALID, "alpha is 1");
    REFUSED(fit(ctx, p, labels, 4, 3, NAN, "", q), PEFT_E_INVALID, "alpha is nan");
    REFUSED(fit(ctx, p, wrong, 4, 3, 0.4, "", q), PEFT_E_INVALID, "labels[1] is 3");
    REFUSED(fit(ctx, several, labels, 1, 3, 0.4, "", q), PEFT_E_INVALID, "sum 1.7", "two classes");
    REFUSED(fit(ctx, bad, labels, 1, 3, 0.4, "", q), PEFT_E_NONFINITE, "probabilities[1]");
    REFUSED(fit(ctx, p, labels, 4, 3, 0.4, "score=raps", q), PEFT_E_INVALID, "'raps'", "lac or aps");
    REFUSED(fit(ctx, p, labels, 4, 3, 0.4, "randomized=true", q), PEFT_E_OPTION, "randomized", "score=aps");
    REFUSED(fit(ctx, p, labels, 4, 3, 0.4, "by_clas=true", q), PEFT_E_OPTION, "by_class");
    REFUSED(fit(ctx, p, labels, 1, 3, 0.1, "", q), PEFT_E_INVALID, "1 samples for alpha 0.1", "at least 9");
    ck_assert(q[0] == -7);
    REFUSED(sets_of(ctx, p, 4, 3, unknown, 0, "", s), PEFT_E_INVALID, "quantiles[1] is NaN");
    REFUSED(sets_of(ctx, p, 4, 3, q, -1, "", s), PEFT_E_INVALID, "first is -1");
    REFUSED(sets_of(ctx, several, 1, 3, q, 0, "", s), PEFT_E_INVALID, "sum 1.7");
    REFUSED(peft_conformal_sets(NULL, p, 4, 3, q, 0, NULL, s), PEFT_E_INVALID, "ctx is NULL");
    ck_assert(s[0] == 9);
    peft_context_free(ctx);
}
END_TEST

static peft_status all_of_it(peft_context *ctx, void *arg)
{
    double q[3];
    uint8_t s[12];
    (void)arg;
    const peft_status status = peft_conformal_fit(ctx, p, labels, 4, 3, 0.4, NULL, q);
    return status ? status : peft_conformal_sets(ctx, p, 4, 3, q, 0, NULL, s);
}

START_TEST(failing_allocations_are_reported) { ck_assert_int_ge(failing_alloc_loop(all_of_it, NULL), 4); }
END_TEST

SUITE_MAIN("conformal", sets_worked_out_by_hand, quantiles_of_classes, least_numbers_of_samples,
           sets_do_not_depend_on_the_division, wrong_arguments_are_refused, failing_allocations_are_reported)
