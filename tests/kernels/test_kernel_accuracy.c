/* SPDX-License-Identifier: Apache-2.0
 * test_kernel_accuracy.c -- accuracy of the kernels of every instruction set: activations against libm in double over
 * all magnitudes, LayerNorm and log-sum-exp of ill-conditioned rows, long sums, thousands of optimiser steps. */
#include <math.h>
#include <stdint.h>
#include "kernels/pk.h"
#include "suite.h"

/* Loops over the kernel tables, one for each instruction set of this CPU. The inner `for` runs once, to declare t. */
#define EACH_ISA(t) \
    for (const char *const *isa_ = pk_isas(); *isa_; isa_++) \
        for (const pk_table *t = pk_find(*isa_); t; t = NULL)
#define UNIT (1.0 / (1 << 24))                      /* half the distance from 1 to the next float */

/* --- activations --------------------------------------------------------------------------------------------*/
static double gelu(double x)       { return 0.5 * x * erfc(-x * M_SQRT1_2); }
static double gelu_slope(double x) { return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-0.5 * x * x) / sqrt(2 * M_PI); }
static double sigmoid(double x)    { return 1 / (1 + exp(-x)); }
static double quick(double x)      { return x * sigmoid(1.702 * x); }
static double silu(double x)       { return x * sigmoid(x); }
static double sigmoid_slope(double x) { return sigmoid(x) * sigmoid(-x); }
static double tanh_slope(double x) { return 1 / (cosh(x) * cosh(x)); }
static double silu_slope(double x)  { return sigmoid(x) * (1 + x * sigmoid(-x)); }
static double quick_slope(double x) { return sigmoid(1.702 * x) * (1 + 1.702 * x * sigmoid(-1.702 * x)); }
/* u of GELU's tanh approximation x sigmoid(u), and its derivative */
static double gelu_tanh_u(double x)     { return 2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }
static double gelu_tanh(double x)       { return x * sigmoid(gelu_tanh_u(x)); }
static double gelu_tanh_slope(double x)
{
    const double du = 2 * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
    return sigmoid(gelu_tanh_u(x)) * (1 + x * du * sigmoid(-gelu_tanh_u(x)));
}

/* Limits of the error of an activation, or of its slope (derivative) where slope is 1:
 * |got - want| <= relative*UNIT*|want| + absolute for lo <= x <= hi. Results below 2^-120 may be 0. In the far tails of
 * QuickGELU and of GELU's tanh approximation, x sigmoid(u), the relative limit is higher, as the rounding error of u is
 * multiplied by |u|. Slopes that pass through 0
 * have an absolute limit too. */
static const struct limit {
    const char *name; pk_act kind; int slope; double lo, hi; double (*exact)(double); double relative, absolute;
} limits[] = {
    { "gelu",           PK_GELU,      0, -40, 40, gelu,          10,  0 },
    { "quickgelu near", PK_QUICKGELU, 0, -2,  40, quick,         10,  0 },
    { "quickgelu far",  PK_QUICKGELU, 0, -52, -2, quick,         120, 0 },
    { "tanh",           PK_TANH,      0, -40, 40, tanh,          2.5, 0 },
    { "sigmoid",        PK_SIGMOID,   0, -90, 90, sigmoid,       6,   0 },
    { "silu",           PK_SILU,      0, -90, 40, silu,          8,   0 },
    { "exp",            PK_EXP,       0, -80, 88, exp,           2.5, 0 },
    { "gelu' near",     PK_GELU,      1, -3,  40, gelu_slope,    4,   1e-7 },
    { "gelu' far",      PK_GELU,      1, -40, -3, gelu_slope,    12,  0 },
    { "quickgelu'",     PK_QUICKGELU, 1, -52, 40, quick_slope,   120, 2e-7 },
    { "tanh'",          PK_TANH,      1, -40, 40, tanh_slope,    12,  0 },
    { "sigmoid'",       PK_SIGMOID,   1, -80, 80, sigmoid_slope, 8,   0 },
    { "silu'",          PK_SILU,      1, -85, 40, silu_slope,    8,   1e-7 },
    { "exp'",           PK_EXP,       1, -80, 88, exp,           2.5, 0 },
    { "gelu_tanh near", PK_GELU_TANH, 0, -1,  40, gelu_tanh,     12,  0 },
    { "gelu_tanh far",  PK_GELU_TANH, 0, -9.9, -1, gelu_tanh,    200, 0 },
    { "gelu_tanh'",     PK_GELU_TANH, 1, -9.9, 40, gelu_tanh_slope, 200, 4e-7 },
};

