/* SPDX-License-Identifier: Apache-2.0
 * pass_split.c -- moves the nodes of the frozen prefix to the front and sets pf_graph.prefix: their results can be
 * cached by sample id (prefix/). */
#include "core/graph/passes/passes.h"

/* A node belongs to the prefix if it depends on no trained value, no buffer and no input but those of PF_IN_BY_ID, does
 * not mix samples, is not random and has no effect outside the graph. Within the prefix and within the rest the order
 * of nodes stays. */
peft_status pf_pass_split(pf_graph *g)
{
    if (g->status) return g->status;
    size_t bytes = g->nodes * sizeof *g->node + g->values;
    pf_node *old = pf_alloc_zero(g->ctx, bytes);
    if (!old) return g->status = pf_nomem("graph pass", bytes);
    uint8_t *varying = (uint8_t *)(old + g->nodes);      /* [id]: 1: not the same each time for a sample */
    memcpy(old, g->node, g->nodes * sizeof *g->node);
    for (uint32_t v = 1; v < g->values; v++)
        varying[v] = g->value[v].kind == PF_PARAM || g->value[v].buffer
            || (g->value[v].kind == PF_INPUT && !(g->input[g->value[v].input_index].flags & PF_IN_BY_ID));
    for (int round = 0, moved = 0; round < 2; round++) { /* round 0 moves the prefix, round 1 the rest */
        for (uint32_t i = 0; i < g->nodes; i++) {
            pf_node *n = &old[i];
            if (!n->op) continue;
            bool varies = n->op->flags & (PF_EFFECT | PF_RANDOM | PF_MIXES_SAMPLES) || n->backward;
            for (int k = 0; k < PF_MAX_IN; k++) varies |= varying[n->in[k].id] || varying[pf_root(g, n->in[k]).id];
            if (varies) for (int k = 0; k < PF_MAX_OUT; k++) if (pf_exists(n->out[k])) varying[n->out[k].id] = 1;
            if (varies && round == 0) continue;
            g->node[moved++] = *n;
            n->op = NULL;                                /* moved already */
        }
        if (round == 0) g->prefix = (uint32_t)moved;
    }
    for (uint32_t i = g->prefix; i < g->nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++)
            if (pf_exists(g->node[i].in[k])) pf_v(g, pf_root(g, g->node[i].in[k]))->read_after_prefix = true;
    pf_free(g->ctx, old);
    return g->status;
}
