/* SPDX-License-Identifier: Apache-2.0
 * pointwise_ref.c -- the pointwise kernels in plain C, the reference for simd/pointwise.c: one element at a time, the
 * activations in double. */
#include <math.h>
#include "../names.h"

#define QUICKGELU_FACTOR 1.702                      /* QuickGELU(x) = x sigmoid(1.702 x) */
#define SQRT_HALF 0.70710678118654752440
#define INV_SQRT_2PI 0.39894228040143267794
#define GELU_TANH_C 1.59576912160573071176          /* 2 sqrt(2/pi) */
#define GELU_TANH_CUBIC 0.044715

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

/* x * factor, but 0 for factor 0 also where x is infinite: the limit for x to -inf, as the factor falls
 * exponentially */
static double product_or_zero(double x, double factor) { return factor == 0 ? 0 : x * factor; }

/* GELU's tanh approximation is x sigmoid(u(x)) with this u; *slope: its derivative */
static double gelu_tanh_argument(double x, double *slope)
{
    *slope = GELU_TANH_C * (1 + 3 * GELU_TANH_CUBIC * x * x);
    return GELU_TANH_C * x * (1 + GELU_TANH_CUBIC * x * x);
}

static double gelu_tanh_derivative(double x)
{
    double slope, u = gelu_tanh_argument(x, &slope);
    return product_or_zero(1 + product_or_zero(x * slope, sigmoid(-u)), sigmoid(u));
}

static double act(pk_act kind, double x)
{
    double slope;
    switch (kind) {
    case PK_GELU:      return product_or_zero(x, 0.5 * erfc(-x * SQRT_HALF));
    case PK_QUICKGELU: return product_or_zero(x, sigmoid(QUICKGELU_FACTOR * x));
    case PK_RELU:      return x < 0 ? 0 : x;
    case PK_TANH:      return tanh(x);
    case PK_SIGMOID:   return sigmoid(x);
    case PK_SILU:      return product_or_zero(x, sigmoid(x));
    case PK_EXP:       return exp(x);
    case PK_GELU_TANH: return product_or_zero(x, sigmoid(gelu_tanh_argument(x, &slope)));
    case PK_NONE:      break;
    }
    return x;
}

static double act_derivative(pk_act kind, double x)
{
    switch (kind) {
    case PK_GELU:      return 0.5 * erfc(-x * SQRT_HALF) + product_or_zero(x, INV_SQRT_2PI * exp(-0.5 * x * x));
    case PK_QUICKGELU: return product_or_zero(1 + product_or_zero(QUICKGELU_FACTOR * x, sigmoid(-QUICKGELU_FACTOR * x)),
                                              sigmoid(QUICKGELU_FACTOR * x));
    case PK_RELU:      return x > 0;
    case PK_TANH:      return 4 * sigmoid(2 * x) * sigmoid(-2 * x);
    case PK_SIGMOID:   return sigmoid(x) * sigmoid(-x);
    case PK_SILU:      return product_or_zero(1 + product_or_zero(x, sigmoid(-x)), sigmoid(x));
    case PK_EXP:       return exp(x);
    case PK_GELU_TANH: return gelu_tanh_derivative(x);
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
    for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (pk_real)act_derivative(kind, x[i]);
}

void pk_act_slope_ref(pk_act kind, pk_real *y, pk_real *slope, const pk_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        slope[i] = (pk_real)act_derivative(kind, x[i]);
        y[i] = (pk_real)act(kind, x[i]);
    }
}

void pk_gate_ref(pk_act kind, pk_real *y, int64_t ldy, const pk_real *x, const pk_real *factor, int64_t ldx,
                 int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++, y += ldy, x += ldx, factor += ldx)
        for (int64_t j = 0; j < cols; j++) y[j] = (pk_real)act(kind, x[j]) * factor[j];
}

void pk_gate_grad_ref(pk_act kind, pk_real *dx, pk_real *dfactor, int64_t lddx, const pk_real *dy, int64_t lddy,
                      const pk_real *x, const pk_real *factor, int64_t ldx, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++, dx += lddx, dfactor += lddx, dy += lddy, x += ldx, factor += ldx)
        for (int64_t j = 0; j < cols; j++) {
            dx[j] = dy[j] * factor[j] * (pk_real)act_derivative(kind, x[j]);
            dfactor[j] = (pk_real)act(kind, x[j]) * dy[j];
        }
}
