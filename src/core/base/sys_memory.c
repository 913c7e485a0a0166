/* SPDX-License-Identifier: Apache-2.0
 * sys_memory.c -- what companion libraries use of a context: memory, references, log. */
#include <peft/sys/memory.h>
#include "core/base/context.h"

void *peft_sys_alloc(peft_context *ctx, size_t bytes) { return pf_alloc(ctx, bytes); }
void *peft_sys_realloc(peft_context *ctx, void *block, size_t bytes) { return pf_realloc(ctx, block, bytes); }
void  peft_sys_free(peft_context *ctx, void *block) { pf_free(ctx, block); }

peft_context *peft_sys_context_retain(peft_context *ctx) { return pf_context_retain(ctx); }

void peft_sys_log(peft_context *ctx, int level, const char *message) { pf_log(ctx, level, "%s", message); }
