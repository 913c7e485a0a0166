/* SPDX-License-Identifier: Apache-2.0
 * half.h -- converts vectors of f16 and bf16 to float, exactly, rounds to bf16, and packs panels of a B in these types.
 * `type` is a compile-time constant everywhere: PK_F16 or PK_BF16. */
#ifndef PK_SIMD_HALF_H
#define PK_SIMD_HALF_H
#include "pack.h"

#if PW == 16
typedef __m256i pv_half;
PK_INLINE pv_half half_load(const uint16_t *from)               { return _mm256_loadu_si256((const void *)from); }
/* The first n lanes, 0 <= n <= PW; zero in the others. */
PK_INLINE pv_half half_load_first(const uint16_t *from, int n)
{
    return _mm256_maskz_loadu_epi16(pm_first(n), from);
}
/* The numbers of x as floats. */
PK_INLINE pv half_widen(const pk_dtype type, pv_half x)
{
    if (type == PK_F16) return _mm512_cvtph_ps(x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
/* x rounded to bf16; pk_round_bf16 (../ref/half.h) explains the steps. */
PK_INLINE pv_half half_round(pv x)
{
    const __m512i bits = _mm512_castps_si512(x), one = _mm512_set1_epi32(1);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
    const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
    __m512i r = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    r = _mm512_mask_or_epi32(r, _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7F800000)), bits,
                             _mm512_set1_epi32(0x00400000));
    r = _mm512_mask_xor_epi32(r, _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(0x00800000)), bits, magnitude);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16));
}
/* Stores the first n lanes of x, rounded to bf16; all if n is PW or more. */
PK_INLINE void half_store(uint16_t *to, pv x, int64_t n)
{
    if (n >= PW) _mm256_storeu_si256((void *)to, half_round(x));
    else _mm256_mask_storeu_epi16(to, pm_first(n), half_round(x));
}
/* Stores all lanes past the caches; `to` is aligned. */
PK_INLINE void half_stream(uint16_t *to, pv x)                  { _mm256_stream_si256((void *)to, half_round(x)); }
#else
typedef __m128i pv_half;
PK_INLINE pv_half half_load(const uint16_t *from)               { return _mm_loadu_si128((const void *)from); }
PK_INLINE pv_half half_load_first(const uint16_t *from, int n)
{
    uint16_t x[PW] = { 0 };
    for (int i = 0; i < n; i++) x[i] = from[i];
    return half_load(x);
}
/* f16 without the instructions of F16C, which not every CPU with AVX2 has. The exponent of a normal number grows by 112
 * (bias 15 to 127), that of infinity and NaN by 224 (31 to 255); a subnormal number is its fraction times 2^-24. 0x7BFF
 * is the largest finite number, 0x400 the smallest normal one. */
PK_INLINE pv half_widen(const pk_dtype type, pv_half x)
{
    const pvi bits = _mm256_cvtepu16_epi32(x);
    if (type == PK_BF16) return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
    const pvi magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFF)), rebias = _mm256_set1_epi32(112 << 23);
    const pvi sign = _mm256_slli_epi32(_mm256_xor_si256(bits, magnitude), 16);
    const pvi not_finite = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7BFF));
    const pvi subnormal = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x400), magnitude);
    pvi normal = _mm256_add_epi32(_mm256_slli_epi32(magnitude, 13), rebias);
    normal = _mm256_add_epi32(normal, _mm256_and_si256(not_finite, rebias));
    const pv small = pv_mul(_mm256_cvtepi32_ps(magnitude), pv_set(0x1p-24f));
    const pv r = pv_select(_mm256_castsi256_ps(subnormal), small, _mm256_castsi256_ps(normal));
    return _mm256_or_ps(r, _mm256_castsi256_ps(sign));
}
PK_INLINE pv_half half_round(pv x)
{
    const pvi bits = _mm256_castps_si256(x), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const pvi magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
    const pvi nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7F800000));
    const pvi subnormal = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);
    pvi r = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    r = _mm256_blendv_epi8(r, _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000)), nan);
    r = _mm256_blendv_epi8(r, _mm256_xor_si256(bits, magnitude), subnormal);
    r = _mm256_srli_epi32(r, 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1));
}
PK_INLINE void half_store(uint16_t *to, pv x, int64_t n)
{
    uint16_t lanes[PW];
    const pv_half half = half_round(x);
    if (n >= PW) {
        _mm_storeu_si128((void *)to, half);
        return;
    }
    _mm_storeu_si128((void *)lanes, half);
    for (int i = 0; i < n; i++) to[i] = lanes[i];
}
PK_INLINE void half_stream(uint16_t *to, pv x)                  { _mm_stream_si128((void *)to, half_round(x)); }
#endif

/* The first n lanes converted, zero in the others; n may be 0 or more than PW. */
PK_INLINE pv half_lanes(const pk_dtype type, const uint16_t *from, int64_t n)
{
    return half_widen(type, n >= PW ? half_load(from) : half_load_first(from, n > 0 ? (int)n : 0));
}

/* Packs one panel of width PK_NR of a B of 16 bits, as pack_panel (pack.h) does for floats. */
PK_INLINE void half_panel(const pk_dtype type, float *to, const uint16_t *from, int64_t lane_stride, int64_t k_stride,
                          int lanes, int64_t k)
{
    if (lane_stride == 1) {
        for (int64_t p = 0; p < k; p++, to += PK_NR, from += k_stride) {
            pv_store(to, half_lanes(type, from, lanes));
            pv_store(to + PW, half_lanes(type, from + PW, lanes - PW));
        }
        return;
    }
    for (int first = 0; first < PK_NR; first += PW)
        for (int64_t p = 0; p < k; p += PW) {
            const int rows = k - p < PW ? (int)(k - p) : PW;
            pv x[PW], y[PW];
            for (int i = 0; i < PW; i++)
                x[i] = first + i < lanes ? half_lanes(type, from + (first + i) * lane_stride + p, rows) : pv_zero();
            transpose(y, x);
            for (int i = 0; i < rows; i++) pv_store(to + (p + i) * PK_NR + first, y[i]);
        }
}
#endif
