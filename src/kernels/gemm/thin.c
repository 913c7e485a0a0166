/* SPDX-License-Identifier: Apache-2.0
 * thin.c -- the matrix product when k is small, as in (x A) B of LoRA, where k is the rank: its time is that of reading
 * and writing C. All of B is packed and stays in the caches; then C is computed from top to bottom, panel by panel of
 * A, so that each of its rows is read and written from its first to its last column. gemm.c goes through C by columns
 * of tiles, each of which touches every row.
 *
 * Packing, micro-kernel and epilogue are those of gemm.c. K is one piece there, too, so that the bits are the same. Not
 * for int8, whose panels have a header (pk_product.header). */
#include "gemm_plan.h"

enum {
    THIN_LANES = 16,            /* largest k in lanes (pk_product) */
    THIN_BYTES = 1 << 18,       /* most bytes of the packed B: a quarter of a level-2 cache */
    TASKS_EACH = 4              /* tasks for each thread */
};

/* The memory of a thread, and the offsets of its parts in bytes: a panel of A, a tile, the packed B. */
typedef struct layout { int64_t lanes, tile, b, bytes; } layout;

typedef struct job {
    const pk_table *t;
    const pk_product *product;
    const pk_gemm *g;
    layout at;
    int64_t panels, panels_each;            /* panels of A: all of them, those of a task */
    char *work;
    char *converted;                        /* of each thread converted_bytes, for a B of I8; 0: B is another type */
    int64_t converted_bytes;
    int direct;                             /* C = AB: the micro-kernel writes to C itself */
} job;

static layout layout_of(const pk_table *t, pk_compute compute, int64_t n, int64_t k)
{
    const int64_t size = (int64_t)sizeof(pk_real);
    const pk_product *product = &t->product[compute];
    layout at = { .lanes = ceil_div(k, product->block) * product->block_lanes };
    at.tile = aligned(product->mr * at.lanes * size);
    at.b = at.tile + aligned(product->mr * t->nr * size);
    at.bytes = at.b + aligned(ceil_div(n, t->nr) * t->nr * at.lanes * size);
    return at;
}

int pk_gemm_is_thin(const pk_table *t, pk_compute compute, int64_t m, int64_t n, int64_t k)
{
    const pk_product *product = &t->product[compute];
    const layout at = layout_of(t, compute, n, k);
    return k > 0 && !product->header && at.lanes <= THIN_LANES && at.bytes - at.b <= THIN_BYTES && n > t->nr
        && m > 4 * product->mr;
}

int64_t pk_gemm_thin_work(const pk_table *t, pk_compute compute, int64_t n, int64_t k, int threads)
{
    const layout at = layout_of(t, compute, n, at_most(k, THIN_LANES * t->product[compute].per_lane));
    return threads * (at.b + at_most(at.bytes - at.b, THIN_BYTES));
}

/* Prefetches rows row .. row+mr-1 of the columns of a tile, as far as they exist. */
static void prefetch_tile(const pk_gemm *g, const void *matrix, pk_dtype type, int64_t row_stride, int64_t row,
                          int64_t column, int64_t rows, int64_t columns)
{
    const int64_t end = at_most(row + rows, g->m), size = pk_dtype_size(type);
    for (int64_t i = row; i < end; i++) {
        const char *from = (const char *)matrix + (i * row_stride + column) * size;
        for (int64_t j = 0; j < columns * size; j += PK_ALIGN) __builtin_prefetch(from + j, 0, 2);
    }
}

/* One tile: panel a of A, rows from `row` on, and the panel of B of the columns from `column` on. */
static void compute_tile(const job *p, const pk_real *a, const pk_real *b, pk_real *tile, int64_t row, int64_t column)
{
    const pk_gemm *g = p->g;
    const int64_t mr = p->product->mr, nr = p->t->nr;
    const int m = (int)at_most(mr, g->m - row), n = (int)at_most(nr, g->n - column);
    /* the same columns of the next panel's rows: one panel ahead */
    prefetch_tile(g, g->c, PK_REAL, g->c_row, row + mr, column, mr, n);
    if (g->residual && g->residual != g->c)
        prefetch_tile(g, g->residual, PK_REAL, g->residual_row, row + mr, column, mr, n);
    if (g->gate) prefetch_tile(g, g->gate, g->gate_type, g->gate_row, row + mr, column, mr, n);
    if (p->direct) {
        p->product->micro(p->at.lanes, a, b, g->c + row * g->c_row + column, g->c_row, m, n, NULL, NULL);
        return;
    }
    p->product->micro(p->at.lanes, a, b, tile, nr, m, n, NULL, NULL);
    p->t->epilogue(p->t, g, tile, row, column, m, n);
}

/* Task of the pool: packs B for this thread, and computes the rows of panels_each panels of A. */
static void compute_rows(void *arg, int64_t task, int worker)
{
    const job *p = arg;
    const pk_gemm *g = p->g;
    const int64_t mr = p->product->mr, nr = p->t->nr, end = at_most((task + 1) * p->panels_each, p->panels);
    char *work = p->work + worker * p->at.bytes;
    pk_tiles host;
    pk_real *a = (pk_real *)work, *tile = (pk_real *)(work + p->at.tile), *b = (pk_real *)(work + p->at.b);
    for (int64_t column = 0; column < g->n; column += nr)
        pk_gemm_pack_b(p->t, g, b + column * p->at.lanes, 0, g->k, column, at_most(nr, g->n - column),
                       (pk_real *)(p->converted + worker * p->converted_bytes));
    enter_product(p->product, &host);
    for (int64_t i = task * p->panels_each; i < end; i++) {
        const int64_t row = i * mr;
        p->product->pack_a(a, g->a + row * g->a_row, g->a_row, g->a_col, at_most(mr, g->m - row), g->k);
        for (int64_t column = 0; column < g->n; column += nr)
            compute_tile(p, a, b + column * p->at.lanes, tile, row, column);
    }
    leave_product(p->product, &host);
}

void pk_gemm_thin(const pk_table *t, pk_pool *pool, const pk_gemm *g, int no_epilogue, void *work)
{
    const int threads = pk_pool_threads(pool);
    job p = { .t = t, .product = &t->product[g->compute], .g = g, .at = layout_of(t, g->compute, g->n, g->k),
              .work = work, .direct = no_epilogue };
    p.panels = ceil_div(g->m, p.product->mr);
    p.converted = p.work + threads * p.at.bytes;
    if (pk_gemm_converts(t, g->compute, g->b_type)) p.converted_bytes = pk_gemm_converted_bytes(t, g->k);
    p.panels_each = threads > 1 ? ceil_div(p.panels, TASKS_EACH * threads) : p.panels;
    pk_pool_run(pool, ceil_div(p.panels, p.panels_each), compute_rows, &p);
}
