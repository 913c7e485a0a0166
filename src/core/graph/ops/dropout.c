/* SPDX-License-Identifier: Apache-2.0
 * dropout.c -- y = x m / (1 - p). The mask m of 0 and 1 is a function of (seed, step, stream, element), so that the
 * backward pass computes it again instead of storing it. */
#include "core/base/rng.h"
#include "core/graph/op.h"

enum { ELEMENTS_PER_TASK = 4096 };

typedef struct { const pf_run *r; const pf_node *n; pf_mat x, y; } job;

/* Computes rows begin .. end - 1 of y. */
static void drop_elements(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const double p = j->n->attr.f[0];
    const pk_real scale = (pk_real)(1 / (1 - p));
    const uint32_t limit = (uint32_t)(p * 0x1p32);           /* an element with a random number below is dropped */
    /* bit 31 of the third number, b, keeps these streams apart from those of initial values, whose b is 0 (params.c) */
    const pf_rng rng = { j->r->seed, (uint32_t)j->r->step, 0x80000000u | (uint32_t)j->n->attr.i[0] };
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        for (int64_t c = 0; c < j->x.cols; c++)
            j->y.p[i * j->y.ld + c] = pf_rng_u32(&rng, (uint64_t)(i * j->x.cols + c)) < limit ? 0
                : j->x.p[i * j->x.ld + c] * scale;
}

/* in: x; attr f[0]: p, i[0]: stream; out: y */
static bool infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[0]); }
static void run(const pf_run *r, const pf_node *n)
{
    job j = { r, n, pf_matrix(r, n->in[0]), pf_matrix(r, n->out[0]) };
    pf_parallel(r, j.x.rows, 1 + ELEMENTS_PER_TASK / j.x.cols, drop_elements, &j);
}
/* The gradient has the mask of the forward pass: dx = dy m / (1 - p). */
static void grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0]))
        pf_grad_add(gr, n->in[0], PF_EMIT_BACKWARD(gr, &pf_op_dropout_grad, &n->attr, pf_grad_of(gr, n->out[0])));
}
/* Not PF_ROWWISE: on fewer rows the elements would have other indices, and so another mask. */
const pf_op pf_op_dropout = { .name = "dropout", .flags = PF_STRIDED_OUT | PF_RANDOM, .inplace = 1, .infer = infer,
                              .grad = grad, .run = run };
const pf_op pf_op_dropout_grad = { .name = "dropout_grad", .flags = PF_STRIDED_OUT | PF_RANDOM, .inplace = 1,
                                   .infer = infer, .run = run };
