/* SPDX-License-Identifier: Apache-2.0
 * engine.c -- starts and stops engines, and makes the compile settings for the graphs that an engine runs. An engine is
 * the threads and kernels of one session or trainer. The engines of a context may share one thread pool. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "core/train/session/engine.h"

/* refs: engines that use the pool; wanted: threads that were asked for. The pool begins PK_ALIGN bytes after this
 * struct. */
struct pf_shared_pool { int refs, wanted; };
_Static_assert(sizeof(pf_shared_pool) <= PK_ALIGN, "the pool begins PK_ALIGN bytes after the start of pf_shared_pool");

/* Guards refs and peft_context.shared of all contexts: several threads may start and stop engines at once. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The pool behind the struct. */
static pk_pool *pool_of(pf_shared_pool *shared) { return (pk_pool *)((char *)shared + PK_ALIGN); }

/* Makes a pool of `wanted` threads, with one reference: new threads, or the program's (peft_context_set_pool). */
static peft_status make_pool(peft_context *ctx, int wanted, pf_shared_pool **out)
{
    const size_t bytes = PK_ALIGN + pk_pool_bytes(wanted);
    pf_shared_pool *shared = pf_alloc_zero(ctx, bytes);
    if (!shared) return pf_nomem("thread pool", bytes);
    *shared = (pf_shared_pool){ .refs = 1, .wanted = wanted };
    if (ctx->pool) pk_pool_borrow(pool_of(shared), wanted, ctx->pool, ctx->pool_user);
    else pk_pool_start(pool_of(shared), wanted);
    *out = shared;
    return PEFT_OK;
}

/* The context's shared pool. Makes a new one if the context has none, if its pool has another number of threads, or if
 * its threads do not run in this process (after fork). */
static peft_status share_pool(peft_context *ctx, int wanted, pf_shared_pool **out)
{
    peft_status s = PEFT_OK;
    pthread_mutex_lock(&mutex);
    if (ctx->shared && ctx->shared->wanted == wanted && pk_pool_alive(pool_of(ctx->shared))) {
        ctx->shared->refs++;
        *out = ctx->shared;
    } else {
        s = make_pool(ctx, wanted, out);
        if (!s) ctx->shared = *out;
    }
    pthread_mutex_unlock(&mutex);
    return s;
}

/* Removes one reference; the last one stops the pool and frees it. */
static void release_pool(peft_context *ctx, pf_shared_pool *shared)
{
    pthread_mutex_lock(&mutex);
    const bool last = !--shared->refs;
    if (last && ctx->shared == shared) ctx->shared = NULL;
    pthread_mutex_unlock(&mutex);
    if (!last) return;
    pk_pool_stop(pool_of(shared));
    pf_free(ctx, shared);
}

peft_status pf_engine_start(pf_engine *e, peft_context *ctx, int64_t threads)
{
    const int wanted = threads > 0 ? (int)threads : pf_context_threads(ctx);
    *e = (pf_engine){ .ctx = ctx, .threads = wanted, .kernels = ctx->kernels, .gemm = pf_context_gemm(ctx),
                      .isa_by = ctx->isa_by, .gemm_by = ctx->gemm_by };
    if (wanted == 1) return PEFT_OK;
    const bool programs_threads = ctx->pool != NULL;           /* they are shared already */
    const bool use_shared = ctx->share && !programs_threads;
    PF_TRY(use_shared ? share_pool(ctx, wanted, &e->shared) : make_pool(ctx, wanted, &e->shared));
    e->pool = pool_of(e->shared);
    e->threads = pk_pool_threads(e->pool);
    if (e->threads < wanted)
        pf_warn(ctx, "the system gave %d of %d threads: the results are the same, computing takes longer", e->threads,
                wanted);
    if (e->threads == 1) pf_engine_stop(e);                      /* the calling thread alone needs no pool */
    return PEFT_OK;
}

void pf_engine_stop(pf_engine *e)
{
    if (e->shared) release_pool(e->ctx, e->shared);
    e->shared = NULL;
    e->pool = NULL;
}

pf_compile_spec pf_engine_spec(const pf_engine *e, pf_compile_spec spec)
{
    spec.kernels = e->kernels;
    spec.gemm = e->gemm;
    spec.isa_by = e->isa_by;
    spec.gemm_by = e->gemm_by;
    spec.pool = e->pool;
    spec.threads = e->threads;
    return spec;
}

void pf_engine_kernels_text(const pf_engine *e, const pf_compile_spec *spec, char *text, size_t size)
{
    const pk_compute compute = spec->compute;
    const bool cblas = pk_gemm_chosen(e->kernels, e->gemm, compute) == PK_GEMM_CBLAS;
    const bool f32 = compute == PK_COMPUTE_F32;
    const pk_table *t = pk_permitted(e->kernels, compute);
    /* For int8 that of the whole instruction set, which also determines the bits of attention and narrow matrices. */
    const char *isa = compute == PK_COMPUTE_INT8 ? t->name : t->product[compute].name;
    snprintf(text, size, "%s, %s%s%s", isa,
             cblas ? "cblas" : "own", f32 ? "" : ", ", f32 ? "" : pf_compute_name(spec));
}

peft_status pf_compile_options(const peft_options *o, const pf_opt *table, pf_compile_spec *spec)
{
    const char *executor = pf_options_string(o, table, "executor");
    const bool naive = !strcmp(executor, "naive");
    spec->memory_limit = (size_t)pf_options_int(o, table, "memory_limit");
    PF_TRY(pf_compute_parse(pf_options_string(o, table, "compute"), spec));
    spec->flags = naive ? PF_PLAN_NAIVE : 0;
    if (naive || !strcmp(executor, "planned")) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "executor: given '%s', expected planned or naive", executor);
}
