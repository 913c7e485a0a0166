/* SPDX-License-Identifier: Apache-2.0
 * build.c -- the functions of peft/sys/method.h that build the forward graph. Each appends one node, or none. */
#include <math.h>
#include <string.h>
#include "core/graph/op.h"
#include "core/graph/param.h"
#include "kernels/ref/int8.h"

/* Appends a node of op with n inputs, of which the first `needed` must not be PEFT_NONE; returns its first output. The
 * first input must have extents, because infer reads its last one unchecked. */
static pf_val emit(pf_graph *g, const pf_op *op, const pf_attr *attr, int needed, int n, const pf_val *in)
{
    for (int i = 0; i < n && !g->status; i++) {
        if (i < needed && !pf_exists(in[i]))
            return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "%s: value %d is PEFT_NONE: expected one", op->name, i));
        if (!i && in[i].id < g->values && !pf_v(g, in[i])->shape.ndim)
            return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "%s: value 0 has no extents", op->name));
    }
    return pf_emit(g, op, attr, n, in);
}
/* EMIT: all inputs are needed; EMIT_SOME: the first `needed` of them, the others may be PEFT_NONE. */
#define VALUE_COUNT(...) (int)(sizeof((pf_val[]){__VA_ARGS__}) / sizeof(pf_val))
#define EMIT_SOME(g, op, attr, needed, ...) emit(g, op, attr, needed, VALUE_COUNT(__VA_ARGS__), (pf_val[]){__VA_ARGS__})
#define EMIT(g, op, attr, ...) EMIT_SOME(g, op, attr, VALUE_COUNT(__VA_ARGS__), __VA_ARGS__)

/* Is x a value of this graph? If not, records the error. For functions that read x's shape before a node checks x. */
static bool is_known(pf_graph *g, pf_val x, const char *function)
{
    if (g->status) return false;
    if (pf_exists(x) && x.id < g->values) return true;
    pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "%s: the value is PEFT_NONE or not of this graph", function));
    return false;
}

int64_t peft_sys_extent(const peft_build *g, pf_val x, int axis)
{
    const pf_shape *s = g->status || x.id >= g->values ? NULL : &pf_v(g, x)->shape;
    return s && axis >= 0 && axis < s->ndim ? s->dim[axis] : 0;
}

/* The value of p as a constant, or as a tensor that is trained. */
static pf_val param_value(pf_graph *g, pf_param *p, bool constant)
{
    pf_shape s = { .ndim = p->value.ndim };
    if (s.ndim > PF_MAX_RANK)
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "parameter '%s': rank %d, expected at most %d", p->name, s.ndim,
                                        PF_MAX_RANK));
    memcpy(s.dim, p->value.dim, sizeof(int64_t) * (size_t)s.ndim);
    pf_val v = pf_value_new(g, constant ? PF_CONST : PF_PARAM, s);
    if (!pf_exists(v)) return v;
    if (constant) {
        pf_v(g, v)->type = PK_REAL;
        pf_v(g, v)->data = p->value.data;
        pf_v(g, v)->name = p->name;
        pf_v(g, v)->buffer = true;
    } else {
        pf_v(g, v)->param = p;
        pf_v(g, v)->needs_grad = true;
    }
    return v;
}

pf_val peft_sys_param(peft_build *g, pf_param *p)
{
    if (g->status) return PF_NONE;
    if (p) return param_value(g, p, p->buffer || g->overlay);
    return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_param: the parameter is NULL: expected a declared one"));
}

pf_val pf_trained_value(pf_graph *g, pf_param *p) { return g->status ? PF_NONE : param_value(g, p, false); }

pf_val peft_sys_slice(peft_build *g, pf_val x, int64_t at, int64_t n)
{
    if (!pf_exists(x) || !is_known(g, x, "peft_sys_slice")) return PF_NONE;
    pf_value v = *pf_v(g, x);
    if ((v.kind != PF_PARAM && v.kind != PF_CONST) || v.shape.ndim < 1 || at < 0 || n < 1
        || n > v.shape.dim[0] - at)
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "%lld rows from row %lld of a value that has no such rows",
                                        (long long)n, (long long)at));
    const int64_t cols = pf_shape_count(&v.shape) / v.shape.dim[0];
    if (v.kind == PF_PARAM) v.offset += at * cols;
    else v.data = pf_const_row(&v, at);
    if (v.scales) v.scales += at * pk_int8_pieces(cols).count;
    v.shape.dim[0] = n;
    pf_val out = pf_value_new(g, v.kind, v.shape);
    if (pf_exists(out)) *pf_v(g, out) = v;
    return out;
}

