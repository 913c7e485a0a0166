/* SPDX-License-Identifier: Apache-2.0
 * simd.h -- vector types and operations for the kernels of this folder, over AVX-512 or AVX2. Each .c file is compiled
 * once for each instruction set (PK_ISA names it), so that a kernel is written once for both widths.
 * pv is a vector of PW floats, pvi one of integers. pm is a mask: pm_first(n) selects the first n lanes, for the end of
 * an array; masked loads and stores touch no memory in the other lanes. */
#ifndef PK_SIMD_H
#define PK_SIMD_H
#include <immintrin.h>
#include "../pk.h"

#define PK_CAT_(a, b) a##_##b
#define PK_CAT(a, b) PK_CAT_(a, b)
#define PK_NAME(name) PK_CAT(pk_##name, PK_ISA)         /* pk_add_avx2, pk_add_avx512 */

/* 1.5*2^23 + 127: x + PV_EXP2_BIAS rounds x to an integer n, and the low bits of the sum are the exponent field of
 * 2^n */
#define PV_EXP2_BIAS 12583039.0f

#if defined(__AVX512F__)
#define PW 16
typedef __m512 pv;
typedef __m512i pvi;
typedef __mmask16 pm;
static inline pv  pv_load(const float *p)              { return _mm512_loadu_ps(p); }
static inline void pv_store(float *p, pv x)            { _mm512_storeu_ps(p, x); }
static inline void pv_stream(float *p, pv x)           { _mm512_stream_ps(p, x); }  /* past the caches; p is aligned */
static inline pm  pm_first(int64_t n)                   { return (pm)((1u << n) - 1u); }      /* 0 <= n <= PW */
static inline pv  pv_load_m(const float *p, pm m)      { return _mm512_maskz_loadu_ps(m, p); } /* other lanes: 0 */
static inline void pv_store_m(float *p, pm m, pv x)    { _mm512_mask_storeu_ps(p, m, x); }
static inline pv  pv_select(pm m, pv x, pv other)      { return _mm512_mask_blend_ps(m, other, x); } /* m ? x : other */
static inline pv  pv_set(float x)                      { return _mm512_set1_ps(x); }
static inline pv  pv_zero(void)                        { return _mm512_setzero_ps(); }
static inline pv  pv_add(pv a, pv b)                   { return _mm512_add_ps(a, b); }
static inline pv  pv_sub(pv a, pv b)                   { return _mm512_sub_ps(a, b); }
static inline pv  pv_mul(pv a, pv b)                   { return _mm512_mul_ps(a, b); }
static inline pv  pv_div(pv a, pv b)                   { return _mm512_div_ps(a, b); }
static inline pv  pv_fma(pv a, pv b, pv c)             { return _mm512_fmadd_ps(a, b, c); }  /* a*b + c */
static inline pv  pv_fnma(pv a, pv b, pv c)            { return _mm512_fnmadd_ps(a, b, c); } /* c - a*b */
static inline pv  pv_max(pv a, pv b)                   { return _mm512_max_ps(a, b); }
static inline pv  pv_min(pv a, pv b)                   { return _mm512_min_ps(a, b); }
static inline pv  pv_sqrt(pv a)                        { return _mm512_sqrt_ps(a); }
static inline pv  pv_swap_pairs(pv a)                  { return _mm512_permute_ps(a, 0xB1); } /* lanes 1, 0, 3, 2, .. */
static inline pv  pv_round(pv a)                       { return _mm512_roundscale_ps(a, 8); }     /* 8: to nearest */
static inline pv  pv_abs(pv a)                         { return _mm512_abs_ps(a); }
static inline pv  pv_copysign(pv mag, pv s)            /* |mag| with the sign of s */
{
    const __m512i sign_bit = _mm512_set1_epi32((int)0x80000000u), sign = _mm512_castps_si512(s);
    enum { SELECT = 0xCA };                            /* truth table of a ? b : c, bit by bit */
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(sign_bit, sign, _mm512_castps_si512(mag), SELECT));
}
static inline pm  pv_less(pv a, pv b)                  { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline pv  pv_exp2i(pv n)                       /* 2^n for integral n in -126..127 */
{ return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23)); }
static inline pv  pv_exp2_biased(pv t)                 /* 2^n from t = PV_EXP2_BIAS + n, n in -127 (gives 0)..127 */
{ return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(t), 23)); }
static inline float pv_sum(pv a)                       /* of all lanes, by halves: lane i + lane i+PW/2, ... */
{
    __m256 x = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
static inline float pv_max_lane(pv a)                      /* the largest lane, if none is NaN */
{ return _mm512_reduce_max_ps(a); }
#else
#define PW 8
typedef __m256 pv;
typedef __m256i pvi;
typedef __m256 pm;
static inline pv  pv_load(const float *p)              { return _mm256_loadu_ps(p); }
static inline void pv_store(float *p, pv x)            { _mm256_storeu_ps(p, x); }
static inline void pv_stream(float *p, pv x)           { _mm256_stream_ps(p, x); }
static inline pm  pm_first(int64_t n)                   /* 0 <= n <= PW */
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane));
}
static inline pv  pv_load_m(const float *p, pm m)      { return _mm256_maskload_ps(p, _mm256_castps_si256(m)); }
static inline void pv_store_m(float *p, pm m, pv x)    { _mm256_maskstore_ps(p, _mm256_castps_si256(m), x); }
static inline pv  pv_select(pm m, pv x, pv other)      { return _mm256_blendv_ps(other, x, m); }
static inline pv  pv_set(float x)                      { return _mm256_set1_ps(x); }
static inline pv  pv_zero(void)                        { return _mm256_setzero_ps(); }
static inline pv  pv_add(pv a, pv b)                   { return _mm256_add_ps(a, b); }
static inline pv  pv_sub(pv a, pv b)                   { return _mm256_sub_ps(a, b); }
static inline pv  pv_mul(pv a, pv b)                   { return _mm256_mul_ps(a, b); }
static inline pv  pv_div(pv a, pv b)                   { return _mm256_div_ps(a, b); }
static inline pv  pv_fma(pv a, pv b, pv c)             { return _mm256_fmadd_ps(a, b, c); }
static inline pv  pv_fnma(pv a, pv b, pv c)            { return _mm256_fnmadd_ps(a, b, c); }
static inline pv  pv_max(pv a, pv b)                   { return _mm256_max_ps(a, b); }
static inline pv  pv_min(pv a, pv b)                   { return _mm256_min_ps(a, b); }
static inline pv  pv_sqrt(pv a)                        { return _mm256_sqrt_ps(a); }
static inline pv  pv_swap_pairs(pv a)                  { return _mm256_permute_ps(a, 0xB1); }
static inline pv  pv_round(pv a)
{ return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline pv  pv_abs(pv a)                         { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline pv  pv_copysign(pv mag, pv s)
{
    const pv sign_bit = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_and_ps(sign_bit, s), _mm256_andnot_ps(sign_bit, mag));
}
static inline pm  pv_less(pv a, pv b)                  { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline pv  pv_exp2i(pv n)
{ return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23)); }
static inline pv  pv_exp2_biased(pv t)
{ return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 23)); }
static inline float pv_sum(pv a)
{
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}
static inline float pv_max_lane(pv a)
{
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}
#endif
#endif
