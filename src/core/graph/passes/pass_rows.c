/* SPDX-License-Identifier: Apache-2.0
 * pass_rows.c -- token rows nobody reads are not computed: with class-token pooling the last block's
 * query, projection and MLP shrink to one row. Walks back to learn which rows of each [b,t,d] value are demanded, then
 * forward, cutting inputs with `take` where an operation needs fewer rows than its input has. Runs on the forward
 * graph, before the grad pass, so the backward pass never sees the dead rows. */
#include "core/graph/passes/passes.h"

/* Demanded rows: nothing, one range, everything but one range, or all. */
typedef enum { NOTHING, RANGE, BUT, ALL } form;
typedef struct { form form; int64_t at, n; } rows;
/* cuts[i]: node i can work on fewer rows (decided on the shapes as built, before any shrinks). */
typedef struct { pf_graph *g; rows *want; rows *have; int64_t *full; uint8_t *cuts; } pass;

static bool is_tokens(const pf_graph *g, pf_val v) { return pf_is(v) && pf_v(g, v)->shape.ndim == 3; }
static bool same(rows a, rows b) { return a.form == b.form && (a.form == ALL || (a.at == b.at && a.n == b.n)); }

static rows join(rows a, rows b)
{
    if (a.form == NOTHING) return b;
    if (b.form == NOTHING || same(a, b)) return a;
    return (rows){ ALL, 0, 0 };
}

/* Who reads columns of a value needs all rows of the value itself: its rows are not cut, only what is read of them. */
static void demand(pass *p, pf_val v, rows r)
{
    if (!pf_is(v)) return;
    p->want[v.id] = join(p->want[v.id], r);
    while (pf_is(v = pf_v(p->g, v)->view_of)) p->want[v.id] = (rows){ ALL, 0, 0 };
}

static rows range(const pf_graph *g, pf_val v, int64_t at, int64_t n)
{
    return n == pf_v(g, v)->shape.dim[1] ? (rows){ ALL, 0, 0 } : (rows){ RANGE, at, n };
}

/* Is a row of the result made from the same row of the inputs, and can the operation work on fewer of them? */
static bool rowwise(const pf_graph *g, const pf_node *n)
{
    if (!(n->op->flags & PF_ROWWISE) || !is_tokens(g, n->in[0])) return false;
    if (n->op == &pf_op_add || n->op == &pf_op_mul)          /* a [t,d] operand would have to be cut too */
        return pf_shape_equal(&pf_v(g, n->in[0])->shape, &pf_v(g, n->in[1])->shape) || pf_rows(g, n->in[1]) == 1;
    return true;
}

static bool same_tokens(const pf_graph *g, pf_val a, pf_val b)
{
    return is_tokens(g, b) && pf_v(g, a)->shape.dim[0] == pf_v(g, b)->shape.dim[0]
        && pf_v(g, a)->shape.dim[1] == pf_v(g, b)->shape.dim[1];
}

static void back(pass *p, const pf_node *n, uint8_t *cuts)
{
    const pf_graph *g = p->g;
    const rows all = { ALL, 0, 0 };
    rows want = is_tokens(g, n->out[0]) ? p->want[n->out[0].id] : all;
    if (pf_v(g, n->out[0])->keep) want = p->want[n->out[0].id] = all;
    *cuts = rowwise(g, n) || n->op == &pf_op_attention;
    if (*cuts && n->op != &pf_op_attention) {
        for (int i = 0; i < PF_MAX_IN; i++)
            if (pf_is(n->in[i])) demand(p, n->in[i], same_tokens(g, n->out[0], n->in[i]) ? want : all);
        return;
    }
    if (n->op == &pf_op_attention) {
        bool cut_sink = !pf_is(n->in[5]) || want.form == RANGE;
        demand(p, n->in[0], cut_sink ? want : all);
        if (!cut_sink) p->want[n->out[0].id] = all;
        for (int i = 1; i < PF_MAX_IN; i++) demand(p, n->in[i], all);
        return;
    }
    if (n->op == &pf_op_take && is_tokens(g, n->in[0])) {
        rows r = n->attr.i[2] ? (rows){ BUT, n->attr.i[0], n->attr.i[1] }
                              : range(g, n->in[0], n->attr.i[0], n->attr.i[1]);
        demand(p, n->in[0], r);
        p->want[n->out[0].id] = all;
        return;
    }
    if (n->op == &pf_op_mean_rows) demand(p, n->in[0], range(g, n->in[0], n->attr.i[0], n->attr.i[1]));
    else for (int i = 0; i < PF_MAX_IN; i++) demand(p, n->in[i], all);
    for (int i = 0; i < PF_MAX_OUT; i++) if (pf_is(n->out[i])) p->want[n->out[i].id] = all;
}

