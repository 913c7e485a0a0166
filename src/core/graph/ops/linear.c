/* SPDX-License-Identifier: Apache-2.0
 * linear.c -- y = x w^T + b and its two gradients dX and dW, as separate operations, so that a frozen weight costs no
 * dW. x [..,k], w [n,k] (dense; extents after the first are flattened), b [n]. The fuse pass may add an epilogue:
 * activation, LayerScale, residual sum. */
#include "core/graph/op.h"
#include "kernels/ref/int8.h"

static int64_t out_features(const pf_graph *g, pf_val w) { return pf_v(g, w)->shape.dim[0]; }
static int64_t in_features(const pf_graph *g, pf_val w)
{
    return pf_shape_count(&pf_v(g, w)->shape) / out_features(g, w);
}

static int64_t flops_of(const pf_graph *g, pf_val x, pf_val w)
{
    return 2 * pf_rows(g, x) * pf_shape_count(&pf_v(g, w)->shape);
}

/* How a product reads the weight: dx = dy w, y = x w^T. */
typedef enum { AS_IT_IS, TRANSPOSED } orientation;

/* Sets matrix B of the product *a to the weight [n, k]. A weight that another
 * operation computes may be a column view of a wider matrix. */
static void set_weight(const pf_run *r, pk_gemm *a, pf_val weight, orientation o)
{
    const pk_weight w = pf_weight_of(r, weight);
    int64_t row = pf_v(r->g, weight)->shape.ndim == 2 ? pf_matrix(r, weight).ld : w.cols;
    if (w.type == PK_I8) row = pk_int8_whole_blocks(w.cols);
    a->b = w.data;
    a->b_type = w.type;
    a->b_scales = w.scales;
    a->b_row = o == TRANSPOSED ? 1 : row;
    a->b_col = o == TRANSPOSED ? row : 1;
}

/* Runs the matrix product of any of the three operations. */
static void run(const pf_run *r, const pf_node *n)
{
    pk_gemm a;
    n->op->product(r, n, &a);
    pk_gemm_run(r->kernels, r->pool, r->gemm, &a, r->scratch);
}

/* The arithmetic of y = x w^T. An arithmetic for frozen weights only (int8) is not for a trained or computed w, nor for
 * the patch embedding, a convolution [n, channels, h, w]: pixels of a patch are nearly equal, which its rotation turns
 * into one large number. Nor is int8 for narrow matrices (PF_INT8_LEAST). */
static pk_compute forward_compute(const pf_run *r, pf_val weight)
{
    const pf_value *w = pf_v(r->g, weight);
    if (w->kind != PF_CONST || w->shape.ndim != 2) return r->rest;
    const bool narrow = w->shape.dim[0] < r->int8_least || w->shape.dim[1] < r->int8_least;
    return narrow ? r->narrow : r->compute;
}

/* Scratch bytes of a product [m, k] [k, n] in this arithmetic whose matrix B is the weight. */
static size_t product_scratch(const pf_run *r, pk_compute compute, int64_t m, int64_t n, int64_t k, pf_val weight)
{
    return pk_gemm_work(r->kernels, compute, m, n, k, r->threads)
         + pk_gemm_widen_work(r->kernels, r->gemm, compute, pf_v(r->g, weight)->type, n, k, r->threads);
}

/* in: x, w, bias?, residual?, gamma?; attr i[0]: pk_act, i[1]: slopes; out: y = act(x w^T + bias) gamma + residual, and
 * pre?: if slopes is 0, x w^T + bias; if slopes is 1, act'(x w^T + bias) */
