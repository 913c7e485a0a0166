/* SPDX-License-Identifier: Apache-2.0
 * upsample.c -- bilinear resampling of maps whose pixels are rows and whose channels are columns, as interpolate of
 * PyTorch with align_corners=False: with n pixels resampled to m along an axis, new pixel i lies at
 * max((i + 0.5) n / m - 0.5, 0) among the old ones, and is the mean of the two beside that point, weighted by the
 * distances. Its gradient is the transpose of this linear operation: each old pixel gathers from the new ones that read
 * it. */
#include "core/graph/op.h"

/* attr.i of both operations: rows and columns of the map before and after. */
enum { HEIGHT, WIDTH, NEW_HEIGHT, NEW_WIDTH };

pf_val pf_upsample(pf_graph *g, pf_val x, int64_t h, int64_t w, int64_t new_h, int64_t new_w)
{
    if (g->status || (h == new_h && w == new_w)) return x;
    return pf_emit(g, &pf_op_upsample, &(pf_attr){ .i = { h, w, new_h, new_w } }, 1, (pf_val[]){ x });
}

/* One axis: n old pixels, m new ones. */
typedef struct { int64_t n, m; double step; } axis;
/* What a new pixel is made of: old pixels first and second (equal at the end of the axis), and the weight of each. */
typedef struct { int64_t first, second; pk_real of_first, of_second; } blend;

static axis axis_of(int64_t n, int64_t m) { return (axis){ n, m, (double)n / (double)m }; }

static blend blend_at(const axis *a, int64_t i)
{
    const double centre = ((double)i + 0.5) * a->step - 0.5, at = centre > 0 ? centre : 0;
    const int64_t floor = (int64_t)at, first = floor < a->n ? floor : a->n - 1;
    const double fraction = at - (double)first;
    return (blend){ first, first + (first < a->n - 1), (pk_real)(1 - fraction), (pk_real)fraction };
}

/* A lower bound of the first new pixel that reads old pixel k. */
static int64_t before_readers(const axis *a, int64_t k)
{
    const double i = ((double)k - 0.5) / a->step - 1.5;              /* new pixel i + 1 lies at k - 1 */
    return i > 0 ? (int64_t)i : 0;
}
static pk_real weight_of(const blend *b, int64_t k)
{
    return (b->first == k ? b->of_first : 0) + (b->second == k ? b->of_second : 0);
}

/* out = wa a + wb b, elements of n columns. */
static void mix(pk_real *out, const pk_real *a, pk_real wa, const pk_real *b, pk_real wb, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = wa * a[i] + wb * b[i];
}
static void add_scaled(pk_real *out, const pk_real *x, pk_real s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] += s * x[i];
}

/* from may be a column view: a pixel begins from.ld after the one before. */
typedef struct { const pf_run *r; pf_mat from, to; axis y, x; size_t worker_bytes; } job;

/* Columns of the map that a node reads, which are those of the line between, and of the one that it makes. */
static int64_t width_read(const pf_node *n) { return n->attr.i[n->op == &pf_op_upsample ? WIDTH : NEW_WIDTH]; }
static int64_t width_made(const pf_node *n) { return n->attr.i[n->op == &pf_op_upsample ? NEW_WIDTH : WIDTH]; }

/* The scratch of a thread: a line of pixels in the middle of the computation. */
static size_t worker_bytes(const pf_graph *g, const pf_node *n)
{
    return pf_align_up((size_t)(width_read(n) * pf_cols(g, n->in[0])) * sizeof(pk_real));
}
static pk_real *line_of(const job *j, int worker)
{
    return (pk_real *)(void *)((char *)j->r->scratch + (size_t)worker * j->worker_bytes);
}
static size_t scratch(const pf_run *r, const pf_node *n) { return worker_bytes(r->g, n) * (size_t)r->threads; }

/* Calls fn for ranges of lines of all maps that the node makes. */
static void for_lines(const pf_run *r, const pf_node *n, pf_range_fn fn)
{
    job j = { r, pf_matrix(r, n->in[0]), pf_matrix(r, n->out[0]), axis_of(n->attr.i[HEIGHT], n->attr.i[NEW_HEIGHT]),
              axis_of(n->attr.i[WIDTH], n->attr.i[NEW_WIDTH]), worker_bytes(r->g, n) };
    const int64_t lines_per_task = PF_GRAIN / (j.x.m * j.to.cols) + 1;
    pf_parallel(r, j.to.rows / width_made(n), lines_per_task, fn, &j);
}

