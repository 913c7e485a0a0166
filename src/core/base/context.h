/* SPDX-License-Identifier: Apache-2.0
 * context.h -- the context inside: allocation with accounting, reference count, settings, log. */
#ifndef PF_CONTEXT_H
#define PF_CONTEXT_H
#include <peft/context.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "core/base/error.h"
#include "kernels/pk.h"

struct peft_method;                        /* peft/sys/method.h */
/* A registered method: the head of a block that holds its table and texts and is freed with the context. */
typedef struct pf_kept { struct pf_kept *next; const struct peft_method *method; } pf_kept;

struct peft_context {
    atomic_int refs;
    peft_alloc_fn alloc; peft_free_fn release; void *user;
    atomic_size_t used, peak;
    int threads;                           /* 0: all usable cores, counted when a session or trainer is made */
    uint64_t seed;
    const pk_table *kernels;
    pk_gemm_kind gemm;
    const struct peft_method *const *built_in; /* the library's methods; NULL ends the table, NULL itself: none */
    pf_kept *methods;                      /* that the program registered, in order: core/adapt/own_method.c */
    peft_log_fn log; void *log_user; int log_level;
};

/* peft_context_create with the table of built-in methods. */
peft_status pf_context_make(peft_alloc_fn alloc, peft_free_fn release, void *user,
                            const struct peft_method *const *built_in, peft_context **out);
/* A context on the stack for what needs memory and nothing else; what is made from it goes before it does. */
void pf_context_bare(peft_context *ctx);
int pf_context_threads(const peft_context *ctx);              /* for what is made now: never 0 */
/* Who multiplies matrices for what is made now: never auto. */
pk_gemm_kind pf_context_gemm(peft_context *ctx);
peft_context *pf_context_retain(peft_context *ctx);           /* peft_context_free drops one reference */

/* 64-byte aligned blocks counted in used/peak. NULL when refused (no message set). The size is kept in front of the
 * block. Sizes are checked by the caller with pf_mul_size. pf_free(ctx, NULL) is fine. */
void *pf_alloc(peft_context *ctx, size_t bytes);
void *pf_alloc_zero(peft_context *ctx, size_t bytes);
void *pf_realloc(peft_context *ctx, void *block, size_t bytes);   /* grows or shrinks; on NULL the old block lives */
void  pf_free(peft_context *ctx, void *block);
char *pf_strdup(peft_context *ctx, const char *s);

bool pf_mul_size(size_t a, size_t b, size_t *out);            /* false on overflow */
bool pf_add_size(size_t a, size_t b, size_t *out);

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void pf_log(peft_context *ctx, int level, const char *format, ...);
#endif
