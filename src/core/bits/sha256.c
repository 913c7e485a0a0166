/* SPDX-License-Identifier: Apache-2.0
 * sha256.c -- SHA-256 (FIPS 180-4): collects the message into blocks of 64 bytes and gives them to the compression
 * function, that of sha256_x86.c on a CPU with SHA instructions, else that of sha256_plain.c. */
#include "core/bits/sha256.h"
#include <peft/file.h>
#include <stdatomic.h>
#include <string.h>

/* Updates h by whole blocks, with the faster compression function that this CPU can run. The choice is stored, as CPUID
 * is slow in virtual machines. Threads that race store the same value. */
static void compress_blocks(uint32_t h[8], const uint8_t *p, size_t blocks)
{
    enum { NOT_CHOSEN, PLAIN_C, SHA_INSTRUCTIONS };
    static atomic_int stored;
    int kind = atomic_load_explicit(&stored, memory_order_relaxed);
    if (kind == NOT_CHOSEN) {
        kind = pf_sha256_has_x86() ? SHA_INSTRUCTIONS : PLAIN_C;
        atomic_store_explicit(&stored, kind, memory_order_relaxed);
    }
    if (kind == SHA_INSTRUCTIONS) pf_sha256_x86(h, p, blocks);
    else pf_sha256_plain(h, p, blocks);
}

void pf_sha256_init(pf_sha256 *s)
{
    static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    memcpy(s->h, start, sizeof start);
    s->bytes = 0;
}

/* Compresses whole blocks, the first of them begun by earlier bytes, and keeps the rest in s->block. */
void pf_sha256_add(pf_sha256 *s, const void *data, size_t n)
{
    const uint8_t *p = data;
    size_t buffered = s->bytes % 64;
    s->bytes += n;
    if (buffered) {
        size_t count = n < 64 - buffered ? n : 64 - buffered;
        memcpy(s->block + buffered, p, count);
        p += count, n -= count;
        if (buffered + count < 64) return;
        compress_blocks(s->h, s->block, 1);
    }
    compress_blocks(s->h, p, n / 64);
    p += n / 64 * 64, n %= 64;
    if (n) memcpy(s->block, p, n);
}

void pf_sha256_hex(pf_sha256 *s, char hex[65])
{
    static const uint8_t pad[64] = { 0x80 };
    uint8_t length[8];
    uint64_t bits = s->bytes * 8;
    for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    /* 0x80, then zeros up to 8 bytes before the end of a block, then the length in bits */
    pf_sha256_add(s, pad, 1 + (119 - s->bytes % 64) % 64);
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
