/* SPDX-License-Identifier: Apache-2.0
 * team.c -- starting and stopping a team of threads, and the compile settings for graphs that run on it. */
#include <stdio.h>
#include <string.h>
#include "core/train/session/team.h"

peft_status pf_team_start(pf_team *t, peft_context *ctx, int64_t threads)
{
    const int wanted = threads > 0 ? (int)threads : pf_context_threads(ctx);
    *t = (pf_team){ .ctx = ctx, .threads = wanted, .kernels = ctx->kernels, .gemm = pf_context_gemm(ctx) };
    if (wanted == 1) return PEFT_OK;
    size_t bytes = pk_pool_bytes(wanted);
    t->pool = pf_alloc_zero(ctx, bytes);
    if (!t->pool) return pf_nomem("thread pool", bytes);
    t->threads = pk_pool_start(t->pool, wanted);
    if (t->threads < wanted)
        pf_log(ctx, 1, "the system gave %d of %d threads: the results are the same, computing takes longer", t->threads,
               wanted);
    if (t->threads > 1) return PEFT_OK;
    pf_team_stop(t);
    return PEFT_OK;
}

void pf_team_stop(pf_team *t)
{
    if (t->pool) {
        pk_pool_stop(t->pool);
        pf_free(t->ctx, t->pool);
    }
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
