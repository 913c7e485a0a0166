/* SPDX-License-Identifier: Apache-2.0
 * range.c -- row_range: the largest minus the smallest element of each row; scaled_logsumexp: the logsumexp of a row
 * after its multiplication with a factor. For EPT's "multiply and concat", whose learned logits grow with the range of
 * the scores. */
#include "core/graph/op.h"

/* x, s: inputs; z: output of the forward pass, an element for each row; d: the gradient of z. y, ds: the gradients of x
 * and s, y.p and ds NULL where no node reads them. count: factors in s. */
typedef struct { const pf_run *r; pf_mat x, y; const pk_real *d, *s; pk_real *z, *ds; int64_t count; } job;

typedef struct { int64_t largest, smallest; } extremes;

/* The first element of a row that is the largest, and the first that is the smallest. */
static extremes find_extremes(const pk_real *x, int64_t n)
{
    extremes e = { 0, 0 };
    for (int64_t c = 1; c < n; c++) {
        if (x[c] > x[e.largest]) e.largest = c;
        if (x[c] < x[e.smallest]) e.smallest = c;
    }
    return e;
}

/* in: x [..,n]; out: [..], largest - smallest element of each row */
static bool range_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim < 2) return pf_bad_shape(g, n, "two extents or more");
    s.ndim--;
    return pf_output(g, n, 0, s);
}
static void range_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *x = j->x.p + i * j->x.ld;
        const extremes e = find_extremes(x, j->x.cols);
        j->z[i] = x[e.largest] - x[e.smallest];
    }
}
static void range_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .x = pf_matrix(r, n->in[0]), .z = r->ptr[n->out[0].id] };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, range_rows, &j);
}
static void range_grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_row_range_grad, NULL, pf_grad_of(gr, n->out[0]),
                                                   n->in[0]));
}
const pf_op pf_op_row_range = { .name = "row_range", .infer = range_infer, .grad = range_grad, .run = range_run };

/* in: d [..], x [..,n]; out: d at the first largest element of each row, -d at the first smallest, 0 elsewhere */
static bool range_grad_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }
static void range_grad_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const extremes e = find_extremes(j->x.p + i * j->x.ld, j->x.cols);
        pk_real *dx = j->y.p + i * j->y.ld;
        memset(dx, 0, (size_t)j->x.cols * sizeof *dx);
        dx[e.largest] += j->d[i];
        dx[e.smallest] -= j->d[i];
    }
}
static void range_grad_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .x = pf_matrix(r, n->in[1]), .y = pf_matrix(r, n->out[0]), .d = r->ptr[n->in[0].id] };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, range_grad_rows, &j);
}
const pf_op pf_op_row_range_grad = { .name = "row_range_grad", .infer = range_grad_infer, .run = range_grad_run };

/* in: x [t,n], s [..,t]; out: [..,t], log sum_j exp(s_i x_ij), row i of x for the factors of every leading extent */
static bool scaled_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *x = &pf_v(g, n->in[0])->shape, *s = &pf_v(g, n->in[1])->shape;
    if (x->ndim != 2 || s->ndim < 1 || s->dim[s->ndim - 1] != x->dim[0])
        return pf_bad_shape(g, n, "x [rows, n] and factors [.., rows]");
    return pf_output_like(g, n, 0, n->in[1]);
}
/* Scratch of a worker: one row. */
static size_t row_bytes(const pf_run *r, pf_val x) { return pf_align_up((size_t)pf_cols(r->g, x) * sizeof(pk_real)); }
static size_t scaled_scratch(const pf_run *r, const pf_node *n) { return row_bytes(r, n->in[0]) * (size_t)r->threads; }
static pk_real *row_of_worker(const job *j, int worker)
{
    return (pk_real *)((char *)j->r->scratch + (size_t)worker * pf_align_up((size_t)j->x.cols * sizeof(pk_real)));
}
static void scaled_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    pk_real *row = row_of_worker(j, worker);
    for (int64_t i = begin; i < end; i++) {
        j->r->kernels->scale(row, j->x.p + i % j->x.rows * j->x.ld, j->s[i], j->x.cols);
        j->r->kernels->logsumexp(j->z + i, NULL, 0, row, j->x.cols, 1, j->x.cols);
    }
}
static void scaled_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .x = pf_matrix(r, n->in[0]), .s = r->ptr[n->in[1].id], .z = r->ptr[n->out[0].id] };
    pf_parallel(r, pf_shape_count(&pf_v(r->g, n->in[1])->shape), PF_GRAIN / j.x.cols + 1, scaled_rows, &j);
}
static void scaled_grad(pf_grads *gr, const pf_node *n)
{
    pf_node b = { .op = &pf_op_scaled_logsumexp_grad, .backward = true,
                  .in = { pf_grad_of(gr, n->out[0]), n->in[0], n->in[1] } };
    pf_emit_node(gr->g, b, &b);
    for (int i = 0; i < 2 && !gr->g->status; i++)
        if (pf_grad_wanted(gr, n->in[i])) pf_grad_add(gr, n->in[i], b.out[i]);
}
const pf_op pf_op_scaled_logsumexp = { .name = "scaled_logsumexp", .kernel = "logsumexp", .infer = scaled_infer,
    .grad = scaled_grad, .scratch_bytes = scaled_scratch, .run = scaled_run };

/* in: d [..,t], x [t,n], s [..,t]; out: dx_ij = sum over the leading extents, in order, of d s softmax_j(s x_ij);
 * ds = d sum_j softmax_j x_ij */
static bool scaled_grad_infer(pf_graph *g, pf_node *n)
{
    return pf_output_like(g, n, 0, n->in[1]) && pf_output_like(g, n, 1, n->in[2]);
}
static void scaled_grad_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const int64_t cols = j->x.cols, rows = 1;
    pk_real *row = row_of_worker(j, worker), lse;
    for (int64_t t = begin; t < end; t++) {
        const pk_real *x = j->x.p + t * j->x.ld;
        pk_real *dx = j->y.p ? j->y.p + t * j->y.ld : NULL;
        if (dx) memset(dx, 0, (size_t)cols * sizeof *dx);
        for (int64_t i = t; i < j->count; i += j->x.rows) {
            double dot = 0;
            j->r->kernels->scale(row, x, j->s[i], cols);
            j->r->kernels->logsumexp(&lse, row, cols, row, cols, rows, cols);
            if (dx) j->r->kernels->axpy(dx, row, j->d[i] * j->s[i], cols);
            j->r->kernels->mul(row, row, x, cols);
            j->r->kernels->sums(&dot, NULL, row, cols);
            if (j->ds) j->ds[i] = (pk_real)((double)j->d[i] * dot);
        }
    }
}
static size_t scaled_grad_scratch(const pf_run *r, const pf_node *n)
{
    return row_bytes(r, n->in[1]) * (size_t)r->threads;
}
static void scaled_grad_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .d = r->ptr[n->in[0].id], .x = pf_matrix(r, n->in[1]), .s = r->ptr[n->in[2].id],
              .y = pf_matrix(r, n->out[0]), .ds = r->ptr[n->out[1].id],
              .count = pf_shape_count(&pf_v(r->g, n->in[2])->shape) };
    pf_parallel(r, j.x.rows, 1 + PF_GRAIN * j.x.rows / (j.count * j.x.cols), scaled_grad_rows, &j);
}
const pf_op pf_op_scaled_logsumexp_grad = { .name = "scaled_logsumexp_grad", .kernel = "logsumexp",
    .infer = scaled_grad_infer, .scratch_bytes = scaled_grad_scratch, .run = scaled_grad_run };
