/* SPDX-License-Identifier: Apache-2.0
 * tensors.c -- finds the names of the tensors that an operation reads. Weights, parameters and inputs have names; for
 * computed values the names of the operation that computed them are taken. */
#include <stdio.h>
#include <string.h>
#include "core/graph/param.h"
#include "core/graph/report/report.h"

enum { STEPS_MAX = 64 };                 /* how many operations are followed back to find a name */

/* The name of a parameter, constant or input, or of the one that v is a view of; NULL: v is computed or has no name. */
static const char *name_of(const pf_graph *g, pf_val v)
{
    const pf_value *x = pf_v(g, pf_root(g, v));
    if (x->kind == PF_PARAM) return x->param->name;
    if (x->kind == PF_INPUT) return g->input[x->input_index].name;
    return x->kind == PF_CONST ? x->name : NULL;
}

/* The length of a name up to and with its last dot: of "a.b.", the prefix of "a.b.weight" and "a.b.bias". */
static size_t prefix_length(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) + 1 : 0;
}

/* Appends a name to the list in text. first: the first name of the list, NULL if there is none; the prefix that a later
 * name has in common with it is left out: "a.b.weight,bias". */
static void append_name(const char *name, const char *first, char *text, size_t capacity)
{
    const size_t used = strlen(text), prefix = first ? prefix_length(first) : 0;
    const char *shown = prefix && prefix == prefix_length(name) && !strncmp(first, name, prefix) ? name + prefix : name;
    snprintf(text + used, capacity - used, "%s%s", used ? "," : "", shown);
}

/* The parameter whose gradient n computes or stores; NULL: n does neither. Such an n is a store node, or a later store
 * node reads its output. */
static const char *gradient_of(const pf_graph *g, const pf_node *n)
{
    for (const pf_node *s = n; n->backward && s < g->node + g->nodes; s++)
        if (s->op->flags & PF_STORES && (s == n || pf_eq(s->in[0], n->out[0])))
            return ((const pf_param *)s->attr.ptr)->name;
    return NULL;
}

/* Writes the name `gradient` (NULL: none), then the names of the tensors that n reads; false: there is no name. */
static bool write_names(const pf_graph *g, const pf_node *n, const char *gradient, char *text, size_t capacity)
{
    const char *first = gradient;
    *text = 0;
    if (gradient) append_name(gradient, NULL, text, capacity);
    for (int k = 0; k < PF_MAX_IN; k++) {
        const char *name = pf_exists(n->in[k]) ? name_of(g, n->in[k]) : NULL;
        if (!name) continue;
        append_name(name, first, text, capacity);
        if (!first) first = name;
    }
    return *text != 0;
}

const char *pf_node_tensors(const pf_graph *g, const pf_node *n, char *text, size_t capacity)
{
    const char *const no_gradient = NULL;
    write_names(g, n, no_gradient, text, capacity);
    return text;
}

/* The last node before i that computes v; NULL: none does. */
static const pf_node *computed_by(const pf_graph *g, uint32_t i, pf_val v)
{
    const pf_val root = pf_root(g, v);
    while (i-- > 0)
        for (int k = 0; k < PF_MAX_OUT; k++)
            if (pf_exists(g->node[i].out[k]) && pf_eq(pf_root(g, g->node[i].out[k]), root)) return &g->node[i];
    return NULL;
}

/* If node i reads no tensor with a name, follows first inputs back to a node that does. */
void pf_row_tensors(const pf_graph *g, uint32_t i, char *text, size_t capacity)
{
    const pf_node *n = &g->node[i];
    char found[PF_ROW_MAX];
    if (write_names(g, n, gradient_of(g, n), text, capacity)) return;
    for (int step = 0; n && step < STEPS_MAX; step++) {
        int k = 0;                                       /* the first input that exists */
        while (k < PF_MAX_IN && !pf_exists(n->in[k])) k++;
        n = k < PF_MAX_IN ? computed_by(g, (uint32_t)(n - g->node), n->in[k]) : NULL;
        if (!n || !write_names(g, n, gradient_of(g, n), found, sizeof found)) continue;
        snprintf(text, capacity, "(%s)", found);
        return;
    }
    snprintf(text, capacity, "-");
}
