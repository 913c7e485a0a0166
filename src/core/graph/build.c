/* SPDX-License-Identifier: Apache-2.0
 * build.c -- the forward vocabulary of method.h: each word is one node (or none). */
#include <string.h>
#include "core/graph/param.h"
#include "core/method.h"

#define EMIT(g, op, attr, ...) \
    pf_emit(g, op, attr, (int)(sizeof((pf_val[]){__VA_ARGS__}) / sizeof(pf_val)), (pf_val[]){__VA_ARGS__})

int64_t pf_extent(const pf_build *g, pf_val x, int axis) { return g->status || !pf_is(x) ? 0
                                                           : pf_v(g, x)->shape.dim[axis]; }

pf_val pf_use(pf_build *g, pf_param *p)
{
    pf_shape s = { .ndim = p->value.ndim };
    if (s.ndim > PF_MAX_RANK)
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "parameter '%s': rank %d, expected at most %d", p->name, s.ndim,
                                        PF_MAX_RANK));
    memcpy(s.dim, p->value.dim, sizeof(int64_t) * (size_t)s.ndim);
    pf_val v = pf_value_new(g, PF_PARAM, s);
    if (!pf_is(v)) return v;
    pf_v(g, v)->param = p;
    pf_v(g, v)->needs_grad = true;
    return v;
}

pf_val pf_slice(pf_build *g, pf_val x, int64_t at, int64_t n)
{
    if (g->status || !pf_is(x)) return PF_NONE;
    pf_value v = *pf_v(g, x);
    if ((v.kind != PF_PARAM && v.kind != PF_CONST) || v.shape.ndim < 1 || at < 0 || n < 1 || at + n > v.shape.dim[0])
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "rows %lld to %lld of a value that has no such rows",
                                        (long long)at, (long long)(at + n - 1)));
    int64_t skip = at * (pf_shape_count(&v.shape) / v.shape.dim[0]);
    v.shape.dim[0] = n;
    if (v.kind == PF_PARAM) v.offset += skip;
    else v.data += skip;
    pf_val out = pf_value_new(g, v.kind, v.shape);
    if (pf_is(out)) *pf_v(g, out) = v;
    return out;
}

pf_val pf_at(pf_build *g, pf_val x, int64_t i)
{
    pf_val v = pf_slice(g, x, i, 1);
    if (!pf_is(v)) return v;
    pf_shape *s = &pf_v(g, v)->shape;
    memmove(s->dim, s->dim + 1, sizeof(int64_t) * (size_t)--s->ndim);
    return v;
}

pf_val pf_add(pf_build *g, pf_val x, pf_val y)
{
    if (!pf_is(x)) return y;
    return pf_is(y) ? EMIT(g, &pf_op_add, NULL, x, y) : x;
}

pf_val pf_mul(pf_build *g, pf_val x, pf_val y) { return EMIT(g, &pf_op_mul, NULL, x, y); }
pf_val pf_scale(pf_build *g, pf_val x, double s) { return EMIT(g, &pf_op_scale, &(pf_attr){ .f = { s } }, x); }
pf_val pf_affine(pf_build *g, pf_val x, pf_val gamma, pf_val beta)
{
    return EMIT(g, &pf_op_affine, NULL, x, gamma, beta);
}
pf_val pf_linear(pf_build *g, pf_val x, pf_val w, pf_val bias) { return EMIT(g, &pf_op_linear, NULL, x, w, bias); }

pf_val pf_activate(pf_build *g, pf_val x, const char *kind)
{
    static const struct { const char *name; pk_act act; } acts[] = {
        { "gelu", PK_GELU }, { "quickgelu", PK_QUICKGELU }, { "relu", PK_RELU },
        { "tanh", PK_TANH }, { "sigmoid", PK_SIGMOID }, { "silu", PK_SILU } };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (!strcmp(kind, acts[i].name)) return EMIT(g, &pf_op_act, &(pf_attr){ .i = { acts[i].act } }, x);
    return pf_graph_fail(g, pf_fail(PEFT_E_NOTFOUND, "activation '%s': expected gelu, quickgelu, relu, tanh, sigmoid "
                                    "or silu", kind));
}

