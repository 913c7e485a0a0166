/* SPDX-License-Identifier: Apache-2.0
 * gemm.c -- the matrix product. K is cut in even pieces, by k alone. A block of rows of A is packed by all threads;
 * then each task owns a rectangle of C: piece by piece it packs a panel of B and multiplies it with every panel of A,
 * adding into tiles of its own, and hands each tile to the epilogue after the last piece. So an element is one chain
 * of FMAs a piece and the pieces' sums in order, wherever it stands and however the tasks are cut. */
#include "gemm_plan.h"

enum {
    BLOCK_ROWS = 800,           /* of A: a piece of them (1.2 MB) stays in the second cache while B passes by */
    TASK_PANELS = 4,            /* of B in one task, so that its tiles (0.4 MB) stay there too */
    PIECE_STEP = 16,
    FETCH_ROWS = 8,             /* panels of A that make fetching the next panel of B ahead worth while */
    FETCHES = 512,
    ALONE = 1 << 18             /* products this small are not worth waking anybody */
};

typedef struct plan {
    const pk_table *t;
    const pk_gemm *g;
    int64_t pieces, piece;      /* pieces of K, of this length (the last: what remains) */
    int64_t m_panels, n_panels; /* of the whole product */
    int64_t block;              /* panels of A in a block; block_at, block_panels: the current one */
    int64_t block_at, block_panels;
    int64_t column_at, task_rows, task_cols, row_tasks; /* tasks: the first panel of B, panels in one, along the rows */
    int packing;                /* the tasks pack their rows of A as they go */
    pk_real *packed;            /* A's block: [piece][panel][k of the piece][mr] */
    char *scratch;              /* one a thread: a panel of B, then tiles [task_cols][task_rows][mr][nr] */
    int64_t panel_bytes, thread_bytes;
} plan;

static plan make_plan(const pk_table *t, int64_t m, int64_t n, int64_t k)
{
    plan p = { .t = t };
    p.pieces = at_least(ceil_div(k, t->kc), 1);
    p.piece = ceil_div(ceil_div(k, p.pieces), PIECE_STEP) * PIECE_STEP;
    p.m_panels = ceil_div(m, t->mr);
    p.n_panels = ceil_div(n, t->nr);
    int64_t blocks = ceil_div(p.m_panels, BLOCK_ROWS / t->mr);
    p.block = ceil_div(p.m_panels, at_least(blocks, 1));
    int64_t tiles = p.pieces > 1 ? p.block * at_most(p.n_panels, TASK_PANELS) : 1;
    p.panel_bytes = aligned(at_most(p.piece, k) * t->nr * (int64_t)sizeof(pk_real));
    p.thread_bytes = p.panel_bytes + aligned(tiles * t->mr * t->nr * (int64_t)sizeof(pk_real));
    return p;
}

static int64_t packed_bytes(const plan *p, int64_t k)
{
    return aligned(p->block * p->t->mr * k * (int64_t)sizeof(pk_real));
}

size_t pk_gemm_work(const pk_table *t, int64_t m, int64_t n, int64_t k, int threads)
{
    plan p = make_plan(t, m, n, k);
    int64_t own = packed_bytes(&p, k) + p.thread_bytes * at_least(threads, 1);
    return (size_t)at_least(own, pk_gemm_cblas_work(t, m, n, threads));
}

/* The first panel of B, multiplied by as many tasks as there are threads; they pack A as they go. */
static void cut_first(plan *p, int threads)
{
    p->column_at = 0;
    p->packing = 1;
    p->task_cols = 1;
    p->task_rows = ceil_div(p->block_panels, threads);
    p->row_tasks = ceil_div(p->block_panels, p->task_rows);
}

/* The others, in tasks of the shape that takes the busiest thread the least time, counting besides the products the
 * packing of B (about as long as 10 rows) and the coming of A from the third cache (8 columns). */
