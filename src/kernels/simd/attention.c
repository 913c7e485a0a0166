/* SPDX-License-Identifier: Apache-2.0
 * attention.c -- softmax attention of one (sample, head), see attention_block.h. For each block of query rows: scores,
 * exponentials in place, product with the values. Each row keeps its largest logit so far and its sum; when a later
 * chunk of columns has a larger one, what was there before is scaled down. */
#include <math.h>
#include "../names.h"
#include "attention_block.h"

/* Largest of boost*s [columns][PK_NR], and of z. Four chains; a maximum does not depend on the order. */
static inline pv largest(const float *s, int64_t columns, pv boost, pv z)
{
    pv top[4] = { z, z, z, z };
    int64_t k = 0;
    for (; k + 4 <= columns; k += 4)
        for (int j = 0; j < 4; j++) top[j] = pv_max(pv_mul(pv_load(s + (k + j) * PK_NR), boost), top[j]);
    for (; k < columns; k++) top[0] = pv_max(pv_mul(pv_load(s + k * PK_NR), boost), top[0]);
    return pv_max(pv_max(top[0], top[1]), pv_max(top[2], top[3]));
}

/* One vector of query rows: s [columns][PK_NR] becomes exp(boost*s - largest); top, sum go on; *keep is what earlier
 * exponentials are worth now: 1 where the largest did not change (also where it is infinite). */
static void exponentials(float *s, int64_t columns, float boost, float *top, float *sum, float *keep)
{
    const pv b = pv_set(boost), old = pv_load(top), now = largest(s, columns, b, old), minus = pv_sub(pv_zero(), now);
    const pv worth = pv_keep(pv_less(old, now), pv_exp_neg(pv_sub(old, now)), pv_set(1.0f));
    pv total = pv_mul(pv_load(sum), worth);
    for (int64_t k = 0; k < columns; k++) {
        pv e = pv_exp_neg(pv_fma(pv_load(s + k * PK_NR), b, minus));
        pv_store(s + k * PK_NR, e);
        total = pv_add(total, e);
    }
    pv_store(top, now);
    pv_store(sum, total);
    pv_store(keep, worth);
}

/* The sink is a logit that came before all columns. */
static void start_rows(const pk_attention *a, float *top, float *sum)
{
    for (int64_t i = 0; i < a->queries; i++) {
        top[i] = a->sink ? a->sink[i] : -INFINITY;
        sum[i] = a->sink ? 1.0f : 0.0f;
    }
    for (int64_t i = a->queries; i % PK_NR; i++) top[i] = sum[i] = 0.0f;
}

/* Query rows i .. i + lanes - 1 and the chunk. first, last: of the chunks. */
static void block_out(const head_view *h, int64_t i, int lanes, int first, int last)
{
    const pk_attention *a = h->a;
    const int width = lanes > PW ? PK_NR : PW;
    float *const scores = h->work + h->at.scores, *const query = h->work + h->at.query;
    float *const top = h->work + h->at.top + i, *const sum = h->work + h->at.sum + i;
    float *const result = h->work + h->at.result;
    float factor[PK_NR], keep[PK_NR];
    const int64_t block = last ? i / PK_NR : a->queries, by_row = turns_by_row(h);  /* beside the last chunk only */
    pk_ahead ahead = { .stream = { next_head(h, &a->q, a->queries, block, by_row),
                                   next_head(h, &a->k, a->keys, block, by_row) } };

    pack_block(query, h->q + i * a->q.row, a->q.row, lanes, a->head_dim, a->scale);
    rows_times_block(h, scores, h->work + h->at.keys_by_row, query, width, &ahead);
    for (int at = 0; at < width; at += PW)
        exponentials(scores + at, h->columns, h->boost, top + at, sum + at, keep + at);
    const int64_t by_column = turns_by_column(h);
    const rectangle own = rectangle_of(h->out + i * a->out_row, sizeof(float), a->out_row, lanes, a->head_dim);
    ahead = (pk_ahead){ .stream = { next_head(h, &a->v, a->keys, block, by_column), stream_of(own, by_column, 0) } };
    columns_times_scores(h, result, h->work + h->at.by_column, scores, width, &ahead);
    for (int at = 0; at < width; at += PW) {
        pv f = last ? pv_div(pv_set(1.0f), pv_load(sum + at)) : pv_set(1.0f);
        pv_store(factor + at, f);
        pv_store(keep + at, pv_mul(pv_load(keep + at), f));
    }
    store_block(h->out + i * a->out_row, a->out_row, result, factor, first ? NULL : keep, lanes, a->head_dim);
    if (!last || !a->lse) return;
    for (int j = 0; j < lanes; j++) a->lse[h->rows_at + i + j] = top[j] + logf(sum[j]);
}

void PK_NAME(attention)(const pk_attention *a, int64_t sample, int64_t head, void *work)
{
    head_view h = view_head(a, sample, head, 0, work);
    start_rows(a, h.work + h.at.top, h.work + h.at.sum);
    for (int64_t first = 0, end = 0; end < a->keys + a->extra; first = end) {
        end = view_chunk(&h, first);
        float *to = h.work + h.at.keys_by_row;
        for (int j = 0; j < 2; j++) to = pack_by_row(to, h.runs[j].k, h.runs[j].k_row, h.runs[j].count, a->head_dim);
        pack_by_column(h.work + h.at.by_column, &h, 0);
        for (int64_t i = 0; i < a->queries; i += PK_NR)
            block_out(&h, i, at_most(a->queries - i, PK_NR), first == 0, end == a->keys + a->extra);
    }
}
