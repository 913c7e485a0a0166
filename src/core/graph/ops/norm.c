/* SPDX-License-Identifier: Apache-2.0
 * norm.c -- LayerNorm over the last extent and its gradients. The backward pass reads mean and 1/deviation (rstd) of
 * each row. */
#include "core/graph/op.h"

/* in: x, gamma?, beta? [cols]; attr f[0]: eps; out: y, mean, rstd */
static bool layernorm_infer(pf_graph *g, pf_node *n)
{
    for (int i = 1; i < 3; i++)
        if (pf_exists(n->in[i]) && pf_shape_count(&pf_v(g, n->in[i])->shape) != pf_cols(g, n->in[0]))
            return pf_bad_shape(g, n, "x [.., d], gamma [d], beta [d]");
    pf_shape rows = pf_v(g, n->in[0])->shape;
    rows.ndim--;
    return pf_output_like(g, n, 0, n->in[0]) && pf_output(g, n, 1, rows) && pf_output(g, n, 2, rows);
}

typedef struct { const pf_run *r; const pf_node *n; } job;

/* Normalises rows begin .. end - 1. */
static void forward(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pf_run *r = j->r;
    pf_mat x = pf_matrix(r, j->n->in[0]), y = pf_matrix(r, j->n->out[0]);
    pk_real *mean = r->ptr[j->n->out[1].id], *rstd = r->ptr[j->n->out[2].id];
    const pk_real *gamma = r->ptr[j->n->in[1].id], *beta = r->ptr[j->n->in[2].id];
    (void)worker;
    r->kernels->layernorm(y.p + begin * y.ld, y.ld, mean ? mean + begin : NULL, rstd ? rstd + begin : NULL,
                          x.p + begin * x.ld, x.ld, gamma, beta, (pk_real)j->n->attr.f[0], end - begin, x.cols);
}

static void layernorm_run(const pf_run *r, const pf_node *n)
{
    job j = { r, n };
    int64_t cols = pf_cols(r->g, n->in[0]);
    pf_parallel(r, pf_rows(r->g, n->in[0]), PF_GRAIN / cols + 1, forward, &j);
}

static void layernorm_grad(pf_grads *gr, const pf_node *n)
{
    pf_val dy = pf_grad_of(gr, n->out[0]), x = n->in[0], gamma = n->in[1], beta = n->in[2];
    const pf_val mean = n->out[1], rstd = n->out[2];
    if (pf_grad_wanted(gr, x))
        pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_layernorm_dx, NULL, dy, x, mean, rstd, gamma));
    if (pf_grad_wanted(gr, gamma)) {
        pf_attr a = { .shape = pf_v(gr->g, gamma)->shape };
        pf_grad_add(gr, gamma, PF_EMIT_BACKWARD(gr, &pf_op_layernorm_dgamma, &a, dy, x, mean, rstd));
    }
    if (pf_grad_wanted(gr, beta)) pf_grad_add_reduced(gr, beta, dy);
}

const pf_op pf_op_layernorm = { .name = "layernorm", .kernel = "layernorm", .flags = PF_ROWWISE | PF_STRIDED_OUT,
    .infer = layernorm_infer, .grad = layernorm_grad, .run = layernorm_run };

/* in: dy, x, mean, rstd, gamma?, add? (a gradient that the fuse pass adds in the same walk); out: dx + add */
static bool dx_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }

/* Computes rows begin .. end - 1 of dx. */
static void backward(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pf_run *r = j->r;
    const pf_val x = j->n->in[1];
    pf_mat dy = pf_matrix(r, j->n->in[0]), dx = pf_matrix(r, j->n->out[0]);
    pf_mat add = pf_matrix(r, j->n->in[PF_LAYERNORM_DX_ADD]);
    const pk_real *mean = r->ptr[j->n->in[2].id], *rstd = r->ptr[j->n->in[3].id], *gamma = r->ptr[j->n->in[4].id];
    const int64_t rows = pf_rows_each(r, x, end - begin), ldx = pf_matrix(r, x).ld;
    for (int64_t i = begin; i < end; i += rows)
        r->kernels->layernorm_grad(dx.p + i * dx.ld, dx.ld, dy.p + i * dy.ld, dy.ld,
                                   pf_real_row(r, x, i, pf_rows_buffer(r, x, worker)), ldx, mean + i, rstd + i, gamma,
                                   add.p ? add.p + i * add.ld : NULL, add.ld, rows, dx.cols);
}

static size_t dx_scratch(const pf_run *r, const pf_node *n) { return pf_rows_scratch(r, n->in[1]); }

static void dx_run(const pf_run *r, const pf_node *n)
{
    job j = { r, n };
    int64_t cols = pf_cols(r->g, n->in[1]);
    pf_parallel(r, pf_rows(r->g, n->in[1]), PF_GRAIN / cols + 1, backward, &j);
}

const pf_op pf_op_layernorm_dx = { .name = "layernorm_dx", .kernel = "layernorm_grad", .flags = PF_STRIDED_OUT,
    .inplace = 1u << 0 | 1u << PF_LAYERNORM_DX_ADD,     /* input 0: dy */
    .reads_bf16 = 1u << 1, .infer = dx_infer, .scratch_bytes = dx_scratch, .run = dx_run };

/* in: dy, x, mean, rstd; attr shape: of gamma; out: the sum over rows of dy * xhat, where
 * xhat = (x - mean) rstd. Threads share the columns. */
static bool dgamma_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }

/* Computes elements begin .. end - 1 of the gradient of gamma. */
static void dgamma(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pf_run *r = j->r;
    pf_mat dy = pf_matrix(r, j->n->in[0]), x = pf_matrix(r, j->n->in[1]);
    const pk_real *mean = r->ptr[j->n->in[2].id], *rstd = r->ptr[j->n->in[3].id];
    pk_real *out = r->ptr[j->n->out[0].id] + begin;
    (void)worker;
    memset(out, 0, (size_t)(end - begin) * sizeof *out);
    r->kernels->col_sums(out, dy.p + begin, dy.ld, x.p + begin, x.ld, mean, rstd, x.rows, end - begin);
}

static void dgamma_run(const pf_run *r, const pf_node *n)
{
    job j = { r, n };
    pf_parallel(r, pf_cols(r->g, n->in[0]), PF_COLUMN_GRAIN, dgamma, &j);
}

const pf_op pf_op_layernorm_dgamma = { .name = "layernorm_dgamma", .kernel = "col_sums",
    .rounds = 1u << 1, .infer = dgamma_infer, .run = dgamma_run };
