/* SPDX-License-Identifier: Apache-2.0
 * attention_grad.c -- gradient of softmax attention for one (sample, head), see attention_block.h. For each block of
 * query rows: probabilities P again from scores and lse, dS = P (dout V^T - D) with D = dout . out, and from these the
 * block's dq and what it adds to dk, dv and those of the extra rows. What nobody wants is not computed. */
#include <string.h>
#include "../names.h"
#include "attention_block.h"

typedef struct wishes { int dq, dk, dv, dxk, dxv, dboost, ds, p; } wishes;

static wishes wishes_of(const pk_attention_grad *g)
{
    wishes w = { .dq = g->dq.data != NULL, .dk = g->dk.data != NULL, .dv = g->dv.data != NULL,
                 .dxk = g->fwd.extra && g->dxk.data, .dxv = g->fwd.extra && g->dxv.data,
                 .dboost = g->dhead_scale != NULL };
    w.ds = w.dq || w.dk || w.dxk || w.dboost;
    w.p = w.dv || w.dxv;
    return w;
}

/* `lanes` query rows from row `row` on; width: lanes that are computed; slot: its place in the bundle. */
typedef struct block { int64_t row, slot; int lanes, width; const float *q, *dout; } block;

/* d [lanes] = dout . out, row by row. */
static void row_dots(float *d, const float *x, int64_t x_row, const float *y, int64_t y_row, int lanes, int64_t n)
{
    for (int i = 0; i < lanes; i++, x += x_row, y += y_row) {
        pv sum = pv_zero();
        int64_t c = 0;
        for (; c + PW <= n; c += PW) sum = pv_fma(pv_load(x + c), pv_load(y + c), sum);
        if (c < n) sum = pv_fma(pv_load_m(x + c, pm_tail(n - c)), pv_load_m(y + c, pm_tail(n - c)), sum);
        d[i] = pv_sum(sum);
    }
}

/* dsink = -exp(sink - lse) d; the exponential is 1 where sink and lse are the same, infinite or not. */
static void sink_grad(float *dsink, const float *sink, const float *lse, const float *d, int lanes)
{
    for (int at = 0; at < lanes; at += PW) {
        const int n = at_most(lanes - at, PW);
        pv z = load_lanes(sink + at, n), l = load_lanes(lse + at, n);
        pv mass = pv_keep(pv_less(z, l), pv_exp_neg(pv_sub(z, l)), pv_set(1.0f));
        micro_store(dsink + at, pv_fnma(mass, pv_load(d + at), pv_zero()), n);
    }
}

/* One vector of query rows: s [columns][PK_NR] becomes P, dp becomes dS (dp NULL: not wanted); dS . s is returned.
 * A probability below e^-44 is taken for 0: beside the others it is nothing, and the subnormal numbers that its
 * products come to make every FMA they take part in a hundred times slower. */
static pv probabilities(float *s, float *dp, int64_t columns, float boost, pv lse, pv d)
{
    const pv b = pv_set(boost), minus = pv_sub(pv_zero(), lse);
    pv dboost = pv_zero();
    for (int64_t k = 0; k < columns; k++, s += PK_NR) {
        pv score = pv_load(s), log_p = pv_fma(score, b, minus);
        pv p = pv_keep(pv_less(log_p, pv_set(-44.0f)), pv_zero(), pv_exp_neg(log_p));
        pv_store(s, p);
        if (!dp) continue;
        pv ds = pv_mul(p, pv_sub(pv_load(dp), d));
        pv_store(dp, ds);
        dp += PK_NR;
        dboost = pv_fma(ds, score, dboost);
    }
    return dboost;
}

/* c [m,n] (+)= p x over k query rows: p [.][PK_NR] has the query rows of a block along its lanes, the next block's is
 * `slot` further; x is a panel [k][PK_NR]. The sibling of micro_rows for an A that stands the other way; rows of p
 * beyond m are read. next: asked for meanwhile. */
PK_INLINE void turned_rows(int k, const float *p, int64_t slot, const float *x, float *c, int64_t c_row, int m, int n,
                           int accumulate, pk_stream *next, const int rows, const int vectors)
{
    pv acc[PK_MR][2];
    micro_begin(acc, accumulate ? c : NULL, c_row, m, n, rows, vectors);
    for (; k > 0; k -= PK_NR, p += slot) {
        const int lanes = k < PK_NR ? k : PK_NR;
        for (int j = 0; j < lanes; j++, x += PK_NR) {
            next_lines(next);
            micro_step(acc, p + j, PK_NR, x, rows, vectors);
        }
    }
    micro_end(c, c_row, acc, m, n, rows, vectors);
}

static void turned_tile(int k, const float *p, int64_t slot, const float *x, float *c, int64_t c_row, int m, int n,
                        int accumulate, pk_stream *next)
{
    if (m == PK_MR && n == PK_NR) turned_rows(k, p, slot, x, c, c_row, PK_MR, PK_NR, accumulate, next, PK_MR, 2);
    else PK_TILE(m, n, turned_rows, k, p, slot, x, c, c_row, m, n, accumulate, next)
}

