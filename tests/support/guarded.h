/* SPDX-License-Identifier: Apache-2.0
 * guarded.h -- float arrays that end at an inaccessible page, so that an access beyond the last element crashes. */
#ifndef GUARDED_H
#define GUARDED_H
#include <check.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* data: `count` floats at the end of the accessible part of map. map has `bytes` bytes; its first and its last page are
 * inaccessible. */
typedef struct guarded { float *data; void *map; size_t bytes; int64_t count; } guarded;

static inline guarded guarded_make(int64_t count)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t body = ((size_t)count * sizeof(float) + page) / page * page;     /* whole pages, at least one */
    guarded g = { .bytes = body + 2 * page, .count = count };
    g.map = mmap(NULL, g.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(g.map, MAP_FAILED);
    ck_assert_int_eq(mprotect((char *)g.map + page, body, PROT_READ | PROT_WRITE), 0);
    g.data = (float *)(void *)((char *)g.map + page + body) - count;
    return g;
}

static inline void guarded_free(guarded *g)
{
    munmap(g->map, g->bytes);
    g->data = NULL;
}

/* The next number of a linear congruential generator, in -1..1. */
static inline float noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*state >> 11) / 0x1p53 * 2 - 1);
}

/* An array of `count` numbers of noise(state). */
static inline guarded guarded_noise(int64_t count, uint64_t *state)
{
    guarded g = guarded_make(count);
    for (int64_t i = 0; i < count; i++) g.data[i] = noise(state);
    return g;
}
#endif
