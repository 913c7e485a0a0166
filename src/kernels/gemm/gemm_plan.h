/* SPDX-License-Identifier: Apache-2.0
 * gemm_plan.h -- arithmetic on extents for the files of this folder, and the interfaces of pack.c, thin.c and cblas.c,
 * which gemm.c calls. */
#ifndef PK_GEMM_PLAN_H
#define PK_GEMM_PLAN_H
#include "../pk.h"

static inline int64_t ceil_div(int64_t a, int64_t b)       { return (a + b - 1) / b; }     /* a/b rounded up */
static inline int64_t at_most(int64_t a, int64_t b)        { return a < b ? a : b; }
static inline int64_t at_least(int64_t a, int64_t b)       { return a > b ? a : b; }
/* bytes rounded up to a multiple of PK_ALIGN */
static inline int64_t aligned(int64_t bytes)               { return ceil_div(bytes, PK_ALIGN) * PK_ALIGN; }

/* Before and after a thread's calls of the micro-kernel (pk_product.enter). */
static inline void enter_product(const pk_product *p, pk_tiles *host)
{
    if (p->enter) p->enter(host);
}
static inline void leave_product(const pk_product *p, const pk_tiles *host)
{
    if (p->leave) p->leave(host);
}

/* The product by the system's BLAS, which is called on the calling thread; the epilogue runs on the pool. work holds
 * pk_gemm_cblas_work() bytes, behind them pk_gemm_widen_work() for the copy of a B of another type than pk_real. */
void    pk_gemm_cblas(const pk_table *t, pk_pool *pool, const pk_gemm *g, void *work);
int64_t pk_gemm_cblas_work(const pk_table *t, int64_t m, int64_t n, int threads);

/* --- pack.c --- */
/* Packs columns column .. column+n-1, at most nr, of rows depth .. depth+k-1 of B into a panel. converted:
 * pk_gemm_widen_work() bytes for one thread, for a B of I8. */
void    pk_gemm_pack_b(const pk_table *t, const pk_gemm *g, pk_real *panel, int64_t depth, int64_t k, int64_t column,
                       int64_t n, pk_real *converted);
/* Must B be converted before it is packed? */
static inline int pk_gemm_converts(const pk_table *t, pk_compute compute, pk_dtype b_type)
{
    return b_type == PK_I8 && !t->product[compute].pack_int8;
}
/* Bytes of `converted` for one thread; k: most rows of a panel. */
static inline int64_t pk_gemm_converted_bytes(const pk_table *t, int64_t k)
{
    return aligned(t->nr * k * (int64_t)sizeof(pk_real));
}

/* The product of a small k (thin.c). work holds pk_gemm_thin_work() bytes, which are enough for any smaller k, too,
 * behind them pk_gemm_widen_work(). no_epilogue: C = AB. */
int     pk_gemm_is_thin(const pk_table *t, pk_compute compute, int64_t m, int64_t n, int64_t k);
int64_t pk_gemm_thin_work(const pk_table *t, pk_compute compute, int64_t n, int64_t k, int threads);
void    pk_gemm_thin(const pk_table *t, pk_pool *pool, const pk_gemm *g, int no_epilogue, void *work);
#endif
