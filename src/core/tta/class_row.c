/* SPDX-License-Identifier: Apache-2.0
 * class_row.c -- finds the row of the class token among the tokens. The backbone puts it first; a method such as DVPT
 * inserts prompts in front of it. */
#include "core/graph/op.h"
#include "core/tta/adaptor.h"

/* Sites whose value is all tokens, where methods insert and drop rows. */
static bool has_tokens(const peft_site *s)
{
    return s->where == PEFT_TOKENS || s->where == PEFT_BLOCK_IN || s->where == PEFT_BLOCK_OUT;
}

/* The node that computes v, of those from node `first` on; NULL: none does. */
static const pf_node *maker_of(const pf_graph *g, uint32_t first, pf_val v)
{
    for (uint32_t i = g->nodes; i-- > first;) if (pf_eq(g->node[i].out[0], v)) return &g->node[i];
    return NULL;
}

/* The row in v of what is row `row` of the tokens that the nodes from node `first` on make v of. */
static int64_t row_in(const pf_graph *g, uint32_t first, pf_val v, int64_t row)
{
    const pf_node *n = maker_of(g, first, v);
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

void pf_tta_before_site(peft_adaptor *a, const pf_graph *g, const peft_site *s)
{
    if (s->where == PEFT_TOKENS) a->class_row = 0;
    a->site_node = g->nodes;
}

void pf_tta_after_site(peft_adaptor *a, const pf_graph *g, const peft_site *s)
{
    if (has_tokens(s)) a->class_row = row_in(g, a->site_node, s->out, a->class_row);
}
