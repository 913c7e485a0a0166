/* SPDX-License-Identifier: Apache-2.0
 * cut.c -- the frozen prefix and what is behind it become two graphs. The front is made for one sample from the graph
 * of a whole batch, by its first extents alone, so that both have the same operations whatever the batch is: no
 * operation of the prefix mixes samples. */
#include "core/graph/op.h"

/* sampled[v]: v has a part for each sample. false: something that does has no such first extent. */
static bool mark_sampled(const pf_graph *g, uint8_t *sampled)
{
    for (uint32_t v = 1; v < g->values; v++)
        sampled[v] = g->value[v].kind == PF_INPUT && g->input[g->value[v].slot].flags & PF_IN_BY_ID;
    for (uint32_t i = 0; i < g->prefix; i++) {
        const pf_node *n = &g->node[i];
        bool s = n->op == &pf_op_repeat;
        for (int k = 0; k < PF_MAX_IN; k++) s |= sampled[pf_root(g, n->in[k]).id];
        for (int k = 0; k < PF_MAX_OUT && s; k++) if (pf_is(n->out[k])) sampled[pf_root(g, n->out[k]).id] = 1;
    }
    for (uint32_t v = 1; v < g->values; v++) {
        sampled[v] = sampled[pf_root(g, (pf_val){ v }).id];
        if (sampled[v] && (!g->value[v].shape.ndim || g->value[v].shape.dim[0] != g->batch)) return false;
    }
    return true;
}

/* Fills list[values]; 0: nothing crosses, or the prefix cannot be computed by sample. */
static uint32_t list_crossings(const pf_graph *g, const uint8_t *sampled, pf_crossing *list)
{
    uint32_t n = 0;
    for (uint32_t v = 1; v < g->values; v++)
        for (uint32_t i = 0; g->value[v].keep && i < g->prefix; i++)
            for (int k = 0; k < PF_MAX_OUT; k++)
                if (pf_eq(pf_root(g, g->node[i].out[k]), pf_root(g, (pf_val){ v }))) return 0;
    for (uint32_t i = 0; i < g->prefix; i++)
        for (int k = 0; k < PF_MAX_OUT; k++) {
            pf_val v = g->node[i].out[k];
            if (!pf_is(v) || pf_is(pf_v(g, v)->view_of) || !pf_v(g, v)->crosses) continue;
            if (!sampled[v.id]) return 0;
            list[n++] = (pf_crossing){ v, pf_shape_count(&pf_v(g, v)->shape) / g->batch };
        }
    return n;
}

static void make_front(pf_graph *g, const uint8_t *sampled)
{
    g->nodes = g->prefix;
    for (uint32_t i = 0; i < g->nodes; i++) {
        pf_node *n = &g->node[i];
        bool s = false;
        for (int k = 0; k < PF_MAX_OUT; k++) s |= pf_is(n->out[k]) && sampled[n->out[k].id];
        if (s && n->op == &pf_op_repeat) n->attr.i[0] = 1;
        if (s && n->attr.shape.ndim && n->attr.shape.dim[0] == g->batch) n->attr.shape.dim[0] = 1;
    }
    for (uint32_t v = 1; v < g->values; v++) {
        if (sampled[v]) g->value[v].shape.dim[0] = 1;
        g->value[v].keep = g->value[v].crosses;
    }
    g->batch = 1;
}

static void make_back(pf_graph *g, const pf_crossing *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) pf_v(g, list[i].value)->given = true;
    g->nodes -= g->prefix;
    memmove(g->node, g->node + g->prefix, g->nodes * sizeof *g->node);
    g->prefix = 0;
}

peft_status pf_graph_cut(pf_graph *g, pf_part part, pf_crossing **list, uint32_t *count, char key[65])
{
    size_t bytes = g->prefix * PF_MAX_OUT * sizeof(pf_crossing) + g->values;
    pf_crossing *room = pf_alloc_zero(g->ctx, bytes);
    if (!room) return g->status = pf_nomem("graph pass", bytes);
    uint8_t *sampled = (uint8_t *)(room + g->prefix * PF_MAX_OUT);
    uint32_t n = mark_sampled(g, sampled) ? list_crossings(g, sampled, room) : 0;
    pf_crossing *made = n ? pf_alloc(g->ctx, n * sizeof *made) : NULL;
    peft_status s = n && !made ? pf_nomem("graph pass", n * sizeof *made) : PEFT_OK;
    if (!s && n) s = pf_prefix_key(g, sampled, false, key);
    if (!s && n) {
        memcpy(made, room, n * sizeof *made);
        if (part == PF_FRONT) make_front(g, sampled);
        else make_back(g, made, n);
        *list = made;
        *count = n;
    } else pf_free(g->ctx, made);
    pf_free(g->ctx, room);
    return g->status = s;
}
