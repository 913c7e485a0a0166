/* SPDX-License-Identifier: Apache-2.0
 * whole.h -- products in int8 arithmetic without instructions for it: panels of floats that hold whole numbers of
 * -127 .. 127 (../ref/int8.h), which the f32 micro-kernel multiplies. Sums of a piece of 768 elements stay below 2^24,
 * so that they are exact. Each panel has two lanes before its own: the scales of its rows (columns), and one that is
 * not used here. Included by one file of each instruction set, which has defined PK_NAME. */
#ifndef PK_WHOLE_H
#define PK_WHOLE_H
#include <stdbool.h>
#include "../names.h"
#include "../ref/half.h"
#include "../ref/int8.h"

#define WHOLE_AS_IT_IS(x) ((float)(x))

/* Rounds the k elements of one row: to[0] is the scale, to[1] unused, then come the whole numbers; those of x are
 * overwritten. Elements of `to` are `width` apart. */
static inline void whole_row(pk_real *to, int64_t width, float *x, int64_t k)
{
    uint32_t largest = 0;
    for (int64_t p = 0; p < k; p += PK_INT8_BLOCK) pk_int8_rotate(x + p);
    for (int64_t p = 0; p < k; p++) {
        const uint32_t magnitude = pk_int8_magnitude(x[p]);
        if (magnitude > largest) largest = magnitude;
    }
    const pk_int8_scale s = pk_int8_scale_of(largest);
    to[0] = (pk_real)s.scale;
    to[width] = 0;
    for (int64_t p = 0; p < k; p++) to[(PK_INT8_HEADER + p) * width] = (pk_real)pk_int8_round(x[p], s.factor);
}

/* Packs `rows` rows of A (columns of B) into panels of `width`, at `to`: element p of row l is value(x[l * row_stride +
 * p * k_stride]) with x of type T, zero from k to the end of its block. */
#define PK_WHOLE_PANELS(T, value, width) do { \
        const int64_t padded = pk_int8_whole_blocks(k); \
        for (int64_t first = 0; first < rows; first += width, to += (PK_INT8_HEADER + padded) * width) \
            for (int64_t l = 0; l < width; l++) { \
                float row[PK_INT8_PIECE] = { 0 }; \
                const T *x = (const T *)from + (first + l) * row_stride; \
                for (int64_t p = 0; first + l < rows && p < k; p++) row[p] = value(x[p * k_stride]); \
                whole_row(to + l, width, row, padded); \
            } \
    } while (0)

/* Defines pk_pack_a_whole_<isa>, of panels of mr rows. */
#define PK_PACK_A_WHOLE(mr) \
    void PK_NAME(pack_a_whole)(pk_real *to, const pk_real *from, int64_t row_stride, int64_t k_stride, int64_t rows, \
                               int64_t k); \
    void PK_NAME(pack_a_whole)(pk_real *to, const pk_real *from, int64_t row_stride, int64_t k_stride, int64_t rows, \
                               int64_t k) \
    { \
        PK_WHOLE_PANELS(pk_real, WHOLE_AS_IT_IS, mr); \
    }
/* Defines pk_pack_b_<type>_whole_<isa>, of panels of nr columns; value converts an element of type T. */
#define PK_PACK_B_WHOLE(type, T, value, nr) \
    void PK_NAME(pack_b_##type##_whole)(pk_real *to, const void *from, int64_t k_stride, int64_t row_stride, \
                                        int64_t k, int64_t rows); \
    void PK_NAME(pack_b_##type##_whole)(pk_real *to, const void *from, int64_t k_stride, int64_t row_stride, \
                                        int64_t k, int64_t rows) \
    { \
        PK_WHOLE_PANELS(T, value, nr); \
    }

