/* SPDX-License-Identifier: Apache-2.0
 * batchnorm.c -- batch normalisation of the columns of pooled features over the samples, and of maps over samples and
 * pixels (heads with batch norm). In training it normalises by mean and biased variance of the batch, and updates the
 * running mean and (unbiased) variance; in inference it normalises by the running values. Threads share the columns
 * where rows are summed, and the rows elsewhere. */
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

/* Columns of a task that sums rows: a cache line of each row. */
enum { LINE = 64 / sizeof(pk_real) };

/* A node while it runs. Of each column, in the scratch: a, b: mean and 1 / sqrt(variance + eps), or for the gradient
 * the mean over rows of d and the sum of d xhat. d: batchnorm_grad alone. */
typedef struct { const pf_run *r; const pf_node *n; pf_mat d, x, y; double *a, *b; } job;

static size_t scratch(const pf_run *r, const pf_node *n)
{
    return 2 * pf_align_up((size_t)pf_cols(r->g, n->out[0]) * sizeof(double));
}

static job job_of(const pf_run *r, const pf_node *n, pf_val d, pf_val x)
{
    job j = { r, n, pf_matrix(r, d), pf_matrix(r, x), pf_matrix(r, n->out[0]), r->scratch, NULL };
    j.b = (double *)(void *)((char *)r->scratch + pf_align_up((size_t)j.x.cols * sizeof(double)));
    return j;
}

/* Calls fn for ranges of rows of the output. */
static void for_rows(const job *j, pf_range_fn fn)
{
    pf_parallel(j->r, j->y.rows, PF_GRAIN / j->y.cols + 1, fn, (void *)(uintptr_t)j);
}

/* Mean and biased variance of columns begin .. end - 1, at most LINE. */
static void batch_statistics(pf_mat x, int64_t begin, int64_t end, double *mean, double *var)
{
    const int64_t n = end - begin;
    for (int64_t c = 0; c < n; c++) mean[c] = var[c] = 0;
    for (int64_t i = 0; i < x.rows; i++)
        for (int64_t c = 0; c < n; c++) mean[c] += x.p[i * x.ld + begin + c];
    for (int64_t c = 0; c < n; c++) mean[c] /= (double)x.rows;
    for (int64_t i = 0; i < x.rows; i++)
        for (int64_t c = 0; c < n; c++) {
            const double t = x.p[i * x.ld + begin + c] - mean[c];
            var[c] += t * t;
        }
    for (int64_t c = 0; c < n; c++) var[c] /= (double)x.rows;
}

/* Sets a and b of columns begin .. end - 1. The running values are not updated again where the backward pass repeats
 * the node. */
static void statistics(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pf_node *n = j->n;
    pk_real *const *ptr = j->r->ptr, *running_mean = ptr[n->in[RUNNING_MEAN].id],
        *running_var = ptr[n->in[RUNNING_VAR].id];
    pk_real *out_mean = ptr[n->out[MEAN].id], *out_rstd = ptr[n->out[RSTD].id];
    const double momentum = n->attr.f[1], count = (double)j->x.rows;
    double mean[LINE], var[LINE];
    (void)worker;
    if (n->attr.i[OF_BATCH]) batch_statistics(j->x, begin, end, mean, var);
    for (int64_t c = begin; c < end; c++) {
        const double m = n->attr.i[OF_BATCH] ? mean[c - begin] : running_mean[c];
        const double v = n->attr.i[OF_BATCH] ? var[c - begin] : running_var[c];
        if (n->attr.i[OF_BATCH] && !n->again) {
            running_mean[c] = (pk_real)((1 - momentum) * running_mean[c] + momentum * m);
            running_var[c] = (pk_real)((1 - momentum) * running_var[c] + momentum * v * count / (count - 1));
        }
        j->a[c] = m;
        j->b[c] = 1 / sqrt(v + n->attr.f[0]);
        if (out_mean) out_mean[c] = (pk_real)m;
        if (out_rstd) out_rstd[c] = (pk_real)j->b[c];
    }
}

static void normalise(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pk_real *gamma = j->r->ptr[j->n->in[GAMMA].id], *beta = j->r->ptr[j->n->in[BETA].id];
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *x = j->x.p + i * j->x.ld;
        pk_real *y = j->y.p + i * j->y.ld;
        for (int64_t c = 0; c < j->x.cols; c++)
            y[c] = (pk_real)((x[c] - j->a[c]) * j->b[c] * (gamma ? gamma[c] : 1) + (beta ? beta[c] : 0));
    }
}

