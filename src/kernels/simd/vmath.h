/* SPDX-License-Identifier: Apache-2.0
 * vmath.h -- exp, tanh, sigmoid and GELU of a vector, for the pointwise, norm and attention kernels. Each polynomial is
 * a minimax fit on the interval named beside it; its coefficients were rounded to float one by one, and the others
 * fitted again after each. A lane with NaN stays NaN: pv_min and pv_max return their second operand when either is NaN,
 * so that the variable must be the second.
 *
 *   pv_exp_neg  exp(x) for x <= 88, as in a softmax: error 1 ulp; 0 for x <= -87.7 and -inf
 *   pv_exp      exp(x) for all x: +inf above 88.72, else as pv_exp_neg */
#ifndef PK_VMATH_H
#define PK_VMATH_H
#include "simd.h"

/* e^r = 1 + r + r^2 Q(r) with a polynomial Q, for |r| <= ln(2)/2; relative error 3.2e-9 */
static inline pv pv_exp_core(pv r)
{
    pv q = pv_set(0x1.6a48c8p-10f);
    q = pv_fma(q, r, pv_set(0x1.12399ap-7f));
    q = pv_fma(q, r, pv_set(0x1.5558b4p-5f));
    q = pv_fma(q, r, pv_set(0x1.555492p-3f));
    q = pv_fma(q, r, pv_set(0x1.fffffcp-2f));
    q = pv_fma(q, r, pv_set(1.0f));
    return pv_fma(q, r, pv_set(1.0f));
}

/* Splits x = n ln 2 + r with integral n. Returns r; *biased is n + PV_EXP2_BIAS. ln 2 is the sum of two constants, so
 * that the product of n and the first one is exact. */
static inline pv pv_exp_split(pv x, pv *biased)
{
    *biased = pv_fma(x, pv_set(0x1.715476p0f), pv_set(PV_EXP2_BIAS));
    pv n = pv_sub(*biased, pv_set(PV_EXP2_BIAS));
    return pv_fnma(n, pv_set(-0x1.05c610p-29f), pv_fnma(n, pv_set(0x1.62e430p-1f), x));
}

static inline pv pv_exp_neg(pv x)
{
    pv biased, r = pv_exp_split(pv_max(pv_set(-87.9f), x), &biased);      /* at -87.9: n = -127, 2^n = 0 */
    return pv_mul(pv_exp_core(r), pv_exp2_biased(biased));
}

/* For large x n is 128, and 2^128 is no float: for positive x 2^(n-1) is used and the result doubled. */
static inline pv pv_exp(pv x)
{
    pv biased, r = pv_exp_split(pv_min(pv_set(89.0f), pv_max(pv_set(-87.9f), x)), &biased);
    pv half = pv_select(pv_less(pv_zero(), x), pv_set(1.0f), pv_zero());
    pv e = pv_mul(pv_exp_core(r), pv_exp2_biased(pv_sub(biased, half)));
    return pv_fma(e, half, e);
}

/* Returns 1/(1 + e^-x); *other is 1 minus that. Both come from e^-|x|, so that the smaller one keeps its digits. */
static inline pv pv_sigmoid(pv x, pv *other)
{
    pv e = pv_exp_neg(pv_sub(pv_zero(), pv_abs(x)));
    pv large = pv_div(pv_set(1.0f), pv_add(pv_set(1.0f), e)), small = pv_mul(e, large);
    pm negative = pv_less(x, pv_zero());
    *other = pv_select(negative, large, small);
    return pv_select(negative, small, large);
}

/* tanh |x| = (1-e)/(1+e) with e = e^(-2|x|). For |x| < 0.6, where 1-e loses digits, |x| + |x|^3 P(x^2) with a
 * polynomial P; relative error 4.5e-9. */
static inline pv pv_tanh(pv x)
{
    pv t = pv_abs(x), z = pv_mul(t, t), one = pv_set(1.0f);
    pv e = pv_exp_neg(pv_mul(t, pv_set(-2.0f)));
    pv large = pv_div(pv_sub(one, e), pv_add(one, e));
    pv p = pv_set(-0x1.8e9480p-8f);
    p = pv_fma(p, z, pv_set(0x1.57911ep-6f));
    p = pv_fma(p, z, pv_set(-0x1.b9100ap-5f));
    p = pv_fma(p, z, pv_set(0x1.110da6p-3f));
    p = pv_fma(p, z, pv_set(-0x1.555554p-2f));
    pv small = pv_fma(pv_mul(p, z), t, t);
    return pv_copysign(pv_select(pv_less(t, pv_set(0.6f)), small, large), x);
}

