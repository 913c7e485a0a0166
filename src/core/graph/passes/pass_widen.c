/* SPDX-License-Identifier: Apache-2.0
 * pass_widen.c -- inserts a conversion of f16 and bf16 weights to pk_real, once for each weight, for operations that
 * read pk_real only. Linear layers and row_scale read every type (pf_op.any_type), so that this concerns methods that
 * use a weight in another way. */
#include "core/graph/passes/passes.h"

/* Must input k of n be converted? (Values that are not constants have type 0, which is PK_REAL.) */
static bool needs_widening(const pf_graph *g, const pf_node *n, int k)
{
    return pf_v(g, n->in[k])->type != PK_REAL && !(n->op->any_type >> k & 1);
}

/* Moves the nodes from `first` on to the front, so that they run before the nodes that read their outputs. They can, as
 * they read nothing but constants. */
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
    pf_val *converted = pf_alloc_zero(g->ctx, values * sizeof *converted);       /* [id]: PF_NONE: not converted */
    if (!converted) return g->status = pf_nomem("graph pass", values * sizeof *converted);
    for (uint32_t i = 0; i < nodes; i++)
        for (int k = 0; k < PF_MAX_IN && !g->status; k++) {
            const pf_val v = g->node[i].in[k];
            if (!needs_widening(g, &g->node[i], k)) continue;
            if (!pf_exists(converted[v.id])) converted[v.id] = pf_emit(g, &pf_op_widen, NULL, 1, &v);
            g->node[i].in[k] = converted[v.id];
        }
    if (!g->status && g->nodes > nodes) move_to_front(g, nodes);
    pf_free(g->ctx, converted);
    return g->status;
}
