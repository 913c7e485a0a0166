/* SPDX-License-Identifier: Apache-2.0
 * run_gemm.h -- runs a product as the graph does: with the permission of tiles, and with the memory it asks for. */
#ifndef RUN_GEMM_H
#define RUN_GEMM_H
#include "kernels/pk.h"
#include "suite.h"

/* Computes the product with exactly the work memory that it asks for. Only B of I8, or of another type than pk_real for
 * CBLAS, needs memory for a conversion, and windows for copies. */
static void run_gemm(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g)
{
    t = pk_permitted(t, g->compute);
    const int threads = pk_pool_threads(pool);
    const int windows = g->a_windows.channels || g->b_windows.channels;
    const size_t converted = windows ? pk_gemm_windows_work(t, kind, g, threads)
                                     : pk_gemm_widen_work(t, kind, g->compute, g->b_type, g->n, g->k, threads);
    const size_t bytes = pk_gemm_work(t, g->compute, g->m, g->n, g->k, threads) + converted;
    if (windows) ck_assert_uint_gt(converted, 0);
    else if (g->b_type == PK_REAL || (g->b_type != PK_I8 && pk_gemm_chosen(t, kind, g->compute) == PK_GEMM_OWN))
        ck_assert_uint_eq(converted, 0);
    ck_assert_uint_eq(bytes % PK_ALIGN, 0);
    void *work = aligned_alloc(PK_ALIGN, bytes + PK_ALIGN);
    memset(work, 0xff, bytes + PK_ALIGN);                                  /* NaN; the bytes beyond the end must stay */
    pk_gemm_run(t, pool, kind, g, work);
    for (size_t i = bytes; i < bytes + PK_ALIGN; i++) ck_assert_uint_eq(((unsigned char *)work)[i], 0xff);
    free(work);
}
#endif
