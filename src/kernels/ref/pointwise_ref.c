/* SPDX-License-Identifier: Apache-2.0
 * pointwise_ref.c -- the pointwise kernels as they are meant: one element at a time, functions in double. */
#include <math.h>
#include "../names.h"

#define QUICK 1.702                                 /* QuickGELU is x sigmoid(QUICK x) */
#define SQRT_HALF 0.70710678118654752440
#define INV_SQRT_2PI 0.39894228040143267794

void pk_add_ref(pk_real *y, const pk_real *a, const pk_real *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void pk_mul_ref(pk_real *y, const pk_real *a, const pk_real *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

void pk_axpy_ref(pk_real *y, const pk_real *x, pk_real s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] += s * x[i];
}

void pk_scale_ref(pk_real *y, const pk_real *x, pk_real s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = s * x[i];
}

/* 1/(1 + e^-x) without overflow */
static double sigmoid(double x)
{
    double e = exp(-fabs(x));
    return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

/* x * factor, where a factor that has become 0 wins over an infinite x: the limit at -inf */
static double damped(double x, double factor) { return factor == 0 ? 0 : x * factor; }

static double act(pk_act kind, double x)
{
    switch (kind) {
    case PK_GELU:      return damped(x, 0.5 * erfc(-x * SQRT_HALF));
    case PK_QUICKGELU: return damped(x, sigmoid(QUICK * x));
    case PK_RELU:      return x < 0 ? 0 : x;
    case PK_TANH:      return tanh(x);
    case PK_SIGMOID:   return sigmoid(x);
    case PK_SILU:      return damped(x, sigmoid(x));
    case PK_NONE:      break;
    }
    return x;
}

static double slope_of(pk_act kind, double x)
{
    switch (kind) {
    case PK_GELU:      return 0.5 * erfc(-x * SQRT_HALF) + damped(x, INV_SQRT_2PI * exp(-0.5 * x * x));
    case PK_QUICKGELU: return damped(1 + damped(QUICK * x, sigmoid(-QUICK * x)), sigmoid(QUICK * x));
    case PK_RELU:      return x > 0;
    case PK_TANH:      return 4 * sigmoid(2 * x) * sigmoid(-2 * x);
    case PK_SIGMOID:   return sigmoid(x) * sigmoid(-x);
    case PK_SILU:      return damped(1 + damped(x, sigmoid(-x)), sigmoid(x));
    case PK_NONE:      break;
    }
    return 1;
}

void pk_act_ref(pk_act kind, pk_real *y, const pk_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = (pk_real)act(kind, x[i]);
}

void pk_act_grad_ref(pk_act kind, pk_real *dx, const pk_real *dy, const pk_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (pk_real)slope_of(kind, x[i]);
}

void pk_act_slope_ref(pk_act kind, pk_real *y, pk_real *slope, const pk_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        slope[i] = (pk_real)slope_of(kind, x[i]);
        y[i] = (pk_real)act(kind, x[i]);
    }
}
