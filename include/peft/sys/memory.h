/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/memory.h -- memory, log and life of a context, for companion libraries that make objects under it as
 * libpeft-io does. Part of the systems interface, which may change between minor versions (method.h). All functions may
 * be called from several threads at once. */
#ifndef PEFT_SYS_MEMORY_H
#define PEFT_SYS_MEMORY_H
#include <peft/context.h>
#include <stddef.h>
PEFT_BEGIN_DECLS

/* Allocates bytes by the context's allocator, aligned to 64, with undefined content, and counted by
 * peft_context_memory_used. NULL: no memory; peft_last_error is not set. */
PEFT_API void *peft_sys_alloc(peft_context *ctx, size_t bytes);
/* Changes the size of block (NULL: allocates one) to bytes; the result replaces it. NULL: no memory; block is
 * unchanged. */
PEFT_API void *peft_sys_realloc(peft_context *ctx, void *block, size_t bytes);
/* Frees a block of the two functions above, of the same context; block may be NULL. */
PEFT_API void  peft_sys_free(peft_context *ctx, void *block);

/* Adds a reference to ctx, so that it lives as long as an object that was made under it; returns ctx. The object gives
 * the reference back with peft_context_free. */
PEFT_API peft_context *peft_sys_context_retain(peft_context *ctx);

/* Sends message to the context's log (peft_context_set_log), if it takes this level: 0 error, 1 warning, 2
 * information, 3 debug. Line ends and other control characters become "?". */
PEFT_API void  peft_sys_log(peft_context *ctx, int level, const char *message);

PEFT_END_DECLS
#endif
