/* SPDX-License-Identifier: Apache-2.0
 * attention_mass.c -- shares of attention. attention_mass: what each key receives, its softmax weight averaged over the
 * queries; FPT ranks tokens by it. sink_mass: what the sink of each query takes; taps of sessions show it. No gradient
 * flows through them. */
#include <math.h>
#include "core/graph/op.h"

enum { HEAD_DIM_MAX = 1024 };                            /* columns of a head */
enum { Q, K, V, OUT, LSE, HSCALE };                      /* inputs; HSCALE: the scale of each head */
enum { HEADS, FIRST_QUERY_ONLY };                        /* attr.i */

/* in: q [b,t,d], k, v [b,n,d], out, lse of their attention, head_scale? [heads]; attr i[0]: heads, i[1]: 1: of the
 * queries only row 0, the class token, counts; out: [b,heads,n]. The attention's infer has checked q, k and v. */
static bool mass_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *k = &pf_v(g, n->in[K])->shape;
    const int64_t heads = n->attr.i[HEADS];
    if (k->dim[2] / heads > HEAD_DIM_MAX) return pf_bad_shape(g, n, "heads of at most 1024 columns");
    return pf_output(g, n, 0, pf_shape_of(3, k->dim[0], heads, k->dim[1]));
}

/* The attention of one head of one sample; before memory is bound, pointers are NULL and only extents are set. */
static pk_attention one_head(const pf_run *r, const pf_node *n, int64_t sample, int64_t head)
{
    const pf_shape *q = &pf_v(r->g, n->in[Q])->shape, *k = &pf_v(r->g, n->in[K])->shape;
    const int64_t heads = n->attr.i[HEADS], d = q->dim[2] / heads;
    const int64_t rows[LSE] = { q->dim[1], k->dim[1], k->dim[1], q->dim[1] };      /* of q, k, v, out in a sample */
    pk_real *lse = r->ptr[n->in[LSE].id], *scale = r->ptr[n->in[HSCALE].id];
    pk_operand in[LSE];                                  /* q, k, v, out */
    for (int i = Q; i < LSE; i++) {
        pf_mat m = pf_matrix(r, n->in[i]);
        in[i] = (pk_operand){ m.p ? m.p + sample * rows[i] * m.ld + head * d : NULL, 0, m.ld, PK_REAL };
    }
    return (pk_attention){ .samples = 1, .heads = 1, .head_dim = d, .compute = r->attention,
                           .queries = n->attr.i[FIRST_QUERY_ONLY] ? 1 : q->dim[1],
                           .keys = k->dim[1], .scale = (pk_real)(1.0 / sqrt((double)d)),
                           .q = in[Q], .k = in[K], .v = in[V],
                           .out = (void *)(uintptr_t)in[OUT].data, .out_row_stride = in[OUT].row_stride,
                           .head_scale = scale ? scale + head : NULL,
                           .lse = lse ? lse + (sample * heads + head) * q->dim[1] : NULL };
}

/* A worker's scratch memory: kernel_bytes for the gradient kernel, then dv_bytes for dv. */
typedef struct { const pf_run *r; const pf_node *n; size_t kernel_bytes, dv_bytes; } job;

/* Computes the mass of one head of one sample by the gradient kernel. With P_ij the weight of key j for query i, the
 * gradient of value j is dv_j = sum_i P_ij dout_i; with 1/queries in all entries of dout, each column of dv_j is the
 * mean over i of P_ij. */
