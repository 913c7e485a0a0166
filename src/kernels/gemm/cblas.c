/* SPDX-License-Identifier: Apache-2.0
 * cblas.c -- the matrix product by the system's BLAS, for CPUs without vector kernels and for gemm=cblas. The number of
 * threads of the BLAS is the process's setting and is not changed. The epilogue runs on the pool, after the product. */
#include "blas.h"
#include "gemm_plan.h"
#include "../ref/int8.h"

enum { STRIP = 256 };           /* rows multiplied at a time where AB cannot be stored in C before the epilogue */

typedef struct cblas_job {
    const pk_table *t;
    const pk_gemm *g;           /* the current strip; scale is 1 and accumulate 0 where BLAS has applied them */
    const pk_real *product;     /* its AB, rows product_row elements apart */
    int64_t product_row;
    char *tiles;                /* one tile for each thread, tile_bytes apart */
    int64_t tile_bytes;
} cblas_job;

/* Bytes of one tile mr x nr in the scratch. */
static int64_t bytes_of_tile(const pk_table *t)
{
    return aligned(t->mr * t->nr * (int64_t)sizeof(pk_real));
}

int64_t pk_gemm_cblas_work(const pk_table *t, int64_t m, int64_t n, int threads)
{
    return aligned(at_most(m, STRIP) * n * (int64_t)sizeof(pk_real)) + bytes_of_tile(t) * at_least(threads, 1);
}

/* Conversion of B to pk_real: vectors of `length` contiguous elements, `stride` elements apart, are written to `to`
 * one behind the other. */
typedef struct widening {
    const pk_table *t;
    pk_dtype type;
    const char *from;
    const float *scales;                    /* of I8, whose vectors are rows of the stored matrix */
    int64_t stride, length;
    pk_real *to;
} widening;

/* Task: converts vector i. */
static void widen_vector(void *arg, int64_t i, int worker)
{
    const widening *w = arg;
    (void)worker;
    const char *from = w->from + i * w->stride * pk_dtype_size(w->type);
    const float *scales = w->type == PK_I8 ? w->scales + i * pk_int8_pieces(w->length).count : NULL;
    if (scales)
        w->t->dequantise(w->to + i * w->length, w->length, (const int8_t *)from, scales, w->length, 1, 0, w->length);
    else w->t->widen[w->type](w->to + i * w->length, from, w->length);
}

/* Replaces B by a copy of type pk_real in `copy` [n*k], with the same contiguous direction and no gaps. */
static void widen_b(const pk_table *t, pk_pool *pool, pk_gemm *g, void *copy)
{
    const int transposed = g->b_col != 1;
    widening w = { t, g->b_type, g->b, g->b_scales, transposed ? g->b_col : g->b_row, transposed ? g->k : g->n, copy };
    pk_pool_run(pool, transposed ? g->n : g->k, widen_vector, &w);
    g->b = copy;
    g->b_type = PK_REAL;
    if (transposed) g->b_col = w.length;
    else g->b_row = w.length;
}

/* Task: copies mr rows of AB into tiles, one after another, and applies the epilogue to each. */
static void epilogue_rows(void *arg, int64_t task, int worker)
{
    const cblas_job *job = arg;
    const pk_table *t = job->t;
    const int64_t i = task * t->mr;
    const int m = (int)at_most(t->mr, job->g->m - i);
    pk_real *tile = (pk_real *)(job->tiles + worker * job->tile_bytes);
    for (int64_t j = 0; j < job->g->n; j += t->nr) {
        int n = (int)at_most(t->nr, job->g->n - j);
        for (int r = 0; r < m; r++)
            for (int q = 0; q < n; q++) tile[r * t->nr + q] = job->product[(i + r) * job->product_row + j + q];
        t->epilogue(t, job->g, tile, i, j, m, n);
    }
}

enum { OVERWRITE = 0 };         /* as beta: to = scale*AB */

/* to[m,n] = scale*AB + beta*to, as in BLAS. The row stride of a matrix of one row is never used and may be any number,
 * but BLAS demands a leading dimension of at least the other extent. */
static void multiply(const pk_gemm *g, pk_real *to, int64_t to_row, int beta)
{
    const int a_transposed = g->a_col != 1, b_transposed = g->b_col != 1;
    const int64_t lda = at_least(a_transposed ? g->a_col : g->a_row, at_least(1, a_transposed ? g->m : g->k));
    const int64_t ldb = at_least(b_transposed ? g->b_col : g->b_row, at_least(1, b_transposed ? g->k : g->n));
    pk_blas_product()(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans, b_transposed ? CblasTrans : CblasNoTrans,
                      (int)g->m, (int)g->n, (int)g->k, g->scale, g->a, (int)lda, g->b, (int)ldb, (pk_real)beta, to,
                      (int)at_least(to_row, g->n));
}

/* Applies the epilogue of g to job->product; does nothing if it has no steps left and the product is in C already. */
static void run_epilogue(cblas_job *job, pk_pool *pool, pk_gemm *g)
{
    if (!g->accumulate && !g->bias && !g->pre && !g->gate && g->act == PK_NONE && !g->gamma && !g->residual &&
        job->product == g->c) return;
    job->g = g;
    pk_pool_run(pool, ceil_div(g->m, job->t->mr), epilogue_rows, job);
}

void pk_gemm_cblas(const pk_table *t, pk_pool *pool, const pk_gemm *whole, void *work)
{
    pk_gemm g = *whole;
    cblas_job job = { .t = t, .tile_bytes = bytes_of_tile(t), .tiles = work };
    pk_real *strip = (pk_real *)(job.tiles + job.tile_bytes * pk_pool_threads(pool));
    char *const widened = (char *)work + pk_gemm_cblas_work(t, g.m, g.n, pk_pool_threads(pool));
    if (g.b_type != PK_REAL) widen_b(t, pool, &g, widened);
    if (g.residual != g.c) {                    /* AB can be stored in C: the epilogue reads no old value of it */
        job.product = g.c;
        job.product_row = g.c_row;
        multiply(&g, g.c, g.c_row, g.accumulate);
        g.accumulate = 0;
        g.scale = 1;
        run_epilogue(&job, pool, &g);
        return;
    }
    job.product = strip;                        /* C is the residual and is read by the epilogue */
    job.product_row = g.n;
    for (int64_t i = 0; i < whole->m; i += STRIP) {
        g.m = at_most(STRIP, whole->m - i);
        g.scale = whole->scale;
        multiply(&g, strip, g.n, OVERWRITE);
        g.scale = 1;
        run_epilogue(&job, pool, &g);
        skip_rows(&g, g.m);
    }
}
