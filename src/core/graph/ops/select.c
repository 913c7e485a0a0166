/* SPDX-License-Identifier: Apache-2.0
 * select.c -- which tokens matter to a frozen attention (FPT): the mass each key receives, the rows with
 * the largest mass a head, and the small picture beside the large one. No gradient flows through any of them. */
#include <math.h>
#include "core/graph/op.h"

enum { WIDEST = 1024 };                                  /* columns of a head */

/* in: q [b,t,d], k, v [b,n,d], out, lse of their attention, head_scale? [heads]; attr i[0]: heads, i[1]: row 0 of q
 * alone; out: [b,heads,n] */
static bool mass_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *k = &pf_v(g, n->in[1])->shape;
    if (k->dim[2] / n->attr.i[0] > WIDEST) return pf_bad_shape(g, n, "heads of at most 1024 columns");
    return pf_out(g, n, 0, pf_shape_of(3, k->dim[0], n->attr.i[0], k->dim[1]));
}

/* The attention of one head of one sample; before memory is bound, its extents alone. */
static pk_attention one_head(const pf_run *r, const pf_node *n, int64_t sample, int64_t head)
{
    const pf_shape *q = &pf_v(r->g, n->in[0])->shape, *k = &pf_v(r->g, n->in[1])->shape;
    const int64_t heads = n->attr.i[0], d = q->dim[2] / heads, rows[4] = { q->dim[1], k->dim[1], k->dim[1], q->dim[1] };
    pk_real *lse = r->ptr[n->in[4].id], *scale = r->ptr[n->in[5].id];
    pk_operand in[4];
    for (int i = 0; i < 4; i++) {
        pf_mat m = pf_matrix(r, n->in[i]);
        in[i] = (pk_operand){ m.p ? m.p + sample * rows[i] * m.ld + head * d : NULL, 0, m.ld };
    }
    return (pk_attention){ .samples = 1, .heads = 1, .head_dim = d, .queries = n->attr.i[1] ? 1 : q->dim[1], .keys = k->dim[1],
                           .scale = (pk_real)(1.0 / sqrt((double)d)), .q = in[0], .k = in[1], .v = in[2],
                           .out = (pk_real *)(uintptr_t)in[3].data, .out_row = in[3].row,
                           .head_scale = scale ? scale + head : NULL,
                           .lse = lse ? lse + (sample * heads + head) * q->dim[1] : NULL };
}

typedef struct { const pf_run *r; const pf_node *n; size_t work, rows; } mass_job;

static size_t rounded(size_t bytes) { return (bytes + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN; }

/* With dout = 1/queries in every place, dv_j = mean_i P_ij in each of its columns: the gradient kernel does the work. */
static void mass_head(void *arg, int64_t task, int worker)
{
    const mass_job *j = arg;
    const int64_t heads = j->n->attr.i[0];
    char *work = (char *)j->r->work + (size_t)worker * (j->work + j->rows);
    pk_attention_grad g = { .fwd = one_head(j->r, j->n, task / heads, task % heads) };
    pk_real ones[WIDEST], *dv = (pk_real *)(work + j->work), *to = j->r->ptr[j->n->out[0].id] + task * g.fwd.keys;
    for (int64_t c = 0; c < g.fwd.head_dim; c++) ones[c] = (pk_real)(1.0 / (double)g.fwd.queries);
    g.dout = (pk_operand){ ones, 0, 0 };
    g.dv = (pk_output){ dv, 0, g.fwd.head_dim };
    j->r->k->attention_grad(&g, 0, 0, work);
    for (int64_t t = 0; t < g.fwd.keys; t++) to[t] = dv[t * g.fwd.head_dim];
}

static mass_job mass_job_of(const pf_run *r, const pf_node *n)
{
    pk_attention a = one_head(r, n, 0, 0);
    return (mass_job){ r, n, rounded(pk_attention_work(r->k, &a, 1)), rounded((size_t)(a.keys * a.head_dim) * sizeof(pk_real)) };
}
static size_t mass_work(const pf_run *r, const pf_node *n)
{
    mass_job j = mass_job_of(r, n);
    return (j.work + j.rows) * (size_t)r->threads;
}
static void mass_run(const pf_run *r, const pf_node *n)
{
    mass_job j = mass_job_of(r, n);
    pk_pool_run(r->pool, pf_v(r->g, n->out[0])->shape.dim[0] * n->attr.i[0], mass_head, &j);
}
static int64_t mass_flops(const pf_graph *g, const pf_node *n)
{
    return n->attr.i[1] ? 0 : 2 * pf_shape_count(&pf_v(g, n->in[0])->shape) * pf_v(g, n->in[1])->shape.dim[1];
}
const pf_op pf_op_attention_mass = { .name = "attention_mass", .flags = PF_STOP, .infer = mass_infer, .work = mass_work,
    .run = mass_run, .flops = mass_flops };

/* in: x [b,t,d], mass [b,heads,t]; attr i[0]: n; out: [b,n,d], the rows of each head its own */
static bool top_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    const pf_shape *mass = &pf_v(g, n->in[1])->shape;
    if (s.ndim != 3 || mass->ndim != 3 || mass->dim[0] != s.dim[0] || mass->dim[2] != s.dim[1] || s.dim[2] % mass->dim[1])
        return pf_bad_shape(g, n, "tokens [b, t, d] and their mass [b, heads, t]");
    if (n->attr.i[0] < 1 || n->attr.i[0] > s.dim[1])
        return pf_bad_shape(g, n, "at least one row and no more than there are");
    s.dim[1] = n->attr.i[0];
    return pf_out(g, n, 0, s);
}
static void top_head(void *arg, int64_t task, int worker)
{
    const mass_job *j = arg;
    const pf_shape *mass = &pf_v(j->r->g, j->n->in[1])->shape;
    const int64_t heads = mass->dim[1], t = mass->dim[2], b = task / heads, h = task % heads, n = j->n->attr.i[0];
    pf_mat x = pf_matrix(j->r, j->n->in[0]), y = pf_matrix(j->r, j->n->out[0]);
    const int64_t d = x.cols / heads;
    pk_real *left = (pk_real *)((char *)j->r->work + (size_t)worker * j->rows);
    memcpy(left, j->r->ptr[j->n->in[1].id] + task * t, (size_t)t * sizeof *left);
    for (int64_t i = 0; i < n; i++) {
        int64_t best = 0;                                /* the first of equals; taken ones are below all */
        for (int64_t c = 1; c < t; c++) if (left[c] > left[best]) best = c;
        left[best] = (pk_real)-INFINITY;
        memcpy(y.p + (b * n + i) * y.ld + h * d, x.p + (b * t + best) * x.ld + h * d, (size_t)d * sizeof *left);
    }
}
static size_t top_row_bytes(const pf_graph *g, const pf_node *n)
{
    return rounded((size_t)pf_v(g, n->in[1])->shape.dim[2] * sizeof(pk_real));
}
static size_t top_work(const pf_run *r, const pf_node *n) { return top_row_bytes(r->g, n) * (size_t)r->threads; }
static void top_run(const pf_run *r, const pf_node *n)
{
    mass_job j = { r, n, 0, top_row_bytes(r->g, n) };
    const pf_shape *mass = &pf_v(r->g, n->in[1])->shape;
    pk_pool_run(r->pool, mass->dim[0] * mass->dim[1], top_head, &j);
}
const pf_op pf_op_top_rows = { .name = "top_rows", .flags = PF_STOP, .infer = top_infer, .work = top_work, .run = top_run };

