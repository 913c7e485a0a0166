/* SPDX-License-Identifier: Apache-2.0
 * rounded.h -- packing for products in bf16 arithmetic without instructions for it: panels of floats that are rounded
 * to bf16. The f32 micro-kernel multiplies them, and each product of two bf16 is exact in f32; so only the order of the
 * additions may differ from that of the instructions. Included by one file of each instruction set, which has defined
 * PK_NAME. */
#ifndef PK_ROUNDED_H
#define PK_ROUNDED_H
#include "../pk.h"
#include "../ref/half.h"

static void round_panels(pk_real *panels, int64_t width, int64_t lanes, int64_t k)
{
    const int64_t elements = (lanes + width - 1) / width * width * k;
    for (int64_t i = 0; i < elements; i++) panels[i] = (pk_real)pk_round_bf16((float)panels[i]);
}

/* Defines pk_pack_a_rounded_<isa>, of panels of mr rows. */
#define PK_PACK_A_ROUNDED(mr) \
    void PK_NAME(pack_a)(pk_real *panels, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k); \
    void PK_NAME(pack_a_rounded)(pk_real *panels, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k); \
    void PK_NAME(pack_a_rounded)(pk_real *panels, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k) \
    { \
        PK_NAME(pack_a)(panels, a, row, col, m, k); \
        round_panels(panels, mr, m, k); \
    }
/* Defines pk_pack_b_<type>_rounded_<isa>, of panels of nr columns. */
#define PK_PACK_B_ROUNDED(type, nr) \
    void PK_NAME(pack_b_##type)(pk_real *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n); \
    void PK_NAME(pack_b_##type##_rounded)(pk_real *panels, const void *b, int64_t row, int64_t col, int64_t k, \
                                          int64_t n); \
    void PK_NAME(pack_b_##type##_rounded)(pk_real *panels, const void *b, int64_t row, int64_t col, int64_t k, \
                                          int64_t n) \
    { \
        PK_NAME(pack_b_##type)(panels, b, row, col, k, n); \
        round_panels(panels, nr, n, k); \
    }
#endif
