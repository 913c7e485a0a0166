/* SPDX-License-Identifier: Apache-2.0
 * pass_split.c -- moves the nodes of the frozen prefix to the front and sets pf_graph.prefix: their results can be
 * cached by sample id (prefix/). */
#include "core/graph/passes/passes.h"

/* A node belongs to the prefix if it depends on no trained value, no buffer and no input but those of PF_IN_BY_ID, and
 * is neither random nor with an effect. The order within prefix and rest stays. */
peft_status pf_pass_split(pf_graph *g)
{
    if (g->status) return g->status;
    size_t bytes = g->nodes * sizeof *g->node + g->values;
    pf_node *old = pf_alloc_zero(g->ctx, bytes);
    if (!old) return g->status = pf_nomem("graph pass", bytes);
    uint8_t *varying = (uint8_t *)(old + g->nodes);
    memcpy(old, g->node, g->nodes * sizeof *g->node);
    for (uint32_t v = 1; v < g->values; v++)
        varying[v] = g->value[v].kind == PF_PARAM || g->value[v].buffer
            || (g->value[v].kind == PF_INPUT && !(g->input[g->value[v].slot].flags & PF_IN_BY_ID));
    for (int round = 0, to = 0; round < 2; round++) {                   /* first the prefix, then the rest */
        for (uint32_t i = 0; i < g->nodes; i++) {
            pf_node *n = &old[i];
            if (!n->op) continue;
            bool varies = n->op->flags & (PF_EFFECT | PF_RANDOM) || n->backward;
            for (int k = 0; k < PF_MAX_IN; k++) varies |= varying[n->in[k].id] || varying[pf_root(g, n->in[k]).id];
            if (varies) for (int k = 0; k < PF_MAX_OUT; k++) if (pf_is(n->out[k])) varying[n->out[k].id] = 1;
            if (varies && round == 0) continue;
            g->node[to++] = *n;
            n->op = NULL;
        }
        if (round == 0) g->prefix = (uint32_t)to;
    }
    for (uint32_t i = g->prefix; i < g->nodes; i++)
        for (int k = 0; k < PF_MAX_IN; k++)
            if (pf_is(g->node[i].in[k])) pf_v(g, pf_root(g, g->node[i].in[k]))->crosses = true;
    pf_free(g->ctx, old);
    return g->status;
}