/* The slice of row i alone, without its first extent, which is 1. */
pf_val peft_sys_select(peft_build *g, pf_val x, int64_t i)
{
    pf_val v = peft_sys_slice(g, x, i, 1);
    if (!pf_exists(v)) return v;
    pf_shape *s = &pf_v(g, v)->shape;
    memmove(s->dim, s->dim + 1, sizeof(int64_t) * (size_t)--s->ndim);
    return v;
}

/* PEFT_NONE counts as zeros. */
pf_val peft_sys_add(peft_build *g, pf_val x, pf_val y)
{
    if (!pf_exists(x)) return y;
    return pf_exists(y) ? EMIT(g, &pf_op_add, NULL, x, y) : x;
}

pf_val peft_sys_mul(peft_build *g, pf_val x, pf_val y) { return EMIT(g, &pf_op_mul, NULL, x, y); }
pf_val peft_sys_scale(peft_build *g, pf_val x, double s) { return EMIT(g, &pf_op_scale, &(pf_attr){ .f = { s } }, x); }
pf_val peft_sys_affine(peft_build *g, pf_val x, pf_val gamma, pf_val beta)
{
    return EMIT_SOME(g, &pf_op_affine, NULL, 1, x, gamma, beta);
}
pf_val peft_sys_linear(peft_build *g, pf_val x, pf_val w, pf_val bias)
{
    return EMIT_SOME(g, &pf_op_linear, NULL, 2, x, w, bias);
}

pf_val peft_sys_activate(peft_build *g, pf_val x, const char *kind)
{
    static const struct { const char *name; pk_act act; } acts[] = {
        { "gelu", PK_GELU }, { "quickgelu", PK_QUICKGELU }, { "relu", PK_RELU },
        { "tanh", PK_TANH }, { "sigmoid", PK_SIGMOID }, { "silu", PK_SILU },
        { "exp", PK_EXP }, { "gelu_tanh", PK_GELU_TANH } };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (!strcmp(kind, acts[i].name)) return EMIT(g, &pf_op_act, &(pf_attr){ .i = { acts[i].act } }, x);
    return pf_graph_fail(g, pf_fail(PEFT_E_NOTFOUND, "activation '%s': expected gelu, gelu_tanh, quickgelu, relu, "
                                    "tanh, sigmoid, silu or exp", kind));
}

pf_val peft_sys_layernorm(peft_build *g, pf_val x, pf_val gamma, pf_val beta, double eps)
{
    return EMIT_SOME(g, &pf_op_layernorm, &(pf_attr){ .f = { eps } }, 1, x, gamma, beta);
}

pf_val peft_sys_logsumexp(peft_build *g, pf_val x) { return EMIT(g, &pf_op_logsumexp, NULL, x); }

/* PEFT_NONE counts as -inf. */
pf_val peft_sys_logaddexp(peft_build *g, pf_val a, pf_val c)
{
    if (!pf_exists(a)) return c;
    return pf_exists(c) ? EMIT(g, &pf_op_logaddexp, NULL, a, c) : a;
}

pf_val peft_sys_insert_rows(peft_build *g, pf_val x, int64_t at, pf_val rows)
{
    return EMIT(g, &pf_op_insert, &(pf_attr){ .i = { at } }, x, rows);
}

pf_val peft_sys_take_rows(peft_build *g, pf_val x, int64_t at, int64_t n)
{
    return EMIT(g, &pf_op_take, (&(pf_attr){ .i = { at, n, PF_TAKE_ROWS } }), x);
}

pf_val peft_sys_drop_rows(peft_build *g, pf_val x, int64_t at, int64_t n)
{
    return EMIT(g, &pf_op_take, (&(pf_attr){ .i = { at, n, PF_DROP_ROWS } }), x);
}

/* Drops as many rows as `rows` has, then inserts these in their place. */
pf_val peft_sys_replace_rows(peft_build *g, pf_val x, int64_t at, pf_val rows)
{
    if (!is_known(g, rows, "peft_sys_replace_rows")) return PF_NONE;
    const pf_shape *s = &pf_v(g, rows)->shape;
    return peft_sys_insert_rows(g, peft_sys_drop_rows(g, x, at, s->ndim < 2 ? 1 : s->dim[s->ndim - 2]), at, rows);
}

