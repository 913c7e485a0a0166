/* SPDX-License-Identifier: Apache-2.0
 * rng.h -- the random numbers of augmentation, shuffling, mixup and draws of samples: a generator (splitmix64) that is
 * made from a key. Equal keys give equal numbers, so that samples may be prepared in any order and by any thread. */
#ifndef IO_RNG_H
#define IO_RNG_H
#include <stdint.h>

typedef struct io_rng { uint64_t state; } io_rng;
/* The first part of a key: what the numbers decide. Draws for one purpose do not change those for another. Models are
 * reproduced by these values, so add new ones at the end. */
enum { IO_RNG_ORDER = 1, IO_RNG_CLASSES, IO_RNG_SAMPLES, IO_RNG_CROP, IO_RNG_FLIP, IO_RNG_JITTER,
       IO_RNG_SHIFT, IO_RNG_ERASE, IO_RNG_MIXUP, IO_RNG_BALANCE, IO_RNG_SITES };

/* The output function of splitmix64: every bit of the result depends on all bits of z. */
static inline uint64_t io_rng_scramble(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The next 64 random bits; the state advances by the constant of splitmix64. */
static inline uint64_t io_rng_next(io_rng *r) { return io_rng_scramble(r->state += 0x9e3779b97f4a7c15u); }

/* The generator for the key (purpose, seed, a, b); a and b are, for instance, epoch and sample. IO_RNG_UNUSED: a or b
 * that the purpose does not need. */
enum { IO_RNG_UNUSED = 0 };
static inline io_rng io_rng_make(int purpose, uint64_t seed, int64_t a, int64_t b)
{
    io_rng r = { (uint64_t)purpose };
    r.state = io_rng_next(&r) ^ seed;
    r.state = io_rng_next(&r) ^ (uint64_t)a;
    r.state = io_rng_next(&r) ^ (uint64_t)b;
    r.state = io_rng_next(&r);
    return r;
}

/* A number in [lo, hi), from the upper 53 random bits: a double holds as many. */
static inline double io_rng_uniform(io_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * ((double)(io_rng_next(r) >> 11) * 0x1p-53);
}

/* A whole number in [0, n), n > 0, all equally likely: draws at or above the largest multiple of n are repeated. */
static inline int64_t io_rng_below(io_rng *r, int64_t n)
{
    uint64_t multiple = UINT64_MAX - UINT64_MAX % (uint64_t)n, v;
    do v = io_rng_next(r);
    while (v >= multiple);
    return (int64_t)(v % (uint64_t)n);
}

/* Shuffles v[n]: all orders are equally likely. The first k entries are then a draw of k without replacement. */
static inline void io_rng_shuffle(io_rng *r, int64_t *v, int64_t n)
{
    for (int64_t i = 0; i + 1 < n; i++) {
        int64_t j = i + io_rng_below(r, n - i), t = v[i];
        v[i] = v[j];
        v[j] = t;
    }
}
#endif
