/* SPDX-License-Identifier: Apache-2.0
 * pass_hoist.c -- rows that are the same for every sample are computed once a step. A prompt
 * inserted into the tokens and read only as key and value is pushed through LayerNorm and the projections on its own,
 * [n,d], and joins the attention as extra rows; the inserted tokens themselves are then read by nobody. */
#include "core/graph/passes/passes.h"

/* split[v]: v equals rest with the shared rows inserted at `at`. */
typedef struct { pf_val rest, rows; int64_t at, n; } parts;
typedef struct { pf_graph *g; parts *split; pf_val *now; uint8_t *sampled; } pass;

/* A batch of one has such extents too: what depends on the sample is not shared, whatever the batch. */
static bool shared_rows(const pass *p, const pf_node *n)
{
    const pf_shape *s = &pf_v(p->g, n->in[1])->shape;
    return !p->sampled[n->in[1].id] && (s->ndim == 2 || s->dim[0] == 1);
}

static bool is_sampled(const pass *p, pf_val v)
{
    pf_val root = pf_root(p->g, v);
    return p->sampled[root.id] || pf_v(p->g, root)->kind == PF_INPUT;
}

static void mark_sampled(pass *p, const pf_node *n)
{
    bool s = n->op == &pf_op_repeat;
    for (int k = 0; k < PF_MAX_IN; k++) s |= is_sampled(p, n->in[k]);
    for (int k = 0; k < PF_MAX_OUT; k++) p->sampled[n->out[k].id] = s && pf_is(n->out[k]);
}

/* Row by row from one input, the others being parameters of the operation. */
static bool unary(const pf_node *n)
{
    if (n->op == &pf_op_linear) return !pf_is(n->in[3]);
    return n->op == &pf_op_layernorm || n->op == &pf_op_affine || n->op == &pf_op_act || n->op == &pf_op_scale;
}

static pf_val apply(pass *p, pf_node n, pf_val x)
{
    memset(n.out, 0, sizeof n.out);
    n.in[0] = x;
    pf_val out = pf_emit_node(p->g, n, &n);
    if (pf_is(out)) mark_sampled(p, &n);
    return out;
}

static void learn(pass *p, const pf_node *n)
{
    if (n->op == &pf_op_insert && shared_rows(p, n)) {
        const pf_shape *s = &pf_v(p->g, n->in[1])->shape;
        p->split[n->out[0].id] = (parts){ n->in[0], n->in[1], n->attr.i[0], s->dim[s->ndim - 2] };
    } else if (unary(n) && pf_is(p->split[n->in[0].id].rest)) {
        parts s = p->split[n->in[0].id];
        p->split[n->out[0].id] = (parts){ apply(p, *n, s.rest), apply(p, *n, s.rows), s.at, s.n };
    }
}

/* A take that drops just the inserted rows, or nothing. */
static void use_take(pass *p, const pf_node *n)
{
    parts s = p->split[n->in[0].id];
    if (pf_v(p->g, n->out[0])->keep) return;
    if (n->attr.i[2] && pf_is(s.rest) && s.at == n->attr.i[0] && s.n == n->attr.i[1]) p->now[n->out[0].id] = s.rest;
    else if (pf_shape_equal(&pf_v(p->g, n->in[0])->shape, &pf_v(p->g, n->out[0])->shape))
        p->now[n->out[0].id] = n->in[0];
}

/* An attention whose keys and values are both split alike, and whose queries have no such rows. */
static void use_attention(pass *p, pf_node *n)
{
    parts k = p->split[n->in[1].id], v = p->split[n->in[2].id];
    if (pf_is(p->split[n->in[0].id].rest) || pf_is(n->in[3]) || !pf_is(k.rest) || !pf_is(v.rest) || k.at != v.at
        || k.n != v.n) return;
    n->in[1] = k.rest;
    n->in[2] = v.rest;
    n->in[3] = k.rows;
    n->in[4] = v.rows;
}

peft_status pf_pass_hoist(pf_graph *g)
{
    if (g->status) return g->status;
    /* learn makes two values or so a node */
    uint32_t values = g->values, nodes = g->nodes, room = values + 8 * nodes;
    size_t bytes = nodes * sizeof(pf_node) + room * (sizeof(parts) + sizeof(pf_val) + 1);
    pf_node *old = pf_alloc_zero(g->ctx, bytes);
    if (!old) return g->status = pf_nomem("graph pass", bytes);
    pass p = { .g = g, .split = (parts *)(old + nodes) };
    p.now = (pf_val *)(p.split + room);
    p.sampled = (uint8_t *)(p.now + room);
    memcpy(old, g->node, nodes * sizeof *old);
    for (uint32_t v = 0; v < room; v++) p.now[v] = (pf_val){ v };
    g->nodes = 0;
    for (uint32_t i = 0; i < nodes && !g->status; i++) {
        pf_node n = old[i];
        for (int k = 0; k < PF_MAX_IN; k++) n.in[k] = p.now[n.in[k].id];
        if (n.op == &pf_op_take) use_take(&p, &n);
        if (n.op == &pf_op_attention) use_attention(&p, &n);
        pf_node_append(g, &n);
        mark_sampled(&p, &n);
        learn(&p, &n);
    }
    pf_free(g->ctx, old);
    return g->status;
}
