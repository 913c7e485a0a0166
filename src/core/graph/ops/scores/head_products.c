/* SPDX-License-Identifier: Apache-2.0
 * head_products.c -- attention's two matrix products as operations of their own, for methods that change the scores or
 * the weights between them: attention_scores, the queries times the keys, and attention_apply, the weights times the
 * values. Each is one product for each head of each sample; so are their gradients. */
#include "core/graph/op.h"

/* Element (0, 0) of a value [b,n,d] for one head of one sample; NULL before memory is bound. */
static pk_real *columns_of(const pf_run *r, pf_val v, int64_t heads, int64_t sample, int64_t head)
{
    const pf_mat m = pf_matrix(r, v);
    const pf_shape *s = &pf_v(r->g, v)->shape;
    return m.p ? m.p + sample * s->dim[1] * m.ld + head * (s->dim[2] / heads) : NULL;
}

/* The same for a value [b,heads,n,m]. */
static pk_real *matrix_of(const pf_run *r, pf_val v, int64_t sample, int64_t head)
{
    const pf_mat m = pf_matrix(r, v);
    const pf_shape *s = &pf_v(r->g, v)->shape;
    return m.p ? m.p + (sample * s->dim[1] + head) * s->dim[2] * m.ld : NULL;
}

static int64_t gap(const pf_run *r, pf_val v) { return pf_matrix(r, v).ld; }        /* from a row to the next */

/* The product of one head of one sample, for each of the operations below. Before memory is bound its pointers are
 * NULL. */
static pk_gemm scores_product(const pf_run *r, const pf_node *n, int64_t sample, int64_t head);
static pk_gemm apply_product(const pf_run *r, const pf_node *n, int64_t sample, int64_t head);
static pk_gemm apply_t_product(const pf_run *r, const pf_node *n, int64_t sample, int64_t head);
static pk_gemm product_of(const pf_run *r, const pf_node *n, int64_t sample, int64_t head)
{
    pk_gemm p = n->op == &pf_op_attention_scores ? scores_product(r, n, sample, head)
              : n->op == &pf_op_attention_apply ? apply_product(r, n, sample, head)
                                                : apply_t_product(r, n, sample, head);
    p.compute = r->attention;
    return p;
}

/* Extents [b,heads,n,m] of the scores or weights: the output of attention_scores, an input of the others. */
static const pf_shape *weights_shape(const pf_graph *g, const pf_node *n)
{
    return &pf_v(g, n->op == &pf_op_attention_scores ? n->out[0] : n->in[0])->shape;
}

typedef struct { const pf_run *r; const pf_node *n; int64_t heads; size_t worker_bytes; } job;

static void one_head(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    const pk_gemm p = product_of(j->r, j->n, task / j->heads, task % j->heads);
    pk_pool *const this_thread_only = NULL;
    pk_gemm_run(j->r->kernels, this_thread_only, PK_GEMM_OWN, &p,
                (char *)j->r->scratch + (size_t)worker * j->worker_bytes);
}

static size_t worker_bytes(const pf_run *r, const pf_node *n)
{
    const int64_t any_sample = 0, any_head = 0;          /* all have the same extents */
    const int threads = 1;                               /* of a product */
    const pk_gemm p = product_of(r, n, any_sample, any_head);
    return pf_align_up(pk_gemm_work(r->kernels, p.compute, p.m, p.n, p.k, threads));
}
static size_t scratch(const pf_run *r, const pf_node *n) { return worker_bytes(r, n) * (size_t)r->threads; }

static void run(const pf_run *r, const pf_node *n)
{
    const pf_shape *s = weights_shape(r->g, n);
    job j = { r, n, s->dim[1], worker_bytes(r, n) };
    pk_pool_run(r->pool, s->dim[0] * s->dim[1], one_head, &j);
}

/* Two for each weight and column of a head. */
static int64_t flops(const pf_graph *g, const pf_node *n)
{
    const pf_shape *s = weights_shape(g, n);
    return 2 * pf_shape_count(s) * (pf_cols(g, n->in[1]) / s->dim[1]);
}

