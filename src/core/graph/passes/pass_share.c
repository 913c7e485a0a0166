/* SPDX-License-Identifier: Apache-2.0
 * pass_share.c -- removes nodes that compute the same as an earlier one (common subexpressions), such as a low-rank
 * factor that q, k and v share. Two constants or parameter slices are the same value if they are the same memory. */
#include "core/graph/passes/passes.h"

/* Are a and b the same constant, or the same slice of a parameter? */
static bool same_leaf(const pf_value *a, const pf_value *b)
{
    if (a->kind != b->kind || !pf_shape_equal(&a->shape, &b->shape)) return false;
    if (a->kind == PF_CONST) return a->type == b->type && a->data == b->data;
    return a->kind == PF_PARAM && a->param == b->param && a->offset == b->offset;
}

static bool same_value(const pf_graph *g, pf_val a, pf_val b)
{
    return pf_eq(a, b) || (pf_exists(a) && pf_exists(b) && same_leaf(pf_v(g, a), pf_v(g, b)));
}

/* Do a and b compute the same? Not if they are random or have an effect outside the graph. */
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
    pf_val *replaced_by = pf_alloc(g->ctx, g->values * sizeof *replaced_by);     /* [id]: what its readers read now */
    if (!replaced_by) return g->status = pf_nomem("graph pass", g->values * sizeof *replaced_by);
    for (uint32_t v = 0; v < g->values; v++) replaced_by[v] = (pf_val){ v };
    uint32_t used = 0;
    for (uint32_t i = 0; i < g->nodes; i++) {
        pf_node n = g->node[i];
        bool keep = false;                               /* the caller reads an output: the node stays */
        for (int k = 0; k < PF_MAX_IN; k++) n.in[k] = replaced_by[n.in[k].id];
        for (int k = 0; k < PF_MAX_OUT; k++) keep |= pf_v(g, n.out[k])->keep;
        uint32_t equal = keep ? used : 0;                /* the first equal node among those that stay; used: none */
        while (equal < used && !same_node(g, &g->node[equal], &n)) equal++;
        for (int k = 0; k < PF_MAX_OUT && equal < used; k++) replaced_by[n.out[k].id] = g->node[equal].out[k];
        if (equal == used) g->node[used++] = n;
    }
    g->nodes = used;
    for (uint32_t v = 1; v < g->values; v++) g->value[v].view_of = replaced_by[g->value[v].view_of.id];
    pf_free(g->ctx, replaced_by);
    return PEFT_OK;
}
