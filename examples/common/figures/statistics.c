/* SPDX-License-Identifier: Apache-2.0
 * statistics.c -- mean, standard deviation and Student's t interval (statistics.h). */
#include "statistics.h"
#include <math.h>
#include <stdbool.h>

statistics statistics_of(const double *v, int64_t n)
{
    statistics s = { 0, 0, 0 };
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) s.mean += v[i], s.n++;
    s.mean = s.n ? s.mean / (double)s.n : NAN;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) s.sd += (v[i] - s.mean) * (v[i] - s.mean);
    s.sd = s.n > 1 ? sqrt(s.sd / (double)(s.n - 1)) : NAN;
    return s;
}

/* The probability that |T| <= sqrt(df) tan(angle), where T has Student's t distribution with df degrees of freedom:
 * Abramowitz and Stegun, equations 26.7.3 (odd df) and 26.7.4 (even df). */
static double t_probability(double angle, int64_t df)
{
    bool odd = df % 2;
    double c = cos(angle), term = odd ? c : 1, sum = df == 1 ? 0 : term;
    for (int64_t k = odd ? 3 : 2; k <= df - 2; k += 2) sum += term *= c * c * (double)(k - 1) / (double)k;
    return odd ? (angle + sin(angle) * sum) * M_2_PI : sin(angle) * sum;
}

/* t * sd / sqrt(n), where t is the 97.5 % quantile of Student's distribution with n - 1 degrees of freedom: |T| <= t
 * has the probability 0.95. */
double confidence_half_width(statistics s)
{
    if (s.n < 2) return NAN;
    double low = 0, high = M_PI_2;                            /* bisection for the angle of probability 0.95 */
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (t_probability(middle, s.n - 1) < 0.95) low = middle;
        else high = middle;
    }
    return sqrt((double)(s.n - 1)) * tan(low) * s.sd / sqrt((double)s.n);
}
