/* SPDX-License-Identifier: Apache-2.0
 * jacobi.h -- the step of one-sided Jacobi rotations, by which matrices are decomposed. */
#ifndef PF_JACOBI_H
#define PF_JACOBI_H
#include <stdbool.h>
#include <stdint.h>

/* Scalar product, in a fixed order of additions. */
double pf_scalar_product(const double *x, const double *y, int64_t n);
/* Rotates the vectors x and y [all] in their plane so that their first n elements become orthogonal; false: they were,
 * up to rounding. A vector of which these have the length `least` or less is rounding error and left alone. */
bool   pf_make_orthogonal(double *x, double *y, int64_t n, int64_t all, double least);
#endif
