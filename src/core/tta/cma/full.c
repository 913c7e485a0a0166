/* SPDX-License-Identifier: Apache-2.0
 * full.c -- a dense covariance matrix C = B D^2 B^T. The eigendecomposition is lazy: it is done again when the
 * iterations since the last one amount to pf_cma_parameters.gap. */
#include "core/tta/cma/state.h"
#include <math.h>
#include <string.h>
#include "core/tta/cma/eigen.h"

/* The largest ratio of two eigenvalues of C that is sampled from. */
#define CONDITION_MAX 1e14

/* Adds the same number to all eigenvalues, which es->length holds here, if the smallest is too small beside the
 * largest, or negative by rounding. */
static void limit_condition(pf_cma *es)
{
    double low = INFINITY, high = 0;
    for (int64_t i = 0; i < es->dim; i++) low = fmin(low, es->length[i]), high = fmax(high, es->length[i]);
    const double more = (high - CONDITION_MAX * low) / (CONDITION_MAX - 1);
    if (more <= 0) return;
    for (int64_t i = 0; i < es->dim; i++) {
        es->c[i * es->dim + i] += more;
        es->length[i] += more;
    }
}

static bool refresh(pf_cma *es)
{
    const int64_t n = es->dim;
    const int64_t iteration = es->number[PF_CMA_ITERATION], last = es->number[PF_CMA_DECOMPOSED];
    if (iteration == last || (double)iteration < (double)last + es->p.gap) return true;
    memcpy(es->axis, es->c, (size_t)n * (size_t)n * sizeof *es->c);
    if (!pf_eigen_symmetric(es->axis, n, es->length, es->eigen)) return false;
    limit_condition(es);
    for (int64_t i = 0; i < n; i++) es->length[i] = sqrt(es->length[i]);
    es->number[PF_CMA_DECOMPOSED] = iteration;
    return true;
}

/* Adds the sum of factor[i] * axis i to y. */
static void add_axes(const pf_cma *es, const double *factor, double *y)
{
    const int64_t n = es->dim;
    for (int64_t i = 0; i < n; i++) {
        const double f = factor[i], *axis = es->axis + i * n;
        for (int64_t j = 0; j < n; j++) y[j] += f * axis[j];
    }
}

static void draw(pf_cma *es, const double *z, double *y)
{
    for (int64_t i = 0; i < es->dim; i++) es->eigen[i] = es->length[i] * z[i];
    memset(y, 0, (size_t)es->dim * sizeof *y);
    add_axes(es, es->eigen, y);
}

static void whiten(pf_cma *es, const double *y, double *out)
{
    for (int64_t i = 0; i < es->dim; i++)
        es->eigen[i] = pf_dot(es->axis + i * es->dim, y, es->dim) / es->length[i];
    memset(out, 0, (size_t)es->dim * sizeof *out);
    add_axes(es, es->eigen, out);
}

/* Steps with negative weights are scaled to the length sqrt(dim) in the metric of C, so that C stays positive
 * definite however long they are. */
static void update(pf_cma *es, double *w, int64_t count, double c1, double deficit)
{
    const int64_t n = es->dim;
    double keep = 1 - (c1 - deficit);                             /* the weight that C keeps */
    for (int64_t k = 0; k < count; k++) {
        keep -= w[k];
        if (w[k] >= 0) continue;
        const double distance = pf_cma_distance(es, es->ranked[k]) + 1e-9;      /* against division by 0 */
        w[k] *= (double)n / (distance * distance);
    }
    for (int64_t i = 0; i < n; i++) {
        double *row = es->c + i * n;
        const double first = c1 * es->path[i];
        for (int64_t j = 0; j <= i; j++) row[j] = keep * row[j] + first * es->path[j];
        for (int64_t k = 0; k < count; k++) {
            const double *y = es->ranked[k], factor = w[k] * y[i];
            if (factor == 0) continue;
            for (int64_t j = 0; j <= i; j++) row[j] += factor * y[j];
        }
    }
}

const pf_cma_model pf_cma_full = { .refresh = refresh, .draw = draw, .whiten = whiten, .update = update };
