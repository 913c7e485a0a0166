/* SPDX-License-Identifier: Apache-2.0
 * convolve.c -- Gaussian kernels and convolution of lines (convolve.h). */
#include "convolve.h"
#include <math.h>

int64_t gaussian_half(double sigma, int64_t n, double *k)
{
    int64_t radius = (int64_t)(3 * sigma) + 1;
    if (radius > MAX_RADIUS) radius = MAX_RADIUS;
    if (radius > n - 1) radius = n - 1;
    for (int64_t i = 0; i <= radius; i++) {
        double t = (double)i / sigma;
        k[i] = exp(-0.5 * t * t);
    }
    return radius;
}

void convolve_line(const double *k, int64_t radius, const double *line, int64_t n, int64_t step, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = k[0] * line[i * step];
        for (int64_t j = 1; j <= radius; j++) {
            /* the pixels at distance j, mirrored beyond the ends: pixel -1 is pixel 0, pixel n is pixel n - 1 */
            int64_t before = i < j ? j - i - 1 : i - j, after = i + j < n ? i + j : 2 * n - 1 - i - j;
            sum += k[j] * (line[before * step] + line[after * step]);
        }
        out[i * step] = sum;
    }
}
