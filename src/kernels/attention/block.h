/* SPDX-License-Identifier: Apache-2.0
 * block.h -- what forward.h and backward.h share. The columns (keys, then extra keys) of
 * one head of one sample are processed in chunks, and for each chunk the query rows in blocks of PK_NR, one row in each
 * lane. All matrices of a block are transposed: scores [chunk][PK_NR], rows [head_dim][PK_NR]. So the softmax needs no
 * sum across lanes, the scores are already the packed panel that the next product reads, and no row's results depend on
 * the other rows. The layout of the scratch is in layout.h.
 *
 * A file that includes this header chooses the arithmetic of the products. All panels are packed as floats;
 * convert_panel and convert_rows then change them in place: with PK_DOT_BF16 to pairs of bf16 (../dot/pairs.h), with
 * PK_ROUNDED_FACTORS to floats that are rounded to bf16, else not at all. */
#ifndef PK_ATTENTION_BLOCK_H
#define PK_ATTENTION_BLOCK_H
#include "layout.h"
#include "../prefetch.h"
#include "../simd/half.h"
#include "../simd/vmath.h"
#if defined(PK_DOT_BF16)
#include "../dot/pairs.h"
#elif defined(PK_ROUNDED_FACTORS)
#include "../ref/half.h"
#endif

/* The part of the chunk that is keys, or the part that is extra keys: `count` rows of the operands from `row` on, which
 * are the chunk's columns from `column` on. k and v point to the first row; their rows are *_stride elements apart. */
typedef struct segment { int64_t column, row, count; const float *k, *v; int64_t k_stride, v_stride; } segment;

enum { KEYS, EXTRA_KEYS, SEGMENTS };                        /* indices of segments */

/* One head of one sample, and the chunk of its columns that is processed. */
typedef struct head_view {
    const pk_attention *a;
    pk_attention_layout at;                                 /* offsets of the parts of work */
    float *work;
    int64_t sample, head;
    float head_scale;                                       /* of the head, or 1 */
    int64_t first_row;                                      /* index of query row 0 in lse, dsink, dhead_scale */
    int64_t columns;                                        /* of the chunk */
    segment segments[SEGMENTS];
} head_view;

#if defined(PK_DOT_BF16)
/* Steps of the micro-kernel for k values. */
static inline int64_t steps_of(int64_t k) { return (k + 1) / 2; }
/* The factors of a panel [k][width] as the micro-kernel reads them: to [steps_of(k)][width], which may be the panel. */
static inline void pair_panel(float *to, const float *panel, const int width, int64_t k)
{
    for (int64_t p = 0; p < k; p += 2, to += width) {
        const float *x = panel + p * width, *y = p + 1 < k ? x + width : NULL;
        for (int v = 0; v < width; v += PW)
            store_lanes(to + v, pairs_across(PK_REAL, PK_FIRST_PART, x + v, y ? y + v : NULL, width - v), width - v);
    }
}
static inline void convert_panel(float *panel, const int width, int64_t k) { pair_panel(panel, panel, width, k); }
/* The same for rows [count][PK_NR], of which each is read along its elements: pairs, in the row's first half. */
static inline void convert_rows(float *rows, int64_t count)
{
    for (int64_t i = 0; i < count; i++, rows += PK_NR) pv_store(rows, pairs_along(PK_REAL, PK_FIRST_PART, rows, PK_NR));
}
/* The rows [count][PK_NR] as a panel: in `to`, where they are converted to something that convert_rows cannot use. */
static inline const float *panel_of_rows(float *to, float *rows, int64_t count)
{
    pair_panel(to, rows, PK_NR, count);
    return to;
}
#else
static inline int64_t steps_of(int64_t k) { return k; }
static inline void convert_panel(float *panel, const int width, int64_t k)
{
#if defined(PK_ROUNDED_FACTORS)
    for (int64_t i = 0; i < k * width; i++) panel[i] = pk_round_bf16(panel[i]);
#endif
    (void)panel, (void)width, (void)k;
}
static inline void convert_rows(float *rows, int64_t count) { convert_panel(rows, PK_NR, count); }
static inline const float *panel_of_rows(float *to, float *rows, int64_t count)
{
    (void)to;
    convert_rows(rows, count);
    return rows;
}
#endif

