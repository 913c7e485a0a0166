/* SPDX-License-Identifier: Apache-2.0
 * separable.c -- a diagonal covariance matrix, kept as one standard deviation for each variable (sep-CMA-ES). As in
 * pycma (option CMA_diagonal) the update is multiplicative, so that the deviations stay positive; the one
 * of Ros and Hansen is additive. Also as in pycma the path of C adds up whitened steps. */
#include "core/tta/cma/state.h"
#include <math.h>

static bool refresh(pf_cma *es) { (void)es; return true; }

static void draw(pf_cma *es, const double *z, double *y)
{
    for (int64_t i = 0; i < es->dim; i++) y[i] = es->length[i] * z[i];
}

static void whiten(pf_cma *es, const double *y, double *out)
{
    for (int64_t i = 0; i < es->dim; i++) out[i] = y[i] / es->length[i];
}

static void update(pf_cma *es, double *w, int64_t count, double c1, double deficit)
{
    const double rate = log(2);            /* pycma's factor of the exponent */
    const double path_weight = c1 - deficit;
    double sum = path_weight;              /* of the weights */
    for (int64_t k = 0; k < count; k++) sum += w[k];
    for (int64_t i = 0; i < es->dim; i++) {
        double squares = path_weight * es->path[i] * es->path[i];                /* weighted sum over path and steps */
        for (int64_t k = 0; k < count; k++) {
            const double z = es->ranked[k][i] / es->length[i];
            squares += w[k] * z * z;
        }
        es->length[i] *= exp(rate * (squares - sum) / 2);
    }
}

const pf_cma_model pf_cma_separable = { .whitened_path = true, .refresh = refresh, .draw = draw, .whiten = whiten,
                                         .update = update };
