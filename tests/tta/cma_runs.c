/* SPDX-License-Identifier: Apache-2.0
 * cma_runs.c -- CMA-ES on test functions, for tests/interop/check_cma.py, which compares with pycma.
 *     cma_runs evaluations PROBLEM VARIABLES COVARIANCE SEED MOST   prints the number of evaluations until the target
 *                                                                  (-1: more than MOST)
 *     cma_runs trace PROBLEM VARIABLES COVARIANCE SEED ITERATIONS   prints what each iteration was told and became
 * PROBLEM: sphere, ellipsoid or rosenbrock; COVARIANCE: full or separable. A trace has one line for each solution told,
 * "x" and its variables, the last being the best one of the iteration before (from the second iteration on), then
 * "state", sigma and the mean. */
#include "cma_problems.h"

static void print_numbers(const char *what, const double *x, int64_t n)
{
    printf("%s", what);
    for (int64_t i = 0; i < n; i++) printf(" %.17g", x[i]);
    printf("\n");
}

/* Runs iterations in each of which the best solution of the one before is told as well. */
static void trace(pf_cma *es, const cma_problem *problem, int64_t n, int iterations)
{
    const int64_t population = pf_cma_population(es);
    double *fitness = malloc((size_t)(population + 1) * sizeof *fitness), *best = malloc((size_t)n * sizeof *best);
    for (int t = 0; fitness && best && t < iterations; t++) {
        const double *x, *lowest = best;
        cma_must(pf_cma_ask(es, &x));
        for (int64_t k = 0; k < population; k++) {
            print_numbers("x", x + k * n, n);
            fitness[k] = problem->f(x + k * n, n);
        }
        fitness[population] = t ? problem->f(best, n) : INFINITY;
        if (t) print_numbers("x", best, n);
        cma_must(pf_cma_tell(es, fitness, best, t > 0));
        double least = fitness[population];
        for (int64_t k = 0; k < population; k++)
            if (fitness[k] < least) least = fitness[k], lowest = x + k * n;
        memmove(best, lowest, (size_t)n * sizeof *best);
        printf("state %.17g", pf_cma_sigma(es));
        print_numbers("", pf_cma_mean(es), n);
    }
    free(fitness);
    free(best);
}

int main(int argc, char **argv)
{
    const cma_problem *problem = argc == 7 ? cma_find_problem(argv[2]) : NULL;
    if (!problem) {
        fprintf(stderr, "usage: cma_runs evaluations|trace PROBLEM VARIABLES full|separable SEED COUNT\n");
        return 2;
    }
    peft_context *ctx = NULL;
    cma_must(peft_context_create(NULL, NULL, NULL, &ctx));
    const pf_cma_covariance covariance = strcmp(argv[4], "full") ? PF_CMA_SEPARABLE : PF_CMA_FULL;
    const int64_t n = atoi(argv[3]);
    const uint64_t seed = (uint64_t)atoll(argv[5]);
    if (!strcmp(argv[1], "trace")) {
        pf_cma *es = cma_start(ctx, problem, n, covariance, seed);
        trace(es, problem, n, atoi(argv[6]));
        pf_cma_free(es);
    } else {
        printf("%lld\n", cma_evaluations(ctx, problem, n, covariance, seed, atoll(argv[6])));
    }
    peft_context_free(ctx);
}
