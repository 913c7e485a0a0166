/* SPDX-License-Identifier: Apache-2.0
 * pairs.h -- packs matrices into panels of pairs of bf16, for VDPBF16PS. A panel is [ceil(k/2)][width] of 32-bit lanes:
 * the lower half of a lane is an element of an even k, the upper half the one behind it, or 0 behind the last k. `type`
 * is a compile-time constant everywhere: the type of the matrix. */
#ifndef PK_PAIRS_H
#define PK_PAIRS_H
#include "../ref/parts.h"
#include "../simd/half.h"

/* x less the bf16 that is nearest to it; 0 where x is rounded to infinity, and where x is infinite or NaN. */
PK_INLINE pv rest_of(pv x)
{
    const __m512i bits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
    const pv first = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
    enum { NAN_OR_INFINITY = 0x99 };                                /* classes of VFPCLASSPS */
    return _mm512_maskz_sub_ps((pm)~_mm512_fpclass_ps_mask(first, NAN_OR_INFINITY), x, first);
}

/* The first n floats from `from` on, zero in the other lanes; n may be 0 or more than PW. */
PK_INLINE pv floats_of(const pk_dtype type, const pk_part part, const void *from, int64_t n)
{
    const pv x = type == PK_REAL ? load_lanes(from, n) : half_lanes(type, from, n);
    return part == PK_FIRST_PART ? x : rest_of(x);
}

/* 16 pairs of 32 numbers that follow one another: lane i is (from[2i], from[2i+1]). n numbers exist, the others are
 * 0. */
PK_INLINE pv pairs_along(const pk_dtype type, const pk_part part, const void *from, int64_t n)
{
    if (type == PK_BF16 && part == PK_FIRST_PART) {
        if (n >= 2 * PW) return pv_load(from);
        return _mm512_castsi512_ps(_mm512_maskz_loadu_epi16((__mmask32)((UINT64_C(1) << n) - 1), from));
    }
    const char *second = (const char *)from + (n > PW ? PW * pk_dtype_size(type) : 0);
    const pv low = floats_of(type, part, from, n), high = n > PW ? floats_of(type, part, second, n - PW) : pv_zero();
    return (pv)_mm512_cvtne2ps_pbh(high, low);
}

/* 16 pairs of two rows: lane i is (x[i], y[i]). n numbers of a row exist, the others are 0; y NULL: a row of zeros. */
PK_INLINE pv pairs_across(const pk_dtype type, const pk_part part, const void *x, const void *y, int64_t n)
{
    static const uint16_t interleave[2 * PW] = { 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                                 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31 };
    __m512i rows;
    if (type == PK_BF16 && part == PK_FIRST_PART) {
        const int lanes = n >= PW ? PW : n > 0 ? (int)n : 0;
        const __m256i first = half_load_first(x, lanes), second = half_load_first(y ? y : x, y ? lanes : 0);
        rows = _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1);
    } else {
        const pv second = y ? floats_of(type, part, y, n) : pv_zero();
        rows = (__m512i)_mm512_cvtne2ps_pbh(second, floats_of(type, part, x, n));
    }
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_loadu_si512(interleave), rows));
}

/* Packs one panel: row p of lane l is from[l*lane_stride + p*k_stride], for p < k and l < lanes; zero for the lanes
 * from `lanes` to width - 1. One of the two strides is 1. width is a compile-time constant, PK_MR for A, PK_NR for
 * B. */
PK_INLINE void pack_pairs(const pk_dtype type, const pk_part part, float *to, const int width, const void *from,
                          int64_t lane_stride, int64_t k_stride, int lanes, int64_t k)
{
    const char *const start = from;
    const int64_t size = pk_dtype_size(type);
    if (lane_stride == 1) {
        for (int64_t p = 0; p < k; p += 2, to += width) {
            const char *x = start + p * k_stride * size, *y = p + 1 < k ? x + k_stride * size : NULL;
            store_lanes(to, pairs_across(type, part, x, y, lanes), width);
            if (width <= PW) continue;
            const char *second_x = x + PW * size, *second_y = y ? y + PW * size : NULL;
            pv_store(to + PW, lanes > PW ? pairs_across(type, part, second_x, second_y, lanes - PW) : pv_zero());
        }
        return;
    }
    for (int first = 0; first < width; first += PW)
        for (int64_t p = 0; p < k; p += 2 * PW) {
            const int rows = k - p < 2 * PW ? (int)(k - p + 1) / 2 : PW;
            pv x[PW], y[PW];
            PK_UNROLL
            for (int i = 0; i < PW; i++) {
                const char *element = start + ((first + i) * lane_stride + p) * size;
                x[i] = first + i < lanes ? pairs_along(type, part, element, k - p) : pv_zero();
            }
            transpose(y, x);
            for (int i = 0; i < rows; i++) store_lanes(to + (p / 2 + i) * width + first, y[i], width - first);
        }
}
#endif
