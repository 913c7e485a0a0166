/* SPDX-License-Identifier: Apache-2.0
 * logsumexp.c -- logsumexp: log(sum e^x) over the last extent (EPT's sink logits); logaddexp: log(e^a + e^c) (for two
 * methods with sink logits at one site). */
#include <math.h>
#include "core/graph/op.h"

/* in: x [.., n]; out: [..] */
static bool lse_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim < 2) return pf_bad_shape(g, n, "two extents or more");
    s.ndim--;
    return pf_output(g, n, 0, s);
}
static void lse_run(const pf_run *r, const pf_node *n)
{
    pf_mat x = pf_matrix(r, n->in[0]);
    pk_real *const no_softmax = NULL;                    /* the kernel can also write softmax(x) */
    r->kernels->logsumexp(r->ptr[n->out[0].id], no_softmax, 0, x.p, x.ld, x.rows, x.cols);
}
static void lse_grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_logsumexp_grad, NULL, pf_grad_of(gr, n->out[0]),
                                                   n->in[0], n->out[0]));
}
const pf_op pf_op_logsumexp = { .name = "logsumexp", .kernel = "logsumexp",
    .infer = lse_infer, .grad = lse_grad, .run = lse_run };

/* in: d [..], x [.., n], lse [..]; out: d softmax(x) */
static bool lse_grad_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }
static void lse_grad_run(const pf_run *r, const pf_node *n)
{
    pf_mat d = pf_matrix(r, n->in[0]), x = pf_matrix(r, n->in[1]), dx = pf_matrix(r, n->out[0]);
    for (int64_t i = 0; i < x.rows; i++) {
        pk_real lse, *row = dx.p + i * dx.ld;
        const int64_t rows = 1;
        r->kernels->logsumexp(&lse, row, dx.ld, x.p + i * x.ld, x.ld, rows, x.cols);
        /* row i of x belongs to element i of d, which has d.cols elements in a row */
        r->kernels->scale(row, row, d.p[i / d.cols * d.ld + i % d.cols], x.cols);
    }
}
const pf_op pf_op_logsumexp_grad = { .name = "logsumexp_grad", .kernel = "logsumexp",
    .infer = lse_grad_infer, .run = lse_grad_run };

/* in: a, c of one shape; out: log(e^a + e^c); either may be -inf */
static bool lae_infer(pf_graph *g, pf_node *n)
{
    if (!pf_shape_equal(&pf_v(g, n->in[0])->shape, &pf_v(g, n->in[1])->shape))
        return pf_bad_shape(g, n, "equal extents");
    return pf_output_like(g, n, 0, n->in[0]);
}
static void lae_run(const pf_run *r, const pf_node *n)
{
    pf_mat a = pf_matrix(r, n->in[0]), c = pf_matrix(r, n->in[1]), y = pf_matrix(r, n->out[0]);
    for (int64_t i = 0; i < y.rows; i++)
        for (int64_t j = 0; j < y.cols; j++) {
            double s = a.p[i * a.ld + j], t = c.p[i * c.ld + j], larger = s > t ? s : t, smaller = s > t ? t : s;
            y.p[i * y.ld + j] = (pk_real)(larger + log1p(exp(smaller - larger)));
        }
}
/* The gradient of a is d e^(a - y), that of c is d e^(c - y). */
static void lae_grad(pf_grads *gr, const pf_node *n)
{
    pf_val d = pf_grad_of(gr, n->out[0]);
    for (int i = 0; i < 2; i++)
        if (pf_grad_wanted(gr, n->in[i]))
            pf_grad_add(gr, n->in[i], PF_EMIT_BACKWARD(gr, &pf_op_logaddexp_grad, NULL, d, n->in[i], n->out[0]));
}
const pf_op pf_op_logaddexp = { .name = "logaddexp", .infer = lae_infer, .grad = lae_grad, .run = lae_run };

/* in: d, a, y = log(e^a + e^c); out: d e^(a - y) */
static void lae_grad_run(const pf_run *r, const pf_node *n)
{
    pf_mat d = pf_matrix(r, n->in[0]), a = pf_matrix(r, n->in[1]), y = pf_matrix(r, n->in[2]),
        out = pf_matrix(r, n->out[0]);
    for (int64_t i = 0; i < out.rows; i++)
        for (int64_t j = 0; j < out.cols; j++)
            out.p[i * out.ld + j] =
                (pk_real)(d.p[i * d.ld + j] * exp((double)a.p[i * a.ld + j] - (double)y.p[i * y.ld + j]));
}
const pf_op pf_op_logaddexp_grad = { .name = "logaddexp_grad", .infer = lse_grad_infer, .run = lae_grad_run };