static bool linear_infer(pf_graph *g, pf_node *n)
{
    const pf_val x = n->in[PF_LINEAR_X], bias = n->in[PF_LINEAR_BIAS];
    const pf_shape *w = &pf_v(g, n->in[PF_LINEAR_W])->shape;
    pf_shape s = pf_v(g, x)->shape;
    if (w->ndim < 2 || !w->dim[0] || pf_cols(g, x) != in_features(g, n->in[PF_LINEAR_W]))
        return pf_bad_shape(g, n, "x [.., k] and w [n, k]");
    if (pf_exists(bias) && pf_shape_count(&pf_v(g, bias)->shape) != w->dim[0])
        return pf_bad_shape(g, n, "a bias [n] for w [n, k]");
    s.dim[s.ndim - 1] = w->dim[0];
    return pf_output(g, n, 0, s);
}

static void linear_product(const pf_run *r, const pf_node *n, pk_gemm *a)
{
    const pf_graph *g = r->g;
    pf_mat x = pf_matrix(r, n->in[PF_LINEAR_X]), y = pf_matrix(r, n->out[0]), pre = pf_matrix(r, n->out[PF_LINEAR_PRE]);
    pf_mat residual = pf_matrix(r, n->in[PF_LINEAR_RESIDUAL]);
    *a = (pk_gemm){
        .compute = forward_compute(r, n->in[PF_LINEAR_W]),
        .m = x.rows, .n = out_features(g, n->in[PF_LINEAR_W]), .k = x.cols,
        .a = x.p, .a_row = x.ld, .a_col = 1,
        .c = y.p, .c_row = y.ld, .scale = 1,
        .bias = r->ptr[n->in[PF_LINEAR_BIAS].id], .act = (pk_act)n->attr.i[PF_LINEAR_ACT],
        .pre = pre.p, .pre_type = pf_v(g, n->out[PF_LINEAR_PRE])->type, .pre_row = pre.ld,
        .slopes = (int)n->attr.i[PF_LINEAR_SLOPES],
        .gamma = r->ptr[n->in[PF_LINEAR_GAMMA].id], .residual = residual.p, .residual_row = residual.ld };
    set_weight(r, a, n->in[PF_LINEAR_W], TRANSPOSED);
}

static size_t linear_scratch(const pf_run *r, const pf_node *n)
{
    const pf_val x = n->in[PF_LINEAR_X], w = n->in[PF_LINEAR_W];
    return product_scratch(r, forward_compute(r, w), pf_rows(r->g, x), out_features(r->g, w), in_features(r->g, w), w);
}

static int64_t linear_flops(const pf_graph *g, const pf_node *n)
{
    return flops_of(g, n->in[PF_LINEAR_X], n->in[PF_LINEAR_W]);
}

static void linear_grad(pf_grads *gr, const pf_node *n)
{
    pf_graph *g = gr->g;
    pf_val dy = pf_grad_of(gr, n->out[0]), x = n->in[PF_LINEAR_X], w = n->in[PF_LINEAR_W], bias = n->in[PF_LINEAR_BIAS];
    if (pf_grad_wanted(gr, x)) {
        pf_attr a = { .shape = pf_v(g, x)->shape };
        pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_linear_dx, &a, dy, w));
    }
    if (pf_grad_wanted(gr, w)) {
        pf_attr a = { .shape = pf_v(g, w)->shape };
        pf_grad_add(gr, w, PF_EMIT_BACKWARD(gr, &pf_op_linear_dw, &a, dy, x));
    }
    if (pf_grad_wanted(gr, bias)) pf_grad_add_reduced(gr, bias, dy);
}

const pf_op pf_op_linear = { .name = "linear", .flags = PF_ROWWISE | PF_STRIDED_OUT,
    .inplace = 1u << PF_LINEAR_RESIDUAL, .any_type = 1u << PF_LINEAR_W, .writes_bf16 = 1u << PF_LINEAR_PRE,
    .infer = linear_infer, .grad = linear_grad, .scratch_bytes = linear_scratch, .run = run, .product = linear_product,
    .flops = linear_flops };

/* in: dy, w, gate?, add?; attr shape: of x, i[0]: pk_act, i[1]: slopes; out: dx = (dy w) act'(gate) + add, where gate
 * is the input of an activation; with slopes 1 gate holds act' already, and dx = (dy w) gate + add */
