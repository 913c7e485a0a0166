/* SPDX-License-Identifier: Apache-2.0
 * pass_merge.c -- linears that read the same value with weights that lie next to each other in memory (q, k and v)
 * become one product; their results become column views of it. Runs before the grad pass, so that the gradients are
 * merged with them. */
#include "core/graph/passes/passes.h"

/* b begins where a ends, in the same storage. */
static bool adjacent(const pf_value *a, const pf_value *b)
{
    int64_t count = pf_shape_count(&a->shape);
    if (a->kind != b->kind) return false;
    if (a->kind == PF_CONST) return b->type == a->type && b->data == pf_const_at(a, count);
    return a->kind == PF_PARAM && b->param == a->param && b->offset == a->offset + count;
}

static bool mergeable(const pf_graph *g, const pf_node *a, const pf_node *b)
{
    if (b->op != &pf_op_linear || !pf_eq(a->in[0], b->in[0]) || pf_is(a->in[2]) != pf_is(b->in[2])) return false;
    return adjacent(pf_v(g, a->in[1]), pf_v(g, b->in[1]))
        && (!pf_is(a->in[2]) || adjacent(pf_v(g, a->in[2]), pf_v(g, b->in[2])));
}

/* A leaf over the memory of `parts` adjacent leaves, first one given. */
static pf_val join(pf_graph *g, pf_val first, int64_t rows)
{
    pf_value v = *pf_v(g, first);
    v.shape.dim[0] = rows;
    pf_val out = pf_value_new(g, v.kind, v.shape);
    if (pf_is(out)) *pf_v(g, out) = v;
    return out;
}

static void merge(pf_graph *g, uint32_t first, const uint32_t *parts, int n)
{
    int64_t total = 0, col = 0;
    for (int i = 0; i < n; i++) total += pf_cols(g, g->node[parts[i]].out[0]);
    pf_node all = g->node[first];
    all.in[1] = join(g, all.in[1], total);
    if (pf_is(all.in[2])) all.in[2] = join(g, all.in[2], total);
    pf_shape s = pf_v(g, all.out[0])->shape;
    s.dim[s.ndim - 1] = total;
    bool needs = false;
    for (int i = 0; i < n; i++) needs |= pf_v(g, g->node[parts[i]].out[0])->needs_grad;
    all.out[0] = pf_value_new(g, PF_TEMP, s);
    if (g->status) return;
    pf_v(g, all.out[0])->needs_grad = needs;
    for (int i = 0; i < n; i++) {
        pf_value *v = pf_v(g, g->node[parts[i]].out[0]);
        v->view_of = all.out[0];
        v->col = col;
        col += v->shape.dim[v->shape.ndim - 1];
        if (i) g->node[parts[i]].op = NULL;              /* taken over; removed below */
    }
    g->node[first] = all;
}

peft_status pf_pass_merge(pf_graph *g)
{
    for (uint32_t i = 0; i < g->nodes && !g->status; i++) {
        uint32_t parts[4] = { i };
        int n = 1;
        if (g->node[i].op != &pf_op_linear) continue;
        for (uint32_t j = i + 1; j < g->nodes && n < 4; j++)
            if (g->node[j].op && mergeable(g, &g->node[parts[n - 1]], &g->node[j])
                && !pf_v(g, g->node[j].out[0])->keep && !pf_v(g, g->node[i].out[0])->keep) parts[n++] = j;
        if (n > 1) merge(g, i, parts, n);
    }
    pf_nodes_compact(g);
    return g->status;
}
