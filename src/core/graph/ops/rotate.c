/* SPDX-License-Identifier: Apache-2.0
 * rotate.c -- orthogonal matrices of blocks, for OFT. cayley makes one matrix R for each block from the elements above
 * the diagonal of a skew-symmetric matrix Q: R = (I - Q)(I + Q)^-1, or the first terms of a series that PEFT uses in
 * its place. rotate multiplies each block of columns with its matrix. */
#include "core/bits/cayley.h"
#include "core/graph/op.h"

/* Attributes of cayley: the side of a matrix, and how R is made (core/bits/cayley.h). Attribute of rotate: multiply
 * with the transposed matrices. */
enum { SIZE, TERMS };
enum { TRANSPOSED };

typedef struct { const pf_run *r; const pf_node *n; int64_t b, packed; } blocks;

static double *space_of(const blocks *j, int worker)
{
    return (double *)j->r->scratch + worker * PF_CAYLEY_SPACES * j->b * j->b;
}

static size_t cayley_scratch(const pf_run *r, const pf_node *n)
{
    const int64_t b = n->attr.i[SIZE];
    return sizeof(double) * (size_t)(PF_CAYLEY_SPACES * b * b * pk_pool_threads(r->pool));
}

/* in: packed [n, b(b-1)/2]; out: R [n,b,b] */
static bool cayley_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *s = &pf_v(g, n->in[0])->shape;
    const int64_t b = n->attr.i[SIZE];
    if (s->ndim != 2 || b < 2 || s->dim[1] != b * (b - 1) / 2) return pf_bad_shape(g, n, "[blocks, b(b-1)/2]");
    return pf_output(g, n, 0, pf_shape_of(3, s->dim[0], b, b));
}

static void one_matrix(void *arg, int64_t index, int worker)
{
    const blocks *j = arg;
    pk_real *to = (pk_real *)j->r->ptr[j->n->out[0].id] + index * j->b * j->b;
    const pk_real *packed = (const pk_real *)j->r->ptr[j->n->in[0].id] + index * j->packed;
    pf_cayley(packed, j->b, (int)j->n->attr.i[TERMS], space_of(j, worker), to);
}

static void one_gradient(void *arg, int64_t index, int worker)
{
    const blocks *j = arg;
    const pk_real *packed = (const pk_real *)j->r->ptr[j->n->in[0].id] + index * j->packed;
    const pk_real *g = (const pk_real *)j->r->ptr[j->n->in[1].id] + index * j->b * j->b;
    pk_real *to = (pk_real *)j->r->ptr[j->n->out[0].id] + index * j->packed;
    pf_cayley_gradient(packed, g, j->b, (int)j->n->attr.i[TERMS], space_of(j, worker), to);
}

static void run_blocks(const pf_run *r, const pf_node *n, void (*one)(void *, int64_t, int))
{
    const int64_t b = n->attr.i[SIZE];
    blocks j = { r, n, b, b * (b - 1) / 2 };
    pk_pool_run(r->pool, pf_v(r->g, n->in[0])->shape.dim[0], one, &j);
}
static void cayley_run(const pf_run *r, const pf_node *n) { run_blocks(r, n, one_matrix); }
static void cayley_grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_cayley_grad, &n->attr, n->in[0],
                                                   pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_cayley = { .name = "cayley", .infer = cayley_infer, .grad = cayley_grad, .run = cayley_run,
                             .scratch_bytes = cayley_scratch };

/* in: packed, the gradient of R; out: that of packed */
static bool cayley_grad_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[0]); }
static void cayley_grad_run(const pf_run *r, const pf_node *n) { run_blocks(r, n, one_gradient); }
const pf_op pf_op_cayley_grad = { .name = "cayley_grad", .infer = cayley_grad_infer, .run = cayley_grad_run,
                                  .scratch_bytes = cayley_scratch };

/* --- rotate ------------------------------------------------------------------------------------------------------ */
/* in: x [..,d], R [n,b,b], where n is d / b, or 1: the same matrix for all blocks; out: the shape of x */
static bool rotate_infer(pf_graph *g, pf_node *n)
{
    const pf_shape *m = &pf_v(g, n->in[1])->shape;
    const int64_t d = pf_cols(g, n->in[0]);
    if (m->ndim != 3 || m->dim[1] != m->dim[2] || (m->dim[0] != 1 && m->dim[0] * m->dim[1] != d) || d % m->dim[1])
        return pf_bad_shape(g, n, "x [.., n b], matrices [n,b,b] or [1,b,b]");
    return pf_output_like(g, n, 0, n->in[0]);
}

