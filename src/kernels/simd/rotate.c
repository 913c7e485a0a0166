/* SPDX-License-Identifier: Apache-2.0
 * rotate.c -- entry of the kernel table: rotation of pairs of elements. */
#include "../names.h"
#include "simd.h"

/* a cosine + b (sign sine) */
static inline pv turned(pv a, pv b, pv cosine, pv sine, pv sign)
{
    return pv_fma(b, pv_mul(sign, sine), pv_mul(a, cosine));
}

/* The pairs are neighbours, so that both elements are in one vector. */
static void neighbours(float *y, const float *x, const float *cosine, const float *sine, int64_t cols, pv sign)
{
    int64_t j = 0;
    for (; j + PW <= cols; j += PW) {
        const pv a = pv_load(x + j);
        pv_store(y + j, turned(a, pv_swap_pairs(a), pv_load(cosine + j), pv_load(sine + j), sign));
    }
    if (j == cols) return;
    const pm m = pm_first(cols - j);
    const pv a = pv_load_m(x + j, m);
    pv_store_m(y + j, m, turned(a, pv_swap_pairs(a), pv_load_m(cosine + j, m), pv_load_m(sine + j, m), sign));
}

/* The pairs are (j, j + half). Both vectors are loaded before either is stored, as y may be x. */
static void halves_of(float *y, const float *x, const float *cosine, const float *sine, int64_t half, pv sign)
{
    int64_t j = 0;
    for (; j + PW <= half; j += PW) {
        const pv a = pv_load(x + j), b = pv_load(x + half + j);
        const pv cos_b = pv_load(cosine + half + j), sin_b = pv_load(sine + half + j);
        pv_store(y + j, turned(a, b, pv_load(cosine + j), pv_load(sine + j), sign));
        pv_store(y + half + j, turned(b, a, cos_b, sin_b, sign));
    }
    if (j < half) {
        const pm m = pm_first(half - j);
        const pv a = pv_load_m(x + j, m), b = pv_load_m(x + half + j, m);
        const pv cos_a = pv_load_m(cosine + j, m), cos_b = pv_load_m(cosine + half + j, m);
        pv_store_m(y + j, m, turned(a, b, cos_a, pv_load_m(sine + j, m), sign));
        pv_store_m(y + half + j, m, turned(b, a, cos_b, pv_load_m(sine + half + j, m), sign));
    }
}

void PK_NAME(rotate)(float *y, int64_t ldy, const float *x, int64_t ldx, const float *cosine, const float *sine,
                     int64_t ldt, int64_t rows, int64_t cols, int halves, float sign)
{
    const pv s = pv_set(sign);
    for (int64_t i = 0; i < rows; i++, y += ldy, x += ldx, cosine += ldt, sine += ldt)
        if (halves) halves_of(y, x, cosine, sine, cols / 2, s);
        else neighbours(y, x, cosine, sine, cols, s);
}
