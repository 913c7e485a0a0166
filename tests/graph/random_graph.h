/* SPDX-License-Identifier: Apache-2.0
 * random_graph.h -- random graphs: a sequence of operations and blocks of transformers, each from values [b, t, WIDTH]
 * to such a value. Seed and length determine the graph. */
#ifndef RANDOM_GRAPH_H
#define RANDOM_GRAPH_H
#include "lab.h"

enum { BATCH = 2, WIDTH = 6, HEADS = 2, MAX_ROWS = 9, MAX_VALUES = 40 };
enum { LEAVES_OF_AN_OPERATION = 24 };                   /* no operation below makes more leaves */
typedef struct builder {
    lab *l;
    pf_graph *g;                         /* l's graph */
    pf_rng r;
    uint64_t draws;                      /* random numbers drawn */
    pf_val value[MAX_VALUES];            /* the values made so far, oldest first */
    int n;                               /* their number */
} builder;

/* A random number from 0 to n - 1. */
static inline int64_t pick(builder *d, int64_t n) { return pf_rng_below(&d->r, d->draws++, n); }
/* true or false with equal probability. */
static inline bool coin(builder *d) { return pick(d, 2) == 1; }
static inline int64_t rows_of(const builder *d, pf_val x) { return pf_v(d->g, x)->shape.dim[1]; }
/* An earlier value; with a probability of at least 2/3 one of the last three. */
static inline pf_val any_value(builder *d)
{
    int64_t back = pick(d, 3) ? pick(d, d->n < 3 ? d->n : 3) : pick(d, d->n);
    return d->value[d->n - 1 - back];
}
/* A new leaf of these extents, or PF_NONE: an input that is left out. */
static inline pf_val maybe(builder *d, const int64_t *dims) { return coin(d) ? lab_leaf(d->l, dims) : PF_NONE; }
/* A LayerNorm, linear layer or activation of x with new leaves. */
static inline pf_val norm(builder *d, pf_val x)
{
    pf_val gamma = maybe(d, PEFT_DIMS(WIDTH)), beta = maybe(d, PEFT_DIMS(WIDTH));
    return peft_sys_layernorm(d->g, x, gamma, beta, 1e-2);
}
static inline pf_val linear(builder *d, pf_val x, int64_t out)
{
    pf_val w = LEAF(d->l, out, pf_cols(d->g, x)), bias = maybe(d, PEFT_DIMS(out));
    return peft_sys_linear(d->g, x, w, bias);
}
static inline pf_val act(builder *d, pf_val x)
{
    static const char *const kind[] = { "gelu", "quickgelu", "relu", "tanh", "sigmoid", "silu", "gelu_tanh" };
    return peft_sys_activate(d->g, x, kind[pick(d, 7)]);
}

/* --- the operations: each reads values made so far and returns a new one ------------------------------------------ */
static pf_val random_linear(builder *d) { return linear(d, any_value(d), WIDTH); }
static pf_val random_norm(builder *d) { return norm(d, any_value(d)); }
static pf_val random_act(builder *d) { return act(d, any_value(d)); }
static pf_val random_scale(builder *d)
{
    return peft_sys_scale(d->g, any_value(d), 0.25 * (double)(pick(d, 9) - 4) + 0.1);
}
static pf_val random_dropout(builder *d) { return peft_sys_dropout(d->g, any_value(d), 0.25); }

static pf_val random_mlp(builder *d)
{
    pf_val x = any_value(d), y = linear(d, act(d, linear(d, norm(d, x), WIDTH + 3)), WIDTH);
    if (coin(d)) y = peft_sys_affine(d->g, y, LEAF(d->l, WIDTH), PF_NONE);
    return coin(d) ? peft_sys_add(d->g, x, y) : peft_sys_add(d->g, y, x);
}

static pf_val random_affine(builder *d)
{
    pf_val x = any_value(d), gamma = maybe(d, PEFT_DIMS(WIDTH));
    return peft_sys_affine(d->g, x, gamma, maybe(d, PEFT_DIMS(WIDTH)));
}

