/* SPDX-License-Identifier: Apache-2.0
 * pointwise.c -- pointwise operations: add and mul (the second operand is broadcast over leading extents), scale,
 * affine, activations. Operands may be column views; dense ones are passed to the kernel in one call. */
#include "core/graph/op.h"

enum { IN_0 = 1, IN_1 = 2 };                             /* bits of pf_op.inplace */

typedef struct { const pf_run *r; const pf_node *n; pf_mat x, y, z; } job;

/* Calls fn(job) for ranges of rows: x is in[0], y is in[1] (x again if there is no in[1]), z is out[0]. */
static void for_rows(const pf_run *r, const pf_node *n, pf_range_fn fn)
{
    const pf_val second = pf_exists(n->in[1]) ? n->in[1] : n->in[0];
    job j = { r, n, pf_matrix(r, n->in[0]), pf_matrix(r, second), pf_matrix(r, n->out[0]) };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, fn, &j);
}

/* Runs body for rows begin .. end - 1, with n elements at px, py (both operands) and pz (the output): once for all rows
 * if everything is dense, else once for each row. A y with fewer rows is repeated (broadcast). Without a second operand
 * py is px. */
#define FOR_PIECES(j, begin, end, body) do { \
    bool whole_ = pf_dense((j)->x) && pf_dense((j)->y) && pf_dense((j)->z) && (j)->y.rows == (j)->x.rows; \
    int64_t step_ = whole_ ? (end) - (begin) : 1; \
    for (int64_t i_ = (begin); i_ < (end); i_ += step_) { \
        const pk_real *px = (j)->x.p + i_ * (j)->x.ld; \
        const pk_real *py = (j)->y.p ? (j)->y.p + i_ % (j)->y.rows * (j)->y.ld : NULL; \
        pk_real *pz = (j)->z.p + i_ * (j)->z.ld; \
        const int64_t n = step_ * (j)->x.cols; \
        body; \
    } } while (0)

static bool broadcast_infer(pf_graph *g, pf_node *n)
{
    if (!pf_is_suffix(&pf_v(g, n->in[1])->shape, &pf_v(g, n->in[0])->shape))
        return pf_bad_shape(g, n, "a second operand whose extents are the last ones of the first");
    return pf_output_like(g, n, 0, n->in[0]);
}

/* in: x, y; out: x + y */
static void add_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    FOR_PIECES(j, begin, end, j->r->kernels->add(pz, px, py, n));
}
static void add_run(const pf_run *r, const pf_node *n) { for_rows(r, n, add_rows); }
static void add_grad(pf_grads *gr, const pf_node *n)
{
    pf_val d = pf_grad_of(gr, n->out[0]);
    if (pf_grad_wanted(gr, n->in[0])) pf_grad_add(gr, n->in[0], d);
    if (pf_grad_wanted(gr, n->in[1])) pf_grad_add_reduced(gr, n->in[1], d);
}
const pf_op pf_op_add = { .name = "add", .kernel = "add", .flags = PF_ROWWISE | PF_STRIDED_OUT, .inplace = IN_0 | IN_1,
    .infer = broadcast_infer, .grad = add_grad, .run = add_run };

/* in: x, y; out: x * y */
static void mul_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    FOR_PIECES(j, begin, end, j->r->kernels->mul(pz, px, py, n));
}
static void mul_run(const pf_run *r, const pf_node *n) { for_rows(r, n, mul_rows); }
static void mul_grad(pf_grads *gr, const pf_node *n)
{
    pf_val d = pf_grad_of(gr, n->out[0]), x = n->in[0], y = n->in[1];
    if (pf_grad_wanted(gr, x)) pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_mul, NULL, d, y));
    if (pf_grad_wanted(gr, y)) {
        pf_attr a = { .shape = pf_v(gr->g, y)->shape };
        pf_grad_add(gr, y, PF_EMIT_BACKWARD(gr, &pf_op_dot_to, &a, d, x));
    }
}
const pf_op pf_op_mul = { .name = "mul", .kernel = "mul", .flags = PF_ROWWISE | PF_STRIDED_OUT, .inplace = IN_0 | IN_1,
    .rounds = 1u << 1, .infer = broadcast_infer, .grad = mul_grad, .run = mul_run };

