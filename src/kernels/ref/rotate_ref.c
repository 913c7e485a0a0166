/* SPDX-License-Identifier: Apache-2.0
 * rotate_ref.c -- rotation of pairs of elements in plain C, the reference for simd/rotate.c. */
#include "../names.h"

void pk_rotate_ref(pk_real *y, int64_t ldy, const pk_real *x, int64_t ldx, const pk_real *cosine, const pk_real *sine,
                   int64_t ldt, int64_t rows, int64_t cols, int halves, pk_real sign)
{
    const int64_t step = halves ? 1 : 2, other = halves ? cols / 2 : 1;   /* from pair to pair, within a pair */
    for (int64_t i = 0; i < rows; i++, y += ldy, x += ldx, cosine += ldt, sine += ldt)
        for (int64_t p = 0; p < cols / 2; p++) {
            const int64_t j = p * step, k = j + other;
            const pk_real a = x[j], b = x[k];
            y[j] = a * cosine[j] + sign * sine[j] * b;
            y[k] = b * cosine[k] + sign * sine[k] * a;
        }
}
