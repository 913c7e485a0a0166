/* SPDX-License-Identifier: Apache-2.0
 * pack.h -- packs matrices of floats into the panels that gemm_micro.h reads, for pack.c and the attention kernels. A
 * panel is [k][width]; its lanes are rows of A or columns of B. */
#ifndef PK_PACK_H
#define PK_PACK_H
#include "gemm_micro.h"

#if PW == 16
#define PACK_LOW(a, b) _mm512_unpacklo_ps(a, b)
#define PACK_HIGH(a, b) _mm512_unpackhi_ps(a, b)
#define PACK_SHUFFLE(a, b, how) _mm512_shuffle_ps(a, b, how)
#else
#define PACK_LOW(a, b) _mm256_unpacklo_ps(a, b)
#define PACK_HIGH(a, b) _mm256_unpackhi_ps(a, b)
#define PACK_SHUFFLE(a, b, how) _mm256_shuffle_ps(a, b, how)
#endif

/* In this file a quarter is four lanes of a vector (128 bits). The last argument of a shuffle names four sources, two
 * bits each: 0x44 is the lower and 0xEE the upper half of both operands, 0x88 their even and 0xDD their odd lanes (or
 * quarters). In _mm256_permute2f128_ps, 0x20 joins the lower halves, 0x31 the upper ones. */

/* Transposes the 4 x 4 matrix in each quarter of four vectors: lane i
 * of quarter q of to[j] is lane j of quarter q of from[i]. */
PK_INLINE void transpose_quarters(pv *to, const pv *from)
{
    const pv a = PACK_LOW(from[0], from[1]), b = PACK_HIGH(from[0], from[1]);
    const pv c = PACK_LOW(from[2], from[3]), d = PACK_HIGH(from[2], from[3]);
    to[0] = PACK_SHUFFLE(a, c, 0x44);
    to[1] = PACK_SHUFFLE(a, c, 0xEE);
    to[2] = PACK_SHUFFLE(b, d, 0x44);
    to[3] = PACK_SHUFFLE(b, d, 0xEE);
}

/* Transposes PW rows: lane i of to[j] is lane j of from[i]. */
PK_INLINE void transpose(pv *to, const pv *from)
{
    pv u[PW];
    PK_UNROLL
    for (int i = 0; i < PW; i += 4) transpose_quarters(u + i, from + i);
    PK_UNROLL
    for (int i = 0; i < 4; i++) {                       /* quarter c of u[i + 4q]: column i + 4c of rows 4q..4q+3 */
#if PW == 16
        pv t[4];
        t[0] = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
        t[1] = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xDD);
        t[2] = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
        t[3] = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xDD);
        to[i] = _mm512_shuffle_f32x4(t[0], t[2], 0x88);
        to[i + 8] = _mm512_shuffle_f32x4(t[0], t[2], 0xDD);
        to[i + 4] = _mm512_shuffle_f32x4(t[1], t[3], 0x88);
        to[i + 12] = _mm512_shuffle_f32x4(t[1], t[3], 0xDD);
#else
        to[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        to[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
#endif
    }
}

/* Loads PW columns of `rows` rows, row_stride elements apart, transposed: lane i of to[j] is from[i*row_stride + j].
 * rows is a compile-time constant. One vector is loaded from quarters of several rows, so that only the shuffles within
 * quarters remain: half of those of transpose. */
PK_INLINE void load_transposed(pv *to, const float *from, int64_t row_stride, const int rows)
{
    PK_UNROLL
    for (int j = 0; j < PW; j += 4) {
        pv x[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            const float *x0 = from + i * row_stride + j;
#if PW == 16
            x[i] = _mm512_castps128_ps512(_mm_loadu_ps(x0));
            if (i + 4 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(x0 + 4 * row_stride), 1);
            if (i + 8 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(x0 + 8 * row_stride), 2);
            if (i + 12 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(x0 + 12 * row_stride), 3);
#else
            x[i] = _mm256_castps128_ps256(_mm_loadu_ps(x0));
            if (i + 4 < rows) x[i] = _mm256_insertf128_ps(x[i], _mm_loadu_ps(x0 + 4 * row_stride), 1);
#endif
        }
        transpose_quarters(to + j, x);
    }
}

