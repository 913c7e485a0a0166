/* SPDX-License-Identifier: Apache-2.0
 * cost.c -- what it costs to compute a node of the forward pass again, with all that must be computed again for it. */
#include "core/graph/recompute/recompute.h"

static double bytes_of(const pf_graph *g, pf_val v)
{
    return pf_exists(v) ? (double)pf_shape_count(&pf_v(g, v)->shape) * sizeof(pk_real) : 0;
}

/* The cost of node i alone. */
static double own_cost(const pf_graph *g, const pf_node *n)
{
    double bytes = 0;
    for (int k = 0; k < PF_MAX_IN; k++) bytes += bytes_of(g, n->in[k]);
    for (int k = 0; k < PF_MAX_OUT; k++) bytes += bytes_of(g, n->out[k]);
    return PF_BYTE_FLOPS * bytes + (n->op->flops ? (double)n->op->flops(g, n) : 0);
}

/* Adds the cost of node i and of what it needs, and the bytes that are alive longer for it, but of no node and no value
 * twice: r->repeated and r->half are set to COUNTED for them. */
enum { COUNTED = 2 };
static double add_cost(const pf_recompute *r, uint32_t i, size_t *more)
{
    const pf_node *n = &r->node[i];
    if (r->repeated[i]) return 0;
    r->repeated[i] = COUNTED;
    double cost = own_cost(r->g, n);
    for (int k = 0; k < PF_MAX_IN; k++) {
        const pf_val root = pf_root(r->g, n->in[k]);
        if (!pf_exists(root)) continue;
        if (!pf_recompute_available(r, root)) {
            cost += add_cost(r, r->writer[root.id], more);
        } else if (r->half[root.id] == 1) {
            r->half[root.id] = COUNTED;
            *more += (size_t)(pf_shape_count(&pf_v(r->g, root)->shape)
                              * (pk_dtype_size(PK_REAL) - pk_dtype_size(PK_BF16)));
        }
    }
    return cost;
}

double pf_recompute_cost(const pf_recompute *r, uint32_t i, size_t *more)
{
    *more = 0;
    const double cost = add_cost(r, i, more);
    for (uint32_t k = 0; k < r->nodes; k++) if (r->repeated[k] == COUNTED) r->repeated[k] = 0;
    for (uint32_t v = 0; v < r->values; v++) if (r->half[v] == COUNTED) r->half[v] = 1;
    return cost;
}
