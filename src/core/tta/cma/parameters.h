/* SPDX-License-Identifier: Apache-2.0
 * parameters.h -- strategy parameters of CMA-ES: functions of dimension and population, constant during a run. */
#ifndef PF_CMA_PARAMETERS_H
#define PF_CMA_PARAMETERS_H
#include "core/tta/cma/cma.h"

typedef struct {
    int64_t parents;                       /* mu: candidates with positive weights */
    double mueff;                          /* variance-effective mu: 1 / sum of the squares of the positive weights */
    double path_c, c1, cmu;                /* rates of the path of C (c_c), the rank-one and the rank-mu update */
    double path_sigma, damping;            /* rate (c_sigma) and damping of step-size adaptation */
    double mean_length;                    /* expected length of a normal vector of dim entries (chi_N) */
    double gap;                            /* iterations between two eigendecompositions, may be below 1 */
} pf_cma_parameters;

/* The default population, 4 + floor(3 ln dim). */
int64_t pf_cma_default_population(int64_t dim);
/* Fills p and the recombination weights, [population], in descending order. The positive ones sum to 1. */
void pf_cma_set_parameters(pf_cma_parameters *p, double *weights, int64_t dim, int64_t population,
                           pf_cma_covariance covariance);
#endif