/* Fills x with floats of every exponent and both signs within lo..hi, and 40001 evenly spaced ones; returns how
 * many. */
static int64_t arguments(float *x, double lo, double hi)
{
    int64_t n = 0;
    for (uint32_t bits = 0; bits < 0x7f800000u; bits += 0x3a97d)
        for (uint32_t sign = 0; sign < 2; sign++) {
            const uint32_t b = bits | sign << 31;
            memcpy(&x[n], &b, sizeof b);
            n += x[n] >= lo && x[n] <= hi;
        }
    for (int i = 0; i <= 40000; i++) x[n++] = (float)(lo + (hi - lo) * i / 40000);
    return n;
}

/* Compares the activation or its slope at the n arguments x with l->exact. y: n floats for the results; one: n ones,
 * the incoming gradient for which act_grad gives the slopes. */
static void check_activation(const struct limit *l, const pk_table *t, const float *x, const float *one, float *y,
                             int64_t n)
{
    if (l->slope) t->act_grad(l->kind, y, one, x, n);
    else t->act(l->kind, y, x, n);
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const double want = l->exact(x[i]), excess = fabs(y[i] - want) - l->absolute;
        if (fabs(want) < 0x1p-120 && fabs(y[i]) < 0x1p-119) continue;
        if (excess > worst * fabs(want)) worst = excess / fabs(want);
        if (!(excess <= l->relative * UNIT * fabs(want)))
            ck_abort_msg("%s %s(%a) is %.9g, expected %.9g", t->name, l->name, x[i], y[i], want);
    }
    printf("%-6s %-15s worst relative error %.1f / 2^24 beyond %g\n", t->name, l->name, worst / UNIT, l->absolute);
}

START_TEST(activations_against_libm)
{
    enum { MAX = 100000 };
    static float x[MAX], y[MAX], one[MAX];
    for (int i = 0; i < MAX; i++) one[i] = 1;
    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        const int64_t n = arguments(x, limits[k].lo, limits[k].hi);
        ck_assert_int_le(n, MAX);
        EACH_ISA(t) check_activation(&limits[k], t, x, one, y, n);
    }
}
END_TEST

START_TEST(activations_of_extreme_arguments)
{
    static const struct { pk_act kind; int slope; float x, want; } extremes[] = {
        { PK_GELU, 0, -40, 0 },            { PK_GELU, 0, -INFINITY, 0 },      { PK_GELU, 0, INFINITY, INFINITY },
        { PK_GELU, 1, -40, 0 },            { PK_GELU, 1, -INFINITY, 0 },      { PK_GELU, 1, INFINITY, 1 },
        { PK_QUICKGELU, 0, -INFINITY, 0 }, { PK_QUICKGELU, 1, -INFINITY, 0 }, { PK_QUICKGELU, 1, INFINITY, 1 },
        { PK_SILU, 0, -INFINITY, 0 },      { PK_SILU, 1, -INFINITY, 0 },      { PK_SILU, 1, INFINITY, 1 },
        { PK_SIGMOID, 0, -200, 0 },        { PK_SIGMOID, 0, INFINITY, 1 },    { PK_SIGMOID, 1, -INFINITY, 0 },
        { PK_TANH, 0, -INFINITY, -1 },     { PK_TANH, 0, 0, 0 },              { PK_TANH, 1, INFINITY, 0 },
        { PK_EXP, 0, -INFINITY, 0 },       { PK_EXP, 0, INFINITY, INFINITY }, { PK_EXP, 1, -INFINITY, 0 },
        { PK_GELU_TANH, 0, -INFINITY, 0 }, { PK_GELU_TANH, 1, -INFINITY, 0 }, { PK_GELU_TANH, 1, INFINITY, 1 },
        { PK_GELU_TANH, 0, INFINITY, INFINITY }, { PK_GELU_TANH, 0, -40, 0 }, { PK_GELU_TANH, 1, 40, 1 },
        { PK_RELU, 0, -INFINITY, 0 },      { PK_RELU, 1, 0, 0 },              { PK_GELU, 1, 0, 0.5f },
    };
    const float one = 1;
    EACH_ISA(t) for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        float y;
        if (extremes[i].slope) t->act_grad(extremes[i].kind, &y, &one, &extremes[i].x, 1);
        else t->act(extremes[i].kind, &y, &extremes[i].x, 1);
        ck_assert_msg(y == extremes[i].want, "%s row %d: result %.9g", t->name, (int)i, y);
    }
}
END_TEST