/* Packs up to PW lanes of a panel whose lanes are contiguous in memory (lane_stride 1): copies its rows. */
PK_INLINE void pack_copy(float *to, const int width, const float *from, int64_t k_stride, int lanes, int64_t k)
{
    if (lanes >= PW) {
        for (int64_t p = 0; p < k; p++) pv_store(to + p * width, pv_load(from + p * k_stride));
    } else {
        pm loaded = pm_first(lanes);
        if (width % PW == 0) {
            for (int64_t p = 0; p < k; p++) pv_store(to + p * width, pv_load_m(from + p * k_stride, loaded));
        } else {                                        /* last lanes of a panel of 6 or 14: no full vector */
            pm stored = pm_first(width % PW);
            for (int64_t p = 0; p < k; p++) pv_store_m(to + p * width, stored, pv_load_m(from + p * k_stride, loaded));
        }
    }
}

/* Packs up to PW lanes of a panel whose k is contiguous in memory (k_stride 1): transposes PW x PW at a time. */
PK_INLINE void pack_transpose(float *to, const int width, const float *from, int64_t lane_stride, int lanes, int64_t k)
{
    const int panel_lanes = width % PW ? width % PW : PW;
    pv x[PW], y[PW];
    int64_t p = 0;
    if (lanes >= panel_lanes) {
        for (; p + PW <= k; p += PW) {
            load_transposed(y, from + p, lane_stride, panel_lanes);
            PK_UNROLL                           /* the next row overwrites lanes stored beyond the end of this one */
            for (int i = 0; i < PW; i++) {
                if (panel_lanes == PW || i + 1 < PW || p + PW < k) pv_store(to + (p + i) * width, y[i]);
                else pv_store_m(to + (p + i) * width, pm_first(panel_lanes), y[i]);
            }
        }
    }
    for (; p < k; p += PW) {
        const int rows = k - p < PW ? (int)(k - p) : PW;
        for (int i = 0; i < PW; i++)
            x[i] = i >= lanes ? pv_zero() : rows == PW ? pv_load(from + i * lane_stride + p)
                                                      : pv_load_m(from + i * lane_stride + p, pm_first(rows));
        transpose(y, x);
        for (int i = 0; i < rows; i++) {
            if (panel_lanes == PW) pv_store(to + (p + i) * width, y[i]);
            else pv_store_m(to + (p + i) * width, pm_first(panel_lanes), y[i]);
        }
    }
}

/* Packs one panel: to[p*width + i] = from[i*lane_stride + p*k_stride] for p < k and i < lanes, zero for the lanes i
 * from `lanes` to width - 1. One of the two strides is 1. width is a compile-time constant, PK_MR for A, PK_NR for
 * B. */
PK_INLINE void pack_panel(float *to, const int width, const float *from, int64_t lane_stride, int64_t k_stride,
                          int lanes, int64_t k)
{
    if (lane_stride == 1 && lanes == 2 * PW && width == 2 * PW) {      /* by rows: each page is visited once */
        for (int64_t p = 0; p < k; p++, to += width, from += k_stride) {
            pv x = pv_load(from), y = pv_load(from + PW);
            pv_store(to, x);
            pv_store(to + PW, y);
        }
        return;
    }
    for (int first = 0; first < width; first += PW) {
        int count = lanes - first < 0 ? 0 : lanes - first < PW ? lanes - first : PW;
        if (lane_stride == 1) pack_copy(to + first, width, from + first, k_stride, count, k);
        else pack_transpose(to + first, width, from + first * lane_stride, lane_stride, count, k);
    }
}
#endif
