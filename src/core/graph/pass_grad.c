/* SPDX-License-Identifier: Apache-2.0
 * pass_grad.c -- appends the backward nodes. Walking back from the loss it visits only nodes whose outputs have a
 * gradient and whose inputs want one, so frozen weights get no dW and the walk ends at the lowest trained value. */
#include "core/graph/ops/op.h"
#include "core/graph/param.h"

void pf_grad_add(pf_grads *gr, pf_val v, pf_val d)
{
    if (gr->g->status) return;
    pf_val *of = &gr->of[v.id];
    *of = pf_is(*of) ? PF_BACK(gr, &pf_op_add, NULL, *of, d) : d;
}

void pf_grad_add_reduced(pf_grads *gr, pf_val v, pf_val d)
{
    if (gr->g->status) return;
    pf_attr a = { .shape = pf_v(gr->g, v)->shape };
    if (!pf_shape_equal(&a.shape, &pf_v(gr->g, d)->shape)) d = PF_BACK(gr, &pf_op_sum_to, &a, d);
    pf_grad_add(gr, v, d);
}

/* Gradients of column views become one gradient of the value they look into. */
static void gather_views(pf_grads *gr, uint32_t values, pf_val wide)
{
    pf_node n = { .op = &pf_op_concat_cols, .attr = { .shape = pf_v(gr->g, wide)->shape }, .backward = true };
    int pieces = 0;
    for (uint32_t id = 1; id < values; id++) {
        pf_val d = gr->of[id];
        if (!pf_eq(gr->g->value[id].view_of, wide) || !pf_is(d)) continue;
        int at = pieces++;
        while (at > 0 && n.attr.i[at - 1] > gr->g->value[id].col) {
            n.attr.i[at] = n.attr.i[at - 1];
            n.in[at] = n.in[at - 1];
            at--;
        }
        n.attr.i[at] = gr->g->value[id].col;
        n.in[at] = d;
    }
    if (pieces) pf_grad_add(gr, wide, pf_emit_node(gr->g, n, NULL));
}

/* Finished gradients of parameter slices go to their buffers; a slice that overlaps an earlier one is added. */
static void emit_stores(pf_grads *gr, uint32_t values)
{
    pf_graph *g = gr->g;
    for (uint32_t id = 1; id < values; id++) {
        if (g->value[id].kind != PF_PARAM || !pf_is(gr->of[id])) continue;
        pf_node n = { .op = &pf_op_store, .in = { gr->of[id] }, .backward = true };
        n.attr.ptr = g->value[id].param;
        n.attr.i[0] = g->value[id].offset;
        int64_t end = n.attr.i[0] + pf_shape_count(&g->value[id].shape);
        for (uint32_t o = 1; o < id; o++) {
            const pf_value *e = &g->value[o];
            if (e->kind == PF_PARAM && e->param == n.attr.ptr && pf_is(gr->of[o]) && e->offset < end
                && n.attr.i[0] < e->offset + pf_shape_count(&e->shape)) n.attr.i[1] = 1;
        }
        pf_emit_node(g, n, NULL);
    }
}

peft_status pf_pass_grad(pf_graph *g, pf_val loss)
{
    if (g->status) return g->status;
    uint32_t values = g->values, nodes = g->nodes;
    pf_grads gr = { g, pf_alloc_zero(g->ctx, values * sizeof(pf_val)) };
    if (!gr.of) return g->status = pf_nomem("gradients", values * sizeof(pf_val));
    gr.of[loss.id] = loss;                               /* d loss/d loss is 1: the loss operation knows */
    for (uint32_t i = nodes; i-- > 0 && !g->status;) {
        const pf_node n = g->node[i];
        bool reached = false;
        for (int k = 0; k < PF_MAX_OUT; k++) {
            if (!pf_is(n.out[k]) || !pf_v(g, n.out[k])->needs_grad) continue;
            if (!pf_eq(n.out[k], loss)) gather_views(&gr, values, n.out[k]);
            reached |= !g->status && pf_is(gr.of[n.out[k].id]);
        }
        if (!reached) continue;
        if (n.op->grad) n.op->grad(&gr, &n);
        else pf_graph_fail(g, pf_fail(PEFT_E_INTERNAL, "operation %s has no gradient", n.op->name));
    }
    for (uint32_t id = 1; id < values && !g->status; id++)
        if (g->value[id].kind == PF_PARAM) gather_views(&gr, values, (pf_val){ id });
    if (!g->status) emit_stores(&gr, values);
    pf_free(g->ctx, gr.of);
    return g->status;
}
