/* SPDX-License-Identifier: Apache-2.0
 * pack_ref.c -- packing the operands of a matrix product, and widening 16-bit numbers, in plain C. */
#include "../pk.h"
#include "half.h"

enum { MR = 4, NR = 8 };

void pk_pack_a_ref(pk_real *to, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k);

/* to[panel][k][width]: lane l of panel q is from[(q*width + l)*lane + p*step], 0 from `lanes` on. */
#define PACK(T, value, width) do { \
        const T *x = from; \
        for (int64_t at = 0; at < lanes; at += width) \
            for (int64_t p = 0; p < k; p++) \
                for (int64_t l = at; l < at + width; l++) \
                    *to++ = l < lanes ? (pk_real)value(x[l * lane + p * step]) : 0; \
    } while (0)

static void pack_a(pk_real *to, const void *from, int64_t lane, int64_t step, int64_t lanes, int64_t k)
{
    PACK(pk_real, , MR);
}

void pk_pack_a_ref(pk_real *to, const pk_real *a, int64_t row, int64_t col, int64_t m, int64_t k)
{
    pack_a(to, a, row, col, m, k);
}

/* A type's functions of the table: pk_pack_b_<type>_ref and pk_widen_<type>_ref. */
#define OF_TYPE(type, T, value) \
    void pk_pack_b_##type##_ref(pk_real *to, const void *from, int64_t step, int64_t lane, int64_t k, int64_t lanes); \
    void pk_widen_##type##_ref(pk_real *to, const void *from, int64_t n); \
    void pk_pack_b_##type##_ref(pk_real *to, const void *from, int64_t step, int64_t lane, int64_t k, int64_t lanes) \
    { \
        PACK(T, value, NR); \
    } \
    void pk_widen_##type##_ref(pk_real *to, const void *from, int64_t n) \
    { \
        const T *x = from; \
        for (int64_t i = 0; i < n; i++) to[i] = (pk_real)value(x[i]); \
    }
OF_TYPE(real, pk_real, )
OF_TYPE(f16, uint16_t, pk_from_f16)
OF_TYPE(bf16, uint16_t, pk_from_bf16)
