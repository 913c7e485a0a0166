/* SPDX-License-Identifier: Apache-2.0
 * pack.c -- entries of the kernel table: pack_a and pack_b, which pack the operands of a matrix product into panels,
 * widen, which converts f16 and bf16 to pk_real, and narrow, which rounds to bf16. row and col are the strides of the
 * matrix. */
#include <string.h>
#include "../names.h"
#include "half.h"

void PK_NAME(pack_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k);
void PK_NAME(pack_b_real)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n);
void PK_NAME(widen_real)(float *to, const void *from, int64_t n);

void PK_NAME(pack_a)(float *panels, const float *a, int64_t row, int64_t col, int64_t m, int64_t k)
{
    for (int64_t i = 0; i < m; i += PK_MR, panels += PK_MR * k)
        pack_panel(panels, PK_MR, a + i * row, row, col, m - i < PK_MR ? (int)(m - i) : PK_MR, k);
}

void PK_NAME(pack_b_real)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n)
{
    const float *from = b;
    for (int64_t j = 0; j < n; j += PK_NR, panels += PK_NR * k)
        pack_panel(panels, PK_NR, from + j * col, col, row, n - j < PK_NR ? (int)(n - j) : PK_NR, k);
}

void PK_NAME(widen_real)(float *to, const void *from, int64_t n)
{
    if (n > 0) memcpy(to, from, (size_t)n * sizeof *to);
}

/* Defines the functions of a 16-bit type: pk_pack_b_<name>_<isa> and pk_widen_<name>_<isa>. */
#define FUNCTIONS_OF_HALF(name, type) \
    void PK_NAME(pack_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n); \
    void PK_NAME(widen_##name)(float *to, const void *from, int64_t n); \
    void PK_NAME(pack_b_##name)(float *panels, const void *b, int64_t row, int64_t col, int64_t k, int64_t n) \
    { \
        const uint16_t *from = b; \
        for (int64_t j = 0; j < n; j += PK_NR, panels += PK_NR * k) \
            half_panel(type, panels, from + j * col, col, row, n - j < PK_NR ? (int)(n - j) : PK_NR, k); \
    } \
    void PK_NAME(widen_##name)(float *to, const void *x, int64_t n) \
    { \
        const uint16_t *from = x; \
        for (int64_t i = 0; i < n; i += PW) \
            store_lanes(to + i, half_lanes(type, from + i, n - i), n - i < PW ? (int)(n - i) : PW); \
    }
FUNCTIONS_OF_HALF(f16, PK_F16)
FUNCTIONS_OF_HALF(bf16, PK_BF16)

void PK_NAME(narrow)(uint16_t *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += PW) half_store(to + i, load_lanes(from + i, n - i), n - i);
}
