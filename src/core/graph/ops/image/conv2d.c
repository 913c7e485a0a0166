/* SPDX-License-Identifier: Apache-2.0
 * conv2d.c -- convolution of maps [b, h*w, in], pixels in rows, with weights [out, in, kh, kw] of odd kh and kw, stride
 * 1 and zeros around the map, so that the result is [b, h*w, out]; and its gradients dX and dW as separate operations.
 *
 * Each of the three is one matrix product, with the windows of a map as a factor (pk_windows), an im2col matrix that
 * is never stored: y = windows(x) w^T, dx = windows(dy) w', where w' swaps in and out and reverses the taps, dw = dy^T
 * windows(x). Columns of windows are ordered (tap, channel), weights (channel, tap): a copy of the weights in the
 * scratch has the order of the windows. */
#include "core/graph/op.h"

enum { HEIGHT, WIDTH };                              /* attributes i of all three operations: those of a map */
enum { X, W, BIAS };                                 /* inputs of conv2d */
enum { DY };                                         /* of conv2d_dx, before the weight W; of conv2d_dw, before x */

/* The extents of a weight [out, in, kh, kw]; taps: kh * kw. */
typedef struct { int64_t out, in, kh, kw, taps; } extents;

/* The windows of maps with this many channels; none for a window of one pixel, whose rows are those of the map. */
static pk_windows windows_of(const pf_node *n, const extents *e, int64_t channels)
{
    if (e->taps == 1) return (pk_windows){ 0 };
    return (pk_windows){ n->attr.i[HEIGHT], n->attr.i[WIDTH], channels, e->kh, e->kw };
}

/* A copy of weights in another order: the element of output channel o, input channel c and tap p is
 * ordered[o * out_stride + p * tap_stride + c]. reverse: p counts from the last tap; back: from ordered to weights. */
typedef struct {
    extents e;
    pk_real *weights, *ordered;
    int64_t out_stride, tap_stride;
    bool reverse, back;
} order;

static void copy_weights(void *arg, int64_t begin, int64_t end, int worker)
{
    const order *j = arg;
    const extents *e = &j->e;
    (void)worker;
    for (int64_t o = begin; o < end; o++)
        for (int64_t p = 0; p < e->taps; p++) {
            pk_real *w = j->weights + o * e->in * e->taps + p;
            pk_real *to = j->ordered + o * j->out_stride + (j->reverse ? e->taps - 1 - p : p) * j->tap_stride;
            if (j->back) for (int64_t c = 0; c < e->in; c++) w[c * e->taps] = to[c];
            else for (int64_t c = 0; c < e->in; c++) to[c] = w[c * e->taps];
        }
}

/* The order of y = windows(x) w^T and of dw: [out, taps, in]. */
static order by_result(const extents *e, pk_real *weights, void *ordered)
{
    return (order){ .e = *e, .weights = weights, .ordered = ordered, .out_stride = e->taps * e->in,
                    .tap_stride = e->in };
}

/* The order of dx: [taps, out, in], the last tap first. */
static order by_tap(const extents *e, pk_real *weights, void *ordered)
{
    return (order){ .e = *e, .weights = weights, .ordered = ordered, .out_stride = e->in,
                    .tap_stride = e->out * e->in, .reverse = true };
}

static void run_order(const pf_run *r, const order *o)
{
    order copy = *o;
    if (o->e.taps > 1) pf_parallel(r, o->e.out, PF_GRAIN / (o->e.in * o->e.taps) + 1, copy_weights, &copy);
}

/* Bytes of the ordered weights, which lie at the start of the scratch; 0: they have that order already. */
static size_t ordered_bytes(const extents *e)
{
    return e->taps == 1 ? 0 : pf_align_up((size_t)(e->out * e->in * e->taps) * sizeof(pk_real));
}

