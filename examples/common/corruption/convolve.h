/* SPDX-License-Identifier: Apache-2.0
 * convolve.h -- convolution of lines of pixels with a symmetric kernel, of which one half is stored. */
#ifndef CONVOLVE_H
#define CONVOLVE_H
#include <stdint.h>

enum { MAX_RADIUS = 64 };                                     /* of a kernel, in pixels */
/* Fills k[0..radius] with e^(-i^2 / (2 sigma^2)), not normalised, and returns the radius: about 3 sigma, at most
 * MAX_RADIUS and n - 1 for lines of n pixels. */
int64_t gaussian_half(double sigma, int64_t n, double *k);
/* Convolves a line of n pixels, which are `step` values apart in line and out, with the kernel whose value at distance
 * i is k[i]. The line is mirrored at its ends. line and out must not overlap. */
void convolve_line(const double *k, int64_t radius, const double *line, int64_t n, int64_t step, double *out);
#endif
