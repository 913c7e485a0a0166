/* SPDX-License-Identifier: Apache-2.0
 * batchnorm.c -- batch normalisation of features over the samples (heads bn_linear and mlp), or of maps over samples
 * and pixels. In training it normalises by mean and biased variance of the batch, and updates the running mean and
 * (unbiased) variance; in inference it normalises by the running values. */
#include <math.h>
#include "core/graph/ops/batchnorm/batchnorm.h"

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR };     /* inputs of batchnorm */
enum { Y, MEAN, RSTD };                                 /* its outputs; rstd: 1 / sqrt(variance + eps) */
/* Vectors in the scratch; scale, shift: gamma and beta, or 1 and 0. */
enum { COL_MEAN, COL_RSTD, COL_SCALE, COL_SHIFT };
/* The sums of a piece; squares: of the differences from its own mean. */
enum { SUM, SQUARES };

/* in: x [..,d], gamma? [d], beta? [d], running_mean [d], running_var [d] (CONST, written in training); attr f[0]: eps,
 * f[1]: momentum, i: RELU, OF_BATCH (set here: 1 in training); out: y, mean [d], rstd [d] */
static bool infer(pf_graph *g, pf_node *n)
{
    if (g->spec.training && pf_rows(g, n->in[0]) < 2)
        return pf_bad_shape(g, n, "two rows or more, samples times pixels of a map, as batch norm cannot train on one: "
                            "take a larger batch or, with maps, a larger image");
    pf_shape d = pf_shape_of(1, pf_cols(g, n->in[0]));
    n->attr.i[PF_BN_OF_BATCH] = g->spec.training;
    return pf_output_like(g, n, 0, n->in[0]) && pf_output(g, n, 1, d) && pf_output(g, n, 2, d);
}

typedef struct { const pf_run *r; const pf_node *n; pf_mat x, y; } job;

/* The sums of pieces begin .. end - 1. */
static void piece_sums(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    (void)worker;
    for (int64_t piece = begin; piece < end; piece++)
        for (int64_t col = 0; col < j->x.cols; col += PF_BN_COLUMNS) {
            const pf_bn_block b = pf_bn_block_of(&j->x, piece, col);
            const pk_real *first = j->x.p + b.row * j->x.ld + col, *x = first;
            double sum[PF_BN_COLUMNS] = { 0 }, mean[PF_BN_COLUMNS], squares[PF_BN_COLUMNS] = { 0 };
            for (int64_t i = 0; i < b.rows; i++, x += j->x.ld)
                for (int64_t c = 0; c < b.cols; c++) sum[c] += (double)x[c];
            for (int64_t c = 0; c < b.cols; c++) mean[c] = sum[c] / (double)b.rows;
            x = first;
            for (int64_t i = 0; i < b.rows; i++, x += j->x.ld)
                for (int64_t c = 0; c < b.cols; c++) {
                    const double t = (double)x[c] - mean[c];
                    squares[c] += t * t;
                }
            memcpy(pf_bn_sums(j->r, j->x.cols, piece, SUM) + col, sum, (size_t)b.cols * sizeof *sum);
            memcpy(pf_bn_sums(j->r, j->x.cols, piece, SQUARES) + col, squares, (size_t)b.cols * sizeof *sum);
        }
}

/* Mean and biased variance of column c from the sums of the pieces. */
static void statistics(const job *j, int64_t c, double *mean, double *var)
{
    const int64_t pieces = pf_bn_pieces(j->x.rows);
    double sum = 0, squares = 0;
    for (int64_t p = 0; p < pieces; p++) sum += pf_bn_sums(j->r, j->x.cols, p, SUM)[c];
    *mean = sum / (double)j->x.rows;
    for (int64_t p = 0; p < pieces; p++) {
        const double rows = (double)pf_bn_block_of(&j->x, p, 0).rows;
        const double distance = pf_bn_sums(j->r, j->x.cols, p, SUM)[c] / rows - *mean;
        squares += pf_bn_sums(j->r, j->x.cols, p, SQUARES)[c] + rows * (distance * distance);
    }
    *var = squares / (double)j->x.rows;
}

/* Rows begin .. end - 1 of y. */
static void normalise(void *arg, int64_t begin, int64_t end, int worker)
{
    const job *j = arg;
    const int64_t cols = j->x.cols;
    const double *mean = pf_bn_vector(j->r, cols, COL_MEAN), *rstd = pf_bn_vector(j->r, cols, COL_RSTD);
    const double *scale = pf_bn_vector(j->r, cols, COL_SCALE), *shift = pf_bn_vector(j->r, cols, COL_SHIFT);
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        const pk_real *x = j->x.p + i * j->x.ld;
        pk_real *y = j->y.p + i * j->y.ld;
        if (j->n->attr.i[PF_BN_RELU])
            for (int64_t c = 0; c < cols; c++) {
                const double t = pf_bn_result(pf_bn_xhat((double)x[c], mean[c], rstd[c]), scale[c], shift[c]);
                y[c] = (pk_real)(t < 0 ? 0 : t);
            }
        else
            for (int64_t c = 0; c < cols; c++)
                y[c] = (pk_real)pf_bn_result(pf_bn_xhat((double)x[c], mean[c], rstd[c]), scale[c], shift[c]);
    }
}

