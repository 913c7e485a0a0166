/* SPDX-License-Identifier: Apache-2.0
 * pass_merge.c -- merges linear nodes that read the same value and whose weights are adjacent in memory (q, k and v)
 * into one product. Their outputs become column views of its output. Runs before the grad pass, so that the gradients
 * are merged as well. */
#include "core/graph/passes/passes.h"

/* Does b begin where a ends, in the same memory or the same parameter? */
static bool adjacent(const pf_value *a, const pf_value *b)
{
    const int64_t count = pf_shape_count(&a->shape);
    if (a->kind != b->kind) return false;
    if (a->kind == PF_CONST) return b->type == a->type && b->data == pf_const_row(a, a->shape.dim[0]);
    return a->kind == PF_PARAM && b->param == a->param && b->offset == a->offset + count;
}

/* Can the linear a and node b, a linear as well, be one product, with b's columns after those of a? */
static bool mergeable(const pf_graph *g, const pf_node *a, const pf_node *b)
{
    if (b->op != &pf_op_linear || !pf_eq(a->in[PF_LINEAR_X], b->in[PF_LINEAR_X])) return false;
    if (!adjacent(pf_v(g, a->in[PF_LINEAR_W]), pf_v(g, b->in[PF_LINEAR_W]))) return false;
    const pf_val bias = a->in[PF_LINEAR_BIAS], next_bias = b->in[PF_LINEAR_BIAS];
    if (!pf_exists(bias) || !pf_exists(next_bias)) return pf_eq(bias, next_bias);        /* true: neither has one */
    return adjacent(pf_v(g, bias), pf_v(g, next_bias));
}

enum { MERGE_MAX = 4 };                                  /* the most nodes that become one */

/* A constant or parameter slice that begins where `leftmost` begins and has `rows` rows. */
static pf_val extended(pf_graph *g, pf_val leftmost, int64_t rows)
{
    pf_value v = *pf_v(g, leftmost);
    v.shape.dim[0] = rows;
    pf_val out = pf_value_new(g, v.kind, v.shape);
    if (pf_exists(out)) *pf_v(g, out) = v;
    return out;
}

/* Replaces the n nodes with the indices `parts`, in the order of their weights in memory, by one in the place of the
 * first. Their outputs become column views of its output. */
static void merge(pf_graph *g, const uint32_t *parts, int n)
{
    const uint32_t leftmost = parts[0];
    int64_t total = 0, col = 0;
    for (int i = 0; i < n; i++) total += pf_cols(g, g->node[parts[i]].out[0]);
    pf_node merged = g->node[leftmost];
    merged.in[PF_LINEAR_W] = extended(g, merged.in[PF_LINEAR_W], total);
    if (pf_exists(merged.in[PF_LINEAR_BIAS]))
        merged.in[PF_LINEAR_BIAS] = extended(g, merged.in[PF_LINEAR_BIAS], total);
    pf_shape s = pf_v(g, merged.out[0])->shape;
    s.dim[s.ndim - 1] = total;
    bool needs_grad = false;
    for (int i = 0; i < n; i++) needs_grad |= pf_v(g, g->node[parts[i]].out[0])->needs_grad;
    merged.out[0] = pf_value_new(g, PF_TEMP, s);
    if (g->status) return;
    pf_v(g, merged.out[0])->needs_grad = needs_grad;
    for (int i = 0; i < n; i++) {
        pf_value *v = pf_v(g, g->node[parts[i]].out[0]);
        v->view_of = merged.out[0];
        v->col = col;
        col += v->shape.dim[v->shape.ndim - 1];
        if (i) g->node[parts[i]].op = NULL;              /* dropped by pf_nodes_compact */
    }
    g->node[leftmost] = merged;
}

peft_status pf_pass_merge(pf_graph *g)
{
    for (uint32_t i = 0; i < g->nodes && !g->status; i++) {
        uint32_t parts[MERGE_MAX] = { i };
        int n = 1;
        if (g->node[i].op != &pf_op_linear) continue;
        for (uint32_t j = i + 1; j < g->nodes && n < MERGE_MAX; j++)
            if (g->node[j].op && mergeable(g, &g->node[parts[n - 1]], &g->node[j])
                && !pf_v(g, g->node[j].out[0])->keep && !pf_v(g, g->node[i].out[0])->keep) parts[n++] = j;
        if (n > 1) merge(g, parts, n);
    }
    pf_nodes_compact(g);
    return g->status;
}
