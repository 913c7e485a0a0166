/* SPDX-License-Identifier: Apache-2.0
 * cma.h -- CMA-ES, the evolution strategy with covariance matrix adaptation: minimises a function of real variables by
 * its values alone. Each iteration asks for candidates, x = mean + sigma * C^(1/2) z with normal z, and is told their
 * fitness; only the order of the fitness values counts.
 *
 *     const double *x;
 *     pf_cma_ask(es, &x);                          the candidates, [population, dim]
 *     for (i = 0; i < population; i++) fitness[i] = f(x + i * dim);
 *     pf_cma_tell(es, fitness, NULL, 0);
 *
 * Strategy parameters and rules are the defaults of pycma 4.5.0 (class CMAEvolutionStrategy) with cumulative step-size
 * adaptation in every dimension (pycma itself turns to two-point adaptation from 300 variables on); no mirrored
 * sampling in populations below 6. Sources: Hansen, "The CMA Evolution Strategy: A Tutorial" (2016, with negative
 * weights); for the separable form Ros and Hansen, PPSN 2008.
 *
 * The random numbers are functions of seed, iteration and element, all arithmetic is double precision in the calling
 * thread: the results do not depend on threads. One object: one thread at a time. */
#ifndef PF_CMA_H
#define PF_CMA_H
#include "core/base/tensor.h"

/* FULL: C is a dense matrix; memory dim^2, an eigendecomposition from time to time.
 * SEPARABLE: C is diagonal; memory and time are linear in dim, and the variables are taken to be independent. */
typedef enum { PF_CMA_FULL, PF_CMA_SEPARABLE } pf_cma_covariance;

typedef struct pf_cma pf_cma;

typedef struct {
    int64_t dim;                           /* variables, at least 1 */
    int64_t population;                    /* candidates of an iteration, at least 3; 0: 4 + floor(3 ln dim) */
    int64_t injected;                      /* most injected solutions in a call of pf_cma_tell */
    double sigma;                          /* initial standard deviation, > 0 */
    const double *mean;                    /* [dim], the initial mean; NULL: zeros */
    pf_cma_covariance covariance;
    uint64_t seed;
} pf_cma_settings;

/* Bytes that pf_cma_create allocates; later calls allocate nothing. SIZE_MAX: more than a size_t holds. */
size_t      pf_cma_bytes(const pf_cma_settings *settings);
/* PEFT_E_INVALID: a setting is out of range; PEFT_E_NONFINITE: an element of the initial mean is NaN or Inf. */
peft_status pf_cma_create(peft_context *ctx, const pf_cma_settings *settings, pf_cma **out);
void        pf_cma_free(pf_cma *es);
void        pf_cma_reset(pf_cma *es);                  /* back to the state after pf_cma_create */
int64_t     pf_cma_population(const pf_cma *es);

/* Draws the candidates of this iteration; *x: [population, dim], valid until the next call. Called again before
 * pf_cma_tell it gives the same candidates. Now and then it decomposes a full C first (2304 variables: about 10 s).
 * PEFT_E_NONFINITE: C or a candidate is not finite. This happens where the fitness has no minimum, so that sigma grows
 * without end, and where the initial sigma is too large. */
peft_status pf_cma_ask(pf_cma *es, const double **x);

/* Ends the iteration: adapts mean, sigma and C. fitness: [population + count], lower is better, infinity is allowed.
 * injected: [count, dim], solutions from elsewhere that take part in the update, such as the best one of an earlier
 * iteration; their fitness values stand last. One that lies further from the mean than normal candidates do is moved
 * towards it. PEFT_E_INVALID: no candidates were asked for, or too many injected; PEFT_E_NONFINITE: a fitness is NaN,
 * or an injected value is not finite. After an error the iteration can be told again. */
peft_status pf_cma_tell(pf_cma *es, const double *fitness, const double *injected, int64_t count);

const double *pf_cma_mean(const pf_cma *es);           /* [dim] */
double        pf_cma_sigma(const pf_cma *es);
int64_t       pf_cma_iteration(const pf_cma *es);      /* iterations told so far */

/* The state between pf_cma_tell and pf_cma_ask, as arrays to be saved. An object of the same settings, with these
 * contents copied into its own arrays, goes on exactly like this one. The seed is part of the state: the two objects
 * may have been made with different seeds. Contents of unknown origin must be checked before they are copied: elements
 * of type i64 are 0 to UINT32_MAX,
 * those of type f64 are finite, and of a positive array above 0. */
enum { PF_CMA_ARRAYS = 8 };
typedef struct pf_cma_array {
    const char *name; peft_dtype type; int ndim; int64_t dim[2]; void *data; bool positive;
} pf_cma_array;
/* Describes the arrays in `array` and returns their number: 8 of a full, 6 of a separable covariance matrix. */
int         pf_cma_state(pf_cma *es, pf_cma_array array[PF_CMA_ARRAYS]);
#endif