static bool shape_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }

static void dx_product(const pf_run *r, const pf_node *n, pk_gemm *a)
{
    pf_mat dy = pf_matrix(r, n->in[PF_LINEAR_DX_DY]), dx = pf_matrix(r, n->out[0]);
    pf_mat gate = pf_matrix(r, n->in[PF_LINEAR_DX_GATE]), add = pf_matrix(r, n->in[PF_LINEAR_DX_ADD]);
    *a = (pk_gemm){
        .compute = r->rest, .m = dy.rows, .n = dx.cols, .k = dy.cols,
        .a = dy.p, .a_row = dy.ld, .a_col = 1,
        .c = dx.p, .c_row = dx.ld, .scale = 1,
        .gate = gate.p, .gate_type = pf_v(r->g, n->in[PF_LINEAR_DX_GATE])->type, .gate_row = gate.ld,
        .gate_act = (pk_act)n->attr.i[PF_LINEAR_ACT],
        .slopes = (int)n->attr.i[PF_LINEAR_SLOPES],
        .residual = add.p, .residual_row = add.ld };
    set_weight(r, a, n->in[PF_LINEAR_DX_W], AS_IT_IS);
}

static size_t dx_scratch(const pf_run *r, const pf_node *n)
{
    const pf_val dy = n->in[PF_LINEAR_DX_DY], w = n->in[PF_LINEAR_DX_W];
    return product_scratch(r, r->rest, pf_rows(r->g, dy), pf_cols(r->g, n->out[0]), pf_cols(r->g, dy), w);
}

static int64_t dx_flops(const pf_graph *g, const pf_node *n)
{
    return flops_of(g, n->in[PF_LINEAR_DX_DY], n->in[PF_LINEAR_DX_W]);
}

const pf_op pf_op_linear_dx = { .name = "linear_dx", .flags = PF_STRIDED_OUT,
    .inplace = 1u << PF_LINEAR_DX_ADD, .any_type = 1u << PF_LINEAR_DX_W, .reads_bf16 = 1u << PF_LINEAR_DX_GATE,
    .infer = shape_infer, .scratch_bytes = dx_scratch, .run = run, .product = dx_product, .flops = dx_flops };

/* in: dy [..,n], x [..,k]; attr shape: of w; out: dw = dy^T x, summed over all rows in their order */
static void dw_product(const pf_run *r, const pf_node *n, pk_gemm *a)
{
    pf_mat dy = pf_matrix(r, n->in[0]), x = pf_matrix(r, n->in[1]);
    *a = (pk_gemm){
        .compute = r->rest, .m = dy.cols, .n = x.cols, .k = dy.rows,
        .a = dy.p, .a_row = 1, .a_col = dy.ld,
        .b = x.p, .b_type = pf_v(r->g, n->in[1])->type, .b_row = x.ld, .b_col = 1,
        .c = r->ptr[n->out[0].id], .c_row = x.cols, .scale = 1 };
}

static size_t dw_scratch(const pf_run *r, const pf_node *n)
{
    const int64_t m = pf_cols(r->g, n->in[0]), k = pf_rows(r->g, n->in[0]), cols = pf_cols(r->g, n->in[1]);
    return pk_gemm_work(r->kernels, r->rest, m, cols, k, r->threads)
         + pk_gemm_widen_work(r->kernels, r->gemm, r->rest, pf_v(r->g, n->in[1])->type, cols, k, r->threads);
}

static int64_t dw_flops(const pf_graph *g, const pf_node *n)
{
    return 2 * pf_rows(g, n->in[0]) * pf_shape_count(&n->attr.shape);
}

const pf_op pf_op_linear_dw = { .name = "linear_dw", .reads_bf16 = 1u << 1,
    .infer = shape_infer, .scratch_bytes = dw_scratch, .run = run, .product = dw_product, .flops = dw_flops };
