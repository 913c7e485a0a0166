/* SPDX-License-Identifier: Apache-2.0
 * attention_map.c -- the softmax weights of an attention as one matrix for all heads, for maps over the image.
 * attention_map computes them from q and k, one row at a time, and keeps no head's matrix; fuse_heads takes those of a
 * method that computes attention step by step. Sums are in double. No gradient flows through them. */
#include <math.h>
#include "core/graph/op.h"
#include "core/graph/ops/scores/attention_map.h"

enum { Q, K, XK, SINK, HSCALE };                         /* inputs of attention_map */

/* Rows of the token axis, the last but one. */
static int64_t rows_of(const pf_graph *g, pf_val v)
{
    const pf_shape *s = &pf_v(g, v)->shape;
    return pf_exists(v) ? s->dim[s->ndim - 2] : 0;
}

/* Adds a head's row of n weights to the fused row; the mean is divided by the heads at the end. */
static void fuse_row(double *fused, const double *weight, int64_t n, pf_fuse fuse, bool first)
{
    for (int64_t j = 0; j < n; j++) {
        const double w = weight[j];
        if (first) fused[j] = w;
        else if (fuse == PF_FUSE_MEAN) fused[j] += w;
        else if (fuse == PF_FUSE_MAX ? w > fused[j] : w < fused[j]) fused[j] = w;
    }
}

static void write_row(pk_real *out, const double *fused, int64_t n, pf_fuse fuse, int64_t heads)
{
    const double divisor = fuse == PF_FUSE_MEAN ? (double)heads : 1;
    for (int64_t j = 0; j < n; j++) out[j] = (pk_real)(fused[j] / divisor);
}

/* in: q [b,t,d], k [b,n,d], xk? [b,m,d] or [m,d], sink? [t], head_scale? [heads]; attr i[0]: fuse, i[1]: heads; out:
 * [b,t,n], the weights of k in the softmax over k, xk and sink. An attention node has checked these values. */
static bool map_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *q = &pf_v(g, n->in[Q])->shape, *k = &pf_v(g, n->in[K])->shape;
    if (q->ndim != 3 || k->ndim != 3) return pf_bad_shape(g, n, "q [b, t, d] and k [b, n, d]");
    return pf_output(g, n, 0, pf_shape_of(3, q->dim[0], q->dim[1], k->dim[1]));
}

typedef struct { const pf_run *r; const pf_node *n; int64_t heads, keys, extra; size_t worker_bytes; } job;

static job job_of(const pf_run *r, const pf_node *n)
{
    job j = { r, n, n->attr.i[PF_MAP_HEADS], rows_of(r->g, n->in[K]), rows_of(r->g, n->in[XK]), 0 };
    j.worker_bytes = pf_align_up((size_t)(2 * j.keys + j.extra) * sizeof(double));
    return j;
}
static size_t map_scratch(const pf_run *r, const pf_node *n) { return job_of(r, n).worker_bytes * (size_t)r->threads; }

/* A row of a value [b,n,d] or [n,d] for one head of a sample. */
static const pk_real *head_row(const pf_run *r, pf_val v, int64_t sample, int64_t row, int64_t first_column)
{
    const pf_mat m = pf_matrix(r, v);
    const pf_shape *s = &pf_v(r->g, v)->shape;
    const bool of_samples = s->ndim == 3 && s->dim[0] > 1;
    return m.p + ((of_samples ? sample * rows_of(r->g, v) : 0) + row) * m.ld + first_column;
}

static double dot(const pk_real *x, const pk_real *y, int64_t n)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++) sum += (double)x[c] * (double)y[c];
    return sum;
}