/* A second operand for x: another value with as many rows, or a leaf that broadcasts. */
static pf_val second_operand(builder *d, pf_val x)
{
    int64_t t = rows_of(d, x);
    pf_val y = any_value(d);
    if (coin(d) && rows_of(d, y) == t) return y;
    switch (pick(d, 4)) {
    case 0:  return LEAF(d->l, WIDTH);
    case 1:  return LEAF(d->l, t, WIDTH);
    case 2:  return LEAF(d->l, 1, t, WIDTH);
    default: return coin(d) ? LEAF(d->l, BATCH, t, WIDTH) : peft_sys_repeat_batch(d->g, LEAF(d->l, t, WIDTH));
    }
}
static pf_val random_add(builder *d) { pf_val x = any_value(d); return peft_sys_add(d->g, x, second_operand(d, x)); }
/* With a norm after it, as products of products would grow. */
static pf_val random_mul(builder *d)
{
    pf_val x = any_value(d);
    return norm(d, peft_sys_mul(d->g, x, second_operand(d, x)));
}

static pf_val random_insert(builder *d)
{
    pf_val x = any_value(d);
    int64_t t = rows_of(d, x), n = 1 + pick(d, 2);
    if (t + n > MAX_ROWS) return peft_sys_take_rows(d->g, x, pick(d, 3), 2);         /* values stay small */
    const int64_t shape[3][4] = { { n, WIDTH }, { 1, n, WIDTH }, { BATCH, n, WIDTH } };
    return peft_sys_insert_rows(d->g, x, pick(d, t + 1), lab_leaf(d->l, shape[pick(d, 3)]));
}

static pf_val random_rows(builder *d)
{
    pf_val x = any_value(d);
    int64_t t = rows_of(d, x), n = 1 + pick(d, t), first = pick(d, t - n + 1);
    switch (pick(d, 3)) {
    case 0:  return peft_sys_take_rows(d->g, x, first, n);
    case 1:  return peft_sys_mean_rows(d->g, x, first, n);
    default: return n < t ? peft_sys_drop_rows(d->g, x, first, n) : x;
    }
}

/* Queries of x, keys and values of y, by slices of one weight and one bias. */
static void project(builder *d, pf_val x, pf_val y, peft_site *s)
{
    pf_val w = LEAF(d->l, 3 * WIDTH, WIDTH), b = maybe(d, PEFT_DIMS(3 * WIDTH)), *out[] = { &s->q, &s->k, &s->v };
    for (int i = 0; i < 3; i++)
        *out[i] = peft_sys_linear(d->g, i ? y : x, peft_sys_slice(d->g, w, i * WIDTH, WIDTH),
                              peft_sys_slice(d->g, b, i * WIDTH, WIDTH));
}

/* Extra keys and values, a sink and head_scale, each or not. */
static void extras(builder *d, peft_site *s)
{
    int64_t n = 1 + pick(d, 2), t = rows_of(d, s->q);
    const int64_t shape[3][4] = { { n, WIDTH }, { 1, n, WIDTH }, { BATCH, n, WIDTH } }, *dims = shape[pick(d, 3)];
    if (coin(d)) {
        bool by_head = coin(d);
        s->xk = by_head ? peft_sys_merge_heads(d->g, LEAF(d->l, HEADS, n, WIDTH / HEADS)) : lab_leaf(d->l, dims);
        s->xv = by_head ? peft_sys_merge_heads(d->g, LEAF(d->l, HEADS, n, WIDTH / HEADS)) : lab_leaf(d->l, dims);
    }
    if (coin(d)) s->sink = peft_sys_logsumexp(d->g, LEAF(d->l, t, 3));
    if (coin(d)) s->sink = peft_sys_logaddexp(d->g, s->sink, LEAF(d->l, t));
    s->head_scale = maybe(d, PEFT_DIMS(HEADS));
}

static pf_val random_attention(builder *d)
{
    pf_val x = any_value(d), y = coin(d) ? any_value(d) : x;
    peft_site s = { 0 };
    project(d, x, y, &s);
    extras(d, &s);
    return peft_sys_attention(d->g, HEADS, &s);
}

/* A transformer block: attention and an MLP, each with a norm before and x added after. */
static pf_val block(builder *d, pf_val x)
{
    peft_site s = { 0 };
    pf_val y = norm(d, x);
    project(d, y, y, &s);
    if (coin(d)) extras(d, &s);
    x = peft_sys_add(d->g, x, linear(d, peft_sys_attention(d->g, HEADS, &s), WIDTH));
    y = linear(d, act(d, linear(d, norm(d, x), WIDTH + 2)), WIDTH);
    return peft_sys_add(d->g, x, coin(d) ? peft_sys_affine(d->g, y, LEAF(d->l, WIDTH), PF_NONE) : y);
}
static pf_val random_block(builder *d) { return block(d, any_value(d)); }

