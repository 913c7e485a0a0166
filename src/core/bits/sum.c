/* SPDX-License-Identifier: Apache-2.0
 * sum.c -- the checksum of sum.h. Each step maps the sum one to one for a given word, and the word one to one for a
 * given sum, so that a change of one word always changes the result. Four independent lanes hide the latency of the
 * multiplication. */
#include "core/bits/sum.h"
#include <string.h>

/* The sum h with one more word: rotates by 29 bits and multiplies by an odd number, both of which lose nothing. */
static inline uint64_t mix(uint64_t h, uint64_t word)
{
    h ^= word;
    return (h << 29 | h >> 35) * 0x9E3779B97F4A7C15u;
}

/* The 64-bit word at p, which may be unaligned. */
static inline uint64_t word_at(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

pf_checksum_state pf_checksum_begin(uint64_t h)
{
    return (pf_checksum_state){ .lane = { h, h + 1, h + 2, h + 3 }, .initial = h };
}

void pf_checksum_add(pf_checksum_state *s, const void *data, size_t bytes)
{
    const char *p = data;
    uint64_t a = s->lane[0], b = s->lane[1], c = s->lane[2], d = s->lane[3];
    size_t bytes_left = bytes;
    for (; bytes_left >= 32; bytes_left -= 32, p += 32) {
        a = mix(a, word_at(p));
        b = mix(b, word_at(p + 8));
        c = mix(c, word_at(p + 16));
        d = mix(d, word_at(p + 24));
    }
    if (bytes_left) {
        char tail[32] = { 0 };
        memcpy(tail, p, bytes_left);
        a = mix(a, word_at(tail));
        b = mix(b, word_at(tail + 8));
        c = mix(c, word_at(tail + 16));
        d = mix(d, word_at(tail + 24));
    }
    *s = (pf_checksum_state){ .lane = { a, b, c, d }, .initial = s->initial, .bytes = s->bytes + bytes };
}

uint64_t pf_checksum_end(const pf_checksum_state *s)
{
    uint64_t h = s->initial;
    for (int i = 0; i < 4; i++) h = mix(h, s->lane[i]);
    h = mix(h, s->bytes);
    return h ^ h >> 32;
}

uint64_t pf_checksum_after(uint64_t h, const void *data, size_t bytes)
{
    pf_checksum_state s = pf_checksum_begin(h);
    pf_checksum_add(&s, data, bytes);
    return pf_checksum_end(&s);
}

uint64_t pf_checksum(const void *data, size_t bytes) { return pf_checksum_after(PF_CHECKSUM_START, data, bytes); }
