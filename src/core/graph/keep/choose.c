/* SPDX-License-Identifier: Apache-2.0
 * choose.c -- which values the backward pass reads rounded to bf16. */
#include "core/graph/keep/keep.h"

/* A value that its readers or writers rule out, in pf_keep.chosen until pf_keep_choose ends. */
enum { REFUSED = 2 };

/* Node i computes v or reads it as it is. */
static void note_exact(pf_keep *k, uint32_t v, uint32_t i)
{
    if (k->first_exact[v] == UINT32_MAX) k->first_exact[v] = i;
    k->last_exact[v] = i;
}

/* Notes what node i writes and reads. */
static void note(pf_keep *k, uint32_t i)
{
    const pf_node *n = &k->node[i];
    const bool exact = pf_keep_exact(n);
    for (int o = 0; o < PF_MAX_OUT; o++) {
        const uint32_t v = pf_root(k->g, n->out[o]).id;
        if (exact) note_exact(k, v, i);
        else k->chosen[v] = REFUSED;
    }
    for (int o = 0; o < PF_MAX_IN; o++) {
        const uint32_t v = pf_root(k->g, n->in[o]).id;
        if (exact) note_exact(k, v, i);
        else if (!((n->op->rounds | n->op->reads_bf16) >> o & 1)) k->chosen[v] = REFUSED;
        else if (k->first_rounded[v] == UINT32_MAX) k->first_rounded[v] = i;
    }
}

/* Has v more than one row for each sample? Values are [batch, rows, columns], or with more extents between. */
static bool has_rows(const pf_value *v)
{
    const int n = v->shape.ndim;
    return n >= 3 && v->shape.dim[n - 2] > 1;
}

void pf_keep_choose(pf_keep *k)
{
    const pf_graph *g = k->g;
    for (uint32_t v = 0; v < k->values; v++)
        k->first_exact[v] = k->last_exact[v] = k->first_rounded[v] = UINT32_MAX;
    for (uint32_t i = 0; i < k->nodes; i++) note(k, i);
    for (uint32_t v = 1; v < k->values; v++)
        if (g->value[v].keep) k->chosen[pf_root(g, (pf_val){ v }).id] = REFUSED;
    for (uint32_t v = 0; v < k->values; v++) {
        const pf_value *x = &g->value[v];
        k->chosen[v] = v && x->kind == PF_TEMP && !pf_exists(x->view_of) && k->chosen[v] != REFUSED && has_rows(x)
                    && k->first_rounded[v] != UINT32_MAX;
    }
}
