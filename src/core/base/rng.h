/* SPDX-License-Identifier: Apache-2.0
 * rng.h -- counter-based random numbers (Philox4x32-10, Salmon et al. 2011). Element i of stream (seed, a, b) is a
 * function of these four numbers alone: it does not depend on the order of calls, the threads or the batch size. */
#ifndef PF_RNG_H
#define PF_RNG_H
#include <stdint.h>
#include "kernels/pk.h"

/* A stream of random numbers. a and b tell streams of the same seed apart: the step and the operation, for example. */
typedef struct pf_rng { uint64_t seed; uint32_t a, b; } pf_rng;

/* Each function gives element i of the stream, or uses elements 1 to n - 1 (shuffle). */
uint32_t pf_rng_u32(const pf_rng *r, uint64_t i);
double   pf_rng_uniform(const pf_rng *r, uint64_t i);                      /* (0, 1), 53 bits */
double   pf_rng_normal(const pf_rng *r, uint64_t i);                       /* mean 0, variance 1 (Box-Muller) */
int64_t  pf_rng_below(const pf_rng *r, uint64_t i, int64_t n);             /* 0..n-1; bias below n/2^64 */
void     pf_rng_shuffle(const pf_rng *r, int64_t *items, int64_t n);       /* Fisher-Yates */
uint32_t pf_rng_stream(const char *name);                                  /* a hash of name, for use as a or b */
#endif
