/* SPDX-License-Identifier: Apache-2.0
 * gemm_plan.h -- arithmetic on extents for the files of this folder, and the interfaces of pack.c, windows.c, thin.c
 * and cblas.c, which gemm.c calls. */
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

/* Moves the matrices A, C, pre, gate and residual of g down by this number of rows. */
static inline void skip_rows(pk_gemm *g, int64_t rows)
{
    g->a += rows * g->a_row;
    g->c += rows * g->c_row;
    if (g->residual) g->residual += rows * g->residual_row;
    if (g->pre) g->pre = (char *)g->pre + rows * g->pre_row * pk_dtype_size(g->pre_type);
    if (g->gate) g->gate = (const char *)g->gate + rows * g->gate_row * pk_dtype_size(g->gate_type);
}

/* The product by the system's BLAS, which is called on the calling thread; the epilogue runs on the pool. work holds
 * pk_gemm_cblas_work() bytes, behind them pk_gemm_widen_work() for the copy of a B of another type than pk_real. */
void    pk_gemm_cblas(const pk_table *t, pk_pool *pool, const pk_gemm *g, void *work);
int64_t pk_gemm_cblas_work(const pk_table *t, int64_t m, int64_t n, int threads);

/* --- pack.c --- */
/* Packs rows row .. row+m-1, at most mr of the arithmetic, and columns depth .. depth+k-1 of A into a panel. copy: room
 * for m * k elements, for windows. */
void    pk_gemm_pack_a(const pk_table *t, const pk_gemm *g, pk_real *panel, int64_t row, int64_t m, int64_t depth,
                       int64_t k, pk_real *copy);
/* Packs columns column .. column+n-1, at most nr, of rows depth .. depth+k-1 of B into a panel. copy: room for n * k
 * elements of pk_real, for a B of I8 and for windows. */
void    pk_gemm_pack_b(const pk_table *t, const pk_gemm *g, pk_real *panel, int64_t depth, int64_t k, int64_t column,
                       int64_t n, pk_real *copy);
/* Must B be converted before it is packed? */
static inline int pk_gemm_converts(const pk_table *t, pk_compute compute, pk_dtype b_type)
{
    return b_type == PK_I8 && !t->product[compute].pack_int8;
}
/* Bytes of `copy` for one thread for such a B; k: most rows of a panel. */
static inline int64_t pk_gemm_converted_bytes(const pk_table *t, int64_t k)
{
    return aligned(t->nr * k * (int64_t)sizeof(pk_real));
}

/* --- windows.c --- */
static inline int pk_gemm_has_windows(const pk_gemm *g) { return g->a_windows.channels || g->b_windows.channels; }
/* Bytes of `copy` for one thread for windows; k: as above. */
static inline int64_t pk_gemm_windows_bytes(const pk_table *t, pk_compute compute, int64_t k)
{
    return aligned(at_least(t->product[compute].mr, t->nr) * k * (int64_t)sizeof(pk_real));
}
/* Copies rows row .. row+rows-1 and columns column .. column+columns-1 of the windows w to `to`, without gaps. maps:
 * their first element; pixel: bytes from one pixel to the next; size: bytes of an element. */
void    pk_gemm_copy_windows(const pk_windows *w, const void *maps, int64_t pixel, int64_t size, int64_t row,
                             int64_t rows, int64_t column, int64_t columns, void *to);
/* The product by the system's BLAS of windows. work: as for pk_gemm_cblas, behind that pk_gemm_windows_work(). */
void    pk_gemm_windows_cblas(const pk_table *t, pk_pool *pool, const pk_gemm *g, void *work);
int64_t pk_gemm_windows_cblas_work(const pk_gemm *g);

/* The product of a small k (thin.c). work holds pk_gemm_thin_work() bytes, which are enough for any smaller k, too,
 * behind them pk_gemm_widen_work(). no_epilogue: C = AB. */
int     pk_gemm_is_thin(const pk_table *t, pk_compute compute, int64_t m, int64_t n, int64_t k);
int64_t pk_gemm_thin_work(const pk_table *t, pk_compute compute, int64_t n, int64_t k, int threads);
void    pk_gemm_thin(const pk_table *t, pk_pool *pool, const pk_gemm *g, int no_epilogue, void *work);
#endif
