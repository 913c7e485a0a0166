/* SPDX-License-Identifier: Apache-2.0
 * peft/sys/memory.h -- memory, log and life of a context, for companion libraries that make objects under it as
 * libpeft-io does. Part of the systems interface, whose promise method.h states. All functions may be called from
 * several threads at once. */
#ifndef PEFT_SYS_MEMORY_H
#define PEFT_SYS_MEMORY_H
#include <peft/context.h>
#include <stddef.h>
PEFT_BEGIN_DECLS

/* bytes of memory from the context's allocator, aligned to 64 bytes, not set to anything, and counted by
 * peft_context_memory_used. NULL: refused; no message is left. */
PEFT_API void *peft_sys_alloc(peft_context *ctx, size_t bytes);
/* A block of bytes that begins with the contents of block (NULL: none) and replaces it. NULL: refused; block stays as it
 * was. */
PEFT_API void *peft_sys_realloc(peft_context *ctx, void *block, size_t bytes);
/* Gives back a block of the two functions above, of the same context; NULL is fine. */
PEFT_API void  peft_sys_free(peft_context *ctx, void *block);

/* Adds a reference to ctx, so that it lives as long as an object that was made under it; returns ctx. The object gives
 * the reference back with peft_context_free. */
PEFT_API peft_context *peft_sys_context_retain(peft_context *ctx);

/* Passes message to the context's log (peft_context_set_log), where it takes this level: 0 error, 1 warning, 2
 * information, 3 debug. Line ends and other control characters become "?". */
PEFT_API void  peft_sys_log(peft_context *ctx, int level, const char *message);

PEFT_END_DECLS
#endif
