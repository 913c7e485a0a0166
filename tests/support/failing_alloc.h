/* SPDX-License-Identifier: Apache-2.0
 * failing_alloc.h -- an allocator for contexts that counts live blocks and bytes and fails the calls that a test names.
 */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H
#include "suite.h"
#include <peft/context.h>
#include <stdbool.h>

typedef struct failing_alloc {
    long calls, fail_at;                 /* call number fail_at (from 0) returns NULL; fail_at < 0: no call does */
    bool and_after;                      /* every call after fail_at returns NULL too */
    long blocks;                         /* allocated and not yet released */
    size_t bytes;                        /* the same in bytes, by the sizes passed to alloc and release */
} failing_alloc;

/* The allocation function for peft_context_create; user is the failing_alloc. */
static inline void *failing_alloc_take(size_t size, size_t align, void *user)
{
    failing_alloc *f = user;
    void *p = NULL;
    long call = f->calls++;
    if (f->fail_at >= 0 && (call == f->fail_at || (f->and_after && call > f->fail_at))) return NULL;
    if (posix_memalign(&p, align, size)) return NULL;
    f->blocks++;
    f->bytes += size;
    return p;
}

/* The function that frees, for peft_context_create. */
static inline void failing_alloc_give(void *p, size_t size, void *user)
{
    failing_alloc *f = user;
    f->blocks--;
    f->bytes -= size;
    free(p);
}

/* Runs fn(ctx, arg) with allocation 0, then 1, 2, ... failing, each alone and with all that follow it, until fn makes
 * fewer allocations. Asserts that fn returns PEFT_E_NOMEM with a message if an allocation failed and PEFT_OK otherwise,
 * that nothing leaks, and that fn then succeeds in the same context. Returns the number of allocations of fn. With
 * PARTIAL even allocations fail alone, and odd ones with all that follow. */
static inline long failing_alloc_loop(peft_status (*fn)(peft_context *, void *), void *arg)
{
    for (long n = 0; ; n++)
        for (int and_after = PARTIAL ? n % 2 : 0; and_after < 2; and_after += partial_step(2)) {
            failing_alloc f = { .fail_at = -1 };
            peft_context *ctx = NULL;
            ck_assert_int_eq(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx), PEFT_OK);
            const long blocks_of_context = f.blocks;
            f.calls = 0;
            f.fail_at = n;
            f.and_after = and_after;
            peft_status s = fn(ctx, arg);
            const bool refused = f.calls > n;            /* fn came as far as allocation n */
            ck_assert_msg(s == (refused ? PEFT_E_NOMEM : PEFT_OK), "allocation %ld: %s: %s", n, peft_status_name(s),
                          peft_last_error());
            if (refused) ck_assert_ptr_nonnull(strstr(peft_last_error(), "memory"));
            ck_assert_int_eq(f.blocks, blocks_of_context);
            f.fail_at = -1;
            ck_assert_int_eq(fn(ctx, arg), PEFT_OK);
            peft_context_free(ctx);
            ck_assert_int_eq(f.blocks, 0);
            ck_assert_uint_eq(f.bytes, 0);
            if (!refused) return n;
        }
}
#endif
