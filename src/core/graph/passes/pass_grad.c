/* SPDX-License-Identifier: Apache-2.0
 * pass_grad.c -- appends the backward nodes: walks back from the loss and asks each operation (pf_op.grad) for its
 * vector-Jacobian products. The walk visits no node but those whose outputs depend on a trained value and have a
 * gradient, so that frozen weights get no dW and nothing below the lowest trained value is computed. */
#include "core/graph/passes/passes.h"
#include "core/graph/param.h"

/* Where a piece with columns col .. col + cols - 1 belongs among the pieces of the concat_cols node n, which are in
 * column order: its index among them; -1: n is full, or the columns overlap those of a piece. */
static int piece_place(const pf_graph *g, const pf_node *n, int pieces, int64_t col, int64_t cols)
{
    int place = pieces;
    while (place > 0 && n->attr.i[place - 1] >= col) place--;
    if (pieces == PF_CONCAT_MAX || (place > 0 && n->attr.i[place - 1] + pf_cols(g, n->in[place - 1]) > col)) return -1;
    return place < pieces && n->attr.i[place] < col + cols ? -1 : place;
}

/* Concatenates the gradients of wide's column views (and of views of these) and adds the result to wide's gradient.
 * values: the number of values before the pass added nodes; gr->gradient has that many entries. */
static void gather_views(pf_grads *gr, uint32_t values, pf_val wide)
{
    const pf_node none = { .op = &pf_op_concat_cols, .attr = { .shape = pf_v(gr->g, wide)->shape }, .backward = true };
    pf_node n = none;
    int pieces = 0;
    for (uint32_t id = 1; id < values && !gr->g->status; id++) {
        if (!pf_eq(gr->g->value[id].view_of, wide)) continue;
        gather_views(gr, values, (pf_val){ id });
        pf_val d = gr->gradient[id];
        if (!pf_exists(d)) continue;
        int64_t col = gr->g->value[id].col;
        int place = piece_place(gr->g, &n, pieces, col, pf_cols(gr->g, d));
        if (place < 0) {                                 /* this node is complete, the piece begins another one */
            pf_grad_add(gr, wide, pf_emit_node(gr->g, n, NULL));
            n = none;
            place = pieces = 0;
        }
        for (int k = pieces++; k > place; k--) {
            n.attr.i[k] = n.attr.i[k - 1];
            n.in[k] = n.in[k - 1];
        }
        n.attr.i[place] = col;
        n.in[place] = d;
    }
    if (pieces) pf_grad_add(gr, wide, pf_emit_node(gr->g, n, NULL));
}

/* The values that are slices of parameter p and have a gradient are taken in the order of their offsets, and with equal
 * offsets of their ids: returns the id of the one that follows slice `after` (0: returns the first); 0: no more. */
static uint32_t next_slice(const pf_grads *gr, uint32_t values, const pf_param *p, uint32_t after)
{
    const pf_value *v = gr->g->value;
    uint32_t next = 0;
    for (uint32_t id = 1; id < values; id++) {
        if (v[id].kind != PF_PARAM || v[id].param != p || !pf_exists(gr->gradient[id])) continue;
        bool later = !after || v[id].offset > v[after].offset || (v[id].offset == v[after].offset && id > after);
        if (later && (!next || v[id].offset < v[next].offset)) next = id;
    }
    return next;
}

/* Whether the values a and b are the same slice of a parameter. */
static bool same_slice(const pf_graph *g, uint32_t a, uint32_t b)
{
    return g->value[a].offset == g->value[b].offset && pf_shape_equal(&g->value[a].shape, &g->value[b].shape);
}

/* Appends the nodes that store the gradients of p's slices in its buffer, in the order of their offsets. Gradients of
 * the same slice, which a method uses several times in a pass, are added up before they are stored, so that
 * accumulation over passes adds the sum of a pass. Slices may overlap: after slice 0 .. 7, slice 4 .. 11 adds to its
 * first 4 elements (attr i[1]) and overwrites the others. */
static void emit_stores_of(pf_grads *gr, uint32_t values, const pf_param *p)
{
    int64_t end = 0;                                     /* elements before it may have been stored */
    for (uint32_t id = next_slice(gr, values, p, 0), next; id && !gr->g->status; id = next) {
        const pf_value v = gr->g->value[id];
        int64_t stored = end - v.offset, count = pf_shape_count(&v.shape);       /* stored: of this slice, already */
        pf_val sum = gr->gradient[id];
        for (next = next_slice(gr, values, p, id); next && same_slice(gr->g, id, next);
             next = next_slice(gr, values, p, next))
            sum = PF_EMIT_BACKWARD(gr, gr->add_op, NULL, sum, gr->gradient[next]);
        pf_node n = { .op = &pf_op_store, .in = { sum }, .backward = true };
        n.attr.ptr = p;
        n.attr.i[0] = v.offset;
        n.attr.i[1] = stored < 0 ? 0 : stored < count ? stored : count;
        pf_emit_node(gr->g, n, NULL);
        if (v.offset + count > end) end = v.offset + count;
    }
}

/* Appends the stores of each parameter once: when the walk over the values reaches its first slice with a gradient. */
static void emit_stores(pf_grads *gr, uint32_t values)
{
    const pf_graph *g = gr->g;
    for (uint32_t id = 1; id < values; id++) {
        bool first = g->value[id].kind == PF_PARAM && pf_exists(gr->gradient[id]);
        for (uint32_t o = 1; o < id && first; o++)
            first = g->value[o].kind != PF_PARAM || g->value[o].param != g->value[id].param
                 || !pf_exists(gr->gradient[o]);
        if (first) emit_stores_of(gr, values, g->value[id].param);
    }
}

peft_status pf_pass_grad(pf_graph *g)
{
    const pf_val loss = g->loss;
    if (g->status || !pf_exists(loss)) return g->status;
    uint32_t values = g->values, nodes = g->nodes;
    pf_grads gr = { g, pf_alloc_zero(g->ctx, values * sizeof(pf_val)), &pf_op_add, &pf_op_sum_to };
    if (!gr.gradient) return g->status = pf_nomem("gradients", values * sizeof(pf_val));
    gr.gradient[loss.id] = loss;                         /* any value will do: pf_op_loss assumes d loss / d loss = 1 */
    for (uint32_t i = nodes; i-- > 0 && !g->status;) {
        const pf_node n = g->node[i];
        bool reached = false;                            /* an output has a gradient */
        for (int k = 0; k < PF_MAX_OUT; k++) {
            if (!pf_exists(n.out[k]) || !pf_v(g, n.out[k])->needs_grad) continue;
            if (!pf_eq(n.out[k], loss)) gather_views(&gr, values, n.out[k]);
            reached |= !g->status && pf_exists(gr.gradient[n.out[k].id]);
        }
        if (!reached) continue;
        if (n.op->grad) n.op->grad(&gr, &n);
        else pf_graph_fail(g, pf_fail(PEFT_E_INTERNAL, "operation %s has no gradient", n.op->name));
    }
    for (uint32_t id = 1; id < values && !g->status; id++)
        if (g->value[id].kind == PF_PARAM) gather_views(&gr, values, (pf_val){ id });
    if (!g->status) emit_stores(&gr, values);
    pf_free(g->ctx, gr.gradient);
    return g->status;
}
