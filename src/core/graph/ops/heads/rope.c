/* SPDX-License-Identifier: Apache-2.0
 * rope.c -- rotary positions: rotates pairs of elements of q and k by angles that depend on the patch. Rows before
 * the patches (class token, registers, prompts) stay as they are. */
#include "core/graph/op.h"
#include "core/graph/ops/heads/rope.h"

enum { ROWS_AHEAD = 2 };                            /* the row that is prefetched while one is rotated */

/* A job for tokens x [b,t,d] of rope or rope_dtable. y: the rotated tokens; in rope_dtable their gradient. table: in
 * rope_dtable the gradient of the table. cols: columns of a head. positions: rows of the table of one head. */
typedef struct {
    const pf_run *r; const pf_node *n;
    pf_val x, y, table;
    int64_t heads, tokens, cols, positions;
} job;

static job job_of(const pf_run *r, const pf_node *n, pf_val x, pf_val y, pf_val table)
{
    const pf_shape *s = &pf_v(r->g, x)->shape;
    const int64_t heads = n->attr.i[PF_ROTATE_HEADS];
    return (job){ r, n, x, y, table, heads, s->dim[1], s->dim[2] / heads,
                  pf_rows(r->g, table) / n->attr.i[PF_ROTATE_TABLES] };
}

/* The columns of head h in the rows of sample b. */
static pf_mat part(const job *j, pf_val v, int64_t b, int64_t h)
{
    pf_mat m = pf_matrix(j->r, v);
    m.p += b * j->tokens * m.ld + h * j->cols;
    return m;
}

/* in: x [b,t,d], table [tables n, 2 d/heads] of n positions (rope.h), for each head or for all; attr i: PF_ROTATE_*;
 * out: x with its rows from `first` on rotated, row first + p by position p */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_shape x = pf_v(g, n->in[0])->shape, *table = &pf_v(g, n->in[1])->shape;
    const int64_t heads = n->attr.i[PF_ROTATE_HEADS], tables = n->attr.i[PF_ROTATE_TABLES];
    const int64_t first = n->attr.i[PF_ROTATE_FIRST];
    if (x.ndim != 3 || heads < 1 || x.dim[2] % (2 * heads) || (tables != 1 && tables != heads) || table->ndim != 2
        || table->dim[0] % tables || table->dim[1] != 2 * x.dim[2] / heads
        || x.dim[1] - first > table->dim[0] / tables)
        return pf_bad_shape(g, n, "x [b, t, d] and a table of as many positions as rows are rotated");
    return pf_output_like(g, n, 0, n->in[0]);
}

/* Prefetches the first `count` elements of a row. */
static void prefetch_row(const pk_real *row, int64_t count)
{
    for (int64_t i = 0; i < count; i += PK_ALIGN / (int64_t)sizeof *row) __builtin_prefetch(row + i);
}

/* Rotates rows begin .. end - 1 of x. A call of the kernel rotates one row: its heads are the kernel's rows, with one
 * row of the table for all of them or, if there is a table for each head, rows that are `positions` rows apart. */
static void rotate(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const int64_t *a = j->n->attr.i, d = j->heads * j->cols;
    const int64_t from_head_to_head = a[PF_ROTATE_TABLES] > 1 ? j->positions * 2 * j->cols : 0;
    const int halves = a[PF_ROTATE_HOW] & PF_ROTATE_HALVES ? 1 : 0;
    const int sign = a[PF_ROTATE_HOW] & PF_ROTATE_INVERSE ? -1 : 1;
    const pf_mat x = pf_matrix(j->r, j->x), y = pf_matrix(j->r, j->y);
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const int64_t position = row % j->tokens - a[PF_ROTATE_FIRST];
        const pk_real *from = x.p + row * x.ld;
        pk_real *to = y.p + row * y.ld;
        /* a row is a third of a row of q, k and v: too short for the CPU to see that rows follow one another */
        prefetch_row(from + ROWS_AHEAD * x.ld, d);
        if (to != from) prefetch_row(to + ROWS_AHEAD * y.ld, d);
        if (position < 0) {
            if (to != from) memcpy(to, from, (size_t)d * sizeof *to);
            continue;
        }
        const pk_real *table = j->r->ptr[j->table.id] + position * 2 * j->cols;
        j->r->kernels->rotate(to, j->cols, from, j->cols, table, table + j->cols, from_head_to_head, j->heads, j->cols,
                              halves, (pk_real)sign);
    }
}