/* in: x [b,n,d], y [b,m,d]; attr i[0]: heads, f[0]: factor; out: [b,heads,n,m], of each head factor * x y^T */
static bool scores_infer(pf_graph *g, pf_node *n)
{
    const pf_shape x = pf_v(g, n->in[0])->shape, y = pf_v(g, n->in[1])->shape;
    const int64_t heads = n->attr.i[0];
    if (x.ndim != 3 || y.ndim != 3 || x.dim[0] != y.dim[0] || x.dim[2] != y.dim[2] || heads < 1 || x.dim[2] % heads)
        return pf_bad_shape(g, n, "[b, n, d] and [b, m, d], d a multiple of the heads");
    return pf_output(g, n, 0, pf_shape_of(4, x.dim[0], heads, x.dim[1], y.dim[1]));
}
static pk_gemm scores_product(const pf_run *r, const pf_node *n, int64_t sample, int64_t head)
{
    const pf_shape *x = &pf_v(r->g, n->in[0])->shape;
    const int64_t heads = n->attr.i[0];
    return (pk_gemm){ .m = x->dim[1], .n = pf_v(r->g, n->in[1])->shape.dim[1], .k = x->dim[2] / heads,
                      .a = columns_of(r, n->in[0], heads, sample, head), .a_row = gap(r, n->in[0]), .a_col = 1,
                      .b = columns_of(r, n->in[1], heads, sample, head), .b_row = 1, .b_col = gap(r, n->in[1]),
                      .c = matrix_of(r, n->out[0], sample, head), .c_row = gap(r, n->out[0]),
                      .scale = (pk_real)n->attr.f[0] };
}
static void scores_grad(pf_grads *gr, const pf_node *n)
{
    const pf_val d = pf_grad_of(gr, n->out[0]), x = n->in[0], y = n->in[1];
    if (pf_grad_wanted(gr, x)) pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_attention_apply, &n->attr, d, y));
    if (pf_grad_wanted(gr, y)) pf_grad_add(gr, y, PF_EMIT_BACKWARD(gr, &pf_op_attention_apply_t, &n->attr, d, x));
}
const pf_op pf_op_attention_scores = { .name = "attention_scores", .kernel = "gemm", .rounds = 1u << 1,
    .infer = scores_infer, .grad = scores_grad, .scratch_bytes = scratch, .run = run, .flops = flops };

/* Do weights p [b,heads,n,m] fit rows x [b,k,d], k being their extent number `axis`? */
static bool weights_fit(const pf_shape *p, const pf_shape *x, int axis)
{
    return p->ndim == 4 && x->ndim == 3 && p->dim[0] == x->dim[0] && p->dim[axis] == x->dim[1]
        && x->dim[2] % p->dim[1] == 0;
}

/* in: p [b,heads,n,m], v [b,m,d]; attr i[0]: heads, f[0]: factor; out: [b,n,d], of each head factor * p v */
static bool apply_infer(pf_graph *g, pf_node *n)
{
    const pf_shape p = pf_v(g, n->in[0])->shape, v = pf_v(g, n->in[1])->shape;
    if (!weights_fit(&p, &v, 3))
        return pf_bad_shape(g, n, "weights [b, heads, n, m] and values [b, m, d], d a multiple of the heads");
    return pf_output(g, n, 0, pf_shape_of(3, p.dim[0], p.dim[2], v.dim[2]));
}
static pk_gemm apply_product(const pf_run *r, const pf_node *n, int64_t sample, int64_t head)
{
    const pf_shape *p = &pf_v(r->g, n->in[0])->shape;
    const int64_t heads = p->dim[1];
    return (pk_gemm){ .m = p->dim[2], .n = pf_cols(r->g, n->in[1]) / heads, .k = p->dim[3],
                      .a = matrix_of(r, n->in[0], sample, head), .a_row = gap(r, n->in[0]), .a_col = 1,
                      .b = columns_of(r, n->in[1], heads, sample, head), .b_row = gap(r, n->in[1]), .b_col = 1,
                      .c = columns_of(r, n->out[0], heads, sample, head), .c_row = gap(r, n->out[0]),
                      .scale = (pk_real)n->attr.f[0] };
}
static void apply_grad(pf_grads *gr, const pf_node *n)
{
    const pf_val d = pf_grad_of(gr, n->out[0]), p = n->in[0], v = n->in[1];
    if (pf_grad_wanted(gr, p)) pf_grad_add(gr, p, PF_EMIT_BACKWARD(gr, &pf_op_attention_scores, &n->attr, d, v));
    if (pf_grad_wanted(gr, v)) pf_grad_add(gr, v, PF_EMIT_BACKWARD(gr, &pf_op_attention_apply_t, &n->attr, p, d));
}
const pf_op pf_op_attention_apply = { .name = "attention_apply", .kernel = "gemm", .flags = PF_STRIDED_OUT,
    .rounds = 1u << 1, .infer = apply_infer, .grad = apply_grad, .scratch_bytes = scratch, .run = run, .flops = flops };

/* in: p [b,heads,n,m], x [b,n,d]; attr i[0]: heads, f[0]: factor; out: [b,m,d], of each head factor * p^T x */
static bool apply_t_infer(pf_graph *g, pf_node *n)
{
    const pf_shape p = pf_v(g, n->in[0])->shape, x = pf_v(g, n->in[1])->shape;
    if (!weights_fit(&p, &x, 2))
        return pf_bad_shape(g, n, "weights [b, heads, n, m] and rows [b, n, d], d a multiple of the heads");
    return pf_output(g, n, 0, pf_shape_of(3, p.dim[0], p.dim[3], x.dim[2]));
}
static pk_gemm apply_t_product(const pf_run *r, const pf_node *n, int64_t sample, int64_t head)
{
    pk_gemm p = apply_product(r, n, sample, head);
    const int64_t rows = p.m;
    p.m = p.k;
    p.k = rows;
    p.a_col = p.a_row;
    p.a_row = 1;
    return p;
}
const pf_op pf_op_attention_apply_t = { .name = "attention_apply_t", .kernel = "gemm", .flags = PF_STRIDED_OUT,
    .rounds = 1u << 0 | 1u << 1, .infer = apply_t_infer, .scratch_bytes = scratch, .run = run, .flops = flops };
