/* SPDX-License-Identifier: Apache-2.0
 * layout.h -- the layout of the scratch memory of the vector kernels of attention (block.h), which pk_attention_work
 * sizes. Panels are those of ../simd/gemm_micro.h: [k][mr] as operand A, [k][nr] as operand B. A block is nr query
 * rows, one in each lane, so that all matrices of a block are stored transposed: [.][nr]. A column of the scores is a
 * key or an extra key. Columns come in chunks, so that the scratch of a long sequence stays within a level-2 cache. */
#ifndef PK_ATTENTION_H
#define PK_ATTENTION_H
#include "../pk.h"

/* Blocks in a bundle: consecutive blocks, for which the gradient kernel adds to dk and dv once. */
enum { PK_BUNDLE = 4 };

/* Offsets of the parts of the scratch, in elements, each a multiple of 16. n is head_dim. Parts marked "gradient" are
 * empty in the forward pass. */
typedef struct pk_attention_layout {
    int64_t chunk;                  /* columns in a chunk; the last chunk may have fewer */
    int64_t keys_by_row;            /* the chunk's keys, then its extra keys, in panels of mr rows: [n][mr] each */
    int64_t values_by_row;          /* the chunk's values in the same form (gradient) */
    int64_t by_column;              /* the chunk's values (gradient: keys) in panels of mr elements of head_dim:
                                     * [chunk][mr] each */
    int64_t scores;                 /* [chunk + mr][nr]: of one block; for the gradient one such part per block of a
                                     * bundle, with mr zero rows behind the last column, because its products read
                                     * whole panels of mr rows */
    int64_t dscores;                /* the gradient of scores, in the same form (gradient) */
    int64_t dscores_panel;          /* [chunk][nr]: of one block, dscores as a panel of pairs (gradient in bf16) */
    int64_t block_stride;           /* distance from one block's scores to the next block's in the bundle */
    int64_t query;                  /* [n][nr]: the block's query rows, transposed */
    int64_t result;                 /* [n][nr]: first the block's dout (gradient), then its out or dq; transposed */
    int64_t query_row, dout_row;    /* [n/nr panels][PK_BUNDLE*nr][nr]: the bundle's rows of q and dout (gradient) */
    int64_t max, sum;               /* [queries], forward: softmax statistics, the largest logit so far and
                                     * the sum of exp(logit - max) so far */
    int64_t dots;                   /* [nr]: the block's dout . out, row by row (gradient) */
    /* operands in bf16 as floats: the chunk's keys and extra keys, and its values [chunk][n]; the bundle's rows of q
     * and out [PK_BUNDLE*nr][n] (gradient, if an operand is bf16) */
    int64_t wide_keys, wide_values, wide_query, wide_out;
    int64_t total;                  /* elements of all parts together */
} pk_attention_layout;

/* Columns of a chunk: one chunk for up to MOST columns, else chunks of about equal size, each but the last a multiple
 * of STEP = lcm(14, 6), so of mr for AVX-512 and for AVX2. */
static inline int64_t pk_attention_chunk(int64_t columns)
{
    enum { STEP = 42, MOST = 9 * STEP };
    const int64_t chunks = (columns + MOST - 1) / MOST, even = chunks ? (columns + chunks - 1) / chunks : 0;
    return chunks > 1 ? (even + STEP - 1) / STEP * STEP : columns;
}

/* The layout for attention a or its gradient; mr, nr: of the kernel table. */
static inline pk_attention_layout pk_attention_lay_out(const pk_attention *a, pk_direction direction, int64_t mr,
                                                       int64_t nr)
{
    const int gradient = direction == PK_GRADIENT;
    const int64_t n = a->head_dim, chunk = pk_attention_chunk(a->keys + a->extra);
    /* 2 panels more than fit whole: the last one of the keys and the last one of the extra keys may be part filled */
    const int64_t by_row = (chunk / mr + 2) * mr * n, by_column = (n + mr - 1) / mr * mr * chunk;
    const int64_t block_stride = (chunk + mr) * nr, scores = gradient ? PK_BUNDLE * block_stride : block_stride;
    const int64_t rows = (n + nr - 1) / nr * nr * nr * PK_BUNDLE;
    const int half = a->q.type || a->k.type || a->v.type || a->xk.type || a->xv.type || a->out_type;
    const int64_t queries = gradient ? 0 : (a->queries + nr - 1) / nr * nr;
    pk_attention_layout l = { .chunk = chunk, .block_stride = block_stride };
    int64_t offset = 0;
#define PLACE_PART(part, count) l.part = offset; offset += ((count) + 15) / 16 * 16
    PLACE_PART(keys_by_row, by_row);
    PLACE_PART(values_by_row, gradient ? by_row : 0);
    PLACE_PART(by_column, by_column);
    PLACE_PART(scores, scores);
    PLACE_PART(dscores, gradient ? scores : 0);
    PLACE_PART(dscores_panel, gradient && a->compute == PK_COMPUTE_BF16 ? chunk * nr : 0);
    PLACE_PART(query, n * nr);
    PLACE_PART(result, n * nr);
    PLACE_PART(query_row, gradient ? rows : 0);
    PLACE_PART(dout_row, gradient ? rows : 0);
    PLACE_PART(max, queries);
    PLACE_PART(sum, queries);
    PLACE_PART(dots, gradient ? nr : 0);
    PLACE_PART(wide_keys, half ? chunk * n : 0);
    PLACE_PART(wide_values, half ? chunk * n : 0);
    PLACE_PART(wide_query, half ? PK_BUNDLE * nr * n : 0);
    PLACE_PART(wide_out, half ? PK_BUNDLE * nr * n : 0);
#undef PLACE_PART
    l.total = offset;
    return l;
}
#endif
