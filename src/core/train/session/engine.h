/* SPDX-License-Identifier: Apache-2.0
 * engine.h -- an engine is what computes the graphs of one session or trainer: kernels, a matrix product, and threads,
 * which are its own, those of the pool that all sessions and trainers of a context share, or the program's. Also the
 * options that say how graphs are compiled for an engine. */
#ifndef PF_ENGINE_H
#define PF_ENGINE_H
#include "core/graph/exec.h"
#include "core/options/options.h"

typedef struct pf_shared_pool pf_shared_pool;        /* a thread pool with the number of engines that use it */

/* Kernels and matrix product are those of the context when the engine is started; later settings do not change them. */
typedef struct pf_engine {
    peft_context *ctx;
    pf_shared_pool *shared;              /* owns pool, perhaps together with other engines; NULL: one thread */
    pk_pool *pool;                       /* NULL: one thread */
    int threads;
    const pk_table *kernels;
    pk_gemm_kind gemm;
    const char *isa_by, *gemm_by;        /* what chose kernels and gemm, such as "PEFT_ISA"; NULL: the library */
} pf_engine;
peft_status pf_engine_start(pf_engine *e, peft_context *ctx, int64_t threads);  /* threads 0: as the context says */
void        pf_engine_stop(pf_engine *e);
/* A copy of spec with the engine's kernels, matrix product, pool and threads. */
pf_compile_spec pf_engine_spec(const pf_engine *e, pf_compile_spec spec);
/* Writes the names of kernels and matrix product, on which the rounding of results in the arithmetic of spec depends:
 * "avx2, own", "avx2, own, bf16". */
void        pf_engine_kernels_text(const pf_engine *e, const pf_compile_spec *spec, char *text, size_t size);

/* Rows of a table of options (sessions, trainers) that say how graphs are compiled; pf_compile_options reads them into
 * *spec. */
#define PF_COMPILE_OPTIONS \
    { "executor", 's', "planned", 0, 0, "use of memory: planned, or naive (for tests: nothing shares memory)" }, \
    { "memory_limit", 'i', "0", 0, 1e15, "most bytes of a compiled graph, arena and scratch; 0: no limit" }, \
    { "compute", 's', "f32", 0, 0, "arithmetic of matrix products: f32, bf16x3, bf16; not in trainers: int8 (for " \
      "matrices of at least 384 rows and columns), int8_all (for all)" }
peft_status pf_compile_options(const peft_options *o, const pf_opt *table, pf_compile_spec *spec);
#endif
