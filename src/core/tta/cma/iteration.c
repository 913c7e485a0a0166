/* SPDX-License-Identifier: Apache-2.0
 * iteration.c -- one iteration of CMA-ES: ask draws the candidates, tell updates mean, paths, C and sigma in the order
 * of pycma. Equation numbers are those of Hansen's tutorial. */
#include <math.h>
#include <string.h>
#include "core/base/rng.h"
#include "core/tta/cma/state.h"

peft_status pf_cma_ask(pf_cma *es, const double **x)
{
    const int64_t n = es->dim, iteration = pf_cma_iteration(es);
    if (!es->model->refresh(es))
        return pf_fail(PEFT_E_NONFINITE, "CMA-ES: the covariance matrix of iteration %lld is not finite; start again "
                       "with another sigma", (long long)iteration);
    const uint64_t seed = (uint64_t)es->number[PF_CMA_SEED_HIGH] << 32 | (uint64_t)es->number[PF_CMA_SEED_LOW];
    const pf_rng normal = { .seed = seed, .a = (uint32_t)iteration, .b = pf_rng_stream("cma") };
    for (int64_t k = 0; k < es->population; k++) {
        double *step = es->step + k * n, *candidate = es->x + k * n;
        for (int64_t i = 0; i < n; i++) es->shift[i] = pf_rng_normal(&normal, (uint64_t)(k * n + i));
        es->model->draw(es, es->shift, step);
        for (int64_t i = 0; i < n; i++) {
            candidate[i] = es->mean[i] + es->sigma * step[i];
            if (isfinite(candidate[i])) continue;
            return pf_fail(PEFT_E_NONFINITE, "CMA-ES: candidate %lld of iteration %lld is not finite: the fitness has "
                           "no minimum, or the initial sigma was too large", (long long)k, (long long)iteration);
        }
    }
    es->asked = true;
    *x = es->x;
    return PEFT_OK;
}

static peft_status check_told(const pf_cma *es, const double *fitness, const double *injected, int64_t count)
{
    if (!es->asked) return pf_fail(PEFT_E_INVALID, "CMA-ES: no candidates were asked for in this iteration");
    if (count < 0 || count > es->injected)
        return pf_fail(PEFT_E_INVALID, "CMA-ES: %lld injected solutions: expected 0 to %lld", (long long)count,
                       (long long)es->injected);
    for (int64_t k = 0; k < es->population + count; k++)
        if (isnan(fitness[k]))
            return pf_fail(PEFT_E_NONFINITE, "CMA-ES: the fitness of candidate %lld of %lld is NaN: expected a number",
                           (long long)k, (long long)(es->population + count));
    for (int64_t i = 0; i < count * es->dim; i++)
        if (!isfinite(injected[i]))
            return pf_fail(PEFT_E_NONFINITE, "CMA-ES: variable %lld of injected solution %lld is NaN or Inf: expected "
                           "a finite number", (long long)(i % es->dim), (long long)(i / es->dim));
    return PEFT_OK;
}

/* Turns the injected solutions into steps behind those of the candidates. One that is longer, in the metric of C, than
 * nearly all candidates are is shortened to the length at which pycma clips injected solutions. */
static void add_injected(pf_cma *es, const double *injected, int64_t count)
{
    const double n = (double)es->dim, longest = sqrt(n) + 2 * n / (n + 2);
    for (int64_t k = 0; k < count; k++) {
        double *step = es->step + (es->population + k) * es->dim;
        for (int64_t i = 0; i < es->dim; i++)
            step[i] = (injected[k * es->dim + i] - es->mean[i]) / es->sigma;
        const double factor = fmin(1, longest / pf_cma_distance(es, step));
        for (int64_t i = 0; i < es->dim && factor < 1; i++) step[i] *= factor;
    }
}

/* Sorts the steps by fitness, equal ones by index, and gives each rank its rate. With more steps than weights, the
 * ranks between the positive and the negative weights get none. */
static void rank(pf_cma *es, const double *fitness, int64_t count)
{
    const int64_t all = es->population + count, parents = es->p.parents;
    for (int64_t k = 0; k < all; k++) {
        int64_t at = k;
        for (; at > 0 && fitness[es->order[at - 1]] > fitness[k]; at--) es->order[at] = es->order[at - 1];
        es->order[at] = k;
    }
    for (int64_t k = 0; k < all; k++) {
        es->ranked[k] = es->step + es->order[k] * es->dim;
        es->rate[k] = k < parents ? es->weight[k] : k < parents + count ? 0 : es->weight[k - count];
        es->rate[k] *= es->p.cmu;
    }
}

/* Moves the mean to the weighted mean of the best steps (eq. 41, 42). */
static void move_mean(pf_cma *es)
{
    memset(es->shift, 0, (size_t)es->dim * sizeof *es->shift);
    for (int64_t k = 0; k < es->p.parents; k++)
        for (int64_t i = 0; i < es->dim; i++) es->shift[i] += es->weight[k] * es->ranked[k][i];
    for (int64_t i = 0; i < es->dim; i++) es->mean[i] += es->sigma * es->shift[i];
}

/* Adds `shift`, of expected square 1 / mueff an entry, to a path that forgets at this rate; NULL: it only forgets. */
static void add_to_path(const pf_cma *es, double *path, double rate, const double *shift)
{
    const double factor = sqrt(rate * (2 - rate) * es->p.mueff);
    for (int64_t i = 0; i < es->dim; i++) path[i] = (1 - rate) * path[i] + (shift ? factor * shift[i] : 0);
}

peft_status pf_cma_tell(pf_cma *es, const double *fitness, const double *injected, int64_t count)
{
    PF_TRY(check_told(es, fitness, injected, count));
    const pf_cma_parameters *p = &es->p;
    const double n = (double)es->dim, iteration = (double)(es->number[PF_CMA_ITERATION] + 1);
    add_injected(es, injected, count);
    rank(es, fitness, count);
    move_mean(es);
    es->model->whiten(es, es->shift, es->white);
    add_to_path(es, es->path_sigma, p->path_sigma, es->white);                                   /* eq. 43 */
    const double square = pf_dot(es->path_sigma, es->path_sigma, es->dim);
    /* While the path of sigma is very long, that of C is held back: the steps are too small, not C (h_sigma). */
    const bool held = square / (1 - pow(1 - p->path_sigma, 2 * iteration)) / n - 1 >= 1 + 4 / (n + 1);
    const double *shift = es->model->whitened_path ? es->white : es->shift;
    add_to_path(es, es->path, p->path_c, held ? NULL : shift);                                   /* eq. 45 */
    const double deficit = held ? p->c1 * p->path_c * (2 - p->path_c) : 0;
    es->model->update(es, es->rate, es->population + count, p->c1, deficit);                     /* eq. 46, 47 */
    const double growth = (sqrt(square) / p->mean_length - 1) * p->path_sigma / p->damping;      /* eq. 44 */
    const double sigma = es->sigma * exp(fmin(1, growth));
    es->sigma = fmin(fmax(sigma, PF_CMA_SIGMA_MIN), PF_CMA_SIGMA_MAX);
    es->number[PF_CMA_ITERATION]++;
    es->asked = false;
    return PEFT_OK;
}
