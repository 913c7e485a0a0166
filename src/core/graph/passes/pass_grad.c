/* SPDX-License-Identifier: Apache-2.0
 * pass_grad.c -- appends the backward nodes. Walking back from the loss it visits only nodes whose outputs have a
 * gradient and whose inputs want one, so frozen weights get no dW and the walk ends at the lowest trained value. */
#include "core/graph/passes/passes.h"
#include "core/graph/param.h"

enum { PIECES = 4 };                                     /* that one concatenation takes */

/* Place of columns col.. among the pieces of n, which are in order; -1: no room, or they overlap. */
static int piece_place(const pf_graph *g, const pf_node *n, int pieces, int64_t col, int64_t cols)
{
    int at = pieces;
    while (at > 0 && n->attr.i[at - 1] >= col) at--;
    if (pieces == PIECES || (at > 0 && n->attr.i[at - 1] + pf_cols(g, n->in[at - 1]) > col)) return -1;
    return at < pieces && n->attr.i[at] < col + cols ? -1 : at;
}

/* Gradients of column views, and of views of these, become gradients of the value they look into. */
static void gather_views(pf_grads *gr, uint32_t values, pf_val wide)
{
    const pf_node none = { .op = &pf_op_concat_cols, .attr = { .shape = pf_v(gr->g, wide)->shape }, .backward = true };
    pf_node n = none;
    int pieces = 0;
    for (uint32_t id = 1; id < values && !gr->g->status; id++) {
        if (!pf_eq(gr->g->value[id].view_of, wide)) continue;
        gather_views(gr, values, (pf_val){ id });
        pf_val d = gr->of[id];
        if (!pf_is(d)) continue;
        int64_t col = gr->g->value[id].col;
        int at = piece_place(gr->g, &n, pieces, col, pf_cols(gr->g, d));
        if (at < 0) {
            pf_grad_add(gr, wide, pf_emit_node(gr->g, n, NULL));
            n = none;
            at = pieces = 0;
        }
        for (int k = pieces++; k > at; k--) {
            n.attr.i[k] = n.attr.i[k - 1];
            n.in[k] = n.in[k - 1];
        }
        n.attr.i[at] = col;
        n.in[at] = d;
    }
    if (pieces) pf_grad_add(gr, wide, pf_emit_node(gr->g, n, NULL));
}

/* The slice of p with a gradient that follows slice `after` (0: the first) by offset, then by id; 0: none. */
static uint32_t next_slice(const pf_grads *gr, uint32_t values, const pf_param *p, uint32_t after)
{
    const pf_value *v = gr->g->value;
    uint32_t next = 0;
    for (uint32_t id = 1; id < values; id++) {
        if (v[id].kind != PF_PARAM || v[id].param != p || !pf_is(gr->of[id])) continue;
        bool later = !after || v[id].offset > v[after].offset || (v[id].offset == v[after].offset && id > after);
        if (later && (!next || v[id].offset < v[next].offset)) next = id;
    }
    return next;
}

/* The finished gradients of p's slices go to its buffer, in the order of their first elements, so that what earlier
 * ones have stored of a slice already is its beginning. */
static void emit_stores_of(pf_grads *gr, uint32_t values, const pf_param *p)
{
    int64_t end = 0;
    for (uint32_t id = next_slice(gr, values, p, 0); id && !gr->g->status; id = next_slice(gr, values, p, id)) {
        const pf_value v = gr->g->value[id];
        int64_t stored = end - v.offset, count = pf_shape_count(&v.shape);
        pf_node n = { .op = &pf_op_store, .in = { gr->of[id] }, .backward = true };
        n.attr.ptr = p;
        n.attr.i[0] = v.offset;
        n.attr.i[1] = stored < 0 ? 0 : stored < count ? stored : count;
        pf_emit_node(gr->g, n, NULL);
        if (v.offset + count > end) end = v.offset + count;
    }
}

static void emit_stores(pf_grads *gr, uint32_t values)
{
    const pf_graph *g = gr->g;
    for (uint32_t id = 1; id < values; id++) {
        bool first = g->value[id].kind == PF_PARAM && pf_is(gr->of[id]);
        for (uint32_t o = 1; o < id && first; o++)
            first = g->value[o].kind != PF_PARAM || g->value[o].param != g->value[id].param || !pf_is(gr->of[o]);
        if (first) emit_stores_of(gr, values, g->value[id].param);
    }
}

peft_status pf_pass_grad(pf_graph *g)
{
    const pf_val loss = g->loss;
    if (g->status || !pf_is(loss)) return g->status;
    uint32_t values = g->values, nodes = g->nodes;
    pf_grads gr = { g, pf_alloc_zero(g->ctx, values * sizeof(pf_val)), &pf_op_add, &pf_op_sum_to };
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
