/* SPDX-License-Identifier: Apache-2.0
 * pass_clean.c -- nodes whose results no node reads, and that have no effect of their own, are dropped. */
#include "core/graph/passes/passes.h"

/* Backward over the list: a node lives when it has an effect or one of its outputs is read by a living one. */
peft_status pf_drop_unread(pf_graph *g, bool outputs)
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

peft_status pf_pass_clean(pf_graph *g) { return pf_drop_unread(g, false); }
