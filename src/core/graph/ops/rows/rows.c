/* SPDX-License-Identifier: Apache-2.0
 * rows.c -- operations on token rows: take (or drop), its gradient put, insert, repeat, mean_rows. Values are
 * [batch, tokens, width]; the token axis is the last but one, and each sample is treated alike. In the comments `at` is
 * the first of n rows. t counts the tokens of x, m those of the other value. */
#include "core/graph/op.h"

static int64_t token_count(const pf_graph *g, pf_val v)
{
    const pf_shape *s = &pf_v(g, v)->shape;
    return s->dim[s->ndim - 2];
}

/* Copies `rows` rows of `from`, from row from_row on, to rows of `to`, from row to_row on. */
static void copy_rows(pf_mat to, int64_t to_row, pf_mat from, int64_t from_row, int64_t rows)
{
    if (pf_dense(to) && pf_dense(from))
        memcpy(to.p + to_row * to.ld, from.p + from_row * from.ld, (size_t)(rows * to.cols) * sizeof(pk_real));
    else
        for (int64_t i = 0; i < rows; i++)
            memcpy(to.p + (to_row + i) * to.ld, from.p + (from_row + i) * from.ld, (size_t)to.cols * sizeof(pk_real));
}

/* Sets `rows` rows of `to`, from row to_row on, to zero. */
static void zero_rows(pf_mat to, int64_t to_row, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) memset(to.p + (to_row + i) * to.ld, 0, (size_t)to.cols * sizeof(pk_real));
}

/* in: x [..,t,d]; attr i[0]: at, i[1]: n, i[2]: PF_TAKE_ROWS: takes rows at .. at+n-1, PF_DROP_ROWS: takes
 * all others; out: [..,n,d] or [..,t-n,d] */
static bool take_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    int64_t at = n->attr.i[0], rows = n->attr.i[1];
    if (s.ndim < 2 || at < 0 || rows < 0 || rows > s.dim[s.ndim - 2] - at)
        return pf_bad_shape(g, n, "a range of rows that the value has");
    s.dim[s.ndim - 2] = n->attr.i[2] == PF_DROP_ROWS ? s.dim[s.ndim - 2] - rows : rows;
    return pf_output(g, n, 0, s);
}
static void take_run(const pf_run *r, const pf_node *n)
{
    pf_mat x = pf_matrix(r, n->in[0]), y = pf_matrix(r, n->out[0]);
    int64_t t = token_count(r->g, n->in[0]), m = token_count(r->g, n->out[0]), at = n->attr.i[0], rows = n->attr.i[1];
    for (int64_t b = 0; b < x.rows / t; b++) {
        if (n->attr.i[2] == PF_TAKE_ROWS) copy_rows(y, b * m, x, b * t + at, rows);
        else {
            copy_rows(y, b * m, x, b * t, at);
            copy_rows(y, b * m + at, x, b * t + at + rows, t - at - rows);
        }
    }
}
/* The gradient of x: that of the output in the rows that were taken, zeros in the others. */
static void take_grad(pf_grads *gr, const pf_node *n)
{
    pf_attr a = n->attr;
    a.shape = pf_v(gr->g, n->in[0])->shape;
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_put, &a, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_take = { .name = "take", .kernel = "copy", .flags = PF_STRIDED_OUT,
    .infer = take_infer, .grad = take_grad, .run = take_run };

/* The gradient of take. in: d; attr: as take, shape: of x; out: d in the rows that were taken, zeros in the others */
static bool put_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void put_run(const pf_run *r, const pf_node *n)
{
    pf_mat d = pf_matrix(r, n->in[0]), y = pf_matrix(r, n->out[0]);
    int64_t t = token_count(r->g, n->out[0]), m = token_count(r->g, n->in[0]), at = n->attr.i[0], rows = n->attr.i[1];
    for (int64_t b = 0; b < y.rows / t; b++) {
        if (n->attr.i[2] == PF_TAKE_ROWS) {
            zero_rows(y, b * t, at);
            copy_rows(y, b * t + at, d, b * m, rows);
            zero_rows(y, b * t + at + rows, t - at - rows);
        } else {
            copy_rows(y, b * t, d, b * m, at);
            zero_rows(y, b * t + at, rows);
            copy_rows(y, b * t + at + rows, d, b * m + at, t - at - rows);
        }
    }
}
const pf_op pf_op_put = { .name = "put", .kernel = "copy", .flags = PF_STRIDED_OUT,
    .infer = put_infer, .run = put_run };

/* in: x [b,t,d], rows [n,d] or [1,n,d] (the same for every sample) or [b,n,d]; attr i[0]: at; out: [b,t+n,d], in which
 * the rows are at .. at+n-1. Or x [t,d] and rows [n,d], both the same for every sample; out: [t+n,d]. */
static bool insert_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    const pf_shape *p = &pf_v(g, n->in[1])->shape;
    if (s.ndim < 2 || s.ndim > 3 || p->ndim < 2 || p->dim[p->ndim - 1] != s.dim[s.ndim - 1] || n->attr.i[0] < 0
        || n->attr.i[0] > s.dim[s.ndim - 2]
        || (p->ndim == 3 && p->dim[0] != 1 && (s.ndim == 2 || p->dim[0] != s.dim[0])))
        return pf_bad_shape(g, n, "tokens [b, t, d] and rows [n, d] or [b, n, d], or [t, d] and [n, d]");
    s.dim[s.ndim - 2] += p->dim[p->ndim - 2];
    return pf_output(g, n, 0, s);
}
static void insert_run(const pf_run *r, const pf_node *n)
{
    pf_mat x = pf_matrix(r, n->in[0]), p = pf_matrix(r, n->in[1]), y = pf_matrix(r, n->out[0]);
    int64_t t = token_count(r->g, n->in[0]), m = token_count(r->g, n->in[1]), at = n->attr.i[0];
    for (int64_t b = 0; b < x.rows / t; b++) {
        copy_rows(y, b * (t + m), x, b * t, at);
        copy_rows(y, b * (t + m) + at, p, p.rows == m ? 0 : b * m, m);       /* p.rows m: the same for every sample */
        copy_rows(y, b * (t + m) + at + m, x, b * t + at, t - at);
    }
}
/* The gradient of x is that of the output without the inserted rows; the gradient of the rows is that of these. */
static void insert_grad(pf_grads *gr, const pf_node *n)
{
    pf_val d = pf_grad_of(gr, n->out[0]);
    pf_attr a = { .i = { n->attr.i[0], token_count(gr->g, n->in[1]), PF_DROP_ROWS } };
    if (pf_grad_wanted(gr, n->in[0])) pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_take, &a, d));
    a.i[2] = PF_TAKE_ROWS;
    if (pf_grad_wanted(gr, n->in[1])) pf_grad_add_reduced(gr, n->in[1], PF_EMIT_BACKWARD(gr, &pf_op_take, &a, d));
}
const pf_op pf_op_insert = { .name = "insert", .kernel = "copy", .flags = PF_STRIDED_OUT,
    .infer = insert_infer, .grad = insert_grad, .run = insert_run };

