/* SPDX-License-Identifier: Apache-2.0
 * swap.c -- swap reorders [heads, rows, head width] to [rows, heads * head width], for keys and values of prefix
 * tuning, which are stored by head; transpose exchanges the last two extents. */
#include "core/graph/op.h"

/* to[j][i] = from[i][j], where each entry has `inner` contiguous elements. */
static void swap_entries(pk_real *to, const pk_real *from, int64_t rows, int64_t cols, int64_t inner)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            memcpy(to + (j * rows + i) * inner, from + (i * cols + j) * inner, (size_t)inner * sizeof *to);
}

/* in: x [h,n,d]; out: [n, h d] */
static bool swap_infer(pf_graph *g, pf_node *n)
{
    const pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim != 3) return pf_bad_shape(g, n, "[heads, rows, head width]");
    return pf_output(g, n, 0, pf_shape_of(2, s.dim[1], s.dim[0] * s.dim[2]));
}
static void swap_run(const pf_run *r, const pf_node *n)
{
    const pf_shape *s = &pf_v(r->g, n->in[0])->shape;
    swap_entries(r->ptr[n->out[0].id], r->ptr[n->in[0].id], s->dim[0], s->dim[1], s->dim[2]);
}
static void swap_grad(pf_grads *gr, const pf_node *n)
{
    pf_attr a = { .shape = pf_v(gr->g, n->in[0])->shape };
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_swap_grad, &a, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_swap = { .name = "swap", .kernel = "copy", .infer = swap_infer, .grad = swap_grad, .run = swap_run };

/* in: the gradient [n, h d]; attr shape: [h,n,d]; out: the same numbers in that shape, stored by head */
static bool shape_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void swap_grad_run(const pf_run *r, const pf_node *n)
{
    const pf_shape *s = &n->attr.shape;
    swap_entries(r->ptr[n->out[0].id], r->ptr[n->in[0].id], s->dim[1], s->dim[0], s->dim[2]);
}
const pf_op pf_op_swap_grad = { .name = "swap_grad", .kernel = "copy", .infer = shape_infer, .run = swap_grad_run };

/* in: x [..,n,d]; out: [..,d,n] */
static bool transpose_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim < 2) return pf_bad_shape(g, n, "[.., n, d]");
    const int64_t rows = s.dim[s.ndim - 2];
    s.dim[s.ndim - 2] = s.dim[s.ndim - 1];
    s.dim[s.ndim - 1] = rows;
    return pf_output(g, n, 0, s);
}
static void transpose_run(const pf_run *r, const pf_node *n)
{
    const pf_shape *s = &pf_v(r->g, n->in[0])->shape;
    const int64_t rows = s->dim[s->ndim - 2], cols = s->dim[s->ndim - 1], all = pf_shape_count(s);
    for (int64_t i = 0; i < all; i += rows * cols)
        swap_entries(r->ptr[n->out[0].id] + i, r->ptr[n->in[0].id] + i, rows, cols, 1);
}
static void transpose_grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_transpose, NULL, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_transpose = { .name = "transpose", .kernel = "copy", .infer = transpose_infer, .grad = transpose_grad,
                                .run = transpose_run };
