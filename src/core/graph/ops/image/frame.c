/* SPDX-License-Identifier: Apache-2.0
 * frame.c -- makes an image [c, h, w] of four pads, which are its borders; inside them it is 0. */
#include "core/graph/op.h"

/* A rectangle of pixels: its first pixel, its extents. */
typedef struct { int64_t y, x, rows, cols; } box;
/* Where pad k (0 to 3: up, down, left, right) of thickness p is in an image of so many rows and columns. */
static box pad_box(int k, int64_t rows, int64_t cols, int64_t p)
{
    const box boxes[4] = { { 0, 0, p, cols }, { rows - p, 0, p, cols }, { p, 0, rows - 2 * p, p },
                           { p, cols - p, rows - 2 * p, p } };
    return boxes[k];
}

/* in: up, down [1,c,p,w], left, right [1,c,h-2p,p]; out: [c,h,w], zeros inside the frame */
static bool frame_infer(pf_graph *g, pf_node *n)
{
    const pf_shape up = pf_v(g, n->in[0])->shape, left = pf_v(g, n->in[2])->shape;
    const int64_t rows = left.dim[2] + 2 * up.dim[2], cols = up.dim[3];
    for (int k = 0; k < 4; k++) {
        const pf_shape *s = &pf_v(g, n->in[k])->shape;
        const box b = pad_box(k, rows, cols, up.dim[2]);
        if (s->ndim != 4 || s->dim[0] != 1 || s->dim[1] != up.dim[1] || s->dim[2] != b.rows || s->dim[3] != b.cols)
            return pf_bad_shape(g, n, "pads [1, c, p, w] twice and [1, c, h - 2p, p] twice");
    }
    return pf_output(g, n, 0, pf_shape_of(3, up.dim[1], rows, cols));
}
static void frame_run(const pf_run *r, const pf_node *n)
{
    const pf_shape *out = &pf_v(r->g, n->out[0])->shape;
    const int64_t channels = out->dim[0], rows = out->dim[1], cols = out->dim[2];
    pk_real *y = r->ptr[n->out[0].id];
    memset(y, 0, (size_t)(channels * rows * cols) * sizeof *y);
    for (int k = 0; k < 4; k++) {
        box b = pad_box(k, rows, cols, pf_v(r->g, n->in[0])->shape.dim[2]);
        for (int64_t i = 0; i < channels * b.rows; i++)                  /* row i % rows of channel i / rows */
            memcpy(y + (i / b.rows * rows + b.y + i % b.rows) * cols + b.x, r->ptr[n->in[k].id] + i * b.cols,
                   (size_t)b.cols * sizeof *y);
    }
}
static void frame_grad(pf_grads *gr, const pf_node *n)
{
    for (int k = 0; k < 4; k++) {
        pf_attr a = { .i = { k, pf_v(gr->g, n->in[0])->shape.dim[2] }, .shape = pf_v(gr->g, n->in[k])->shape };
        if (pf_grad_wanted(gr, n->in[k]))
            pf_grad_add(gr, n->in[k], PF_EMIT_BACKWARD(gr, &pf_op_frame_grad, &a, pf_grad_of(gr, n->out[0])));
    }
}
const pf_op pf_op_frame = { .name = "frame", .kernel = "copy",
    .infer = frame_infer, .grad = frame_grad, .run = frame_run };

/* in: d [c,h,w]; attr i[0]: the pad (0 to 3), i[1]: p, shape: of the pad; out: the part of d in the pad's box */
static bool shape_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void frame_grad_run(const pf_run *r, const pf_node *n)
{
    const pf_shape *d = &pf_v(r->g, n->in[0])->shape;
    const int64_t rows = d->dim[1], cols = d->dim[2];
    box b = pad_box((int)n->attr.i[0], rows, cols, n->attr.i[1]);
    for (int64_t i = 0; i < d->dim[0] * b.rows; i++)                     /* row i % rows of channel i / rows */
        memcpy(r->ptr[n->out[0].id] + i * b.cols,
               r->ptr[n->in[0].id] + (i / b.rows * rows + b.y + i % b.rows) * cols + b.x,
               (size_t)b.cols * sizeof(pk_real));
}
const pf_op pf_op_frame_grad = { .name = "frame_grad", .kernel = "copy", .infer = shape_infer, .run = frame_grad_run };
