/* SPDX-License-Identifier: Apache-2.0
 * cma_problems.h -- test functions of continuous optimisation, and runs of CMA-ES on them: the functions, start points
 * and the target are those of tests/interop/check_cma.py. */
#ifndef CMA_PROBLEMS_H
#define CMA_PROBLEMS_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/tta/cma/cma.h"

#define CMA_TARGET 1e-10                       /* a run ends with the first iteration that has this fitness or less */

typedef struct cma_problem {
    const char *name;
    double (*f)(const double *x, int64_t n);
    double start, sigma;                       /* every variable of the initial mean; the initial sigma */
} cma_problem;

static inline double cma_sphere(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}

static inline double cma_ellipsoid(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += pow(10, 6 * (double)i / (double)(n - 1)) * x[i] * x[i];
    return sum;
}

static inline double cma_rosenbrock(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i + 1 < n; i++) {
        const double valley = x[i] * x[i] - x[i + 1], along = 1 - x[i];
        sum += 100 * valley * valley + along * along;
    }
    return sum;
}

static const cma_problem cma_problems[] = {
    { "sphere", cma_sphere, 1, 1 }, { "ellipsoid", cma_ellipsoid, 1, 1 }, { "rosenbrock", cma_rosenbrock, 0, 0.1 } };
enum { CMA_PROBLEMS = sizeof cma_problems / sizeof *cma_problems };

static inline const cma_problem *cma_find_problem(const char *name)
{
    for (int i = 0; i < CMA_PROBLEMS; i++)
        if (!strcmp(cma_problems[i].name, name)) return &cma_problems[i];
    return NULL;
}

/* Ends the program when a call failed. */
static inline void cma_must(peft_status s)
{
    if (!s) return;
    fprintf(stderr, "%s: %s\n", peft_status_name(s), peft_last_error());
    exit(1);
}

/* The default CMA-ES of n variables, started for this problem. Calls exit on errors. */
static inline pf_cma *cma_start(peft_context *ctx, const cma_problem *problem, int64_t n, pf_cma_covariance covariance,
                                uint64_t seed)
{
    double *mean = malloc((size_t)n * sizeof *mean);
    for (int64_t i = 0; mean && i < n; i++) mean[i] = problem->start;
    const pf_cma_settings settings = { .dim = n, .sigma = problem->sigma, .mean = mean, .covariance = covariance,
                                       .seed = seed, .injected = 1 };
    pf_cma *es = NULL;
    cma_must(pf_cma_create(ctx, &settings, &es));
    free(mean);
    return es;
}

/* One iteration; returns the best fitness among its candidates. */
static inline double cma_iterate(pf_cma *es, const cma_problem *problem, int64_t n)
{
    const int64_t population = pf_cma_population(es);
    double *fitness = malloc((size_t)population * sizeof *fitness), best = INFINITY;
    const double *x;
    cma_must(pf_cma_ask(es, &x));
    for (int64_t k = 0; fitness && k < population; k++) {
        fitness[k] = problem->f(x + k * n, n);
        best = fmin(best, fitness[k]);
    }
    cma_must(pf_cma_tell(es, fitness, NULL, 0));
    free(fitness);
    return best;
}

/* Evaluations of the function until the target; -1: more than `most`. */
static inline long long cma_evaluations(peft_context *ctx, const cma_problem *problem, int64_t n,
                                        pf_cma_covariance covariance, uint64_t seed, long long most)
{
    pf_cma *es = cma_start(ctx, problem, n, covariance, seed);
    long long evaluations = 0;
    double best = INFINITY;
    while (best > CMA_TARGET && evaluations < most) {
        best = cma_iterate(es, problem, n);
        evaluations += pf_cma_population(es);
    }
    pf_cma_free(es);
    return best <= CMA_TARGET ? evaluations : -1;
}
#endif
