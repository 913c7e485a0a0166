/* SPDX-License-Identifier: Apache-2.0
 * gemm_ref.c -- the micro-kernel and the epilogue of a matrix product in plain C: the reference for simd/gemm.c. */
#include "../pk.h"
#include "half.h"

enum { MR = 4, NR = 8 };        /* mr and nr of table_ref (../cpu.c) */

void pk_micro_ref(int64_t k, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, int n,
                  const pk_real *initial, pk_micro_prefetch *prefetch);
void pk_epilogue_ref(const pk_table *t, const pk_gemm *g, pk_real *tile, int64_t i, int64_t j, int m, int n);
double pk_fmas_ref(int64_t rounds);

void pk_micro_ref(int64_t k, const pk_real *a, const pk_real *b, pk_real *c, int64_t c_row, int m, int n,
                  const pk_real *initial, pk_micro_prefetch *prefetch)
{
    (void)prefetch;
    pk_real acc[MR][NR] = {{0}};
    for (int i = 0; initial && i < m; i++)
        for (int j = 0; j < n; j++) acc[i][j] = initial[i * NR + j];
    for (int64_t p = 0; p < k; p++, a += MR, b += NR)
        for (int i = 0; i < MR; i++)
            for (int j = 0; j < NR; j++) acc[i][j] += a[i] * b[j];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) c[i * c_row + j] = acc[i][j];
}

/* Stores n elements of `pre` from (i, j) on. */
static void store_pre(const pk_gemm *g, int64_t i, int64_t j, const pk_real *x, int n)
{
    for (int q = 0; q < n; q++) {
        if (g->pre_type == PK_BF16) ((uint16_t *)g->pre)[i * g->pre_row + j + q] = pk_to_bf16((float)x[q]);
        else ((pk_real *)g->pre)[i * g->pre_row + j + q] = x[q];
    }
}

void pk_epilogue_ref(const pk_table *t, const pk_gemm *g, pk_real *tile, int64_t i, int64_t j, int m, int n)
{
    pk_real x[NR];
    for (int r = 0; r < m; r++, i++, tile += NR) {
        pk_real *c = g->c + i * g->c_row + j;
        for (int q = 0; q < n; q++) {
            tile[q] *= g->scale;
            if (g->accumulate) tile[q] += c[q];
            if (g->bias) tile[q] += g->bias[j + q];
        }
        if (g->pre && g->slopes) {
            t->act_slope(g->act, tile, x, tile, n);
            store_pre(g, i, j, x, n);
        } else {
            if (g->pre) store_pre(g, i, j, tile, n);
            if (g->act != PK_NONE) t->act(g->act, tile, tile, n);
        }
        if (g->gate) {
            for (int q = 0; q < n; q++) x[q] = pk_element(g->gate, g->gate_type, i * g->gate_row + j + q);
            if (g->slopes) t->mul(tile, tile, x, n);
            else t->act_grad(g->gate_act, tile, tile, x, n);
        }
        for (int q = 0; q < n; q++) {
            if (g->gamma) tile[q] *= g->gamma[j + q];
            if (g->residual) tile[q] += g->residual[i * g->residual_row + j + q];
            c[q] = tile[q];
        }
    }
}

/* Returns the number of operations. volatile hides the factors from the compiler, which would otherwise remove the
 * loop. The sums stay 0 .. 7, together 28; the test of that uses them. */
double pk_fmas_ref(int64_t rounds)
{
    volatile pk_real one = 1, zero = 0;
    pk_real x = one, y = zero, s[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < 8; i++) s[i] += x * y;
    for (int i = 1; i < 8; i++) s[0] += s[i];
    return s[0] == 28 ? (double)rounds * 8 * 2 : 0;
}
