/* SPDX-License-Identifier: Apache-2.0
 * row_scale.c -- 1/|row of W + s B A| for each row, by which DoRA normalises: computed in each step, one row of B A at
 * a time. In the backward pass the result counts as a constant. */
#include <math.h>
#include "core/graph/op.h"

typedef struct {
    pk_weight w;
    const pk_real *a, *b;
    pk_real *y;                                         /* the result */
    int64_t cols, rank;
    double s;
    const pk_table *kernels;
    pk_real *scratch;                                   /* a row for each thread */
} job;

enum { ROWS_PER_TASK = 32 };

/* Computes elements begin .. end - 1 of the result. */
static void scale_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    pk_real *row = j->scratch + worker * j->cols;
    for (int64_t i = begin; i < end; i++) {
        double squares;
        const pk_real *w = pk_weight_read(j->kernels, &j->w, i * j->cols, j->cols, row);
        if (w != row) memcpy(row, w, (size_t)j->cols * sizeof *row);
        for (int64_t r = 0; r < j->rank; r++)
            j->kernels->axpy(row, j->a + r * j->cols, (pk_real)(j->s * j->b[i * j->rank + r]), j->cols);
        double *const no_sum = NULL;                    /* the kernel can also sum the elements themselves */
        j->kernels->sums(no_sum, &squares, row, j->cols);
        j->y[i] = (pk_real)(1 / sqrt(squares));
    }
}

/* in: w [n,k], a [r,k], b [n,r]; attr f[0]: s; out: [n] */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_shape *w = &pf_v(g, n->in[0])->shape;
    int64_t cols = pf_shape_count(w) / w->dim[0], rank = pf_v(g, n->in[1])->shape.dim[0];
    if (pf_shape_count(&pf_v(g, n->in[1])->shape) != rank * cols
        || pf_shape_count(&pf_v(g, n->in[2])->shape) != rank * w->dim[0])
        return pf_bad_shape(g, n, "w [n, k], a [r, k], b [n, r]");
    return pf_output(g, n, 0, pf_shape_of(1, w->dim[0]));
}
static size_t scratch_bytes(const pf_run *r, const pf_node *n)
{
    const pf_shape *w = &pf_v(r->g, n->in[0])->shape;
    return (size_t)(pf_shape_count(w) / w->dim[0]) * (size_t)r->threads * sizeof(pk_real);
}
static void run(const pf_run *r, const pf_node *n)
{
    const pf_shape *w = &pf_v(r->g, n->in[0])->shape;
    job j = { .w = pf_weight_of(r, n->in[0]), .a = r->ptr[n->in[1].id], .b = r->ptr[n->in[2].id],
              .y = r->ptr[n->out[0].id], .cols = pf_shape_count(w) / w->dim[0],
              .rank = pf_v(r->g, n->in[1])->shape.dim[0], .s = n->attr.f[0], .kernels = r->kernels,
              .scratch = r->scratch };
    pf_parallel(r, w->dim[0], ROWS_PER_TASK, scale_rows, &j);
}
const pf_op pf_op_row_scale = { .name = "row_scale", .kernel = "axpy", .flags = PF_NO_GRADIENT,
    .any_type = 1u << 0,                                 /* w, input 0 */
    .infer = infer, .scratch_bytes = scratch_bytes, .run = run };
