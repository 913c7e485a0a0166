/* SPDX-License-Identifier: Apache-2.0
 * pass_place.c -- lets the inputs of a concat_cols node, such as the gradients dq, dk and dv, be computed in their
 * columns of its output, so that the node copies nothing. */
#include "core/graph/passes/passes.h"

/* A piece becomes a column view of the concatenation if its operation can write with a stride and it is not a view
 * already. Other readers of the piece then read these columns: the plan keeps memory until the last reader of its views
 * has run. */
peft_status pf_pass_place(pf_graph *g)
{
    if (g->status) return g->status;
    for (uint32_t i = 0; i < g->nodes; i++) {
        const pf_node *n = &g->node[i];
        if (n->op != &pf_op_concat_cols) continue;
        for (uint32_t m = 0; m < i; m++)
            for (int o = 0; o < PF_MAX_OUT; o++)
                for (int k = 0; k < PF_CONCAT_MAX; k++) {
                    pf_val v = g->node[m].out[o];
                    if (!pf_exists(v) || !pf_eq(v, n->in[k]) || pf_v(g, v)->keep
                        || pf_exists(pf_v(g, v)->view_of) || !(g->node[m].op->flags & PF_STRIDED_OUT)) continue;
                    pf_v(g, v)->view_of = n->out[0];
                    pf_v(g, v)->col = n->attr.i[k];
                }
    }
    return g->status;
}
