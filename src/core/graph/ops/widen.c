/* SPDX-License-Identifier: Apache-2.0
 * widen.c -- converts an f16 or bf16 weight to pk_real. The widen pass inserts it before operations that read pk_real
 * only. */
#include "core/graph/op.h"

/* in: a CONST of any type; out: the same extents */
static bool infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[0]); }

typedef struct { const pk_table *kernels; pk_weight w; pk_real *to; } job;

static void widen_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    const pk_real *x = pk_weight_read(j->kernels, &j->w, begin, end - begin, j->to + begin);
    /* pk_weight_read copies nothing if the weight is pk_real already */
    if (x != j->to + begin) memcpy(j->to + begin, x, (size_t)(end - begin) * sizeof *x);
}

static void run(const pf_run *r, const pf_node *n)
{
    job j = { r->kernels, pf_weight_of(r, n->in[0]), r->ptr[n->out[0].id] };
    pf_parallel(r, j.w.rows * j.w.cols, PF_GRAIN, widen_range, &j);
}
const pf_op pf_op_widen = { .name = "widen", .kernel = "widen", .flags = PF_NO_GRADIENT, .any_type = 1u << 0,
    .infer = infer, .run = run };