static inline int64_t min_extent(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int at_most(int64_t n, int most) { return n < most ? (int)n : most; }

/* `count` rows of an operand for the head, from `row` on, as floats that are *stride apart: where they lie, or, of
 * bf16, converted to `wide` [count][head_dim]. */
static inline const float *operand_rows(const pk_operand *o, const head_view *h, int64_t row, int64_t count,
                                        float *wide, int64_t *stride)
{
    const int64_t n = h->a->head_dim, first = h->sample * o->sample_stride + row * o->row_stride + h->head * n;
    *stride = o->row_stride;
    if (o->type == PK_REAL) return (const float *)o->data + first;
    const uint16_t *from = (const uint16_t *)o->data + first;
    *stride = n;
    for (int64_t i = 0; i < count; i++, from += o->row_stride)
        for (int64_t c = 0; c < n; c += PW)
            store_lanes(wide + i * n + c, half_lanes(PK_BF16, from + c, n - c), at_most(n - c, PW));
    return wide;
}

/* The view of a head, before a chunk is selected. */
static inline head_view view_head(const pk_attention *a, int64_t sample, int64_t head, pk_direction direction,
                                  void *work)
{
    return (head_view){ .a = a, .at = pk_attention_lay_out(a, direction, PK_MR, PK_NR), .work = work,
                        .sample = sample, .head = head, .head_scale = a->head_scale ? a->head_scale[head] : 1.0f,
                        .first_row = (sample * a->heads + head) * a->queries };
}

/* Rows of keys and values, or of extra keys and values: columns from `column` of the chunk on. */
static inline segment make_segment(const head_view *h, const pk_operand *k, const pk_operand *v, int64_t column,
                                   int64_t row, int64_t count)
{
    const int64_t offset = column * h->a->head_dim;
    segment s = { .column = column, .row = row, .count = count };
    s.k = operand_rows(k, h, row, count, h->work + h->at.wide_keys + offset, &s.k_stride);
    s.v = operand_rows(v, h, row, count, h->work + h->at.wide_values + offset, &s.v_stride);
    return s;
}

/* Selects the chunk that begins at column `first`. Returns the first column of the next chunk. */
static inline int64_t view_chunk(head_view *h, int64_t first)
{
    const pk_attention *a = h->a;
    const int64_t end = min_extent(first + h->at.chunk, a->keys + a->extra);
    segment *keys = &h->segments[KEYS], *extra = &h->segments[EXTRA_KEYS];
    *keys = *extra = (segment){ .count = 0 };
    h->columns = end - first;
    if (first < a->keys) *keys = make_segment(h, &a->k, &a->v, 0, first, min_extent(end, a->keys) - first);
    if (end > a->keys) {
        const int64_t row = first > a->keys ? first - a->keys : 0;
        *extra = make_segment(h, &a->xk, &a->xv, a->keys + row - first, row, end - a->keys - row);
    }
    return end;
}

/* Packs x [count][n], rows x_stride apart, into panels of PK_MR rows: [n][PK_MR] each. Returns the end of the
 * panels. */
static inline float *pack_by_row(float *to, const float *x, int64_t x_stride, int64_t count, int64_t n)
{
    for (int64_t i = 0; i < count; i += PK_MR, to += n * PK_MR) {
        pack_panel(to, PK_MR, x + i * x_stride, x_stride, 1, at_most(count - i, PK_MR), n);
        convert_panel(to, PK_MR, n);
    }
    return to;
}

typedef enum { PACK_VALUES, PACK_KEYS } packed_operand;

/* Packs the values or keys of the chunk into panels of PK_MR elements of head_dim: [columns][PK_MR] each. */
static inline void pack_by_column(float *to, const head_view *h, packed_operand operand)
{
    const int keys = operand == PACK_KEYS;
    for (int64_t c = 0; c < h->a->head_dim; c += PK_MR) {
        float *const panel = to;
        for (int i = 0; i < SEGMENTS; i++) {
            const segment *r = &h->segments[i];
            if (r->count) pack_panel(to, PK_MR, (keys ? r->k : r->v) + c, 1, keys ? r->k_stride : r->v_stride,
                                     at_most(h->a->head_dim - c, PK_MR), r->count);
            to += r->count * PK_MR;
        }
        convert_panel(panel, PK_MR, (to - panel) / PK_MR);
    }
}

/* to [n][PK_NR] = s * transpose of x [lanes][n], rows x_stride apart; the other lanes are zero. */
static inline void pack_block(float *to, const float *x, int64_t x_stride, int lanes, int64_t n, float s)
{
    pack_panel(to, PK_NR, x, x_stride, 1, lanes, n);
    for (int64_t j = 0; s != 1.0f && j < n * PK_NR; j += PW) pv_store(to + j, pv_mul(pv_load(to + j), pv_set(s)));
    convert_panel(to, PK_NR, n);
}

/* Transposes a block back into rows: row j of to [lanes][n], rows to_stride apart, becomes factor[j] * (lane j of from
 * [n][PK_NR]) + old_factor[j] * its old content; old_factor NULL: 0. */
static inline void store_block(float *to, int64_t to_stride, const float *from, const float *factor,
                               const float *old_factor, int lanes, int64_t n)
{
    pv x[PW], y[PW];
    for (int first = 0; first < lanes; first += PW, to += PW * to_stride) {
        const int rows = at_most(lanes - first, PW);
        const pv f = pv_load(factor + first);
        for (int64_t c = 0; c < n; c += PW) {
            const int cols = at_most(n - c, PW);
            for (int i = 0; i < PW; i++)
                x[i] = i < cols ? pv_mul(pv_load(from + (c + i) * PK_NR + first), f) : pv_zero();
            transpose(y, x);
            for (int j = 0; j < rows; j++) {
                float *row = to + j * to_stride + c;
                if (old_factor) y[j] = pv_fma(load_lanes(row, cols), pv_set(old_factor[first + j]), y[j]);
                store_lanes(row, y[j], cols);
            }
        }
    }
}

/* A cursor over a part of an operand's `rows` rows for the head that this thread computes next, in `turns` turns. Every
 * block prefetches an equal part; block: its number. */
static inline pk_prefetch prefetch_next_head(const head_view *h, const pk_operand *o, int64_t rows, int64_t block,
                                             int64_t turns)
{
    const pk_attention *a = h->a;
    const int64_t next = h->sample * a->heads + h->head + a->prefetch_heads, blocks = a->queries / PK_NR;
    if (!a->prefetch_heads || next >= a->samples * a->heads || !blocks || !o->data)
        return prefetch_nothing();
    const int64_t part = (rows + blocks - 1) / blocks, first = block * part;
    const int64_t size = pk_dtype_size(o->type), element = next / a->heads * o->sample_stride + first * o->row_stride
        + next % a->heads * a->head_dim;
    return prefetch_all(prefetch_area_of((const char *)o->data + element * size, size, o->row_stride,
                                         min_extent(part, rows - first), a->head_dim), turns);
}

/* c [columns][PK_NR] = keys (or values) times a block [n][PK_NR], in its first `width` lanes: PW or PK_NR. panel:
 * made by pack_by_row, the keys' panels and then those of the extra keys. */
static inline void rows_times_block(const head_view *h, float *c, const float *panel, const float *block, int width,
                                    pk_micro_prefetch *prefetch)
{
    const int64_t n = h->a->head_dim;
    for (int j = 0; j < SEGMENTS; j++) {
        const segment *r = &h->segments[j];
        for (int64_t i = 0; i < r->count; i += PK_MR, panel += n * PK_MR)
            micro_tile(steps_of(n), panel, block, c + (r->column + i) * PK_NR, PK_NR, at_most(r->count - i, PK_MR),
                       width, NULL, prefetch);
    }
}

/* c [n][PK_NR] = (panels of pack_by_column) times the panel scores [columns][PK_NR], in the first `width` lanes. */
static inline void columns_times_scores(const head_view *h, float *c, const float *panel, const float *scores,
                                        int width, pk_micro_prefetch *prefetch)
{
    const int64_t n = h->a->head_dim;
    for (int64_t i = 0; i < n; i += PK_MR, panel += h->columns * PK_MR)
        micro_tile(steps_of(h->columns), panel, scores, c + i * PK_NR, PK_NR, at_most(n - i, PK_MR), width, NULL,
                   prefetch);
}

/* Turns of prefetching (PK_TURN) in rows_times_block and in columns_times_scores: those of their full tiles. */
static inline int64_t turns_by_row(const head_view *h)
{
    return h->columns / PK_MR * (steps_of(h->a->head_dim) / PK_TURN);
}
static inline int64_t turns_by_column(const head_view *h)
{
    return h->a->head_dim / PK_MR * (steps_of(h->columns) / PK_TURN);
}
#endif
