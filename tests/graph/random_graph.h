/* SPDX-License-Identifier: Apache-2.0
 * random_graph.h -- graphs put together at random from words of the forward vocabulary, each [b,t,WIDE] to the same:
 * pieces of transformers as methods bend them, in orders nobody would write. Seed and length say it all. */
#ifndef RANDOM_GRAPH_H
#define RANDOM_GRAPH_H
#include "lab.h"

enum { BATCH = 2, WIDE = 6, HEADS = 2, MOST_ROWS = 9, MOST_VALUES = 40 };
typedef struct garden { lab *l; pf_graph *g; pf_rng r; uint64_t draws; pf_val grown[MOST_VALUES]; int n; } garden;

static inline int64_t pick(garden *d, int64_t n) { return pf_rng_below(&d->r, d->draws++, n); }
static inline bool coin(garden *d) { return pick(d, 2) == 1; }
static inline int64_t rows_of(const garden *d, pf_val x) { return pf_v(d->g, x)->shape.dim[1]; }
/* One of the last values more often than an old one. */
static inline pf_val any(garden *d)
{
    int64_t back = pick(d, 3) ? pick(d, d->n < 3 ? d->n : 3) : pick(d, d->n);
    return d->grown[d->n - 1 - back];
}
static inline pf_val maybe(garden *d, const int64_t *dims) { return coin(d) ? lab_leaf(d->l, dims) : PF_NONE; }
static inline pf_val norm(garden *d, pf_val x)
{
    pf_val gamma = maybe(d, PEFT_DIMS(WIDE)), beta = maybe(d, PEFT_DIMS(WIDE));
    return peft_sys_layernorm(d->g, x, gamma, beta, 1e-2);
}
static inline pf_val linear(garden *d, pf_val x, int64_t out)
{
    pf_val w = LEAF(d->l, out, pf_cols(d->g, x)), bias = maybe(d, PEFT_DIMS(out));
    return peft_sys_linear(d->g, x, w, bias);
}
static inline pf_val act(garden *d, pf_val x)
{
    static const char *const kind[] = { "gelu", "quickgelu", "relu", "tanh", "sigmoid", "silu" };
    return peft_sys_activate(d->g, x, kind[pick(d, 6)]);
}

static pf_val word_linear(garden *d) { return linear(d, any(d), WIDE); }
static pf_val word_norm(garden *d) { return norm(d, any(d)); }
static pf_val word_act(garden *d) { return act(d, any(d)); }
static pf_val word_scale(garden *d) { return peft_sys_scale(d->g, any(d), 0.25 * (double)(pick(d, 9) - 4) + 0.1); }
static pf_val word_dropout(garden *d) { return peft_sys_dropout(d->g, any(d), 0.25); }

static pf_val word_mlp(garden *d)
{
    pf_val x = any(d), y = linear(d, act(d, linear(d, norm(d, x), WIDE + 3)), WIDE);
    if (coin(d)) y = peft_sys_affine(d->g, y, LEAF(d->l, WIDE), PF_NONE);
    return coin(d) ? peft_sys_add(d->g, x, y) : peft_sys_add(d->g, y, x);
}

static pf_val word_affine(garden *d)
{
    pf_val x = any(d), gamma = maybe(d, PEFT_DIMS(WIDE));
    return peft_sys_affine(d->g, x, gamma, maybe(d, PEFT_DIMS(WIDE)));
}

/* Another value of as many rows, or a leaf that is repeated. */
static pf_val partner(garden *d, pf_val x)
{
    int64_t t = rows_of(d, x);
    pf_val y = any(d);
    if (coin(d) && rows_of(d, y) == t) return y;
    switch (pick(d, 4)) {
    case 0:  return LEAF(d->l, WIDE);
    case 1:  return LEAF(d->l, t, WIDE);
    case 2:  return LEAF(d->l, 1, t, WIDE);
    default: return coin(d) ? LEAF(d->l, BATCH, t, WIDE) : peft_sys_repeat_batch(d->g, LEAF(d->l, t, WIDE));
    }
}
static pf_val word_add(garden *d) { pf_val x = any(d); return peft_sys_add(d->g, x, partner(d, x)); }
static pf_val word_mul(garden *d) { pf_val x = any(d); return norm(d, peft_sys_mul(d->g, x, partner(d, x))); }

