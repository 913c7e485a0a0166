/* SPDX-License-Identifier: Apache-2.0
 * cblas.c -- the matrix product by the system's BLAS, for CPUs without kernels of our own and on request. Its threads
 * are the process's and stay as they are; it is called from the calling thread, the epilogue then runs on the pool. */
#include "blas.h"
#include "gemm_plan.h"

enum { STRIP = 256 };           /* rows multiplied at a time when the product cannot go straight to C */

typedef struct cblas_job {
    const pk_table *t;
    const pk_gemm *g;           /* of the current strip, without scale and what BLAS has added */
    const pk_real *product;
    int64_t product_row;
    char *tiles;                /* a tile a thread */
    int64_t tile_bytes;
} cblas_job;

static int64_t tile_bytes(const pk_table *t)
{
    return aligned(t->mr * t->nr * (int64_t)sizeof(pk_real));
}

int64_t pk_gemm_cblas_work(const pk_table *t, int64_t m, int64_t n, int threads)
{
    return aligned(at_most(m, STRIP) * n * (int64_t)sizeof(pk_real)) + tile_bytes(t) * at_least(threads, 1);
}

/* Conversion of rows of B to pk_real: from is B, its rows `row` elements apart and `length` long. */
typedef struct widening {
    const pk_table *t;
    pk_dtype type;
    const char *from;
    int64_t row, length;
    pk_real *to;
} widening;

static void widen_row(void *arg, int64_t i, int worker)
{
    const widening *w = arg;
    (void)worker;
    w->t->widen[w->type](w->to + i * w->length, w->from + i * w->row * pk_dtype_size(w->type), w->length);
}

/* B becomes a copy of pk_real in room, without gaps between the rows along which it is contiguous. */
static void widen_b(const pk_table *t, pk_pool *pool, pk_gemm *g, void *room)
{
    const int turned = g->b_col != 1;
    widening w = { t, g->b_type, g->b, turned ? g->b_col : g->b_row, turned ? g->k : g->n, room };
    pk_pool_run(pool, turned ? g->n : g->k, widen_row, &w);
    g->b = room;
    g->b_type = PK_REAL;
    *(turned ? &g->b_col : &g->b_row) = w.length;
}

static void finish_rows(void *arg, int64_t task, int worker)
{
    const cblas_job *w = arg;
    const pk_table *t = w->t;
    const int64_t i = task * t->mr;
    const int m = (int)at_most(t->mr, w->g->m - i);
    pk_real *tile = (pk_real *)(w->tiles + worker * w->tile_bytes);
    for (int64_t j = 0; j < w->g->n; j += t->nr) {
        int n = (int)at_most(t->nr, w->g->n - j);
        for (int r = 0; r < m; r++)
            for (int q = 0; q < n; q++) tile[r * t->nr + q] = w->product[(i + r) * w->product_row + j + q];
        t->finish(t, w->g, tile, i, j, m, n);
    }
}

/* to[m,n] = scale*AB + beta*to. The leading dimension of a matrix of one row or column may be anything to us, but
 * BLAS wants it to cover the other extent. */
static void multiply(const pk_gemm *g, pk_real *to, int64_t to_row, int beta)
{
    const int a_turned = g->a_col != 1, b_turned = g->b_col != 1;
    const int64_t lda = at_least(a_turned ? g->a_col : g->a_row, at_least(1, a_turned ? g->m : g->k));
    const int64_t ldb = at_least(b_turned ? g->b_col : g->b_row, at_least(1, b_turned ? g->k : g->n));
    pk_blas_product()(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans, b_turned ? CblasTrans : CblasNoTrans,
                      (int)g->m, (int)g->n, (int)g->k, g->scale, g->a, (int)lda, g->b, (int)ldb, (pk_real)beta, to,
                      (int)at_least(to_row, g->n));
}

static void finish(cblas_job *w, pk_pool *pool, pk_gemm *g)
{
    if (!g->accumulate && !g->bias && !g->pre && !g->gate && g->act == PK_NONE && !g->gamma && !g->residual &&
        w->product == g->c) return;
    w->g = g;
    pk_pool_run(pool, ceil_div(g->m, w->t->mr), finish_rows, w);
}

void pk_gemm_cblas(const pk_table *t, pk_pool *pool, const pk_gemm *whole, void *work)
{
    pk_gemm g = *whole;
    cblas_job w = { .t = t, .tile_bytes = tile_bytes(t), .tiles = work };
    pk_real *strip = (pk_real *)(w.tiles + w.tile_bytes * pk_pool_threads(pool));
    char *const end = (char *)work + pk_gemm_cblas_work(t, g.m, g.n, pk_pool_threads(pool));
    if (g.b_type != PK_REAL) widen_b(t, pool, &g, end);
    if (g.residual != g.c) {                    /* C may hold the bare product for a while */
        w.product = g.c;
        w.product_row = g.c_row;
        multiply(&g, g.c, g.c_row, g.accumulate);
        g.accumulate = 0;
        g.scale = 1;
        finish(&w, pool, &g);
        return;
    }
    w.product = strip;
    w.product_row = g.n;
    for (int64_t i = 0; i < whole->m; i += STRIP) {
        g.m = at_most(STRIP, whole->m - i);
        g.scale = whole->scale;
        multiply(&g, strip, g.n, 0);
        g.scale = 1;
        finish(&w, pool, &g);
        g.a += g.m * g.a_row;
        g.c += g.m * g.c_row;
        g.residual += g.m * g.residual_row;
        if (g.pre) g.pre += g.m * g.pre_row;
        if (g.gate) g.gate += g.m * g.gate_row;
    }
}
