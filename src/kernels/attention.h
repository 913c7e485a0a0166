/* SPDX-License-Identifier: Apache-2.0
 * attention.h -- how the vector kernels of attention lay out their scratch: they and pk_attention_work must agree.
 * Panels are those of simd/gemm_micro.h: [k][mr] on the A side, [k][nr] on the B side. A block is nr query rows, one
 * in each lane, so everything about a block is held transposed: [.][nr]. n stands for head_dim. A column is a key or
 * an extra key; of a long sequence the columns come in chunks, so that scratch stays within a level-2 cache. */
#ifndef PK_ATTENTION_H
#define PK_ATTENTION_H
#include "pk.h"

/* The gradient adds to those of keys and values once for so many blocks. */
enum { PK_BUNDLE = 4 };

/* Offsets into the scratch in elements, each a multiple of 16. */
typedef struct pk_attention_layout {
    int64_t chunk;                  /* columns in a chunk, the last may have fewer */
    int64_t keys_by_row;            /* of a chunk: panels of mr rows of keys, then of extra keys: [n][mr] each */
    int64_t values_by_row;          /* the same of the values (gradient) */
    int64_t by_column;              /* of a chunk: panels [chunk][mr] of values, or of keys (gradient) */
    int64_t scores, dscores;        /* [chunk + mr][nr]: of one block; of PK_BUNDLE blocks in the gradient, dscores too */
    int64_t slot;                   /* from one block's scores to the next's */
    int64_t query;                  /* [n][nr]: the block's rows, transposed */
    int64_t result;                 /* [n][nr]: what becomes out or dq; before that dout */
    int64_t query_row, dout_row;    /* [n / nr panels][PK_BUNDLE*nr][nr]: the blocks' rows as they are (gradient) */
    int64_t top, sum;               /* of all query rows: largest logit so far, sum of exponentials (not gradient) */
    int64_t dots;                   /* [nr]: dout . out (gradient) */
    int64_t total;
} pk_attention_layout;

/* Even chunks of at most 378 columns, whole panels for mr 14 and 6. */
static inline int64_t pk_attention_chunk(int64_t columns)
{
    const int64_t chunks = (columns + 377) / 378, even = chunks ? (columns + chunks - 1) / chunks : 0;
    return chunks > 1 ? (even + 41) / 42 * 42 : columns;
}

static inline pk_attention_layout pk_attention_lay_out(const pk_attention *a, int gradient, int64_t mr, int64_t nr)
{
    const int64_t n = a->head_dim, chunk = pk_attention_chunk(a->keys + a->extra);
    const int64_t by_row = (chunk / mr + 2) * mr * n, by_column = (n + mr - 1) / mr * mr * chunk;
    const int64_t slot = (chunk + mr) * nr, scores = gradient ? PK_BUNDLE * slot : slot;
    const int64_t rows = (n + nr - 1) / nr * nr * nr * PK_BUNDLE;
    const int64_t queries = gradient ? 0 : (a->queries + nr - 1) / nr * nr;
    pk_attention_layout l = { .chunk = chunk, .slot = slot };
    int64_t at = 0;
#define TAKE(part, count) l.part = at; at += ((count) + 15) / 16 * 16
    TAKE(keys_by_row, by_row);
    TAKE(values_by_row, gradient ? by_row : 0);
    TAKE(by_column, by_column);
    TAKE(scores, scores);
    TAKE(dscores, gradient ? scores : 0);
    TAKE(query, n * nr);
    TAKE(result, n * nr);
    TAKE(query_row, gradient ? rows : 0);
    TAKE(dout_row, gradient ? rows : 0);
    TAKE(top, queries);
    TAKE(sum, queries);
    TAKE(dots, gradient ? nr : 0);
#undef TAKE
    l.total = at;
    return l;
}
#endif
