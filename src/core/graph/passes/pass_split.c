/* SPDX-License-Identifier: Apache-2.0
 * pass_split.c -- nodes that depend on no trained value go to the front: their results can be cached by sample. */
#include "core/graph/passes/passes.h"

/* Nodes that depend on no trained value and on no input but those of PF_IN_BY_ID, and that have no effect, go to the
 * front; the order within each part stays. */
peft_status pf_pass_split(pf_graph *g)
{
    if (g->status) return g->status;
    size_t bytes = g->nodes * sizeof *g->node + g->values;
    pf_node *old = pf_alloc_zero(g->ctx, bytes);
    if (!old) return g->status = pf_nomem("graph pass", bytes);
    uint8_t *trained = (uint8_t *)(old + g->nodes);
    memcpy(old, g->node, g->nodes * sizeof *g->node);
    for (uint32_t v = 1; v < g->values; v++)
        trained[v] = g->value[v].kind == PF_PARAM || g->value[v].buffer
            || (g->value[v].kind == PF_INPUT && !(g->input[g->value[v].slot].flags & PF_IN_BY_ID));
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
