/* SPDX-License-Identifier: Apache-2.0
 * pack_ref.c -- packs the operands of a matrix product into panels and converts 16-bit numbers to pk_real and back, in
 * plain C: the reference for simd/pack.c. row and col are the strides of the matrix. */
#include "../names.h"
#include "half.h"

enum { MR = 4, NR = 8 };        /* mr and nr of table_ref (../cpu.c) */

void pk_pack_a_ref(pk_real *to, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k);

/* Packs `lanes` rows of A (columns of B) into panels to[panel][k][width]: element p of lane l of panel q is
 * from[(q*width + l)*lane_stride + p*k_stride], or 0 where q*width + l >= lanes. value converts an
 * element; empty: nothing to convert. */
#define PACK_PANELS(T, value, width) do { \
        const T *x = from; \
        for (int64_t first = 0; first < lanes; first += width) \
            for (int64_t p = 0; p < k; p++) \
                for (int64_t l = first; l < first + width; l++) \
                    *to++ = l < lanes ? (pk_real)value(x[l * lane_stride + p * k_stride]) : 0; \
    } while (0)

static void pack_a(pk_real *to, const void *from, int64_t lane_stride, int64_t k_stride, int64_t lanes, int64_t k)
{
    PACK_PANELS(pk_real, , MR);
}

void pk_pack_a_ref(pk_real *to, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k)
{
    pack_a(to, a, row, col, m, k);
}

/* Defines pk_pack_b_<type>_ref and pk_widen_<type>_ref. */
#define FUNCTIONS_OF_TYPE(type, T, value) \
    void pk_pack_b_##type##_ref(pk_real *to, const void *from, int64_t k_stride, int64_t lane_stride, int64_t k, \
                                int64_t lanes); \
    void pk_widen_##type##_ref(pk_real *to, const void *from, int64_t n); \
    void pk_pack_b_##type##_ref(pk_real *to, const void *from, int64_t k_stride, int64_t lane_stride, int64_t k, \
                                int64_t lanes) \
    { \
        PACK_PANELS(T, value, NR); \
    } \
    void pk_widen_##type##_ref(pk_real *to, const void *from, int64_t n) \
    { \
        const T *x = from; \
        for (int64_t i = 0; i < n; i++) to[i] = (pk_real)value(x[i]); \
    }
void pk_narrow_ref(uint16_t *to, const pk_real *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) to[i] = pk_to_bf16((float)from[i]);
}
FUNCTIONS_OF_TYPE(real, pk_real, )
FUNCTIONS_OF_TYPE(f16, uint16_t, pk_from_f16)
FUNCTIONS_OF_TYPE(bf16, uint16_t, pk_from_bf16)