/* in: rows [n,d] or [1,n,d]; attr i[0]: b; out [b,n,d]: a copy for every sample */
static bool repeat_infer(pf_graph *g, pf_node *n)
{
    return pf_output(g, n, 0, pf_shape_of(3, n->attr.i[0], pf_rows(g, n->in[0]), pf_cols(g, n->in[0])));
}
static void repeat_run(const pf_run *r, const pf_node *n)
{
    pf_mat x = pf_matrix(r, n->in[0]), y = pf_matrix(r, n->out[0]);
    const int64_t first_row = 0;
    for (int64_t b = 0; b < n->attr.i[0]; b++) copy_rows(y, b * x.rows, x, first_row, x.rows);
}
static void repeat_grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0])) pf_grad_add_reduced(gr, n->in[0], pf_grad_of(gr, n->out[0]));
}
const pf_op pf_op_repeat = { .name = "repeat", .kernel = "copy",
    .infer = repeat_infer, .grad = repeat_grad, .run = repeat_run };

/* in: x [b,t,d]; attr i[0]: at, i[1]: n; out [b,1,d]: mean of rows at..at+n-1 */
static bool mean_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim != 3 || n->attr.i[0] < 0 || n->attr.i[1] < 1 || n->attr.i[1] > s.dim[1] - n->attr.i[0])
        return pf_bad_shape(g, n, "tokens [b, t, d] with the rows to average");
    s.dim[1] = 1;
    return pf_output(g, n, 0, s);
}
static void mean_run(const pf_run *r, const pf_node *n)
{
    pf_mat x = pf_matrix(r, n->in[0]), y = pf_matrix(r, n->out[0]);
    int64_t t = token_count(r->g, n->in[0]), rows = n->attr.i[1];
    for (int64_t b = 0; b < y.rows; b++) {
        pk_real *out = y.p + b * y.ld;
        memset(out, 0, (size_t)y.cols * sizeof *out);
        /* the plain sums of x: no factors, mean or rstd */
        r->kernels->col_sums(out, x.p + (b * t + n->attr.i[0]) * x.ld, x.ld, NULL, 0, NULL, NULL, rows, y.cols);
        r->kernels->scale(out, out, (pk_real)(1.0 / (double)rows), y.cols);
    }
}
static void mean_grad(pf_grads *gr, const pf_node *n)
{
    pf_attr a = n->attr;
    a.shape = pf_v(gr->g, n->in[0])->shape;
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_mean_rows_grad, &a, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_mean_rows = { .name = "mean_rows", .kernel = "col_sums",
    .infer = mean_infer, .grad = mean_grad, .run = mean_run };

/* in: d [b,1,d]; attr as mean_rows, shape: of x; out: d/n in the averaged rows, zeros elsewhere */
static void mean_grad_run(const pf_run *r, const pf_node *n)
{
    pf_mat d = pf_matrix(r, n->in[0]), y = pf_matrix(r, n->out[0]);
    int64_t t = token_count(r->g, n->out[0]), at = n->attr.i[0], rows = n->attr.i[1];
    for (int64_t b = 0; b < d.rows; b++) {
        zero_rows(y, b * t, t);
        for (int64_t i = 0; i < rows; i++)
            r->kernels->scale(y.p + (b * t + at + i) * y.ld, d.p + b * d.ld, (pk_real)(1.0 / (double)rows), d.cols);
    }
}
const pf_op pf_op_mean_rows_grad = { .name = "mean_rows_grad", .kernel = "scale",
    .infer = put_infer, .run = mean_grad_run };
