/* SPDX-License-Identifier: Apache-2.0
 * bf16.c -- products in bf16 arithmetic by VDPBF16PS (AVX-512 BF16), which adds two products of bf16 to each f32 sum:
 * the micro-kernel of ../simd/gemm_micro.h with that instruction in place of the FMA, over panels of pairs
 * (pairs.h). */
#define PK_DOT_BF16
#include "pairs.h"

void PK_NAME(pack_pairs_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k);
void PK_NAME(micro_pairs)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch);
double PK_NAME(dots)(int64_t rounds);

void PK_NAME(pack_pairs_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k)
{
    for (int64_t i = 0; i < m; i += PK_MR, panels += PK_MR * ((k + 1) / 2)) {
        const int rows = m - i < PK_MR ? (int)(m - i) : PK_MR;
        pack_pairs(PK_REAL, PK_FIRST_PART, panels, PK_MR, a + i * row, row, col, rows, k);
    }
}

/* Defines pk_pack_pairs_b_<name>_<isa>. */
#define PACK_B(name, type) \
    void PK_NAME(pack_pairs_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n); \
    void PK_NAME(pack_pairs_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n) \
    { \
        const char *from = b; \
        for (int64_t j = 0; j < n; j += PK_NR, panels += PK_NR * ((k + 1) / 2)) \
            pack_pairs(type, PK_FIRST_PART, panels, PK_NR, from + j * col * pk_dtype_size(type), col, row, \
                       n - j < PK_NR ? (int)(n - j) : PK_NR, k); \
    }
PACK_B(real, PK_REAL)
PACK_B(f16, PK_F16)
PACK_B(bf16, PK_BF16)

/* Packs one panel for bf16x3: three panels of pairs, one behind the other, of these parts of the elements. */
PK_INLINE void pack_parts(const pk_dtype type, const pk_part parts[3], float *to, const int width, const void *from,
                          int64_t lane_stride, int64_t k_stride, int lanes, int64_t k)
{
    const int64_t size = (k + 1) / 2 * width;
    for (int i = 0; i < 3; i++, to += size)
        if (parts[i] == PK_FIRST_PART)
            pack_pairs(type, PK_FIRST_PART, to, width, from, lane_stride, k_stride, lanes, k);
        else pack_pairs(type, PK_SECOND_PART, to, width, from, lane_stride, k_stride, lanes, k);
}

void PK_NAME(pack_pairs_x3_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k);
void PK_NAME(pack_pairs_x3_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k)
{
    static const pk_part parts[3] = PK_PARTS_OF_A;
    for (int64_t i = 0; i < m; i += PK_MR, panels += 3 * PK_MR * ((k + 1) / 2))
        pack_parts(PK_REAL, parts, panels, PK_MR, a + i * row, row, col, m - i < PK_MR ? (int)(m - i) : PK_MR, k);
}

/* Defines pk_pack_pairs_x3_b_<name>_<isa>. */
#define PACK_B_X3(name, type) \
    void PK_NAME(pack_pairs_x3_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, \
                                         int64_t n); \
    void PK_NAME(pack_pairs_x3_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, \
                                         int64_t n) \
    { \
        static const pk_part parts[3] = PK_PARTS_OF_B; \
        const char *from = b; \
        for (int64_t j = 0; j < n; j += PK_NR, panels += 3 * PK_NR * ((k + 1) / 2)) \
            pack_parts(type, parts, panels, PK_NR, from + j * col * pk_dtype_size(type), col, row, \
                       n - j < PK_NR ? (int)(n - j) : PK_NR, k); \
    }
PACK_B_X3(real, PK_REAL)
PACK_B_X3(f16, PK_F16)
PACK_B_X3(bf16, PK_BF16)

void PK_NAME(micro_pairs)(int64_t lanes, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch)
{
    micro_tile(lanes, a, b, c, c_row, m, n, initial, prefetch);
}

/* Two multiply-adds for each lane of every accumulator of a tile, without memory. */
double PK_NAME(dots)(int64_t rounds)
{
    return 2 * micro_peak(rounds);
}
