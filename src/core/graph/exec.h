/* SPDX-License-Identifier: Apache-2.0
 * exec.h -- a compiled graph: memory plan, bound pointers, and the walk over the nodes. */
#ifndef PF_EXEC_H
#define PF_EXEC_H
#include "core/graph/graph.h"

/* What a running operation sees. */
struct pf_run {
    const pf_graph *g;
    const pk_table *k;
    pk_pool *pool;                       /* NULL: the caller's thread alone */
    int threads;
    pk_gemm_kind gemm;
    void *work;                          /* the largest scratch any node asked for */
    pk_real **ptr;                       /* [values]: where each value stands */
    bool accumulate;                     /* store adds to the gradients already there */
    uint64_t seed, step;
};

/* A value as a matrix: row i at p + i*ld. */
typedef struct pf_mat { pk_real *p; int64_t rows, cols, ld; } pf_mat;
pf_mat pf_matrix(const pf_run *r, pf_val v);                           /* PF_NONE: p is NULL */
/* A dense value as a matrix [first extent, product of the others], of whatever type it is held in. Operations that read
 * weights of other types than PK_REAL (pf_op.typed) must use it: r->ptr of such a weight is NULL. */
pk_weight pf_weight_of(const pf_run *r, pf_val v);
/* fn over n items in chunks of at least `grain` items, chunk borders a function of n and grain alone. */
typedef void (*pf_range_fn)(void *arg, int64_t begin, int64_t end, int worker);
void   pf_parallel(const pf_run *r, int64_t n, int64_t grain, pf_range_fn fn, void *arg);
#define PF_GRAIN 16384                                                 /* elements worth a task of their own */

typedef struct pf_plan {
    size_t *offset;                      /* [values] in the arena, SIZE_MAX: not there */
    uint32_t *last;                      /* [values]: the node after which a root's memory is free */
    size_t arena, work;                  /* bytes */
    size_t given;                        /* bytes at the arena's start that hold the values given to the graph */
} pf_plan;
peft_status pf_plan_make(pf_plan *p, const pf_graph *g, const pf_run *r, unsigned flags);
size_t      pf_plan_work(const pf_graph *g, const pf_run *r);          /* scratch: the most that a node asks for */
void        pf_plan_free(pf_plan *p, const pf_graph *g);

typedef struct pf_exec {
    pf_graph g;                          /* owned */
    pf_plan plan;
    pf_run run;
    bool owns_arena;
    bool reads[PF_INPUTS_MAX];           /* inputs that a node reads */
    void *arena;                         /* arena, then work */
    int64_t flops;
} pf_exec;

/* Takes g over (also on failure) and plans its memory, which pf_exec_bind then provides: pf_exec_bytes at memory, or,
 * where that is NULL, memory of its own. PEFT_E_UNSUPPORTED: the plan takes more than spec.memory_limit. */
peft_status pf_exec_create(pf_exec *e, pf_graph *g);
size_t      pf_exec_bytes(const pf_exec *e);                           /* what bind needs */
peft_status pf_exec_check_limit(const pf_exec *e);                     /* pf_exec_bytes against the memory limit */
size_t      pf_exec_table_bytes(const pf_exec *e);                     /* what the graph itself holds */
peft_status pf_exec_bind(pf_exec *e, void *memory);
void        pf_exec_free(pf_exec *e);                                  /* a zeroed one is fine */
/* Inputs (input.c): an input is found by name once (PEFT_E_NOTFOUND lists all names), then data is bound by its index;
 * for index -1 pf_exec_input does nothing. */
peft_status pf_exec_find_input(const pf_exec *e, const char *name, int *input);
void        pf_exec_input(pf_exec *e, int input, const void *data);    /* borrowed for the next run */
peft_status pf_exec_bound(const pf_exec *e);                           /* PEFT_E_STATE: one that is read has no data */
/* Runs nodes begin .. end-1 (whole graph: 0, nodes). */
void        pf_exec_run(pf_exec *e, uint32_t begin, uint32_t end);
pk_real    *pf_exec_data(const pf_exec *e, pf_val v);
void        pf_exec_describe(const pf_exec *e, void (*fn)(const char *line, void *user), void *user);

/* The passes (passes/passes.def) on a forward graph. loss PF_NONE: no backward nodes. PEFT_E_NOTFOUND, PEFT_E_INVALID:
 * the compile settings leave out a pass that is unknown or required. */
peft_status pf_compile(pf_graph *g, pf_val loss);
#endif
