/* SPDX-License-Identifier: Apache-2.0
 * team.c -- starting and stopping a team of threads, and the compile settings for graphs that run on it. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "core/train/session/team.h"

/* The pool stands behind it, at the next multiple of PK_ALIGN. */
struct pf_threads { int teams, wanted; };
_Static_assert(sizeof(pf_threads) <= PK_ALIGN, "the pool stands PK_ALIGN behind pf_threads");

/* Who uses which shared pool, of all contexts: teams are started and stopped by several threads at once. */
static pthread_mutex_t sharing = PTHREAD_MUTEX_INITIALIZER;

static pk_pool *pool_of(pf_threads *in) { return (pk_pool *)((char *)in + PK_ALIGN); }

static peft_status make_threads(peft_context *ctx, int wanted, pf_threads **out)
{
    const size_t bytes = PK_ALIGN + pk_pool_bytes(wanted);
    pf_threads *in = pf_alloc_zero(ctx, bytes);
    if (!in) return pf_nomem("thread pool", bytes);
    *in = (pf_threads){ .teams = 1, .wanted = wanted };
    if (ctx->pool) pk_pool_borrow(pool_of(in), wanted, ctx->pool, ctx->pool_user);
    else pk_pool_start(pool_of(in), wanted);
    *out = in;
    return PEFT_OK;
}

/* The context's shared pool, made where there is none for so many threads in this process. */
static peft_status share_threads(peft_context *ctx, int wanted, pf_threads **out)
{
    peft_status s = PEFT_OK;
    pthread_mutex_lock(&sharing);
    if (ctx->shared && ctx->shared->wanted == wanted && pk_pool_alive(pool_of(ctx->shared))) {
        ctx->shared->teams++;
        *out = ctx->shared;
    } else {
        s = make_threads(ctx, wanted, out);
        if (!s) ctx->shared = *out;
    }
    pthread_mutex_unlock(&sharing);
    return s;
}

static void leave_threads(peft_context *ctx, pf_threads *in)
{
    pthread_mutex_lock(&sharing);
    const bool last = !--in->teams;
    if (last && ctx->shared == in) ctx->shared = NULL;
    pthread_mutex_unlock(&sharing);
    if (!last) return;
    pk_pool_stop(pool_of(in));
    pf_free(ctx, in);
}

peft_status pf_team_start(pf_team *t, peft_context *ctx, int64_t threads)
{
    const int wanted = threads > 0 ? (int)threads : pf_context_threads(ctx);
    *t = (pf_team){ .ctx = ctx, .threads = wanted, .kernels = ctx->kernels, .gemm = pf_context_gemm(ctx) };
    if (wanted == 1) return PEFT_OK;
    PF_TRY((ctx->share && !ctx->pool ? share_threads : make_threads)(ctx, wanted, &t->in));
    t->pool = pool_of(t->in);
    t->threads = pk_pool_threads(t->pool);
    if (t->threads < wanted)
        pf_log(ctx, 1, "the system gave %d of %d threads: the results are the same, computing takes longer", t->threads,
               wanted);
    if (t->threads == 1) pf_team_stop(t);
    return PEFT_OK;
}

void pf_team_stop(pf_team *t)
{
    if (t->in) leave_threads(t->ctx, t->in);
    t->in = NULL;
    t->pool = NULL;
}

pf_compile_spec pf_team_spec(const pf_team *t, pf_compile_spec wanted)
{
    wanted.kernels = t->kernels;
    wanted.gemm = t->gemm;
    wanted.pool = t->pool;
    wanted.threads = t->threads;
    return wanted;
}

void pf_team_text(const pf_team *t, char *text, size_t room)
{
    snprintf(text, room, "%s, %s", t->kernels->name, t->gemm == PK_GEMM_CBLAS ? "cblas" : "own");
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
