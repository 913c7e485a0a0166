/* SPDX-License-Identifier: Apache-2.0
 * parameters.c -- strategy parameters of CMA-ES by the formulas of pycma 4.5.0 (recombination weights, learning rates,
 * damping), which follow table 1 of Hansen's tutorial. N: variables; mueff as in parameters.h. */
#include "core/tta/cma/parameters.h"
#include <math.h>

int64_t pf_cma_default_population(int64_t dim) { return 4 + (int64_t)floor(3 * log((double)dim)); }

/* The expected length E of a vector of n normal numbers. E(1) = sqrt(2 / pi), E(k) E(k + 1) = k. */
static double expected_length(int64_t n)
{
    double length = sqrt(2 / 3.14159265358979323846);
    for (int64_t k = 1; k < n; k++) length = (double)k / length;
    return length;
}

/* Learning rates of a full covariance matrix. */
static void full_rates(pf_cma_parameters *p, double n, double population)
{
    const double m = p->mueff;
    p->path_c = (4 + m / n) / (n + 4 + 2 * m / n);
    p->c1 = fmin(1, population / 6) * 2 / ((n + 1.3) * (n + 1.3) + m);
    p->cmu = fmin(1 - p->c1, 2 * (0.25 + m + 1 / m - 2) / ((n + 2) * (n + 2) + m));
    p->gap = 1 / (p->c1 + p->cmu) / n / 10;
}

/* Learning rates of a diagonal covariance matrix: larger, as it has n instead of n (n + 1) / 2 degrees of freedom. */
static void separable_rates(pf_cma_parameters *p, double n)
{
    const double m = p->mueff;
    p->path_c = (1 + 1 / n + m / n) / (sqrt(n) + 1 / n + 2 * m / n);
    p->c1 = 1 / (n + 2 * sqrt(n) + m / n);
    p->cmu = fmin(1 - p->c1, (0.25 + m + 1 / m - 2) / (n + 4 * sqrt(n) + m / 2));
    p->gap = INFINITY;
}

/* Scales the negative weights so that they sum to the smallest of three bounds in size: rank-one and rank-mu update
 * together neither shrink nor grow C under random selection; the effective mu of the negative weights is respected;
 * a full C stays positive definite. */
static void scale_negative(const pf_cma_parameters *p, double *w, double n, int64_t population,
                           pf_cma_covariance covariance)
{
    double sum = 0, square = 0;
    for (int64_t i = p->parents; i < population; i++) sum -= w[i], square += w[i] * w[i];
    if (sum <= 0) return;
    double limit = fmin(1 + p->c1 / p->cmu, 1 + 2 * (sum * sum / square) / (p->mueff + 2));
    if (covariance == PF_CMA_FULL) limit = fmin(limit, (1 - p->c1 - p->cmu) / p->cmu / n);
    for (int64_t i = p->parents; i < population; i++) w[i] *= limit / sum;
}

void pf_cma_set_parameters(pf_cma_parameters *p, double *w, int64_t dim, int64_t population,
                           pf_cma_covariance covariance)
{
    const double n = (double)dim;
    double sum = 0, square = 0;
    *p = (pf_cma_parameters){ .mean_length = expected_length(dim) };
    for (int64_t i = 0; i < population; i++) {
        w[i] = log(((double)population + 1) / 2) - log((double)i + 1);
        if (w[i] <= 0) continue;
        p->parents = i + 1;
        sum += w[i];
    }
    for (int64_t i = 0; i < population; i++) w[i] /= sum;
    for (int64_t i = 0; i < p->parents; i++) square += w[i] * w[i];
    p->mueff = 1 / square;
    if (covariance == PF_CMA_FULL) full_rates(p, n, (double)population);
    else separable_rates(p, n);
    scale_negative(p, w, n, population, covariance);
    p->path_sigma = fmin(0.5, (p->mueff + 2) / (n + p->mueff + 3));
    const double factor = fmax(1, 3 * (1 - exp2(-n / 9)));
    p->damping = 1 + 2 * fmax(0, factor * sqrt((p->mueff - 1) / (n + 1)) - 1) + p->path_sigma;
}
