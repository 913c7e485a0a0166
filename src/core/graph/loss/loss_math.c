/* SPDX-License-Identifier: Apache-2.0
 * loss_math.c -- softmax and binary cross entropy. All exponents are <= 0, so no logit overflows. */
#include "core/graph/loss/loss_math.h"
#include <math.h>

static double at(const pk_real *v, int64_t i) { return v ? (double)v[i] : 1.0; }

static double log_sum_exp(const pk_real *x, int64_t n)
{
    double top = (double)x[0], sum = 0;
    for (int64_t j = 1; j < n; j++) top = fmax(top, (double)x[j]);
    for (int64_t j = 0; j < n; j++) sum += exp((double)x[j] - top);
    return top + log(sum);
}

double pf_cross_entropy(const pk_real *logits, int64_t ld, const int64_t *labels, int64_t rows, int64_t classes,
                        const pf_ce *options, pk_real *grad)
{
    const pk_real *w = options->weight;
    const double even = options->smoothing / (double)classes;
    double divisor = 0, all = 0, total = 0;
    for (int64_t i = 0; i < rows; i++) divisor += at(w, labels[i]);
    if (options->by_batch) divisor = (double)rows;
    for (int64_t j = 0; j < classes; j++) all += at(w, j);
    const double unit = divisor > 0 ? 1 / divisor : 0;

    for (int64_t i = 0; i < rows; i++) {
        const pk_real *x = logits + i * ld;
        const double lse = log_sum_exp(x, classes), hit = (1 - options->smoothing) * at(w, labels[i]);
        total += hit * (lse - (double)x[labels[i]]);
        if (even > 0) for (int64_t j = 0; j < classes; j++) total += even * at(w, j) * (lse - (double)x[j]);
        if (!grad) continue;
        /* the target of class j is t_j = hit [j == label] + even w_j; d/dx_j = p_j * sum(t) - t_j */
        const double mass = hit + even * all;
        for (int64_t j = 0; j < classes; j++) {
            const double t = (j == labels[i] ? hit : 0) + even * at(w, j);
            grad[i * ld + j] = (pk_real)(unit * (mass * exp((double)x[j] - lse) - t));
        }
    }
    return total * unit;
}

/* The target t_j: a share of the row's mass, smoothed, then weighted. */
static double soft_target(const pf_ce *o, const pk_real *targets, int64_t classes, int64_t j)
{
    return at(o->weight, j) * ((1 - o->smoothing) * (double)targets[j] + o->smoothing / (double)classes);
}

double pf_soft_cross_entropy(const pk_real *logits, int64_t ld, const pk_real *targets, int64_t rows, int64_t classes,
                             const pf_ce *options, pk_real *grad)
{
    const pk_real *w = options->weight;
    const bool by_weight = w && !options->by_batch;
    double divisor = by_weight ? 0 : (double)rows, total = 0;
    for (int64_t i = 0; by_weight && i < rows * classes; i++) divisor += at(w, i % classes) * (double)targets[i];
    const double unit = divisor > 0 ? 1 / divisor : 0;

    for (int64_t i = 0; i < rows; i++, targets += classes) {
        const pk_real *x = logits + i * ld;
        const double lse = log_sum_exp(x, classes);
        double mass = 0;
        for (int64_t j = 0; j < classes; j++) {
            const double t = soft_target(options, targets, classes, j);
            mass += t;
            total += t * (lse - (double)x[j]);
        }
        for (int64_t j = 0; grad && j < classes; j++) {
            const double p = exp((double)x[j] - lse);
            grad[i * ld + j] = (pk_real)(unit * (mass * p - soft_target(options, targets, classes, j)));
        }
    }
    return total * unit;
}

/* What the sum is divided by: judged entries, or with sum_classes rows that have one. */
static int64_t judged(const pk_real *targets, int64_t rows, int64_t classes, bool sum_classes)
{
    int64_t count = 0;
    for (int64_t i = 0; i < rows; i++, targets += classes) {
        int64_t here = 0;
        for (int64_t j = 0; j < classes; j++) here += targets[j] >= 0;
        count += sum_classes ? here > 0 : here;
    }
    return count;
}

double pf_binary_cross_entropy(const pk_real *logits, int64_t ld, const pk_real *targets, int64_t rows, int64_t classes,
                               const pf_bce *options, pk_real *grad)
{
    const int64_t count = judged(targets, rows, classes, options->sum_classes);
    const double unit = count ? 1 / (double)count : 0;
    double total = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < classes; j++) {
            const double x = (double)logits[i * ld + j], t = (double)targets[i * classes + j];
            if (t < 0) {
                if (grad) grad[i * ld + j] = 0;
                continue;
            }
            const double w = at(options->weight, j), pos = at(options->pos_weight, j) * t, neg = 1 - t;
            const double e = exp(-fabs(x)), tail = log1p(e);         /* e^-|x|; softplus(+-x) = max(+-x, 0) + tail */
            total += w * (pos * (fmax(-x, 0) + tail) + neg * (fmax(x, 0) + tail));
            if (!grad) continue;
            /* sigmoid(x) and sigmoid(-x) */
            const double up = (x >= 0 ? 1 : e) / (1 + e), down = (x >= 0 ? e : 1) / (1 + e);
            grad[i * ld + j] = (pk_real)(unit * w * (neg * up - pos * down));
        }
    return total * unit;
}
