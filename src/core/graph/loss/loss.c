/* SPDX-License-Identifier: Apache-2.0
 * loss.c -- the end of the graph: value and gradient of the loss in one operation (they share their exponentials). */
#include "core/graph/loss/loss.h"
#include "core/graph/op.h"

/* in: logits [..,classes], targets [rows,classes] (not for CE); attr ptr: pf_loss; out: loss [1], d loss/d logits */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_loss *loss = n->attr.ptr;
    if (loss->kind != PF_LOSS_CE
        && pf_shape_count(&pf_v(g, n->in[0])->shape) != pf_shape_count(&pf_v(g, n->in[1])->shape))
        return pf_bad_shape(g, n, "targets for every logit");
    return pf_out(g, n, 0, pf_shape_of(1, (int64_t)1)) && pf_out_like(g, n, 1, n->in[0]);
}

static void run(const pf_run *r, const pf_node *n)
{
    const pf_loss *loss = n->attr.ptr;
    pf_mat x = pf_matrix(r, n->in[0]);
    pk_real *grad = r->ptr[n->out[1].id];
    double value = loss->kind == PF_LOSS_CE
        ? pf_cross_entropy(x.p, x.ld, r->labels, x.rows, x.cols, &loss->ce, grad)
        : loss->kind == PF_LOSS_SOFT_CE
        ? pf_soft_cross_entropy(x.p, x.ld, r->ptr[n->in[1].id], x.rows, x.cols, &loss->ce, grad)
        : pf_binary_cross_entropy(x.p, x.ld, r->ptr[n->in[1].id], x.rows, x.cols, &loss->bce, grad);
    r->ptr[n->out[0].id][0] = (pk_real)value;
}

static void grad(pf_grads *gr, const pf_node *n)
{
    if (pf_grad_wanted(gr, n->in[0])) pf_grad_add(gr, n->in[0], n->out[1]);
}

const pf_op pf_op_loss = { .name = "loss", .infer = infer, .grad = grad, .run = run };
