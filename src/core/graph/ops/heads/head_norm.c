/* SPDX-License-Identifier: Apache-2.0
 * head_norm.c -- LayerNorm of each head's columns of a token, with one gamma and beta for all heads (the norms of q and
 * k), and its gradients. The backward pass reads mean and 1/deviation (rstd) of each head of each token. */
#include "core/graph/op.h"

enum { HEADS };                                         /* attr.i: number of heads */

/* in: x [b,t,d], gamma?, beta? [d / heads]; attr i[0]: heads, f[0]: eps; out: y [b,t,d], mean, rstd [b,heads,t] */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_shape x = pf_v(g, n->in[0])->shape;
    const int64_t heads = n->attr.i[HEADS];
    bool fits = x.ndim == 3 && heads > 0 && x.dim[2] % heads == 0;
    for (int i = 1; i < 3 && fits; i++)
        fits = !pf_exists(n->in[i]) || pf_shape_count(&pf_v(g, n->in[i])->shape) == x.dim[2] / heads;
    if (!fits) return pf_bad_shape(g, n, "x [b, t, d], gamma and beta [d / heads], d a multiple of the heads");
    const pf_shape statistics = pf_shape_of(3, x.dim[0], heads, x.dim[1]);
    return pf_output(g, n, 0, x) && pf_output(g, n, 1, statistics) && pf_output(g, n, 2, statistics);
}

typedef struct { const pf_run *r; const pf_node *n; int64_t heads, tokens, cols; } job;

/* A job for the node n, whose input x is [b,t,d]. */
static job job_of(const pf_run *r, const pf_node *n, pf_val x)
{
    const pf_shape *s = &pf_v(r->g, x)->shape;
    return (job){ r, n, n->attr.i[HEADS], s->dim[1], s->dim[2] / n->attr.i[HEADS] };
}

/* Runs fn for each head of each sample; task: sample * heads + head. */
static void for_heads(const pf_run *r, pf_val x, job *j, pk_task fn)
{
    pk_pool_run(r->pool, pf_v(r->g, x)->shape.dim[0] * j->heads, fn, j);
}

/* The columns of the task's head in the rows of its sample; p is NULL if v is PF_NONE. */
static pf_mat part(const job *j, pf_val v, int64_t task)
{
    pf_mat m = pf_matrix(j->r, v);
    if (m.p) m.p += task / j->heads * j->tokens * m.ld + task % j->heads * j->cols;
    return m;
}

static void forward(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    const pf_run *r = j->r;
    const pf_mat x = part(j, j->n->in[0], task), y = part(j, j->n->out[0], task);
    pk_real *mean = r->ptr[j->n->out[1].id], *rstd = r->ptr[j->n->out[2].id];
    const int64_t first = task * j->tokens;
    (void)worker;
    r->kernels->layernorm(y.p, y.ld, mean ? mean + first : NULL, rstd ? rstd + first : NULL, x.p, x.ld,
                          r->ptr[j->n->in[1].id], r->ptr[j->n->in[2].id], (pk_real)j->n->attr.f[0], j->tokens, j->cols);
}

static void run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n, n->in[0]);
    for_heads(r, n->in[0], &j, forward);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    const pf_val dy = pf_grad_of(gr, n->out[0]), x = n->in[0], gamma = n->in[1], beta = n->in[2];
    const pf_val mean = n->out[1], rstd = n->out[2];
    pf_attr a = n->attr;
    if (pf_grad_wanted(gr, x))
        pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_head_norm_dx, &a, dy, x, mean, rstd, gamma));
    if (pf_grad_wanted(gr, gamma)) {
        a.shape = pf_v(gr->g, gamma)->shape;
        pf_grad_add(gr, gamma, PF_EMIT_BACKWARD(gr, &pf_op_head_sums, &a, dy, x, mean, rstd));
    }
    if (pf_grad_wanted(gr, beta)) {
        a.shape = pf_v(gr->g, beta)->shape;
        pf_grad_add(gr, beta, PF_EMIT_BACKWARD(gr, &pf_op_head_sums, &a, dy));
    }
}

const pf_op pf_op_head_norm = { .name = "head_norm", .kernel = "layernorm", .flags = PF_ROWWISE | PF_STRIDED_OUT,
    .infer = infer, .grad = grad, .run = run };

/* in: dy, x, mean, rstd, gamma?; attr i[0]: heads; out: dx */
static bool dx_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }

static void backward(void *arg, int64_t task, int worker)
{
    const job *j = arg;
    const pf_run *r = j->r;
    const pf_mat dy = part(j, j->n->in[0], task), x = part(j, j->n->in[1], task), dx = part(j, j->n->out[0], task);
    const int64_t first = task * j->tokens;
    (void)worker;
    r->kernels->layernorm_grad(dx.p, dx.ld, dy.p, dy.ld, x.p, x.ld, r->ptr[j->n->in[2].id] + first,
                               r->ptr[j->n->in[3].id] + first, r->ptr[j->n->in[4].id], NULL, 0, j->tokens, j->cols);
}

static void dx_run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n, n->in[1]);
    for_heads(r, n->in[1], &j, backward);
}

const pf_op pf_op_head_norm_dx = { .name = "head_norm_dx", .kernel = "layernorm_grad", .flags = PF_STRIDED_OUT,
    .inplace = 1, .rounds = 1u << 1, .infer = dx_infer, .run = dx_run };

/* in: dy [b,t,d], then x, mean, rstd or none of them; attr shape: of gamma; out [d / heads]: the sum over samples,
 * heads and tokens of dy (x - mean) rstd, the gradient of gamma, or of dy, that of beta. Threads share the columns. */
static bool sums_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }

/* Computes elements begin .. end - 1. */
static void sums(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pf_run *r = j->r;
    const pk_real *mean = r->ptr[j->n->in[2].id], *rstd = r->ptr[j->n->in[3].id];
    const int64_t tasks = pf_v(r->g, j->n->in[0])->shape.dim[0] * j->heads;
    pk_real *out = r->ptr[j->n->out[0].id] + begin;
    (void)worker;
    memset(out, 0, (size_t)(end - begin) * sizeof *out);
    for (int64_t task = 0; task < tasks; task++) {
        const pf_mat dy = part(j, j->n->in[0], task), x = part(j, j->n->in[1], task);
        const int64_t first = task * j->tokens;
        r->kernels->col_sums(out, dy.p + begin, dy.ld, x.p ? x.p + begin : NULL, x.ld, mean ? mean + first : NULL,
                             rstd ? rstd + first : NULL, j->tokens, end - begin);
    }
}

static void sums_run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n, n->in[0]);
    pf_parallel(r, j.cols, PF_COLUMN_GRAIN, sums, &j);
}

const pf_op pf_op_head_sums = { .name = "head_sums", .kernel = "col_sums", .rounds = 1u << 1,
    .infer = sums_infer, .run = sums_run };