static void run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n, n->in[0], n->out[0], n->in[1]);
    pf_parallel(r, pf_rows(r->g, n->in[0]), PF_GRAIN / (j.heads * j.cols) + 1, rotate, &j);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    const pf_val dy = pf_grad_of(gr, n->out[0]);
    pf_attr a = n->attr;
    if (pf_grad_wanted(gr, n->in[1])) {
        a.shape = pf_v(gr->g, n->in[1])->shape;
        pf_grad_add(gr, n->in[1], PF_EMIT_BACKWARD(gr, &pf_op_rope_dtable, &a, dy, n->in[0]));
    }
    a.i[PF_ROTATE_HOW] ^= PF_ROTATE_INVERSE;
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_rope, &a, dy, n->in[1]));
}

const pf_op pf_op_rope = { .name = "rope", .kernel = "rotate", .flags = PF_ROWWISE | PF_STRIDED_OUT, .inplace = 1,
    .infer = infer, .grad = grad, .run = run };

/* in: dy, x [b,t,d]; attr as rope, of neighbouring pairs and with a table for each head, shape: of the table; out:
 * the table's gradient, summed over the samples */
static bool dtable_infer(pf_graph *g, pf_node *n)
{
    if (n->attr.i[PF_ROTATE_TABLES] != n->attr.i[PF_ROTATE_HEADS] || n->attr.i[PF_ROTATE_HOW])
        return pf_bad_shape(g, n, "a trained table for each head, of neighbouring pairs");
    return pf_output(g, n, 0, n->attr.shape);
}

/* Computes rows begin .. end - 1 of the gradient. */
static void dtable(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const int64_t samples = pf_v(j->r->g, j->x)->shape.dim[0], first = j->n->attr.i[PF_ROTATE_FIRST];
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const int64_t token = row % j->positions + first, head = row / j->positions;
        pk_real *dcosine = j->r->ptr[j->table.id] + row * 2 * j->cols, *dsine = dcosine + j->cols;
        memset(dcosine, 0, (size_t)(2 * j->cols) * sizeof *dcosine);
        for (int64_t b = 0; b < samples && token >= 0 && token < j->tokens; b++) {
            const pf_mat dy = part(j, j->y, b, head), x = part(j, j->x, b, head);
            const pk_real *d = dy.p + token * dy.ld, *v = x.p + token * x.ld;
            for (int64_t c = 0; c < j->cols; c++) {
                dcosine[c] += d[c] * v[c];
                dsine[c] += d[c] * v[c ^ 1];                /* c ^ 1: the other element of the pair */
            }
        }
    }
}

static void dtable_run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n, n->in[1], n->in[0], n->out[0]);
    const int64_t rows = pf_rows(r->g, n->out[0]);
    pf_parallel(r, rows, PF_GRAIN / (j.heads * j.cols) + 1, dtable, &j);
}

const pf_op pf_op_rope_dtable = { .name = "rope_dtable", .rounds = 1u << 1, .infer = dtable_infer, .run = dtable_run };

/* attr.i of rope_table. ROWS, COLUMNS: of the grid of patches. XY: 1 if the column is the first coordinate, 0: the
 * row. */
enum { ROWS, COLUMNS, XY };

/* in: fx, fy [heads,n], frequencies of the first and the second coordinate; attr i[0]: rows, i[1]: columns
 * of the grid, i[2]: order of the coordinates; out: the table for `rope` with tables for each head
 * [heads rows columns, 4 n], of neighbouring pairs */
static bool table_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *f = &pf_v(g, n->in[0])->shape;
    const int64_t rows = n->attr.i[ROWS], columns = n->attr.i[COLUMNS];
    if (f->ndim != 2 || rows < 1 || columns < 1 || !pf_shape_equal(f, &pf_v(g, n->in[1])->shape))
        return pf_bad_shape(g, n, "frequencies [heads, n] of both coordinates");
    return pf_output(g, n, 0, pf_shape_of(2, f->dim[0] * rows * columns, 4 * f->dim[1]));
}