/* in: x [b, h w, c]; attr i: h, w, then the new h and w; out [b, new h * new w, c] */
static bool infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    const int64_t *a = n->attr.i;
    if (s.ndim != 3 || a[HEIGHT] < 1 || a[WIDTH] < 1 || a[NEW_HEIGHT] < 1 || a[NEW_WIDTH] < 1
        || s.dim[1] != a[HEIGHT] * a[WIDTH])
        return pf_bad_shape(g, n, "a map [b, h w, c]");
    s.dim[1] = a[NEW_HEIGHT] * a[NEW_WIDTH];
    return pf_output(g, n, 0, s);
}

/* Computes new lines begin .. end - 1 of all maps: line i is line i % m of map i / m. Blends two old lines
 * vertically into `line`, then `line` horizontally into the new line. */
static void new_lines(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const int64_t cols = j->from.cols, old_line = j->x.n * j->from.ld;
    pk_real *line = line_of(j, worker);
    for (int64_t i = begin; i < end; i++) {
        const blend v = blend_at(&j->y, i % j->y.m);
        const pk_real *map = j->from.p + i / j->y.m * j->y.n * old_line;
        const pk_real *first = map + v.first * old_line, *second = map + v.second * old_line;
        pk_real *out = j->to.p + i * j->x.m * cols;
        for (int64_t k = 0; k < j->x.n; k++)
            mix(line + k * cols, first + k * j->from.ld, v.of_first, second + k * j->from.ld, v.of_second, cols);
        for (int64_t k = 0; k < j->x.m; k++) {
            const blend u = blend_at(&j->x, k);
            mix(out + k * cols, line + u.first * cols, u.of_first, line + u.second * cols, u.of_second, cols);
        }
    }
}
static void run(const pf_run *r, const pf_node *n) { for_lines(r, n, new_lines); }

/* In both directions: two products and a sum, or their adjoint, for each element of the lines between and of the new
 * map. */
static int64_t flops(const pf_graph *g, const pf_node *n)
{
    const int64_t *a = n->attr.i, of_mix = 3, maps = pf_v(g, n->in[0])->shape.dim[0];
    return of_mix * maps * a[NEW_HEIGHT] * (a[WIDTH] + a[NEW_WIDTH]) * pf_cols(g, n->in[0]);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_upsample_grad, &n->attr, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_upsample = { .name = "upsample", .infer = infer, .grad = grad, .scratch_bytes = scratch, .run = run,
    .flops = flops };

/* in: d [b, new h * new w, c]; attr as of upsample; out [b, h w, c] */
static bool grad_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    s.dim[1] = n->attr.i[HEIGHT] * n->attr.i[WIDTH];
    return pf_output(g, n, 0, s);
}

/* Computes lines begin .. end - 1 of the gradients of all maps. The new lines that read one are summed to one line of
 * new pixels, then its pixels that read an old pixel. */
static void old_lines(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const int64_t cols = j->from.cols, new_line = j->x.m * j->from.ld;
    pk_real *line = line_of(j, worker);
    for (int64_t i = begin; i < end; i++) {
        const int64_t row = i % j->y.n;
        const pk_real *map = j->from.p + i / j->y.n * j->y.m * new_line;
        pk_real *out = j->to.p + i * j->x.n * cols;
        memset(line, 0, (size_t)(j->x.m * cols) * sizeof *line);
        for (int64_t y = before_readers(&j->y, row); y < j->y.m; y++) {
            const blend v = blend_at(&j->y, y);
            if (v.first > row) break;
            for (int64_t k = 0; k < j->x.m && v.second >= row; k++)
                add_scaled(line + k * cols, map + y * new_line + k * j->from.ld, weight_of(&v, row), cols);
        }
        memset(out, 0, (size_t)(j->x.n * cols) * sizeof *out);
        for (int64_t k = 0; k < j->x.m; k++) {
            const blend u = blend_at(&j->x, k);
            add_scaled(out + u.first * cols, line + k * cols, u.of_first, cols);
            add_scaled(out + u.second * cols, line + k * cols, u.of_second, cols);
        }
    }
}
static void grad_run(const pf_run *r, const pf_node *n) { for_lines(r, n, old_lines); }
const pf_op pf_op_upsample_grad = { .name = "upsample_grad", .infer = grad_infer, .scratch_bytes = scratch,
    .run = grad_run, .flops = flops };
