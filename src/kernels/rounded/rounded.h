/* SPDX-License-Identifier: Apache-2.0
 * rounded.h -- packing for products in bf16 arithmetic without instructions for it: panels of floats that are rounded
 * to bf16. The f32 micro-kernel multiplies them, and each product of two bf16 is exact in f32; so only the order of the
 * additions may differ from that of the instructions. Included by one file of each instruction set, which has defined
 * PK_NAME. */
#ifndef PK_ROUNDED_H
#define PK_ROUNDED_H
#include <math.h>
#include "../pk.h"
#include "../ref/half.h"
#include "../ref/parts.h"

static inline void round_panels(pk_real *panels, int64_t width, int64_t lanes, int64_t k)
{
    const int64_t elements = (lanes + width - 1) / width * width * k;
    for (int64_t i = 0; i < elements; i++) panels[i] = (pk_real)pk_round_bf16((float)panels[i]);
}

/* Replaces a panel of `count` floats by three: the parts of its elements. */
static inline void split_panel(pk_real *panel, int64_t count, const pk_part parts[3])
{
    for (int64_t i = 0; i < count; i++) {
        const float x = (float)panel[i], first = pk_round_bf16(x);
        const float part[2] = { first, pk_round_bf16(isfinite(first) ? x - first : 0) };
        for (int j = 0; j < 3; j++) panel[j * count + i] = (pk_real)part[parts[j]];
    }
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
/* Defines pk_pack_a_rounded_x3_<isa>. */
#define PK_PACK_A_ROUNDED_X3(mr) \
    void PK_NAME(pack_a_rounded_x3)(pk_real *panels, const pk_real *a, int64_t row, int64_t col, int64_t m, \
                                    int64_t k); \
    void PK_NAME(pack_a_rounded_x3)(pk_real *panels, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k) \
    { \
        for (int64_t i = 0; i < m; i += mr, panels += 3 * k * mr) { \
            PK_NAME(pack_a)(panels, a + i * row, row, col, m - i < mr ? m - i : mr, k); \
            split_panel(panels, k * mr, (const pk_part[3])PK_PARTS_OF_A); \
        } \
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
/* Defines pk_pack_b_<name>_rounded_x3_<isa>. */
#define PK_PACK_B_ROUNDED_X3(name, type, nr) \
    void PK_NAME(pack_b_##name##_rounded_x3)(pk_real *panels, const void *b, int64_t row, int64_t col, int64_t k, \
                                             int64_t n); \
    void PK_NAME(pack_b_##name##_rounded_x3)(pk_real *panels, const void *b, int64_t row, int64_t col, int64_t k, \
                                             int64_t n) \
    { \
        const char *from = b; \
        for (int64_t j = 0; j < n; j += nr, panels += 3 * k * nr) { \
            const char *const columns = from + j * col * pk_dtype_size(type); \
            PK_NAME(pack_b_##name)(panels, columns, row, col, k, n - j < nr ? n - j : nr); \
            split_panel(panels, k * nr, (const pk_part[3])PK_PARTS_OF_B); \
        } \
    }
/* Defines all of them. */
#define PK_ROUNDED_KERNELS(mr, nr) \
    PK_PACK_A_ROUNDED(mr) \
    PK_PACK_B_ROUNDED(real, nr) \
    PK_PACK_B_ROUNDED(f16, nr) \
    PK_PACK_B_ROUNDED(bf16, nr) \
    PK_PACK_A_ROUNDED_X3(mr) \
    PK_PACK_B_ROUNDED_X3(real, PK_REAL, nr) \
    PK_PACK_B_ROUNDED_X3(f16, PK_F16, nr) \
    PK_PACK_B_ROUNDED_X3(bf16, PK_BF16, nr)
#endif