/* GELU(x) = x Phi(x) with the normal distribution Phi. For t = |x|, Phi(-t) = e^(-t^2/2) R(t), where R, Mills' ratio
 * over sqrt(2 pi), varies slowly: a polynomial in v = 1/(t + 2.875), relative error 2.9e-8. So the negative tail keeps
 * its digits; Phi(t) is 1 minus it.
 * e^(-t^2/2) = 2^n e^(-r/2) with t^2 = -2 n ln 2 + r. 2 ln 2 is the sum of two constants; n times the first one, of 16
 * bits, is exact. e^(-r/2) is a polynomial with relative error 9.3e-8 for |r| <= ln 2. For t >= 13.25 n is -127 and the
 * result 0.
 * Returns e^(-t^2/2); *t is |x|, at most 13.26, *ratio is R(t). */
static inline pv pv_gelu_parts(pv x, pv *t, pv *ratio)
{
    *t = pv_min(pv_set(13.26f), pv_abs(x));
    pv v = pv_div(pv_set(1.0f), pv_add(*t, pv_set(2.875f)));
    pv biased = pv_fma(pv_mul(*t, *t), pv_set(-0x1.715476p-1f), pv_set(PV_EXP2_BIAS));
    pv n = pv_sub(biased, pv_set(PV_EXP2_BIAS));
    pv r = pv_fma(*t, *t, pv_mul(n, pv_set(0x1.62e4p0f)));
    r = pv_fma(n, pv_set(0x1.7f7d1cp-19f), r);
    pv e = pv_set(-0x1.0fa414p-12f);
    e = pv_fma(e, r, pv_set(0x1.573b00p-9f));
    e = pv_fma(e, r, pv_set(-0x1.555a7ap-6f));
    e = pv_fma(e, r, pv_set(0x1.fffdc4p-4f));
    e = pv_fma(e, r, pv_set(-0x1.fffff6p-2f));
    e = pv_fma(e, r, pv_set(1.0f));
    pv p = pv_set(-0x1.82ffbap+8f);
    p = pv_fma(p, v, pv_set(0x1.519bb0p+9f));
    p = pv_fma(p, v, pv_set(-0x1.aa4f44p+8f));
    p = pv_fma(p, v, pv_set(0x1.82ebb6p+6f));
    p = pv_fma(p, v, pv_set(-0x1.6f49b2p+2f));
    p = pv_fma(p, v, pv_set(0x1.d8d318p+2f));
    p = pv_fma(p, v, pv_set(0x1.693018p+1f));
    p = pv_fma(p, v, pv_set(0x1.263dfap+0f));
    p = pv_fma(p, v, pv_set(0x1.987bd6p-2f));
    *ratio = pv_mul(p, v);
    return pv_mul(e, pv_exp2_biased(biased));
}

/* GELU(x) = max(0, x) - t e R(t) */
static inline pv pv_gelu_of(pv x, pv t, pv e, pv ratio)
{
    return pv_fnma(pv_mul(t, e), ratio, pv_max(pv_zero(), x));
}

static inline pv pv_gelu(pv x)
{
    pv t, ratio, e = pv_gelu_parts(x, &t, &ratio);
    return pv_gelu_of(x, t, e, ratio);
}

/* The derivative of GELU, Phi(x) + x phi(x): with d = e (R(t) - t/sqrt(2 pi)) it is d for negative x, else 1 - d. *y is
 * GELU(x), from the same parts. */
static inline pv pv_gelu_slope(pv x, pv *y)
{
    pv t, ratio, e = pv_gelu_parts(x, &t, &ratio);
    pv d = pv_fnma(t, pv_set(0x1.988454p-2f), ratio);
    *y = pv_gelu_of(x, t, e, ratio);
    return pv_select(pv_less(x, pv_zero()), pv_mul(e, d), pv_fnma(e, d, pv_set(1.0f)));
}
#endif
