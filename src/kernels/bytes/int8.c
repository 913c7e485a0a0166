/* SPDX-License-Identifier: Apache-2.0
 * int8.c -- products in int8 arithmetic by VPDPBUSD (AVX-512 VNNI), which adds four products of bytes to each 32-bit
 * integer: the loop of ../simd/gemm_micro.h with that instruction in place of the FMA, over panels of bytes
 * (bytes.h). The integer sums of a piece of K are exact; they are scaled and added to the tile at its end. */
#define PK_DOT_INT8
#include "bytes.h"

void PK_NAME(pack_bytes_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k);
void PK_NAME(micro_bytes)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch);
double PK_NAME(dots_bytes)(int64_t rounds);

void PK_NAME(pack_bytes_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k)
{
    for (int64_t i = 0; i < m; i += PK_MR, panels += PK_MR * panel_lanes(k)) {
        const char *const from = (const char *)(a + i * row);
        const int rows = m - i < PK_MR ? (int)(m - i) : PK_MR;
        if (col == 1) pack_bytes(PK_REAL, BYTES_OF_A, panels, PK_MR, from, row, 1, rows, k);
        else pack_bytes(PK_REAL, BYTES_OF_A, panels, PK_MR, from, row, col, rows, k);
    }
}

/* Defines pk_pack_bytes_b_<name>_<isa>. */
#define PACK_B(name, type) \
    void PK_NAME(pack_bytes_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n); \
    void PK_NAME(pack_bytes_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n) \
    { \
        const char *from = b; \
        for (int64_t j = 0; j < n; j += PK_NR, panels += PK_NR * panel_lanes(k)) { \
            const char *x = from + j * col * pk_dtype_size(type); \
            const int columns = n - j < PK_NR ? (int)(n - j) : PK_NR; \
            if (row == 1) pack_bytes(type, BYTES_OF_B, panels, PK_NR, x, col, 1, columns, k); \
            else pack_bytes(type, BYTES_OF_B, panels, PK_NR, x, col, row, columns, k); \
        } \
    }
PACK_B(real, PK_REAL)
PACK_B(f16, PK_F16)
PACK_B(bf16, PK_BF16)

void PK_NAME(pack_bytes_int8)(float *panels, const int8_t *b, int64_t stride, const float *scales,
                              int64_t scale_stride, int64_t k, int64_t n);
void PK_NAME(pack_bytes_int8)(float *panels, const int8_t *b, int64_t stride, const float *scales,
                              int64_t scale_stride, int64_t k, int64_t n)
{
    for (int64_t j = 0; j < n; j += PK_NR, panels += PK_NR * panel_lanes(k))
        for (int first = 0; first < PK_NR; first += PW) {
            const int64_t left = n - j - first;
            const int count = left < 0 ? 0 : left < PW ? (int)left : PW;
            for (int i = 0; i < PW; i++) panels[first + i] = i < count ? scales[(j + first + i) * scale_stride] : 0;
            pv_store(panels + PK_NR + first, pv_zero());
            store_bytes(panels + first, PK_NR, b + (j + first) * stride, stride, count, PW, k,
                        _mm512_set1_epi8((char)0x80));
        }
}

/* Starts the sums of row i at the integer of its panel. */
PK_INLINE void bytes_begin(pv (*acc)[2], const float *a, const int rows)
{
#define PK_ROW(i) if (i < rows) acc[i][0] = acc[i][1] = pv_set(a[PK_MR + i]);
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
}

/* c = initial + sums times the scales of row and column. */
PK_INLINE void bytes_end(float *c, int64_t c_row, pv (*acc)[2], const float *a, const float *b, const float *initial,
                         int m, int n, const int rows, const int vectors)
{
    const pv b0 = pv_load(b), b1 = pv_load(b + PW);
#define PK_ROW(i) if (i < rows && i < m) { \
        const pv scale = pv_set(a[i]), sums = _mm512_cvtepi32_ps(_mm512_castps_si512(acc[i][0])); \
        const pv x = initial ? load_lanes(initial + i * PK_NR, n) : pv_zero(); \
        store_lanes(c + i * c_row, pv_fma(sums, pv_mul(scale, b0), x), n); \
        if (vectors > 1) { \
            const pv sums1 = _mm512_cvtepi32_ps(_mm512_castps_si512(acc[i][1])); \
            const pv x1 = initial ? load_lanes(initial + i * PK_NR + PW, n - PW) : pv_zero(); \
            store_lanes(c + i * c_row + PW, pv_fma(sums1, pv_mul(scale, b1), x1), n - PW); \
        } }
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
}

/* micro_rows of gemm_micro.h for panels of bytes. */
PK_INLINE void bytes_rows(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch, const int rows, const int vectors)
{
    pv acc[PK_MR][2];
    bytes_begin(acc, a, rows);
    micro_sums(lanes, acc, a + PK_INT8_HEADER * PK_MR, b + PK_INT8_HEADER * PK_NR, initial, prefetch, rows, vectors);
    bytes_end(c, c_row, acc, a, b, initial, m, n, rows, vectors);
}

void PK_NAME(micro_bytes)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch)
{
    if (m == PK_MR && n == PK_NR) bytes_rows(lanes, a, b, c, c_row, PK_MR, PK_NR, initial, prefetch, PK_MR, 2);
    else PK_TILE(m, n, bytes_rows, lanes, a, b, c, c_row, m, n, initial, NULL)
}

/* Four multiply-adds for each lane of every accumulator of a tile, without memory. */
double PK_NAME(dots_bytes)(int64_t rounds)
{
    return 4 * micro_peak(rounds);
}