/* The blocks whose part of the keys' and values' gradients is added at once: `rows` query rows from row `row` on. */
typedef struct bundle { int64_t row; int rows; } bundle;

/* to [count][n], rows apart by to_row: = or += p^T x, with p [count][PK_NR] a block, x as panels of PK_NR columns. */
static void add_bundle(float *to, int64_t to_row, const float *p, int64_t slot, const float *x, int64_t count,
                       int64_t n, const bundle *b)
{
    for (int64_t c = 0; c < n; c += PK_NR, x += PK_BUNDLE * PK_NR * PK_NR) {
        const int cols = at_most(n - c, PK_NR);
        for (int64_t i = 0; i < count; i += PK_MR) {
            float *own = to + i * to_row + c;
            const rectangle below = rectangle_of(own + PK_MR * to_row, sizeof(float), to_row,
                                                 least(count - i - PK_MR, PK_MR), cols);
            pk_stream next = stream_of(below, b->rows, 0);
            turned_tile(b->rows, p + i * PK_NR, slot, x, own, to_row, at_most(count - i, PK_MR), cols, b->row > 0,
                        &next);
        }
    }
}

/* Leaves out the runs of columns that no wanted gradient needs, and packs the rest, once for all blocks. */
static void prepare(head_view *h, const wishes *w)
{
    if (!(w->dq || w->dboost || w->dk || w->dv)) h->runs[0].count = 0;
    if (!(w->dq || w->dboost || w->dxk || w->dxv)) h->runs[1].count = 0;
    float *keys = h->work + h->at.keys_by_row, *values = h->work + h->at.values_by_row;
    for (int i = 0; i < 2; i++) {
        const run *r = &h->runs[i];
        keys = pack_by_row(keys, r->k, r->k_row, r->count, h->a->head_dim);
        if (w->ds) values = pack_by_row(values, r->v, r->v_row, r->count, h->a->head_dim);
    }
    if (w->dq) pack_by_column(h->work + h->at.by_column, h, 1);
    for (int64_t i = 0; i < PK_BUNDLE; i++) {           /* turned_rows reads up to PK_MR rows beyond the last */
        const int64_t end = i * h->at.slot + h->columns * PK_NR;
        memset(h->work + h->at.scores + end, 0, PK_MR * PK_NR * sizeof(float));
        if (w->ds) memset(h->work + h->at.dscores + end, 0, PK_MR * PK_NR * sizeof(float));
    }
}

/* The block's P and dS into the scratch, and its part of dhead_scale. */
static void block_scores(const head_view *h, const pk_attention_grad *g, const wishes *w, const block *b, int add)
{
    const pk_attention *a = h->a;
    float *const s = h->work + h->at.scores + b->slot * h->at.slot, *const dots = h->work + h->at.dots;
    float *const ds = h->work + h->at.dscores + b->slot * h->at.slot;
    float *const query = h->work + h->at.query, *const dout = h->work + h->at.result;
    const int64_t at = b->row / PK_NR, turns = turns_by_row(h);
    pk_ahead ahead = { .stream = { next_head(h, &a->q, a->queries, at, turns),
                                   next_head(h, &a->k, a->keys, at, turns) } };
    pack_block(query, b->q, a->q.row, b->lanes, a->head_dim, a->scale);
    rows_times_block(h, s, h->work + h->at.keys_by_row, query, b->width, &ahead);
    if (w->ds) {
        pack_block(dout, b->dout, g->dout.row, b->lanes, a->head_dim, 1.0f);
        ahead = (pk_ahead){ .stream = { next_head(h, &a->v, a->keys, at, turns),
                                        next_head(h, &g->dout, a->queries, at, turns) } };
        rows_times_block(h, ds, h->work + h->at.values_by_row, dout, b->width, &ahead);
    }
    const int64_t from = h->runs[0].count ? 0 : h->runs[1].at;
    const int64_t count = h->runs[0].count + h->runs[1].count;
    for (int at = 0; at < b->lanes; at += PW) {
        const int n = at_most(b->lanes - at, PW);
        const int64_t row = h->rows_at + b->row + at;
        float *const own = s + from * PK_NR + at, *const down = w->ds ? ds + from * PK_NR + at : NULL;
        pv d = w->ds ? load_lanes(dots + at, n) : pv_zero();
        pv dboost = probabilities(own, down, count, h->boost, load_lanes(a->lse + row, n), d);
        if (!w->dboost) continue;
        if (add) dboost = pv_add(load_lanes(g->dhead_scale + row, n), dboost);
        micro_store(g->dhead_scale + row, dboost, n);
    }
}

/* x [rows][n] times s to panels of PK_NR columns: [PK_BUNDLE*PK_NR][PK_NR] each. */
static void pack_rows(float *to, const float *x, int64_t x_row, int rows, int64_t n, float s)
{
    for (int64_t c = 0; c < n; c += PK_NR, to += PK_BUNDLE * PK_NR * PK_NR) {
        pack_panel(to, PK_NR, x + c, 1, x_row, at_most(n - c, PK_NR), rows);
        if (s == 1.0f) continue;
        for (int64_t j = 0; j < rows * PK_NR; j += PW) pv_store(to + j, pv_mul(pv_load(to + j), pv_set(s)));
    }
}