/* v with exactly these of its original rows. */
static pf_val cut(pass *p, pf_val v, rows want)
{
    rows have = p->have[v.id];
    pf_attr a = { .i = { want.at, want.n, want.form == BUT } };
    if (want.form == ALL || same(have, want)) return v;      /* have is ALL or want: demands were joined */
    return pf_emit(p->g, &pf_op_take, &a, 1, (pf_val[]){ v });
}

/* A take or mean whose input shrank to just its rows. */
static bool shift(pass *p, pf_node *n)
{
    rows have = p->have[n->in[0].id];
    if (have.form == ALL) return false;
    if (n->op == &pf_op_take) { n->attr.i[0] = 0; n->attr.i[1] = n->attr.i[2] ? 0 : have.n; }
    if (n->op == &pf_op_mean_rows) n->attr.i[0] = 0;
    return true;
}

static void forward(pass *p, pf_node n, bool cuts)
{
    pf_graph *g = p->g;
    rows want = is_tokens(g, n.out[0]) ? p->want[n.out[0].id] : (rows){ ALL, 0, 0 };
    bool shrinks = want.form == RANGE || want.form == BUT;
    if (shrinks && cuts) {
        int64_t t = pf_v(g, n.out[0])->shape.dim[1], left = want.form == RANGE ? want.n : t - want.n;
        for (int i = 0; i < PF_MAX_IN; i++) {
            bool query = n.op == &pf_op_attention ? i == 0 : is_tokens(g, n.in[i]) && p->full[n.in[i].id] == t;
            if (query) n.in[i] = cut(p, n.in[i], want);
        }
        if (n.op == &pf_op_attention && pf_is(n.in[5])) n.in[5] = pf_columns(g, n.in[5], want.at, want.n);
        for (int i = 0; i < PF_MAX_OUT; i++) {
            if (!pf_is(n.out[i])) continue;
            pf_shape *s = &pf_v(g, n.out[i])->shape;
            for (int d = 1; d < s->ndim; d++)                /* [b,t,d], [b,t] and attention's [b,heads,t] */
                if (s->dim[d] == t && (i == 0 ? d == 1 : d == s->ndim - 1)) s->dim[d] = left;
            p->have[n.out[i].id] = want;
        }
    } else if (n.op == &pf_op_take || n.op == &pf_op_mean_rows) shift(p, &n);
    pf_node_append(g, &n);
}

peft_status pf_pass_rows(pf_graph *g)
{
    if (g->status) return g->status;
    uint32_t values = g->values, nodes = g->nodes;
    size_t one = sizeof(rows), bytes = values * (2 * one + sizeof(int64_t)) + nodes * (sizeof(pf_node) + 1);
    char *memory = pf_alloc_zero(g->ctx, bytes);
    if (!memory) return g->status = pf_nomem("graph pass", bytes);
    pf_node *old = (pf_node *)memory;
    pass p = { g, (rows *)(memory + nodes * sizeof(pf_node)), NULL, NULL, NULL };
    p.have = p.want + values;
    p.full = (int64_t *)(p.have + values);
    p.cuts = (uint8_t *)(p.full + values);
    memcpy(old, g->node, nodes * sizeof(pf_node));
    for (uint32_t v = 1; v < values; v++) {
        p.have[v].form = ALL;
        if (g->value[v].shape.ndim == 3) p.full[v] = g->value[v].shape.dim[1];
    }
    for (uint32_t i = nodes; i-- > 0;) back(&p, &old[i], &p.cuts[i]);
    g->nodes = 0;
    for (uint32_t i = 0; i < nodes && !g->status; i++) forward(&p, old[i], p.cuts[i]);
    pf_free(g->ctx, memory);
    return g->status;
}
