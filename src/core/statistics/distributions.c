/* SPDX-License-Identifier: Apache-2.0
 * distributions.c -- normal and binomial distribution, quantiles of values. */
#include "core/statistics/statistics.h"
#include <math.h>

double pf_normal_below(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }

/* A polynomial with n coefficients, that of the constant first. */
static double polynomial(const double *c, int n, double x)
{
    double sum = c[--n];
    while (n > 0) sum = sum * x + c[--n];
    return sum;
}

/* Algorithm AS 241 (PPND16) of Wichura, Applied Statistics 37 (1988): relative error of about 1e-16. */
double pf_normal_quantile(double p)
{
    static const double a[8] = { 3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3,
        1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4,
        2.5090809287301226727e3 };
    static const double b[8] = { 1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
        2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3 };
    static const double c[8] = { 1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
        3.64784832476320460504, 1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2,
        7.74545014278341407640e-4 };
    static const double d[8] = { 1, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
        1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9 };
    static const double e[8] = { 6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
        2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5,
        2.01033439929228813265e-7 };
    static const double f[8] = { 1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
        7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15 };
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    const double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, 8, r) / polynomial(b, 8, r);
    }
    const double r = sqrt(-log(q < 0 ? p : 1 - p));          /* of the nearer tail */
    const double x = r <= 5 ? polynomial(c, 8, r - 1.6) / polynomial(d, 8, r - 1.6)
                            : polynomial(e, 8, r - 5) / polynomial(f, 8, r - 5);
    return q < 0 ? -x : x;
}

double pf_normal_deviate(double level) { return -pf_normal_quantile((1 - level) / 2); }

/* log(n!) - log(sqrt(2 pi n) (n / e)^n), the error of Stirling's formula. */
static double stirling_error(double n)
{
    if (n < 16) {                                            /* n! is exact in double up to 18! */
        double factorial = 1;
        for (double k = 2; k <= n; k++) factorial *= k;
        return log(factorial) - ((n + 0.5) * log(n) - n + 0.91893853320467274178);
    }
    const double s = n * n;
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / s) / s) / s) / s) / n;
}

/* x log(x / m) + m - x without cancellation where x is near m. */
static double deviance(double x, double m)
{
    if (fabs(x - m) >= 0.1 * (x + m)) return x * log(x / m) + m - x;
    const double v = (x - m) / (x + m);
    double sum = (x - m) * v, power = 2 * x * v;
    for (int k = 3; ; k += 2) {
        power *= v * v;
        const double next = sum + power / k;
        if (next == sum) return sum;
        sum = next;
    }
}

/* P(X = k) of n trials, 0 < p < 1, by the saddle-point expansion of Loader (2000), whose relative error stays near
 * that of one rounding for any n, where differences of lgamma lose digits. */
static double binomial_term(double k, double n, double p)
{
    if (k == 0) return exp(n * log1p(-p));
    if (k == n) return exp(n * log(p));
    const double exponent = stirling_error(n) - stirling_error(k) - stirling_error(n - k) - deviance(k, n * p)
                          - deviance(n - k, n * (1 - p));
    return exp(exponent) * sqrt(n / (6.28318530717958647693 * k * (n - k)));
}

/* Sums the terms from k away from the mean, which fall faster than a geometric series: the upper tail, or 1 minus the
 * lower one. */
double pf_binomial_upper(int64_t k, int64_t n, double p)
{
    if (k <= 0) return 1;
    if (k > n || p <= 0) return 0;
    if (p >= 1) return 1;
    const bool up = (double)k > (double)n * p;
    double x = (double)(up ? k : k - 1), term = binomial_term(x, (double)n, p), sum = 0;
    const double odds = up ? p / (1 - p) : (1 - p) / p, trials = (double)n;
    for (;;) {
        if (sum + term == sum) break;
        sum += term;
        term *= odds * (up ? (trials - x) / (x + 1) : x / (trials - x + 1));
        x += up ? 1 : -1;
    }
    return up ? sum : 1 - sum;
}

double pf_sorted_quantile(const double *v, int64_t n, double q)
{
    if (n < 1 || isnan(q)) return NAN;
    const double at = q * (double)(n - 1);
    const int64_t i = at >= (double)(n - 1) ? n - 1 : (int64_t)at, next = i + 1 < n ? i + 1 : i;
    const double t = at - (double)i;
    if (v[i] == v[next]) return v[i];                        /* also of two infinite values */
    return t < 0.5 ? v[i] + (v[next] - v[i]) * t : v[next] - (v[next] - v[i]) * (1 - t);      /* as numpy rounds */
}
