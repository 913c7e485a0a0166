/* SPDX-License-Identifier: Apache-2.0
 * test_eigen.c -- the symmetric eigensolver: A v = value v and orthonormal eigenvectors for random, graded,
 * rank-deficient and degenerate matrices of many sizes and scales, known eigenvalues, matrices that are refused. */
#include "suite.h"
#include <float.h>
#include <math.h>
#include "core/base/rng.h"
#include "core/tta/cma/eigen.h"

enum { MOST = 130 };

static double a[MOST * MOST], v[MOST * MOST], values[MOST];

/* Decomposes the leading n rows of a, whose lower triangle is set, into v and values. */
static bool decompose(int64_t n)
{
    double *work = malloc(pf_eigen_workspace(n) * sizeof *work);
    ck_assert_ptr_nonnull(work);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) v[i * n + j] = j <= i ? a[i * n + j] : NAN;      /* the rest is not read */
    const bool done = pf_eigen_symmetric(v, n, values, work);
    free(work);
    return done;
}

/* The residuals of all eigenvectors against the largest entry of A, and of V V^T = I. */
static void expect_decomposed(int64_t n, const char *what)
{
    double largest = 0;
    ck_assert_msg(decompose(n), "%s of %lld rows was refused", what, (long long)n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            largest = fmax(largest, fabs(a[i * n + j]));
            a[j * n + i] = a[i * n + j];
        }
    const double limit = 8 * (double)(n + 4) * DBL_EPSILON;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double product = 0, cosine = 0;
            for (int64_t k = 0; k < n; k++) {
                product += a[j * n + k] * v[i * n + k];
                cosine += v[i * n + k] * v[j * n + k];
            }
            const double residual = fabs(product - values[i] * v[i * n + j]);
            ck_assert_msg(residual <= limit * largest, "%s of %lld rows: A v - value v is %g in entry %lld of %lld",
                          what, (long long)n, residual, (long long)j, (long long)i);
            ck_assert_msg(fabs(cosine - (i == j)) <= limit, "%s of %lld rows: v%lld v%lld is %g", what, (long long)n,
                          (long long)i, (long long)j, cosine);
        }
}

static void random_matrix(int64_t n, uint64_t seed, double scale)
{
    const pf_rng r = { .seed = seed };
    for (int64_t i = 0; i < n * n; i++) a[i] = scale * pf_rng_normal(&r, (uint64_t)i);
}

START_TEST(random_matrices_of_many_sizes_and_scales)
{
    static const double scales[] = { 1, 1e150, 1e-150, 3e-200 };
    for (int64_t n = 1; n <= MOST; n += n < 20 ? 1 : 37)
        for (int s = 0; s < 4; s++) {
            random_matrix(n, (uint64_t)n, scales[s]);
            expect_decomposed(n, "a random matrix");
        }
}
END_TEST

START_TEST(special_matrices)
{
    enum { N = 40 };
    memset(a, 0, sizeof a);
    expect_decomposed(N, "the zero matrix");
    for (int64_t i = 0; i < N; i++) a[i * N + i] = 1;
    expect_decomposed(N, "the identity");
    for (int64_t i = 0; i < N * N; i++) a[i] = 1;
    expect_decomposed(N, "the matrix of ones");
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++) a[i * N + j] = 1 / (double)(i + j + 1);
    expect_decomposed(N, "the Hilbert matrix");
    for (int64_t i = 0; i < N; i++)                  /* pairs of eigenvalues that agree in nearly all digits */
        for (int64_t j = 0; j < N; j++)
            a[i * N + j] = i == j ? fabs((double)i - (N - 1) / 2.0) : i - j == 1 || j - i == 1;
    expect_decomposed(N, "Wilkinson's matrix");
    for (int64_t i = 0; i < N; i++)                  /* entries from 1 to 1e-78 */
        for (int64_t j = 0; j < N; j++) a[i * N + j] = pow(10, -(double)(i + j));
    expect_decomposed(N, "a graded matrix");
}
END_TEST

static int by_value(const void *x, const void *y)
{
    const double p = *(const double *)x, q = *(const double *)y;
    return (p > q) - (p < q);
}

/* The second difference operator has the eigenvalues 2 - 2 cos(k pi / (n + 1)). */
START_TEST(known_eigenvalues)
{
    enum { N = 57 };
    memset(a, 0, sizeof a);
    for (int64_t i = 0; i < N; i++) {
        a[i * N + i] = 2;
        if (i) a[i * N + i - 1] = -1;
    }
    expect_decomposed(N, "the second difference");
    qsort(values, N, sizeof *values, by_value);
    for (int k = 0; k < N; k++)
        ck_assert_double_eq_tol(values[k], 2 - 2 * cos((k + 1) * 3.14159265358979323846 / (N + 1)), 1e-14);
}
END_TEST

START_TEST(refuses_entries_that_are_not_finite)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };
    for (int b = 0; b < 3; b++) {
        random_matrix(5, 1, 1);
        a[3 * 5 + 1] = bad[b];
        ck_assert(!decompose(5));
    }
}
END_TEST

SUITE_MAIN("eigen", random_matrices_of_many_sizes_and_scales, special_matrices, known_eigenvalues,
           refuses_entries_that_are_not_finite)