pf_val peft_sys_repeat_batch(peft_build *g, pf_val rows) { return EMIT(g, &pf_op_repeat,
                                                                       &(pf_attr){ .i = { g->batch } }, rows); }

/* Nothing is dropped in inference or with p = 0: then the result is x itself. Each call has random numbers of its
 * own. */
pf_val peft_sys_dropout(peft_build *g, pf_val x, double p)
{
    if (!g->spec.training || p <= 0 || g->status) return x;
    if (!(p < 1)) return pf_graph_fail(g, pf_fail(PEFT_E_INVALID,
                                                  "peft_sys_dropout: p is 1 or more, expected less than 1"));
    return EMIT(g, &pf_op_dropout, (&(pf_attr){ .f = { p }, .i = { g->dropouts++ } }), x);
}

pf_val peft_sys_merge_heads(peft_build *g, pf_val x) { return EMIT(g, &pf_op_swap, NULL, x); }
pf_val peft_sys_transpose(peft_build *g, pf_val x) { return EMIT(g, &pf_op_transpose, NULL, x); }
pf_val peft_sys_mul_rows(peft_build *g, pf_val x, pf_val s) { return EMIT(g, &pf_op_mul_rows, NULL, x, s); }
pf_val peft_sys_random_rows(peft_build *g, pf_val x, int64_t count)
{
    return EMIT(g, &pf_op_random_rows, (&(pf_attr){ .i = { count, g->dropouts++, g->spec.training } }), x);
}
pf_val peft_sys_row_max(peft_build *g, pf_val x) { return EMIT(g, &pf_op_row_max, NULL, x); }

pf_val peft_sys_frame(peft_build *g, pf_val up, pf_val down, pf_val left, pf_val right)
{
    return EMIT(g, &pf_op_frame, NULL, up, down, left, right);
}

pf_val peft_sys_cayley(peft_build *g, pf_val packed, int64_t size, int64_t terms)
{
    return EMIT(g, &pf_op_cayley, (&(pf_attr){ .i = { size, terms } }), packed);
}

pf_val peft_sys_rotate(peft_build *g, pf_val x, pf_val matrices)
{
    return EMIT(g, &pf_op_rotate, NULL, x, matrices);
}

pf_val peft_sys_scale_frequencies(peft_build *g, pf_val images, pf_val factors, int64_t first)
{
    return EMIT(g, &pf_op_frequencies, &(pf_attr){ .i = { first } }, images, factors);
}

pf_val peft_sys_inverse_row_norms(peft_build *g, pf_val w, pf_val a, pf_val b, double s)
{
    return EMIT(g, &pf_op_row_scale, &(pf_attr){ .f = { s } }, w, a, b);
}

pf_val peft_sys_mean_rows(peft_build *g, pf_val x, int64_t at, int64_t n)
{
    return EMIT(g, &pf_op_mean_rows, (&(pf_attr){ .i = { at, n } }), x);
}

pf_val peft_sys_mean(peft_build *g, pf_val x)
{
    return EMIT(g, &pf_op_mean, (&(pf_attr){ .i = { PF_MEAN_OF_ALL } }), x);
}

pf_val peft_sys_sum(peft_build *g, pf_val x)
{
    return EMIT(g, &pf_op_mean, (&(pf_attr){ .i = { PF_SUM_OF_ALL } }), x);
}

pf_val peft_sys_resize_images(peft_build *g, pf_val images, int64_t side)
{
    return EMIT(g, &pf_op_resize, &(pf_attr){ .i = { side } }, images);
}

pf_val peft_sys_input(peft_build *g, const char *name, const int64_t *dims)
{
    static const char *const reserved[] = { "images", "labels", "targets" };
    pf_shape s = { .ndim = 1, .dim = { g->batch } };
    bool fits = true;                                    /* every extent is in its range */
    if (!name || !dims)
        return pf_graph_fail(g, pf_fail(PEFT_E_INVALID, "peft_sys_input: %s is NULL: expected a pointer",
                                        name ? "dims" : "name"));
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(name, reserved[i]))
            return pf_graph_fail(g, pf_fail(PEFT_E_INVALID,
                                            "peft_sys_input '%s': the library has an input of this name",
                                            name));
    for (; *dims && s.ndim < PF_MAX_RANK; dims++) {
        fits &= *dims >= 1 && *dims <= 1 << 24;
        s.dim[s.ndim++] = *dims;
    }
    if (!fits || *dims || s.ndim < 2 || pf_dims_count(s.ndim, s.dim) < 0)
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE,
                                        "peft_sys_input '%s': expected 1 to %d extents, each from 1 to 2^24",
                                        name, PF_MAX_RANK - 1));
    return pf_input_add(g, name, s, PF_IN_METHOD);
}

