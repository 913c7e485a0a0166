/* SPDX-License-Identifier: Apache-2.0
 * activations.h -- the activations and their derivatives as functions of vectors, for pointwise.c and gate.c. They are
 * inlined into loops over elements, so that there is no call for each vector. */
#ifndef PK_ACTIVATIONS_H
#define PK_ACTIVATIONS_H
#include "vmath.h"

#define INLINE static inline __attribute__((always_inline))
#define QUICKGELU_FACTOR 1.702f                     /* QuickGELU(x) = x sigmoid(1.702 x) */
#define NO_SCALAR 0.0f                              /* as argument s, for functions that do not use s */

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

/* One row for each activation: its kind, the argument s of its functions, and their name behind f_ and g_. GELU and
 * SiLU have functions that give value and derivative at once (pv_gelu_slope, silu_both). */
#define OTHER_ACTIVATIONS(ROW) \
    ROW(PK_QUICKGELU, QUICKGELU_FACTOR, quick) ROW(PK_RELU, NO_SCALAR, relu) ROW(PK_TANH, NO_SCALAR, tanh) \
    ROW(PK_SIGMOID, NO_SCALAR, sigmoid) ROW(PK_EXP, NO_SCALAR, exp) ROW(PK_GELU_TANH, NO_SCALAR, gelu_tanh)
#define ACTIVATIONS(ROW) ROW(PK_GELU, NO_SCALAR, gelu) ROW(PK_SILU, NO_SCALAR, silu) OTHER_ACTIVATIONS(ROW)

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

/* An activation's value (stored in *value) and derivative, which share most of the work. */
INLINE pv silu_both(pv x, pv *value)
{
    pv complement, s = pv_sigmoid(x, &complement);
    *value = pv_mul(pv_max(pv_set(-88.0f), x), s);
    return pv_mul(s, pv_fma(clamp_88(x), complement, pv_set(1.0f)));
}
#endif