/* in: images [b,c,s,s]; attr i[0]: new side; out: [b,c,side,side], triangle filter widened when shrinking */
static bool resize_infer(pf_graph *g, pf_node *n)
{
    pf_shape s = pf_v(g, n->in[0])->shape;
    if (s.ndim != 4 || n->attr.i[0] < 1) return pf_bad_shape(g, n, "images [b, c, s, s]");
    s.dim[2] = s.dim[3] = n->attr.i[0];
    return pf_out(g, n, 0, s);
}

/* out[i*step] for i < to: weighted means of in[k*step], k < from. */
static void resize_line(const pk_real *in, pk_real *out, int64_t from, int64_t to, int64_t step)
{
    const double scale = (double)from / (double)to, width = scale > 1 ? scale : 1;
    for (int64_t i = 0; i < to; i++) {
        const double centre = ((double)i + 0.5) * scale;
        int64_t first = (int64_t)floor(centre - width + 0.5), last = (int64_t)floor(centre + width + 0.5);
        double sum = 0, total = 0;
        for (int64_t k = first < 0 ? 0 : first; k < (last > from ? from : last); k++) {
            double w = 1 - fabs(((double)k + 0.5 - centre) / width);
            if (w <= 0) continue;
            sum += w * in[k * step];
            total += w;
        }
        out[i * step] = (pk_real)(sum / total);
    }
}
static void resize_plane(void *arg, int64_t plane, int worker)
{
    const mass_job *j = arg;
    const pf_shape *s = &pf_v(j->r->g, j->n->in[0])->shape;
    const int64_t from = s->dim[3], to = j->n->attr.i[0];
    const pk_real *x = j->r->ptr[j->n->in[0].id] + plane * from * from;
    pk_real *y = j->r->ptr[j->n->out[0].id] + plane * to * to;
    pk_real *rows = (pk_real *)((char *)j->r->work + (size_t)worker * j->rows), *turned = rows + from * to;
    for (int64_t i = 0; i < from; i++) resize_line(x + i * from, rows + i * to, from, to, 1);
    for (int64_t c = 0; c < to; c++) {
        for (int64_t i = 0; i < from; i++) turned[i] = rows[i * to + c];
        resize_line(turned, turned + from, from, to, 1);
        for (int64_t i = 0; i < to; i++) y[i * to + c] = turned[from + i];
    }
}
static size_t resize_bytes(const pf_graph *g, const pf_node *n)
{
    const int64_t from = pf_v(g, n->in[0])->shape.dim[3], to = n->attr.i[0];
    return rounded((size_t)(from * to + from + to) * sizeof(pk_real));
}
static size_t resize_work(const pf_run *r, const pf_node *n) { return resize_bytes(r->g, n) * (size_t)r->threads; }
static void resize_run(const pf_run *r, const pf_node *n)
{
    mass_job j = { r, n, 0, resize_bytes(r->g, n) };
    const pf_shape *s = &pf_v(r->g, n->in[0])->shape;
    pk_pool_run(r->pool, s->dim[0] * s->dim[1], resize_plane, &j);
}
const pf_op pf_op_resize = { .name = "resize", .flags = PF_STOP, .infer = resize_infer, .work = resize_work, .run = resize_run };
