/* SPDX-License-Identifier: Apache-2.0
 * norm_ref.c -- kernels over rows and columns in plain C: the reference for simd/norm.c. Sums in double, in index
 * order. */
#include <math.h>
#include "../names.h"

void pk_affine_ref(pk_real *y, int64_t ldy, const pk_real *x, int64_t ldx, const pk_real *gamma, const pk_real *beta,
                   int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[i * ldy + j] = x[i * ldx + j] * (gamma ? gamma[j] : 1) + (beta ? beta[j] : 0);
}

/* The mean stays double until the row is written: rounded to float it would cost digits in a row with a large
 * offset. */
void pk_layernorm_ref(pk_real *y, int64_t ldy, pk_real *mean, pk_real *rstd, const pk_real *x, int64_t ldx,
                      const pk_real *gamma, const pk_real *beta, pk_real eps, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows && cols > 0; i++, x += ldx, y += ldy) {
        double sum = 0, squares = 0;
        for (int64_t j = 0; j < cols; j++) sum += x[j];
        double mu = sum / (double)cols;
        for (int64_t j = 0; j < cols; j++) squares += (x[j] - mu) * (x[j] - mu);
        double r = 1 / sqrt(squares / (double)cols + eps);
        for (int64_t j = 0; j < cols; j++)
            y[j] = (pk_real)((x[j] - mu) * r * (gamma ? gamma[j] : 1) + (beta ? beta[j] : 0));
        if (mean) mean[i] = (pk_real)mu;
        if (rstd) rstd[i] = (pk_real)r;
    }
}

/* With g = dy*gamma and h the normalised x: dx = rstd*(g - mean_g - h*mean_gh) + add, with the row's means of g and
 * g*h. */
void pk_layernorm_grad_ref(pk_real *dx, int64_t lddx, const pk_real *dy, int64_t lddy, const pk_real *x, int64_t ldx,
                           const pk_real *mean, const pk_real *rstd, const pk_real *gamma, const pk_real *add,
                           int64_t ldadd, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows; i++, dx += lddx, dy += lddy, x += ldx) {
        double r = rstd[i], mean_g = 0, mean_gh = 0;
        for (int64_t j = 0; j < cols; j++) {
            double g = (double)dy[j] * (gamma ? gamma[j] : 1);
            mean_g += g / (double)cols;
            mean_gh += g * (x[j] - (double)mean[i]) * r / (double)cols;
        }
        for (int64_t j = 0; j < cols; j++) {
            double g = (double)dy[j] * (gamma ? gamma[j] : 1), h = (x[j] - (double)mean[i]) * r;
            dx[j] = (pk_real)(r * (g - mean_g - h * mean_gh) + (add ? add[i * ldadd + j] : 0));
        }
    }
}

/* Each term of a sum is a, a*b or a*h, where h is the normalised b. */
void pk_col_sums_ref(pk_real *out, const pk_real *a, int64_t lda, const pk_real *b, int64_t ldb, const pk_real *mean,
                     const pk_real *rstd, int64_t rows, int64_t cols)
{
    for (int64_t j = 0; j < cols; j++) {
        double sum = 0;
        for (int64_t i = 0; i < rows; i++) {
            double h = !b ? 1 : mean ? ((double)b[i * ldb + j] - mean[i]) * rstd[i] : b[i * ldb + j];
            sum += a[i * lda + j] * h;
        }
        out[j] += (pk_real)sum;
    }
}

/* A row with only -inf, or without elements, gives lse -inf and soft 0; a row with +inf gives lse +inf and soft NaN or
 * 0. */
void pk_logsumexp_ref(pk_real *lse, pk_real *soft, int64_t ldsoft, const pk_real *x, int64_t ldx, int64_t rows,
                      int64_t cols)
{
    for (int64_t i = 0; i < rows; i++, x += ldx) {
        double max = -INFINITY, sum = 0;
        for (int64_t j = 0; j < cols; j++) max = x[j] > max ? x[j] : max;
        if (isinf(max)) max = 0;
        for (int64_t j = 0; j < cols; j++) sum += exp(x[j] - max);
        for (int64_t j = 0; soft && j < cols; j++)
            soft[i * ldsoft + j] = (pk_real)(sum == 0 ? 0 : exp(x[j] - max) / sum);
        lse[i] = (pk_real)(max + log(sum));
    }
}

void pk_sums_ref(double *sum, double *sum_sq, const pk_real *x, int64_t n)
{
    double total = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        total += x[i];
        squares += (double)x[i] * x[i];
    }
    if (sum) *sum = total;
    if (sum_sq) *sum_sq = squares;
}
