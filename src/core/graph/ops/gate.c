/* SPDX-License-Identifier: Apache-2.0
 * gate.c -- the gate of a gated MLP, and its gradient: one half of fc1's outputs is multiplied by the activation of the
 * other half. */
#include "core/graph/op.h"

/* Attributes i of gate and gate_dx: the activation; 1: of the second half, 0: of the first. */
enum { ACT, LAST };

/* Where the halves of a row of fc1's outputs, or of their gradient, begin: the one with the activation (gate), and its
 * factor. */
typedef struct { int64_t gate, factor; } halves;

/* Those of a row of cols elements. */
static halves halves_of(const pf_node *n, int64_t cols)
{
    return n->attr.i[LAST] ? (halves){ cols / 2, 0 } : (halves){ 0, cols / 2 };
}

typedef struct { const pf_run *r; const pf_node *n; pf_mat x, y, dx; } job;

/* in: x [..,2 d]; attr i: ACT, LAST; out: y [..,d] = act(gate) factor */
static bool infer(pf_graph *g, pf_node *n)
{
    pf_shape y = pf_v(g, n->in[0])->shape;
    if (y.ndim < 1 || y.dim[y.ndim - 1] % 2) return pf_bad_shape(g, n, "x [.., 2 d]");
    y.dim[y.ndim - 1] /= 2;
    return pf_output(g, n, 0, y);
}

static void rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pk_table *k = j->r->kernels;
    (void)worker;
    const halves at = halves_of(j->n, j->x.cols);
    const pk_real *x = j->x.p + begin * j->x.ld;
    k->gate((pk_act)j->n->attr.i[ACT], j->y.p + begin * j->y.ld, j->y.ld, x + at.gate, x + at.factor, j->x.ld,
            end - begin, j->y.cols);
}

static void run(const pf_run *r, const pf_node *n)
{
    job j = { r, n, pf_matrix(r, n->in[0]), pf_matrix(r, n->out[0]), { 0 } };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, rows, &j);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_gate_dx, &n->attr, pf_grad_of(gr, n->out[0]), n->in[0]));
}

pf_val pf_gated(pf_graph *g, pf_val x, pk_act act, bool last)
{
    return pf_emit(g, &pf_op_gate, &(pf_attr){ .i = { act, last } }, 1, &x);
}

const pf_op pf_op_gate = { .name = "gate", .kernel = "gate", .flags = PF_ROWWISE | PF_STRIDED_OUT, .infer = infer,
    .grad = grad, .run = run };

/* in: dy [..,d], x [..,2 d]; attr as gate; out: dx [..,2 d], the halves dy factor act'(gate) and dy act(gate) */
static bool dx_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }

static void dx_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pf_run *r = j->r;
    const pf_val in = j->n->in[1];
    const halves at = halves_of(j->n, j->x.cols);
    const int64_t count = pf_rows_each(r, in, end - begin);
    for (int64_t i = begin; i < end; i += count) {
        pk_real *dx = j->dx.p + i * j->dx.ld;
        const pk_real *x = pf_real_row(r, in, i, pf_rows_buffer(r, in, worker));
        r->kernels->gate_grad((pk_act)j->n->attr.i[ACT], dx + at.gate, dx + at.factor, j->dx.ld, j->y.p + i * j->y.ld,
                              j->y.ld, x + at.gate, x + at.factor, j->x.ld, count, j->y.cols);
    }
}

static size_t dx_scratch(const pf_run *r, const pf_node *n) { return pf_rows_scratch(r, n->in[1]); }

static void dx_run(const pf_run *r, const pf_node *n)
{
    job j = { r, n, pf_matrix(r, n->in[1]), pf_matrix(r, n->in[0]), pf_matrix(r, n->out[0]) };
    pf_parallel(r, j.x.rows, PF_GRAIN / j.x.cols + 1, dx_rows, &j);
}

const pf_op pf_op_gate_dx = { .name = "gate_dx", .kernel = "gate_grad", .flags = PF_STRIDED_OUT, .reads_bf16 = 1u << 1,
    .infer = dx_infer, .scratch_bytes = dx_scratch, .run = dx_run };
