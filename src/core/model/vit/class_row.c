/* SPDX-License-Identifier: Apache-2.0
 * class_row.c -- finds the row of the class token among the tokens, from the nodes that methods add (class_row.h). */
#include "core/graph/op.h"
#include "core/model/vit/class_row.h"

/* Sites whose value is all tokens, where methods insert and drop rows. */
static bool has_tokens(const peft_site *s)
{
    return s->where == PEFT_TOKENS || s->where == PEFT_BLOCK_IN || s->where == PEFT_BLOCK_OUT;
}

const pf_node *pf_maker_of(const pf_graph *g, uint32_t first, pf_val v)
{
    for (uint32_t i = g->nodes; i-- > first;) if (pf_eq(g->node[i].out[0], v)) return &g->node[i];
    return NULL;
}

/* The row in v of what is row `row` of the tokens that the nodes from node `first` on make v of. */
static int64_t row_in(const pf_graph *g, uint32_t first, pf_val v, int64_t row)
{
    const pf_node *n = pf_maker_of(g, first, v);
    if (!n) return row;
    row = row_in(g, first, n->in[0], row);
    const int64_t at = n->attr.i[0];
    if (n->op == &pf_op_insert && at <= row) {
        const pf_shape *rows = &pf_v(g, n->in[1])->shape;
        return row + rows->dim[rows->ndim - 2];
    }
    if (n->op == &pf_op_take && at <= row) return row - (n->attr.i[2] == PF_DROP_ROWS ? n->attr.i[1] : at);
    return row;
}

void pf_class_row_before(pf_class_row *c, const pf_graph *g, const peft_site *s)
{
    if (s->where == PEFT_TOKENS) c->row = 0;
    c->node = g->nodes;
}

void pf_class_row_after(pf_class_row *c, const pf_graph *g, const peft_site *s)
{
    if (has_tokens(s)) c->row = row_in(g, c->node, s->out, c->row);
}
