/* SPDX-License-Identifier: Apache-2.0
 * backward.h -- the gradient of softmax attention for one head of one sample; see block.h. For each
 * block of query rows it computes the probabilities P again from scores and lse, then dS = P * (dout V^T - D), where
 * element i of D is (row i of dout) . (row i of out). From dS come the block's dq and, summed over the blocks, dk and
 * dxk; from P come dv and dxv. Gradients that the caller does not want, and what only they need, are not computed. */
#ifndef PK_ATTENTION_BACKWARD_H
#define PK_ATTENTION_BACKWARD_H
#include <string.h>
#include "block.h"

/* Which gradients the caller wants, and whether dS (ds) and P (p) are needed for them. */
typedef struct wanted { int dq, dk, dv, dxk, dxv, dhead_scale, ds, p; } wanted;

static wanted wanted_of(const pk_attention_grad *g)
{
    wanted w = { .dq = g->dq.data != NULL, .dk = g->dk.data != NULL, .dv = g->dv.data != NULL,
                 .dxk = g->fwd.extra && g->dxk.data, .dxv = g->fwd.extra && g->dxv.data,
                 .dhead_scale = g->dhead_scale != NULL };
    w.ds = w.dq || w.dk || w.dxk || w.dhead_scale;
    w.p = w.dv || w.dxv;
    return w;
}

/* Up to PK_BUNDLE consecutive blocks, whose part of dk and dv is added at once: query rows row .. row + rows - 1, of q,
 * out and dout as floats. */
typedef struct bundle {
    int64_t row; int rows;
    const float *q, *out, *dout; int64_t q_stride, out_stride;
} bundle;

/* A block of the bundle `of`: query rows row .. row + lanes - 1. width: the lanes that are computed, PW or PK_NR.
 * index: of the block in the bundle. q, out, dout: its first row. */
typedef struct block {
    const bundle *of; int64_t row, index; int lanes, width;
    const float *q, *out, *dout;
} block;

/* d[i] = (row i of x) . (row i of y), for rows of n elements. */
static void row_dots(float *d, const float *x, int64_t x_stride, const float *y, int64_t y_stride, int lanes,
                     int64_t n)
{
    for (int i = 0; i < lanes; i++, x += x_stride, y += y_stride) {
        pv sum = pv_zero();
        int64_t c = 0;
        for (; c + PW <= n; c += PW) sum = pv_fma(pv_load(x + c), pv_load(y + c), sum);
        if (c < n) sum = pv_fma(pv_load_m(x + c, pm_first(n - c)), pv_load_m(y + c, pm_first(n - c)), sum);
        d[i] = pv_sum(sum);
    }
}

/* dsink = -exp(sink - lse) d. The exponential is the sink's probability, 1 where sink and lse are the same infinity. */
static void sink_grad(float *dsink, const float *sink, const float *lse, const float *d, int lanes)
{
    for (int first = 0; first < lanes; first += PW) {
        const int n = at_most(lanes - first, PW);
        pv z = load_lanes(sink + first, n), l = load_lanes(lse + first, n);
        pv p = pv_select(pv_less(z, l), pv_exp_neg(pv_sub(z, l)), pv_set(1.0f));
        store_lanes(dsink + first, pv_fnma(p, pv_load(d + first), pv_zero()), n);
    }
}

/* For one vector of query rows: s [columns][PK_NR] becomes P, and dp, which holds dout V^T, becomes dS (NULL: not
 * wanted). Returns the sum over columns of dS * s, the gradient of head_scale. P below e^-44 becomes 0: it does
 * not change a sum with the row's other probabilities, and its products could be subnormal numbers, which make an FMA a
 * hundred times slower. */
static pv probabilities(float *s, float *dp, int64_t columns, float head_scale, pv lse, pv d)
{
    const pv scale = pv_set(head_scale), minus_lse = pv_sub(pv_zero(), lse);
    pv dscale = pv_zero();
    for (int64_t k = 0; k < columns; k++, s += PK_NR) {
        pv score = pv_load(s), log_p = pv_fma(score, scale, minus_lse);
        pv p = pv_select(pv_less(log_p, pv_set(-44.0f)), pv_zero(), pv_exp_neg(log_p));
        pv_store(s, p);
        if (!dp) continue;
        pv ds = pv_mul(p, pv_sub(pv_load(dp), d));
        pv_store(dp, ds);
        dp += PK_NR;
        dscale = pv_fma(ds, score, dscale);
    }
    return dscale;
}

