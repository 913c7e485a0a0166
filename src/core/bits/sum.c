/* SPDX-License-Identifier: Apache-2.0
 * sum.c -- each step is a bijection of the word it takes and of the sum so far; four lanes keep the multiplier busy. */
#include "core/bits/sum.h"
#include <string.h>

static inline uint64_t step(uint64_t h, uint64_t word)
{
    h ^= word;
    return (h << 29 | h >> 35) * 0x9E3779B97F4A7C15u;
}

static inline uint64_t word_at(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

uint64_t pf_sum(uint64_t h, const void *data, size_t bytes)
{
    const char *p = data;
    uint64_t a = h, b = h + 1, c = h + 2, d = h + 3;
    size_t left = bytes;
    for (; left >= 32; left -= 32, p += 32) {
        a = step(a, word_at(p));
        b = step(b, word_at(p + 8));
        c = step(c, word_at(p + 16));
        d = step(d, word_at(p + 24));
    }
    if (left) {
        char tail[32] = { 0 };
        memcpy(tail, p, left);
        a = step(a, word_at(tail));
        b = step(b, word_at(tail + 8));
        c = step(c, word_at(tail + 16));
        d = step(d, word_at(tail + 24));
    }
    h = step(step(step(step(step(h, a), b), c), d), bytes);
    return h ^ h >> 32;
}
