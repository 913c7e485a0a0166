/* SPDX-License-Identifier: Apache-2.0
 * attention_naive.h -- reference attention of one (sample, head) in double precision, by other formulas than the
 * kernels': the sink (a logit of each query that takes probability and has no value) is an additional column of the
 * softmax, dropped afterwards; the backward uses the softmax's Jacobian. Arrays have no gaps between rows. */
#ifndef ATTENTION_NAIVE_H
#define ATTENTION_NAIVE_H
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct naive {
    int64_t queries, columns, n;                    /* columns: keys and extra keys; n: head size */
    double scale, boost;                            /* logit = q . k * scale * boost */
    double *q, *k, *v, *sink, *dout;                /* inputs; dout: gradient of the loss by out; sink NULL: no sink */
    double *out, *lse;                              /* lse [queries]: log of the softmax's denominator */
    double *dq, *dk, *dv, *dsink, *dboost;          /* dboost [queries] */
    double *p;                                      /* probabilities [queries][columns + 1], the sink's last */
} naive;

/* The dot product of two vectors of n elements. */
static double naive_dot(const double *x, const double *y, int64_t n)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++) sum += x[c] * y[c];
    return sum;
}

/* Computes out, lse and p from q, k, v and sink. */
static void naive_forward(naive *a)
{
    const int64_t width = a->columns + 1;
    for (int64_t i = 0; i < a->queries; i++) {
        double *p = a->p + i * width, largest = -INFINITY, sum = 0;
        for (int64_t k = 0; k < a->columns; k++)
            p[k] = naive_dot(a->q + i * a->n, a->k + k * a->n, a->n) * a->scale * a->boost;
        p[a->columns] = a->sink ? a->sink[i] : -INFINITY;
        for (int64_t k = 0; k < width; k++) largest = fmax(largest, p[k]);
        /* exp(p[k] - largest); the largest itself gives 1, also where it is infinite and the difference is NaN */
        for (int64_t k = 0; k < width; k++) sum += p[k] = p[k] == largest ? 1 : exp(p[k] - largest);
        for (int64_t k = 0; k < width; k++) p[k] /= sum;
        a->lse[i] = largest + log(sum);
        for (int64_t c = 0; c < a->n; c++) {
            double o = 0;
            for (int64_t k = 0; k < a->columns; k++) o += p[k] * a->v[k * a->n + c];
            a->out[i * a->n + c] = o;
        }
    }
}

/* Computes dq, dk, dv, dsink and dboost from dout. Reads p, which naive_forward wrote. */
static void naive_backward(naive *a)
{
    const int64_t width = a->columns + 1, n = a->n;
    double *dp = calloc((size_t)width, sizeof *dp);
    for (int64_t j = 0; j < a->queries * n; j++) a->dq[j] = 0;
    for (int64_t j = 0; j < a->columns * n; j++) a->dk[j] = a->dv[j] = 0;
    for (int64_t i = 0; i < a->queries; i++) {
        const double *p = a->p + i * width;
        double mean = 0;
        for (int64_t k = 0; k < width; k++) {
            dp[k] = k < a->columns ? naive_dot(a->dout + i * n, a->v + k * n, n) : 0;
            mean += p[k] * dp[k];
        }
        a->dboost[i] = 0;
        a->dsink[i] = p[a->columns] * (dp[a->columns] - mean);
        for (int64_t k = 0; k < a->columns; k++) {
            const double ds = p[k] * (dp[k] - mean);
            a->dboost[i] += ds * naive_dot(a->q + i * n, a->k + k * n, n) * a->scale;
            for (int64_t c = 0; c < n; c++) {
                a->dq[i * n + c] += ds * a->scale * a->boost * a->k[k * n + c];
                a->dk[k * n + c] += ds * a->scale * a->boost * a->q[i * n + c];
                a->dv[k * n + c] += p[k] * a->dout[i * n + c];
            }
        }
    }
    free(dp);
}

/* Allocates all arrays, filled with 0. with_sink 0: without the array of sinks. */
static void naive_make(naive *a, int64_t queries, int64_t columns, int64_t n, int with_sink)
{
    const size_t query_count = (size_t)(queries * n), key_count = (size_t)(columns * n), rows = (size_t)queries;
    double **const part[] = { &a->q, &a->dout, &a->out, &a->dq, &a->k, &a->v, &a->dk, &a->dv, &a->lse, &a->dsink,
                              &a->dboost, &a->sink, &a->p };
    const size_t count[] = { query_count, query_count, query_count, query_count,
                             key_count, key_count, key_count, key_count,
                             rows, rows, rows, with_sink ? rows : 0, rows * (size_t)(columns + 1) };
    *a = (naive){ .queries = queries, .columns = columns, .n = n, .scale = 1, .boost = 1 };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        *part[i] = count[i] ? calloc(count[i], sizeof(double)) : NULL;
}

static void naive_free(naive *a)
{
    double *const part[] = { a->q, a->dout, a->out, a->dq, a->k, a->v, a->dk, a->dv, a->lse, a->dsink, a->dboost,
                             a->sink, a->p };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) free(part[i]);
}
#endif
