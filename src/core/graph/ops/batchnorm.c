/* SPDX-License-Identifier: Apache-2.0
 * batchnorm.c -- batch normalisation of pooled features over the samples (heads bn_linear and mlp). In training it
 * normalises by mean and biased variance of the batch, and updates the running mean and (unbiased) variance; in
 * inference it normalises by the running values. */
#include <math.h>
#include "core/graph/op.h"

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR };     /* inputs of batchnorm */
enum { Y, MEAN, RSTD };                                 /* its outputs; rstd: 1 / sqrt(variance + eps) */
/* attr.i of both operations: mean and variance are those of the batch, not the running ones; attr.i of batchnorm_grad:
 * compute the gradient of gamma instead of that of x. */
enum { OF_BATCH, OF_GAMMA };

/* in: x [..,d], gamma? [d], beta? [d], running_mean [d], running_var [d] (CONST, written in training); attr f[0]: eps,
 * f[1]: momentum, i[0] (set here): 1: training, by the batch's mean and variance; out: y, mean [d], rstd [d] */
static bool infer(pf_graph *g, pf_node *n)
{
    if (g->spec.training && pf_rows(g, n->in[0]) < 2)
        return pf_bad_shape(g, n, "two samples or more: batch norm cannot train on one");
    pf_shape d = pf_shape_of(1, pf_cols(g, n->in[0]));
    n->attr.i[OF_BATCH] = g->spec.training;
    return pf_output_like(g, n, 0, n->in[0]) && pf_output(g, n, 1, d) && pf_output(g, n, 2, d);
}

/* Mean and biased variance of column c. */
static void statistics(pf_mat x, int64_t c, double *mean, double *var)
{
    double sum = 0, sq = 0;
    for (int64_t i = 0; i < x.rows; i++) sum += x.p[i * x.ld + c];
    *mean = sum / (double)x.rows;
    for (int64_t i = 0; i < x.rows; i++) {
        double t = x.p[i * x.ld + c] - *mean;
        sq += t * t;
    }
    *var = sq / (double)x.rows;
}

static void run(const pf_run *r, const pf_node *n)
{
    pf_mat x = pf_matrix(r, n->in[0]), y = pf_matrix(r, n->out[0]);
    const pk_real *gamma = r->ptr[n->in[GAMMA].id], *beta = r->ptr[n->in[BETA].id];
    pk_real *running_mean = r->ptr[n->in[RUNNING_MEAN].id], *running_var = r->ptr[n->in[RUNNING_VAR].id];
    pk_real *out_mean = r->ptr[n->out[MEAN].id], *out_rstd = r->ptr[n->out[RSTD].id];
    double momentum = n->attr.f[1], count = (double)x.rows;
    for (int64_t c = 0; c < x.cols; c++) {
        double mean = running_mean[c], var = running_var[c];
        if (n->attr.i[OF_BATCH]) {
            statistics(x, c, &mean, &var);
            running_mean[c] = (pk_real)((1 - momentum) * running_mean[c] + momentum * mean);
            running_var[c] = (pk_real)((1 - momentum) * running_var[c] + momentum * var * count / (count - 1));
        }
        double rstd = 1 / sqrt(var + n->attr.f[0]), scale = gamma ? gamma[c] : 1, shift = beta ? beta[c] : 0;
        for (int64_t i = 0; i < x.rows; i++)
            y.p[i * y.ld + c] = (pk_real)((x.p[i * x.ld + c] - mean) * rstd * scale + shift);
        if (out_mean) out_mean[c] = (pk_real)mean;
        if (out_rstd) out_rstd[c] = (pk_real)rstd;
    }
}

static void grad(pf_grads *gr, const pf_node *n)
{
    const pf_val d = pf_grad_of(gr, n->out[Y]), x = n->in[X], gamma = n->in[GAMMA], beta = n->in[BETA];
    const pf_val mean = n->out[MEAN], rstd = n->out[RSTD];
    if (pf_grad_wanted(gr, x))
        pf_grad_add(gr, x, PF_EMIT_BACKWARD(gr, &pf_op_batchnorm_grad, &n->attr, d, x, gamma, mean, rstd));
    if (pf_grad_wanted(gr, gamma)) {
        /* dgamma = sum d xhat, where xhat = (x - mean) rstd. xhat is computed again: another batchnorm node would
         * compute it, too, but update the running values a second time. */
        pf_attr a = n->attr;
        a.i[OF_GAMMA] = 1;
        pf_val parts = PF_EMIT_BACKWARD(gr, &pf_op_batchnorm_grad, &a, d, x, PF_NONE, mean, rstd);
        pf_grad_add_reduced(gr, gamma, parts);
    }
    if (pf_grad_wanted(gr, beta)) pf_grad_add_reduced(gr, beta, d);
}
const pf_op pf_op_batchnorm = { .name = "batchnorm", .flags = PF_EFFECT, .infer = infer, .grad = grad, .run = run };

/* in: d, x, gamma?, mean, rstd; attr i[0]: 1: mean and rstd are the batch's, i[1]: 1: computes d xhat (the gradient of
 * gamma before the sum over samples) instead of dx; out: like x */
static bool grad_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }
static void grad_run(const pf_run *r, const pf_node *n)
{
    pf_mat d = pf_matrix(r, n->in[0]), x = pf_matrix(r, n->in[1]), dx = pf_matrix(r, n->out[0]);
    const pk_real *gamma = r->ptr[n->in[2].id], *mean = r->ptr[n->in[3].id], *rstd = r->ptr[n->in[4].id];
    for (int64_t c = 0; c < x.cols; c++) {
        double sum = 0, dot = 0, count = (double)x.rows, scale = (gamma ? gamma[c] : 1) * (double)rstd[c];
        for (int64_t i = 0; i < x.rows; i++) {
            double dy = d.p[i * d.ld + c], xhat = (x.p[i * x.ld + c] - (double)mean[c]) * rstd[c];
            sum += dy;
            dot += dy * xhat;
        }
        for (int64_t i = 0; i < x.rows; i++) {
            double dy = d.p[i * d.ld + c], xhat = (x.p[i * x.ld + c] - (double)mean[c]) * rstd[c];
            double t = scale * dy;                       /* mean and variance are constants */
            if (n->attr.i[OF_GAMMA]) t = dy * xhat;
            else if (n->attr.i[OF_BATCH]) t = scale * (dy - sum / count - xhat * dot / count);
            dx.p[i * dx.ld + c] = (pk_real)t;
        }
    }
}
const pf_op pf_op_batchnorm_grad = { .name = "batchnorm_grad", .infer = grad_infer, .run = grad_run };
