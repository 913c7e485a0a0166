/* SPDX-License-Identifier: Apache-2.0
 * test_analysis.c -- <peft/analysis.h> and temperature scaling on cases with known results: points on axes, orthogonal
 * rows, matrices of known singular values, two logits whose best temperature has a formula. */
#include "expect.h"
#include "failing_alloc.h"
#include <peft/analysis.h>
#include <peft/metrics.h>

/* Class 0 at (0,0), (2,0), mean (1,0); class 1 at (5,3) alone; class 3 at (-3,0), (-3,2), mean (-3,1); none of class
 * 2. */
enum { POINTS = 5, CLASSES = 4 };
static const float points[POINTS * 2] = { 0, 0,   2, 0,   5, 3,   -3, 0,   -3, 2 };
static const int64_t labels[POINTS] = { 0, 0, 1, 3, 3 };

START_TEST(scatter_of_points)
{
    peft_context *ctx = context();
    double intra, inter;
    OK(peft_analysis_scatter(ctx, points, labels, POINTS, 2, CLASSES, &intra, &inter));
    NEAR(intra, 1 + 1 + 0 + 1 + 1, 1e-14);
    NEAR(inter, (16 + 9) + (16 + 1) + (64 + 4), 1e-13);
    peft_context_free(ctx);
}
END_TEST

/* Of classes of equal size, on random features: intra is the trace of the within-class scatter matrix, and the scatter
 * around the mean of all is intra + inter m / C. */
START_TEST(scatter_of_random_features)
{
    enum { C = 3, M = 5, N = C * M, D = 4 };
    peft_context *ctx = context();
    float x[N * D];
    int64_t y[N];
    double intra, inter, matrix[D][D] = { { 0 } }, total = 0, trace = 0, mean[D] = { 0 };
    unsigned random = 12345;
    for (int i = 0; i < N; i++) y[i] = (i * 7 + 2) % C;                      /* not in order */
    for (int i = 0; i < N * D; i++) {
        random = random * 1664525u + 1013904223u;
        x[i] = (float)(random >> 8) / (1 << 24) * 3 + (float)y[i / D];
        mean[i % D] += (double)x[i] / N;
    }
    for (int c = 0; c < C; c++) {
        double of_class[D] = { 0 };
        for (int i = 0; i < N; i++) for (int j = 0; j < D && y[i] == c; j++) of_class[j] += (double)x[i * D + j] / M;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < D && y[i] == c; j++)
                for (int k = 0; k < D; k++)
                    matrix[j][k] += ((double)x[i * D + j] - of_class[j]) * ((double)x[i * D + k] - of_class[k]);
    }
    for (int j = 0; j < D; j++) trace += matrix[j][j];
    for (int i = 0; i < N * D; i++) total += ((double)x[i] - mean[i % D]) * ((double)x[i] - mean[i % D]);
    OK(peft_analysis_scatter(ctx, x, y, N, D, C, &intra, &inter));
    NEAR(intra, trace, 1e-12 * trace);
    NEAR(intra + inter * M / C, total, 1e-12 * total);
    peft_context_free(ctx);
}
END_TEST

START_TEST(silhouette_of_points)
{
    peft_context *ctx = context();
    double mean, s[POINTS], alone;
    OK(peft_analysis_silhouette(ctx, points, labels, POINTS, 2, CLASSES, &mean, s));
    const double to_3_first = (3 + sqrt(13)) / 2, to_0_fourth = (3 + 5) / 2.0;
    NEAR(s[0], (to_3_first - 2) / to_3_first, 1e-15);        /* a = 2, b: class 3 at 3 and sqrt(13) */
    NEAR(s[1], (sqrt(18) - 2) / sqrt(18), 1e-15);            /* b: class 1 */
    NEAR(s[2], 0, 0);                                        /* the only one of its class */
    NEAR(s[3], (to_0_fourth - 2) / to_0_fourth, 1e-15);
    NEAR(mean, (s[0] + s[1] + s[2] + s[3] + s[4]) / POINTS, 1e-15);
    OK(peft_analysis_silhouette(ctx, points, labels, POINTS, 2, CLASSES, &alone, NULL));
    ck_assert(alone == mean);
    const float same[4] = { 1, 1, 1, 1 };
    OK(peft_analysis_silhouette(ctx, same, (int64_t[]){ 0, 0, 1, 1 }, 4, 1, 2, &mean, s));
    ck_assert(mean == 0);
    /* the features of one class are in the other's place: all silhouettes are negative */
    const float mixed[4] = { 0, 10, 0, 10 };
    OK(peft_analysis_silhouette(ctx, mixed, (int64_t[]){ 0, 0, 1, 1 }, 4, 1, 2, &mean, s));
    NEAR(mean, -0.5, 1e-15);                                 /* a = 10, b = 5 */
    peft_context_free(ctx);
}
END_TEST

