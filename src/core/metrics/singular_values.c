/* SPDX-License-Identifier: Apache-2.0
 * singular_values.c -- singular values by Householder QR and one-sided Jacobi rotations, which are accurate also for
 * values far below the largest one (Drmac and Veselic, SIAM J. Matrix Anal. Appl. 29, 2008). */
#include "core/bits/jacobi.h"
#include "core/metrics/analysis.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { SWEEPS_MAX = 60 };

/* Householder QR of the matrix with columns v [m,length]: afterwards v[k][i], i <= k, is element (i, k) of R. */
static void reduce(double *v, int64_t m, int64_t length)
{
    for (int64_t j = 0; j < m; j++) {
        double *x = v + j * length + j;
        const int64_t rest = length - j;
        const double norm = sqrt(pf_scalar_product(x, x, rest)), diagonal = x[0] > 0 ? -norm : norm;
        if (norm == 0) continue;
        x[0] -= diagonal;                                    /* x is now the normal of the reflection */
        const double factor = 2 / pf_scalar_product(x, x, rest);
        for (int64_t k = j + 1; k < m; k++) {
            double *y = v + k * length + j;
            const double step = factor * pf_scalar_product(x, y, rest);
            for (int64_t i = 0; i < rest; i++) y[i] -= step * x[i];
        }
        x[0] = diagonal;
    }
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
    for (int64_t i = 0; i < m; i++)
        largest = fmax(largest, sqrt(pf_scalar_product(directions + i * m, directions + i * m, m)));
    for (int sweep = 0; sweep < SWEEPS_MAX && rotated; sweep++) {
        rotated = false;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = i + 1; j < m; j++)
                rotated |= pf_make_orthogonal(directions + i * m, directions + j * m, m, m, largest * DBL_EPSILON);
    }
    for (int64_t i = 0; i < m; i++) values[i] = sqrt(pf_scalar_product(directions + i * m, directions + i * m, m));
    sort_rows(values, directions, m);
}