/* weight [keys + extra]: the softmax of one head and query. */
static void softmax_row(const job *j, int64_t sample, int64_t query, int64_t head, double *weight)
{
    const pf_run *r = j->r;
    const pf_node *n = j->n;
    const pk_real *sink = r->ptr[n->in[SINK].id], *scale = r->ptr[n->in[HSCALE].id];
    const int64_t d = pf_cols(r->g, n->in[Q]) / j->heads, column = head * d, all = j->keys + j->extra;
    const double factor = (scale ? (double)scale[head] : 1) / sqrt((double)d);
    const pk_real *q = head_row(r, n->in[Q], sample, query, column);
    double largest = sink ? (double)sink[query] : -INFINITY;
    for (int64_t i = 0; i < all; i++) {
        const bool own = i < j->keys;
        weight[i] = factor * dot(q, head_row(r, n->in[own ? K : XK], sample, own ? i : i - j->keys, column), d);
        if (weight[i] > largest) largest = weight[i];
    }
    double sum = sink ? exp((double)sink[query] - largest) : 0;
    for (int64_t i = 0; i < all; i++) sum += weight[i] = exp(weight[i] - largest);
    for (int64_t i = 0; i < all; i++) weight[i] /= sum;
}

/* Row `task` of the output, of all samples' queries. */
static void map_row(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    const int64_t queries = rows_of(j->r->g, j->n->in[Q]);
    const pf_fuse fuse = (pf_fuse)j->n->attr.i[PF_MAP_FUSE];
    double *fused = (double *)((char *)j->r->scratch + (size_t)worker * j->worker_bytes), *weight = fused + j->keys;
    for (int64_t h = 0; h < j->heads; h++) {
        softmax_row(j, task / queries, task % queries, h, weight);
        fuse_row(fused, weight, j->keys, fuse, h == 0);
    }
    write_row(j->r->ptr[j->n->out[0].id] + task * j->keys, fused, j->keys, fuse, j->heads);
}
static void map_run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n);
    pk_pool_run(r->pool, pf_rows(r->g, n->in[Q]), map_row, &j);
}
static int64_t map_flops(const pf_graph *g, const pf_node *n)
{
    return 2 * pf_shape_count(&pf_v(g, n->in[Q])->shape) * (rows_of(g, n->in[K]) + rows_of(g, n->in[XK]));
}
const pf_op pf_op_attention_map = { .name = "attention_map", .flags = PF_NO_GRADIENT, .infer = map_infer,
    .scratch_bytes = map_scratch, .run = map_run, .flops = map_flops };

/* in: weights [b,heads,t,n]; attr i[0]: fuse; out: [b,t,n] */
static bool fuse_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *p = &pf_v(g, n->in[0])->shape;
    if (p->ndim != 4) return pf_bad_shape(g, n, "weights [b, heads, t, n]");
    return pf_output(g, n, 0, pf_shape_of(3, p->dim[0], p->dim[2], p->dim[3]));
}
static size_t fuse_scratch(const pf_run *r, const pf_node *n)
{
    return (size_t)(2 * pf_v(r->g, n->in[0])->shape.dim[3]) * sizeof(double);
}
static void fuse_run(const pf_run *r, const pf_node *n)
{
    const pf_shape *p = &pf_v(r->g, n->in[0])->shape;
    const int64_t heads = p->dim[1], queries = p->dim[2], keys = p->dim[3];
    const pf_fuse fuse = (pf_fuse)n->attr.i[PF_MAP_FUSE];
    const pf_mat x = pf_matrix(r, n->in[0]);
    double *fused = r->scratch, *weight = fused + keys;
    for (int64_t row = 0; row < p->dim[0] * queries; row++) {
        const int64_t first = row / queries * heads * queries + row % queries;
        for (int64_t h = 0; h < heads; h++) {
            for (int64_t j = 0; j < keys; j++) weight[j] = (double)x.p[(first + h * queries) * x.ld + j];
            fuse_row(fused, weight, keys, fuse, h == 0);
        }
        write_row(r->ptr[n->out[0].id] + row * keys, fused, keys, fuse, heads);
    }
}
const pf_op pf_op_fuse_heads = { .name = "fuse_heads", .flags = PF_NO_GRADIENT, .infer = fuse_infer,
    .scratch_bytes = fuse_scratch, .run = fuse_run };