pf_val peft_sys_side_images(peft_build *g, int64_t side)
{
    if (side < 1 || side > 1 << 16)
        return pf_graph_fail(g, pf_fail(PEFT_E_SHAPE, "peft_sys_side_images: side is %lld, expected 1 to 65536",
                                        (long long)side));
    return peft_sys_input(g, "side_images", PEFT_DIMS(3, side, side));
}

/* The attention node made here equals the one that the block makes later: the share pass keeps one of them. */
pf_val peft_sys_attention_mass(peft_build *g, int64_t heads, const peft_site *s, bool class_token)
{
    pf_val lse;
    const pf_val out = pf_attention(g, heads, s, &lse);
    return EMIT_SOME(g, &pf_op_attention_mass, (&(pf_attr){ .i = { heads, class_token } }), 5, s->q, s->k, s->v, out,
                     lse, s->head_scale);
}

pf_val peft_sys_top_rows(peft_build *g, pf_val x, pf_val mass, int64_t n)
{
    return EMIT(g, &pf_op_top_rows, &(pf_attr){ .i = { n } }, x, mass);
}

/* x [..,m,d] in front of y [..,n,d]; one of them may lack the batch. */
static pf_val in_front(pf_graph *g, pf_val x, pf_val y)
{
    const pf_shape *s = &pf_v(g, x)->shape;
    if (pf_v(g, y)->shape.ndim > 2 || s->ndim < 2) return peft_sys_insert_rows(g, y, 0, x);
    return peft_sys_insert_rows(g, x, s->dim[s->ndim - 2], y);
}

void peft_sys_add_keys(peft_build *g, peft_site *s, pf_val keys, pf_val values)
{
    if (!is_known(g, keys, "peft_sys_add_keys") || !is_known(g, values, "peft_sys_add_keys")) return;
    s->xk = pf_exists(s->xk) ? in_front(g, keys, s->xk) : keys;
    s->xv = pf_exists(s->xv) ? in_front(g, values, s->xv) : values;
}

pf_val peft_sys_attention(peft_build *g, int64_t heads, const peft_site *s)
{
    pf_val lse;
    return pf_attention(g, heads, s, &lse);
}

pf_val pf_attention(pf_graph *g, int64_t heads, const peft_site *s, pf_val *lse)
{
    const pf_val out = EMIT_SOME(g, &pf_op_attention, &(pf_attr){ .i = { heads } }, 3, s->q, s->k, s->v, s->xk, s->xv,
                                 s->sink, s->head_scale);
    *lse = g->status ? PF_NONE : g->node[g->nodes - 1].out[1];
    return out;
}

pf_val peft_sys_attention_scores(peft_build *g, int64_t heads, pf_val q, pf_val k)
{
    if (!is_known(g, q, "peft_sys_attention_scores")) return PF_NONE;
    const double head_dim = heads > 0 ? (double)(pf_cols(g, q) / heads) : 1;
    return EMIT(g, &pf_op_attention_scores, (&(pf_attr){ .i = { heads }, .f = { 1 / sqrt(head_dim) } }), q, k);
}

pf_val peft_sys_softmax(peft_build *g, pf_val x, pf_val sink)
{
    return EMIT_SOME(g, &pf_op_softmax, NULL, 1, x, sink);
}

pf_val peft_sys_attention_apply(peft_build *g, pf_val p, pf_val v)
{
    if (!is_known(g, p, "peft_sys_attention_apply")) return PF_NONE;
    const pf_shape *s = &pf_v(g, p)->shape;
    return EMIT(g, &pf_op_attention_apply, (&(pf_attr){ .i = { s->ndim == 4 ? s->dim[1] : 0 }, .f = { 1 } }), p, v);
}

pf_val peft_sys_row_range(peft_build *g, pf_val x) { return EMIT(g, &pf_op_row_range, NULL, x); }

pf_val peft_sys_scaled_logsumexp(peft_build *g, pf_val x, pf_val s)
{
    return EMIT(g, &pf_op_scaled_logsumexp, NULL, x, s);
}