static void run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n, PF_NONE, n->in[X]);
    pf_parallel(r, j.x.cols, LINE, statistics, &j);
    for_rows(&j, normalise);
}

/* About: three operations for the sums over rows, and a multiply-add with the factors for each result. */
static int64_t flops(const pf_graph *g, const pf_node *n)
{
    const int64_t each = 8;
    return each * pf_rows(g, n->out[0]) * pf_cols(g, n->out[0]);
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
const pf_op pf_op_batchnorm = { .name = "batchnorm", .flags = PF_EFFECT | PF_REPEATS,
    .infer = infer, .grad = grad, .scratch_bytes = scratch, .run = run, .flops = flops };

/* in: d, x, gamma?, mean, rstd; attr i[0]: 1: mean and rstd are the batch's, i[1]: 1: computes d xhat (the gradient of
 * gamma before the sum over samples) instead of dx; out: like x */
static bool grad_infer(pf_graph *g, pf_node *n) { return pf_output_like(g, n, 0, n->in[1]); }

/* Sets a and b of columns begin .. end - 1: the mean of d and the sum of d xhat, where xhat = (x - mean) rstd. */
static void sums(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const pk_real *mean = j->r->ptr[j->n->in[3].id] + begin, *rstd = j->r->ptr[j->n->in[4].id] + begin;
    const int64_t n = end - begin;
    double sum[LINE] = { 0 }, dot[LINE] = { 0 };
    (void)worker;
    for (int64_t i = 0; i < j->x.rows; i++) {
        const pk_real *d = j->d.p + i * j->d.ld + begin, *x = j->x.p + i * j->x.ld + begin;
        for (int64_t c = 0; c < n; c++) {
            const double dy = d[c], xhat = (x[c] - (double)mean[c]) * rstd[c];
            sum[c] += dy;
            dot[c] += dy * xhat;
        }
    }
    for (int64_t c = 0; c < n; c++) {
        j->a[begin + c] = sum[c] / (double)j->x.rows;
        j->b[begin + c] = dot[c];
    }
}

/* The row of dx, of n columns, where mean and variance are those of the batch. */
static void batch_row(const job *j, const pk_real *d, const pk_real *x, const pk_real *gamma, const pk_real *mean,
                      const pk_real *rstd, pk_real *dx)
{
    const double *mean_d = j->a, *dot = j->b, count = (double)j->x.rows;
    for (int64_t c = 0; c < j->x.cols; c++) {
        const double scale = (gamma ? gamma[c] : 1) * (double)rstd[c], xhat = (x[c] - (double)mean[c]) * rstd[c];
        dx[c] = (pk_real)(scale * (d[c] - mean_d[c] - xhat * dot[c] / count));
    }
}

/* Rows of dx, or of d xhat for the gradient of gamma. */
static void gradient_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const int64_t *kind = j->n->attr.i;
    pk_real *const *ptr = j->r->ptr;
    const pk_real *gamma = ptr[j->n->in[2].id], *mean = ptr[j->n->in[3].id], *rstd = ptr[j->n->in[4].id];
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *d = j->d.p + i * j->d.ld, *x = j->x.p + i * j->x.ld;
        pk_real *dx = j->y.p + i * j->y.ld;
        if (kind[OF_GAMMA])
            for (int64_t c = 0; c < j->x.cols; c++)
                dx[c] = (pk_real)(d[c] * ((x[c] - (double)mean[c]) * rstd[c]));
        else if (kind[OF_BATCH]) batch_row(j, d, x, gamma, mean, rstd, dx);
        else                                                 /* mean and variance are constants */
            for (int64_t c = 0; c < j->x.cols; c++)
                dx[c] = (pk_real)((gamma ? gamma[c] : 1) * (double)rstd[c] * d[c]);
    }
}

static void grad_run(const pf_run *r, const pf_node *n)
{
    job j = job_of(r, n, n->in[0], n->in[1]);
    if (n->attr.i[OF_BATCH] && !n->attr.i[OF_GAMMA]) pf_parallel(r, j.x.cols, LINE, sums, &j);
    for_rows(&j, gradient_rows);
}
const pf_op pf_op_batchnorm_grad = { .name = "batchnorm_grad",
    .infer = grad_infer, .scratch_bytes = scratch, .run = grad_run, .flops = flops };