static void cut_others(plan *p, int threads)
{
    const int64_t mr = p->t->mr, nr = p->t->nr, panels = p->n_panels - 1;
    int64_t best = INT64_MAX;
    p->column_at = 1;
    p->packing = 0;
    for (int64_t split = 1; split <= at_most(p->block_panels, 2 * (int64_t)threads); split++) {
        int64_t rows = ceil_div(p->block_panels, split), along = ceil_div(p->block_panels, rows);
        for (int64_t cols = at_most(panels, TASK_PANELS); cols > 0; cols--) {
            int64_t turns = ceil_div(along * ceil_div(panels, cols), threads);
            int64_t time = turns * (rows * mr * (cols * nr + 8) + cols * nr * 10);
            if (time >= best) continue;
            best = time;
            p->task_rows = rows;
            p->task_cols = cols;
            p->row_tasks = along;
        }
        if (threads == 1) break;
    }
}

/* What the micro-kernel shall fetch while it multiplies. Packing and the epilogue are little but waiting for memory;
 * asked for all at once, the lines would stand in the way of those the product needs. */
typedef struct wanted { pk_fetch at[FETCHES]; int count; } wanted;

enum { LINE = PK_ALIGN / (int)sizeof(pk_real) };

/* The lines of `rows` rows of `length` elements, `step` apart. */
typedef struct lines { const pk_real *at; int64_t step, length, rows, next; } lines;

/* The next `count` of them; a row's last line is asked for by its last element. */
static void want(wanted *w, lines *l, int64_t count)
{
    for (count = at_most(count, FETCHES - w->count); count > 0 && l->rows > 0; count--) {
        w->at[w->count++] = l->at + at_most(l->next, l->length - 1);
        l->next += LINE;
        if (l->length >= LINE && l->next < l->length + LINE - 1) continue;
        l->next = 0;
        l->at += l->step;
        l->rows--;
    }
}

/* `lanes` rows or columns of a matrix over k: lane and step are its strides along and across them. */
static lines panel_lines(const pk_real *at, int64_t lane, int64_t step, int64_t lanes, int64_t k)
{
    if (k <= 0) return (lines){ .rows = 0 };
    return step == 1 ? (lines){ at, lane, k, lanes, 0 } : (lines){ at, step, lanes, k, 0 };
}

/* The panel of B at (from, column), the next to be packed. */
static lines b_lines(const plan *p, int64_t from, int64_t column)
{
    const pk_gemm *g = p->g;
    return panel_lines(g->b + from * g->b_row + column * g->b_col, g->b_col, g->b_row, at_most(p->t->nr, g->n - column),
                       at_most(p->piece, g->k - from));
}

static lines a_lines(const plan *p, int64_t from, int64_t row)
{
    const pk_gemm *g = p->g;
    return panel_lines(g->a + row * g->a_row + from * g->a_col, g->a_row, g->a_col, at_most(p->t->mr, g->m - row),
                       at_most(p->piece, g->k - from));
}

static void want_rows(wanted *w, const pk_real *from, int64_t step, int m, int n)
{
    if (from) want(w, &(lines){ from, step, n, m, 0 }, FETCHES);
}

/* What the epilogue of a tile will read and write. */
static void want_target(wanted *w, const pk_gemm *g, int64_t row, int64_t column, int m, int n)
{
    want_rows(w, g->c + row * g->c_row + column, g->c_row, m, n);
    if (g->residual && g->residual != g->c) want_rows(w, g->residual + row * g->residual_row + column, g->residual_row, m, n);
    if (g->gate) want_rows(w, g->gate + row * g->gate_row + column, g->gate_row, m, n);
}

/* A task's rectangle in panels, the piece of K it is at, the panel of B in hand and what comes after them. */
typedef struct step {
    int64_t first, rows, left, cols;
    int64_t from, panel, next_from, next_panel;
} step;

static void pack_a_panel(const plan *p, const step *s, int64_t row, pk_real *to, wanted *w)
{
    const pk_gemm *g = p->g;
    p->t->pack_a(to, g->a + row * g->a_row + s->from * g->a_col, g->a_row, g->a_col, at_most(p->t->mr, g->m - row),
                 at_most(p->piece, g->k - s->from));
    const int64_t end = (p->block_at + s->first + s->rows) * p->t->mr, next = row + p->t->mr;
    lines l = next < at_most(end, g->m) ? a_lines(p, s->from, next)
                                        : a_lines(p, s->from + p->piece, (p->block_at + s->first) * p->t->mr);
    want(w, &l, FETCHES);
}

