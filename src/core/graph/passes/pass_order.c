/* SPDX-License-Identifier: Apache-2.0
 * pass_order.c -- the small passes that drop, move and place: clean and trim (nodes, then
 * also outputs, that nobody reads), split (what depends on no
 * trained value comes first and may be cached by sample), place (pieces are computed inside their concatenation). */
#include "core/graph/op.h"

/* Backward over the list: a node lives when it has an effect or one of its outputs is read by a living one. */
static peft_status clean(pf_graph *g, bool outputs)
{
    if (g->status) return g->status;
    uint8_t *live = pf_alloc_zero(g->ctx, g->values);
    if (!live) return g->status = pf_nomem("graph pass", g->values);
    for (uint32_t v = 1; v < g->values; v++)
        if (g->value[v].keep) live[pf_root(g, (pf_val){ v }).id] = live[v] = 1;
    uint32_t to = g->nodes;
    for (uint32_t i = g->nodes; i-- > 0;) {
        pf_node n = g->node[i];
        bool wanted = n.op->flags & PF_EFFECT;
        for (int k = 0; k < PF_MAX_OUT; k++) wanted |= live[n.out[k].id];
        if (!wanted) continue;
        for (int k = 1; k < PF_MAX_OUT && outputs; k++) if (!live[n.out[k].id]) n.out[k] = PF_NONE;
        for (int k = 0; k < PF_MAX_IN; k++)
            if (pf_is(n.in[k])) live[n.in[k].id] = live[pf_root(g, n.in[k]).id] = 1;
        g->node[--to] = n;
    }
    memmove(g->node, g->node + to, (g->nodes - to) * sizeof *g->node);
    g->nodes -= to;
    pf_free(g->ctx, live);
    return g->status;
}

peft_status pf_pass_clean(pf_graph *g) { return clean(g, false); }
peft_status pf_pass_trim(pf_graph *g) { return clean(g, true); }

/* A stable partition: nodes that depend on no trained value (and have no effect) to the front. */
peft_status pf_pass_split(pf_graph *g)
{
    if (g->status) return g->status;
    size_t bytes = g->nodes * sizeof *g->node + g->values;
    pf_node *old = pf_alloc_zero(g->ctx, bytes);
    if (!old) return g->status = pf_nomem("graph pass", bytes);
    uint8_t *trained = (uint8_t *)(old + g->nodes);
    memcpy(old, g->node, g->nodes * sizeof *g->node);
    for (uint32_t v = 1; v < g->values; v++)
        trained[v] = g->value[v].kind == PF_PARAM || (g->value[v].kind == PF_INPUT && g->value[v].slot != PF_IN_IMAGES);
    for (int side = 0, to = 0; side < 2; side++) {
        for (uint32_t i = 0; i < g->nodes; i++) {
            pf_node *n = &old[i];
            if (!n->op) continue;
            bool t = n->op->flags & (PF_EFFECT | PF_RANDOM) || n->backward;
            for (int k = 0; k < PF_MAX_IN; k++) t |= trained[n->in[k].id] || trained[pf_root(g, n->in[k]).id];
            if (t) for (int k = 0; k < PF_MAX_OUT; k++) if (pf_is(n->out[k])) trained[n->out[k].id] = 1;
            if (t && side == 0) continue;
            g->node[to++] = *n;
            n->op = NULL;
        }
        if (side == 0) g->prefix = (uint32_t)to;
    }
    for (uint32_t i = g->prefix; i < g->nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++)
            if (pf_is(g->node[i].in[k])) pf_v(g, pf_root(g, g->node[i].in[k]))->crosses = true;
    pf_free(g->ctx, old);
    return g->status;
}

/* A piece whose maker can write strided, and that is no view already, becomes a view of its concatenation. Whoever
 * else reads it reads it there: the plan never gives away memory that is looked into. */
peft_status pf_pass_place(pf_graph *g)
{
    if (g->status) return g->status;
    for (uint32_t i = 0; i < g->nodes; i++) {
        const pf_node *n = &g->node[i];
        if (n->op != &pf_op_concat_cols) continue;
        for (uint32_t m = 0; m < i; m++)
            for (int o = 0; o < PF_MAX_OUT; o++)
                for (int k = 0; k < 4; k++) {
                    pf_val v = g->node[m].out[o];
                    if (!pf_is(v) || !pf_eq(v, n->in[k]) || pf_v(g, v)->keep
                        || pf_is(pf_v(g, v)->view_of) || !(g->node[m].op->flags & PF_STRIDED_OUT)) continue;
                    pf_v(g, v)->view_of = n->out[0];
                    pf_v(g, v)->col = n->attr.i[k];
                }
    }
    return g->status;
}
