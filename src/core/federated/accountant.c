/* SPDX-License-Identifier: Apache-2.0
 * accountant.c -- the epsilon of rounds with noise: Renyi differential privacy (Mironov, CSF 2017) of the Gaussian
 * mechanism on a Poisson sample (Mironov, Talwar, Zhang, arXiv 1908.10530, section 3.3, integer orders). */
#include <math.h>
#include <stddef.h>
#include "core/options/options.h"
#include <peft/federated.h>

enum { ORDER_MAX = 1024 };

/* log of the gamma function at n + 1; lgamma writes a global variable. */
static double log_factorial(double n)
{
    int sign;
    return lgamma_r(n + 1, &sign);
}

static double log_binomial(double n, double k) { return log_factorial(n) - log_factorial(k) - log_factorial(n - k); }

/* log(exp(a) + exp(b)) */
static double log_add(double a, double b)
{
    const double most = fmax(a, b);
    return isinf(most) ? most : most + log1p(exp(fmin(a, b) - most));
}

/* The Renyi divergence of a round at an integer order: log(sum_k C(order, k) (1 - q)^(order - k) q^k
 * exp((k^2 - k) / (2 noise^2))) / (order - 1). */
static double divergence(double noise, double q, int order)
{
    double sum = -INFINITY;
    if (q == 1) return order / (2 * noise * noise);
    for (int k = 0; k <= order; k++) {
        const double pairs = (double)k * k - k;              /* 0: no division, as noise^2 may round to 0 */
        sum = log_add(sum, log_binomial(order, k) + k * log(q) + (order - k) * log1p(-q)
                           + (pairs > 0 ? pairs / (2 * noise * noise) : 0));
    }
    return fmax(sum, 0) / (order - 1);
}

static peft_status refuse(const char *name, double given, const char *expected)
{
    char text[40];
    pf_print_float(text, sizeof text, given);
    return pf_fail(PEFT_E_INVALID, "%s: given %s, expected %s", name, text, expected);
}

peft_status peft_dp_epsilon(double noise, double rate, int64_t rounds, double delta, double *epsilon)
{
    PK_FLOAT_SCOPE;
    if (!epsilon) return pf_fail(PEFT_E_INVALID, "epsilon is NULL: expected a pointer");
    if (!(noise > 0) || !isfinite(noise)) return refuse("noise", noise, "a number above 0");
    if (!(rate > 0 && rate <= 1)) return refuse("rate", rate, "a number above 0 and at most 1");
    if (rounds < 1) return refuse("rounds", (double)rounds, "1 or more");
    if (!(delta > 0 && delta < 1)) return refuse("delta", delta, "a number between 0 and 1");
    double least = INFINITY;
    for (int order = 2; order <= ORDER_MAX; order += order < 64 ? 1 : order / 16) {
        const double n = order, all = (double)rounds * divergence(noise, rate, order);
        least = fmin(least, all + log1p(-1 / n) - (log(delta) + log(n)) / (n - 1));
    }
    *epsilon = fmax(least, 0);
    return PEFT_OK;
}