static void run(const pf_run *r, const pf_node *n)
{
    job j = { r, n, pf_matrix(r, n->in[0]), pf_matrix(r, n->out[0]) };
    const pk_real *gamma = r->ptr[n->in[GAMMA].id], *beta = r->ptr[n->in[BETA].id];
    pk_real *running_mean = r->ptr[n->in[RUNNING_MEAN].id], *running_var = r->ptr[n->in[RUNNING_VAR].id];
    pk_real *out_mean = r->ptr[n->out[MEAN].id], *out_rstd = r->ptr[n->out[RSTD].id];
    const double momentum = n->attr.f[1], count = (double)j.x.rows;
    if (n->attr.i[PF_BN_OF_BATCH]) pf_parallel(r, pf_bn_pieces(j.x.rows), 1, piece_sums, &j);
    for (int64_t c = 0; c < j.x.cols; c++) {
        double mean = (double)running_mean[c], var = (double)running_var[c];
        if (n->attr.i[PF_BN_OF_BATCH]) statistics(&j, c, &mean, &var);
        if (n->attr.i[PF_BN_OF_BATCH] && !n->again) {    /* not where the backward pass repeats the node */
            running_mean[c] = (pk_real)((1 - momentum) * (double)running_mean[c] + momentum * mean);
            running_var[c] = (pk_real)((1 - momentum) * (double)running_var[c] + momentum * var * count / (count - 1));
        }
        const double rstd = 1 / sqrt(var + n->attr.f[0]);
        if (out_mean) out_mean[c] = (pk_real)mean;
        if (out_rstd) out_rstd[c] = (pk_real)rstd;
        /* with RELU rounded: the gradient computes the same values from out_mean and out_rstd, to see which were 0 */
        const bool rounded = n->attr.i[PF_BN_RELU];
        pf_bn_vector(r, j.x.cols, COL_MEAN)[c] = rounded ? (double)(pk_real)mean : mean;
        pf_bn_vector(r, j.x.cols, COL_RSTD)[c] = rounded ? (double)(pk_real)rstd : rstd;
        pf_bn_vector(r, j.x.cols, COL_SCALE)[c] = gamma ? (double)gamma[c] : 1;
        pf_bn_vector(r, j.x.cols, COL_SHIFT)[c] = beta ? (double)beta[c] : 0;
    }
    pf_parallel(r, j.x.rows, pf_bn_grain(j.x.cols), normalise, &j);
}

static size_t scratch(const pf_run *r, const pf_node *n) { return pf_bn_scratch(r, n->in[0]); }

/* Has x more than one row for each sample? */
static bool is_map(const pf_graph *g, pf_val x)
{
    const pf_shape *s = &pf_v(g, x)->shape;
    return s->ndim > 2 && s->dim[s->ndim - 2] > 1;
}

/* Of features: dx, and for gamma and beta the sums over the rows of values that are stored. */
static void grad_of_features(pf_grads *gr, const pf_node *n, const pf_val in[6])
{
    const pf_val x = n->in[X], gamma = n->in[GAMMA], beta = n->in[BETA];
    if (pf_grad_wanted(gr, x)) pf_grad_add(gr, x, pf_emit_backward(gr, &pf_op_batchnorm_grad, &n->attr, 6, in));
    if (pf_grad_wanted(gr, gamma)) {
        /* dgamma = sum d xhat, where xhat = (x - mean) rstd. xhat is computed again: another batchnorm node would
         * compute it, too, but update the running values a second time. */
        pf_attr a = n->attr;
        a.i[PF_BN_OF_GAMMA] = 1;
        pf_grad_add_reduced(gr, gamma, pf_emit_backward(gr, &pf_op_batchnorm_grad, &a, 6, in));
    }
    if (pf_grad_wanted(gr, beta)) pf_grad_add_reduced(gr, beta, in[0]);
}

static void grad(pf_grads *gr, const pf_node *n)
{
    const pf_val x = n->in[X], gamma = n->in[GAMMA], beta = n->in[BETA];
    const pf_val in[] = { pf_grad_of(gr, n->out[Y]), x, gamma, n->out[MEAN], n->out[RSTD],
                          n->attr.i[PF_BN_RELU] ? beta : PF_NONE };
    if (!n->attr.i[PF_BN_RELU] && !is_map(gr->g, x)) {
        grad_of_features(gr, n, in);
        return;
    }
    pf_node made = { .op = &pf_op_batchnorm_grad, .attr = n->attr, .backward = true };
    memcpy(made.in, in, sizeof in);
    pf_emit_node(gr->g, made, &made);
    if (gr->g->status) return;
    if (pf_grad_wanted(gr, x)) pf_grad_add(gr, x, made.out[0]);
    if (pf_grad_wanted(gr, gamma)) pf_grad_add(gr, gamma, made.out[1]);
    if (pf_grad_wanted(gr, beta)) pf_grad_add(gr, beta, made.out[2]);
}

pf_val pf_batchnorm(pf_graph *g, const pf_val in[5], double eps, double momentum, bool relu)
{
    const pf_attr a = { .f = { eps, momentum }, .i = { [PF_BN_RELU] = relu } };
    return pf_emit(g, &pf_op_batchnorm, &a, 5, in);
}

static int64_t flops(const pf_graph *g, const pf_node *n) { return pf_bn_flops(g, n->in[X]); }

const pf_op pf_op_batchnorm = { .name = "batchnorm", .flags = PF_EFFECT | PF_REPEATS, .infer = infer, .grad = grad,
    .scratch_bytes = scratch, .run = run, .flops = flops };
