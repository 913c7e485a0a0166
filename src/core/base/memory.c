/* SPDX-License-Identifier: Apache-2.0
 * memory.c -- the context's allocations: aligned blocks with their size kept in front, counted as they come and go. */
#include "core/base/context.h"
#include <string.h>

/* What stands in front of every block; as long as the alignment, so that the block behind it is aligned too. */
typedef union { size_t total; unsigned char room[PK_ALIGN]; } front;

bool pf_mul_size(size_t a, size_t b, size_t *out)
{
    if (a && b > SIZE_MAX / a) return false;
    *out = a * b;
    return true;
}

bool pf_add_size(size_t a, size_t b, size_t *out)
{
    if (b > SIZE_MAX - a) return false;
    *out = a + b;
    return true;
}

static void count(peft_context *ctx, size_t bytes)
{
    size_t used = atomic_fetch_add(&ctx->used, bytes) + bytes, peak = atomic_load(&ctx->peak);
    while (used > peak && !atomic_compare_exchange_weak(&ctx->peak, &peak, used)) {}
}

void *pf_alloc(peft_context *ctx, size_t bytes)
{
    size_t total;
    if (!pf_add_size(bytes, sizeof(front), &total)) return NULL;
    front *f = ctx->alloc(total, PK_ALIGN, ctx->user);
    if (!f) return NULL;
    if ((uintptr_t)f % PK_ALIGN) {            /* kernels would trap on it: an allocator that bad counts as refusing */
        ctx->release(f, total, ctx->user);
        return NULL;
    }
    f->total = total;
    count(ctx, total);
    return f + 1;
}

void *pf_alloc_zero(peft_context *ctx, size_t bytes)
{
    void *p = pf_alloc(ctx, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *pf_realloc(peft_context *ctx, void *block, size_t bytes)
{
    void *p = pf_alloc(ctx, bytes);
    if (!p || !block) return p;
    size_t had = ((front *)block)[-1].total - sizeof(front);
    memcpy(p, block, had < bytes ? had : bytes);
    pf_free(ctx, block);
    return p;
}

void pf_free(peft_context *ctx, void *block)
{
    if (!block) return;
    front *f = (front *)block - 1;
    size_t total = f->total;
    atomic_fetch_sub(&ctx->used, total);
    ctx->release(f, total, ctx->user);
}

char *pf_strdup(peft_context *ctx, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = pf_alloc(ctx, n);
    return copy ? memcpy(copy, s, n) : NULL;
}