pf_val pf_layernorm(pf_build *g, pf_val x, pf_val gamma, pf_val beta, double eps)
{
    return EMIT(g, &pf_op_layernorm, &(pf_attr){ .f = { eps } }, x, gamma, beta);
}

pf_val pf_logsumexp(pf_build *g, pf_val x) { return EMIT(g, &pf_op_logsumexp, NULL, x); }

pf_val pf_logaddexp(pf_build *g, pf_val a, pf_val c)
{
    if (!pf_is(a)) return c;
    return pf_is(c) ? EMIT(g, &pf_op_logaddexp, NULL, a, c) : a;
}

pf_val pf_insert_rows(pf_build *g, pf_val x, int64_t at, pf_val rows)
{
    return EMIT(g, &pf_op_insert, &(pf_attr){ .i = { at } }, x, rows);
}

pf_val pf_take_rows(pf_build *g, pf_val x, int64_t at, int64_t n)
{
    return EMIT(g, &pf_op_take, (&(pf_attr){ .i = { at, n, 0 } }), x);
}

pf_val pf_drop_rows(pf_build *g, pf_val x, int64_t at, int64_t n)
{
    return EMIT(g, &pf_op_take, (&(pf_attr){ .i = { at, n, 1 } }), x);
}

pf_val pf_replace_rows(pf_build *g, pf_val x, int64_t at, pf_val rows)
{
    if (g->status) return PF_NONE;
    const pf_shape *s = &pf_v(g, rows)->shape;
    return pf_insert_rows(g, pf_drop_rows(g, x, at, s->dim[s->ndim - 2]), at, rows);
}

pf_val pf_repeat(pf_build *g, pf_val rows) { return EMIT(g, &pf_op_repeat, &(pf_attr){ .i = { g->batch } }, rows); }

pf_val pf_dropout(pf_build *g, pf_val x, double p)
{
    if (!g->training || p <= 0 || g->status) return x;
    return EMIT(g, &pf_op_dropout, (&(pf_attr){ .f = { p }, .i = { g->dropouts++ } }), x);
}

pf_val pf_swap(pf_build *g, pf_val x) { return EMIT(g, &pf_op_swap, NULL, x); }

pf_val pf_frame(pf_build *g, pf_val up, pf_val down, pf_val left, pf_val right)
{
    return EMIT(g, &pf_op_frame, NULL, up, down, left, right);
}

pf_val pf_row_scale(pf_build *g, pf_val w, pf_val a, pf_val b, double s)
{
    return EMIT(g, &pf_op_row_scale, &(pf_attr){ .f = { s } }, w, a, b);
}

pf_val pf_mean_rows(pf_build *g, pf_val x, int64_t at, int64_t n)
{
    return EMIT(g, &pf_op_mean_rows, (&(pf_attr){ .i = { at, n } }), x);
}

pf_val pf_resize(pf_build *g, pf_val images, int64_t side)
{
    return EMIT(g, &pf_op_resize, &(pf_attr){ .i = { side } }, images);
}

pf_val pf_side_images(pf_build *g, int64_t side)
{
    pf_val v = pf_value_new(g, PF_INPUT, pf_shape_of(4, g->batch, (int64_t)3, side, side));
    if (pf_is(v)) pf_v(g, v)->slot = PF_IN_SIDE;
    return v;
}

/* The attention node made here is the one the block makes too: the share pass joins them. */
pf_val pf_attention_mass(pf_build *g, int64_t heads, const pf_site *s, bool class_token)
{
    pf_node a = { .op = &pf_op_attention, .attr = { .i = { heads } },
                  .in = { s->q, s->k, s->v, s->xk, s->xv, s->sink, s->head_scale } };
    pf_emit_node(g, a, &a);
    return EMIT(g, &pf_op_attention_mass, (&(pf_attr){ .i = { heads, class_token } }), s->q, s->k, s->v, a.out[0], a.out[1]);
}

pf_val pf_top_rows(pf_build *g, pf_val x, pf_val mass, int64_t n)
{
    return EMIT(g, &pf_op_top_rows, &(pf_attr){ .i = { n } }, x, mass);
}

pf_val pf_attention(pf_build *g, int64_t heads, const pf_site *s)
{
    return EMIT(g, &pf_op_attention, &(pf_attr){ .i = { heads } }, s->q, s->k, s->v, s->xk, s->xv, s->sink,
                s->head_scale);
}
