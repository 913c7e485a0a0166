/* SPDX-License-Identifier: Apache-2.0
 * cut.c -- cuts a compiled graph into the frozen prefix and the nodes after it, for the feature cache. The prefix is
 * made for one sample by setting first extents to 1 in the graph of a whole batch, which is correct as no operation of
 * the prefix mixes samples (PF_MIXES_SAMPLES). So it has the same operations, and the same key, whatever the batch. */
#include "core/graph/op.h"

/* Sets sampled[v] for values that depend on the sample: inputs that are cached by id, copies for each sample (repeat)
 * and what is computed from them. Returns false if the first extent of such a value is not the batch. */
static bool mark_sampled(const pf_graph *g, uint8_t *sampled)
{
    for (uint32_t v = 1; v < g->values; v++)
        sampled[v] = g->value[v].kind == PF_INPUT && g->input[g->value[v].input_index].flags & PF_IN_BY_ID;
    for (uint32_t i = 0; i < g->prefix; i++) {
        const pf_node *n = &g->node[i];
        bool per_sample = n->op == &pf_op_repeat;
        for (int k = 0; k < PF_MAX_IN; k++) per_sample |= sampled[pf_root(g, n->in[k]).id];
        for (int k = 0; k < PF_MAX_OUT && per_sample; k++)
            if (pf_exists(n->out[k])) sampled[pf_root(g, n->out[k]).id] = 1;
    }
    for (uint32_t v = 1; v < g->values; v++) {
        sampled[v] = sampled[pf_root(g, (pf_val){ v }).id];
        if (sampled[v] && (!g->value[v].shape.ndim || g->value[v].shape.dim[0] != g->batch)) return false;
    }
    return true;
}

/* Fills list with the crossing values (pf_crossing); returns their number. Returns 0 as well if the prefix cannot be
 * computed sample by sample: it computes a value that is read after the run (keep), or a crossing value that is the
 * same for all samples. */
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
            if (!pf_exists(v) || pf_exists(pf_v(g, v)->view_of) || !pf_v(g, v)->read_after_prefix) continue;
            if (!sampled[v.id]) return 0;
            list[n++] = (pf_crossing){ v, pf_shape_count(&pf_v(g, v)->shape) / g->batch };
        }
    return n;
}

/* Reduces g to the prefix for one sample; crossing values are kept. */
static void keep_prefix(pf_graph *g, const uint8_t *sampled)
{
    g->nodes = g->prefix;
    for (uint32_t i = 0; i < g->nodes; i++) {
        pf_node *n = &g->node[i];
        bool per_sample = false;
        for (int k = 0; k < PF_MAX_OUT; k++) per_sample |= pf_exists(n->out[k]) && sampled[n->out[k].id];
        if (per_sample && n->op == &pf_op_repeat) n->attr.i[0] = 1;
        if (per_sample && n->attr.shape.ndim && n->attr.shape.dim[0] == g->batch) n->attr.shape.dim[0] = 1;
    }
    for (uint32_t v = 1; v < g->values; v++) {
        if (sampled[v]) g->value[v].shape.dim[0] = 1;
        g->value[v].keep = g->value[v].read_after_prefix;
    }
    g->batch = 1;
}

/* Reduces g to the nodes after the prefix; the caller fills the crossing values. */
static void keep_rest(pf_graph *g, const pf_crossing *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) pf_v(g, list[i].value)->from_caller = true;
    g->nodes -= g->prefix;
    memmove(g->node, g->node + g->prefix, g->nodes * sizeof *g->node);
    g->prefix = 0;
}

peft_status pf_graph_cut(pf_graph *g, pf_part part, pf_crossing **list, uint32_t *count, char key[PF_PREFIX_KEY_SIZE])
{
    /* temporary memory: the longest list that the prefix can have, then sampled */
    size_t bytes = g->prefix * PF_MAX_OUT * sizeof(pf_crossing) + g->values;
    pf_crossing *crossings = pf_alloc_zero(g->ctx, bytes);
    if (!crossings) return g->status = pf_nomem("cut of the graph", bytes);
    uint8_t *sampled = (uint8_t *)(crossings + g->prefix * PF_MAX_OUT);
    uint32_t n = mark_sampled(g, sampled) ? list_crossings(g, sampled, crossings) : 0;
    pf_crossing *result = n ? pf_alloc(g->ctx, n * sizeof *result) : NULL;
    peft_status status = n && !result ? pf_nomem("cut of the graph", n * sizeof *result) : PEFT_OK;
    if (!status && n) status = pf_prefix_key(g, sampled, PF_CONSTANTS_BY_ADDRESS, key);
    if (!status && n) {
        memcpy(result, crossings, n * sizeof *result);
        if (part == PF_PREFIX_PART) keep_prefix(g, sampled);
        else keep_rest(g, result, n);
        *list = result;
        *count = n;
    } else pf_free(g->ctx, result);
    pf_free(g->ctx, crossings);
    return g->status = status;
}