static double rank_of(const float *x, int64_t n, int64_t width)
{
    peft_context *ctx = context();
    double rank = -1;
    OK(peft_analysis_effective_rank(ctx, x, n, width, &rank));
    peft_context_free(ctx);
    return rank;
}

START_TEST(effective_rank_of_known_spectra)
{
    const float identity[9] = { 2, 0, 0,   0, 2, 0,   0, 0, 2 }, zero[6] = { 0 };
    const float multiples[8] = { 1, 2, 3, 4,   -2, -4, -6, -8 };
    NEAR(rank_of(identity, 3, 3), 3, 1e-14);
    NEAR(rank_of(multiples, 2, 4), 1, 1e-13);
    ck_assert(rank_of(zero, 2, 3) == 0 && rank_of(zero, 3, 2) == 0);
    /* rows (3, 4, 0) and (-4, 3, 0) times 3 and 1: singular values 15 and 5, shares 3/4 and 1/4 */
    const float two[6] = { 9, 12, 0,   -4, 3, 0 };
    const double want = exp(-0.75 * log(0.75) - 0.25 * log(0.25));
    NEAR(rank_of(two, 2, 3), want, 1e-14);
    const float turned[6] = { 9, -4,   12, 3,   0, 0 };      /* its transpose */
    NEAR(rank_of(turned, 3, 2), want, 1e-14);
    /* a singular value of 1e-12 of the largest one counts with its share */
    const float graded[4] = { 1e6f, 0,   0, 1e-6f };
    NEAR(rank_of(graded, 2, 2) - 1, (double)1e-6f / 1e6 * (1 + log(1e6 / (double)1e-6f)), 1e-14);
}
END_TEST

/* Random numbers, -0.5 to 0.5. */
static void fill(float *x, int64_t n)
{
    uint32_t state = 12345;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
    }
}

/* Checks the properties that define the projection of x [n,width] on all components: coordinates of different
 * components are orthogonal, squared distances of images are kept, variance descends, and the shares add up to 1. */
static void check_projection(peft_context *ctx, const float *x, int64_t n, int64_t width)
{
    const int64_t k = n < width ? n : width;
    double *p = malloc((size_t)(n * k) * sizeof *p), *share = malloc((size_t)k * sizeof *share), sum = 0, total = 0;
    OK(peft_analysis_pca(ctx, x, n, width, k, p, share));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double want = 0, got = 0;
            for (int64_t c = 0; c < width; c++) want += pow((double)x[i * width + c] - (double)x[j * width + c], 2);
            for (int64_t c = 0; c < k; c++) got += pow(p[i * k + c] - p[j * k + c], 2);
            NEAR(got, want, 1e-12);
        }
    for (int64_t i = 0; i < n * k; i++) total += p[i] * p[i];
    for (int64_t a = 0; a < k; a++) {
        double mean = 0, largest = 0, variance = 0;          /* largest: by magnitude, the first of equals */
        for (int64_t i = 0; i < n; i++) {
            mean += p[i * k + a];
            variance += p[i * k + a] * p[i * k + a];
            if (fabs(p[i * k + a]) > fabs(largest) * (1 + 1e-9)) largest = p[i * k + a];
        }
        NEAR(mean, 0, 1e-13);
        NEAR(share[a], variance / total, 1e-13);
        ck_assert(largest >= 0);
        ck_assert(!a || share[a] <= share[a - 1]);
        sum += share[a];
        for (int64_t b = 0; b < a; b++) {
            double dot = 0;
            for (int64_t i = 0; i < n; i++) dot += p[i * k + a] * p[i * k + b];
            NEAR(dot, 0, 1e-12);
        }
    }
    NEAR(sum, 1, 1e-13);
    free(p);
    free(share);
}

START_TEST(principal_components)
{
    static float x[40 * 23];
    peft_context *ctx = context();
    fill(x, 40 * 23);
    check_projection(ctx, x, 40, 23);
    check_projection(ctx, x, 23, 40);
    check_projection(ctx, x, 23, 23);
    check_projection(ctx, x, 2, 1);
    /* points on the line through (1,1) in direction (3,4): coordinates -5, 0, 5 or 5, 0, -5, of which the second
     * begins with a positive one */
    const float line[6] = { -2, -3,   1, 1,   4, 5 };
    double p[6], share[2];
    OK(peft_analysis_pca(ctx, line, 3, 2, 2, p, share));
    NEAR(p[0], 5, 1e-14);
    NEAR(p[2], 0, 1e-14);
    NEAR(p[4], -5, 1e-14);
    ck_assert(p[1] == 0 && p[3] == 0 && p[5] == 0 && share[1] == 0);
    NEAR(share[0], 1, 1e-15);
    const float constant[6] = { 0.1f, 0.3f,   0.1f, 0.3f,   0.1f, 0.3f };
    OK(peft_analysis_pca(ctx, constant, 3, 2, 1, p, share));
    ck_assert(p[0] == 0 && p[1] == 0 && p[2] == 0 && share[0] == 0);
    peft_context_free(ctx);
}
END_TEST

