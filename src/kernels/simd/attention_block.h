/* SPDX-License-Identifier: Apache-2.0
 * attention_block.h -- what attention and its gradient share. One (sample, head) is worked on in chunks of columns (see
 * ../attention.h) and for each chunk in blocks of PK_NR query rows, a row in each lane. All about a block is held
 * transposed: scores [chunk][PK_NR], rows [head_dim][PK_NR]. So softmax has no sum across lanes, its result is a panel
 * of the next product as it stands, and nothing a row's numbers go through depends on the other rows. */
#ifndef PK_ATTENTION_BLOCK_H
#define PK_ATTENTION_BLOCK_H
#include "../attention.h"
#include "../stream.h"
#include "pack.h"
#include "vmath.h"

/* The part of the keys, or of the extra keys, that is in the chunk: `count` rows from `row` on, columns of the chunk
 * from `at` on; k and v point to the first. */
typedef struct run { int64_t at, row, count; const float *k, *v; int64_t k_row, v_row; } run;

typedef struct head_view {
    const pk_attention *a;
    pk_attention_layout at;
    float *work;
    int64_t sample, head;
    const float *q;
    float *out;
    float boost;                                            /* head_scale, or 1 */
    int64_t rows_at;                                        /* element of query row 0 in lse, dsink, dhead_scale */
    int64_t columns;                                        /* of the chunk */
    run runs[2];
} head_view;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int at_most(int64_t n, int most) { return n < most ? (int)n : most; }

static inline const float *operand_row(const pk_operand *o, const head_view *h, int64_t row)
{
    return o->data + h->sample * o->batch + row * o->row + h->head * h->a->head_dim;
}

static inline head_view view_head(const pk_attention *a, int64_t sample, int64_t head, int gradient, void *work)
{
    head_view h = { .a = a, .at = pk_attention_lay_out(a, gradient, PK_MR, PK_NR), .work = work, .sample = sample,
                    .head = head, .out = a->out + sample * a->out_batch + head * a->head_dim,
                    .boost = a->head_scale ? a->head_scale[head] : 1.0f,
                    .rows_at = (sample * a->heads + head) * a->queries };
    h.q = operand_row(&a->q, &h, 0);
    return h;
}

/* Makes the columns from `first` on the chunk; the next one starts at the number returned. */
static inline int64_t view_chunk(head_view *h, int64_t first)
{
    const pk_attention *a = h->a;
    const int64_t end = least(first + h->at.chunk, a->keys + a->extra);
    run *own = &h->runs[0], *extra = &h->runs[1];
    *own = *extra = (run){ 0, 0, 0, NULL, NULL, 0, 0 };
    h->columns = end - first;
    if (first < a->keys)
        *own = (run){ 0, first, least(end, a->keys) - first, operand_row(&a->k, h, first),
                      operand_row(&a->v, h, first), a->k.row, a->v.row };
    if (end > a->keys) {
        const int64_t row = first > a->keys ? first - a->keys : 0;
        *extra = (run){ a->keys + row - first, row, end - a->keys - row, operand_row(&a->xk, h, row),
                        operand_row(&a->xv, h, row), a->xk.row, a->xv.row };
    }
    return end;
}

/* x [count][n] to panels of PK_MR rows: [n][PK_MR] each. Returns the end. */
static inline float *pack_by_row(float *to, const float *x, int64_t x_row, int64_t count, int64_t n)
{
    for (int64_t i = 0; i < count; i += PK_MR, to += n * PK_MR)
        pack_panel(to, PK_MR, x + i * x_row, x_row, 1, at_most(count - i, PK_MR), n);
    return to;
}

/* The chunk's values (or keys) to panels of PK_MR columns: [columns][PK_MR] each. */
static inline void pack_by_column(float *to, const head_view *h, int keys)
{
    for (int64_t c = 0; c < h->a->head_dim; c += PK_MR) {
        for (int i = 0; i < 2; i++) {
            const run *r = &h->runs[i];
            if (r->count) pack_panel(to, PK_MR, (keys ? r->k : r->v) + c, 1, keys ? r->k_row : r->v_row,
                                     at_most(h->a->head_dim - c, PK_MR), r->count);
            to += r->count * PK_MR;
        }
    }
}