/* The micro-kernel for an A in the form of scores: c [m,n] = p x, or c += p x (accumulate), summed over k query rows. p
 * [.][PK_NR] is the first block's part of A, after convert_rows: row i is a column of the scores, its lanes are query
 * rows; each further block's part is block_stride elements behind. x is a panel [k][PK_NR]. Up to PK_MR - 1 rows of p
 * beyond m are read. next: what to prefetch meanwhile. rows, vectors: the constants of micro_rows (gemm_micro.h). */
PK_INLINE void scores_rows(int k, const float *p, int64_t block_stride, const float *x, float *c, int64_t c_row, int m,
                           int n, int accumulate, pk_prefetch *next, const int rows, const int vectors)
{
    pv acc[PK_MR][2];
    micro_begin(acc, accumulate ? c : NULL, c_row, m, n, rows, vectors);
    for (; k > 0; k -= PK_NR, p += block_stride) {
        const int lanes = k < PK_NR ? k : PK_NR;
        for (int j = 0; j < steps_of(lanes); j++, x += PK_NR) {
            prefetch_turn(next);
            micro_step(acc, p + j, PK_NR, x, rows, vectors);
        }
    }
    micro_end(c, c_row, acc, m, n, rows, vectors);
}

/* scores_rows for a tile of m x n, by the variant compiled for that size. */
static void scores_tile(int k, const float *p, int64_t block_stride, const float *x, float *c, int64_t c_row, int m,
                        int n, int accumulate, pk_prefetch *next)
{
    if (m == PK_MR && n == PK_NR)
        scores_rows(k, p, block_stride, x, c, c_row, PK_MR, PK_NR, accumulate, next, PK_MR, 2);
    else PK_TILE(m, n, scores_rows, k, p, block_stride, x, c, c_row, m, n, accumulate, next)
}

/* to [count][n], rows to_stride apart, receives p x, summed over the bundle's query rows: as value from the first
 * bundle, as addend from the others. p: `count` rows of P or dS of the bundle's first block; x: the bundle's rows of
 * dout or q in panels of PK_NR columns. */
static void add_bundle(float *to, int64_t to_stride, const float *p, int64_t block_stride, const float *x,
                       int64_t count, int64_t n, const bundle *b)
{
    for (int64_t c = 0; c < n; c += PK_NR, x += PK_BUNDLE * PK_NR * PK_NR) {
        const int cols = at_most(n - c, PK_NR);
        for (int64_t i = 0; i < count; i += PK_MR) {
            float *tile = to + i * to_stride + c;
            const prefetch_area below = prefetch_area_of(tile + PK_MR * to_stride, sizeof(float), to_stride,
                                                         min_extent(count - i - PK_MR, PK_MR), cols);
            pk_prefetch next = prefetch_all(below, steps_of(b->rows));
            scores_tile(b->rows, p + i * PK_NR, block_stride, x, tile, to_stride, at_most(count - i, PK_MR), cols,
                        b->row > 0, &next);
        }
    }
}

/* Empties the segments of the chunk that no wanted gradient needs, and packs the others, once for all blocks. */
static void pack_chunk(head_view *h, const wanted *w)
{
    if (!(w->dq || w->dhead_scale || w->dk || w->dv)) h->segments[KEYS].count = 0;
    if (!(w->dq || w->dhead_scale || w->dxk || w->dxv)) h->segments[EXTRA_KEYS].count = 0;
    float *keys = h->work + h->at.keys_by_row, *values = h->work + h->at.values_by_row;
    for (int i = 0; i < SEGMENTS; i++) {
        const segment *r = &h->segments[i];
        keys = pack_by_row(keys, r->k, r->k_stride, r->count, h->a->head_dim);
        if (w->ds) values = pack_by_row(values, r->v, r->v_stride, r->count, h->a->head_dim);
    }
    if (w->dq) pack_by_column(h->work + h->at.by_column, h, PACK_KEYS);
    for (int64_t i = 0; i < PK_BUNDLE; i++) {           /* scores_rows reads up to PK_MR rows beyond the end */
        const int64_t end = i * h->at.block_stride + h->columns * PK_NR;
        memset(h->work + h->at.scores + end, 0, PK_MR * PK_NR * sizeof(float));
        if (w->ds) memset(h->work + h->at.dscores + end, 0, PK_MR * PK_NR * sizeof(float));
    }
}

/* Computes the block's P and dS in the scratch, as floats, and writes the chunk's part of its dhead_scale, or adds it
 * to that of earlier chunks (add). */