/* The weight's extents: of conv2d_dw, which makes the weight's gradient, they are an attribute. */
static extents extents_of(const pf_graph *g, const pf_node *n)
{
    const pf_shape *w = n->op == &pf_op_conv2d_dw ? &n->attr.shape : &pf_v(g, n->in[W])->shape;
    return (extents){ w->dim[0], w->dim[1], w->dim[2], w->dim[3], w->dim[2] * w->dim[3] };
}

/* The ordered weights, and what the product needs. */
static size_t scratch(const pf_run *r, const pf_node *n)
{
    const extents e = extents_of(r->g, n);
    pk_gemm a;
    n->op->product(r, n, &a);
    return ordered_bytes(&e) + pk_gemm_work(r->kernels, a.compute, a.m, a.n, a.k, r->threads)
         + (e.taps == 1 ? pk_gemm_widen_work(r->kernels, r->gemm, a.compute, a.b_type, a.n, a.k, r->threads)
                          : pk_gemm_windows_work(r->kernels, r->gemm, &a, r->threads));
}

static int64_t flops(const pf_graph *g, const pf_node *n)
{
    const extents e = extents_of(g, n);
    return 2 * pf_rows(g, n->in[0]) * e.out * e.in * e.taps;
}

static void multiply(const pf_run *r, const pf_node *n, const extents *e)
{
    pk_gemm a;
    n->op->product(r, n, &a);
    pk_gemm_run(r->kernels, r->pool, r->gemm, &a, (char *)r->scratch + ordered_bytes(e));
}

/* in: x [.., h*w, in], w [out, in, kh, kw], bias? [out]; attr i: HEIGHT, WIDTH; out: [.., h*w, out] */
static bool infer(pf_graph *g, pf_node *n)
{
    pf_shape y = pf_v(g, n->in[X])->shape;
    const pf_shape *w = &pf_v(g, n->in[W])->shape;
    const int64_t height = n->attr.i[HEIGHT], width = n->attr.i[WIDTH];
    if (y.ndim < 2 || height < 1 || width < 1 || y.dim[y.ndim - 2] != height * width)
        return pf_bad_shape(g, n, "x [.., h*w, in] with h and w of the map");
    if (w->ndim != 4 || w->dim[0] < 1 || w->dim[1] != y.dim[y.ndim - 1] || w->dim[2] % 2 != 1 || w->dim[3] % 2 != 1)
        return pf_bad_shape(g, n, "x [.., h*w, in] and w [out, in, kh, kw] with odd kh and kw");
    if (pf_exists(n->in[BIAS]) && pf_shape_count(&pf_v(g, n->in[BIAS])->shape) != w->dim[0])
        return pf_bad_shape(g, n, "a bias [out] for w [out, in, kh, kw]");
    y.dim[y.ndim - 1] = w->dim[0];
    return pf_output(g, n, 0, y);
}

/* The mode of arithmetic is that of trained weights: int8 is not used, since the weights are trained. */
static void product(const pf_run *r, const pf_node *n, pk_gemm *a)
{
    const extents e = extents_of(r->g, n);
    const pf_mat x = pf_matrix(r, n->in[X]), y = pf_matrix(r, n->out[0]);
    *a = (pk_gemm){
        .compute = r->rest, .m = x.rows, .n = e.out, .k = e.taps * e.in,
        .a = x.p, .a_row = x.ld, .a_col = 1, .a_windows = windows_of(n, &e, e.in),
        .b = e.taps == 1 ? (void *)r->ptr[n->in[W].id] : r->scratch, .b_row = 1, .b_col = e.taps * e.in,
        .c = y.p, .c_row = y.ld, .scale = 1, .bias = r->ptr[n->in[BIAS].id] };
}

