/* SPDX-License-Identifier: Apache-2.0
 * conv2d.c -- convolution of maps [b, h*w, in], pixels in rows, with weights [out, in, kh, kw] of odd kh and kw, stride
 * 1 and zeros around the map, so that the result is [b, h*w, out]; and its gradients dX and dW as separate
 * operations. */
#include "core/graph/op.h"

enum { HEIGHT, WIDTH };                              /* attributes i of all three operations: those of a map */
enum { X, W, BIAS };                                 /* inputs of conv2d */

/* The extents of an operation: maps of height x width pixels, weights [out, in, kh, kw]. */
typedef struct { int64_t maps, height, width, out, in, kh, kw; } extents;

static extents extents_of(const pf_node *n, int64_t pixels, const pf_shape *w)
{
    return (extents){ pixels / (n->attr.i[HEIGHT] * n->attr.i[WIDTH]), n->attr.i[HEIGHT], n->attr.i[WIDTH],
                      w->dim[0], w->dim[1], w->dim[2], w->dim[3] };
}

typedef struct { extents at; const pk_real *w, *bias; pk_real *dw; pf_mat x, y; } job;

/* The pixel that lies dy rows and dx columns from pixel i; -1: it is outside the map. */
static int64_t pixel_at(const extents *e, int64_t i, int64_t dy, int64_t dx)
{
    const int64_t y = i / e->width % e->height + dy, x = i % e->width + dx;
    return y < 0 || y >= e->height || x < 0 || x >= e->width ? -1 : i + dy * e->width + dx;
}

/* The element of w that multiplies channel ci for result co, `tap` being y * kw + x of the kernel. */
static int64_t weight_at(const extents *e, int64_t co, int64_t ci, int64_t tap)
{
    return (co * e->in + ci) * e->kh * e->kw + tap;
}

/* Pixels begin .. end - 1 of y. */
static void forward_pixels(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const extents *e = &j->at;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        for (int64_t co = 0; co < e->out; co++) {
            pk_real sum = 0;
            for (int64_t tap = 0; tap < e->kh * e->kw; tap++) {
                const int64_t p = pixel_at(e, i, tap / e->kw - e->kh / 2, tap % e->kw - e->kw / 2);
                for (int64_t ci = 0; p >= 0 && ci < e->in; ci++)
                    sum += j->x.p[p * j->x.ld + ci] * j->w[weight_at(e, co, ci, tap)];
            }
            j->y.p[i * j->y.ld + co] = sum + (j->bias ? j->bias[co] : 0);
        }
}

/* Pixels begin .. end - 1 of dx; y holds dy. */
static void dx_pixels(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const extents *e = &j->at;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        for (int64_t ci = 0; ci < e->in; ci++) {
            pk_real sum = 0;
            for (int64_t tap = 0; tap < e->kh * e->kw; tap++) {
                const int64_t p = pixel_at(e, i, e->kh / 2 - tap / e->kw, e->kw / 2 - tap % e->kw);
                for (int64_t co = 0; p >= 0 && co < e->out; co++)
                    sum += j->y.p[p * j->y.ld + co] * j->w[weight_at(e, co, ci, tap)];
            }
            j->x.p[i * j->x.ld + ci] = sum;
        }
}

/* Rows begin .. end - 1 of dw, which belong to these columns of y. */
static void dw_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const extents *e = &j->at;
    (void)worker;
    memset(j->dw + weight_at(e, begin, 0, 0), 0, (size_t)weight_at(e, end - begin, 0, 0) * sizeof *j->dw);
    for (int64_t co = begin; co < end; co++)
        for (int64_t i = 0; i < j->x.rows; i++)
            for (int64_t tap = 0; tap < e->kh * e->kw; tap++) {
                const int64_t p = pixel_at(e, i, tap / e->kw - e->kh / 2, tap % e->kw - e->kw / 2);
                for (int64_t ci = 0; p >= 0 && ci < e->in; ci++)
                    j->dw[weight_at(e, co, ci, tap)] += j->y.p[i * j->y.ld + co] * j->x.p[p * j->x.ld + ci];
            }
}

/* in: x [b, h*w, in], w [out, in, kh, kw], bias? [out]; attr i: HEIGHT, WIDTH; out: [b, h*w, out] */
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

static void run(const pf_run *r, const pf_node *n)
{
    const pf_graph *g = r->g;
    job j = { extents_of(n, pf_rows(g, n->in[X]), &pf_v(g, n->in[W])->shape), r->ptr[n->in[W].id],
              r->ptr[n->in[BIAS].id], NULL, pf_matrix(r, n->in[X]), pf_matrix(r, n->out[0]) };
    pf_parallel(r, j.x.rows, 16, forward_pixels, &j);
}

static int64_t flops_of(const pf_graph *g, pf_val pixels, const pf_shape *w)
{
    return 2 * pf_rows(g, pixels) * pf_shape_count(w);
}
static int64_t flops(const pf_graph *g, const pf_node *n) { return flops_of(g, n->in[X], &pf_v(g, n->in[W])->shape); }

static void grad(pf_grads *gr, const pf_node *n)
{
    const pf_graph *g = gr->g;
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

const pf_op pf_op_conv2d = { .name = "conv2d", .flags = PF_STRIDED_OUT, .infer = infer, .grad = grad, .run = run,
    .flops = flops };

/* in: dy [.., h*w, out], w; attr i: HEIGHT, WIDTH, shape: of x; out: dx */
static bool shape_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void dx_run(const pf_run *r, const pf_node *n)
{
    const pf_graph *g = r->g;
    job j = { extents_of(n, pf_rows(g, n->in[0]), &pf_v(g, n->in[1])->shape), r->ptr[n->in[1].id], NULL, NULL,
              pf_matrix(r, n->out[0]), pf_matrix(r, n->in[0]) };
    pf_parallel(r, j.x.rows, 16, dx_pixels, &j);
}
static int64_t dx_flops(const pf_graph *g, const pf_node *n)
{
    return flops_of(g, n->in[0], &pf_v(g, n->in[1])->shape);
}
const pf_op pf_op_conv2d_dx = { .name = "conv2d_dx", .flags = PF_STRIDED_OUT, .infer = shape_infer, .run = dx_run,
    .flops = dx_flops };

/* in: dy [.., h*w, out], x [.., h*w, in]; attr i: HEIGHT, WIDTH, shape: of w; out: dw, summed over all pixels in their
 * order */
static void dw_run(const pf_run *r, const pf_node *n)
{
    job j = { extents_of(n, pf_rows(r->g, n->in[0]), &n->attr.shape), NULL, NULL, r->ptr[n->out[0].id],
              pf_matrix(r, n->in[1]), pf_matrix(r, n->in[0]) };
    pf_parallel(r, j.at.out, 1, dw_rows, &j);
}
static int64_t dw_flops(const pf_graph *g, const pf_node *n) { return flops_of(g, n->in[0], &n->attr.shape); }
const pf_op pf_op_conv2d_dw = { .name = "conv2d_dw", .infer = shape_infer, .run = dw_run, .flops = dw_flops };
