/* SPDX-License-Identifier: Apache-2.0
 * pass_widen.c -- a frozen weight that is not held as pk_real is converted, once, for the operations that read no other
 * type. Products and DoRA's normaliser read every type (pf_op.typed), so that this is for methods that do something
 * else with a weight. */
#include "core/graph/passes/passes.h"

static bool to_widen(const pf_graph *g, const pf_node *n, int k)
{
    return pf_v(g, n->in[k])->type != PK_REAL && !(n->op->typed >> k & 1);
}

/* Moves the nodes from `first` on to the front of the list, so that they run before their readers. They read constants
 * alone. */
static void move_to_front(pf_graph *g, uint32_t first)
{
    const uint32_t made = g->nodes - first;
    pf_node *copy = pf_alloc(g->ctx, made * sizeof *copy);
    if (!copy) {
        g->status = pf_nomem("graph pass", made * sizeof *copy);
        return;
    }
    memcpy(copy, g->node + first, made * sizeof *copy);
    memmove(g->node + made, g->node, first * sizeof *copy);
    memcpy(g->node, copy, made * sizeof *copy);
    pf_free(g->ctx, copy);
}

peft_status pf_pass_widen(pf_graph *g)
{
    const uint32_t nodes = g->nodes, values = g->values;
    pf_val *real = pf_alloc_zero(g->ctx, values * sizeof *real);       /* [id]: the value converted; PF_NONE: not */
    if (!real) return g->status = pf_nomem("graph pass", values * sizeof *real);
    for (uint32_t i = 0; i < nodes; i++)
        for (int k = 0; k < PF_MAX_IN && !g->status; k++) {
            const pf_val v = g->node[i].in[k];
            if (!to_widen(g, &g->node[i], k)) continue;
            if (!pf_is(real[v.id])) real[v.id] = pf_emit(g, &pf_op_widen, NULL, 1, &v);
            g->node[i].in[k] = real[v.id];
        }
    if (!g->status && g->nodes > nodes) move_to_front(g, nodes);
    pf_free(g->ctx, real);
    return g->status;
}
