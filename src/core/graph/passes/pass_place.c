/* SPDX-License-Identifier: Apache-2.0
 * pass_place.c -- pieces are computed inside their concatenation (dq, dk, dv), which then copies nothing. */
#include "core/graph/passes/passes.h"

/* A piece becomes a view of its concatenation where the operation that makes it can write with a stride, and it is not
 * a view already. Other readers of the piece then read the concatenation's columns: the plan keeps a value's memory
 * until the last reader of its views has run. */
peft_status pf_pass_place(pf_graph *g)
{
    if (g->status) return g->status;
    for (uint32_t i = 0; i < g->nodes; i++) {
        const pf_node *n = &g->node[i];
        if (n->op != &pf_op_concat_cols) continue;
        for (uint32_t m = 0; m < i; m++)
            for (int o = 0; o < PF_MAX_OUT; o++)
                for (int k = 0; k < 4; k++) {
                    pf_val v = g->node[m].out[o];
                    if (!pf_is(v) || !pf_eq(v, n->in[k]) || pf_v(g, v)->keep
                        || pf_is(pf_v(g, v)->view_of) || !(g->node[m].op->flags & PF_STRIDED_OUT)) continue;
                    pf_v(g, v)->view_of = n->out[0];
                    pf_v(g, v)->col = n->attr.i[k];
                }
    }
    return g->status;
}
