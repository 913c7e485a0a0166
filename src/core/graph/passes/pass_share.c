/* SPDX-License-Identifier: Apache-2.0
 * pass_share.c -- the same operation on the same inputs is done once (a low-rank factor that q, k and v share, a take
 * that two readers asked for). Two leaves are the same when they look at the same memory. */
#include "core/graph/passes/passes.h"

static bool same_leaf(const pf_value *a, const pf_value *b)
{
    if (a->kind != b->kind || !pf_shape_equal(&a->shape, &b->shape)) return false;
    if (a->kind == PF_CONST) return a->type == b->type && a->data == b->data;
    return a->kind == PF_PARAM && a->param == b->param && a->offset == b->offset;
}

static bool same_value(const pf_graph *g, pf_val a, pf_val b)
{
    return pf_eq(a, b) || (pf_is(a) && pf_is(b) && same_leaf(pf_v(g, a), pf_v(g, b)));
}

static bool same_node(const pf_graph *g, const pf_node *a, const pf_node *b)
{
    if (a->op != b->op || a->op->flags & (PF_EFFECT | PF_RANDOM)) return false;
    for (int k = 0; k < PF_MAX_IN; k++) if (!same_value(g, a->in[k], b->in[k])) return false;
    return !memcmp(a->attr.i, b->attr.i, sizeof a->attr.i) && !memcmp(a->attr.f, b->attr.f, sizeof a->attr.f)
        && a->attr.ptr == b->attr.ptr && pf_shape_equal(&a->attr.shape, &b->attr.shape);
}

peft_status pf_pass_share(pf_graph *g)
{
    if (g->status) return g->status;
    pf_val *now = pf_alloc(g->ctx, g->values * sizeof *now);     /* what stands for each value */
    if (!now) return g->status = pf_nomem("graph pass", g->values * sizeof *now);
    for (uint32_t v = 0; v < g->values; v++) now[v] = (pf_val){ v };
    uint32_t kept = 0;
    for (uint32_t i = 0; i < g->nodes; i++) {
        pf_node n = g->node[i];
        bool outside = false;
        for (int k = 0; k < PF_MAX_IN; k++) n.in[k] = now[n.in[k].id];
        for (int k = 0; k < PF_MAX_OUT; k++) outside |= pf_v(g, n.out[k])->keep;
        uint32_t twin = outside ? kept : 0;
        while (twin < kept && !same_node(g, &g->node[twin], &n)) twin++;
        for (int k = 0; k < PF_MAX_OUT && twin < kept; k++) now[n.out[k].id] = g->node[twin].out[k];
        if (twin == kept) g->node[kept++] = n;
    }
    g->nodes = kept;
    for (uint32_t v = 1; v < g->values; v++) g->value[v].view_of = now[g->value[v].view_of.id];
    pf_free(g->ctx, now);
    return PEFT_OK;
}
