/* SPDX-License-Identifier: Apache-2.0
 * bytes.h -- packs matrices into panels of bytes, for VPDPBUSD, which multiplies four unsigned bytes by four signed
 * ones. A panel is [2 + 16 ceil(k/64)][width] of 32-bit lanes. A lane of K holds four elements that follow one another
 * along k, rotated and rounded by ../ref/int8.h, the first in the lowest byte; those of A are signed, those of B are
 * stored plus 128. Before them are two lanes: the scales of the rows of A (columns of B), and in A the integer at which
 * the sums of the row start, -128 times the sum of its elements, which takes out what the 128 added. `type` is a
 * compile-time constant everywhere: the type of the matrix. */
#ifndef PK_BYTES_H
#define PK_BYTES_H
#include "../ref/int8.h"
#include "../simd/half.h"

enum { BLOCK = PK_INT8_BLOCK };                             /* a block of bytes fills a vector */
/* Lanes of a panel for k elements. */
PK_INLINE int64_t panel_lanes(int64_t k) { return PK_INT8_HEADER + pk_int8_whole_blocks(k) / 4; }
typedef enum { BYTES_OF_A, BYTES_OF_B } bytes_of;

/* The first n floats from `from` on, `stride` elements apart, zero in the other lanes; n may be 0 or more than PW. */
PK_INLINE pv floats_along(const pk_dtype type, const char *from, int64_t stride, int64_t n)
{
    if (stride == 1) return type == PK_REAL ? load_lanes((const float *)from, n)
                                            : half_lanes(type, (const uint16_t *)from, n);
    float x[PW] = { 0 };
    for (int i = 0; i < PW && i < n; i++)
        x[i] = type == PK_REAL ? ((const float *)from)[i * stride]
                               : _mm512_cvtss_f32(half_lanes(type, (const uint16_t *)from + i * stride, 1));
    return pv_load(x);
}

/* One step of the transform within a vector (pk_int8_rotate): `other` holds for each lane the partner's element, sign
 * is -1 in the lane of a pair that becomes a difference. */
PK_INLINE pv rotate_step(pv x, pv other, pv sign) { return pv_fma(x, sign, other); }

/* pk_int8_rotate of the 64 elements in x. */
PK_INLINE void rotate_block(pv x[4])
{
    static const float signs[4][PW] = { { 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1 },
                                        { 1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1 },
                                        { 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1 },
                                        { 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1 } };
    const pv a = pv_add(x[0], x[1]), b = pv_sub(x[0], x[1]), c = pv_add(x[2], x[3]), d = pv_sub(x[2], x[3]);
    x[0] = pv_add(a, c);
    x[1] = pv_add(b, d);
    x[2] = pv_sub(a, c);
    x[3] = pv_sub(b, d);
    PK_UNROLL
    for (int i = 0; i < 4; i++) {           /* 0x4E swaps halves, 0xB1 neighbours, of a vector's or a quarter's parts */
        x[i] = rotate_step(x[i], _mm512_shuffle_f32x4(x[i], x[i], 0x4E), pv_load(signs[0]));
        x[i] = rotate_step(x[i], _mm512_shuffle_f32x4(x[i], x[i], 0xB1), pv_load(signs[1]));
        x[i] = rotate_step(x[i], _mm512_permute_ps(x[i], 0x4E), pv_load(signs[2]));
        x[i] = rotate_step(x[i], _mm512_permute_ps(x[i], 0xB1), pv_load(signs[3]));
    }
}

/* Rotates k elements from `from` on, `stride` elements apart, into `to`, with zeros to the end of the last block.
 * Returns their scale. */
PK_INLINE pk_int8_scale rotate_row(const pk_dtype type, float *to, const char *from, int64_t stride, int64_t k)
{
    const int64_t size = pk_dtype_size(type);
    __m512i largest = _mm512_setzero_si512();
    for (int64_t p = 0; p < k; p += BLOCK) {
        pv x[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++)
            x[i] = p + i * PW < k ? floats_along(type, from + (p + i * PW) * stride * size, stride, k - p - i * PW)
                                  : pv_zero();
        rotate_block(x);
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            pv_store(to + p + i * PW, x[i]);
            largest = _mm512_max_epu32(largest, _mm512_castps_si512(pv_abs(x[i])));
        }
    }
    return pk_int8_scale_of(_mm512_reduce_max_epu32(largest));
}

