/* SPDX-License-Identifier: Apache-2.0
 * tensors.c -- which named tensors an operation is about: weights, parameters and inputs have names, results have those
 * of the operation that made them. */
#include <stdio.h>
#include <string.h>
#include "core/graph/param.h"
#include "core/graph/report/report.h"

enum { FAR = 64 };                       /* operations that are followed back to find a name */

static const char *name_of(const pf_graph *g, pf_val v)
{
    const pf_value *x = pf_v(g, pf_root(g, v));
    if (x->kind == PF_PARAM) return x->param->name;
    if (x->kind == PF_INPUT) return g->input[x->slot].name;
    return x->kind == PF_CONST ? x->name : NULL;
}

/* Bytes of a name up to its last dot, the dot included: what "a.b.weight" and "a.b.bias" have in common. */
static size_t stem(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) + 1 : 0;
}

static void add_name(const char *name, const char *first, char *text, size_t room)
{
    const size_t used = strlen(text), same = first ? stem(first) : 0;
    const char *shown = same && same == stem(name) && !strncmp(first, name, same) ? name + same : name;
    snprintf(text + used, room - used, "%s%s", used ? "," : "", shown);
}

/* The parameter whose gradient n makes, for the optimiser to find; NULL: n makes none. */
static const char *gradient_of(const pf_graph *g, const pf_node *n)
{
    for (const pf_node *s = n; n->backward && s < g->node + g->nodes; s++)
        if (s->op->flags & PF_STORES && (s == n || pf_eq(s->in[0], n->out[0])))
            return ((const pf_param *)s->attr.ptr)->name;
    return NULL;
}

/* first: a name in front of them, or NULL. */
static bool names(const pf_graph *g, const pf_node *n, const char *first, char *text, size_t room)
{
    *text = 0;
    if (first) add_name(first, NULL, text, room);
    for (int k = 0; k < PF_MAX_IN; k++) {
        const char *name = pf_is(n->in[k]) ? name_of(g, n->in[k]) : NULL;
        if (!name) continue;
        add_name(name, first, text, room);
        if (!first) first = name;
    }
    return *text != 0;
}

const char *pf_node_tensors(const pf_graph *g, const pf_node *n, char *text, size_t room)
{
    names(g, n, NULL, text, room);
    return text;
}

/* The last node before i that makes v; NULL: none does. */
static const pf_node *maker(const pf_graph *g, uint32_t i, pf_val v)
{
    const pf_val root = pf_root(g, v);
    while (i-- > 0)
        for (int k = 0; k < PF_MAX_OUT; k++)
            if (pf_is(g->node[i].out[k]) && pf_eq(pf_root(g, g->node[i].out[k]), root)) return &g->node[i];
    return NULL;
}

void pf_row_tensors(const pf_graph *g, uint32_t i, char *text, size_t room)
{
    const pf_node *n = &g->node[i];
    char inner[PF_ROW_ROOM];
    if (names(g, n, gradient_of(g, n), text, room)) return;
    for (int step = 0; n && step < FAR; step++) {
        int k = 0;
        while (k < PF_MAX_IN && !pf_is(n->in[k])) k++;
        n = k < PF_MAX_IN ? maker(g, (uint32_t)(n - g->node), n->in[k]) : NULL;
        if (!n || !names(g, n, gradient_of(g, n), inner, sizeof inner)) continue;
        snprintf(text, room, "(%s)", inner);
        return;
    }
    snprintf(text, room, "-");
}
