/* SPDX-License-Identifier: Apache-2.0
 * spread.c -- see spread.h. */
#include "spread.h"
#include <math.h>
#include <stdbool.h>

spread spread_of(const double *v, int64_t n)
{
    spread s = { 0, 0, 0 };
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) s.mean += v[i], s.n++;
    s.mean = s.n ? s.mean / (double)s.n : NAN;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) s.sd += (v[i] - s.mean) * (v[i] - s.mean);
    s.sd = s.n > 1 ? sqrt(s.sd / (double)(s.n - 1)) : NAN;
    return s;
}

/* The probability that |T| <= sqrt(df) tan(angle), T of Student's distribution with df degrees of freedom: the finite
 * sums of Abramowitz and Stegun 26.7.3 and 26.7.4. */
static double within(double angle, int64_t df)
{
    bool odd = df % 2;
    double c = cos(angle), term = odd ? c : 1, sum = df == 1 ? 0 : term;
    for (int64_t k = odd ? 3 : 2; k <= df - 2; k += 2) sum += term *= c * c * (double)(k - 1) / (double)k;
    return odd ? (angle + sin(angle) * sum) * M_2_PI : sin(angle) * sum;
}

double mean_error(spread s)
{
    if (s.n < 2) return NAN;
    double low = 0, high = M_PI_2;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        *(within(middle, s.n - 1) < 0.95 ? &low : &high) = middle;
    }
    return sqrt((double)(s.n - 1)) * tan(low) * s.sd / sqrt((double)s.n);
}