/* The panel of B in hand times the task's panels of A; tile: the first of the results. */
static void multiply_panel(const plan *p, const step *s, const pk_real *b, pk_real *tile)
{
    const pk_gemm *g = p->g;
    const int64_t mr = p->t->mr, nr = p->t->nr, k = at_most(p->piece, g->k - s->from), column = s->panel * nr;
    const int n = (int)at_most(nr, g->n - column), last = s->from + p->piece >= g->k;
    const int64_t tile_step = p->pieces > 1 ? mr * nr : 0;
    pk_real *a = p->packed + p->block_panels * mr * s->from + s->first * mr * k;
    lines next = b_lines(p, s->next_from, s->next_panel * nr);
    const int64_t quota = s->rows < FETCH_ROWS ? 0 : next.rows * (next.length / LINE + 2) / s->rows + 1;
    for (int64_t i = 0; i < s->rows; i++, a += mr * k, tile += tile_step) {
        int64_t row = (p->block_at + s->first + i) * mr;
        int m = (int)at_most(mr, g->m - row);
        wanted w;
        w.count = 0;
        want(&w, &next, quota);
        if (last) want_target(&w, g, row, column, m, n);
        if (p->packing) pack_a_panel(p, s, row, a, &w);
        p->t->micro(k, a, b, tile, nr, m, n, s->from > 0, w.at, w.count);
        if (last) p->t->finish(p->t, g, tile, row, column, m, n);
    }
}

static void multiply_task(void *arg, int64_t task, int worker)
{
    const plan *p = arg;
    const pk_gemm *g = p->g;
    const int64_t nr = p->t->nr;
    step s = { .first = task % p->row_tasks * p->task_rows, .left = p->column_at + task / p->row_tasks * p->task_cols };
    s.rows = at_most(p->task_rows, p->block_panels - s.first);
    s.cols = at_most(p->task_cols, p->n_panels - s.left);
    pk_real *b = (pk_real *)(p->scratch + worker * p->thread_bytes), *tiles = b + p->panel_bytes / (int64_t)sizeof *b;
    do {                                                        /* once when k is 0: products of nothing are 0 */
        for (int64_t j = 0; j < s.cols; j++) {
            s.panel = s.left + j;
            s.next_panel = j + 1 < s.cols ? s.panel + 1 : s.left;
            s.next_from = j + 1 < s.cols ? s.from : s.from + p->piece;
            p->t->pack_b(b, g->b + s.from * g->b_row + s.panel * nr * g->b_col, g->b_row, g->b_col,
                         at_most(p->piece, g->k - s.from), at_most(nr, g->n - s.panel * nr));
            multiply_panel(p, &s, b, tiles + (p->pieces > 1 ? j * s.rows * p->t->mr * nr : 0));
        }
        s.from += p->piece;
    } while (s.from < g->k);
}

static void own_gemm(const pk_table *t, pk_pool *pool, const pk_gemm *g, void *work)
{
    plan p = make_plan(t, g->m, g->n, g->k);
    p.g = g;
    p.packed = work;
    p.scratch = (char *)work + packed_bytes(&p, g->k);
    if (g->m * g->n < ALONE && g->m * g->n * g->k < ALONE) pool = NULL;
    for (p.block_at = 0; p.block_at < p.m_panels; p.block_at += p.block) {
        p.block_panels = at_most(p.block, p.m_panels - p.block_at);
        cut_first(&p, pk_pool_threads(pool));
        pk_pool_run(pool, p.row_tasks, multiply_task, &p);
        if (p.n_panels == 1) continue;
        cut_others(&p, pk_pool_threads(pool));
        pk_pool_run(pool, p.row_tasks * ceil_div(p.n_panels - 1, p.task_cols), multiply_task, &p);
    }
}

void pk_gemm_run(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g, void *work)
{
    if (g->m <= 0 || g->n <= 0) return;
    if (kind == PK_GEMM_AUTO) kind = t->vector > 1 || sizeof(pk_real) > sizeof(float) ? PK_GEMM_OWN : PK_GEMM_CBLAS;
    if (kind == PK_GEMM_CBLAS) pk_gemm_cblas(t, pool, g, work);
    else own_gemm(t, pool, g, work);
}
