/* SPDX-License-Identifier: Apache-2.0
 * mix.h -- numbers that look random and depend on given ones alone, for seeds and draws. */
#ifndef FEDERATED_MIX_H
#define FEDERATED_MIX_H
#include <stdint.h>

/* Number n of the generator SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) with this seed. */
static inline uint64_t split_mix(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + n * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
#endif
