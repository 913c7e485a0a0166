/* SPDX-License-Identifier: Apache-2.0
 * exec.h -- the executor: plans the memory of a compiled graph, binds values to pointers, and runs its nodes in order.
 * Sessions and trainers hold one pf_exec for each graph. */
#ifndef PF_EXEC_H
#define PF_EXEC_H
#include "core/graph/graph.h"

/* What an operation reads while it runs (pf_op.run). */
struct pf_run {
    const pf_graph *g;
    const pk_table *kernels;             /* of the chosen instruction set */
    pk_pool *pool;                       /* NULL: the caller's thread alone */
    int threads;
    pk_gemm_kind gemm;                   /* which implementation of the matrix product */
    pk_compute compute;                  /* arithmetic of products of values with frozen weights */
    pk_compute narrow;                   /* used in its place for fewer rows or columns than int8_least */
    int64_t int8_least;                  /* that of pf_compile_spec; 0 if compute is not int8 */
    pk_compute attention;                /* arithmetic of the products of attention */
    pk_compute rest;                     /* arithmetic of all other products */
    void *scratch;                       /* memory for the node that runs, as large as any node needs */
    pk_real **ptr;                       /* [values]: the first element of each value, of a TEMP of PK_BF16 too
                                          * (pf_half_matrix); ptr[0], of PF_NONE, is NULL */
    bool accumulate;                     /* store nodes add to gradients of earlier runs */
    uint64_t seed, step;                 /* for dropout */
};

/* A value as a matrix: row i begins at p + i * ld (leading dimension). ld > cols: the value is a column view. */
typedef struct pf_mat { pk_real *p; int64_t rows, cols, ld; } pf_mat;
pf_mat pf_matrix(const pf_run *r, pf_val v);                           /* PF_NONE: p is NULL */
typedef struct pf_half_mat { uint16_t *p; int64_t rows, cols, ld; } pf_half_mat;
pf_half_mat pf_half_matrix(const pf_run *r, pf_val v);                 /* of a TEMP of PK_BF16 */
/* Row `row` of v as pk_real: where it lies, or, of a TEMP of PK_BF16, converted to `buffer`. For operations that read
 * such values row by row. pf_rows_each: rows that one call of a kernel computes, of count: all, or one if they are
 * converted. pf_rows_scratch: bytes of a buffer for each thread, 0 for another type. */
const pk_real *pf_real_row(const pf_run *r, pf_val v, int64_t row, pk_real *buffer);
int64_t        pf_rows_each(const pf_run *r, pf_val v, int64_t count);
size_t         pf_rows_scratch(const pf_run *r, pf_val v);
pk_real       *pf_rows_buffer(const pf_run *r, pf_val v, int worker);
/* A dense value as a matrix [first extent, product of the others] of its own element type. Operations that accept
 * weights of other types than PK_REAL (pf_op.any_type) must use it, as r->ptr of such a weight is NULL. */
pk_weight pf_weight_of(const pf_run *r, pf_val v);
/* Divides items 0 .. n - 1 into chunks of `grain` items, the last one smaller, and calls fn for each, by all threads:
 * items begin .. end - 1. worker: number of the thread, for its part of the scratch. The chunks do not depend on the
 * number of threads. */
typedef void (*pf_range_fn)(void *arg, int64_t begin, int64_t end, int worker);
void   pf_parallel(const pf_run *r, int64_t n, int64_t grain, pf_range_fn fn, void *arg);
#define PF_GRAIN 16384                                                 /* elements of a chunk: enough work for a task */
#define PF_COLUMN_GRAIN 128                                            /* columns of a chunk, where rows are summed */

typedef struct pf_plan {
    size_t *offset;                      /* [values]: in the arena, in bytes; SIZE_MAX: the value is not in the arena */
    uint32_t *last;                      /* [values]: the last node that uses the value's memory */
    size_t arena, scratch_bytes;         /* bytes of the arena; of the scratch memory */
    size_t from_caller;                  /* bytes at the arena's start for values that the caller fills */
    size_t alive;                        /* the most bytes that are alive at one node: a lower bound of arena */
    uint32_t fullest;                    /* this node; the first, if there are several */
} pf_plan;
/* Makes the plan of a compiled graph, without scratch. flags: as pf_compile_spec.flags. */
peft_status pf_plan_make(pf_plan *p, const pf_graph *g, unsigned flags);
size_t      pf_largest_scratch(const pf_graph *g, const pf_run *r);    /* bytes: the most that a node needs */
void        pf_plan_free(pf_plan *p, const pf_graph *g);

typedef struct pf_exec {
    pf_graph g;                          /* owned */
    pf_plan plan;
    pf_run run;
    bool owns_arena;
    bool reads[PF_INPUTS_MAX];           /* [i]: a node reads input i */
    void *arena;                         /* memory of the arena, then of the scratch */
    int64_t flops;                       /* of a run of all nodes */
} pf_exec;

/* Takes ownership of g (also on failure) and plans its memory. PEFT_E_UNSUPPORTED: the plan takes more than
 * spec.memory_limit. */
peft_status pf_exec_create(pf_exec *e, pf_graph *g);
size_t      pf_exec_bytes(const pf_exec *e);                           /* of arena and scratch */
peft_status pf_exec_check_limit(const pf_exec *e);                     /* PEFT_E_UNSUPPORTED: above the memory limit */
size_t      pf_exec_table_bytes(const pf_exec *e);                     /* memory of nodes, values and plan */
/* Bytes of scratch that g needs: of the largest node, and spec.least_scratch at least. */
peft_status pf_exec_scratch(const pf_graph *g, size_t *bytes);
/* Sets the pointers of all values. memory: pf_exec_bytes for arena and scratch; NULL: allocates them. */
peft_status pf_exec_bind(pf_exec *e, void *memory);
void        pf_exec_free(pf_exec *e);                                  /* e may be all zeros */
/* Inputs (input.c): an input is found by name once (PEFT_E_NOTFOUND lists all names), then data is bound by its index;
 * for index -1 pf_exec_bind_input does nothing. */
peft_status pf_exec_find_input(const pf_exec *e, const char *name, int *input);
void        pf_exec_bind_input(pf_exec *e, int input, const void *data); /* borrowed for the next run */
peft_status pf_exec_check_inputs(const pf_exec *e);                    /* PEFT_E_STATE: an input has no data */
/* Runs nodes begin .. end-1 (whole graph: 0, nodes); with log level 3 each writes a line (report/). */
void        pf_exec_run(pf_exec *e, uint32_t begin, uint32_t end);
pk_real    *pf_exec_data(const pf_exec *e, pf_val v);                  /* the first element of v */

/* Runs the passes (passes/passes.def) on a forward graph. loss PF_NONE: appends no backward nodes. PEFT_E_NOTFOUND,
 * PEFT_E_INVALID: the compile settings leave out a pass that does not exist or is required. */
peft_status pf_compile(pf_graph *g, pf_val loss);
/* Runs the passes of phase PF_MEMORY, when it is settled which part of the graph is planned (pf_graph_cut). */
peft_status pf_compile_memory(pf_graph *g);
#endif