static pf_val word_insert(garden *d)
{
    pf_val x = any(d);
    int64_t t = rows_of(d, x), n = 1 + pick(d, 2);
    if (t + n > MOST_ROWS) return peft_sys_take_rows(d->g, x, pick(d, 3), 2);
    const int64_t shape[3][4] = { { n, WIDE }, { 1, n, WIDE }, { BATCH, n, WIDE } };
    return peft_sys_insert_rows(d->g, x, pick(d, t + 1), lab_leaf(d->l, shape[pick(d, 3)]));
}

static pf_val word_rows(garden *d)
{
    pf_val x = any(d);
    int64_t t = rows_of(d, x), n = 1 + pick(d, t), at = pick(d, t - n + 1);
    switch (pick(d, 3)) {
    case 0:  return peft_sys_take_rows(d->g, x, at, n);
    case 1:  return peft_sys_mean_rows(d->g, x, at, n);
    default: return n < t ? peft_sys_drop_rows(d->g, x, at, n) : x;
    }
}

/* Adjacent weights and biases, as q, k and v have them. */
static void project(garden *d, pf_val x, pf_val y, peft_site *s)
{
    pf_val w = LEAF(d->l, 3 * WIDE, WIDE), b = maybe(d, PEFT_DIMS(3 * WIDE)), *out[] = { &s->q, &s->k, &s->v };
    for (int i = 0; i < 3; i++)
        *out[i] = peft_sys_linear(d->g, i ? y : x, peft_sys_slice(d->g, w, i * WIDE, WIDE),
                              peft_sys_slice(d->g, b, i * WIDE, WIDE));
}

static void extras(garden *d, peft_site *s)
{
    int64_t n = 1 + pick(d, 2), t = rows_of(d, s->q);
    const int64_t shape[3][4] = { { n, WIDE }, { 1, n, WIDE }, { BATCH, n, WIDE } }, *own = shape[pick(d, 3)];
    if (coin(d)) {
        bool by_head = coin(d);
        s->xk = by_head ? peft_sys_merge_heads(d->g, LEAF(d->l, HEADS, n, WIDE / HEADS)) : lab_leaf(d->l, own);
        s->xv = by_head ? peft_sys_merge_heads(d->g, LEAF(d->l, HEADS, n, WIDE / HEADS)) : lab_leaf(d->l, own);
    }
    if (coin(d)) s->sink = peft_sys_logsumexp(d->g, LEAF(d->l, t, 3));
    if (coin(d)) s->sink = peft_sys_logaddexp(d->g, s->sink, LEAF(d->l, t));
    s->head_scale = maybe(d, PEFT_DIMS(HEADS));
}

static pf_val word_attention(garden *d)
{
    pf_val x = any(d), y = coin(d) ? any(d) : x;
    peft_site s = { 0 };
    project(d, x, y, &s);
    extras(d, &s);
    return peft_sys_attention(d->g, HEADS, &s);
}

static pf_val block(garden *d, pf_val x)
{
    peft_site s = { 0 };
    pf_val y = norm(d, x);
    project(d, y, y, &s);
    if (coin(d)) extras(d, &s);
    x = peft_sys_add(d->g, x, linear(d, peft_sys_attention(d->g, HEADS, &s), WIDE));
    y = linear(d, act(d, linear(d, norm(d, x), WIDE + 2)), WIDE);
    return peft_sys_add(d->g, x, coin(d) ? peft_sys_affine(d->g, y, LEAF(d->l, WIDE), PF_NONE) : y);
}
static pf_val word_block(garden *d) { return block(d, any(d)); }