/* Of conv2d and of conv2d_dx. */
static void run(const pf_run *r, const pf_node *n)
{
    const extents e = extents_of(r->g, n);
    pk_real *w = r->ptr[n->in[W].id];
    const order o = n->op == &pf_op_conv2d ? by_result(&e, w, r->scratch) : by_tap(&e, w, r->scratch);
    run_order(r, &o);
    multiply(r, n, &e);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    pf_graph *g = gr->g;
    const pf_val dy = pf_grad_of(gr, n->out[0]), x = n->in[X], w = n->in[W];
    pf_attr a = n->attr;
    if (pf_grad_wanted(gr, x)) {
        a.shape = pf_v(g, x)->shape;
        pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_conv2d_dx, &a, dy, w));
    }
    if (pf_grad_wanted(gr, w)) {
        a.shape = pf_v(g, w)->shape;
        pf_grad_add(gr, w, PF_EMIT_BACKWARD(gr, &pf_op_conv2d_dw, &a, dy, x));
    }
    if (pf_grad_wanted(gr, n->in[BIAS])) pf_grad_add_reduced(gr, n->in[BIAS], dy);
}

pf_val pf_conv2d(pf_graph *g, pf_val x, int64_t h, int64_t w, pf_val weight, pf_val bias)
{
    const pf_attr a = { .i = { [HEIGHT] = h, [WIDTH] = w } };
    return pf_emit(g, &pf_op_conv2d, &a, 3, (pf_val[]){ x, weight, bias });
}

const pf_op pf_op_conv2d = { .name = "conv2d", .flags = PF_STRIDED_OUT, .infer = infer, .grad = grad,
    .scratch_bytes = scratch, .run = run, .product = product, .flops = flops };

/* in: dy [.., h*w, out], w; attr i: HEIGHT, WIDTH, shape: of x; out: dx */
static bool shape_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }

static void dx_product(const pf_run *r, const pf_node *n, pk_gemm *a)
{
    const extents e = extents_of(r->g, n);
    const pf_mat dy = pf_matrix(r, n->in[DY]), dx = pf_matrix(r, n->out[0]);
    *a = (pk_gemm){
        .compute = r->rest, .m = dy.rows, .n = e.in, .k = e.taps * e.out,
        .a = dy.p, .a_row = dy.ld, .a_col = 1, .a_windows = windows_of(n, &e, e.out),
        .b = e.taps == 1 ? (void *)r->ptr[n->in[W].id] : r->scratch, .b_row = e.in, .b_col = 1,
        .c = dx.p, .c_row = dx.ld, .scale = 1 };
}

const pf_op pf_op_conv2d_dx = { .name = "conv2d_dx", .flags = PF_STRIDED_OUT, .infer = shape_infer,
    .scratch_bytes = scratch, .run = run, .product = dx_product, .flops = flops };

/* in: dy [.., h*w, out], x [.., h*w, in]; attr i: HEIGHT, WIDTH, shape: of w; out: dw, summed over all pixels in their
 * order */
enum { DW_X = 1 };

static void dw_product(const pf_run *r, const pf_node *n, pk_gemm *a)
{
    const extents e = extents_of(r->g, n);
    const pf_mat dy = pf_matrix(r, n->in[DY]), x = pf_matrix(r, n->in[DW_X]);
    *a = (pk_gemm){
        .compute = r->rest, .m = e.out, .n = e.taps * e.in, .k = dy.rows,
        .a = dy.p, .a_row = 1, .a_col = dy.ld,
        .b = x.p, .b_type = pf_v(r->g, n->in[DW_X])->type, .b_row = x.ld, .b_col = 1,
        .b_windows = windows_of(n, &e, e.in),
        .c = e.taps == 1 ? r->ptr[n->out[0].id] : r->scratch, .c_row = e.taps * e.in, .scale = 1 };
}

static void dw_run(const pf_run *r, const pf_node *n)
{
    const extents e = extents_of(r->g, n);
    order o = by_result(&e, r->ptr[n->out[0].id], r->scratch);
    o.back = true;
    multiply(r, n, &e);
    run_order(r, &o);
}

const pf_op pf_op_conv2d_dw = { .name = "conv2d_dw", .reads_bf16 = 1u << DW_X, .infer = shape_infer,
    .scratch_bytes = scratch, .run = dw_run, .product = dw_product, .flops = flops };
