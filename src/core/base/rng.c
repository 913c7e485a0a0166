/* SPDX-License-Identifier: Apache-2.0
 * rng.c -- random numbers by Philox4x32-10 of Random123. For element i of stream (seed, a, b) the counter is (low half
 * of i, high half of i, a, b) and the key the seed. Each element takes one block of four words; there is no state.
 * Integers and uniform numbers are the same on every machine. Normal numbers use the C library's log and cos, whose
 * last bit may differ between machines, but not between runs, threads or instruction sets of one. */
#include "core/base/rng.h"
#include <Random123/philox.h>
#include <math.h>

#define TWO_PI 6.283185307179586476925

/* The four random words of element i. */
static philox4x32_ctr_t block(const pf_rng *r, uint64_t i)
{
    philox4x32_ctr_t counter = { { (uint32_t)i, (uint32_t)(i >> 32), r->a, r->b } };
    philox4x32_key_t key = { { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) } };
    return philox4x32_R(10, counter, key);
}

/* Two words of 32 bits as one of 64. */
static uint64_t join(uint32_t high, uint32_t low) { return (uint64_t)high << 32 | low; }

/* Maps the upper 53 bits to (0, 1): to the middle of one of 2^53 equal intervals. The last middle would round to 1. */
static double to_unit_interval(uint64_t bits)
{
    double u = ((double)(bits >> 11) + 0.5) * 0x1p-53;
    return u < 1 ? u : 1 - 0x1p-53;
}

uint32_t pf_rng_u32(const pf_rng *r, uint64_t i) { return block(r, i).v[0]; }

double pf_rng_uniform(const pf_rng *r, uint64_t i)
{
    philox4x32_ctr_t w = block(r, i);
    return to_unit_interval(join(w.v[0], w.v[1]));
}

double pf_rng_normal(const pf_rng *r, uint64_t i)
{
    philox4x32_ctr_t w = block(r, i);
    double radius = sqrt(-2 * log(to_unit_interval(join(w.v[0], w.v[1]))));
    return radius * cos(TWO_PI * to_unit_interval(join(w.v[2], w.v[3])));
}

/* Returns the high half of the product word * n: each result comes from 2^64/n of the 2^64 words, one more or less. */
int64_t pf_rng_below(const pf_rng *r, uint64_t i, int64_t n)
{
    philox4x32_ctr_t w = block(r, i);
    return n > 0 ? (int64_t)(((unsigned __int128)join(w.v[0], w.v[1]) * (uint64_t)n) >> 64) : 0;
}

void pf_rng_shuffle(const pf_rng *r, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = pf_rng_below(r, (uint64_t)i, i + 1), item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}

uint32_t pf_rng_stream(const char *name)          /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}