static bool same_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[0]); }

/* in: x; attr f[0]: s; out: s x */
static void scale_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    FOR_PIECES(j, begin, end, (void)py; j->r->kernels->scale(pz, px, (pk_real)j->n->attr.f[0], n));
}
static void scale_run(const pf_run *r, const pf_node *n) { for_rows(r, n, scale_rows); }
static void scale_grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_scale, &n->attr, pf_grad_of(gr, n->out[0])));
}
const pf_op pf_op_scale = { .name = "scale", .kernel = "scale", .flags = PF_ROWWISE | PF_STRIDED_OUT, .inplace = IN_0,
    .infer = same_infer, .grad = scale_grad, .run = scale_run };

/* in: x [..,d], gamma? [d], beta? [d]; out: x gamma + beta (LayerScale, SSF) */
static bool affine_infer(pf_graph *g, pf_node *n)
{
    for (int i = 1; i < 3; i++)
        if (pf_exists(n->in[i]) && pf_shape_count(&pf_v(g, n->in[i])->shape) != pf_cols(g, n->in[0]))
            return pf_bad_shape(g, n, "x [.., d], gamma [d], beta [d]");
    return same_infer(g, n);
}
static void affine_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    const pk_real *gamma = j->r->ptr[j->n->in[1].id], *beta = j->r->ptr[j->n->in[2].id];
    j->r->kernels->affine(j->z.p + begin * j->z.ld, j->z.ld, j->x.p + begin * j->x.ld, j->x.ld, gamma, beta,
                          end - begin, j->x.cols);
}
static void affine_run(const pf_run *r, const pf_node *n) { for_rows(r, n, affine_rows); }
static void affine_grad(pf_grads *gr, const pf_node *n)
{
    pf_val d = pf_grad_of(gr, n->out[0]), x = n->in[0], gamma = n->in[1], beta = n->in[2];
    if (pf_grad_wanted(gr, x))
        pf_grad_add(gr, x, pf_exists(gamma) ? PF_EMIT_BACKWARD(gr, &pf_op_affine, NULL, d, gamma) : d);
    if (pf_grad_wanted(gr, gamma)) {
        pf_attr a = { .shape = pf_v(gr->g, gamma)->shape };
        pf_grad_add(gr, gamma, PF_EMIT_BACKWARD(gr, &pf_op_dot_to, &a, d, x));
    }
    if (pf_grad_wanted(gr, beta)) pf_grad_add_reduced(gr, beta, d);
}
const pf_op pf_op_affine = { .name = "affine", .kernel = "affine", .flags = PF_ROWWISE | PF_STRIDED_OUT,
    .inplace = IN_0, .infer = affine_infer, .grad = affine_grad, .run = affine_run };

/* in: x; attr i[0]: pk_act; out: act(x) */
static void act_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    FOR_PIECES(j, begin, end, (void)py; j->r->kernels->act((pk_act)j->n->attr.i[0], pz, px, n));
}
static void act_run(const pf_run *r, const pf_node *n) { for_rows(r, n, act_rows); }
static void act_grad_emit(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_act_grad, &n->attr, pf_grad_of(gr, n->out[0]), n->in[0]));
}
const pf_op pf_op_act = { .name = "act", .kernel = "act", .flags = PF_ROWWISE | PF_STRIDED_OUT, .inplace = IN_0,
    .infer = same_infer, .grad = act_grad_emit, .run = act_run };

/* in: dy, x; attr i[0]: pk_act; out: dy act'(x) */
static void act_grad_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    FOR_PIECES(j, begin, end, j->r->kernels->act_grad((pk_act)j->n->attr.i[0], pz, px, py, n));
}
static void act_grad_run(const pf_run *r, const pf_node *n) { for_rows(r, n, act_grad_rows); }
const pf_op pf_op_act_grad = { .name = "act_grad", .kernel = "act_grad", .flags = PF_STRIDED_OUT,
    .inplace = IN_0 | IN_1, .rounds = 1u << 1, .infer = same_infer, .run = act_grad_run };
