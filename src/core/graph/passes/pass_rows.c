/* SPDX-License-Identifier: Apache-2.0
 * pass_rows.c -- removes token rows that no node reads. With class-token pooling, for example, queries, projection and
 * MLP of the last block shrink to one row. A walk backward finds which rows of each [b, t, d] value are read; a walk
 * forward shrinks the nodes and inserts `take` where an input has more rows than its reader needs. Runs on the forward
 * graph, before the grad pass, so that no backward nodes are made for the removed rows. */
#include "core/graph/passes/passes.h"
#include "core/graph/ops/heads/rope.h"

/* Rows of a value: none, n rows from row `first` on (RANGE), all others (EXCEPT), or all. */
typedef enum { NO_ROWS, RANGE, EXCEPT, ALL } row_kind;
typedef struct { row_kind kind; int64_t first, n; } row_set;
typedef struct {
    pf_graph *g;
    row_set *want;                                           /* [v]: rows of value v that are read */
    row_set *have;                                           /* [v]: rows of value v that it has left */
    int64_t *full;                                           /* [v]: how many rows value v had before the pass */
    uint8_t *can_shrink;                                     /* [i]: node i can work on fewer rows (decided on the
                                                              * shapes before any node shrinks) */
} row_demand;
enum { SINK = 5 };                                           /* input of attention: a logit for each query */

static bool is_tokens(const pf_graph *g, pf_val v) { return pf_exists(v) && pf_v(g, v)->shape.ndim == 3; }
static bool same_rows(row_set a, row_set b)
{
    return a.kind == b.kind && (a.kind == ALL || (a.first == b.first && a.n == b.n));
}

/* The rows that are in a or in b; simplified to ALL if a and b differ and neither is empty. */
static row_set union_of(row_set a, row_set b)
{
    if (a.kind == NO_ROWS) return b;
    if (b.kind == NO_ROWS || same_rows(a, b)) return a;
    return (row_set){ ALL, 0, 0 };
}

/* Adds rows r to those that are read of v. If v is a column view, all rows of the value that it is a view of count as
 * read, as a view cannot shrink that value. */
static void demand(row_demand *p, pf_val v, row_set r)
{
    if (!pf_exists(v)) return;
    p->want[v.id] = union_of(p->want[v.id], r);
    while (pf_exists(v = pf_v(p->g, v)->view_of)) p->want[v.id] = (row_set){ ALL, 0, 0 };
}

/* Rows first .. first + n - 1 of v. */
static row_set range(const pf_graph *g, pf_val v, int64_t first, int64_t n)
{
    return n == pf_v(g, v)->shape.dim[1] ? (row_set){ ALL, 0, 0 } : (row_set){ RANGE, first, n };
}

/* Is b a value [b, t, d] with the batch and the number of rows of a? */
static bool same_tokens(const pf_graph *g, pf_val a, pf_val b)
{
    return is_tokens(g, b) && pf_v(g, a)->shape.dim[0] == pf_v(g, b)->shape.dim[0]
        && pf_v(g, a)->shape.dim[1] == pf_v(g, b)->shape.dim[1];
}

/* Does the node compute a row of its output from the same row of its inputs, so that it can work on fewer rows? */
static bool rowwise(const pf_graph *g, const pf_node *n)
{
    if (!(n->op->flags & PF_ROWWISE) || !is_tokens(g, n->in[0])) return false;
    if (n->op == &pf_op_add || n->op == &pf_op_mul)          /* of an operand [t,d] rows would have to be taken, too */
        return pf_shape_equal(&pf_v(g, n->in[0])->shape, &pf_v(g, n->in[1])->shape) || pf_rows(g, n->in[1]) == 1;
    if (n->op == &pf_op_mul_rows)                            /* the same of factors other than [b,t,1] or a gate */
        return same_tokens(g, n->in[0], n->in[1]) || pf_shape_count(&pf_v(g, n->in[1])->shape) == 1;
    return true;
}

/* From the rows of n's output that are read, adds the rows of its inputs that n reads. If n cannot compute fewer rows,
 * all rows of its output count as read. */
static void demand_inputs(row_demand *p, const pf_node *n, uint8_t *can_shrink)
{
    const pf_graph *g = p->g;
    const row_set all = { ALL, 0, 0 };
    row_set want = is_tokens(g, n->out[0]) ? p->want[n->out[0].id] : all;
    const bool lse_read = n->op == &pf_op_attention && p->want[n->out[1].id].kind != NO_ROWS;
    if (pf_v(g, n->out[0])->keep || lse_read) want = p->want[n->out[0].id] = all;
    *can_shrink = rowwise(g, n) || n->op == &pf_op_attention;
    /* Without some of its rotated rows, those of a rotation would not be at consecutive positions any more. */
    if (n->op == &pf_op_rope && want.kind == EXCEPT && want.first + want.n > n->attr.i[PF_ROTATE_FIRST])
        want = p->want[n->out[0].id] = all;
    if (*can_shrink && n->op != &pf_op_attention) {
        for (int i = 0; i < PF_MAX_IN; i++)
            if (pf_exists(n->in[i])) demand(p, n->in[i], same_tokens(g, n->out[0], n->in[i]) ? want : all);
        return;
    }
    if (n->op == &pf_op_attention) {
        /* The sinks of fewer queries become a column view of all sinks, which only a range of queries can have. */
        bool sink_fits = !pf_exists(n->in[SINK]) || want.kind == RANGE;
        demand(p, n->in[0], sink_fits ? want : all);
        if (!sink_fits) p->want[n->out[0].id] = all;
        for (int i = 1; i < PF_MAX_IN; i++) demand(p, n->in[i], all);
        return;
    }
    if (n->op == &pf_op_take && is_tokens(g, n->in[0])) {
        row_set r = n->attr.i[2] == PF_DROP_ROWS ? (row_set){ EXCEPT, n->attr.i[0], n->attr.i[1] }
                                                 : range(g, n->in[0], n->attr.i[0], n->attr.i[1]);
        demand(p, n->in[0], r);
        p->want[n->out[0].id] = all;
        return;
    }
    if (n->op == &pf_op_mean_rows) demand(p, n->in[0], range(g, n->in[0], n->attr.i[0], n->attr.i[1]));
    else for (int i = 0; i < PF_MAX_IN; i++) demand(p, n->in[i], all);
    for (int i = 0; i < PF_MAX_OUT; i++) if (pf_exists(n->out[i])) p->want[n->out[i].id] = all;
}

