/* SPDX-License-Identifier: Apache-2.0
 * int8.c -- reads weights that are stored as int8 (../ref/int8.h). A block of 64 whole numbers is transformed back in
 * 16-bit integers, as the sums are at most 64 * 127 = 8128, and becomes floats at the end. */
#include "../names.h"
#include "../ref/int8.h"
#include "gemm_micro.h"

enum { BLOCK = PK_INT8_BLOCK, HALF = BLOCK / 2 };
#if PW == 16
enum { UNITS = 1 };                                         /* vectors of 16-bit integers in half a block */
typedef __m512i pv_short;
PK_INLINE pv_short short_load(const int8_t *x) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)x)); }
PK_INLINE pv_short short_add(pv_short a, pv_short b) { return _mm512_add_epi16(a, b); }
PK_INLINE pv_short short_sub(pv_short a, pv_short b) { return _mm512_sub_epi16(a, b); }

/* One step of the transform within a vector: `other` holds for each lane its partner; a lane of `second` becomes
 * partner minus lane, the others the sum. */
PK_INLINE pv_short short_step(pv_short x, pv_short other, __mmask32 second)
{
    return _mm512_mask_sub_epi16(_mm512_add_epi16(x, other), second, other, x);
}

/* The steps of distance 16, 8, 4, 2 and 1 of half a block. */
PK_INLINE void short_steps(pv_short x[UNITS])
{
    x[0] = short_step(x[0], _mm512_shuffle_i64x2(x[0], x[0], 0x4E), 0xFFFF0000u);
    x[0] = short_step(x[0], _mm512_shuffle_i64x2(x[0], x[0], 0xB1), 0xFF00FF00u);
    x[0] = short_step(x[0], _mm512_shuffle_epi32(x[0], 0x4E), 0xF0F0F0F0u);
    x[0] = short_step(x[0], _mm512_shuffle_epi32(x[0], 0xB1), 0xCCCCCCCCu);
    x[0] = short_step(x[0], _mm512_rol_epi32(x[0], 16), 0xAAAAAAAAu);
}

/* The PW integers from number i * PW of half a block on, as floats. */
PK_INLINE pv short_floats(const pv_short x[UNITS], int i)
{
    const __m256i part = i ? _mm512_extracti64x4_epi64(x[0], 1) : _mm512_castsi512_si256(x[0]);
    return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(part));
}
#else
enum { UNITS = 2 };
typedef __m256i pv_short;
PK_INLINE pv_short short_load(const int8_t *x) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)x)); }
PK_INLINE pv_short short_add(pv_short a, pv_short b) { return _mm256_add_epi16(a, b); }
PK_INLINE pv_short short_sub(pv_short a, pv_short b) { return _mm256_sub_epi16(a, b); }

/* One step of the transform within a vector: `other` holds for each lane its partner, signs -1 in the lanes that become
 * partner minus lane. */
PK_INLINE pv_short short_step(pv_short x, pv_short other, pv_short signs)
{
    return _mm256_add_epi16(other, _mm256_sign_epi16(x, signs));
}

/* The steps of distance 16, 8, 4, 2 and 1 of half a block. */
PK_INLINE void short_steps(pv_short x[UNITS])
{
    const pv_short sum = short_add(x[0], x[1]), difference = short_sub(x[0], x[1]);
    x[0] = sum;
    x[1] = difference;
    PK_UNROLL
    for (int i = 0; i < UNITS; i++) {
        x[i] = short_step(x[i], _mm256_permute2x128_si256(x[i], x[i], 1),
                          _mm256_setr_epi64x(0x0001000100010001, 0x0001000100010001, -1, -1));
        x[i] = short_step(x[i], _mm256_shuffle_epi32(x[i], 0x4E),
                          _mm256_setr_epi64x(0x0001000100010001, -1, 0x0001000100010001, -1));
        x[i] = short_step(x[i], _mm256_shuffle_epi32(x[i], 0xB1),
                          _mm256_setr_epi32(0x00010001, -1, 0x00010001, -1, 0x00010001, -1, 0x00010001, -1));
        x[i] = short_step(x[i], _mm256_or_si256(_mm256_slli_epi32(x[i], 16), _mm256_srli_epi32(x[i], 16)),
                          _mm256_set1_epi32((int)0xFFFF0001));
    }
}

/* The PW integers from number i * PW of half a block on, as floats. */
PK_INLINE pv short_floats(const pv_short x[UNITS], int i)
{
    const __m128i part = i & 1 ? _mm256_extracti128_si256(x[i / 2], 1) : _mm256_castsi256_si128(x[i / 2]);
    return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(part));
}
#endif

/* Elements half * 32 .. half * 32 + 31 of the block at `from`. */
PK_INLINE void read_half(float *to, const int8_t *from, int half, pv factor)
{
    pv_short x[UNITS];
    PK_UNROLL
    for (int i = 0; i < UNITS; i++) {
        const pv_short a = short_load(from + i * (HALF / UNITS)), b = short_load(from + HALF + i * (HALF / UNITS));
        x[i] = half ? short_sub(a, b) : short_add(a, b);
    }
    short_steps(x);
    PK_UNROLL
    for (int i = 0; i < HALF / PW; i++) pv_store(to + i * PW, pv_mul(short_floats(x, i), factor));
}

void PK_NAME(dequantise)(float *to, int64_t ldt, const int8_t *from, const float *scales, int64_t cols, int64_t rows,
                         int64_t first, int64_t n)
{
    const int64_t stride = pk_int8_whole_blocks(cols);
    const pk_pieces pieces = pk_int8_pieces(cols);
    for (int64_t i = 0; i < rows; i++, to += ldt, from += stride, scales += pieces.count)
        for (int64_t half = first / HALF; half * HALF < first + n; half++) {
            const int64_t begin = half * HALF, skip = begin < first ? first - begin : 0;
            const int64_t end = first + n - begin < HALF ? first + n - begin : HALF;
            const pv factor = pv_set(PK_INT8_VALUE(scales[begin / pieces.length]));
            const int8_t *const block = from + begin / BLOCK * BLOCK;
            float part[HALF];
            if (!skip && end == HALF) {
                read_half(to + begin - first, block, half & 1, factor);
                continue;
            }
            read_half(part, block, half & 1, factor);
            for (int64_t j = skip; j < end; j++) to[begin + j - first] = part[j];
        }
}
