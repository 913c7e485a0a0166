/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_CONTEXT_H
#define PEFT_CONTEXT_H
#include <peft/status.h>
PEFT_BEGIN_DECLS

typedef struct peft_context peft_context;

typedef void *(*peft_alloc_fn)(size_t size, size_t align, void *user);
typedef void  (*peft_free_fn)(void *ptr, size_t size, void *user);
typedef void  (*peft_log_fn)(int level, const char *message, void *user);   /* 0 error .. 3 debug */

/* NULL, NULL, NULL: the C library's allocator. The context is internally reference counted: every
   object made from it holds it, so the order of the *_free calls does not matter. */
PEFT_API PEFT_NODISCARD peft_status
peft_context_create(peft_alloc_fn alloc, peft_free_fn release, void *user, peft_context **out);
PEFT_API void peft_context_free(peft_context *ctx);                            /* NULL is fine */

PEFT_API PEFT_NODISCARD peft_status peft_context_set_threads(peft_context *ctx, int n);      /* 0: all cores */
PEFT_API PEFT_NODISCARD peft_status peft_context_set_seed(peft_context *ctx, uint64_t seed);
PEFT_API PEFT_NODISCARD peft_status peft_context_set_isa(peft_context *ctx, const char *isa);/* "auto","ref","avx2","avx512" */
PEFT_API PEFT_NODISCARD peft_status peft_context_set_gemm(peft_context *ctx, const char *kind);/* "auto","own","cblas" */
PEFT_API PEFT_NODISCARD peft_status
peft_context_set_log(peft_context *ctx, peft_log_fn fn, void *user, int max_level);
PEFT_API const char *peft_context_isa(const peft_context *ctx);                /* what was picked */
PEFT_API size_t      peft_context_memory_used(const peft_context *ctx);        /* live bytes, our allocations */
PEFT_API size_t      peft_context_memory_peak(const peft_context *ctx);

PEFT_END_DECLS
#endif
