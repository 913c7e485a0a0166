/* SPDX-License-Identifier: Apache-2.0
 * pass_fuse.c -- fuses pointwise operations into the operation that computes their input, as its epilogue, so that a
 * tile is finished while it is in cache: activation, LayerScale and residual sum into linear; act'(x) and sums of
 * gradients into linear_dx; sums of gradients into layernorm_dx. */
#include "core/graph/passes/passes.h"

typedef struct {
    pf_graph *g;
    uint32_t *uses;                                      /* [id]: how many inputs and views read the value at first */
    int64_t *computed_by;                                /* [id]: index of the node that computes the value; -1: none */
} fusion;

/* The node that computes v as its output `out`, if its operation is op; else NULL. */
static pf_node *node_of(const fusion *p, pf_val v, const pf_op *op, int out)
{
    if (!pf_exists(v) || p->computed_by[v.id] < 0) return NULL;
    pf_node *n = &p->g->node[p->computed_by[v.id]];
    return n->op == op && pf_eq(n->out[out], v) ? n : NULL;
}

/* Is v dense and read once, by the node that is to be fused, so that it need not be stored? */
static bool read_once(const fusion *p, pf_val v)
{
    const pf_value *x = pf_v(p->g, v);
    return p->uses[v.id] == 1 && !x->keep && !pf_exists(x->view_of);
}

/* Moves `fused`, which from now on computes the output of node i, to the place of node i: there all its inputs have
 * been computed. A node with op NULL is dropped at the end of the pass. */
static void move_to(fusion *p, uint32_t i, pf_node *fused)
{
    pf_node n = *fused;
    fused->op = NULL;
    n.out[0] = p->g->node[i].out[0];
    p->g->node[i] = n;
    for (int k = 0; k < PF_MAX_OUT; k++) if (pf_exists(n.out[k])) p->computed_by[n.out[k].id] = i;
}

/* Is n a linear without residual and activation? */
static bool plain_linear(const pf_node *n)
{
    return n && !pf_exists(n->in[PF_LINEAR_RESIDUAL]) && !n->attr.i[PF_LINEAR_ACT];
}

/* y = act(linear(x)): the linear stays where it is, as it has no new input. Its outputs become y and, if another node
 * reads it, the input of the activation. */
static void fuse_act(fusion *p, uint32_t i)
{
    pf_node *a = &p->g->node[i], *l = node_of(p, a->in[0], &pf_op_linear, 0);
    pf_val pre = a->in[0];
    if (!plain_linear(l) || pf_exists(l->in[PF_LINEAR_GAMMA]) || pf_exists(l->out[PF_LINEAR_PRE])) return;
    if (pf_v(p->g, pre)->keep) return;
    l->attr.i[PF_LINEAR_ACT] = a->attr.i[0];                /* the kind of the activation */
    l->out[0] = a->out[0];
    l->out[PF_LINEAR_PRE] = p->uses[pre.id] > 1 ? pre : PF_NONE;
    p->computed_by[a->out[0].id] = p->computed_by[pre.id];
    a->op = NULL;
}

/* If only act and act_grad read x, the input of an activation, the linear stores act'(x) in its place: the forward
 * epilogue has already computed the exp or erf that act' needs. For ReLU this would save nothing. */
static void store_derivative(fusion *p, pf_node *dx)
{
    pf_node *l = node_of(p, dx->in[PF_LINEAR_DX_GATE], &pf_op_linear, PF_LINEAR_PRE);
    if (!l || p->uses[dx->in[PF_LINEAR_DX_GATE].id] != 2 || l->attr.i[PF_LINEAR_ACT] == PK_RELU) return;
    l->attr.i[PF_LINEAR_SLOPES] = dx->attr.i[PF_LINEAR_SLOPES] = 1;
}

/* dx = dy act'(x), where a linear_dx computes dy and now multiplies it by act'(x), too. */
static void fuse_act_grad(fusion *p, uint32_t i)
{
    pf_node *a = &p->g->node[i], *dx = node_of(p, a->in[0], &pf_op_linear_dx, 0);
    if (!dx || !read_once(p, a->in[0])) return;
    if (pf_exists(dx->in[PF_LINEAR_DX_GATE]) || pf_exists(dx->in[PF_LINEAR_DX_ADD])) return;
    dx->in[PF_LINEAR_DX_GATE] = a->in[1];
    dx->attr.i[PF_LINEAR_ACT] = a->attr.i[0];
    store_derivative(p, dx);
    move_to(p, i, dx);
}

/* y = linear(x) * gamma (LayerScale): gamma becomes an input of the linear. */
static void fuse_affine(fusion *p, uint32_t i)
{
    pf_node *a = &p->g->node[i], *l = node_of(p, a->in[0], &pf_op_linear, 0);
    const bool scales_only = pf_exists(a->in[1]) && !pf_exists(a->in[2]);        /* gamma, but no beta */
    if (!plain_linear(l) || pf_exists(l->in[PF_LINEAR_GAMMA]) || !read_once(p, a->in[0]) || !scales_only) return;
    l->in[PF_LINEAR_GAMMA] = a->in[1];
    move_to(p, i, l);
}

/* y = a + b, where a linear, linear_dx or layernorm_dx computes a or b (b is tried first): the other operand becomes
 * its input number `slot`. */
static void fuse_add(fusion *p, uint32_t i)
{
    static const struct { const pf_op *op; int slot; } targets[] = {
        { &pf_op_linear, PF_LINEAR_RESIDUAL }, { &pf_op_linear_dx, PF_LINEAR_DX_ADD },
        { &pf_op_layernorm_dx, PF_LAYERNORM_DX_ADD } };
    pf_node *a = &p->g->node[i];
    if (!pf_shape_equal(&pf_v(p->g, a->in[0])->shape, &pf_v(p->g, a->in[1])->shape)) return;
    for (int side = 1; side >= 0; side--)
        for (size_t k = 0; k < sizeof targets / sizeof *targets; k++) {
            pf_node *m = node_of(p, a->in[side], targets[k].op, 0);
            if (!m || !read_once(p, a->in[side]) || pf_exists(m->in[targets[k].slot])) continue;
            if (m->op == &pf_op_linear && m->attr.i[PF_LINEAR_ACT]) continue;
            m->in[targets[k].slot] = a->in[1 - side];
            move_to(p, i, m);
            return;
        }
}

peft_status pf_pass_fuse(pf_graph *g)
{
    if (g->status) return g->status;
    size_t bytes = g->values * (sizeof(uint32_t) + sizeof(int64_t));             /* of computed_by, then uses */
    int64_t *memory = pf_alloc(g->ctx, bytes);
    if (!memory) return g->status = pf_nomem("graph pass", bytes);
    fusion p = { g, (uint32_t *)(memory + g->values), memory };
    pf_count_uses(g, p.uses);
    for (uint32_t v = 0; v < g->values; v++) {
        p.computed_by[v] = -1;
        if (pf_exists(g->value[v].view_of)) p.uses[g->value[v].view_of.id]++;
    }
    for (uint32_t i = 0; i < g->nodes; i++)
        for (int k = 0; k < PF_MAX_OUT; k++) if (pf_exists(g->node[i].out[k])) p.computed_by[g->node[i].out[k].id] = i;
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
