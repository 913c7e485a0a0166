/* SPDX-License-Identifier: Apache-2.0
 * batchnorm.h -- what batch normalisation and its gradient share. The rows are cut into pieces of fixed size; the sums
 * of the pieces are added in their order, so that the result does not depend on the number of threads. */
#ifndef PF_BATCHNORM_H
#define PF_BATCHNORM_H
#include "core/graph/op.h"

/* attr.i of both operations. OF_BATCH: mean and variance are those of the batch, not the running ones. RELU: the result
 * is max(0, the normalised value). OF_GAMMA, of batchnorm_grad: compute dy xhat instead of dx. */
enum { PF_BN_OF_BATCH, PF_BN_RELU, PF_BN_OF_GAMMA };
enum { PF_BN_PIECE = 256 };          /* rows of a piece: with 256 columns it fits the level-2 cache */
enum { PF_BN_COLUMNS = 64 };         /* columns whose sums are computed together, in the level-1 cache */

/* The scratch: PF_BN_VECTORS vectors with a double for each column, then two for each piece, the sums. */
enum { PF_BN_VECTORS = 6 };
static inline double *pf_bn_vector(const pf_run *r, int64_t cols, int i) { return (double *)r->scratch + i * cols; }
static inline double *pf_bn_sums(const pf_run *r, int64_t cols, int64_t piece, int which)
{
    return (double *)r->scratch + (PF_BN_VECTORS + 2 * piece + which) * cols;
}
static inline int64_t pf_bn_pieces(int64_t rows) { return (rows + PF_BN_PIECE - 1) / PF_BN_PIECE; }
static inline size_t pf_bn_scratch(const pf_run *r, pf_val x)
{
    const int64_t vectors = PF_BN_VECTORS + 2 * pf_bn_pieces(pf_rows(r->g, x));
    return pf_align_up((size_t)(vectors * pf_cols(r->g, x)) * sizeof(double));
}

/* A block of a matrix whose sums are computed together. */
typedef struct { int64_t row, rows, col, cols; } pf_bn_block;
static inline pf_bn_block pf_bn_block_of(const pf_mat *x, int64_t piece, int64_t col)
{
    const int64_t row = piece * PF_BN_PIECE;
    return (pf_bn_block){ row, x->rows - row < PF_BN_PIECE ? x->rows - row : PF_BN_PIECE, col,
                          x->cols - col < PF_BN_COLUMNS ? x->cols - col : PF_BN_COLUMNS };
}

/* FLOPs of either operation, about: three for each sum over the rows, and a multiply-add with the factors for each
 * result. */
static inline int64_t pf_bn_flops(const pf_graph *g, pf_val x)
{
    const int64_t each = 8;
    return each * pf_rows(g, x) * pf_cols(g, x);
}

/* Rows of a chunk where rows do not depend on one another. */
static inline int64_t pf_bn_grain(int64_t cols) { return PF_GRAIN / cols + 1; }

/* Of an element: xhat = (x - mean) * rstd; y = xhat * gamma + beta. */
static inline double pf_bn_xhat(double x, double mean, double rstd) { return (x - mean) * rstd; }
static inline double pf_bn_result(double xhat, double scale, double shift) { return xhat * scale + shift; }
#endif
