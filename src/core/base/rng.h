/* SPDX-License-Identifier: Apache-2.0
 * rng.h -- counter-based random numbers (Philox4x32-10, Salmon et al. 2011): element i of stream (seed, a, b) is a
 * function of these numbers alone, so no order of use, thread count or batch size changes it. */
#ifndef PF_RNG_H
#define PF_RNG_H
#include <stdint.h>
#include "kernels/pk.h"

typedef struct pf_rng { uint64_t seed; uint32_t a, b; } pf_rng;            /* a, b: what for (step, op; tensor, ..) */

uint32_t pf_rng_u32(const pf_rng *r, uint64_t i);
double   pf_rng_uniform(const pf_rng *r, uint64_t i);                      /* (0, 1), 53 bits */
/* mean 0, standard deviation 1 (Box-Muller) */
double   pf_rng_normal(const pf_rng *r, uint64_t i);
int64_t  pf_rng_below(const pf_rng *r, uint64_t i, int64_t n);             /* 0..n-1 without bias worth mention */
void     pf_rng_shuffle(const pf_rng *r, int64_t *items, int64_t n);       /* Fisher-Yates */
uint32_t pf_rng_stream(const char *name);                                  /* a stable 32-bit number for a name */
#endif
