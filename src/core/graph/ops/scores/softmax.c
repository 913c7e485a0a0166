/* SPDX-License-Identifier: Apache-2.0
 * softmax.c -- softmax over the last extent, with or without a sink: one further logit for each row, which takes its
 * share of the row and has no column in the result. */
#include <math.h>
#include "core/graph/op.h"

/* x: logits or, in the gradient, that of p; p: the softmax; y: the gradient of x. sinks: elements of sink, which
 * repeats after that many rows; sink NULL: none. y.p, lse and dsink are NULL where no node reads them. */
typedef struct { const pf_run *r; pf_mat x, p, y; const pk_real *sink; pk_real *lse, *dsink; int64_t sinks; } job;

/* in: x [..,n], sink? [..] or the last of these extents; out: softmax of x and the sink, without the sink's column
 * [..,n]; lse [..], the logsumexp of a row with its sink */
static bool infer(pf_graph *g, pf_node *n)
{
    pf_shape rows = pf_v(g, n->in[0])->shape;
    if (rows.ndim < 2) return pf_bad_shape(g, n, "two extents or more");
    rows.ndim--;
    if (pf_exists(n->in[1]) && !pf_is_suffix(&pf_v(g, n->in[1])->shape, &rows))
        return pf_bad_shape(g, n, "x [.., rows, n] and a sink [rows] or [.., rows]");
    return pf_output_like(g, n, 0, n->in[0]) && pf_output(g, n, 1, rows);
}
static void softmax_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const int64_t rows = 1;
        pk_real lse, *p = j->p.p + i * j->p.ld;
        j->r->kernels->logsumexp(&lse, p, j->p.ld, j->x.p + i * j->x.ld, j->x.ld, rows, j->x.cols);
        if (j->sink) {
            const double s = (double)lse, z = (double)j->sink[i % j->sinks], hi = s > z ? s : z, lo = s > z ? z : s;
            const double with_sink = hi + log1p(exp(lo - hi));
            j->r->kernels->scale(p, p, (pk_real)exp(s - with_sink), j->p.cols);
            lse = (pk_real)with_sink;
        }
        if (j->lse) j->lse[i] = lse;
    }
}
static void run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .x = pf_matrix(r, n->in[0]), .p = pf_matrix(r, n->out[0]), .sink = r->ptr[n->in[1].id],
              .lse = r->ptr[n->out[1].id], .sinks = pf_shape_count(&pf_v(r->g, n->in[1])->shape) };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, softmax_rows, &j);
}
static void grad(pf_grads *gr, const pf_node *n)
{
    const bool sink = pf_grad_wanted(gr, n->in[1]);
    pf_node b = { .op = &pf_op_softmax_grad, .attr = { .i = { sink } }, .backward = true,
                  .in = { pf_grad_of(gr, n->out[0]), n->out[0], n->in[1], n->out[1] } };
    pf_emit_node(gr->g, b, &b);
    if (gr->g->status) return;
    if (pf_grad_wanted(gr, n->in[0])) pf_grad_add(gr, n->in[0], b.out[0]);
    if (sink) pf_grad_add_reduced(gr, n->in[1], b.out[1]);
}
const pf_op pf_op_softmax = { .name = "softmax", .kernel = "logsumexp", .infer = infer, .grad = grad, .run = run };

/* in: d, p [..,n], sink?, lse [..]; attr i[0]: the gradient of the sink is wanted; out: dx = p (d - D) with D = d . p
 * of each row; dsink [..] = -exp(sink - lse) D, a part for each row, which a further node sums */
static bool grad_infer(pf_graph *g, pf_node *n)
{
    return pf_output_like(g, n, 0, n->in[1]) && (!n->attr.i[0] || pf_output_like(g, n, 1, n->in[3]));
}
/* d . p of a row, in double. */
static double row_dot(const job *j, const pk_real *d, const pk_real *p)
{
    enum { PIECE = 256 };
    pk_real product[PIECE];
    double dot = 0;
    for (int64_t c = 0; c < j->p.cols; c += PIECE) {
        const int64_t n = j->p.cols - c < PIECE ? j->p.cols - c : PIECE;
        double sum = 0;
        j->r->kernels->mul(product, d + c, p + c, n);
        j->r->kernels->sums(&sum, NULL, product, n);
        dot += sum;
    }
    return dot;
}
static void grad_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *d = j->x.p + i * j->x.ld, *p = j->p.p + i * j->p.ld;
        const double dot = row_dot(j, d, p);
        if (j->y.p) {
            j->r->kernels->mul(j->y.p + i * j->y.ld, d, p, j->p.cols);
            j->r->kernels->axpy(j->y.p + i * j->y.ld, p, (pk_real)-dot, j->p.cols);
        }
        if (j->dsink) j->dsink[i] = (pk_real)(-exp((double)j->sink[i % j->sinks] - (double)j->lse[i]) * dot);
    }
}
static void grad_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .x = pf_matrix(r, n->in[0]), .p = pf_matrix(r, n->in[1]), .y = pf_matrix(r, n->out[0]),
              .sink = r->ptr[n->in[2].id], .lse = r->ptr[n->in[3].id], .dsink = r->ptr[n->out[1].id],
              .sinks = pf_shape_count(&pf_v(r->g, n->in[2])->shape) };
    pf_parallel(r, j.p.rows, PF_GRAIN / j.p.cols + 1, grad_rows, &j);
}
const pf_op pf_op_softmax_grad = { .name = "softmax_grad", .kernel = "axpy", .rounds = 1u << 1,
    .infer = grad_infer, .run = grad_run };
