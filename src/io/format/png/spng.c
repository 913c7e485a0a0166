/* SPDX-License-Identifier: Apache-2.0
 * spng.c -- the allocator that libspng gets, and its errors (spng.h). */
#include "io/format/png/spng.h"

/* The context that libspng's memory comes from, and whether an allocation failed; libspng reports a failed allocation
 * of zlib as another error. They are variables of the thread because libspng's allocator gets no argument of ours. They
 * are valid while a spng_ctx lives: within one call, from io_spng_begin to io_spng_end. */
static _Thread_local struct { peft_context *ctx; bool failed; } spng_memory;

/* Notes that an allocation failed. */
static void *spng_checked(void *block)
{
    if (!block) spng_memory.failed = true;
    return block;
}

static void *spng_alloc_bytes(size_t bytes) { return spng_checked(peft_sys_alloc(spng_memory.ctx, bytes)); }
static void *spng_alloc_zeroed(size_t count, size_t size)
{
    return spng_checked(count > INT64_MAX ? NULL : io_alloc(spng_memory.ctx, (int64_t)count, size));
}
static void *spng_resize(void *block, size_t bytes)
{
    return spng_checked(peft_sys_realloc(spng_memory.ctx, block, bytes));
}
void io_spng_release(void *block) { peft_sys_free(spng_memory.ctx, block); }

spng_ctx *io_spng_begin(peft_context *ctx, int flags)
{
    struct spng_alloc alloc = { spng_alloc_bytes, spng_resize, spng_alloc_zeroed, io_spng_release };
    spng_memory.ctx = ctx;
    spng_memory.failed = false;
    return spng_ctx_new2(&alloc, flags);
}

void io_spng_end(spng_ctx *png)
{
    spng_ctx_free(png);
    spng_memory.ctx = NULL;
}

peft_status io_spng_failed(int e, const char *cure)
{
    if (spng_memory.failed || e == SPNG_EMEM) return io_nomem("PNG");
    return io_fail(PEFT_E_FORMAT, "PNG: %s%s", cure, spng_strerror(e));
}
