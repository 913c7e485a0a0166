/* SPDX-License-Identifier: Apache-2.0
 * context.h -- the struct behind peft_context, allocation of memory that is counted, and the log. */
#ifndef PF_CONTEXT_H
#define PF_CONTEXT_H
#include <peft/context.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "core/base/error.h"
#include "kernels/pk.h"

struct peft_method;                        /* peft/sys/method.h */
/* A method that the application registered. The struct is the first member of a larger block, which also holds the copy
 * of the peft_method and its texts (core/adapt/register_method.c). The block is freed with the context. */
typedef struct pf_registered { struct pf_registered *next; const struct peft_method *method; } pf_registered;

struct peft_context {
    atomic_int refs;
    peft_alloc_fn alloc; peft_free_fn release; void *user;    /* the allocator and the argument that it gets */
    atomic_size_t used, peak;              /* bytes allocated now, and the largest number so far */
    int threads;                           /* 0: all usable cores, counted when a session or trainer is made */
    uint64_t seed;
    const pk_table *kernels;
    pk_gemm_kind gemm;
    const char *isa_by, *gemm_by;          /* what chose kernels and gemm: "PEFT_ISA", "peft_context_set_isa"; NULL: the
                                            * library itself */
    const struct peft_method *const *built_in; /* the library's methods, up to a NULL; may be NULL: none */
    pf_registered *methods;                /* those that the application registered, oldest first */
    peft_log_fn log; void *log_user; int log_level;
    peft_pool_fn pool; void *pool_user;    /* runs jobs in the program's threads; NULL: the library starts threads */
    bool share;                            /* sessions and trainers share one pool of threads */
    struct pf_shared_pool *shared;         /* that pool; NULL: not in use (core/train/session/engine.c) */
};

/* peft_context_create with the table of built-in methods. */
peft_status pf_context_make(peft_alloc_fn alloc, peft_free_fn release, void *user,
                            const struct peft_method *const *built_in, peft_context **out);
/* Makes *ctx, a variable on the caller's stack, a context with the default allocator and log: for functions that are
 * given no context and need memory. All that is made from *ctx must be freed before the variable goes out of scope. */
void pf_context_bare(peft_context *ctx);
/* For a session or trainer that is made now: the number of threads, at least 1, and the GEMM, OWN or CBLAS. */
int pf_context_threads(const peft_context *ctx);
pk_gemm_kind pf_context_gemm(peft_context *ctx);
/* Adds a reference and returns ctx; peft_context_free drops one. */
peft_context *pf_context_retain(peft_context *ctx);

/* Blocks aligned to 64 bytes and counted in used and peak. NULL: no memory; no message is set. Products of sizes are
 * checked by the caller with pf_mul_size. pf_free(ctx, NULL) does nothing. */
void *pf_alloc(peft_context *ctx, size_t bytes);
void *pf_alloc_zero(peft_context *ctx, size_t bytes);
void *pf_realloc(peft_context *ctx, void *block, size_t bytes);   /* grows or shrinks; NULL: the old block stays */
void  pf_free(peft_context *ctx, void *block);
char *pf_strdup(peft_context *ctx, const char *s);            /* a copy of s; NULL: no memory */

/* *out = a * b, and a + b; false on overflow. */
bool pf_mul_size(size_t a, size_t b, size_t *out);
bool pf_add_size(size_t a, size_t b, size_t *out);

/* The levels of the log, as in peft_context_set_log. */
enum { PF_LOG_ERROR, PF_LOG_WARNING, PF_LOG_INFO, PF_LOG_DEBUG };
/* Sends one line to the context's log if the log takes this level. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void pf_log(peft_context *ctx, int level, const char *format, ...);
#define pf_warn(ctx, ...) pf_log(ctx, PF_LOG_WARNING, __VA_ARGS__)
#endif
