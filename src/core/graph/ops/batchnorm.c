/* SPDX-License-Identifier: Apache-2.0
 * batchnorm.c -- batch normalisation of pooled features over the samples (heads bn_linear and mlp). In training it
 * normalises by mean and biased variance of the batch, and updates the running mean and (unbiased) variance; in
 * inference it normalises by the running values. */
#include <math.h>
#include "core/graph/op.h"

/* in: x [..,d], gamma? [d], beta? [d], running_mean [d], running_var [d] (CONST, written in training); attr f[0]: eps,
 * f[1]: momentum, i[0] (set here): 1: training; out: y, mean [d], rstd [d] */
static bool infer(pf_graph *g, pf_node *n)
{
    if (g->spec.training && pf_rows(g, n->in[0]) < 2)
        return pf_bad_shape(g, n, "two samples or more: batch norm cannot train on one");
    pf_shape d = pf_shape_of(1, pf_cols(g, n->in[0]));
    n->attr.i[0] = g->spec.training;
    return pf_out_like(g, n, 0, n->in[0]) && pf_out(g, n, 1, d) && pf_out(g, n, 2, d);
}

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
    const pk_real *gamma = r->ptr[n->in[1].id], *beta = r->ptr[n->in[2].id];
    pk_real *run_mean = r->ptr[n->in[3].id], *run_var = r->ptr[n->in[4].id];
    pk_real *out_mean = r->ptr[n->out[1].id], *out_rstd = r->ptr[n->out[2].id];
    double momentum = n->attr.f[1], count = (double)x.rows;
    for (int64_t c = 0; c < x.cols; c++) {
        double mean = run_mean[c], var = run_var[c];
        if (n->attr.i[0]) {
            statistics(x, c, &mean, &var);
            run_mean[c] = (pk_real)((1 - momentum) * run_mean[c] + momentum * mean);
            run_var[c] = (pk_real)((1 - momentum) * run_var[c] + momentum * var * count / (count - 1));
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
    pf_val d = pf_grad_of(gr, n->out[0]), x = n->in[0], gamma = n->in[1], beta = n->in[2];
    if (pf_grad_wanted(gr, x))
        pf_grad_add(gr, x, PF_BACK(gr, &pf_op_batchnorm_grad, &n->attr, d, x, gamma, n->out[1], n->out[2]));
    if (pf_grad_wanted(gr, gamma)) {
        /* dgamma = sum d xhat. Another batchnorm node would give xhat, but update the running values a second time. */
        pf_attr a = n->attr;
        a.i[1] = 1;
        pf_val parts = PF_BACK(gr, &pf_op_batchnorm_grad, &a, d, x, PF_NONE, n->out[1], n->out[2]);
        pf_grad_add_reduced(gr, gamma, parts);
    }
    if (pf_grad_wanted(gr, beta)) pf_grad_add_reduced(gr, beta, d);
}
const pf_op pf_op_batchnorm = { .name = "batchnorm", .flags = PF_EFFECT, .infer = infer, .grad = grad, .run = run };

/* in: d, x, gamma?, mean, rstd; attr i[0]: 1: mean and rstd are the batch's, i[1]: 1: computes d xhat (the gradient of
 * gamma before the sum over samples) instead of dx; out: like x */
static bool grad_infer(pf_graph *g, pf_node *n) { return pf_out_like(g, n, 0, n->in[1]); }
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
            double t = n->attr.i[1] ? dy * xhat : n->attr.i[0] ? scale * (dy - sum / count - xhat * dot / count)
                : scale * dy;
            dx.p[i * dx.ld + c] = (pk_real)t;
        }
    }
}
const pf_op pf_op_batchnorm_grad = { .name = "batchnorm_grad", .infer = grad_infer, .run = grad_run };
