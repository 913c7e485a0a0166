/* SPDX-License-Identifier: Apache-2.0
 * cayley.c -- orthogonal matrices of skew-symmetric ones, and their gradients, in double precision. */
#include <string.h>
#include "core/bits/cayley.h"

/* Matrices [b,b] of one block, in double precision. q: Q; the others are work space. */
typedef struct { int64_t b; int terms; double *q, *sum, *power, *next, *g, *work; } block;

static block block_of(double *space, int64_t b, int terms)
{
    const int64_t n = b * b;
    return (block){ b, terms, space, space + n, space + 2 * n, space + 3 * n, space + 4 * n, space + 5 * n };
}

/* Q of the packed elements, row by row above the diagonal. */
static void unpack(const block *k, const pk_real *packed)
{
    memset(k->q, 0, sizeof(double) * (size_t)(k->b * k->b));
    for (int64_t i = 0; i < k->b; i++)
        for (int64_t j = i + 1; j < k->b; j++, packed++) {
            k->q[i * k->b + j] = *packed;
            k->q[j * k->b + i] = -(double)*packed;
        }
}

/* to = x y, or with flags the transposed x or y. */
enum { T_NONE = 0, T_X = 1, T_Y = 2 };
static void multiply(double *to, const double *x, const double *y, int64_t b, int flags)
{
    for (int64_t i = 0; i < b; i++)
        for (int64_t j = 0; j < b; j++) {
            double sum = 0;
            for (int64_t k = 0; k < b; k++)
                sum += (flags & T_X ? x[k * b + i] : x[i * b + k]) * (flags & T_Y ? y[j * b + k] : y[k * b + j]);
            to[i * b + j] = sum;
        }
}

/* Replaces x [b,b] by (I + Q)^-1, by Gauss-Jordan elimination. I + Q has no pivot near 0: its symmetric part is I. */
static void invert(const double *q, double *x, double *work, int64_t b)
{
    for (int64_t i = 0; i < b * b; i++) {
        work[i] = q[i] + (i / b == i % b);
        x[i] = i / b == i % b;
    }
    for (int64_t c = 0; c < b; c++) {
        const double pivot = work[c * b + c];
        for (int64_t j = 0; j < b; j++) work[c * b + j] /= pivot, x[c * b + j] /= pivot;
        for (int64_t i = 0; i < b; i++) {
            const double factor = work[i * b + c];
            if (i == c || factor == 0) continue;
            for (int64_t j = 0; j < b; j++) {
                work[i * b + j] -= factor * work[c * b + j];
                x[i * b + j] -= factor * x[c * b + j];
            }
        }
    }
}

/* The largest power of Q in the series, and the coefficient of Q^n. */
static int last_power(int terms) { return terms < 3 ? terms - 1 : terms == 3 ? 3 : terms - 1; }
static double coefficient(int terms, int n) { return n == 0 || (terms > 2 && n == last_power(terms)) ? 1 : 2; }

/* k->sum = R. */
static void make_matrix(const block *k)
{
    const int64_t b = k->b, n = b * b;
    if (!k->terms) {                                         /* R = 2 (I + Q)^-1 - I */
        invert(k->q, k->sum, k->work, b);
        for (int64_t i = 0; i < n; i++) k->sum[i] = 2 * k->sum[i] - (i / b == i % b);
        return;
    }
    for (int64_t i = 0; i < n; i++) k->sum[i] = k->power[i] = i / b == i % b;
    for (int p = 1; p <= last_power(k->terms); p++) {
        multiply(k->next, k->power, k->q, b, T_NONE);
        memcpy(k->power, k->next, sizeof(double) * (size_t)n);
        for (int64_t i = 0; i < n; i++) k->sum[i] += coefficient(k->terms, p) * k->power[i];
    }
}

/* k->sum = the gradient of Q, for k->g that of R. Of the series: Q^n has the gradient S_n = sum_i (Q^i)' G
 * (Q^(n-1-i))', with ' for transposed, and S_(n+1) = Q' S_n + G (Q^n)'. Exact: -(I + R)' G ((I + Q)^-1)' = -2 X' G X'
 * for X = (I + Q)^-1. */
static void matrix_gradient(const block *k)
{
    const int64_t b = k->b, n = b * b;
    if (!k->terms) {
        invert(k->q, k->power, k->work, b);
        multiply(k->next, k->power, k->g, b, T_X);
        multiply(k->sum, k->next, k->power, b, T_Y);
        for (int64_t i = 0; i < n; i++) k->sum[i] *= -2;
        return;
    }
    memset(k->sum, 0, sizeof(double) * (size_t)n);
    memcpy(k->next, k->g, sizeof(double) * (size_t)n);                    /* S_1 */
    for (int64_t i = 0; i < n; i++) k->power[i] = i / b == i % b;
    double *s = k->next, *power = k->power, *spare = k->work;
    for (int p = 1; p <= last_power(k->terms); p++) {
        for (int64_t i = 0; i < n; i++) k->sum[i] += coefficient(k->terms, p) * s[i];
        multiply(spare, power, k->q, b, T_NONE);                          /* Q^p */
        double *old = power;
        power = spare;
        multiply(old, k->q, s, b, T_X);                                   /* Q' S_p */
        for (int64_t i = 0; i < b; i++)
            for (int64_t j = 0; j < b; j++) {
                double sum = 0;
                for (int64_t c = 0; c < b; c++) sum += k->g[i * b + c] * power[j * b + c];
                old[i * b + j] += sum;
            }
        spare = s;
        s = old;
    }
}

void pf_cayley(const pk_real *packed, int64_t b, int terms, double *space, pk_real *r)
{
    block k = block_of(space, b, terms);
    unpack(&k, packed);
    make_matrix(&k);
    for (int64_t i = 0; i < b * b; i++) r[i] = (pk_real)k.sum[i];
}

void pf_cayley_gradient(const pk_real *packed, const pk_real *g, int64_t b, int terms, double *space, pk_real *out)
{
    block k = block_of(space, b, terms);
    unpack(&k, packed);
    for (int64_t i = 0; i < b * b; i++) k.g[i] = g[i];
    matrix_gradient(&k);
    for (int64_t i = 0; i < b; i++)
        for (int64_t j = i + 1; j < b; j++) *out++ = (pk_real)(k.sum[i * b + j] - k.sum[j * b + i]);
}
