/* SPDX-License-Identifier: Apache-2.0
 * half.h -- f16 and bf16 to float, a vector at a time and exactly; panels of B in these types. `type` is a compile-time
 * constant everywhere: PK_F16 or PK_BF16. */
#ifndef PK_SIMD_HALF_H
#define PK_SIMD_HALF_H
#include "pack.h"

#if PW == 16
typedef __m256i pv_half;
PK_INLINE pv_half half_load(const uint16_t *from)               { return _mm256_loadu_si256((const void *)from); }
PK_INLINE pv_half half_load_some(const uint16_t *from, int n)   /* the first n, 0 <= n <= PW; zero beyond */
{
    return _mm256_maskz_loadu_epi16(pm_tail(n), from);
}
PK_INLINE pv half_widen(const pk_dtype type, pv_half x)
{
    if (type == PK_F16) return _mm512_cvtph_ps(x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
#else
typedef __m128i pv_half;
PK_INLINE pv_half half_load(const uint16_t *from)               { return _mm_loadu_si128((const void *)from); }
PK_INLINE pv_half half_load_some(const uint16_t *from, int n)
{
    uint16_t x[PW] = { 0 };
    for (int i = 0; i < n; i++) x[i] = from[i];
    return half_load(x);
}
/* Without F16C, which AVX2 does not promise. A normal number's exponent grows by 112, infinity's and NaN's by 224; a
 * subnormal one is its fraction times 2^-24. */
PK_INLINE pv half_widen(const pk_dtype type, pv_half x)
{
    const pvi bits = _mm256_cvtepu16_epi32(x);
    if (type == PK_BF16) return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
    const pvi size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFF)), more = _mm256_set1_epi32(112 << 23);
    const pvi sign = _mm256_slli_epi32(_mm256_xor_si256(bits, size), 16);
    const pvi top = _mm256_cmpgt_epi32(size, _mm256_set1_epi32(0x7BFF));
    const pvi subnormal = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x400), size);
    pvi normal = _mm256_add_epi32(_mm256_slli_epi32(size, 13), more);
    normal = _mm256_add_epi32(normal, _mm256_and_si256(top, more));
    const pv small = pv_mul(_mm256_cvtepi32_ps(size), pv_set(0x1p-24f));
    const pv r = pv_keep(_mm256_castsi256_ps(subnormal), small, _mm256_castsi256_ps(normal));
    return _mm256_or_ps(r, _mm256_castsi256_ps(sign));
}
#endif

/* The first n lanes, zero beyond; n may be 0 or more than PW. */
PK_INLINE pv half_lanes(const pk_dtype type, const uint16_t *from, int64_t n)
{
    return half_widen(type, n >= PW ? half_load(from) : half_load_some(from, n > 0 ? (int)n : 0));
}

/* pack_panel (pack.h) with width PK_NR for a B in 16 bits. */
PK_INLINE void half_panel(const pk_dtype type, float *to, const uint16_t *from, int64_t lane, int64_t step, int lanes,
                          int64_t k)
{
    if (lane == 1) {
        for (int64_t p = 0; p < k; p++, to += PK_NR, from += step) {
            pv_store(to, half_lanes(type, from, lanes));
            pv_store(to + PW, half_lanes(type, from + PW, lanes - PW));
        }
        return;
    }
    for (int at = 0; at < PK_NR; at += PW)
        for (int64_t p = 0; p < k; p += PW) {
            const int got = k - p < PW ? (int)(k - p) : PW;
            pv x[PW], y[PW];
            for (int i = 0; i < PW; i++)
                x[i] = at + i < lanes ? half_lanes(type, from + (at + i) * lane + p, got) : pv_zero();
            transpose(y, x);
            for (int i = 0; i < got; i++) pv_store(to + (p + i) * PK_NR + at, y[i]);
        }
}
#endif
