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

pf_summing pf_sum_begin(uint64_t h) { return (pf_summing){ .lane = { h, h + 1, h + 2, h + 3 }, .before = h }; }

void pf_sum_add(pf_summing *s, const void *data, size_t bytes)
{
    const char *p = data;
    uint64_t a = s->lane[0], b = s->lane[1], c = s->lane[2], d = s->lane[3];
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
    *s = (pf_summing){ .lane = { a, b, c, d }, .before = s->before, .bytes = s->bytes + bytes };
}

uint64_t pf_sum_end(const pf_summing *s)
{
    uint64_t h = s->before;
    for (int i = 0; i < 4; i++) h = step(h, s->lane[i]);
    h = step(h, s->bytes);
    return h ^ h >> 32;
}

uint64_t pf_sum(uint64_t h, const void *data, size_t bytes)
{
    pf_summing s = pf_sum_begin(h);
    pf_sum_add(&s, data, bytes);
    return pf_sum_end(&s);
}
