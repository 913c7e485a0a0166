/* SPDX-License-Identifier: Apache-2.0
 * pass_hoist.c -- computes rows that are the same for every sample once for the batch. A prompt [n, d] that is inserted
 * into the tokens, but read only as keys and values, gets its own LayerNorm and projections on n rows instead of
 * batch * n, and enters the attention as extra keys and values. The tokens with the prompt inserted are then dead. So
 * are the two parts of values that an attention cannot use, as it has extra keys already. The pass drops both, lest the
 * merge pass joins products with them. */
#include "core/graph/passes/passes.h"

/* A value [b, t + n, d] as two: `rest` [b, t, d], and `shared` [n, d], the same n rows for every sample, inserted into
 * rest before token `row`. */
typedef struct { pf_val rest, shared; int64_t row, n; } parts;
typedef struct {
    pf_graph *g;
    parts *split;                                        /* [id]: the value's parts; rest PF_NONE: not split */
    pf_val *replaced_by;                                 /* [id]: the value that its readers read instead */
    uint8_t *sampled;                                    /* [id]: 1: a node computes it and it depends on the sample */
} hoisting;
enum { Q, K, V, XK, XV };                                /* inputs of attention; XK, XV: extra keys and values */

/* Are the rows of an insert node the same for every sample? Extents alone do not tell, as a batch may be 1. */
static bool shared_rows(const hoisting *p, const pf_node *n)
{
    const pf_shape *s = &pf_v(p->g, n->in[1])->shape;
    return !p->sampled[n->in[1].id] && (s->ndim == 2 || s->dim[0] == 1);
}

/* Does v depend on the sample? */
static bool is_sampled(const hoisting *p, pf_val v)
{
    pf_val root = pf_root(p->g, v);
    return p->sampled[root.id] || pf_v(p->g, root)->kind == PF_INPUT;
}

/* Sets sampled for the outputs of n: they depend on the sample if an input does, or if n makes a copy for each
 * sample. */
static void mark_sampled(hoisting *p, const pf_node *n)
{
    bool sampled = n->op == &pf_op_repeat;
    for (int k = 0; k < PF_MAX_IN; k++) sampled |= is_sampled(p, n->in[k]);
    for (int k = 0; k < PF_MAX_OUT; k++) p->sampled[n->out[k].id] = sampled && pf_exists(n->out[k]);
}

/* Does the node compute each row of its output from the same row of in[0] and from parameters alone? */
static bool rowwise_unary(const pf_node *n)
{
    if (n->op == &pf_op_linear) return !pf_exists(n->in[PF_LINEAR_RESIDUAL]);
    return n->op == &pf_op_layernorm || n->op == &pf_op_affine || n->op == &pf_op_act || n->op == &pf_op_scale;
}

/* Appends a copy of node n that reads x; returns its output. */
static pf_val apply(hoisting *p, pf_node n, pf_val x)
{
    memset(n.out, 0, sizeof n.out);
    n.in[0] = x;
    pf_val out = pf_emit_node(p->g, n, &n);
    if (pf_exists(out)) mark_sampled(p, &n);
    return out;
}

/* Records the parts of n's output, if it has any. If n inserts shared rows, they are its two inputs. If n is a row-wise
 * operation on a value with parts, it is applied to both of them. */
static void find_split(hoisting *p, const pf_node *n)
{
    if (n->op == &pf_op_insert && shared_rows(p, n)) {
        const pf_shape *s = &pf_v(p->g, n->in[1])->shape;
        p->split[n->out[0].id] = (parts){ n->in[0], n->in[1], n->attr.i[0], s->dim[s->ndim - 2] };
    } else if (rowwise_unary(n) && pf_exists(p->split[n->in[0].id].rest)) {
        parts s = p->split[n->in[0].id];
        p->split[n->out[0].id] = (parts){ apply(p, *n, s.rest), apply(p, *n, s.shared), s.row, s.n };
    }
}

/* Replaces the output of a take: by the part `rest` of its input if the take drops exactly the inserted rows, by its
 * input if it drops nothing. */
static void replace_take(hoisting *p, const pf_node *n)
{
    parts s = p->split[n->in[0].id];
    if (pf_v(p->g, n->out[0])->keep) return;
    if (n->attr.i[2] == PF_DROP_ROWS && pf_exists(s.rest) && s.row == n->attr.i[0] && s.n == n->attr.i[1])
        p->replaced_by[n->out[0].id] = s.rest;
    else if (pf_shape_equal(&pf_v(p->g, n->in[0])->shape, &pf_v(p->g, n->out[0])->shape))
        p->replaced_by[n->out[0].id] = n->in[0];
}

/* Moves the inserted rows of an attention's keys and values to its extra keys and values, if both are split at the same
 * rows and its queries are not split. */
static void replace_attention(hoisting *p, pf_node *n)
{
    parts k = p->split[n->in[K].id], v = p->split[n->in[V].id];
    if (pf_exists(p->split[n->in[Q].id].rest) || pf_exists(n->in[XK])) return;
    if (!pf_exists(k.rest) || !pf_exists(v.rest) || k.row != v.row || k.n != v.n) return;
    n->in[K] = k.rest;
    n->in[V] = v.rest;
    n->in[XK] = k.shared;
    n->in[XV] = v.shared;
}

peft_status pf_pass_hoist(pf_graph *g)
{
    if (g->status) return g->status;
    /* find_split appends at most two nodes for each old one; each has at most three outputs (layernorm). So an old node
     * makes at most 6 new values; there is room for 8. */
    uint32_t values = g->values, nodes = g->nodes, capacity = values + 8 * nodes;
    size_t bytes = nodes * sizeof(pf_node) + capacity * (sizeof(parts) + sizeof(pf_val) + 1);
    pf_node *old = pf_alloc_zero(g->ctx, bytes);
    if (!old) return g->status = pf_nomem("graph pass", bytes);
    hoisting p = { .g = g, .split = (parts *)(old + nodes) };
    p.replaced_by = (pf_val *)(p.split + capacity);
    p.sampled = (uint8_t *)(p.replaced_by + capacity);
    memcpy(old, g->node, nodes * sizeof *old);
    for (uint32_t v = 0; v < capacity; v++) p.replaced_by[v] = (pf_val){ v };
    g->nodes = 0;
    for (uint32_t i = 0; i < nodes && !g->status; i++) {
        pf_node n = old[i];
        for (int k = 0; k < PF_MAX_IN; k++) n.in[k] = p.replaced_by[n.in[k].id];
        if (n.op == &pf_op_take) replace_take(&p, &n);
        if (n.op == &pf_op_attention) replace_attention(&p, &n);
        pf_node_append(g, &n);
        mark_sampled(&p, &n);
        find_split(&p, &n);
    }
    pf_free(g->ctx, old);
    return pf_drop_unread_nodes(g);
}
