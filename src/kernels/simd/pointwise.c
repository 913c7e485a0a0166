/* SPDX-License-Identifier: Apache-2.0
 * pointwise.c -- entries of the kernel table: the pointwise kernels and sums. A kernel is a function of vectors (f_*,
 * or g_* for a gradient) that is given to the loop `map`; both are inlined, so that there is no call for each
 * vector. */
#include <string.h>
#include "../names.h"
#include "activations.h"

/* y = f(a, b, s), s the same for all elements. A kernel of one input passes it as a and b. y may be a or b: each vector
 * is loaded before it is stored. */
INLINE void map(float *y, const float *a, const float *b, float s, int64_t n, pv (*f)(pv a, pv b, pv s))
{
    int64_t i = 0;
    for (; i + PW <= n; i += PW) pv_store(y + i, f(pv_load(a + i), pv_load(b + i), pv_set(s)));
    if (i < n) {
        pm m = pm_first(n - i);
        pv_store_m(y + i, m, f(pv_load_m(a + i, m), pv_load_m(b + i, m), pv_set(s)));
    }
}

INLINE pv f_add(pv a, pv b, pv s)   { (void)s; return pv_add(a, b); }
INLINE pv f_mul(pv a, pv b, pv s)   { (void)s; return pv_mul(a, b); }
INLINE pv f_axpy(pv y, pv x, pv s)  { return pv_fma(s, x, y); }
INLINE pv f_scale(pv x, pv b, pv s) { (void)b; return pv_mul(s, x); }

void PK_NAME(add)(float *y, const float *a, const float *b, int64_t n) { map(y, a, b, NO_SCALAR, n, f_add); }
void PK_NAME(mul)(float *y, const float *a, const float *b, int64_t n) { map(y, a, b, NO_SCALAR, n, f_mul); }
void PK_NAME(axpy)(float *y, const float *x, float s, int64_t n)            { map(y, y, x, s, n, f_axpy); }
void PK_NAME(scale)(float *y, const float *x, float s, int64_t n)           { map(y, x, x, s, n, f_scale); }

void PK_NAME(act)(pk_act kind, float *y, const float *x, int64_t n)
{
    switch (kind) {
#define ROW(kind, s, name) case kind: map(y, x, x, s, n, f_##name); break;
    ACTIVATIONS(ROW)
#undef ROW
    case PK_NONE:      if (n > 0) memmove(y, x, (size_t)n * sizeof *y); break;
    }
}

void PK_NAME(act_grad)(pk_act kind, float *dx, const float *dy, const float *x, int64_t n)
{
    switch (kind) {
#define ROW(kind, s, name) case kind: map(dx, dy, x, s, n, g_##name); break;
    ACTIVATIONS(ROW)
#undef ROW
    case PK_NONE:      if (n > 0) memmove(dx, dy, (size_t)n * sizeof *dx); break;
    }
}

/* y = value, slope = derivative, by a function that gives both */
INLINE void map_both(float *y, float *slope, const float *x, int64_t n, pv (*f)(pv x, pv *value))
{
    int64_t i = 0;
    pv value;
    for (; i + PW <= n; i += PW) {
        pv s = f(pv_load(x + i), &value);
        pv_store(y + i, value);
        pv_store(slope + i, s);
    }
    if (i < n) {
        pm m = pm_first(n - i);
        pv s = f(pv_load_m(x + i, m), &value);
        pv_store_m(y + i, m, value);
        pv_store_m(slope + i, m, s);
    }
}

/* GELU and SiLU have functions for both; the other activations are computed in pieces of 64, from a copy of x, as y
 * may be x. */
void PK_NAME(act_slope)(pk_act kind, float *y, float *slope, const float *x, int64_t n)
{
    if (kind == PK_GELU) { map_both(y, slope, x, n, pv_gelu_slope); return; }
    if (kind == PK_SILU) { map_both(y, slope, x, n, silu_both); return; }
    enum { PIECE = 64 };
    float copy[PIECE], one[PIECE];
    for (int j = 0; j < PIECE; j++) one[j] = 1.0f;
    for (int64_t i = 0; i < n; i += PIECE) {
        const int64_t count = n - i < PIECE ? n - i : PIECE;
        memcpy(copy, x + i, (size_t)count * sizeof *copy);
        PK_NAME(act)(kind, y + i, copy, count);
        PK_NAME(act_grad)(kind, slope + i, one, copy, count);
    }
}

/* Sums in double. Accumulator l (0 .. PW-1) adds the elements l, l + PW, l + 2 PW, ..; a tree then adds up the
 * accumulators: the upper half to the lower half, until one is left. */
void PK_NAME(sums)(double *sum, double *sum_sq, const float *x, int64_t n)
{
    double s[PW] = {0}, q[PW] = {0};
    int64_t i = 0;
    for (; i + PW <= n; i += PW)
        for (int l = 0; l < PW; l++) {
            double v = x[i + l];
            s[l] += v;
            q[l] += v * v;
        }
    for (int l = 0; i + l < n; l++) {
        double v = x[i + l];
        s[l] += v;
        q[l] += v * v;
    }
    for (int half = PW / 2; half; half /= 2)
        for (int l = 0; l < half; l++) {
            s[l] += s[l + half];
            q[l] += q[l + half];
        }
    if (sum) *sum = s[0];
    if (sum_sq) *sum_sq = q[0];
}
