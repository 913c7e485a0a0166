/* SPDX-License-Identifier: Apache-2.0
 * top_rows.c -- selects, for each attention head, the token rows with the largest mass (attention_mass), for FPT. No
 * gradient flows through the selection or the rows. */
#include <math.h>
#include "core/graph/op.h"

typedef struct { const pf_run *r; const pf_node *n; size_t worker_bytes; } job;        /* scratch bytes of one thread */

/* in: x [b,t,d], mass [b,heads,t]; attr i[0]: n; out: [b,n,d]: the columns of head h are those of the n rows of x that
 * have the largest mass for head h */
static bool top_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    const pf_shape *mass = &pf_v(g, n->in[1])->shape;
    if (s.ndim != 3 || mass->ndim != 3 || mass->dim[0] != s.dim[0] || mass->dim[2] != s.dim[1]
        || s.dim[2] % mass->dim[1])
        return pf_bad_shape(g, n, "tokens [b, t, d] and their mass [b, heads, t]");
    if (n->attr.i[0] < 1 || n->attr.i[0] > s.dim[1])
        return pf_bad_shape(g, n, "at least one row and no more than there are");
    s.dim[1] = n->attr.i[0];
    return pf_output(g, n, 0, s);
}
/* A task is one head h of one sample b. */
static void top_head(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    const pf_shape *mass = &pf_v(j->r->g, j->n->in[1])->shape;
    const int64_t heads = mass->dim[1], t = mass->dim[2], b = task / heads, h = task % heads;
    const int64_t selected = j->n->attr.i[0];
    pf_mat x = pf_matrix(j->r, j->n->in[0]), y = pf_matrix(j->r, j->n->out[0]);
    const int64_t d = x.cols / heads;
    pk_real *mass_left = (pk_real *)((char *)j->r->scratch + (size_t)worker * j->worker_bytes);
    memcpy(mass_left, j->r->ptr[j->n->in[1].id] + task * t, (size_t)t * sizeof *mass_left);
    for (int64_t i = 0; i < selected; i++) {
        int64_t best = 0;                                /* of equal masses the first; selected rows get -Inf */
        for (int64_t c = 1; c < t; c++) if (mass_left[c] > mass_left[best]) best = c;
        mass_left[best] = (pk_real)-INFINITY;
        memcpy(y.p + (b * selected + i) * y.ld + h * d, x.p + (b * t + best) * x.ld + h * d, (size_t)d * sizeof *x.p);
    }
}
/* Scratch bytes of one thread: a copy of the mass of one head. */
static size_t worker_bytes(const pf_graph *g, const pf_node *n)
{
    return pf_align_up((size_t)pf_v(g, n->in[1])->shape.dim[2] * sizeof(pk_real));
}
static size_t top_scratch(const pf_run *r, const pf_node *n) { return worker_bytes(r->g, n) * (size_t)r->threads; }
static void top_run(const pf_run *r, const pf_node *n)
{
    job j = { r, n, worker_bytes(r->g, n) };
    const pf_shape *mass = &pf_v(r->g, n->in[1])->shape;
    pk_pool_run(r->pool, mass->dim[0] * mass->dim[1], top_head, &j);
}
const pf_op pf_op_top_rows = { .name = "top_rows", .flags = PF_NO_GRADIENT,
    .infer = top_infer, .scratch_bytes = top_scratch, .run = top_run };