static void block_scores(const head_view *h, const pk_attention_grad *g, const wanted *w, const block *b, int add)
{
    const pk_attention *a = h->a;
    float *const s = h->work + h->at.scores + b->index * h->at.block_stride, *const dots = h->work + h->at.dots;
    float *const ds = h->work + h->at.dscores + b->index * h->at.block_stride;
    float *const query = h->work + h->at.query, *const dout = h->work + h->at.result;
    const int64_t number = b->row / PK_NR, turns = turns_by_row(h);
    pk_micro_prefetch prefetch = { .cursor = { prefetch_next_head(h, &a->q, a->queries, number, turns),
                                               prefetch_next_head(h, &a->k, a->keys, number, turns) } };
    pack_block(query, b->q, b->of->q_stride, b->lanes, a->head_dim, a->scale);
    rows_times_block(h, s, h->work + h->at.keys_by_row, query, b->width, &prefetch);
    if (w->ds) {
        pack_block(dout, b->dout, g->dout.row_stride, b->lanes, a->head_dim, 1.0f);
        prefetch = (pk_micro_prefetch){ .cursor = { prefetch_next_head(h, &a->v, a->keys, number, turns),
                                                    prefetch_next_head(h, &g->dout, a->queries, number, turns) } };
        rows_times_block(h, ds, h->work + h->at.values_by_row, dout, b->width, &prefetch);
    }
    /* the columns of the segments that pack_chunk did not empty */
    const int64_t first_column = h->segments[KEYS].count ? 0 : h->segments[EXTRA_KEYS].column;
    const int64_t count = h->segments[KEYS].count + h->segments[EXTRA_KEYS].count;
    for (int v = 0; v < b->lanes; v += PW) {
        const int n = at_most(b->lanes - v, PW);
        const int64_t row = h->first_row + b->row + v;
        float *const lane_s = s + first_column * PK_NR + v;
        float *const lane_ds = w->ds ? ds + first_column * PK_NR + v : NULL;
        pv d = w->ds ? load_lanes(dots + v, n) : pv_zero();
        pv dscale = probabilities(lane_s, lane_ds, count, h->head_scale, load_lanes(a->lse + row, n), d);
        if (!w->dhead_scale) continue;
        if (add) dscale = pv_add(load_lanes(g->dhead_scale + row, n), dscale);
        store_lanes(g->dhead_scale + row, dscale, n);
    }
}

/* Packs s * x [rows][n], rows x_stride apart, into panels of PK_NR columns: [PK_BUNDLE*PK_NR][PK_NR] each. */
static void pack_rows(float *to, const float *x, int64_t x_stride, int rows, int64_t n, float s)
{
    for (int64_t c = 0; c < n; c += PK_NR, to += PK_BUNDLE * PK_NR * PK_NR) {
        pack_panel(to, PK_NR, x + c, 1, x_stride, at_most(n - c, PK_NR), rows);
        for (int64_t j = 0; s != 1.0f && j < rows * PK_NR; j += PW)
            pv_store(to + j, pv_mul(pv_load(to + j), pv_set(s)));
        convert_panel(to, PK_NR, rows);
    }
}

/* Row `row` of an output for the head. */
static float *output_row(const pk_output *o, const head_view *h, int64_t row)
{
    return o->data + h->sample * o->sample_stride + row * o->row_stride + h->head * h->a->head_dim;
}

/* Writes the chunk's part of the block's dq, scale * head_scale * dS K, or adds it to that of earlier chunks (add). */
static void block_dq(const head_view *h, const pk_attention_grad *g, const block *b, int add)
{
    const pk_attention *a = h->a;
    const pk_operand out = pk_attention_out(a);
    float *const result = h->work + h->at.result, factor[PK_NR], old_factor[PK_NR];
    float *const dq = output_row(&g->dq, h, b->row);
    for (int j = 0; j < PK_NR; j++) factor[j] = a->scale * h->head_scale, old_factor[j] = 1.0f;
    const prefetch_area rows = prefetch_area_of(dq, sizeof(float), g->dq.row_stride, b->lanes, a->head_dim);
    const int64_t turns = turns_by_column(h);
    pk_micro_prefetch prefetch = { .cursor = { prefetch_next_head(h, &out, a->queries, b->row / PK_NR, turns),
                                               prefetch_all(rows, turns) } };
    const float *const ds = panel_of_rows(h->work + h->at.dscores_panel,
                                          h->work + h->at.dscores + b->index * h->at.block_stride, h->columns);
    columns_times_scores(h, result, h->work + h->at.by_column, ds, b->width, &prefetch);
    store_block(dq, g->dq.row_stride, result, factor, add ? old_factor : NULL, b->lanes, a->head_dim);
}

/* Converts the block's P and dS, of the columns that block_scores computed, for bundle_grads. */
static void convert_scores(const head_view *h, const wanted *w, const block *b)
{
    const int64_t first = h->segments[KEYS].count ? 0 : h->segments[EXTRA_KEYS].column;
    const int64_t count = h->segments[KEYS].count + h->segments[EXTRA_KEYS].count;
    const int64_t offset = b->index * h->at.block_stride + first * PK_NR;
    convert_rows(h->work + h->at.scores + offset, count);
    if (w->ds) convert_rows(h->work + h->at.dscores + offset, count);
}