static void mass_head(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    const int64_t heads = j->n->attr.i[HEADS];
    char *scratch = (char *)j->r->scratch + (size_t)worker * (j->kernel_bytes + j->dv_bytes);
    pk_attention_grad grad = { .fwd = one_head(j->r, j->n, task / heads, task % heads) };
    pk_real weight[HEAD_DIM_MAX], *dv = (pk_real *)(scratch + j->kernel_bytes);
    pk_real *mass = j->r->ptr[j->n->out[0].id] + task * grad.fwd.keys;
    for (int64_t c = 0; c < grad.fwd.head_dim; c++) weight[c] = (pk_real)(1.0 / (double)grad.fwd.queries);
    grad.dout = (pk_operand){ weight, 0, 0, PK_REAL };
    grad.dv = (pk_output){ dv, 0, grad.fwd.head_dim };
    const int64_t first_sample = 0, first_head = 0;      /* grad.fwd has one sample with one head */
    j->r->kernels->product[j->r->attention].attention_grad(&grad, first_sample, first_head, scratch);
    for (int64_t t = 0; t < grad.fwd.keys; t++) mass[t] = dv[t * grad.fwd.head_dim];
}

static job job_of(const pf_run *r, const pf_node *n)
{
    const int64_t any_sample = 0, any_head = 0;          /* all have the same extents */
    pk_attention a = one_head(r, n, any_sample, any_head);
    return (job){ .r = r, .n = n, .kernel_bytes = pf_align_up(pk_attention_work(r->kernels, &a, PK_GRADIENT)),
                  .dv_bytes = pf_align_up((size_t)(a.keys * a.head_dim) * sizeof(pk_real)) };
}
static size_t mass_scratch(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n);
    return (j.kernel_bytes + j.dv_bytes) * (size_t)r->threads;
}
static void mass_run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n);
    pk_pool_run(r->pool, pf_v(r->g, n->out[0])->shape.dim[0] * n->attr.i[HEADS], mass_head, &j);
}
static int64_t mass_flops(const pf_graph *g, const pf_node *n)
{
    if (n->attr.i[FIRST_QUERY_ONLY]) return 0;           /* a single query counts as nothing */
    return 2 * pf_shape_count(&pf_v(g, n->in[Q])->shape) * pf_v(g, n->in[K])->shape.dim[1];
}
const pf_op pf_op_attention_mass = { .name = "attention_mass", .kernel = "attention_grad", .flags = PF_NO_GRADIENT,
    .infer = mass_infer, .scratch_bytes = mass_scratch,
    .run = mass_run, .flops = mass_flops };

/* in: lse [b,heads,nq] of an attention, its sink [nq] or [b,heads,nq]; out [b,nq]: exp(sink - lse), the sink's share of
 * the softmax of each query, mean over the heads */
static bool sink_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *lse = &pf_v(g, n->in[0])->shape;
    const int64_t sinks = pf_shape_count(&pf_v(g, n->in[1])->shape);
    if (lse->ndim != 3 || (sinks != lse->dim[2] && sinks != pf_shape_count(lse)))
        return pf_bad_shape(g, n, "lse [b, heads, n] and a sink for each query");
    return pf_output(g, n, 0, pf_shape_of(2, lse->dim[0], lse->dim[2]));
}
static void sink_run(const pf_run *r, const pf_node *n)
{
    const pf_shape *s = &pf_v(r->g, n->in[0])->shape;
    const int64_t heads = s->dim[1], queries = s->dim[2];
    const int64_t sinks = pf_shape_count(&pf_v(r->g, n->in[1])->shape);
    const pk_real *lse = r->ptr[n->in[0].id], *sink = r->ptr[n->in[1].id];
    pk_real *out = r->ptr[n->out[0].id];
    for (int64_t b = 0; b < s->dim[0]; b++)
        for (int64_t i = 0; i < queries; i++) {
            double sum = 0;
            for (int64_t h = 0; h < heads; h++) {
                const int64_t at = (b * heads + h) * queries + i;
                sum += exp((double)sink[at % sinks] - (double)lse[at]);
            }
            out[b * queries + i] = (pk_real)(sum / (double)heads);
        }
}
const pf_op pf_op_sink_mass = { .name = "sink_mass", .flags = PF_NO_GRADIENT, .infer = sink_infer, .run = sink_run };
