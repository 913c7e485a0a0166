/* SPDX-License-Identifier: Apache-2.0
 * rewrite.c -- inserts repetitions of chosen nodes of the forward pass among the nodes of the backward pass, which then
 * read the outputs of the repetitions. What no node of the backward pass reads any more is free after the forward
 * pass. */
#include "core/graph/recompute/recompute.h"

/* Can a repetition of n compute its outputs into memory of its own? */
static bool repeatable(const pf_graph *g, const pf_node *n)
{
    if (n->backward || n->op == &pf_op_loss) return false;
    if (n->op->flags & PF_EFFECT && !(n->op->flags & PF_REPEATS)) return false;
    for (int k = 0; k < PF_MAX_OUT; k++)
        if (pf_exists(n->out[k]) && pf_exists(pf_v(g, n->out[k])->view_of)) return false;
    return true;
}

/* Sets writer and kept. A value into whose columns other nodes write, too, has no writer. */
static void find_writers(pf_recompute *r)
{
    const pf_graph *g = r->g;
    for (uint32_t v = 0; v < r->values; v++) r->writer[v] = UINT32_MAX;
    for (uint32_t i = 0; i < r->nodes; i++) {
        const pf_node *n = &r->node[i];
        for (int k = 0; k < PF_MAX_OUT; k++) if (pf_exists(n->out[k]) && repeatable(g, n)) r->writer[n->out[k].id] = i;
        for (int k = 0; k < PF_MAX_IN && n->backward; k++) r->kept[pf_root(g, n->in[k]).id] = 1;
    }
    for (uint32_t i = 0; i < r->nodes; i++)
        for (int k = 0; k < PF_MAX_OUT; k++) {
            const pf_val out = r->node[i].out[k], root = pf_root(g, out);
            if (!pf_eq(out, root)) r->writer[root.id] = UINT32_MAX;
        }
    for (uint32_t v = 1; v < r->values; v++) if (g->value[v].keep) r->kept[pf_root(g, (pf_val){ v }).id] = 2;
}

peft_status pf_recompute_begin(pf_recompute *r, pf_graph *g)
{
    const size_t of_node = sizeof *r->node + 2, of_value = sizeof(pf_val) + sizeof(uint32_t) + 2,
        bytes = g->nodes * of_node + g->values * of_value;
    *r = (pf_recompute){ .g = g, .nodes = g->nodes, .values = g->values, .prefix = g->prefix };
    r->node = pf_alloc_zero(g->ctx, bytes);
    if (!r->node) return g->status = pf_nomem("graph pass", bytes);
    memcpy(r->node, g->node, g->nodes * sizeof *r->node);
    r->copy = (pf_val *)(r->node + r->nodes);
    r->writer = (uint32_t *)(r->copy + r->values);
    r->kept = (uint8_t *)(r->writer + r->values);
    r->half = r->kept + r->values;
    r->chosen = r->half + r->values;
    r->repeated = r->chosen + r->nodes;
    find_writers(r);
    return PEFT_OK;
}

void pf_recompute_end(pf_recompute *r) { pf_free(r->g->ctx, r->node); }

bool pf_recompute_available(const pf_recompute *r, pf_val v)
{
    const uint32_t root = pf_root(r->g, v).id, writer = r->writer[root];
    return writer == UINT32_MAX || r->kept[root] == 2 || (r->kept[root] && !r->chosen[writer]);
}

/* A new value like v. */
static pf_val like(pf_graph *g, pf_val v)
{
    const pf_value old = *pf_v(g, v);
    const pf_val made = pf_value_new(g, old.kind, old.shape);
    if (!pf_exists(made)) return made;
    *pf_v(g, made) = old;
    pf_v(g, made)->keep = false;
    return made;
}

static pf_val copy_of(pf_recompute *r, pf_val v);

/* Appends a repetition of node i, after those of the nodes that compute its inputs. */
static void repeat(pf_recompute *r, uint32_t i)
{
    pf_node n = r->node[i];
    if (r->g->status) return;
    r->repeated[i] = 1;
    for (int k = 0; k < PF_MAX_IN; k++)
        if (pf_exists(n.in[k]) && !pf_recompute_available(r, n.in[k])) n.in[k] = copy_of(r, n.in[k]);
    for (int k = 0; k < PF_MAX_OUT; k++)
        if (pf_exists(n.out[k])) n.out[k] = r->copy[n.out[k].id] = like(r->g, n.out[k]);
    n.backward = n.again = true;
    pf_node_append(r->g, &n);
}

/* The value that stands for v, which is not available: an output of a repetition, or a column view of one. */
static pf_val copy_of(pf_recompute *r, pf_val v)
{
    const pf_val wide = pf_v(r->g, v)->view_of;
    if (pf_exists(r->copy[v.id]) || r->g->status) return r->copy[v.id];
    if (!pf_exists(wide)) repeat(r, r->writer[v.id]);
    else {
        const pf_val wide_copy = copy_of(r, wide), made = like(r->g, v);
        if (pf_exists(made)) pf_v(r->g, made)->view_of = wide_copy;
        r->copy[v.id] = made;
    }
    return r->copy[v.id];
}

peft_status pf_recompute_rewrite(pf_recompute *r)
{
    pf_graph *g = r->g;
    g->values = r->values;
    g->prefix = r->prefix;
    g->nodes = 0;
    memset(r->copy, 0, r->values * sizeof *r->copy);
    memset(r->repeated, 0, r->nodes);
    for (uint32_t i = 0; i < r->nodes && !g->status; i++) {
        pf_node n = r->node[i];
        for (int k = 0; k < PF_MAX_IN && n.backward; k++)
            if (pf_exists(n.in[k]) && !pf_recompute_available(r, n.in[k])) n.in[k] = copy_of(r, n.in[k]);
        pf_node_append(g, &n);
    }
    return g->status;
}