/* Inserts prompts before a block (or only a norm) and drops them after it; sometimes drops other rows. */
static pf_val random_prompted_block(builder *d)
{
    pf_val x = any_value(d);
    int64_t n = 1 + pick(d, 3), first = pick(d, rows_of(d, x) + 1);
    x = peft_sys_insert_rows(d->g, x, first, LEAF(d->l, n, WIDTH));
    return peft_sys_drop_rows(d->g, pick(d, 4) ? block(d, x) : norm(d, x), pick(d, 4) ? first : pick(d, first + 1), n);
}

/* A low-rank update as in LoRA or DoRA; the product with a may occur twice, which the share pass merges. */
static pf_val random_low_rank(builder *d)
{
    pf_val x = any_value(d), a = LEAF(d->l, 2, WIDTH), w = LEAF(d->l, WIDTH, WIDTH), b = LEAF(d->l, WIDTH, 2);
    pf_val low = peft_sys_linear(d->g, peft_sys_linear(d->g, x, a, PF_NONE), b, PF_NONE);
    pf_val y = peft_sys_add(d->g, peft_sys_linear(d->g, x, w, PF_NONE), peft_sys_scale(d->g, low, 0.5));
    if (coin(d)) y = peft_sys_mul(d->g, y, peft_sys_inverse_row_norms(d->g, w, a, b, 0.5));
    return coin(d) ? y : peft_sys_add(d->g, y, linear(d, peft_sys_linear(d->g, x, a, PF_NONE), WIDTH));
}

/* The rows with the largest attention mass become keys and values of another attention. */
static pf_val random_select(builder *d)
{
    pf_val x = any_value(d);
    peft_site s = { 0 };
    project(d, x, x, &s);
    pf_val mass = peft_sys_attention_mass(d->g, HEADS, &s, coin(d));
    int64_t n = 1 + pick(d, rows_of(d, x));
    peft_site selected = { .q = x, .k = peft_sys_top_rows(d->g, s.k, mass, n),
                       .v = peft_sys_top_rows(d->g, s.v, mass, n) };
    return peft_sys_add(d->g, peft_sys_attention(d->g, HEADS, &s), peft_sys_attention(d->g, HEADS, &selected));
}

/* The sum of two views of WIDTH columns of one product, the first after an activation. */
static pf_val random_columns(builder *d)
{
    pf_val x = linear(d, any_value(d), WIDTH + 4);
    int64_t first = pick(d, 5);
    return peft_sys_add(d->g, act(d, pf_columns(d->g, x, first, WIDTH)), pf_columns(d->g, x, pick(d, 5), WIDTH));
}

static pf_val (*const operations[])(builder *) = {
    random_linear, random_norm, random_act, random_scale, random_dropout, random_mlp, random_affine, random_add,
    random_mul, random_insert, random_rows, random_attention, random_block, random_prompted_block, random_low_rank,
    random_columns, random_select };

/* Builds a graph of `length` operations in an open lab; about one value in twelve is kept readable after the
 * run, as the taps of a session are. */
static inline void random_graph(lab *l, int length)
{
    builder d = { .l = l, .g = &l->g, .r = { .seed = l->seed, .b = 2 } };
    l->deviation = 0.5;
    d.value[d.n++] = LEAF(l, BATCH, 4, WIDTH);
    for (int i = 0; i < length && l->leaves < LAB_LEAVES - LEAVES_OF_AN_OPERATION; i++) {
        pf_val y = operations[pick(&d, sizeof operations / sizeof *operations)](&d);
        LAB_OK(l, l->g.status);
        pf_value *v = pf_v(&l->g, y);
        if (!pick(&d, 12) && !pf_exists(v->view_of) && v->kind == PF_TEMP) v->keep = true;
        d.value[d.n++] = y;
    }
    pf_val x = d.value[d.n - 1];
    if (coin(&d)) x = coin(&d) ? peft_sys_take_rows(&l->g, x, 0, 1) : peft_sys_mean_rows(&l->g, x, 0, rows_of(&d, x));
    lab_weighted_loss(l, peft_sys_layernorm(&l->g, x, PF_NONE, PF_NONE, 1e-2));
}
#endif
