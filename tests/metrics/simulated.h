/* SPDX-License-Identifier: Apache-2.0
 * simulated.h -- random numbers of simulated data sets, by a generator of its own (SplitMix64). */
#ifndef SIMULATED_H
#define SIMULATED_H
#include <math.h>
#include <stdint.h>

typedef struct simulated { uint64_t state; } simulated;

static inline double uniform(simulated *r)                   /* in 0 < u < 1 */
{
    uint64_t x = r->state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return ((double)((x ^ x >> 31) >> 12) + 0.5) * 0x1p-52;
}

static inline double normal(simulated *r)                    /* Box-Muller */
{
    const double radius = sqrt(-2 * log(uniform(r)));
    return radius * cos(6.283185307179586 * uniform(r));
}
#endif
