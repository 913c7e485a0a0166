/* SPDX-License-Identifier: Apache-2.0
 * sha256.c -- SHA-256 as FIPS 180-4 has it: gathers bytes into blocks of 64, which go to the CPU's SHA instructions or,
 * on a CPU without them, to sha256_plain.c. */
#include "core/bits/sha256.h"
#include <peft/file.h>
#include <stdatomic.h>
#include <string.h>

/* CPUID is slow in virtual machines, so its answer is kept; whoever asks first, the answer is the same. */
static void take_blocks(uint32_t h[8], const uint8_t *p, size_t blocks)
{
    static atomic_int known;                                  /* 1: plain, 2: the CPU's instructions */
    int kind = atomic_load_explicit(&known, memory_order_relaxed);
    if (!kind) {
        kind = 1 + pf_sha256_has_x86();
        atomic_store_explicit(&known, kind, memory_order_relaxed);
    }
    if (kind == 2) pf_sha256_x86(h, p, blocks);
    else pf_sha256_plain(h, p, blocks);
}

void pf_sha256_init(pf_sha256 *s)
{
    static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    memcpy(s->h, start, sizeof start);
    s->bytes = 0;
}

void pf_sha256_add(pf_sha256 *s, const void *data, size_t n)
{
    const uint8_t *p = data;
    size_t held = s->bytes % 64;
    s->bytes += n;
    if (held) {
        size_t more = n < 64 - held ? n : 64 - held;
        memcpy(s->block + held, p, more);
        p += more, n -= more;
        if (held + more < 64) return;
        take_blocks(s->h, s->block, 1);
    }
    take_blocks(s->h, p, n / 64);
    p += n / 64 * 64, n %= 64;
    if (n) memcpy(s->block, p, n);
}

void pf_sha256_hex(pf_sha256 *s, char hex[65])
{
    static const uint8_t pad[64] = { 0x80 };
    uint8_t length[8];
    uint64_t bits = s->bytes * 8;
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    pf_sha256_add(s, pad, 1 + (119 - s->bytes % 64) % 64);        /* up to 8 bytes before a block's end */
    pf_sha256_add(s, length, 8);
    for (int i = 0; i < 64; i++) hex[i] = "0123456789abcdef"[s->h[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = 0;
}

void peft_sha256(const void *data, size_t size, char hex[65])
{
    pf_sha256 s;
    pf_sha256_init(&s);
    if (data) pf_sha256_add(&s, data, size);
    pf_sha256_hex(&s, hex);
}
