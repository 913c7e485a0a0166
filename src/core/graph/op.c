/* SPDX-License-Identifier: Apache-2.0
 * op.c -- helpers of the operations in ops/: the error for unfit shapes, backward nodes, the sum of gradients. */
#include "core/graph/op.h"
#include "core/base/tensor.h"
#include "core/graph/report/report.h"

/* The message: "linear (blocks.0.attn.q.weight): given [2, 5, 8] and [4, 9], expected x [.., k] and w [n, k]". */
bool pf_bad_shape(pf_graph *g, const pf_node *n, const char *expected)
{
    char text[256] = "", extents[80], names[160];
    for (int i = 0; i < PF_MAX_IN; i++) {
        if (!pf_exists(n->in[i])) continue;
        const pf_shape *s = &pf_v(g, n->in[i])->shape;
        pf_dims_text(extents, sizeof extents, s->ndim, s->dim);
        if (*text) strncat(text, " and ", sizeof text - strlen(text) - 1);
        strncat(text, extents, sizeof text - strlen(text) - 1);
    }
    const bool named = *pf_node_tensors(g, n, names, sizeof names);
    pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "%s%s%s%s: given %s, expected %s", n->op->name, named ? " (" : "", names,
                             named ? ")" : "", text, expected));
    return false;
}

pf_val pf_emit_backward(pf_grads *gr, const pf_op *op, const pf_attr *attr, int nin, const pf_val *in)
{
    pf_node n = { .op = op, .backward = true };
    if (attr) n.attr = *attr;
    for (int i = 0; i < nin; i++) n.in[i] = in[i];
    return pf_emit_node(gr->g, n, NULL);
}

void pf_grad_add(pf_grads *gr, pf_val v, pf_val d)
{
    if (gr->g->status) return;
    pf_val *total = &gr->gradient[v.id];
    *total = pf_exists(*total) ? PF_EMIT_BACKWARD(gr, gr->add_op, NULL, *total, d) : d;
}

void pf_grad_add_reduced(pf_grads *gr, pf_val v, pf_val d)
{
    if (gr->g->status) return;
    pf_attr a = { .shape = pf_v(gr->g, v)->shape };
    if (!pf_shape_equal(&a.shape, &pf_v(gr->g, d)->shape)) d = PF_EMIT_BACKWARD(gr, gr->sum_to_op, &a, d);
    pf_grad_add(gr, v, d);
}
