/* SPDX-License-Identifier: Apache-2.0
 * pass_clean.c -- drops nodes whose outputs no node reads and that have no effect outside the graph (dead code). */
#include "core/graph/passes/passes.h"

/* Walks the nodes backward. A node remains if it has an effect, or if a remaining node or the caller (keep) reads one
 * of its outputs. */
peft_status pf_drop_unread(pf_graph *g, bool trim_outputs)
{
    if (g->status) return g->status;
    uint8_t *read = pf_alloc_zero(g->ctx, g->values);
    if (!read) return g->status = pf_nomem("graph pass", g->values);
    for (uint32_t v = 1; v < g->values; v++)
        if (g->value[v].keep) read[pf_root(g, (pf_val){ v }).id] = read[v] = 1;
    uint32_t next = g->nodes;                            /* the remaining nodes end up at next .. nodes - 1 */
    for (uint32_t i = g->nodes; i-- > 0;) {
        pf_node n = g->node[i];
        bool needed = n.op->flags & PF_EFFECT;
        for (int k = 0; k < PF_MAX_OUT; k++) needed |= read[n.out[k].id];
        if (!needed) continue;
        for (int k = 1; k < PF_MAX_OUT && trim_outputs; k++) if (!read[n.out[k].id]) n.out[k] = PF_NONE;
        for (int k = 0; k < PF_MAX_IN; k++)
            if (pf_is(n.in[k])) read[n.in[k].id] = read[pf_root(g, n.in[k]).id] = 1;
        g->node[--next] = n;
    }
    memmove(g->node, g->node + next, (g->nodes - next) * sizeof *g->node);
    g->nodes -= next;
    pf_free(g->ctx, read);
    return g->status;
}

peft_status pf_pass_clean(pf_graph *g) { return pf_drop_unread(g, false); }