/* The 64 elements at x times factor, rounded, as signed bytes in order. */
PK_INLINE __m512i bytes_of_block(const float *x, float factor)
{
    /* packing to 16 and to 8 bits works within quarters of vectors: unit 4q + i of the result is unit q of whole[i] */
    const __m512i in_order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i whole[4];
    PK_UNROLL
    for (int i = 0; i < 4; i++) {                                                       /* pk_int8_round */
        const pv sums = pv_fma(pv_load(x + i * PW), pv_set(factor), pv_set(PK_INT8_SHIFT));
        whole[i] = _mm512_sub_epi32(_mm512_castps_si512(sums), _mm512_castps_si512(pv_set(PK_INT8_SHIFT)));
    }
    const __m512i low = _mm512_packs_epi32(whole[0], whole[1]), high = _mm512_packs_epi32(whole[2], whole[3]);
    return _mm512_permutexvar_epi32(in_order, _mm512_packs_epi16(low, high));
}

/* Rounds the k elements of one row of A (column of B) from `from` on into `bytes`. *scale: what they are multiplied by.
 * Returns the sum of the signed bytes. */
PK_INLINE int32_t round_row(const pk_dtype type, uint8_t *bytes, float *scale, const char *from, int64_t stride,
                            int64_t k)
{
    float rotated[PK_INT8_PIECE];
    const pk_int8_scale s = rotate_row(type, rotated, from, stride, k);
    __m512i sum = _mm512_setzero_si512();
    for (int64_t p = 0; p < k; p += BLOCK) {
        const __m512i block = s.factor != 0 ? bytes_of_block(rotated + p, s.factor) : _mm512_setzero_si512();
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), block);
        _mm512_storeu_si512(bytes + p, block);
    }
    *scale = s.scale;
    return _mm512_reduce_add_epi32(sum);
}

/* Stores the bytes of up to PW rows as columns of a panel: `count` rows, `stride` bytes apart, of k bytes in whole
 * blocks; rows from count on are zeros. `to` is the first column, of which `columns` exist. added is added to each byte
 * by XOR. */
PK_INLINE void store_bytes(float *to, const int width, const void *rows, int64_t stride, int count, int columns,
                           int64_t k, __m512i added)
{
    for (int64_t p = 0; p < k; p += BLOCK) {
        pv x[PW], y[PW];
        PK_UNROLL
        for (int i = 0; i < PW; i++) {
            const __m512i block = i < count ? _mm512_loadu_si512((const char *)rows + i * stride + p)
                                            : _mm512_setzero_si512();
            x[i] = _mm512_castsi512_ps(_mm512_xor_si512(block, added));
        }
        transpose(y, x);
        for (int i = 0; i < PW; i++) store_lanes(to + (PK_INT8_HEADER + p / 4 + i) * width, y[i], columns);
    }
}

/* Packs one panel: element p of lane l is from[l*lane_stride + p*k_stride], for p < k and l < lanes; the lanes from
 * `lanes` to width - 1 are zeros. One of the two strides is 1. width is a compile-time constant, PK_MR for A, PK_NR for
 * B. */
PK_INLINE void pack_bytes(const pk_dtype type, const bytes_of matrix, float *to, const int width, const char *from,
                          int64_t lane_stride, int64_t k_stride, int lanes, int64_t k)
{
    const int64_t size = pk_dtype_size(type);
    const __m512i plus_128 = matrix == BYTES_OF_B ? _mm512_set1_epi8((char)0x80) : _mm512_setzero_si512();
    uint8_t bytes[PW][PK_INT8_PIECE];
    for (int first = 0; first < width; first += PW) {
        const int count = lanes - first < PW ? lanes - first : PW;
        for (int i = 0; i < PW && first + i < width; i++) {
            float scale = 0;
            int32_t sum = 0;
            const char *const row = from + (first + i) * lane_stride * size;
            if (i < count) sum = round_row(type, bytes[i], &scale, row, k_stride, k);
            const int32_t initial = matrix == BYTES_OF_A ? -128 * sum : 0;
            to[first + i] = scale;
            memcpy(to + width + first + i, &initial, sizeof initial);
        }
        store_bytes(to + first, width, bytes[0], PK_INT8_PIECE, count, width - first, k, plus_128);
    }
}
#endif
