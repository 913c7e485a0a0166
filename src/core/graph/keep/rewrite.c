/* SPDX-License-Identifier: Apache-2.0
 * rewrite.c -- inserts the conversions of the values that the backward pass reads rounded to bf16. */
#include "core/graph/keep/keep.h"

static peft_status begin(pf_keep *k, pf_graph *g)
{
    const size_t of_value = 2 * sizeof(pf_val) + 3 * sizeof(uint32_t) + 1,
        bytes = g->nodes * sizeof(pf_node) + g->values * of_value;
    *k = (pf_keep){ .g = g, .nodes = g->nodes, .values = g->values, .prefix = g->prefix };
    k->node = pf_alloc_zero(g->ctx, bytes);
    if (!k->node) return g->status = pf_nomem("graph pass", bytes);
    memcpy(k->node, g->node, g->nodes * sizeof *k->node);
    k->half = (pf_val *)(k->node + k->nodes);
    k->wide = k->half + k->values;
    k->first_exact = (uint32_t *)(k->wide + k->values);
    k->last_exact = k->first_exact + k->values;
    k->first_rounded = k->last_exact + k->values;
    k->chosen = (uint8_t *)(k->first_rounded + k->values);
    return PEFT_OK;
}

/* Appends the node that rounds v, or the one that converts it back. backward: it runs in the backward pass. */
static void round_value(pf_keep *k, pf_val v, bool backward)
{
    const pf_node n = { .op = &pf_op_narrow, .in = { v }, .backward = backward, .again = backward };
    k->half[v.id] = pf_emit_node(k->g, n, NULL);
}
static void widen_value(pf_keep *k, pf_val v)
{
    const pf_node n = { .op = &pf_op_widen, .in = { k->half[v.id] }, .backward = true };
    k->wide[v.id] = pf_emit_node(k->g, n, NULL);
}

/* Lets n, node i of the forward pass or a repetition, write chosen values rounded that nothing else writes and that are
 * read rounded only. */
static void write_rounded(pf_keep *k, uint32_t i, pf_node *n)
{
    for (int o = 0; o < PF_MAX_OUT && !k->g->status; o++) {
        const pf_val v = n->out[o];
        const bool only = k->chosen[v.id] && k->last_exact[v.id] == i && k->first_exact[v.id] == i;
        if (!(n->op->writes_bf16 >> o & 1) || !only) continue;
        n->out[o] = k->half[v.id] = pf_value_new(k->g, PF_TEMP, pf_v(k->g, v)->shape);
        if (k->g->status) return;
        pf_v(k->g, n->out[o])->type = PK_BF16;
        pf_v(k->g, n->out[o])->rounded = v;
    }
}

/* The value that stands for v: copy[v] of a value that owns its memory, or the same columns of it. */
static pf_val copy_of(pf_keep *k, pf_val *copy, pf_val v)
{
    const pf_val wide = pf_v(k->g, v)->view_of;
    if (pf_exists(copy[v.id]) || !pf_exists(wide) || k->g->status) return copy[v.id];
    const pf_val whole = copy_of(k, copy, wide);
    copy[v.id] = pf_columns(k->g, whole, pf_v(k->g, v)->col, pf_cols(k->g, v));
    if (pf_exists(copy[v.id])) pf_v(k->g, copy[v.id])->type = pf_v(k->g, whole)->type;
    return copy[v.id];
}

/* Lets n, a node of the backward pass, read the chosen values rounded. */
static void read_rounded(pf_keep *k, pf_node *n)
{
    for (int o = 0; o < PF_MAX_IN && !k->g->status; o++) {
        const pf_val root = pf_root(k->g, n->in[o]);
        const bool reads_bf16 = n->op->reads_bf16 >> o & 1;
        if (!k->chosen[root.id]) continue;
        if (!pf_exists(k->half[root.id])) round_value(k, root, true);
        if (!reads_bf16 && !pf_exists(k->wide[root.id])) widen_value(k, root);
        n->in[o] = copy_of(k, reads_bf16 ? k->half : k->wide, n->in[o]);
    }
}

/* Rounds v behind node i, if i is the last node that reads it as it is and nothing reads it rounded before. */
static void round_behind(pf_keep *k, uint32_t i, pf_val v)
{
    const pf_val root = pf_root(k->g, v);
    if (!k->chosen[root.id] || k->last_exact[root.id] != i || k->first_rounded[root.id] < i) return;
    if (pf_exists(k->half[root.id]) || k->g->status) return;
    round_value(k, root, k->node[i].backward);
    if (i < k->prefix) k->g->prefix++;
}

peft_status pf_keep_rewrite(pf_graph *g)
{
    pf_keep k;
    if (g->status || g->spec.keep != PK_BF16) return g->status;
    PF_TRY(begin(&k, g));
    pf_keep_choose(&k);
    g->nodes = 0;
    for (uint32_t i = 0; i < k.nodes && !g->status; i++) {
        pf_node n = k.node[i];
        if (pf_keep_exact(&n)) write_rounded(&k, i, &n);
        else read_rounded(&k, &n);
        pf_node_append(g, &n);
        for (int o = 0; o < PF_MAX_OUT; o++) round_behind(&k, i, k.node[i].out[o]);
        for (int o = 0; o < PF_MAX_IN && pf_keep_exact(&n); o++) round_behind(&k, i, n.in[o]);
    }
    pf_free(g->ctx, k.node);
    return g->status;
}
