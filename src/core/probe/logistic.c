/* SPDX-License-Identifier: Apache-2.0
 * logistic.c -- the mean loss of logistic regression and its gradient: softmax of three classes or more, or the sigmoid
 * of one label. The variables are rows of width weights and an intercept; a sigmoid has one row. */
#include "core/probe/logistic.h"
#include <math.h>
#include <string.h>
#include "core/metrics/metrics.h"

/* -log of the probability of the target of a sample whose logits [rows] are z; z becomes the derivative. */
static double loss_of(double *z, int64_t rows, int64_t target)
{
    if (rows == 1) {
        const double x = z[0];
        z[0] = pf_metric_sigmoid(x) - (double)target;
        return log1p(exp(-fabs(x))) + fmax(x, 0) - (target ? x : 0);
    }
    const double max = z[pf_metric_largest(z, rows)], logit = z[target];
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) {
        z[r] = exp(z[r] - max);
        sum += z[r];
    }
    for (int64_t r = 0; r < rows; r++) z[r] /= sum;
    z[target] -= 1;
    return log(sum) + max - logit;
}

/* The sum of e[i] times row i of a block, over the lanes in pairs, for feature j. */
static double weighted(const double *x, const double e[PF_LANES])
{
    double t[PF_LANES / 2];
    for (int i = 0; i < PF_LANES / 2; i++) t[i] = e[i] * x[i] + e[i + PF_LANES / 2] * x[i + PF_LANES / 2];
    for (int half = PF_LANES / 4; half; half /= 2)
        for (int i = 0; i < half; i++) t[i] += t[i + half];
    return t[0];
}

/* Turns the logits of the samples of block b, [rows, PF_LANES], to derivatives; returns the sum of the losses. */
static double block_loss(const pf_logistic *l, int64_t b, double *z, double *one)
{
    double sum = 0;
    for (int lane = 0; lane < PF_LANES; lane++) {
        const int64_t i = b * PF_LANES + lane;
        const double weight = i < l->n ? l->weight[i] / l->weights : 0;
        for (int64_t r = 0; r < l->rows; r++) one[r] = z[r * PF_LANES + lane];
        if (weight > 0) sum += weight * loss_of(one, l->rows, l->target[i]);
        for (int64_t r = 0; r < l->rows; r++) z[r * PF_LANES + lane] = weight > 0 ? weight * one[r] : 0;
    }
    return sum;
}

double pf_logistic_value(const double *v, double *gradient, void *user)
{
    const pf_logistic *l = user;
    const int64_t row = l->width + 1;                        /* numbers of a row of v */
    double *z = l->logits, *one = l->logits + l->rows * PF_LANES, loss = 0, squares = 0;
    memset(gradient, 0, (size_t)(l->rows * row) * sizeof *gradient);
    for (int64_t b = 0; b < pf_probe_block_count(l->n); b++) {
        const double *block = l->x + b * PF_LANES * l->width;
        for (int64_t r = 0; r < l->rows; r++) {
            pf_probe_dots(block, v + r * row, l->width, z + r * PF_LANES);
            for (int i = 0; i < PF_LANES; i++) z[r * PF_LANES + i] += v[r * row + l->width];
        }
        loss += block_loss(l, b, z, one);
        for (int64_t r = 0; r < l->rows; r++) {
            double *g = gradient + r * row;
            for (int64_t j = 0; j < l->width; j++) g[j] += weighted(block + j * PF_LANES, z + r * PF_LANES);
            for (int i = 0; i < PF_LANES; i++) g[l->width] += z[r * PF_LANES + i];
        }
    }
    for (int64_t r = 0; r < l->rows; r++)
        for (int64_t j = 0; j < l->width; j++) {
            squares += v[r * row + j] * v[r * row + j];
            gradient[r * row + j] += l->penalty * v[r * row + j];
        }
    return loss + l->penalty * squares / 2;
}

void pf_logistic_scale(const pf_logistic *l, double *scale)
{
    const int64_t row = l->width + 1;
    memset(scale, 0, (size_t)row * sizeof *scale);
    for (int64_t b = 0; b < pf_probe_block_count(l->n); b++)
        for (int64_t j = 0; j < l->width; j++) {
            const double *x = l->x + (b * l->width + j) * PF_LANES;
            for (int64_t i = b * PF_LANES; i < l->n && i < (b + 1) * PF_LANES; i++)
                scale[j] += l->weight[i] / l->weights * x[i % PF_LANES] * x[i % PF_LANES];
        }
    for (int64_t j = 0; j < l->width; j++) scale[j] = sqrt(scale[j] + l->penalty);
    scale[l->width] = 1;
    for (int64_t r = 1; r < l->rows; r++) memcpy(scale + r * row, scale, (size_t)row * sizeof *scale);
}

bool pf_logistic_separated(const pf_logistic *l, const double *v, double tolerance, const double *scale)
{
    const int64_t row = l->width + 1;
    for (int64_t k = 0; k < l->rows * row; k++)
        if (k % row < l->width && l->penalty * fabs(v[k]) > tolerance * scale[k]) return false;
    for (int64_t i = 0; i < l->n; i++) {
        double z[PF_LANES], own = 0, best = l->rows == 1 ? 0 : -INFINITY;
        for (int64_t r = 0; r < l->rows && l->weight[i] > 0; r++) {
            pf_probe_dots(l->x + i / PF_LANES * PF_LANES * l->width, v + r * row, l->width, z);
            const double logit = z[i % PF_LANES] + v[r * row + l->width];
            if (l->rows == 1) own = l->target[i] ? logit : -logit;
            else if (r == l->target[i]) own = logit;
            else best = fmax(best, logit);
        }
        if (l->weight[i] > 0 && own <= best) return false;
    }
    return true;
}
