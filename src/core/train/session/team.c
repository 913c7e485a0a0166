/* SPDX-License-Identifier: Apache-2.0
 * team.c -- starts and stops teams, and makes the compile settings for graphs that run on a team. A team is the threads
 * of one session or trainer. The teams of a context may share one thread pool. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "core/train/session/team.h"

/* refs: teams that use the pool; wanted: threads that were asked for. The pool begins PK_ALIGN bytes after this
 * struct. */
struct pf_shared_pool { int refs, wanted; };
_Static_assert(sizeof(pf_shared_pool) <= PK_ALIGN, "the pool begins PK_ALIGN bytes after the start of pf_shared_pool");

/* For refs and peft_context.shared of all contexts: several threads may start and stop teams at once. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static pk_pool *pool_of(pf_shared_pool *shared) { return (pk_pool *)((char *)shared + PK_ALIGN); }

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

peft_status pf_team_start(pf_team *t, peft_context *ctx, int64_t threads)
{
    const int wanted = threads > 0 ? (int)threads : pf_context_threads(ctx);
    *t = (pf_team){ .ctx = ctx, .threads = wanted, .kernels = ctx->kernels, .gemm = pf_context_gemm(ctx),
                    .isa_by = ctx->isa_by, .gemm_by = ctx->gemm_by };
    if (wanted == 1) return PEFT_OK;
    PF_TRY((ctx->share && !ctx->pool ? share_pool : make_pool)(ctx, wanted, &t->shared));
    t->pool = pool_of(t->shared);
    t->threads = pk_pool_threads(t->pool);
    if (t->threads < wanted)
        pf_warn(ctx, "the system gave %d of %d threads: the results are the same, computing takes longer", t->threads,
                wanted);
    if (t->threads == 1) pf_team_stop(t);
    return PEFT_OK;
}

void pf_team_stop(pf_team *t)
{
    if (t->shared) release_pool(t->ctx, t->shared);
    t->shared = NULL;
    t->pool = NULL;
}

pf_compile_spec pf_team_spec(const pf_team *t, pf_compile_spec spec)
{
    spec.kernels = t->kernels;
    spec.gemm = t->gemm;
    spec.isa_by = t->isa_by;
    spec.gemm_by = t->gemm_by;
    spec.pool = t->pool;
    spec.threads = t->threads;
    return spec;
}

void pf_team_text(const pf_team *t, char *text, size_t size)
{
    snprintf(text, size, "%s, %s", t->kernels->name, t->gemm == PK_GEMM_CBLAS ? "cblas" : "own");
}

peft_status pf_compile_options(const peft_options *o, const pf_opt *table, pf_compile_spec *spec)
{
    const char *executor = pf_options_string(o, table, "executor");
    spec->memory_limit = (size_t)pf_options_int(o, table, "memory_limit");
    PF_TRY(pf_arithmetic_parse(pf_options_string(o, table, "compute"), &spec->arithmetic));
    spec->flags = !strcmp(executor, "naive") ? PF_PLAN_NAIVE : 0;
    if (spec->flags || !strcmp(executor, "planned")) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "executor: given '%s', expected planned or naive", executor);
}
