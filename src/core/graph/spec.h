/* SPDX-License-Identifier: Apache-2.0
 * spec.h -- compile settings: all that determines how a graph is built, rewritten, planned and run, beside the model. A
 * graph holds a copy, which passes, operations and the plan read. */
#ifndef PF_SPEC_H
#define PF_SPEC_H
#include "core/base/context.h"

/* A matrix with fewer rows or columns than this is narrow: option "compute=int8" multiplies it in bf16 or f32. All
 * matrices of a ViT-Ti are narrow; int8 moves its logits by 3 %, bf16 by 1 %. */
#define PF_INT8_LEAST 384

enum { PF_PLAN_NAIVE = 1 };              /* for tests: no two values share memory, and NaN overwrites dead values */

typedef struct pf_compile_spec {
    int64_t batch;                       /* samples */
    bool training;                       /* batch norm uses the batch's statistics, dropout drops; false: inference */
    pk_compute compute;                  /* arithmetic of the products */
    int64_t int8_least;                  /* used if compute is int8: matrices with fewer rows or columns are narrow */
    pk_dtype keep;                       /* type in which values of the forward pass are kept for the backward pass:
                                          * PK_REAL, or PK_BF16 (keep/) */
    size_t memory_limit;                 /* bytes that arena and scratch may take; 0: no limit */
    size_t least_scratch;                /* bytes of scratch to plan at least: what smaller batches need */
    const uint32_t *again;               /* nodes whose outputs the backward pass computes again (pf_graph.again) */
    uint32_t agains;                     /* how many; 0: the recompute pass chooses them by memory_limit */
    unsigned flags;                      /* PF_PLAN_NAIVE */
    const char *without;                 /* for tests: passes that do not run, names between commas; NULL: none */
    const pk_table *kernels;             /* NULL: the context's kernels and its matrix product */
    pk_gemm_kind gemm;                   /* the matrix product, if kernels is not NULL */
    const char *isa_by, *gemm_by;        /* what chose kernels and product, such as "PEFT_ISA"; NULL: the library */
    const char *name;                    /* of the graph, in reports of its operations; NULL: "graph" */
    pk_pool *pool;                       /* NULL: the caller's thread alone */
    int threads;
} pf_compile_spec;

/* Sets compute and int8_least by the value of option "compute": the name of an arithmetic (pk_compute_name), or
 * "int8_all" for int8 without narrow matrices. PEFT_E_OPTION: another name. */
peft_status pf_compute_parse(const char *name, pf_compile_spec *spec);
/* The value of option "compute" of which pf_compute_parse makes this compute and int8_least. */
const char *pf_compute_name(const pf_compile_spec *spec);
#endif