/* Prompts that live for one block, or less; now and then other rows are dropped than were inserted. */
static pf_val word_prompted_block(garden *d)
{
    pf_val x = any(d);
    int64_t n = 1 + pick(d, 3), at = pick(d, rows_of(d, x) + 1);
    x = peft_sys_insert_rows(d->g, x, at, LEAF(d->l, n, WIDE));
    return peft_sys_drop_rows(d->g, pick(d, 4) ? block(d, x) : norm(d, x), pick(d, 4) ? at : pick(d, at + 1), n);
}

/* A low-rank update; the same factor again gives the share pass something to find. */
static pf_val word_low_rank(garden *d)
{
    pf_val x = any(d), a = LEAF(d->l, 2, WIDE), w = LEAF(d->l, WIDE, WIDE), b = LEAF(d->l, WIDE, 2);
    pf_val low = peft_sys_linear(d->g, peft_sys_linear(d->g, x, a, PF_NONE), b, PF_NONE);
    pf_val y = peft_sys_add(d->g, peft_sys_linear(d->g, x, w, PF_NONE), peft_sys_scale(d->g, low, 0.5));
    if (coin(d)) y = peft_sys_mul(d->g, y, peft_sys_inverse_row_norms(d->g, w, a, b, 0.5));
    return coin(d) ? y : peft_sys_add(d->g, y, linear(d, peft_sys_linear(d->g, x, a, PF_NONE), WIDE));
}

/* The rows an attention looks at most become keys and values of new queries. */
static pf_val word_select(garden *d)
{
    pf_val x = any(d);
    peft_site s = { 0 };
    project(d, x, x, &s);
    pf_val mass = peft_sys_attention_mass(d->g, HEADS, &s, coin(d));
    int64_t n = 1 + pick(d, rows_of(d, x));
    peft_site again = { .q = x, .k = peft_sys_top_rows(d->g, s.k, mass, n),
                       .v = peft_sys_top_rows(d->g, s.v, mass, n) };
    return peft_sys_add(d->g, peft_sys_attention(d->g, HEADS, &s), peft_sys_attention(d->g, HEADS, &again));
}

static pf_val word_columns(garden *d)
{
    pf_val x = linear(d, any(d), WIDE + 4);
    int64_t at = pick(d, 5);
    return peft_sys_add(d->g, act(d, pf_columns(d->g, x, at, WIDE)), pf_columns(d->g, x, pick(d, 5), WIDE));
}

static pf_val (*const words[])(garden *) = {
    word_linear, word_norm, word_act, word_scale, word_dropout, word_mlp, word_affine, word_add, word_mul, word_insert,
    word_rows, word_attention, word_block, word_prompted_block, word_low_rank, word_columns,
    word_select };

/* l is open. Here and there a value is kept, as a tap keeps it. */
static inline void random_graph(lab *l, int length)
{
    garden d = { .l = l, .g = &l->g, .r = { l->seed, 0, 2 } };
    l->size = 0.5;
    d.grown[d.n++] = LEAF(l, BATCH, 4, WIDE);
    for (int i = 0; i < length && l->leaves < LAB_LEAVES - 24; i++) {
        pf_val y = words[pick(&d, sizeof words / sizeof *words)](&d);
        LAB_OK(l, l->g.status);
        pf_value *v = pf_v(&l->g, y);
        if (!pick(&d, 12) && !pf_is(v->view_of) && v->kind == PF_TEMP) v->keep = true;
        d.grown[d.n++] = y;
    }
    pf_val x = d.grown[d.n - 1];
    if (coin(&d)) x = coin(&d) ? peft_sys_take_rows(&l->g, x, 0, 1) : peft_sys_mean_rows(&l->g, x, 0, rows_of(&d, x));
    lab_end(l, peft_sys_layernorm(&l->g, x, PF_NONE, PF_NONE, 1e-2));
}
#endif
