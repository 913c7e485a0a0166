/* SPDX-License-Identifier: Apache-2.0
 * eigen.c -- symmetric eigenvalue problem: Householder reflections make the matrix tridiagonal, QR steps make it
 * diagonal. All inner loops run along rows. The rotations of QR steps are collected and then applied to a few columns
 * of the eigenvectors at a time, so that these columns stay in the cache. */
#include "core/tta/cma/eigen.h"
#include <float.h>
#include <math.h>
#include <string.h>
#include "core/tta/cma/dot.h"

enum { SWEEPS = 24,                    /* QR steps whose rotations are collected before they are applied */
       COLUMNS = 32,                   /* columns of the eigenvectors that are rotated at a time */
       STEPS_MAX = 60 };               /* QR steps for one eigenvalue; two are usual */

/* A rotation in the plane of the rows `row` and `row` + 1. */
typedef struct { double c, s; int64_t row; } rotation;

/* Doubles that hold one rotation. */
enum { ROTATION = (sizeof(rotation) + sizeof(double) - 1) / sizeof(double) };

size_t pf_eigen_workspace(int64_t n) { return 2 * (size_t)n + (size_t)ROTATION * SWEEPS * (size_t)n; }

/* Replaces the leading i rows and columns of A by (I - u u^T / h) A (I - u u^T / h); p: i doubles of workspace. */
static void reflect(double *a, int64_t n, int64_t i, const double *u, double h, double *p)
{
    memset(p, 0, (size_t)i * sizeof *p);
    for (int64_t j = 0; j < i; j++) {                         /* p = A u, by the lower triangle of A */
        const double *row = a + j * n, uj = u[j];
        p[j] += pf_dot(row, u, j + 1);
        for (int64_t l = 0; l < j; l++) p[l] += row[l] * uj;
    }
    for (int64_t j = 0; j < i; j++) p[j] /= h;
    const double half = pf_dot(u, p, i) / (2 * h);
    for (int64_t j = 0; j < i; j++) p[j] -= half * u[j];
    for (int64_t j = 0; j < i; j++) {                         /* A -= u p^T + p u^T */
        double *row = a + j * n;
        const double uj = u[j], pj = p[j];
        for (int64_t l = 0; l <= j; l++) row[l] -= uj * p[l] + pj * u[l];
    }
}

/* Makes A tridiagonal. The diagonal stays in `a`; e[i] becomes the element beside it in rows i and i + 1. Row i of `a`
 * then holds the vector u of the reflection that cleared its first i - 1 entries, and h[i] that reflection's h (0:
 * there was none), which accumulate reads. p: n doubles of workspace. */
static void tridiagonalise(double *a, int64_t n, double *h, double *e, double *p)
{
    h[0] = 0;
    for (int64_t i = n - 1; i > 0; i--) {
        double *u = a + i * n, scale = 0;
        h[i] = 0;
        for (int64_t j = 0; j < i - 1; j++) scale = fmax(scale, fabs(u[j]));
        e[i - 1] = u[i - 1];
        if (scale == 0) continue;                             /* nothing to clear */
        scale = fmax(scale, fabs(u[i - 1]));                  /* against overflow and underflow of the squares */
        for (int64_t j = 0; j < i; j++) u[j] /= scale;
        const double square = pf_dot(u, u, i), length = u[i - 1] < 0 ? sqrt(square) : -sqrt(square);
        e[i - 1] = scale * length;
        h[i] = square - u[i - 1] * length;
        u[i - 1] -= length;
        reflect(a, n, i, u, h[i], p);
    }
}

/* Replaces the vectors of the reflections in `a` by the transposed product of the reflections, and h by the diagonal
 * of the tridiagonal matrix. */
static void accumulate(double *a, int64_t n, double *h)
{
    for (int64_t i = 0; i < n; i++) {
        double *u = a + i * n;
        const double diagonal = u[i];
        for (int64_t j = 0; h[i] != 0 && j < i; j++) {
            double *row = a + j * n;
            const double factor = pf_dot(row, u, i) / h[i];
            for (int64_t k = 0; k < i; k++) row[k] -= factor * u[k];
        }
        h[i] = diagonal;
        memset(u, 0, (size_t)i * sizeof *u);
        u[i] = 1;
        for (int64_t j = 0; j < i; j++) a[j * n + i] = 0;
    }
}

/* One QR step on the rows lo..hi of the tridiagonal matrix. Writes its hi - lo rotations to r. */
static void qr_step(double *d, double *e, int64_t lo, int64_t hi, rotation *r)
{
    const double half = (d[hi - 1] - d[hi]) / 2, off = e[hi - 1];
    const double shift = d[hi] - off * (off / (half + copysign(hypot(half, off), half)));
    double x = d[lo] - shift, z = e[lo];
    for (int64_t k = lo; k < hi; k++) {
        const double length = hypot(x, z), c = length > 0 ? x / length : 1, s = length > 0 ? z / length : 0;
        if (k > lo) e[k - 1] = length;
        const double t = s * (d[k + 1] - d[k]) + 2 * c * e[k];
        d[k] += s * t;
        d[k + 1] -= s * t;
        e[k] = c * t - e[k];
        if (k + 1 < hi) {
            x = e[k];
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        *r++ = (rotation){ c, s, k };
    }
}

/* Applies `count` rotations to the rows of v, [n,n]. */
static void rotate_rows(double *v, int64_t n, const rotation *r, int64_t count)
{
    for (int64_t from = 0; from < n; from += COLUMNS) {
        const int64_t width = n - from < COLUMNS ? n - from : COLUMNS;
        for (int64_t i = 0; i < count; i++) {
            double *upper = v + r[i].row * n + from, *lower = upper + n;
            const double c = r[i].c, s = r[i].s;
            for (int64_t k = 0; k < width; k++) {
                const double a = upper[k], b = lower[k];
                upper[k] = c * a + s * b;
                lower[k] = c * b - s * a;
            }
        }
    }
}

/* Sets e[i] to 0 if it does not count beside its neighbours on the diagonal; returns whether it did. */
static bool clear_negligible(const double *d, double *e, int64_t i)
{
    if (fabs(e[i]) > DBL_EPSILON * (fabs(d[i]) + fabs(d[i + 1])) && fabs(e[i]) > DBL_MIN) return false;
    e[i] = 0;
    return true;
}

/* Makes the tridiagonal matrix diagonal and rotates the rows of v with it. r has place for SWEEPS * n rotations. */
static bool diagonalise(double *d, double *e, double *v, int64_t n, rotation *r)
{
    int64_t hi = n - 1, pending = 0;
    for (int steps = 0; hi > 0; ) {
        if (clear_negligible(d, e, hi - 1)) {
            hi--;
            steps = 0;
            continue;
        }
        if (++steps > STEPS_MAX) return false;
        int64_t lo = hi - 1;
        while (lo > 0 && !clear_negligible(d, e, lo - 1)) lo--;
        if (pending + hi - lo > SWEEPS * n) {
            rotate_rows(v, n, r, pending);
            pending = 0;
        }
        qr_step(d, e, lo, hi, r + pending);
        pending += hi - lo;
    }
    rotate_rows(v, n, r, pending);
    return true;
}

bool pf_eigen_symmetric(double *a, int64_t n, double *values, double *work)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            if (!isfinite(a[i * n + j])) return false;
    double *e = work, *p = work + n;
    tridiagonalise(a, n, values, e, p);
    accumulate(a, n, values);
    return diagonalise(values, e, a, n, (rotation *)(void *)(work + 2 * n));
}