/* The nll at a temperature. */
static double nll_at(const float *logits, const int64_t *l, int64_t n, int64_t classes, double temperature)
{
    static double scores[1000];
    double nll = -1;
    OK(peft_metrics_temperature_scores(logits, n, classes, temperature, scores));
    OK(peft_metrics_calibration(scores, l, n, classes, "nll", &nll, 1));
    return nll;
}

START_TEST(temperature_is_the_minimum_of_the_nll)
{
    /* logits 4 and 0, three of four labels right: softmax gives 3/4 at 4 / temperature = log 3 */
    const float pairs[8] = { 4, 0, 4, 0, 4, 0, 4, 0 };
    double t;
    OK(peft_metrics_fit_temperature(pairs, (int64_t[]){ 0, 0, 1, 0 }, 4, 2, &t));
    NEAR(t, 4 / log(3), 1e-13);
    static float x[60 * 5];
    int64_t l[60];
    fill(x, 60 * 5);
    for (int i = 0; i < 60; i++) l[i] = i % 3 ? i % 5 : (i + 2) % 5;
    for (int i = 0; i < 60; i++) x[i * 5 + i % 5] += 1;
    OK(peft_metrics_fit_temperature(x, l, 60, 5, &t));
    ck_assert(t > 0.011 && t < 99);
    const double best = nll_at(x, l, 60, 5, t);
    for (double f = 0.5; f < 2; f += 0.0625) ck_assert(nll_at(x, l, 60, 5, t * f) >= best - 1e-15);
    ck_assert(best < nll_at(x, l, 60, 5, 1));
}
END_TEST

START_TEST(temperature_ends_at_the_range_and_stays_where_it_has_no_effect)
{
    const float x[4] = { 3, 0, 0, 1 }, equal[4] = { 2, 2, -1, -1 }, huge[4] = { 3e38f, -3e38f, -3e38f, 3e38f };
    const int64_t right[2] = { 0, 1 }, wrong[2] = { 1, 0 };
    double t, scores[4];
    OK(peft_metrics_fit_temperature(x, right, 2, 2, &t));
    NEAR(t, 0.01, 0);
    OK(peft_metrics_fit_temperature(x, wrong, 2, 2, &t));
    NEAR(t, 100, 0);
    OK(peft_metrics_fit_temperature(huge, right, 2, 2, &t));  /* rounded to 1 and 0 at every temperature */
    NEAR(t, 0.01, 0);
    OK(peft_metrics_fit_temperature((float[]){ 2e5f, 0, 0, 2e5f }, right, 2, 2, &t));
    NEAR(t, 0.01, 0);
    OK(peft_metrics_fit_temperature(huge, wrong, 2, 2, &t));
    NEAR(t, 100, 0);
    OK(peft_metrics_fit_temperature(equal, right, 2, 2, &t));
    NEAR(t, 1, 0);
    OK(peft_metrics_fit_temperature(x, (int64_t[]){ 0, 0, 0, 0 }, 4, 1, &t));
    NEAR(t, 1, 0);
    OK(peft_metrics_temperature_scores(x, 2, 2, 1e-310, scores));
    ck_assert(scores[0] == 1 && scores[1] == 0 && scores[2] == 0 && scores[3] == 1);
    OK(peft_metrics_temperature_scores(x, 2, 2, 3, scores));
    NEAR(scores[0], 1 / (1 + exp(-1)), 1e-15);
}
END_TEST

#define REFUSED(call, status, ...) do { ck_assert_int_eq(call, status); \
    const char *part_[] = { __VA_ARGS__ }; \
    for (size_t k_ = 0; k_ < sizeof part_ / sizeof *part_; k_++) \
        ck_assert_msg(strstr(peft_last_error(), part_[k_]), "'%s' lacks '%s'", peft_last_error(), part_[k_]); \
    } while (0)

