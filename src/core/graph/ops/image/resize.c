/* SPDX-License-Identifier: Apache-2.0
 * resize.c -- resizes square images by a triangle (bilinear) filter that is widened when shrinking. No gradient flows
 * through it. */
#include <math.h>
#include "core/graph/op.h"

typedef struct { const pf_run *r; const pf_node *n; size_t worker_bytes; } job;        /* scratch bytes of one thread */

/* in: images [b,c,s,s]; attr i[0]: new side; out: [b,c,side,side] */
static bool resize_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim != 4 || s.dim[2] != s.dim[3] || n->attr.i[0] < 1) return pf_bad_shape(g, n, "images [b, c, s, s]");
    s.dim[2] = s.dim[3] = n->attr.i[0];
    return pf_output(g, n, 0, s);
}

/* Resizes a line of `from` contiguous pixels to one of `to`. Each new pixel is a weighted mean of old ones. */
static void resize_line(const pk_real *in, pk_real *out, int64_t from, int64_t to)
{
    const double scale = (double)from / (double)to, width = scale > 1 ? scale : 1;
    for (int64_t i = 0; i < to; i++) {
        const double centre = ((double)i + 0.5) * scale;
        int64_t first = (int64_t)floor(centre - width + 0.5), end = (int64_t)floor(centre + width + 0.5);
        double sum = 0, total = 0;
        for (int64_t k = first < 0 ? 0 : first; k < (end > from ? from : end); k++) {
            double w = 1 - fabs(((double)k + 0.5 - centre) / width);
            if (w <= 0) continue;
            sum += w * in[k];
            total += w;
        }
        out[i] = (pk_real)(sum / total);
    }
}

/* Resizes one channel of one image: all rows into scratch memory, `rows` [from, to], then each column of `rows` from a
 * contiguous copy, column[0..from-1], to column[from..from+to-1]. */
static void resize_plane(void *arg, int64_t plane, int worker)
{
    const job *j = arg;
    const pf_shape *s = &pf_v(j->r->g, j->n->in[0])->shape;
    const int64_t from = s->dim[3], to = j->n->attr.i[0];
    const pk_real *x = j->r->ptr[j->n->in[0].id] + plane * from * from;
    pk_real *y = j->r->ptr[j->n->out[0].id] + plane * to * to;
    pk_real *rows = (pk_real *)((char *)j->r->scratch + (size_t)worker * j->worker_bytes), *column = rows + from * to;
    for (int64_t i = 0; i < from; i++) resize_line(x + i * from, rows + i * to, from, to);
    for (int64_t c = 0; c < to; c++) {
        for (int64_t i = 0; i < from; i++) column[i] = rows[i * to + c];
        resize_line(column, column + from, from, to);
        for (int64_t i = 0; i < to; i++) y[i * to + c] = column[from + i];
    }
}
/* Scratch bytes of one thread: what resize_plane needs for `rows` and `column`. */
static size_t worker_bytes(const pf_graph *g, const pf_node *n)
{
    const int64_t from = pf_v(g, n->in[0])->shape.dim[3], to = n->attr.i[0];
    return pf_align_up((size_t)(from * to + from + to) * sizeof(pk_real));
}
static size_t resize_scratch(const pf_run *r, const pf_node *n) { return worker_bytes(r->g, n) * (size_t)r->threads; }
static void resize_run(const pf_run *r, const pf_node *n)
{
    job j = { r, n, worker_bytes(r->g, n) };
    const pf_shape *s = &pf_v(r->g, n->in[0])->shape;
    pk_pool_run(r->pool, s->dim[0] * s->dim[1], resize_plane, &j);
}
const pf_op pf_op_resize = { .name = "resize", .flags = PF_NO_GRADIENT,
    .infer = resize_infer, .scratch_bytes = resize_scratch, .run = resize_run };
