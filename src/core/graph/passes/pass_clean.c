/* SPDX-License-Identifier: Apache-2.0
 * pass_clean.c -- drops nodes whose outputs no node reads and that have no effect outside the graph (dead code). */
#include "core/graph/passes/passes.h"

/* Which outputs of the remaining nodes become PF_NONE if no node reads them. */
typedef enum { NO_OUTPUTS, OUTPUTS_BUT_THE_FIRST } trimmed;

/* Walks the nodes backward. A node remains if it has an effect, or if a remaining node or the caller (keep) reads one
 * of its outputs. */
static peft_status drop_unread(pf_graph *g, trimmed trim)
{
    if (g->status) return g->status;
    uint8_t *read = pf_alloc_zero(g->ctx, g->values);    /* [id]: 1: a remaining node or the caller reads the value */
    if (!read) return g->status = pf_nomem("graph pass", g->values);
    for (uint32_t v = 1; v < g->values; v++)
        if (g->value[v].keep) read[pf_root(g, (pf_val){ v }).id] = read[v] = 1;
    uint32_t next = g->nodes;                            /* the remaining nodes end up at next .. nodes - 1 */
    uint32_t prefix = 0;                                 /* how many of them belong to the frozen prefix */
    for (uint32_t i = g->nodes; i-- > 0;) {
        pf_node n = g->node[i];
        bool needed = n.op->flags & PF_EFFECT;
        for (int k = 0; k < PF_MAX_OUT; k++) needed |= read[n.out[k].id];
        if (!needed) continue;
        for (int k = 1; k < PF_MAX_OUT && trim == OUTPUTS_BUT_THE_FIRST; k++)
            if (!read[n.out[k].id]) n.out[k] = PF_NONE;
        for (int k = 0; k < PF_MAX_IN; k++)
            if (pf_exists(n.in[k])) read[n.in[k].id] = read[pf_root(g, n.in[k]).id] = 1;
        g->node[--next] = n;
        prefix += i < g->prefix;
    }
    memmove(g->node, g->node + next, (g->nodes - next) * sizeof *g->node);
    g->nodes -= next;
    g->prefix = prefix;
    pf_free(g->ctx, read);
    return g->status;
}

peft_status pf_drop_unread_nodes(pf_graph *g) { return drop_unread(g, NO_OUTPUTS); }
peft_status pf_drop_unread_nodes_and_outputs(pf_graph *g) { return drop_unread(g, OUTPUTS_BUT_THE_FIRST); }
peft_status pf_pass_clean(pf_graph *g) { return pf_drop_unread_nodes(g); }
