/* SPDX-License-Identifier: Apache-2.0
 * convert.c -- conversions between element types: widen, of f16 and bf16 to pk_real, which the widen pass inserts for
 * weights and the keep pass for kept values, and narrow, which rounds a value to bf16. */
#include "core/graph/op.h"

typedef struct { const pk_table *kernels; pk_weight from; void *to; } job;

/* in: a CONST of any type, or a TEMP; out: the same extents */
static bool widen_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[0]); }

static void widen_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    pk_real *to = (pk_real *)j->to + begin;
    (void)worker;
    const pk_real *x = pk_weight_read(j->kernels, &j->from, begin, end - begin, to);
    /* pk_weight_read copies nothing if the weight is pk_real already */
    if (x != to) memcpy(to, x, (size_t)(end - begin) * sizeof *x);
}

static void run(const pf_run *r, const pf_node *n, pf_range_fn fn)
{
    job j = { r->kernels, pf_weight_of(r, n->in[0]), r->ptr[n->out[0].id] };
    pf_parallel(r, j.from.rows * j.from.cols, PF_GRAIN, fn, &j);
}

static void widen_run(const pf_run *r, const pf_node *n) { run(r, n, widen_range); }
const pf_op pf_op_widen = { .name = "widen", .kernel = "widen", .flags = PF_NO_GRADIENT, .any_type = 1u << 0,
    .infer = widen_infer, .run = widen_run };

/* in: a TEMP of pk_real; out: the same extents, of PK_BF16 */
static bool narrow_infer(pf_graph *g, pf_node *n)
{
    if (!pf_output_like(g, n, 0, n->in[0])) return false;
    pf_v(g, n->out[0])->type = PK_BF16;
    pf_v(g, n->out[0])->rounded = n->in[0];
    return true;
}

static void narrow_range(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    j->kernels->narrow((uint16_t *)j->to + begin, (const pk_real *)j->from.data + begin, end - begin);
}

static void narrow_run(const pf_run *r, const pf_node *n) { run(r, n, narrow_range); }
const pf_op pf_op_narrow = { .name = "narrow", .kernel = "narrow", .flags = PF_NO_GRADIENT, .infer = narrow_infer,
    .run = narrow_run };
