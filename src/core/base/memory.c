/* SPDX-License-Identifier: Apache-2.0
 * memory.c -- allocates memory by the context's allocator: aligned blocks, each behind a header with its size, which
 * are counted in the context. */
#include "core/base/context.h"
#include <string.h>

/* Stands in front of every block: the size of both together. As long as the alignment, so that the block is aligned
 * too. */
typedef union { size_t total; unsigned char padding[PK_ALIGN]; } header;

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

/* Adds bytes to `used`, and raises `peak` to the new value unless another thread has set a higher one. */
static void count_allocated(peft_context *ctx, size_t bytes)
{
    size_t used = atomic_fetch_add(&ctx->used, bytes) + bytes, peak = atomic_load(&ctx->peak);
    while (used > peak && !atomic_compare_exchange_weak(&ctx->peak, &peak, used)) {}
}

void *pf_alloc(peft_context *ctx, size_t bytes)
{
    size_t total;
    if (!pf_add_size(bytes, sizeof(header), &total)) return NULL;
    header *h = ctx->alloc(total, PK_ALIGN, ctx->user);
    if (!h) return NULL;
    if ((uintptr_t)h % PK_ALIGN) {            /* aligned stores would trap: treated as no memory */
        ctx->release(h, total, ctx->user);
        return NULL;
    }
    h->total = total;
    count_allocated(ctx, total);
    return h + 1;                             /* the block begins behind its header */
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
    size_t old_bytes = ((header *)block)[-1].total - sizeof(header);
    memcpy(p, block, old_bytes < bytes ? old_bytes : bytes);
    pf_free(ctx, block);
    return p;
}

void pf_free(peft_context *ctx, void *block)
{
    if (!block) return;
    header *h = (header *)block - 1;
    size_t total = h->total;
    atomic_fetch_sub(&ctx->used, total);
    ctx->release(h, total, ctx->user);
}

char *pf_strdup(peft_context *ctx, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = pf_alloc(ctx, n);
    return copy ? memcpy(copy, s, n) : NULL;
}