/* count: frequencies of a head for each coordinate. */
typedef struct { const pf_run *r; const pf_node *n; int64_t positions, columns, count; } table_job;

static table_job table_job_of(const pf_run *r, const pf_node *n, int64_t count)
{
    return (table_job){ r, n, n->attr.i[ROWS] * n->attr.i[COLUMNS], n->attr.i[COLUMNS], count };
}

/* Computes rows begin .. end - 1. */
static void table_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const table_job *j = arg;
    const pk_real *fx = j->r->ptr[j->n->in[0].id], *fy = j->r->ptr[j->n->in[1].id];
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        const int64_t head = row / j->positions, position = row % j->positions;
        pk_real at[2];
        pf_rope_coordinates(position, j->columns, j->n->attr.i[XY], at);
        pf_rope_mixed_row(fx + head * j->count, fy + head * j->count, at, j->count,
                          j->r->ptr[j->n->out[0].id] + row * 4 * j->count);
    }
}

static void table_run(const pf_run *r, const pf_node *n)
{
    table_job j = table_job_of(r, n, pf_cols(r->g, n->in[0]));
    /* an angle, of which cosine and sine are computed, counts as 16 elements of PF_GRAIN */
    pf_parallel(r, pf_rows(r->g, n->out[0]), PF_GRAIN / (16 * j.count) + 1, table_rows, &j);
}

static void table_grad(pf_grads *gr, const pf_node *n)
{
    pf_node made = { .op = &pf_op_rope_table_grad, .attr = n->attr, .backward = true };
    made.in[0] = pf_grad_of(gr, n->out[0]);
    made.in[1] = n->out[0];
    made.attr.shape = pf_v(gr->g, n->in[0])->shape;
    pf_emit_node(gr->g, made, &made);
    if (gr->g->status) return;
    for (int i = 0; i < 2; i++) if (pf_grad_wanted(gr, n->in[i])) pf_grad_add(gr, n->in[i], made.out[i]);
}

const pf_op pf_op_rope_table = { .name = "rope_table", .infer = table_infer, .grad = table_grad, .run = table_run };

/* in: the table's gradient, the table; attr as rope_table, shape: of the frequencies; out: the gradients of fx and
 * fy */
static bool table_grad_infer(pf_graph *g, pf_node *n)
{
    return pf_output(g, n, 0, n->attr.shape) && pf_output(g, n, 1, n->attr.shape);
}

/* Computes the gradients of heads begin .. end - 1. */
static void table_grad_heads(void *arg, int64_t begin, int64_t end, int worker)
{
    const table_job *j = arg;
    const pk_real *d = j->r->ptr[j->n->in[0].id], *table = j->r->ptr[j->n->in[1].id];
    const int64_t positions = j->positions, n = j->count;
    pk_real *dfx = j->r->ptr[j->n->out[0].id], *dfy = j->r->ptr[j->n->out[1].id];
    (void)worker;
    for (int64_t h = begin; h < end; h++)
        for (int64_t i = 0; i < n; i++) {
            double sum[2] = { 0, 0 };
            for (int64_t p = 0; p < positions; p++) {
                const int64_t row = (h * positions + p) * 4 * n;
                const pk_real cosine = table[row + 2 * i], sine = table[row + 2 * n + 2 * i + 1];
                const pk_real *dc = d + row + 2 * i, *ds = d + row + 2 * n + 2 * i;
                /* the loss's derivative by the angle; the first element of a pair has the negative sine (rope.h) */
                const double slope = (double)(ds[1] - ds[0]) * cosine - (double)(dc[0] + dc[1]) * sine;
                pk_real at[2];
                pf_rope_coordinates(p, j->columns, j->n->attr.i[XY], at);
                for (int k = 0; k < 2; k++) sum[k] += slope * at[k];
            }
            if (dfx) dfx[h * n + i] = (pk_real)sum[0];
            if (dfy) dfy[h * n + i] = (pk_real)sum[1];
        }
}

static void table_grad_run(const pf_run *r, const pf_node *n)
{
    table_job j = table_job_of(r, n, n->attr.shape.dim[1]);
    pf_parallel(r, n->attr.shape.dim[0], 1, table_grad_heads, &j);
}

const pf_op pf_op_rope_table_grad = { .name = "rope_table_grad", .infer = table_grad_infer, .run = table_grad_run };
