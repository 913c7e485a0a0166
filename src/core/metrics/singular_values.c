/* SPDX-License-Identifier: Apache-2.0
 * singular_values.c -- singular values by Householder QR and one-sided Jacobi rotations, which are accurate also for
 * values far below the largest one (Drmac and Veselic, SIAM J. Matrix Anal. Appl. 29, 2008). */
#include "core/metrics/analysis.h"
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LANES = 4, SWEEPS_MAX = 60 };

/* Scalar product. Four partial sums let the compiler use vector instructions in a fixed order of additions. */
static double dot(const double *x, const double *y, int64_t n)
{
    double lane[LANES] = { 0 };
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += x[i + l] * y[i + l];
    double sum = (lane[0] + lane[1]) + (lane[2] + lane[3]);
    for (; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* Householder QR of the matrix with columns v [m,length]: afterwards v[k][i], i <= k, is element (i, k) of R. */
static void reduce(double *v, int64_t m, int64_t length)
{
    for (int64_t j = 0; j < m; j++) {
        double *x = v + j * length + j;
        const int64_t rest = length - j;
        const double norm = sqrt(dot(x, x, rest)), diagonal = x[0] > 0 ? -norm : norm;
        if (norm == 0) continue;
        x[0] -= diagonal;                                    /* x is now the normal of the reflection */
        const double factor = 2 / dot(x, x, rest);
        for (int64_t k = j + 1; k < m; k++) {
            double *y = v + k * length + j;
            const double step = factor * dot(x, y, rest);
            for (int64_t i = 0; i < rest; i++) y[i] -= step * x[i];
        }
        x[0] = diagonal;
    }
}

/* Rotates x and y in their plane so that they become orthogonal; false: they were, up to rounding. A vector of length
 * `least` or less is rounding error and left alone. */
static bool make_orthogonal(double *x, double *y, int64_t n, double least)
{
    const double xx = dot(x, x, n), yy = dot(y, y, n), xy = dot(x, y, n);
    if (xx <= least * least || yy <= least * least) return false;
    if (fabs(xy) <= (double)n * DBL_EPSILON * sqrt(xx) * sqrt(yy)) return false;
    const double cotangent = (yy - xx) / (2 * xy);           /* of twice the angle */
    const double tangent = copysign(1, cotangent) / (fabs(cotangent) + sqrt(1 + cotangent * cotangent));
    const double c = 1 / sqrt(1 + tangent * tangent), s = c * tangent;
    for (int64_t i = 0; i < n; i++) {
        const double xi = x[i];
        x[i] = c * xi - s * y[i];
        y[i] = s * xi + c * y[i];
    }
    return true;
}

/* Sorts the rows of w by descending values. */
static void sort_rows(double *values, double *w, int64_t m)
{
    for (int64_t k = 0; k < m; k++) {
        int64_t largest = k;
        for (int64_t i = k + 1; i < m; i++) if (values[i] > values[largest]) largest = i;
        if (largest == k) continue;
        const double value = values[k];
        values[k] = values[largest];
        values[largest] = value;
        for (int64_t j = 0; j < m; j++) {
            const double element = w[k * m + j];
            w[k * m + j] = w[largest * m + j];
            w[largest * m + j] = element;
        }
    }
}

/* R has the singular values and right singular vectors of the matrix. Rotating its rows until they are orthogonal keeps
 * both, and then the values are the rows' lengths and the vectors their directions. */
void pf_singular_values(double *vectors, int64_t m, int64_t length, double *values, double *directions)
{
    double largest = 0;
    bool rotated = true;
    reduce(vectors, m, length);
    memset(directions, 0, (size_t)(m * m) * sizeof *directions);
    for (int64_t k = 0; k < m; k++)
        for (int64_t i = 0; i <= k; i++) directions[i * m + k] = vectors[k * length + i];
    for (int64_t i = 0; i < m; i++) largest = fmax(largest, sqrt(dot(directions + i * m, directions + i * m, m)));
    for (int sweep = 0; sweep < SWEEPS_MAX && rotated; sweep++) {
        rotated = false;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = i + 1; j < m; j++)
                rotated |= make_orthogonal(directions + i * m, directions + j * m, m, largest * DBL_EPSILON);
    }
    for (int64_t i = 0; i < m; i++) values[i] = sqrt(dot(directions + i * m, directions + i * m, m));
    sort_rows(values, directions, m);
}