/* to [n][PK_NR]: rows x [lanes][n] transposed and times s; lanes beyond are zero. */
static inline void pack_block(float *to, const float *x, int64_t x_row, int lanes, int64_t n, float s)
{
    pack_panel(to, PK_NR, x, x_row, 1, lanes, n);
    if (s == 1.0f) return;
    for (int64_t j = 0; j < n * PK_NR; j += PW) pv_store(to + j, pv_mul(pv_load(to + j), pv_set(s)));
}

/* Row j of to [lanes][n] = factor[j] * (column j of from [n][PK_NR]) + keep[j] * itself; keep NULL: 0. */
static inline void store_block(float *to, int64_t to_row, const float *from, const float *factor, const float *keep,
                               int lanes, int64_t n)
{
    pv x[PW], y[PW];
    for (int at = 0; at < lanes; at += PW, to += PW * to_row) {
        const int rows = at_most(lanes - at, PW);
        const pv f = pv_load(factor + at);
        for (int64_t c = 0; c < n; c += PW) {
            const int cols = at_most(n - c, PW);
            for (int i = 0; i < PW; i++)
                x[i] = i < cols ? pv_mul(pv_load(from + (c + i) * PK_NR + at), f) : pv_zero();
            transpose(y, x);
            for (int j = 0; j < rows; j++) {
                float *own = to + j * to_row + c;
                if (keep) y[j] = pv_fma(load_lanes(own, cols), pv_set(keep[at + j]), y[j]);
                micro_store(own, y[j], cols);
            }
        }
    }
}

/* Block `at`'s part of the next head's rows of an operand, to be asked for in so many turns. */
static inline pk_stream next_head(const head_view *h, const pk_operand *o, int64_t rows, int64_t at, int64_t turns)
{
    const pk_attention *a = h->a;
    const int64_t next = h->sample * a->heads + h->head + a->next, blocks = a->queries / PK_NR;
    if (!a->next || next >= a->samples * a->heads || !blocks || !o->data) return (pk_stream){ .some = 0 };
    const int64_t part = (rows + blocks - 1) / blocks, first = at * part;
    const float *row = o->data + next / a->heads * o->batch + first * o->row + next % a->heads * a->head_dim;
    return stream_of(rectangle_of(row, sizeof(float), o->row, least(part, rows - first), a->head_dim), turns, 0);
}

/* c [columns][PK_NR] = rows . block, for panels by row and a block [n][PK_NR]; the first `width` lanes. */
static inline void rows_times_block(const head_view *h, float *c, const float *panel, const float *block, int width,
                                    pk_ahead *ahead)
{
    const int64_t n = h->a->head_dim;
    for (int j = 0; j < 2; j++) {
        const run *r = &h->runs[j];
        for (int64_t i = 0; i < r->count; i += PK_MR, panel += n * PK_MR)
            micro_tile(n, panel, block, c + (r->at + i) * PK_NR, PK_NR, at_most(r->count - i, PK_MR), width, NULL,
                       ahead);
    }
}

/* c [n][PK_NR] = panels by column . scores [columns][PK_NR]; the first `width` lanes. */
static inline void columns_times_scores(const head_view *h, float *c, const float *panel, const float *scores,
                                        int width, pk_ahead *ahead)
{
    const int64_t n = h->a->head_dim;
    for (int64_t i = 0; i < n; i += PK_MR, panel += h->columns * PK_MR)
        micro_tile(h->columns, panel, scores, c + i * PK_NR, PK_NR, at_most(n - i, PK_MR), width, NULL, ahead);
}

/* Turns of the full tiles in each of the two. */
static inline int64_t turns_by_row(const head_view *h) { return h->columns / PK_MR * (h->a->head_dim / PK_TURN); }
static inline int64_t turns_by_column(const head_view *h) { return h->a->head_dim / PK_MR * (h->columns / PK_TURN); }
#endif
