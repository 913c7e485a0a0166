/* SPDX-License-Identifier: Apache-2.0
 * team.h -- a team is the threads of one session or trainer: threads of its own, the pool that all sessions and
 * trainers of a context share, or the program's pool. Also the options that say how graphs are compiled for a team. */
#ifndef PF_TEAM_H
#define PF_TEAM_H
#include "core/graph/exec.h"
#include "core/options/options.h"

typedef struct pf_shared_pool pf_shared_pool;        /* a thread pool with the number of teams that use it */

/* Kernels and matrix product are those of the context when the team is started; later settings do not change them. */
typedef struct pf_team {
    peft_context *ctx;
    pf_shared_pool *shared;              /* NULL: one thread */
    pk_pool *pool;                       /* that of shared; NULL: one thread */
    int threads;
    const pk_table *kernels;
    pk_gemm_kind gemm;
    const char *isa_by, *gemm_by;        /* what chose kernels and gemm, "PEFT_ISA"; NULL: the library did */
} pf_team;
peft_status pf_team_start(pf_team *t, peft_context *ctx, int64_t threads);          /* 0: the context's number */
void        pf_team_stop(pf_team *t);
/* A copy of spec with the team's kernels, matrix product, pool and threads. */
pf_compile_spec pf_team_spec(const pf_team *t, pf_compile_spec spec);
/* Kernels and matrix product, on which the rounding of results depends: "avx2, own". */
void        pf_team_text(const pf_team *t, char *text, size_t size);

/* Rows of a table of options (sessions, trainers) that say how graphs are compiled; pf_compile_options reads them into
 * *spec. */
#define PF_COMPILE_OPTIONS \
    { "executor", 's', "planned", 0, 0, "use of memory: planned, or naive (for tests: nothing shares memory)" }, \
    { "memory_limit", 'i', "0", 0, 1e15, "most bytes of a compiled graph, arena and scratch; 0: no limit" }, \
    { "compute", 's', "f32", 0, 0, "arithmetic of matrix products: f32" }
peft_status pf_compile_options(const peft_options *o, const pf_opt *table, pf_compile_spec *spec);
#endif
