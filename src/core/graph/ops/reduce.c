/* SPDX-License-Identifier: Apache-2.0
 * reduce.c -- sums over leading extents (the gradient of whatever was repeated) and over the last one. Every element
 * is summed by one thread in the order of the rows. */
#include "core/graph/op.h"

typedef struct { const pf_run *r; pf_mat a, b; pk_real *out; int64_t out_rows, repeat; } job;

static bool infer(pf_graph *g, pf_node *n)
{
    int64_t count = pf_shape_count(&n->attr.shape), all = pf_shape_count(&pf_v(g, n->in[0])->shape);
    if (!count || all % count || count % pf_cols(g, n->in[0]))
        return pf_bad_shape(g, n, "extents that end with the result's");
    return pf_out(g, n, 0, n->attr.shape);
}

/* Rows j, j + out_rows, j + 2 out_rows, .. of a make row j of out; columns begin..end of each. */
static void columns(const job *j, int64_t row, int64_t begin, int64_t end)
{
    const pk_real *b = j->b.p ? j->b.p + row * j->b.ld + begin : NULL;
    pk_real *out = j->out + row * j->a.cols + begin;
    memset(out, 0, (size_t)(end - begin) * sizeof *out);
    j->r->k->col_sums(out, j->a.p + row * j->a.ld + begin, j->a.ld * j->out_rows, b, j->b.ld * j->out_rows, NULL, NULL,
                      j->repeat, end - begin);
}

static void by_columns(void *arg, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    columns(arg, 0, begin, end);
}

static void by_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t i = begin; i < end; i++) columns(j, i, 0, j->a.cols);
}

static void reduce(const pf_run *r, const pf_node *n, pf_val b)
{
    job j = { .r = r, .a = pf_matrix(r, n->in[0]), .b = pf_matrix(r, b), .out = r->ptr[n->out[0].id] };
    j.out_rows = pf_shape_count(&n->attr.shape) / j.a.cols;
    j.repeat = j.a.rows / j.out_rows;
    if (j.out_rows == 1) pf_parallel(r, j.a.cols, 128, by_columns, &j);
    else pf_parallel(r, j.out_rows, 1 + PF_GRAIN / (j.repeat * j.a.cols), by_rows, &j);
}

/* in: a; attr shape: the result's; out: a summed down to it */
static void sum_to_run(const pf_run *r, const pf_node *n) { reduce(r, n, PF_NONE); }
const pf_op pf_op_sum_to = { .name = "sum_to", .infer = infer, .run = sum_to_run };

/* in: a, b of the same shape; attr shape; out: a * b summed down to it */
static void dot_to_run(const pf_run *r, const pf_node *n) { reduce(r, n, n->in[1]); }
const pf_op pf_op_dot_to = { .name = "dot_to", .infer = infer, .run = dot_to_run };

/* in: a [.., n]; out: [..] */
static bool row_sums_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    s.ndim--;
    return pf_out(g, n, 0, s);
}
static void row_sums_run(const pf_run *r, const pf_node *n)
{
    pf_mat a = pf_matrix(r, n->in[0]);
    for (int64_t i = 0; i < a.rows; i++) {
        double sum = 0;
        r->k->sums(&sum, NULL, a.p + i * a.ld, a.cols);
        r->ptr[n->out[0].id][i] = (pk_real)sum;
    }
}
const pf_op pf_op_row_sums = { .name = "row_sums", .infer = row_sums_infer, .run = row_sums_run };
