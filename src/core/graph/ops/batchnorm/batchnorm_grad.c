/* SPDX-License-Identifier: Apache-2.0
 * batchnorm_grad.c -- the gradients of batch normalisation with respect to its input, gamma and beta. */
#include "core/graph/ops/batchnorm/batchnorm.h"

enum { D, X, GAMMA, MEAN, RSTD, BETA };                 /* inputs */
enum { DX, DGAMMA, DBETA };                             /* outputs */
enum { SUM, DOT };                                      /* over rows: of dy, and of dy xhat */
/* Vectors in the scratch. COL_SUM: the mean over the rows of dy. */
enum { COL_MEAN, COL_RSTD, COL_SCALE, COL_SHIFT, COL_SUM, COL_DOT };

/* in: d, x, gamma?, mean, rstd, with RELU beta?; attr i: those of batchnorm, OF_GAMMA: dx is d * xhat, element by
 * element, the gradient of gamma before the sum over samples; out: dx, dgamma?, dbeta? */
static bool infer(pf_graph *g, pf_node *n)
{
    const pf_shape d = pf_shape_of(1, pf_cols(g, n->in[X]));
    return pf_output_like(g, n, DX, n->in[X]) && pf_output(g, n, DGAMMA, d) && pf_output(g, n, DBETA, d);
}

/* mean .. dot: vectors with an element for each column; scale, shift: gamma and beta, or 1 and 0. */
typedef struct {
    const pf_run *r;
    bool relu, of_batch, of_gamma;
    pf_mat d, x, dx;
    double *mean, *rstd, *scale, *shift, *mean_dy, *dot;
} job;

/* Sets dy and xhat of a row's columns col .. col + cols - 1: with RELU the gradient of a result of 0 is 0. */
static inline void load_row(const job *j, int64_t row, int64_t col, int64_t cols, double *dy, double *xhat)
{
    const pk_real *d = j->d.p + row * j->d.ld + col, *x = j->x.p + row * j->x.ld + col;
    const double *mean = j->mean + col, *rstd = j->rstd + col, *scale = j->scale + col, *shift = j->shift + col;
    for (int64_t c = 0; c < cols; c++) {
        dy[c] = (double)d[c];
        xhat[c] = pf_bn_xhat((double)x[c], mean[c], rstd[c]);
    }
    if (!j->relu) return;
    for (int64_t c = 0; c < cols; c++) dy[c] = pf_bn_result(xhat[c], scale[c], shift[c]) > 0 ? dy[c] : 0;
}

/* The sums of pieces begin .. end - 1. */
static void piece_sums(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t piece = begin; piece < end; piece++)
        for (int64_t col = 0; col < j->x.cols; col += PF_BN_COLUMNS) {
            const pf_bn_block b = pf_bn_block_of(&j->x, piece, col);
            double sum[PF_BN_COLUMNS] = { 0 }, dot[PF_BN_COLUMNS] = { 0 }, dy[PF_BN_COLUMNS], xhat[PF_BN_COLUMNS];
            for (int64_t i = 0; i < b.rows; i++) {
                load_row(j, b.row + i, col, b.cols, dy, xhat);
                for (int64_t c = 0; c < b.cols; c++) {
                    sum[c] += dy[c];
                    dot[c] += dy[c] * xhat[c];
                }
            }
            memcpy(pf_bn_sums(j->r, j->x.cols, piece, SUM) + col, sum, (size_t)b.cols * sizeof *sum);
            memcpy(pf_bn_sums(j->r, j->x.cols, piece, DOT) + col, dot, (size_t)b.cols * sizeof *dot);
        }
}