static float *output_row(const pk_output *o, const head_view *h, int64_t row)
{
    return o->data + h->sample * o->batch + row * o->row + h->head * h->a->head_dim;
}

static void block_dq(const head_view *h, const pk_attention_grad *g, const block *b, int add)
{
    const pk_attention *a = h->a;
    const pk_operand out = { a->out, a->out_batch, a->out_row };
    float *const result = h->work + h->at.result, factor[PK_NR], keep[PK_NR];
    for (int j = 0; j < PK_NR; j++) factor[j] = a->scale * h->boost, keep[j] = 1.0f;
    const rectangle own = rectangle_of(output_row(&g->dq, h, b->row), sizeof(float), g->dq.row, b->lanes, a->head_dim);
    const int64_t turns = turns_by_column(h);
    pk_ahead ahead = { .stream = { next_head(h, &out, a->queries, b->row / PK_NR, turns), stream_of(own, turns, 0) } };
    columns_times_scores(h, result, h->work + h->at.by_column, h->work + h->at.dscores + b->slot * h->at.slot, b->width,
                         &ahead);
    store_block(output_row(&g->dq, h, b->row), g->dq.row, result, factor, add ? keep : NULL, b->lanes, a->head_dim);
}

/* From the blocks' P and dS: their part of the gradients of keys, values and extra rows. */
static void bundle_grads(const head_view *h, const pk_attention_grad *g, const wishes *w, const bundle *b)
{
    const pk_attention *a = h->a;
    const float *const p = h->work + h->at.scores, *const ds = h->work + h->at.dscores;
    float *const q_row = h->work + h->at.query_row, *const dout_row = h->work + h->at.dout_row;
    if (w->dk || w->dxk)
        pack_rows(q_row, h->q + b->row * a->q.row, a->q.row, b->rows, a->head_dim, a->scale * h->boost);
    if (w->p) pack_rows(dout_row, operand_row(&g->dout, h, b->row), g->dout.row, b->rows, a->head_dim, 1.0f);
    const struct { int wanted; const pk_output *to; const float *p, *x; const run *r; } part[] = {
        { w->dk, &g->dk, ds, q_row, &h->runs[0] },  { w->dv, &g->dv, p, dout_row, &h->runs[0] },
        { w->dxk, &g->dxk, ds, q_row, &h->runs[1] }, { w->dxv, &g->dxv, p, dout_row, &h->runs[1] } };
    for (int i = 0; i < 4; i++) {
        const run *r = part[i].r;
        if (part[i].wanted && r->count)
            add_bundle(output_row(part[i].to, h, r->row), part[i].to->row, part[i].p + r->at * PK_NR, h->at.slot,
                       part[i].x, r->count, a->head_dim, b);
    }
}

/* One block: D and the sink's gradient, then P and dS into its slot, and dq. */
static void one_block(const head_view *h, const pk_attention_grad *g, const wishes *w, const block *b, int first,
                      int products)
{
    const pk_attention *a = h->a;
    const float *const out = h->out + b->row * a->out_row;
    float *const dots = h->work + h->at.dots;
    const int64_t at = h->rows_at + b->row;
    const int dsink = g->dsink && first;
    if (w->ds || dsink) row_dots(dots, b->dout, g->dout.row, out, a->out_row, b->lanes, a->head_dim);
    if (dsink) sink_grad(g->dsink + at, a->sink + b->row, a->lse + at, dots, b->lanes);
    if (!products) return;
    block_scores(h, g, w, b, !first);
    if (w->dq) block_dq(h, g, b, !first);
}

void PK_NAME(attention_grad)(const pk_attention_grad *g, int64_t sample, int64_t head, void *work)
{
    const pk_attention *a = &g->fwd;
    const wishes w = wishes_of(g);
    head_view h = view_head(a, sample, head, 1, work);
    for (int64_t first = 0, end = 0; end < a->keys + a->extra; first = end) {
        end = view_chunk(&h, first);
        if (w.ds || w.p) prepare(&h, &w);
        const int products = (w.ds || w.p) && h.runs[0].count + h.runs[1].count > 0;
        for (int64_t i = 0; i < a->queries && (products || (g->dsink && first == 0)); i += PK_BUNDLE * PK_NR) {
            const bundle all = { i, at_most(a->queries - i, PK_BUNDLE * PK_NR) };
            for (int at = 0; at < all.rows; at += PK_NR) {
                const int lanes = at_most(all.rows - at, PK_NR);
                const block b = { i + at, at / PK_NR, lanes, lanes > PW ? PK_NR : PW, h.q + (i + at) * a->q.row,
                                  operand_row(&g->dout, &h, i + at) };
                one_block(&h, g, &w, &b, first == 0, products);
            }
            if (products) bundle_grads(&h, g, &w, &all);
        }
    }
}