/* --- rows ---------------------------------------------------------------------------------------------------*/
enum { COLS = 197 };

typedef enum { LARGE_MEAN, TINY_VALUES, ONE_OUTLIER, CONSTANT, HUGE_VALUES, SMALL_VARIATION, ROW_KINDS } row_kind;

/* Writes a row of this kind. */
static void ill_conditioned_row(row_kind kind, float *x)
{
    for (int j = 0; j < COLS; j++) {
        const double v = sin(1.7 * j) + 0.3 * cos(11.0 * j);
        const double value[ROW_KINDS] = { [LARGE_MEAN] = 1e4 + v, [TINY_VALUES] = 1e-6 * v,
                                          [ONE_OUTLIER] = j == 0 ? 1e4 : v, [CONSTANT] = 123456.7,
                                          [HUGE_VALUES] = 1e12 * v, [SMALL_VARIATION] = -3 + 0.01 * v };
        x[j] = (float)value[kind];
    }
}

START_TEST(layernorm_of_ill_conditioned_rows)
{
    const float *const gamma = NULL, *const beta = NULL;
    EACH_ISA(t) for (int kind = 0; kind < ROW_KINDS; kind++) for (int e = 0; e < 2; e++) {
        const double eps = e ? 1e-12 : 1e-6;
        float x[COLS], y[COLS], mean, rstd;
        ill_conditioned_row((row_kind)kind, x);
        t->layernorm(y, COLS, &mean, &rstd, x, COLS, gamma, beta, (float)eps, 1, COLS);
        long double mu = 0, var = 0;
        for (int j = 0; j < COLS; j++) mu += (long double)x[j] / COLS;
        for (int j = 0; j < COLS; j++) var += (x[j] - mu) * (x[j] - mu) / COLS;
        const double r = 1 / sqrt((double)var + eps);
        double want[COLS], largest = 1;
        for (int j = 0; j < COLS; j++) largest = fmax(largest, fabs(want[j] = (double)(x[j] - mu) * r));
        for (int j = 0; j < COLS; j++)
            if (!(fabs(y[j] - want[j]) <= 5e-7 * largest))
                ck_abort_msg("%s row kind %d eps %g: y[%d] is %.9g, expected %.9g", t->name, kind, eps, j, y[j],
                             want[j]);
        ck_assert_double_le(fabs(mean - (double)mu), 1e-7 * fabs((double)mu) + 1e-6 / r);
        ck_assert_double_le(fabs(rstd - r), 1e-6 * r);
    }
}
END_TEST

START_TEST(nan_stays_in_its_row)
{
    EACH_ISA(t) {
        float x[3 * COLS], y[3 * COLS], lse[3];
        for (int i = 0; i < 3; i++) ill_conditioned_row(SMALL_VARIATION, x + i * COLS);
        x[COLS + 100] = NAN;
        /* without mean, rstd, gamma, beta and softmax */
        t->layernorm(y, COLS, NULL, NULL, x, COLS, NULL, NULL, 1e-6f, 3, COLS);
        t->logsumexp(lse, NULL, 0, x, COLS, 3, COLS);
        for (int j = 0; j < COLS; j++)
            if (isnan(y[j]) || !isnan(y[COLS + j]) ||
                isnan(y[2 * COLS + j])) ck_abort_msg("%s column %d: NaN in another row", t->name, j);
        ck_assert(!isnan(lse[0]) && isnan(lse[1]) && !isnan(lse[2]));
    }
}
END_TEST

