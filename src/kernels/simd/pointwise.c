/* SPDX-License-Identifier: Apache-2.0
 * pointwise.c -- entries of the kernel table: the pointwise kernels and sums. A kernel is a function of vectors (f_*,
 * or g_* for a gradient) that is given to the loop `map`; both are inlined, so that there is no call for each
 * vector. */
#include <string.h>
#include "../names.h"
#include "vmath.h"

#define INLINE static inline __attribute__((always_inline))
#define QUICKGELU_FACTOR 1.702f                     /* QuickGELU(x) = x sigmoid(1.702 x) */
#define NO_SCALAR 0.0f                              /* as s of `map`, for functions that do not use s */

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

/* x limited to |x| <= 88, beyond which sigmoid is 0 or 1: avoids infinity times 0 */
INLINE pv clamp_88(pv x) { return pv_min(pv_set(88.0f), pv_max(pv_set(-88.0f), x)); }

/* x sigmoid(u), where u has the sign of x. The lower limit of x avoids -infinity times 0. */
INLINE pv times_sigmoid(pv x, pv u)
{
    pv complement, s = pv_sigmoid(u, &complement);          /* complement: 1 - s, here and below */
    return pv_mul(pv_max(pv_set(-88.0f), x), s);
}

/* Activations: f(x, b, s) = act(x); b is not used. */
INLINE pv f_gelu(pv x, pv b, pv s)    { (void)b; (void)s; return pv_gelu(x); }
INLINE pv f_quick(pv x, pv b, pv s)   { (void)b; return times_sigmoid(x, pv_mul(x, s)); }
INLINE pv f_relu(pv x, pv b, pv s)    { (void)b; (void)s; return pv_max(pv_zero(), x); }
INLINE pv f_tanh(pv x, pv b, pv s)    { (void)b; (void)s; return pv_tanh(x); }
INLINE pv f_sigmoid(pv x, pv b, pv s) { (void)b; (void)s; pv complement; return pv_sigmoid(x, &complement); }
INLINE pv f_silu(pv x, pv b, pv s)    { (void)b; (void)s; return times_sigmoid(x, x); }
INLINE pv f_exp(pv x, pv b, pv s)     { (void)b; (void)s; return pv_exp(x); }

/* The tanh approximation of GELU, x (1 + tanh(u/2)) / 2 = x sigmoid(u) with u = x (c + 0.044715 c x^2),
 * c = 2 sqrt(2/pi) */
#define GELU_TANH_C 0x1.988454p0f
#define GELU_TANH_C3 0x1.2444f2p-4f                 /* 0.044715 c */
INLINE pv f_gelu_tanh(pv x, pv b, pv s)
{
    (void)b; (void)s;
    return times_sigmoid(x, pv_mul(x, pv_fma(pv_mul(x, x), pv_set(GELU_TANH_C3), pv_set(GELU_TANH_C))));
}

/* One row for each activation: its kind, the argument s of its functions, and their name behind f_ and g_. */
#define ACTIVATIONS(ROW) \
    ROW(PK_GELU, NO_SCALAR, gelu) ROW(PK_QUICKGELU, QUICKGELU_FACTOR, quick) ROW(PK_RELU, NO_SCALAR, relu) \
    ROW(PK_TANH, NO_SCALAR, tanh) ROW(PK_SIGMOID, NO_SCALAR, sigmoid) ROW(PK_SILU, NO_SCALAR, silu) \
    ROW(PK_EXP, NO_SCALAR, exp) ROW(PK_GELU_TANH, NO_SCALAR, gelu_tanh)

void PK_NAME(act)(pk_act kind, float *y, const float *x, int64_t n)
{
    switch (kind) {
#define ROW(kind, s, name) case kind: map(y, x, x, s, n, f_##name); break;
    ACTIVATIONS(ROW)
#undef ROW
    case PK_NONE:      if (n > 0) memmove(y, x, (size_t)n * sizeof *y); break;
    }
}

/* d/du of u sigmoid(u) */
INLINE pv silu_slope(pv u)
{
    pv complement, s = pv_sigmoid(u, &complement);
    return pv_mul(s, pv_fma(clamp_88(u), complement, pv_set(1.0f)));
}

/* d/dx of sigmoid(x): sigmoid(x) sigmoid(-x) */
INLINE pv sigmoid_slope(pv x)
{
    pv complement, s = pv_sigmoid(x, &complement);
    return pv_mul(s, complement);
}

/* Gradients: g(dy, x, s) = dy act'(x). */
INLINE pv g_gelu(pv dy, pv x, pv s)    { (void)s; pv y; return pv_mul(dy, pv_gelu_slope(x, &y)); }
INLINE pv g_quick(pv dy, pv x, pv s)   { return pv_mul(dy, silu_slope(pv_mul(x, s))); }
INLINE pv g_relu(pv dy, pv x, pv s)    { (void)s; return pv_select(pv_less(pv_zero(), x), dy, pv_zero()); }
INLINE pv g_tanh(pv dy, pv x, pv s)    { (void)s; return pv_mul(dy, pv_mul(pv_set(4), sigmoid_slope(pv_add(x, x)))); }
INLINE pv g_sigmoid(pv dy, pv x, pv s) { (void)s; return pv_mul(dy, sigmoid_slope(x)); }
INLINE pv g_silu(pv dy, pv x, pv s)    { (void)s; return pv_mul(dy, silu_slope(x)); }
INLINE pv g_exp(pv dy, pv x, pv s)     { (void)s; return pv_mul(dy, pv_exp(x)); }
/* sigmoid(u) (1 + x u' sigmoid(-u)), u' = c + 3 * 0.044715 c x^2 */
INLINE pv g_gelu_tanh(pv dy, pv x, pv s)
{
    (void)s;
    x = clamp_88(x);
    const pv square = pv_mul(x, x), c = pv_set(GELU_TANH_C);
    pv complement, sigmoid = pv_sigmoid(pv_mul(x, pv_fma(square, pv_set(GELU_TANH_C3), c)), &complement);
    pv slope = pv_fma(square, pv_set(3 * GELU_TANH_C3), c);
    return pv_mul(dy, pv_mul(sigmoid, pv_fma(pv_mul(x, slope), complement, pv_set(1.0f))));
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

/* An activation's value (stored in *value) and derivative, which share most of the work. */
INLINE pv silu_both(pv x, pv *value)
{
    pv complement, s = pv_sigmoid(x, &complement);
    *value = pv_mul(pv_max(pv_set(-88.0f), x), s);
    return pv_mul(s, pv_fma(clamp_88(x), complement, pv_set(1.0f)));
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
