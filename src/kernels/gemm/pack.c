/* SPDX-License-Identifier: Apache-2.0
 * pack.c -- packs a panel of A, or of B of any type. A weight stored as int8 is copied byte by byte in int8 arithmetic,
 * else the needed part of it is converted to pk_real first. The needed part of windows is copied first. */
#include "gemm_plan.h"
#include "../ref/int8.h"

void pk_gemm_pack_a(const pk_table *t, const pk_gemm *g, pk_real *panel, int64_t row, int64_t m, int64_t depth,
                    int64_t k, pk_real *copy)
{
    const pk_product *product = &t->product[g->compute];
    const int64_t size = (int64_t)sizeof(pk_real);
    if (!g->a_windows.channels) {
        product->pack_a(panel, g->a + row * g->a_row + depth * g->a_col, g->a_row, g->a_col, m, k);
    } else {
        pk_gemm_copy_windows(&g->a_windows, g->a, g->a_row * size, size, row, m, depth, k, copy);
        product->pack_a(panel, copy, k, 1, m, k);
    }
}

void pk_gemm_pack_b(const pk_table *t, const pk_gemm *g, pk_real *panel, int64_t depth, int64_t k, int64_t column,
                    int64_t n, pk_real *copy)
{
    const pk_product *product = &t->product[g->compute];
    const int transposed = g->b_row == 1;                   /* B is the transpose of the stored matrix */
    if (g->b_windows.channels) {
        const int64_t size = pk_dtype_size(g->b_type);
        pk_gemm_copy_windows(&g->b_windows, g->b, g->b_row * size, size, depth, k, column, n, copy);
        product->pack_b[g->b_type](panel, copy, n, 1, k, n);
        return;
    }
    const char *b = (const char *)g->b + (depth * g->b_row + column * g->b_col) * pk_dtype_size(g->b_type);
    if (g->b_type != PK_I8) {
        product->pack_b[g->b_type](panel, b, g->b_row, g->b_col, k, n);
        return;
    }
    const int64_t cols = transposed ? g->k : g->n, stride = transposed ? g->b_col : g->b_row;
    const int64_t row = transposed ? column : depth;        /* of the stored matrix, whose rows have cols elements */
    const pk_pieces pieces = pk_int8_pieces(cols);
    const int8_t *from = (const int8_t *)g->b + row * stride;
    const float *scales = g->b_scales + row * pieces.count;
    if (product->pack_int8) {
        product->pack_int8(panel, from + depth, stride, scales + depth / pieces.length, pieces.count, k, n);
    } else if (transposed) {
        t->dequantise(copy, k, from, scales, cols, n, depth, k);
        product->pack_b[PK_REAL](panel, copy, 1, k, k, n);
    } else {
        t->dequantise(copy, n, from, scales, cols, k, column, n);
        product->pack_b[PK_REAL](panel, copy, n, 1, k, n);
    }
}