START_TEST(logsumexp_of_extreme_rows)
{
    static const struct { float x[4], lse, soft[4]; } rows[] = {
        { { 0, -INFINITY, 0, -INFINITY }, 0.69314718f, { 0.5f, 0, 0.5f, 0 } },
        { { -INFINITY, -INFINITY, -INFINITY, -INFINITY }, -INFINITY, { 0, 0, 0, 0 } },
        { { 1e30f, 1e30f, -1e30f, 0 }, 1e30f, { 0.5f, 0.5f, 0, 0 } },
        { { -1e30f, -1e30f, -1e30f, -1e30f }, -1e30f, { 0.25f, 0.25f, 0.25f, 0.25f } },
        { { 100, 0, -100, 100 }, 100.69314718f, { 0.5f, 1.8600381e-44f, 0, 0.5f } },
        { { -87, 0, -INFINITY, -80 }, 0, { 1.6458115e-38f, 1, 0, 1.8048513e-35f } },
    };
    const float inf[4] = { 1, INFINITY, 2, -3 }, nan[4] = { -INFINITY, NAN, 0, 0 };
    EACH_ISA(t) {
        float lse, soft[4];
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            t->logsumexp(&lse, soft, 4, rows[i].x, 4, 1, 4);
            ck_assert_msg(lse == rows[i].lse || fabsf(lse - rows[i].lse) <= 2e-7f * fabsf(rows[i].lse),
                          "%s row %d: lse %.9g", t->name, (int)i, lse);
            for (int j = 0; j < 4; j++)
                ck_assert_msg(fabsf(soft[j] - rows[i].soft[j]) <= 2e-7f * rows[i].soft[j] + 0x1p-126f,
                              "%s row %d: soft[%d] is %.9g", t->name, (int)i, j, soft[j]);
        }
        t->logsumexp(&lse, NULL, 0, inf, 4, 1, 4);                         /* NULL, 0: without the softmax */
        ck_assert(lse == INFINITY);
        t->logsumexp(&lse, soft, 4, nan, 4, 1, 4);
        ck_assert(isnan(lse) && isnan(soft[0]) && isnan(soft[3]));
        t->logsumexp(&lse, NULL, 0, inf, 4, 1, 0);
        ck_assert(lse == -INFINITY);
    }
}
END_TEST

/* --- long sums, many steps ----------------------------------------------------------------------------------*/
START_TEST(sums_are_accumulated_in_double)
{
    enum { N = 1000003 };
    float *x = malloc(4 * N);
    ck_assert_ptr_nonnull(x);
    long double sum = 0, sum_sq = 0;
    for (int i = 0; i < N; i++) {
        x[i] = 1.1f + 0.1f * sinf((float)i);
        sum += x[i];
        sum_sq += (long double)x[i] * x[i];
    }
    EACH_ISA(t) {
        double s, q;
        t->sums(&s, &q, x, N);
        ck_assert_double_le(fabs(s - (double)sum), 1e-12 * N);
        ck_assert_double_le(fabs(q - (double)sum_sq), 1e-12 * N);
    }
    free(x);
}
END_TEST

/* Thousands of AdamW steps against the same in double: factors near 1, such as 1 - lr * wd, must not be rounded to
 * float. */
START_TEST(adamw_does_not_drift_from_double)
{
    enum { STEPS = 5000, N = 19 };
    const double lr = 1e-4, b1 = 0.9, b2 = 0.999, wd = 0.05;
    EACH_ISA(t) {
        float p[N], m[N] = {0}, v[N] = {0}, g[N];
        double dp[N], dm[N] = {0}, dv[N] = {0};
        int nonfinite = 0;
        for (int i = 0; i < N; i++) dp[i] = p[i] = 0.1f * (float)(i - 9);
        for (int step = 1; step <= STEPS; step++) {
            const double c1 = 1 - pow(b1, step), c2 = 1 - pow(b2, step);
            for (int i = 0; i < N; i++) {
                g[i] = (float)(pow(10, i % 7 - 3) * (1 + 0.5 * sin(0.37 * step + i)));
                dm[i] = b1 * dm[i] + (1 - b1) * g[i];
                dv[i] = b2 * dv[i] + (1 - b2) * (double)g[i] * g[i];
                dp[i] -= lr * wd * dp[i] + lr / c1 * dm[i] / (sqrt(dv[i] / c2) + 1e-8);
            }
            t->adamw(p, m, v, g, N, 1, lr, b1, b2, 1e-8, wd, c1, c2, &nonfinite);
            ck_assert_int_eq(nonfinite, 0);
        }
        for (int i = 0; i < N; i++) {
            if (!(fabs(m[i] - dm[i]) <= 1e-6 * fabs(dm[i]) && fabs(v[i] - dv[i]) <= 5e-6 * dv[i]))
                ck_abort_msg("%s moments %d: %.9g %.9g, expected %.9g %.9g", t->name, i, m[i], v[i], dm[i], dv[i]);
            if (!(fabs(p[i] - dp[i]) <= 2e-4))
                ck_abort_msg("%s parameter %d: %.9g, expected %.9g", t->name, i, p[i], dp[i]);
        }
    }
}
END_TEST

