/* SPDX-License-Identifier: Apache-2.0
 * forward.h -- softmax attention of one head of one sample, by an online softmax; see block.h. For
 * each block of query rows it computes the scores, replaces them by exponentials and multiplies with the values. Each
 * row keeps its softmax statistics, the largest logit so far and the sum of exp(logit - largest). When a later chunk of
 * columns has a larger logit, the earlier sum and result are scaled down. */
#ifndef PK_ATTENTION_FORWARD_H
#define PK_ATTENTION_FORWARD_H
#include <math.h>
#include "block.h"

/* Lane by lane the largest of head_scale*s [columns][PK_NR] and of start. Four chains hide the latency of a maximum. */
static inline pv largest(const float *s, int64_t columns, pv head_scale, pv start)
{
    pv max[4] = { start, start, start, start };
    int64_t k = 0;
    for (; k + 4 <= columns; k += 4)
        for (int j = 0; j < 4; j++) max[j] = pv_max(pv_mul(pv_load(s + (k + j) * PK_NR), head_scale), max[j]);
    for (; k < columns; k++) max[0] = pv_max(pv_mul(pv_load(s + k * PK_NR), head_scale), max[0]);
    return pv_max(pv_max(max[0], max[1]), pv_max(max[2], max[3]));
}

/* For one vector of query rows: s [columns][PK_NR] becomes exp(head_scale*s - max), and the statistics max and sum are
 * updated. *decay receives exp(old max - new max), by which earlier exponentials are multiplied: 1 where the maximum
 * did not change, also where it is infinite. */
static void exponentials(float *s, int64_t columns, float head_scale, float *max, float *sum, float *decay)
{
    const pv scale = pv_set(head_scale), old = pv_load(max), now = largest(s, columns, scale, old);
    const pv minus_now = pv_sub(pv_zero(), now);
    const pv d = pv_select(pv_less(old, now), pv_exp_neg(pv_sub(old, now)), pv_set(1.0f));
    pv total = pv_mul(pv_load(sum), d);
    for (int64_t k = 0; k < columns; k++) {
        pv e = pv_exp_neg(pv_fma(pv_load(s + k * PK_NR), scale, minus_now));
        pv_store(s + k * PK_NR, e);
        total = pv_add(total, e);
    }
    pv_store(max, now);
    pv_store(sum, total);
    pv_store(decay, d);
}

/* Statistics before the first column: those of the sink, a logit without a value row, or of no logit. */
static void start_rows(const pk_attention *a, float *max, float *sum)
{
    for (int64_t i = 0; i < a->queries; i++) {
        max[i] = a->sink ? a->sink[i] : -INFINITY;
        sum[i] = a->sink ? 1.0f : 0.0f;
    }
    for (int64_t i = a->queries; i % PK_NR; i++) max[i] = sum[i] = 0.0f;
}

/* Adds the chunk's part to out for query rows i .. i + lanes - 1. first, last: the chunk is the first, or the last, of
 * the head. */
static void block_out(const head_view *h, int64_t i, int lanes, int first, int last)
{
    const pk_attention *a = h->a;
    const int width = lanes > PW ? PK_NR : PW;
    float *const rows = (float *)a->out + h->sample * a->out_sample_stride + i * a->out_row_stride
        + h->head * a->head_dim;
    float *const scores = h->work + h->at.scores, *const query = h->work + h->at.query;
    float *const max = h->work + h->at.max + i, *const sum = h->work + h->at.sum + i;
    float *const result = h->work + h->at.result;
    float factor[PK_NR], decay[PK_NR];
    /* Each block of queries of the last chunk prefetches a part of the next head. There is no part number a->queries:
     * for other chunks it prefetches nothing. */
    const int64_t block = last ? i / PK_NR : a->queries, row_turns = turns_by_row(h);
    pk_micro_prefetch prefetch = { .cursor = { prefetch_next_head(h, &a->q, a->queries, block, row_turns),
                                               prefetch_next_head(h, &a->k, a->keys, block, row_turns) } };

    int64_t q_stride;
    const float *const q = operand_rows(&a->q, h, i, lanes, NULL, &q_stride);
    pack_block(query, q, q_stride, lanes, a->head_dim, a->scale);
    rows_times_block(h, scores, h->work + h->at.keys_by_row, query, width, &prefetch);
    for (int v = 0; v < width; v += PW)
        exponentials(scores + v, h->columns, h->head_scale, max + v, sum + v, decay + v);
    convert_panel(scores, PK_NR, h->columns);
    const int64_t column_turns = turns_by_column(h), stride = a->out_row_stride;
    const prefetch_area out = prefetch_area_of(rows, sizeof(float), stride, lanes, a->head_dim);
    prefetch = (pk_micro_prefetch){ .cursor = { prefetch_next_head(h, &a->v, a->keys, block, column_turns),
                                                prefetch_all(out, column_turns) } };
    columns_times_scores(h, result, h->work + h->at.by_column, scores, width, &prefetch);
    for (int v = 0; v < width; v += PW) {
        pv f = last ? pv_div(pv_set(1.0f), pv_load(sum + v)) : pv_set(1.0f);
        pv_store(factor + v, f);
        pv_store(decay + v, pv_mul(pv_load(decay + v), f));
    }
    store_block(rows, stride, result, factor, first ? NULL : decay, lanes, a->head_dim);
    if (!last || !a->lse) return;
    for (int j = 0; j < lanes; j++) a->lse[h->first_row + i + j] = max[j] + logf(sum[j]);
}

static inline void attention_forward(const pk_attention *a, int64_t sample, int64_t head, void *work)
{
    head_view h = view_head(a, sample, head, PK_FORWARD, work);
    start_rows(a, h.work + h.at.max, h.work + h.at.sum);
    for (int64_t first = 0, end = 0; end < a->keys + a->extra; first = end) {
        end = view_chunk(&h, first);
        float *panels = h.work + h.at.keys_by_row;
        for (int j = 0; j < SEGMENTS; j++)
            panels = pack_by_row(panels, h.segments[j].k, h.segments[j].k_stride, h.segments[j].count, a->head_dim);
        pack_by_column(h.work + h.at.by_column, &h, PACK_VALUES);
        for (int64_t i = 0; i < a->queries; i += PK_NR)
            block_out(&h, i, at_most(a->queries - i, PK_NR), first == 0, end == a->keys + a->extra);
    }
}
#endif