/* Returns v reduced to the rows `want`, numbered as in the value before the pass: v itself if it has these already,
 * else the output of a new take. */
static pf_val take_wanted(row_demand *p, pf_val v, row_set want)
{
    row_set have = p->have[v.id];
    pf_attr a = { .i = { want.first, want.n, want.kind == EXCEPT ? PF_DROP_ROWS : PF_TAKE_ROWS } };
    if (want.kind == ALL || same_rows(have, want)) return v; /* else have is ALL, by union_of */
    return pf_emit(p->g, &pf_op_take, &a, 1, (pf_val[]){ v });
}

/* Adapts a take or mean_rows whose input has shrunk to the rows that the node reads: it now reads all of them. */
static void shift_rows(row_demand *p, pf_node *n)
{
    row_set have = p->have[n->in[0].id];
    if (have.kind == ALL) return;
    if (n->op == &pf_op_take) { n->attr.i[0] = 0; n->attr.i[1] = n->attr.i[2] == PF_DROP_ROWS ? 0 : have.n; }
    if (n->op == &pf_op_mean_rows) n->attr.i[0] = 0;
}

/* Appends node n, on fewer rows if fewer are read of its output. */
static void shrink(row_demand *p, pf_node n, bool can_shrink)
{
    pf_graph *g = p->g;
    row_set want = is_tokens(g, n.out[0]) ? p->want[n.out[0].id] : (row_set){ ALL, 0, 0 };
    bool shrinks = want.kind == RANGE || want.kind == EXCEPT;
    if (shrinks && can_shrink) {
        int64_t t = pf_v(g, n.out[0])->shape.dim[1], remaining = want.kind == RANGE ? want.n : t - want.n;
        for (int i = 0; i < PF_MAX_IN; i++) {
            /* of attention's inputs the queries shrink, of other nodes' those with as many rows as the output */
            bool input_shrinks = n.op == &pf_op_attention ? i == 0
                                                          : is_tokens(g, n.in[i]) && p->full[n.in[i].id] == t;
            if (input_shrinks) n.in[i] = take_wanted(p, n.in[i], want);
        }
        if (n.op == &pf_op_rope) n.attr.i[PF_ROTATE_FIRST] -= want.kind == RANGE ? want.first : want.n;
        if (n.op == &pf_op_attention && pf_exists(n.in[SINK]))
            n.in[SINK] = pf_columns(g, n.in[SINK], want.first, want.n);
        for (int i = 0; i < PF_MAX_OUT; i++) {
            if (!pf_exists(n.out[i])) continue;
            pf_shape *s = &pf_v(g, n.out[i])->shape;
            /* the extent t is the second of the first output [b,t,d], and the last of further ones: [b,t] of norms,
             * [b,heads,t] of attention */
            for (int d = 1; d < s->ndim; d++)
                if (s->dim[d] == t && (i == 0 ? d == 1 : d == s->ndim - 1)) s->dim[d] = remaining;
            p->have[n.out[i].id] = want;
        }
    } else if (n.op == &pf_op_take || n.op == &pf_op_mean_rows) shift_rows(p, &n);
    pf_node_append(g, &n);
}

peft_status pf_pass_rows(pf_graph *g)
{
    if (pf_drop_unread_nodes(g)) return g->status;          /* a node that no node reads demands no rows */
    uint32_t values = g->values, nodes = g->nodes;
    /* one block of memory: old nodes, want, have, full, can_shrink */
    size_t bytes = values * (2 * sizeof(row_set) + sizeof(int64_t)) + nodes * (sizeof(pf_node) + 1);
    char *memory = pf_alloc_zero(g->ctx, bytes);
    if (!memory) return g->status = pf_nomem("graph pass", bytes);
    pf_node *old = (pf_node *)memory;
    row_demand p = { .g = g, .want = (row_set *)(memory + nodes * sizeof(pf_node)) };
    p.have = p.want + values;
    p.full = (int64_t *)(p.have + values);
    p.can_shrink = (uint8_t *)(p.full + values);
    memcpy(old, g->node, nodes * sizeof(pf_node));
    for (uint32_t v = 1; v < values; v++) {
        p.have[v].kind = ALL;
        if (g->value[v].shape.ndim == 3) p.full[v] = g->value[v].shape.dim[1];
    }
    for (uint32_t i = nodes; i-- > 0;) demand_inputs(&p, &old[i], &p.can_shrink[i]);
    g->nodes = 0;
    for (uint32_t i = 0; i < nodes && !g->status; i++) shrink(&p, old[i], p.can_shrink[i]);
    pf_free(g->ctx, memory);
    return g->status;
}