/* Rows begin .. end - 1 of dx. */
static void dx_rows(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const double count = (double)j->x.rows;
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        for (int64_t col = 0; col < j->x.cols; col += PF_BN_COLUMNS) {
            const int64_t cols = pf_bn_block_of(&j->x, 0, col).cols;
            double dy[PF_BN_COLUMNS], xhat[PF_BN_COLUMNS];
            pk_real *dx = j->dx.p + i * j->dx.ld + col;
            load_row(j, i, col, cols, dy, xhat);
            const double *scale = j->scale + col, *rstd = j->rstd + col, *mean_dy = j->mean_dy + col;
            const double *dot = j->dot + col;
            if (j->of_gamma)
                for (int64_t c = 0; c < cols; c++) dx[c] = (pk_real)(dy[c] * xhat[c]);
            else if (j->of_batch)
                for (int64_t c = 0; c < cols; c++)
                    dx[c] = (pk_real)(scale[c] * rstd[c] * (dy[c] - mean_dy[c] - xhat[c] * dot[c] / count));
            else                                        /* mean and variance are constants */
                for (int64_t c = 0; c < cols; c++) dx[c] = (pk_real)(scale[c] * rstd[c] * dy[c]);
        }
}

/* The sum over all rows of column c. */
static double sum_of(const job *j, int which, int64_t c)
{
    const int64_t pieces = pf_bn_pieces(j->x.rows);
    double sum = 0;
    for (int64_t p = 0; p < pieces; p++) sum += pf_bn_sums(j->r, j->x.cols, p, which)[c];
    return sum;
}

static void run(const pf_run *r, const pf_node *n)
{
    const int64_t cols = pf_cols(r->g, n->in[X]);
    job j = { .r = r, .relu = n->attr.i[PF_BN_RELU], .of_batch = n->attr.i[PF_BN_OF_BATCH],
              .of_gamma = n->attr.i[PF_BN_OF_GAMMA], .d = pf_matrix(r, n->in[D]), .x = pf_matrix(r, n->in[X]),
              .dx = pf_matrix(r, n->out[DX]), .mean = pf_bn_vector(r, cols, COL_MEAN),
              .rstd = pf_bn_vector(r, cols, COL_RSTD), .scale = pf_bn_vector(r, cols, COL_SCALE),
              .shift = pf_bn_vector(r, cols, COL_SHIFT), .mean_dy = pf_bn_vector(r, cols, COL_SUM),
              .dot = pf_bn_vector(r, cols, COL_DOT) };
    const pk_real *gamma = r->ptr[n->in[GAMMA].id], *beta = r->ptr[n->in[BETA].id];
    pk_real *dgamma = r->ptr[n->out[DGAMMA].id], *dbeta = r->ptr[n->out[DBETA].id];
    for (int64_t c = 0; c < cols; c++) {
        j.mean[c] = (double)r->ptr[n->in[MEAN].id][c];
        j.rstd[c] = (double)r->ptr[n->in[RSTD].id][c];
        j.scale[c] = gamma ? (double)gamma[c] : 1;
        j.shift[c] = beta ? (double)beta[c] : 0;
    }
    if ((j.of_batch && !j.of_gamma) || dgamma || dbeta) {
        pf_parallel(r, pf_bn_pieces(j.x.rows), 1, piece_sums, &j);
        for (int64_t c = 0; c < cols; c++) {
            const double sum = sum_of(&j, SUM, c);
            j.mean_dy[c] = sum / (double)j.x.rows;
            j.dot[c] = sum_of(&j, DOT, c);
            if (dgamma) dgamma[c] = (pk_real)j.dot[c];
            if (dbeta) dbeta[c] = (pk_real)sum;
        }
    }
    pf_parallel(r, j.x.rows, pf_bn_grain(cols), dx_rows, &j);
}

static size_t scratch(const pf_run *r, const pf_node *n) { return pf_bn_scratch(r, n->in[X]); }

static int64_t flops(const pf_graph *g, const pf_node *n) { return pf_bn_flops(g, n->in[X]); }

const pf_op pf_op_batchnorm_grad = { .name = "batchnorm_grad", .infer = infer, .scratch_bytes = scratch, .run = run,
    .flops = flops };
