/* SPDX-License-Identifier: Apache-2.0
 * reduce.c -- sums over leading extents (gradients of what was broadcast), over the last one, and mean or sum over all.
 * Each element of the result is summed by one thread in the order of the rows, so that it does not depend on the number
 * of threads. */
#include "core/graph/op.h"

/* Sums a (times b, if b.p is not NULL) down to out_rows rows; repeat: how many rows of a are summed to one of out. */
typedef struct { const pf_run *r; pf_mat a, b; pk_real *out; int64_t out_rows, repeat; } job;

static bool infer(pf_graph *g, pf_node *n)
{
    int64_t count = pf_shape_count(&n->attr.shape), all = pf_shape_count(&pf_v(g, n->in[0])->shape);
    if (!count || all % count || count % pf_cols(g, n->in[0]))
        return pf_bad_shape(g, n, "extents that end with the result's");
    return pf_output(g, n, 0, n->attr.shape);
}

/* Computes columns begin .. end - 1 of a row of out: the sum of rows row, row + out_rows, row + 2 out_rows, .. of a. */
static void sum_columns(const job *j, int64_t row, int64_t begin, int64_t end)
{
    const pk_real *b = j->b.p ? j->b.p + row * j->b.ld + begin : NULL;
    pk_real *out = j->out + row * j->a.cols + begin;
    memset(out, 0, (size_t)(end - begin) * sizeof *out);
    const pk_real *const no_mean = NULL, *const no_rstd = NULL;          /* factors b are used as they are */
    j->r->kernels->col_sums(out, j->a.p + row * j->a.ld + begin, j->a.ld * j->out_rows, b, j->b.ld * j->out_rows,
                            no_mean, no_rstd, j->repeat, end - begin);
}

/* For a result of one row: computes its columns begin .. end - 1. */
static void columns_task(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const int64_t row = 0;
    sum_columns(arg, row, begin, end);
}

/* Computes rows begin .. end - 1 of the result. */
static void rows_task(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    const int64_t first_column = 0;
    for (int64_t i = begin; i < end; i++) sum_columns(j, i, first_column, j->a.cols);
}

/* Runs sum_to (b PF_NONE) or dot_to: threads share the columns of a result of one row, else its rows. */
static void reduce(const pf_run *r, const pf_node *n, pf_val b)
{
    job j = { .r = r, .a = pf_matrix(r, n->in[0]), .b = pf_matrix(r, b), .out = r->ptr[n->out[0].id] };
    j.out_rows = pf_shape_count(&n->attr.shape) / j.a.cols;
    j.repeat = j.a.rows / j.out_rows;
    if (j.out_rows == 1) pf_parallel(r, j.a.cols, PF_COLUMN_GRAIN, columns_task, &j);
    else pf_parallel(r, j.out_rows, 1 + PF_GRAIN / (j.repeat * j.a.cols), rows_task, &j);
}

/* in: a; attr shape: the result's; out: a, summed over the leading extents that the result does not have */
static void sum_to_run(const pf_run *r, const pf_node *n) { reduce(r, n, PF_NONE); }
const pf_op pf_op_sum_to = { .name = "sum_to", .kernel = "col_sums", .infer = infer, .run = sum_to_run };

/* in: a, b of the same shape; attr shape: the result's; out: a * b (elementwise), summed in the same way */
static void dot_to_run(const pf_run *r, const pf_node *n) { reduce(r, n, n->in[1]); }
const pf_op pf_op_dot_to = { .name = "dot_to", .kernel = "col_sums", .rounds = 1u << 1,
    .infer = infer, .run = dot_to_run };

/* in: a [.., n]; out: the sum of each row, [..] */
static bool row_sums_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    s.ndim--;
    return pf_output(g, n, 0, s);
}
static void row_sums_run(const pf_run *r, const pf_node *n)
{
    pf_mat a = pf_matrix(r, n->in[0]);
    for (int64_t i = 0; i < a.rows; i++) {
        double sum = 0;
        double *const no_squares = NULL;                 /* the kernel can also sum the squares */
        r->kernels->sums(&sum, no_squares, a.p + i * a.ld, a.cols);
        r->ptr[n->out[0].id][i] = (pk_real)sum;
    }
}
const pf_op pf_op_row_sums = { .name = "row_sums", .kernel = "sums", .infer = row_sums_infer, .run = row_sums_run };

/* in: x; attr i[0]: PF_MEAN_OF_ALL or PF_SUM_OF_ALL; out: [1], over all elements of x */
static bool mean_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, pf_shape_of(1, (int64_t)1)); }
static void mean_run(const pf_run *r, const pf_node *n)
{
    const pf_mat x = pf_matrix(r, n->in[0]);
    const double count = n->attr.i[0] == PF_MEAN_OF_ALL ? (double)x.rows * (double)x.cols : 1;
    double sum = 0;
    for (int64_t i = 0; i < x.rows; i++) for (int64_t j = 0; j < x.cols; j++) sum += (double)x.p[i * x.ld + j];
    r->ptr[n->out[0].id][0] = (pk_real)(sum / count);
}
static void mean_grad(pf_grads *gr, const pf_node *n)
{
    if (!pf_grad_wanted(gr, n->in[0])) return;
    const pf_attr a = { .i = { n->attr.i[0] }, .shape = pf_v(gr->g, n->in[0])->shape };
    pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_mean_grad, &a, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_mean = { .name = "mean", .flags = PF_MIXES_SAMPLES, .infer = mean_infer, .grad = mean_grad,
    .run = mean_run };

/* in: d [1]; attr as above, shape: of x; out: d, or d / count, for each element of x */
static bool mean_grad_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void mean_grad_run(const pf_run *r, const pf_node *n)
{
    const pf_mat dx = pf_matrix(r, n->out[0]);
    const double count = n->attr.i[0] == PF_MEAN_OF_ALL ? (double)dx.rows * (double)dx.cols : 1;
    const pk_real d = (pk_real)((double)r->ptr[n->in[0].id][0] / count);
    for (int64_t i = 0; i < dx.rows; i++) for (int64_t j = 0; j < dx.cols; j++) dx.p[i * dx.ld + j] = d;
}
const pf_op pf_op_mean_grad = { .name = "mean_grad", .infer = mean_grad_infer, .run = mean_grad_run };
