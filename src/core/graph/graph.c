/* SPDX-License-Identifier: Apache-2.0
 * graph.c -- adds values and nodes to a graph, which holds them in two growing arrays; functions of shapes. */
#include <stdarg.h>
#include <string.h>
#include "core/graph/graph.h"
#include "kernels/ref/int8.h"

/* Value 0, which stands for PF_NONE, counts from the start; pf_value_new clears it with the first allocation. */
void pf_graph_init(pf_graph *g, peft_context *ctx, const pf_compile_spec *spec)
{
    memset(g, 0, sizeof *g);
    g->ctx = ctx;
    g->spec = *spec;
    g->batch = spec->batch;
    g->values = 1;
}

void pf_graph_free(pf_graph *g)
{
    pf_free(g->ctx, g->value);
    pf_free(g->ctx, g->node);
    pf_free(g->ctx, g->again);
    g->value = NULL;
    g->node = NULL;
    g->again = NULL;
    g->values = g->nodes = g->value_room = g->node_room = 0;
}

pf_val pf_graph_fail(pf_graph *g, peft_status s)
{
    if (!g->status) g->status = s;
    return PF_NONE;
}

/* Makes room for one more item, of `size` bytes, in an array of *capacity items; false: no memory. */
static bool grow(pf_graph *g, void **items, uint32_t used, uint32_t *capacity, size_t size)
{
    if (used < *capacity) return true;
    uint32_t more = *capacity ? *capacity * 2 : 256;
    void *p = pf_realloc(g->ctx, *items, (size_t)more * size);
    if (!p) {
        pf_graph_fail(g, pf_nomem("graph", (size_t)more * size));
        return false;
    }
    *items = p;
    *capacity = more;
    return true;
}

pf_val pf_value_new(pf_graph *g, pf_val_kind kind, pf_shape shape)
{
    if (g->status || !grow(g, (void **)&g->value, g->values, &g->value_room, sizeof *g->value)) return PF_NONE;
    if (g->values == 1) memset(g->value, 0, sizeof *g->value);
    pf_val v = { g->values++ };
    pf_value *p = pf_v(g, v);
    memset(p, 0, sizeof *p);
    p->kind = kind;
    p->shape = shape;
    return v;
}

/* Columns col .. col + cols - 1 of wide, in the memory of wide. */
pf_val pf_columns(pf_graph *g, pf_val wide, int64_t col, int64_t cols)
{
    if (g->status) return PF_NONE;
    if (wide.id >= g->values || !pf_v(g, wide)->shape.ndim || cols > pf_cols(g, wide) - col)
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "columns %lld to %lld of a value that has no such columns",
                                        (long long)col, (long long)(col + cols - 1)));
    pf_shape s = pf_v(g, wide)->shape;
    s.dim[s.ndim - 1] = cols;
    pf_val v = pf_value_new(g, PF_TEMP, s);
    if (!pf_exists(v)) return v;
    pf_v(g, v)->view_of = wide;
    pf_v(g, v)->col = col;
    pf_v(g, v)->needs_grad = pf_v(g, wide)->needs_grad;
    return v;
}

pf_node *pf_node_append(pf_graph *g, const pf_node *n)
{
    if (g->status || !grow(g, (void **)&g->node, g->nodes, &g->node_room, sizeof *g->node)) return NULL;
    g->node[g->nodes] = *n;
    return &g->node[g->nodes++];
}

/* An output depends on a trained value (needs_grad) if an input does, unless the operation lets no gradient through or
 * the node is a backward one. */
pf_val pf_emit_node(pf_graph *g, pf_node n, pf_node *made)
{
    for (int i = 0; i < PF_MAX_IN && !g->status; i++)
        if (n.in[i].id >= g->values)
            return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "%s: value %d is not of this graph", n.op->name, i));
    if (g->status) return PF_NONE;
    if (!n.op->infer(g, &n)) return pf_graph_fail(g, g->status ? g->status : PEFT_E_SHAPE);
    bool needs_grad = false;
    for (int i = 0; i < PF_MAX_IN && !(n.op->flags & PF_NO_GRADIENT); i++)
        if (pf_exists(n.in[i]) && pf_v(g, n.in[i])->needs_grad) needs_grad = true;
    for (int i = 0; i < PF_MAX_OUT; i++)
        if (pf_exists(n.out[i])) pf_v(g, n.out[i])->needs_grad = needs_grad && !n.backward;
    if (!pf_node_append(g, &n)) return PF_NONE;
    if (made) *made = n;
    return n.out[0];
}

pf_val pf_emit(pf_graph *g, const pf_op *op, const pf_attr *attr, int nin, const pf_val *in)
{
    pf_node n = { .op = op };
    if (attr) n.attr = *attr;
    for (int i = 0; i < nin; i++) n.in[i] = in[i];
    return pf_emit_node(g, n, NULL);
}

pf_shape pf_shape_of(int ndim, ...)
{
    pf_shape s = { .ndim = ndim };
    va_list ap;
    va_start(ap, ndim);
    for (int i = 0; i < ndim; i++) s.dim[i] = va_arg(ap, int64_t);
    va_end(ap);
    return s;
}

void *pf_const_row(const pf_value *v, int64_t i)
{
    const int64_t cols = v->shape.dim[0] ? pf_shape_count(&v->shape) / v->shape.dim[0] : 0;
    const int64_t stored = v->type == PK_I8 ? pk_int8_whole_blocks(cols) : cols;
    return (char *)v->data + i * stored * pk_dtype_size(v->type);
}

bool pf_shape_equal(const pf_shape *a, const pf_shape *b)
{
    return a->ndim == b->ndim && !memcmp(a->dim, b->dim, sizeof(int64_t) * (size_t)a->ndim);
}

int64_t pf_shape_count(const pf_shape *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->ndim; i++) n *= s->dim[i];
    return n;
}

int64_t pf_value_bytes(const pf_value *v) { return pf_shape_count(&v->shape) * pk_dtype_size(v->type); }

int64_t pf_cols(const pf_graph *g, pf_val v)
{
    const pf_shape *s = &pf_v(g, v)->shape;
    return s->ndim ? s->dim[s->ndim - 1] : 1;
}

int64_t pf_rows(const pf_graph *g, pf_val v)
{
    const pf_shape *s = &pf_v(g, v)->shape;
    int64_t n = 1;
    for (int i = 0; i + 1 < s->ndim; i++) n *= s->dim[i];
    return n;
}

pf_val pf_root(const pf_graph *g, pf_val v)
{
    while (pf_exists(pf_v(g, v)->view_of)) v = pf_v(g, v)->view_of;
    return v;
}

bool pf_is_suffix(const pf_shape *b, const pf_shape *a)
{
    int skip = 0;                                        /* leading extents of b that are 1 */
    while (skip < b->ndim - 1 && b->dim[skip] == 1) skip++;
    int n = b->ndim - skip;
    return n <= a->ndim && !memcmp(b->dim + skip, a->dim + (a->ndim - n), sizeof(int64_t) * (size_t)n);
}

void pf_count_uses(const pf_graph *g, uint32_t *uses)
{
    memset(uses, 0, g->values * sizeof *uses);
    for (uint32_t i = 0; i < g->nodes; i++)
        for (int j = 0; j < PF_MAX_IN; j++) uses[g->node[i].in[j].id]++;
}

void pf_nodes_compact(pf_graph *g)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < g->nodes; i++)
        if (g->node[i].op) g->node[used++] = g->node[i];
    g->nodes = used;
}