START_TEST(wrong_arguments_are_refused)
{
    peft_context *ctx = context();
    const float bad[4] = { 0, 1, NAN, 2 }, far[4] = { 0, 1, 2, -INFINITY }, x[4] = { 0, 1, 2, 3 };
    const int64_t one[4] = { 1, 1, 1, 1 }, two[4] = { 0, 0, 1, 1 }, out[2] = { 0, 2 }, each[2] = { 0, 1 };
    double v[4] = { -7, -7, -7, -7 }, w = -7;
    REFUSED(peft_analysis_scatter(ctx, x, two, 1, 4, 2, v, &w), PEFT_E_INVALID, "n is 1", "at least 2");
    REFUSED(peft_analysis_scatter(ctx, x, two, 4, 0, 2, v, &w), PEFT_E_INVALID, "width is 0");
    REFUSED(peft_analysis_scatter(ctx, x, two, 4, INT64_MAX, 2, v, &w), PEFT_E_INVALID, "too many");
    REFUSED(peft_analysis_scatter(ctx, x, one, 4, 1, 2, v, &w), PEFT_E_INVALID, "of class 1", "two classes");
    REFUSED(peft_analysis_scatter(ctx, x, out, 2, 2, 2, v, &w), PEFT_E_INVALID, "labels[1] is 2", "0..1");
    REFUSED(peft_analysis_scatter(ctx, x, NULL, 2, 2, 2, v, &w), PEFT_E_INVALID, "labels is NULL");
    REFUSED(peft_analysis_scatter(ctx, x, each, 2, 2, 2, v, NULL), PEFT_E_INVALID, "inter is NULL");
    REFUSED(peft_analysis_scatter(NULL, x, each, 2, 2, 2, v, &w), PEFT_E_INVALID, "ctx is NULL");
    REFUSED(peft_analysis_scatter(ctx, bad, each, 2, 2, 2, v, &w), PEFT_E_NONFINITE, "features[2]", "image 1, column 0",
            "NaN");
    REFUSED(peft_analysis_silhouette(ctx, x, one, 4, 1, 2, &w, v), PEFT_E_INVALID, "two classes");
    REFUSED(peft_analysis_silhouette(ctx, x, each, 2, 2, 2, &w, v), PEFT_E_INVALID, "each class has one image");
    REFUSED(peft_analysis_silhouette(ctx, far, each, 2, 2, 2, &w, v), PEFT_E_NONFINITE, "features[3]", "infinite");
    REFUSED(peft_analysis_effective_rank(ctx, x, 1, 4, &w), PEFT_E_INVALID, "n is 1");
    REFUSED(peft_analysis_effective_rank(ctx, bad, 2, 2, &w), PEFT_E_NONFINITE, "NaN");
    REFUSED(peft_analysis_effective_rank(ctx, NULL, 2, 2, &w), PEFT_E_INVALID, "features is NULL");
    REFUSED(peft_analysis_pca(ctx, x, 2, 2, 3, v, NULL), PEFT_E_INVALID, "components is 3", "1 to 2");
    REFUSED(peft_analysis_pca(ctx, x, 4, 1, 0, v, NULL), PEFT_E_INVALID, "components is 0", "1 to 1");
    REFUSED(peft_analysis_pca(ctx, x, 2, 2, 1, NULL, NULL), PEFT_E_INVALID, "projection is NULL");
    REFUSED(peft_metrics_fit_temperature(bad, each, 2, 2, &w), PEFT_E_NONFINITE, "logits[2]", "sample 1, class 0");
    REFUSED(peft_metrics_fit_temperature(x, out, 2, 2, &w), PEFT_E_INVALID, "labels[1] is 2");
    REFUSED(peft_metrics_fit_temperature(x, each, 0, 2, &w), PEFT_E_INVALID, "n is 0");
    REFUSED(peft_metrics_fit_temperature(x, each, 2, 2, NULL), PEFT_E_INVALID, "temperature is NULL");
    REFUSED(peft_metrics_temperature_scores(x, 2, 2, 0, v), PEFT_E_INVALID, "temperature is 0 or less");
    REFUSED(peft_metrics_temperature_scores(x, 2, 2, NAN, v), PEFT_E_INVALID, "temperature is NaN");
    ck_assert(v[0] == -7 && v[1] == -7 && v[2] == -7 && v[3] == -7 && w == -7);
    peft_context_free(ctx);
}
END_TEST

/* Calls all functions that allocate. */
static peft_status call_all(peft_context *ctx, void *arg)
{
    double a, b, p[POINTS];
    (void)arg;
    peft_status s = peft_analysis_scatter(ctx, points, labels, POINTS, 2, CLASSES, &a, &b);
    if (!s) s = peft_analysis_silhouette(ctx, points, labels, POINTS, 2, CLASSES, &a, NULL);
    if (!s) s = peft_analysis_effective_rank(ctx, points, POINTS, 2, &a);
    return s ? s : peft_analysis_pca(ctx, points, POINTS, 2, 1, p, NULL);
}

START_TEST(failing_allocations_are_reported)
{
    ck_assert_int_eq(failing_alloc_loop(call_all, NULL), 4);
}
END_TEST

SUITE_MAIN("analysis", scatter_of_points, scatter_of_random_features, silhouette_of_points,
           effective_rank_of_known_spectra, principal_components, temperature_is_the_minimum_of_the_nll,
           temperature_ends_at_the_range_and_stays_where_it_has_no_effect, wrong_arguments_are_refused,
           failing_allocations_are_reported)