/* Defines pk_pack_int8_whole_<isa>, of panels of nr columns. */
#define PK_PACK_INT8_WHOLE(nr) \
    void PK_NAME(pack_int8_whole)(pk_real *to, const int8_t *from, int64_t stride, const float *scales, \
                                  int64_t scale_stride, int64_t k, int64_t rows); \
    void PK_NAME(pack_int8_whole)(pk_real *to, const int8_t *from, int64_t stride, const float *scales, \
                                  int64_t scale_stride, int64_t k, int64_t rows) \
    { \
        const int64_t padded = pk_int8_whole_blocks(k); \
        for (int64_t first = 0; first < rows; first += nr, to += (PK_INT8_HEADER + padded) * nr) \
            for (int64_t l = 0; l < nr; l++) { \
                const bool exists = first + l < rows; \
                to[l] = exists ? (pk_real)scales[(first + l) * scale_stride] : 0; \
                to[nr + l] = 0; \
                for (int64_t p = 0; p < padded; p++) \
                    to[(PK_INT8_HEADER + p) * nr + l] = exists ? (pk_real)from[(first + l) * stride + p] : 0; \
            } \
    }

/* Defines pk_quantise_<isa>: stores a row as whole_row rounds it. */
#define PK_QUANTISE \
    void PK_NAME(quantise)(int8_t *to, float *scales, const pk_real *from, int64_t k) \
    { \
        const pk_pieces pieces = pk_int8_pieces(k); \
        for (int64_t i = 0; i < pieces.count; i++) { \
            const int64_t first = i * pieces.length, left = k - first; \
            const int64_t n = left < pieces.length ? left : pieces.length; \
            const int64_t padded = pk_int8_whole_blocks(n); \
            float x[PK_INT8_PIECE] = { 0 }; \
            pk_real whole[PK_INT8_HEADER + PK_INT8_PIECE]; \
            for (int64_t p = 0; p < n; p++) x[p] = (float)from[first + p]; \
            whole_row(whole, 1, x, padded); \
            scales[i] = (float)whole[0]; \
            for (int64_t p = 0; p < padded; p++) to[first + p] = (int8_t)whole[PK_INT8_HEADER + p]; \
        } \
    }

static inline pk_real whole_fma(pk_real x, pk_real y, pk_real z)
{
#ifdef PF_REAL_DOUBLE
    return fma(x, y, z);
#else
    return fmaf(x, y, z);
#endif
}

/* Defines pk_micro_whole_<isa>: the f32 micro-kernel sums a piece, which is then scaled and added to the tile. */
#define PK_MICRO_WHOLE(mr, nr) \
    void PK_NAME(micro)(int64_t lanes, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, int n, \
                        const pk_real *initial, pk_micro_prefetch *prefetch); \
    void PK_NAME(micro_whole)(int64_t lanes, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, \
                              int n, const pk_real *initial, pk_micro_prefetch *prefetch); \
    void PK_NAME(micro_whole)(int64_t lanes, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, \
                              int n, const pk_real *initial, pk_micro_prefetch *prefetch) \
    { \
        pk_real sums[mr * nr]; \
        PK_NAME(micro)(lanes, a + PK_INT8_HEADER * mr, b + PK_INT8_HEADER * nr, sums, nr, m, n, NULL, prefetch); \
        for (int i = 0; i < m; i++) \
            for (int j = 0; j < n; j++) \
                c[i * c_row + j] = whole_fma(sums[i * nr + j], a[i] * b[j], initial ? initial[i * nr + j] : 0); \
    }
/* Defines all of them. */
#define PK_WHOLE_KERNELS(mr, nr) \
    PK_PACK_A_WHOLE(mr) \
    PK_PACK_B_WHOLE(real, pk_real, WHOLE_AS_IT_IS, nr) \
    PK_PACK_B_WHOLE(f16, uint16_t, pk_from_f16, nr) \
    PK_PACK_B_WHOLE(bf16, uint16_t, pk_from_bf16, nr) \
    PK_PACK_INT8_WHOLE(nr) \
    PK_QUANTISE \
    PK_MICRO_WHOLE(mr, nr)
#endif
