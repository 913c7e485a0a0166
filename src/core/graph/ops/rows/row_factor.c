/* SPDX-License-Identifier: Apache-2.0
 * row_factor.c -- mul_rows multiplies row i of x by factor i % n of n factors; n = 1 is a gate, one number times
 * everything. row_dots is the gradient of the factors. row_max makes factors: the largest element of each row. */
#include "core/graph/op.h"

typedef struct { const pf_run *r; pf_mat x, y, factors; } job;

/* Do factors of this shape fit the rows of x? They may be one number, or have the last extents of x, with 1 for its own
 * last one, or without that: [b,t,1], [t,1], [b,t] and [t] fit [b,t,d]. */
static bool factors_fit(const pf_graph *g, pf_val x, pf_val s)
{
    pf_shape rows = pf_v(g, x)->shape, column = rows;
    const pf_shape *factors = &pf_v(g, s)->shape;
    if (rows.ndim-- < 1) return false;
    column.dim[rows.ndim] = 1;
    return pf_shape_count(factors) == 1 || pf_is_suffix(factors, &rows) || pf_is_suffix(factors, &column);
}

/* Computes rows begin .. end - 1 of y. */
static void scale_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pf_mat s = j->factors;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const int64_t k = i % (s.rows * s.cols);
        j->r->kernels->scale(j->y.p + i * j->y.ld, j->x.p + i * j->x.ld, s.p[k / s.cols * s.ld + k % s.cols],
                             j->x.cols);
    }
}

/* in: x [..,d], s; out: x with row i times s[i % count of s] */
static bool infer(pf_graph *g, pf_node *n)
{
    if (!factors_fit(g, n->in[0], n->in[1]))
        return pf_bad_shape(g, n, "x [.., rows, d] and factors of one element, [rows], [.., rows] or [.., rows, 1]");
    return pf_output_like(g, n, 0, n->in[0]);
}
static void run(const pf_run *r, const pf_node *n)
{
    job j = { r, pf_matrix(r, n->in[0]), pf_matrix(r, n->out[0]), pf_matrix(r, n->in[1]) };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, scale_rows, &j);
}
static void grad(pf_grads *gr, const pf_node *n)
{
    pf_val d = pf_grad_of(gr, n->out[0]);
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_mul_rows, NULL, d, n->in[1]));
    if (pf_grad_wanted(gr, n->in[1])) {
        pf_attr a = { .shape = pf_v(gr->g, n->in[1])->shape };
        pf_grad_add(gr, n->in[1], PF_EMIT_BACKWARD(gr, &pf_op_row_dots, &a, d, n->in[0]));
    }
}
const pf_op pf_op_mul_rows = { .name = "mul_rows", .kernel = "scale", .flags = PF_ROWWISE | PF_STRIDED_OUT,
    .inplace = 1, .infer = infer, .grad = grad, .run = run };

/* in: d, x [..,d]; attr shape: that of the factors; out: factor k's gradient, the sum of d[i] . x[i] over rows i with
 * i % count == k, in double and in the order of the rows */
static bool dots_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
typedef struct { pf_mat d, x; pk_real *out; int64_t factors; } dots_job;

/* Computes the gradients of factors begin .. end - 1. */
static void dot_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const dots_job *j = arg;
    (void)worker;
    for (int64_t k = begin; k < end; k++) {
        double sum = 0;
        for (int64_t i = k; i < j->d.rows; i += j->factors)
            for (int64_t c = 0; c < j->d.cols; c++)
                sum += (double)j->d.p[i * j->d.ld + c] * j->x.p[i * j->x.ld + c];
        j->out[k] = (pk_real)sum;
    }
}
static void dots_run(const pf_run *r, const pf_node *n)
{
    dots_job j = { pf_matrix(r, n->in[0]), pf_matrix(r, n->in[1]), r->ptr[n->out[0].id],
                   pf_shape_count(&n->attr.shape) };
    pf_parallel(r, j.factors, PF_GRAIN / (j.d.rows * j.d.cols / j.factors) + 1, dot_rows, &j);
}
const pf_op pf_op_row_dots = { .name = "row_dots", .rounds = 1u << 1, .infer = dots_infer, .run = dots_run };

/* in: x [..,d]; out: the largest element of each row, [..,1], a constant in the backward pass */
static bool max_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim < 1) return pf_bad_shape(g, n, "rows [.., d]");
    s.dim[s.ndim - 1] = 1;
    return pf_output(g, n, 0, s);
}
/* Computes elements begin .. end - 1 of y. */
static void max_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *x = j->x.p + i * j->x.ld;
        pk_real largest = x[0];
        for (int64_t c = 1; c < j->x.cols; c++) largest = x[c] > largest ? x[c] : largest;
        j->y.p[i] = largest;
    }
}
static void max_run(const pf_run *r, const pf_node *n)
{
    job j = { .r = r, .x = pf_matrix(r, n->in[0]), .y = { .p = r->ptr[n->out[0].id] } };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, max_rows, &j);
}
const pf_op pf_op_row_max = { .name = "row_max", .flags = PF_ROWWISE | PF_NO_GRADIENT,
    .infer = max_infer, .run = max_run };
