/* SPDX-License-Identifier: Apache-2.0
 * pack.h -- packs matrices of floats into panels as gemm_micro.h reads them, for every kernel of this folder that
 * multiplies matrices. */
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

/* Transposes four rows within the quarters of vectors: lane i of quarter q of to[j] is lane j of quarter q of
 * from[i]. */
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
    for (int i = 0; i < 4; i++) {                       /* u[i + 4q]: column i + 4*lane of the rows 4q..4q+3 */
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

/* The same for rows in memory, `row` elements apart: to[j] is column j of the first `rows` rows, a compile-time
 * constant. Loading 128-bit quarters of several rows into one vector leaves only shuffles within quarters, half as
 * many. */
PK_INLINE void load_transposed(pv *to, const float *from, int64_t row, const int rows)
{
    PK_UNROLL
    for (int j = 0; j < PW; j += 4) {
        pv x[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            const float *at = from + i * row + j;
#if PW == 16
            x[i] = _mm512_castps128_ps512(_mm_loadu_ps(at));
            if (i + 4 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 4 * row), 1);
            if (i + 8 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 8 * row), 2);
            if (i + 12 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 12 * row), 3);
#else
            x[i] = _mm256_castps128_ps256(_mm_loadu_ps(at));
            if (i + 4 < rows) x[i] = _mm256_insertf128_ps(x[i], _mm_loadu_ps(at + 4 * row), 1);
#endif
        }
        transpose_quarters(to + j, x);
    }
}

/* Up to PW lanes of a panel whose lanes are contiguous in memory (lane stride 1): rows of the panel are copied. */
PK_INLINE void pack_copy(float *to, const int width, const float *from, int64_t step, int lanes, int64_t k)
{
    if (lanes >= PW) {
        for (int64_t p = 0; p < k; p++) pv_store(to + p * width, pv_load(from + p * step));
    } else {
        pm have = pm_tail(lanes);
        if (width % PW == 0) {
            for (int64_t p = 0; p < k; p++) pv_store(to + p * width, pv_load_m(from + p * step, have));
        } else {                                        /* the panel's last lanes: not a full vector of them */
            pm keep = pm_tail(width % PW);
            for (int64_t p = 0; p < k; p++) pv_store_m(to + p * width, keep, pv_load_m(from + p * step, have));
        }
    }
}

/* Up to PW lanes of a panel whose k is contiguous in memory (step 1): transposed PW x PW at a time. */
PK_INLINE void pack_transpose(float *to, const int width, const float *from, int64_t lane, int lanes, int64_t k)
{
    const int room = width % PW ? width % PW : PW;
    pv x[PW], y[PW];
    int64_t p = 0;
    if (lanes >= room) {
        for (; p + PW <= k; p += PW) {
            load_transposed(y, from + p, lane, room);
            PK_UNROLL                           /* what a whole vector writes beyond its row, the next row overwrites */
            for (int i = 0; i < PW; i++) {
                if (room == PW || i + 1 < PW || p + PW < k) pv_store(to + (p + i) * width, y[i]);
                else pv_store_m(to + (p + i) * width, pm_tail(room), y[i]);
            }
        }
    }
    for (; p < k; p += PW) {
        const int got = k - p < PW ? (int)(k - p) : PW;
        for (int i = 0; i < PW; i++)
            x[i] = i >= lanes ? pv_zero() : got == PW ? pv_load(from + i * lane + p)
                                                      : pv_load_m(from + i * lane + p, pm_tail(got));
        transpose(y, x);
        for (int i = 0; i < got; i++) {
            if (room == PW) pv_store(to + (p + i) * width, y[i]);
            else pv_store_m(to + (p + i) * width, pm_tail(room), y[i]);
        }
    }
}

/* to[k][width]: lane i of row p is from[i*lane + p*step], zero for i >= lanes (lanes <= width). One of lane and
 * step is 1. width is a constant: PK_MR (A; lane is the distance of rows) or PK_NR (B; lane: of columns). */
PK_INLINE void pack_panel(float *to, const int width, const float *from, int64_t lane, int64_t step, int lanes,
                          int64_t k)
{
    if (lane == 1 && lanes == 2 * PW && width == 2 * PW) {      /* whole rows: each page is seen once */
        for (int64_t p = 0; p < k; p++, to += width, from += step) {
            pv x = pv_load(from), y = pv_load(from + PW);
            pv_store(to, x);
            pv_store(to + PW, y);
        }
        return;
    }
    for (int at = 0; at < width; at += PW) {
        int some = lanes - at < 0 ? 0 : lanes - at < PW ? lanes - at : PW;
        if (lane == 1) pack_copy(to + at, width, from + at, step, some, k);
        else pack_transpose(to + at, width, from + at * lane, lane, some, k);
    }
}
#endif