/* Multiplies rows begin .. end - 1, block by block. */
static void rotate_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const blocks *j = arg;
    const pf_mat x = pf_matrix(j->r, j->n->in[0]), y = pf_matrix(j->r, j->n->out[0]);
    const pf_shape *s = &pf_v(j->r->g, j->n->in[1])->shape;
    const int64_t b = s->dim[1];
    const bool transposed = j->n->attr.i[TRANSPOSED];
    (void)worker;
    for (int64_t row = begin; row < end; row++)
        for (int64_t h = 0; h < x.cols / b; h++) {
            const pk_real *from = x.p + row * x.ld + h * b;
            const pk_real *m = (const pk_real *)j->r->ptr[j->n->in[1].id] + h % s->dim[0] * b * b;
            pk_real *to = y.p + row * y.ld + h * b;
            for (int64_t c = 0; c < b; c++) to[c] = 0;
            for (int64_t k = 0; k < b; k++)
                for (int64_t c = 0; c < b; c++)
                    to[transposed ? k : c] += from[transposed ? c : k] * m[k * b + c];
        }
}

static void rotate_run(const pf_run *r, const pf_node *n)
{
    blocks j = { .r = r, .n = n };
    pf_parallel(r, pf_rows(r->g, n->in[0]), 8, rotate_rows, &j);
}
static int64_t rotate_flops(const pf_graph *g, const pf_node *n)
{
    return 2 * pf_shape_count(&pf_v(g, n->in[0])->shape) * pf_v(g, n->in[1])->shape.dim[1];
}
static void rotate_grad(pf_grads *gr, const pf_node *n)
{
    const pf_val dy = pf_grad_of(gr, n->out[0]);
    const pf_attr other = { .i = { [TRANSPOSED] = !n->attr.i[TRANSPOSED] } };
    const pf_attr like = { .shape = pf_v(gr->g, n->in[1])->shape };
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_rotate, &other, dy, n->in[1]));
    if (!pf_grad_wanted(gr, n->in[1])) return;
    if (n->attr.i[TRANSPOSED]) pf_grad_add(gr, n->in[1], PF_EMIT_BACKWARD(gr, &pf_op_rotate_dm, &like, dy, n->in[0]));
    else pf_grad_add(gr, n->in[1], PF_EMIT_BACKWARD(gr, &pf_op_rotate_dm, &like, n->in[0], dy));
}
const pf_op pf_op_rotate = { .name = "rotate", .flags = PF_ROWWISE, .infer = rotate_infer, .grad = rotate_grad,
                             .run = rotate_run, .flops = rotate_flops };

/* in: x, y [..,d]; attr shape: [n,b,b]; out: for each block the sum over the rows of x_k y_c, at [k,c] */
static bool rotate_dm_infer(pf_graph *g, pf_node *n) { return pf_output(g, n, 0, n->attr.shape); }
static void one_sum(void *arg, int64_t index, int worker)
{
    const blocks *j = arg;
    const pf_mat x = pf_matrix(j->r, j->n->in[0]), y = pf_matrix(j->r, j->n->in[1]);
    const int64_t n = j->n->attr.shape.dim[0], b = j->n->attr.shape.dim[1], rows = pf_rows(j->r->g, j->n->in[0]);
    pk_real *to = (pk_real *)j->r->ptr[j->n->out[0].id] + index * b * b;
    (void)worker;
    memset(to, 0, sizeof *to * (size_t)(b * b));
    for (int64_t h = index; h < x.cols / b; h += n)
        for (int64_t row = 0; row < rows; row++)
            for (int64_t k = 0; k < b; k++)
                for (int64_t c = 0; c < b; c++)
                    to[k * b + c] += x.p[row * x.ld + h * b + k] * y.p[row * y.ld + h * b + c];
}
static void rotate_dm_run(const pf_run *r, const pf_node *n)
{
    blocks j = { .r = r, .n = n };
    pk_pool_run(r->pool, n->attr.shape.dim[0], one_sum, &j);
}
const pf_op pf_op_rotate_dm = { .name = "rotate_dm", .rounds = 1u << 0 | 1u << 1,
                                .infer = rotate_dm_infer, .run = rotate_dm_run };