/* Adds the bundle's part of dk = dS^T q, dv = P^T dout, and of dxk, dxv in the same way. */
static void bundle_grads(const head_view *h, const pk_attention_grad *g, const wanted *w, const bundle *b)
{
    const pk_attention *a = h->a;
    const float *const p = h->work + h->at.scores, *const ds = h->work + h->at.dscores;
    float *const q_row = h->work + h->at.query_row, *const dout_row = h->work + h->at.dout_row;
    if (w->dk || w->dxk)
        pack_rows(q_row, b->q, b->q_stride, b->rows, a->head_dim, a->scale * h->head_scale);
    if (w->p) pack_rows(dout_row, b->dout, g->dout.row_stride, b->rows, a->head_dim, 1.0f);
    const struct { int wanted; const pk_output *to; const float *p, *x; const segment *r; } part[] = {
        { w->dk, &g->dk, ds, q_row, &h->segments[KEYS] },
        { w->dv, &g->dv, p, dout_row, &h->segments[KEYS] },
        { w->dxk, &g->dxk, ds, q_row, &h->segments[EXTRA_KEYS] },
        { w->dxv, &g->dxv, p, dout_row, &h->segments[EXTRA_KEYS] } };
    for (int i = 0; i < 4; i++) {
        const segment *r = part[i].r;
        if (part[i].wanted && r->count)
            add_bundle(output_row(part[i].to, h, r->row), part[i].to->row_stride, part[i].p + r->column * PK_NR,
                       h->at.block_stride, part[i].x, r->count, a->head_dim, b);
    }
}

/* One block: D and dsink, then P, dS and dq. first: the chunk is the first one, in which dsink is computed. products: a
 * gradient other than dsink is wanted. */
static void one_block(const head_view *h, const pk_attention_grad *g, const wanted *w, const block *b, int first,
                      int products)
{
    const pk_attention *a = h->a;
    float *const dots = h->work + h->at.dots;
    const int64_t row = h->first_row + b->row;
    const int dsink = g->dsink && first;
    if (w->ds || dsink)
        row_dots(dots, b->dout, g->dout.row_stride, b->out, b->of->out_stride, b->lanes, a->head_dim);
    if (dsink) sink_grad(g->dsink + row, a->sink + b->row, a->lse + row, dots, b->lanes);
    if (!products) return;
    block_scores(h, g, w, b, !first);
    if (w->dq) block_dq(h, g, b, !first);
    convert_scores(h, w, b);
}

/* The bundle that begins at query row `row`. */
static inline bundle view_bundle(const head_view *h, const pk_attention_grad *g, int64_t row)
{
    const pk_attention *a = h->a;
    const pk_operand out = pk_attention_out(a);
    bundle b = { .row = row, .rows = at_most(a->queries - row, PK_BUNDLE * PK_NR) };
    int64_t unused;
    b.q = operand_rows(&a->q, h, row, b.rows, h->work + h->at.wide_query, &b.q_stride);
    b.out = operand_rows(&out, h, row, b.rows, h->work + h->at.wide_out, &b.out_stride);
    b.dout = operand_rows(&g->dout, h, row, b.rows, NULL, &unused);
    return b;
}

static inline void attention_backward(const pk_attention_grad *g, int64_t sample, int64_t head, void *work)
{
    const pk_attention *a = &g->fwd;
    const wanted w = wanted_of(g);
    head_view h = view_head(a, sample, head, PK_GRADIENT, work);
    for (int64_t first = 0, end = 0; end < a->keys + a->extra; first = end) {
        end = view_chunk(&h, first);
        if (w.ds || w.p) pack_chunk(&h, &w);
        const int products = (w.ds || w.p) && h.segments[KEYS].count + h.segments[EXTRA_KEYS].count > 0;
        for (int64_t i = 0; i < a->queries && (products || (g->dsink && first == 0)); i += PK_BUNDLE * PK_NR) {
            const bundle all = view_bundle(&h, g, i);
            for (int r = 0; r < all.rows; r += PK_NR) {
                const int lanes = at_most(all.rows - r, PK_NR);
                const block b = { &all, i + r, r / PK_NR, lanes, lanes > PW ? PK_NR : PW, all.q + r * all.q_stride,
                                  all.out + r * all.out_stride, all.dout + r * g->dout.row_stride };
                one_block(&h, g, &w, &b, first == 0, products);
            }
            if (products) bundle_grads(&h, g, &w, &all);
        }
    }
}
#endif
