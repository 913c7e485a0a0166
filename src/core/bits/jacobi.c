/* SPDX-License-Identifier: Apache-2.0
 * jacobi.c -- one-sided Jacobi rotations (jacobi.h). */
#include "core/bits/jacobi.h"
#include <float.h>
#include <math.h>

enum { LANES = 4 };

/* Four partial sums let the compiler use vector instructions in a fixed order of additions. */
double pf_scalar_product(const double *x, const double *y, int64_t n)
{
    double lane[LANES] = { 0 };
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += x[i + l] * y[i + l];
    double sum = (lane[0] + lane[1]) + (lane[2] + lane[3]);
    for (; i < n; i++) sum += x[i] * y[i];
    return sum;
}

bool pf_make_orthogonal(double *x, double *y, int64_t n, int64_t all, double least)
{
    const double xx = pf_scalar_product(x, x, n), yy = pf_scalar_product(y, y, n), xy = pf_scalar_product(x, y, n);
    if (xx <= least * least || yy <= least * least) return false;
    if (fabs(xy) <= (double)n * DBL_EPSILON * sqrt(xx) * sqrt(yy)) return false;
    const double cotangent = (yy - xx) / (2 * xy);           /* of twice the angle */
    const double tangent = copysign(1, cotangent) / (fabs(cotangent) + sqrt(1 + cotangent * cotangent));
    const double c = 1 / sqrt(1 + tangent * tangent), s = c * tangent;
    for (int64_t i = 0; i < all; i++) {
        const double xi = x[i];
        x[i] = c * xi - s * y[i];
        y[i] = s * xi + c * y[i];
    }
    return true;
}
