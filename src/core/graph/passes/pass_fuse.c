/* SPDX-License-Identifier: Apache-2.0
 * pass_fuse.c -- pointwise work rides on the product in front of it, while the tile is in cache: activation, LayerScale
 * and residual sum on a linear, act'(x) and gradient sums on a dX, gradient sums on LayerNorm's dx. */
#include "core/graph/passes/passes.h"

typedef struct { pf_graph *g; uint32_t *uses; int64_t *maker; } pass;      /* maker[id]: the node that makes a value */

/* The node of this operation that makes v as its output `out`; NULL: another does, or none. */
static pf_node *made_by(const pass *p, pf_val v, const pf_op *op, int out)
{
    if (!pf_is(v) || p->maker[v.id] < 0) return NULL;
    pf_node *n = &p->g->node[p->maker[v.id]];
    return n->op == op && pf_eq(n->out[out], v) ? n : NULL;
}

/* v is a dense result read once, by the node in hand, and seen by nobody outside. */
static bool private(const pass *p, pf_val v)
{
    const pf_value *x = pf_v(p->g, v);
    return p->uses[v.id] == 1 && !x->keep && !pf_is(x->view_of);
}

/* The maker takes over the output of node i and its place, where all inputs exist. */
static void replace(pass *p, uint32_t i, pf_node *maker)
{
    pf_node n = *maker;
    maker->op = NULL;
    n.out[0] = p->g->node[i].out[0];
    p->g->node[i] = n;
    for (int k = 0; k < PF_MAX_OUT; k++) if (pf_is(n.out[k])) p->maker[n.out[k].id] = i;
}

static bool plain_linear(const pf_node *n) { return n && !pf_is(n->in[3]) && !n->attr.i[0]; }

/* y = act(linear): the linear keeps its place (nothing new is needed) and gives y first, what went in second. */
static void fuse_act(pass *p, uint32_t i)
{
    pf_node *a = &p->g->node[i], *l = made_by(p, a->in[0], &pf_op_linear, 0);
    pf_val pre = a->in[0];
    if (!plain_linear(l) || pf_is(l->in[4]) || pf_v(p->g, pre)->keep || pf_is(l->out[1])) return;
    l->attr.i[0] = a->attr.i[0];
    l->out[0] = a->out[0];
    l->out[1] = p->uses[pre.id] > 1 ? pre : PF_NONE;
    p->maker[a->out[0].id] = p->maker[pre.id];
    a->op = NULL;
}

/* The forward pass has at hand what act' is made of: where x has no other reader, it keeps act'(x) in x's place. A
 * ReLU's is not worth it. */
static void keep_slopes(pass *p, pf_node *dx)
{
    pf_node *l = made_by(p, dx->in[2], &pf_op_linear, 1);
    if (!l || p->uses[dx->in[2].id] != 2 || l->attr.i[0] == PK_RELU) return;
    l->attr.i[1] = dx->attr.i[1] = 1;
}

/* dx = act'(x) dy with dy = dX of a linear. */
static void fuse_act_grad(pass *p, uint32_t i)
{
    pf_node *a = &p->g->node[i], *l = made_by(p, a->in[0], &pf_op_linear_dx, 0);
    if (!l || !private(p, a->in[0]) || pf_is(l->in[2]) || pf_is(l->in[3])) return;
    l->in[2] = a->in[1];
    l->attr.i[0] = a->attr.i[0];
    keep_slopes(p, l);
    replace(p, i, l);
}

/* y = linear * gamma (LayerScale, frozen). */
static void fuse_affine(pass *p, uint32_t i)
{
    pf_node *a = &p->g->node[i], *l = made_by(p, a->in[0], &pf_op_linear, 0);
    if (!plain_linear(l) || pf_is(l->in[4]) || !private(p, a->in[0]) || pf_is(a->in[2]) || !pf_is(a->in[1])) return;
    l->in[4] = a->in[1];
    replace(p, i, l);
}

static void fuse_add(pass *p, uint32_t i)
{
    static const struct { const pf_op *op; int slot; } into[] = {
        { &pf_op_linear, 3 }, { &pf_op_linear_dx, 3 }, { &pf_op_layernorm_dx, 5 } };
    pf_node *a = &p->g->node[i];
    if (!pf_shape_equal(&pf_v(p->g, a->in[0])->shape, &pf_v(p->g, a->in[1])->shape)) return;
    for (int side = 1; side >= 0; side--)
        for (size_t k = 0; k < sizeof into / sizeof *into; k++) {
            pf_node *m = made_by(p, a->in[side], into[k].op, 0);
            if (!m || !private(p, a->in[side]) || pf_is(m->in[into[k].slot])) continue;
            if (m->op == &pf_op_linear && m->attr.i[0]) continue;
            m->in[into[k].slot] = a->in[1 - side];
            replace(p, i, m);
            return;
        }
}

peft_status pf_pass_fuse(pf_graph *g)
{
    if (g->status) return g->status;
    size_t bytes = g->values * (sizeof(uint32_t) + sizeof(int64_t));
    int64_t *memory = pf_alloc(g->ctx, bytes);
    if (!memory) return g->status = pf_nomem("graph pass", bytes);
    pass p = { g, (uint32_t *)(memory + g->values), memory };
    pf_count_uses(g, p.uses);
    for (uint32_t v = 0; v < g->values; v++) {
        p.maker[v] = -1;
        if (pf_is(g->value[v].view_of)) p.uses[g->value[v].view_of.id]++;
    }
    for (uint32_t i = 0; i < g->nodes; i++)
        for (int k = 0; k < PF_MAX_OUT; k++) if (pf_is(g->node[i].out[k])) p.maker[g->node[i].out[k].id] = i;
    for (uint32_t i = 0; i < g->nodes; i++) {
        const pf_op *op = g->node[i].op;
        if (op == &pf_op_act) fuse_act(&p, i);
        else if (op == &pf_op_act_grad) fuse_act_grad(&p, i);
        else if (op == &pf_op_affine) fuse_affine(&p, i);
        else if (op == &pf_op_add) fuse_add(&p, i);
    }
    pf_free(g->ctx, memory);
    pf_nodes_compact(g);
    return g->status;
}