/* m and v follow the formula when moments and gradients differ much in size, and when b1 or b2 is 0. The squares of the
 * largest gradients overflow a float, but (1 - b2) times them do not. */
START_TEST(adamw_moments_of_extreme_gradients)
{
    static const float sizes[] = { 0, 1e-20f, 1e-3f, 1, 1e10f, 1.9e19f, 3e20f };
    enum { K = sizeof sizes / sizeof *sizes, N = K * K };
    static const double betas[][2] = { { 0.9, 0.999 }, { 0, 0.999 }, { 0.9, 0 }, { 0, 0 } };
    EACH_ISA(t) for (size_t b = 0; b < sizeof betas / sizeof *betas; b++) {
        const double b1 = betas[b][0], b2 = betas[b][1];
        float p[N], m[N], v[N], g[N];
        double want_m[N], want_v[N];
        int nonfinite = 0;
        for (int i = 0; i < N; i++) {
            const float before = b2 > 0 || sizes[i / K] < 1e19f ? sizes[i / K] : 0;
            g[i] = b2 > 0 || sizes[i % K] < 1e19f ? sizes[i % K] : 1;
            p[i] = 1, m[i] = before, v[i] = 1e-3f * before * before;
            want_m[i] = b1 * (double)m[i] + (1 - b1) * (double)g[i];
            want_v[i] = b2 * (double)v[i] + (1 - b2) * (double)g[i] * (double)g[i];
        }
        t->adamw(p, m, v, g, N, 1, 1e-3, b1, b2, 1e-8, 0, 1 - b1, 1 - b2, &nonfinite);
        ck_assert_int_eq(nonfinite, 0);
        for (int i = 0; i < N; i++)
            if (!(fabs(m[i] - want_m[i]) <= 1e-6 * fabs(want_m[i]) && isfinite(p[i]) &&
                  fabs(v[i] - want_v[i]) <= 1e-6 * want_v[i] + 1e-37))
                ck_abort_msg("%s b1 %g b2 %g, moments %d: %.9g %.9g, expected %.9g %.9g, p %g", t->name, b1, b2, i,
                             m[i], v[i], want_m[i], want_v[i], p[i]);
    }
}
END_TEST

/* The flag `nonfinite` is set for any element, also in the vector tail; a finite update does not set it. element: the
 * one that is not finite; -1: none. */
START_TEST(updates_report_nonfinite_values)
{
    enum { N = 37 };
    enum { INFINITE_PARAMETER, NAN_MOMENT, OVERFLOW_IN_ADAMW, OVERFLOW_IN_SGD, KINDS };
    EACH_ISA(t) for (int element = -1; element < N; element++) for (int kind = 0; kind < KINDS; kind++) {
        float p[N], m[N], v[N], g[N];
        int nonfinite = 0;
        for (int i = 0; i < N; i++) p[i] = 1, m[i] = v[i] = 0, g[i] = 1;
        if (element >= 0 && kind == INFINITE_PARAMETER) p[element] = INFINITY;
        else if (element >= 0 && kind == NAN_MOMENT) m[element] = NAN;
        else if (element >= 0) g[element] = 3e38f;
        const double gradient_scale = 1, b1 = 0.9, b2 = 0.999, momentum = 0.9, decay = 0;
        const int nesterov = 0, first = 0;
        if (kind == OVERFLOW_IN_SGD)
            t->sgd(p, m, g, N, gradient_scale, 1e3, momentum, decay, nesterov, first, &nonfinite);
        else
            t->adamw(p, m, v, g, N, gradient_scale, 1e-3, b1, b2, 1e-8, decay, 1 - b1, 1 - b2, &nonfinite);
        ck_assert_msg(nonfinite == (element >= 0), "%s, kind %d, element %d: %d", t->name, kind, element, nonfinite);
    }
}
END_TEST

SUITE_MAIN("kernel accuracy", activations_against_libm, activations_of_extreme_arguments,
           layernorm_of_ill_conditioned_rows, nan_stays_in_its_row, logsumexp_of_extreme_rows,
           sums_are_accumulated_in_double, adamw_does_not_drift_from_double, adamw_moments_of_extreme_gradients,
           updates_report_nonfinite_values)
