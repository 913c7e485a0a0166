/* SPDX-License-Identifier: Apache-2.0
 * gemm.c -- the matrix product. K is cut in even pieces, by k alone. Of each piece, A's rows are packed to stay in the
 * second cache while B passes by: panel by panel it is packed to the first cache and multiplied with all of A's
 * panels, adding into tiles in the scratch memory; after the last piece each tile goes through the epilogue. So an
 * element is one chain of FMAs a piece and the pieces' sums in order, wherever it stands, however the tasks are cut. */
#include "gemm_plan.h"

enum {
    BLOCK_ROWS = 800,           /* of A packed at a time: 0.6 MB in pieces of 192, 0.8 MB of 256 */
    PIECE_STEP = 16,
    FIRST_PANELS = 4,           /* most panels of B that the packing tasks multiply */
    MOST_AHEAD = 16,
    ALONE = 1 << 18,            /* products this small are not worth waking anybody */
    LINE = PK_ALIGN / (int)sizeof(pk_real)
};

typedef struct plan {
    const pk_table *t;
    const pk_gemm *g;
    int threads, plain;         /* plain: there is no epilogue */
    int64_t pieces, piece;      /* pieces of K, of this length (the last: what remains) */
    int64_t m_panels, n_panels; /* of the whole product */
    int64_t block;              /* panels of A in a block */
    int64_t block_at, block_panels, from;                               /* the current block and piece */
    int64_t first_panels, first_rows;   /* of B multiplied by the tasks that pack A; rows of one of them, in panels */
    int64_t rows, row_tasks;            /* of the tasks for the other panels of B */
    int64_t tiles;                      /* that a thread makes of the block, those beside which A is packed left out */
    pk_real *packed;            /* A's block: [panel][k of the piece][mr] */
    pk_real *partial;           /* tiles [panel of B][panel of A][mr][nr], when there are several pieces */
    char *scratch;              /* one a thread: a panel of B, a tile */
    int64_t panel_bytes, thread_bytes, packed_bytes, partial_bytes;
} plan;

static plan make_plan(const pk_table *t, int64_t m, int64_t n, int64_t k)
{
    const int64_t size = (int64_t)sizeof(pk_real), tile = t->mr * t->nr * size;
    plan p = { .t = t };
    p.pieces = at_least(ceil_div(k, t->kc), 1);
    p.piece = ceil_div(ceil_div(k, p.pieces), PIECE_STEP) * PIECE_STEP;
    p.m_panels = ceil_div(m, t->mr);
    p.n_panels = ceil_div(n, t->nr);
    const int64_t blocks = at_least(ceil_div(p.m_panels, BLOCK_ROWS / t->mr), 1), deep = at_most(p.piece, k);
    p.block = ceil_div(p.m_panels, blocks);
    p.packed_bytes = aligned(p.block * t->mr * deep * size);
    p.partial_bytes = p.pieces > 1 ? aligned(p.block * p.n_panels * tile) : 0;
    p.panel_bytes = aligned(deep * t->nr * size);
    p.thread_bytes = p.panel_bytes + aligned(tile);
    return p;
}

size_t pk_gemm_work(const pk_table *t, int64_t m, int64_t n, int64_t k, int threads)
{
    plan p = make_plan(t, m, n, k);
    int64_t own = p.packed_bytes + p.partial_bytes + p.thread_bytes * at_least(threads, 1);
    return (size_t)at_least(own, pk_gemm_cblas_work(t, m, n, threads));
}

/* Two kinds of tasks, one after the other: as many as threads pack their rows of A and multiply them with the first
 * panels of B; then a panel of B each, with all rows or some. Cut for the least time of the busiest thread, where
 * packing a panel of B takes about as long as multiplying 10 rows with it. */
static void cut_tasks(plan *p)
{
    const int64_t mr = p->t->mr, threads = p->threads, packing = 10;
    int64_t best = INT64_MAX;
    p->first_rows = ceil_div(p->block_panels, threads);
    for (int64_t first = 1; first <= at_most(at_most(threads, FIRST_PANELS), p->n_panels); first++)
        for (int64_t split = 1; split <= at_most(p->block_panels, threads == 1 ? 1 : 2 * threads); split++) {
            int64_t rows = ceil_div(p->block_panels, split), along = ceil_div(p->block_panels, rows);
            int64_t turns = ceil_div(along * (p->n_panels - first), threads);
            int64_t time = first * (p->first_rows * mr + packing) + turns * (rows * mr + packing);
            if (time >= best) continue;
            best = time;
            p->first_panels = first;
            p->rows = rows;
            p->row_tasks = along;
            p->tiles = (first - 1) * p->first_rows + turns * rows;
        }
}

/* Nothing is done to the product: the last piece's tiles go to C at once. */
static int is_plain(const pk_gemm *g)
{
    return g->scale == 1 && !g->accumulate && !g->bias && !g->pre && g->act == PK_NONE && !g->gate && !g->gamma
        && !g->residual;
}

/* What a tile's micro-kernel asks for meanwhile: all at once it would keep the product's own loads waiting. */
typedef struct wishes { pk_ahead of[MOST_AHEAD]; int count; } wishes;

static void wish(wishes *w, const pk_real *at, int64_t row, int64_t rows, int64_t length)
{
    if (rows > 0 && length > 0) w->of[w->count++] = (pk_ahead){ at, row, rows, ceil_div(length, LINE) };
}

/* The tile itself, and at the end what its epilogue reads and writes. */
static void wish_tile(const plan *p, const pk_real *tile, int64_t row, int64_t column, wishes *w)
{
    const pk_gemm *g = p->g;
    const int64_t m = at_most(p->t->mr, g->m - row), n = at_most(p->t->nr, g->n - column);
    if (p->from > 0) wish(w, tile, p->t->nr, m, n);
    if (p->from + p->piece < g->k) return;
    wish(w, g->c + row * g->c_row + column, g->c_row, m, n);
    if (g->residual && g->residual != g->c)
        wish(w, g->residual + row * g->residual_row + column, g->residual_row, m, n);
    if (g->gate) wish(w, g->gate + row * g->gate_row + column, g->gate_row, m, n);
}

/* Rows of `length`, four lines of each at a time. */
static void wish_rows(wishes *w, const pk_real *at, int64_t row, int64_t rows, int64_t length)
{
    for (int64_t done = 0; done < length && w->count < MOST_AHEAD; done += 4 * LINE)
        wish(w, at + done, row, rows, at_most(length - done, 4 * LINE));
}

/* A rectangle of A or B that is packed later, in as many parts as there are tiles until then: some of its rows, or a
 * piece of each. */
typedef struct lines { const pk_real *at; int64_t row, rows, length, some; int by_row; } lines;

static lines in_parts(const pk_real *at, int64_t row, int64_t rows, int64_t length, int64_t parts)
{
    lines l = { .at = at, .row = row, .rows = rows, .length = length };
    if (parts < 1 || rows < 1 || length < 1) return (lines){ 0 };
    l.by_row = rows >= parts;
    l.some = l.by_row ? ceil_div(rows, parts) : ceil_div(ceil_div(length, LINE), parts) * LINE;
    return l;
}

static void wish_part(const lines *l, int64_t part, wishes *w)
{
    const int64_t done = part * l->some;
    if (l->by_row) wish_rows(w, l->at + done * l->row, l->row, at_most(l->some, l->rows - done), l->length);
    else wish_rows(w, l->at + done, l->row, l->rows, at_most(l->some, l->length - done));
}

/* The panel of A that is packed after this one. */
static void wish_a(const plan *p, int64_t row, wishes *w)
{
    const pk_gemm *g = p->g;
    const int64_t k = at_most(p->piece, g->k - p->from), m = at_most(p->t->mr, g->m - row);
    if (g->a_col == 1) wish_rows(w, g->a + row * g->a_row + p->from, g->a_row, m, k);
}

/* The thread's rows of A for the next piece of K, or for the next block. */
static lines next_a(const plan *p, int64_t worker)
{
    const pk_gemm *g = p->g;
    int64_t from = p->from + p->piece, block = p->block_at;
    if (from >= g->k) { from = 0; block += p->block; }
    const int64_t first = worker * p->first_rows, row = (block + first) * p->t->mr;
    const int64_t m = at_most(at_most(p->first_rows, p->block - first) * p->t->mr, g->m - row);
    const int64_t k = at_most(p->piece, g->k - from);
    const pk_real *at = g->a + row * g->a_row + from * g->a_col;
    return g->a_col == 1 ? in_parts(at, g->a_row, m, k, p->tiles) : in_parts(at, g->a_col, k, m, p->tiles);
}

/* The panel of B that is packed next. After the last comes the first one of the next piece of K. */
static lines next_b(const plan *p, int64_t panel, int64_t parts)
{
    const pk_gemm *g = p->g;
    int64_t from = p->from;
    if (panel >= p->n_panels) { panel = 0; from += p->piece; }
    const int64_t column = panel * p->t->nr, n = at_most(p->t->nr, g->n - column), k = at_most(p->piece, g->k - from);
    const pk_real *at = g->b + from * g->b_row + column * g->b_col;
    return g->b_row == 1 ? in_parts(at, g->b_col, n, k, parts) : in_parts(at, g->b_row, k, n, parts);
}

/* A task: panels of A in the block, first to first + rows; packing: it is the one that packs them; tiles: how many of
 * p->tiles its thread has made before; next: the panel of B that comes after its own. */
typedef struct range { int64_t first, rows; int packing; int64_t tiles, next; } range;

/* One packed panel of B times the panels of A. */
static void multiply_panel(const plan *p, const range *r, int64_t panel, const pk_real *b, pk_real *spare, int worker)
{
    const pk_gemm *g = p->g;
    const int64_t mr = p->t->mr, nr = p->t->nr, k = at_most(p->piece, g->k - p->from), column = panel * nr;
    const int n = (int)at_most(nr, g->n - column), last = p->from + p->piece >= g->k;
    const lines soon = next_b(p, r->next, r->rows), later = next_a(p, worker);
    for (int64_t i = r->first; i < r->first + r->rows; i++) {
        pk_real *a = p->packed + i * mr * k;
        const int64_t row = (p->block_at + i) * mr;
        pk_real *tile = p->pieces > 1 ? p->partial + (panel * p->block_panels + i) * mr * nr : spare;
        pk_real *to = last && p->plain ? g->c + row * g->c_row + column : tile;
        const int m = (int)at_most(mr, g->m - row);
        wishes w;
        w.count = 0;                            /* not an initializer: that would clear the whole array for each tile */
        wish_tile(p, tile, row, column, &w);
        if (r->packing && i + 1 < r->first + r->rows) wish_a(p, row + mr, &w);
        else wish_part(&soon, i - r->first, &w);
        if (!r->packing) wish_part(&later, r->tiles + i - r->first, &w);
        if (r->packing) p->t->pack_a(a, g->a + row * g->a_row + p->from * g->a_col, g->a_row, g->a_col, m, k);
        p->t->micro(k, a, b, to, to == tile ? nr : g->c_row, m, n, p->from > 0 ? tile : NULL, nr, w.of, w.count);
        if (last && !p->plain) p->t->finish(p->t, g, tile, row, column, m, n);
    }
}

static void pack_b_panel(const plan *p, int64_t panel, pk_real *to)
{
    const pk_gemm *g = p->g;
    const int64_t column = panel * p->t->nr;
    p->t->pack_b(to, g->b + p->from * g->b_row + column * g->b_col, g->b_row, g->b_col,
                 at_most(p->piece, g->k - p->from), at_most(p->t->nr, g->n - column));
}

static void multiply(const plan *p, range r, int64_t panel, int worker)
{
    pk_real *b = (pk_real *)(p->scratch + worker * p->thread_bytes), *spare = b + p->panel_bytes / (int64_t)sizeof *b;
    r.rows = at_most(r.rows, p->block_panels - r.first);
    pack_b_panel(p, panel, b);
    multiply_panel(p, &r, panel, b, spare, worker);
}

static void first_task(void *arg, int64_t task, int worker)
{
    const plan *p = arg;
    for (int64_t panel = 0; panel < p->first_panels; panel++)
        multiply(p, (range){ .first = task * p->first_rows, .rows = p->first_rows, .packing = panel == 0,
                             .tiles = (panel - 1) * p->first_rows, .next = panel + 1 }, panel, worker);
}

/* The next panel of B is that of the thread's next task, if all threads go at the same speed. */
static void other_task(void *arg, int64_t task, int worker)
{
    const plan *p = arg;
    const int64_t before = (p->first_panels - 1) * p->first_rows + task / p->threads * p->rows;
    multiply(p, (range){ .first = task % p->row_tasks * p->rows, .rows = p->rows, .tiles = before,
                         .next = p->first_panels + (task + p->threads) / p->row_tasks },
             p->first_panels + task / p->row_tasks, worker);
}

static void own_gemm(const pk_table *t, pk_pool *pool, const pk_gemm *g, void *work)
{
    plan p = make_plan(t, g->m, g->n, g->k);
    if (g->m * g->n < ALONE && g->m * g->n * g->k < ALONE) pool = NULL;
    p.g = g;
    p.plain = is_plain(g);
    p.threads = pk_pool_threads(pool);
    p.packed = work;
    p.partial = p.packed + p.packed_bytes / (int64_t)sizeof *p.packed;
    p.scratch = (char *)work + p.packed_bytes + p.partial_bytes;
    for (p.block_at = 0; p.block_at < p.m_panels; p.block_at += p.block) {
        p.block_panels = at_most(p.block, p.m_panels - p.block_at);
        cut_tasks(&p);
        p.from = 0;
        do {                                                    /* once when k is 0: products of nothing are 0 */
            pk_pool_run(pool, ceil_div(p.block_panels, p.first_rows), first_task, &p);
            pk_pool_run(pool, (p.n_panels - p.first_panels) * p.row_tasks, other_task, &p);
            p.from += p.piece;
        } while (p.from < g->k);
    }
}

void pk_gemm_run(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g, void *work)
{
    if (g->m <= 0 || g->n <= 0) return;
    if (kind == PK_GEMM_AUTO) kind = t->vector > 1 || sizeof(pk_real) > sizeof(float) ? PK_GEMM_OWN : PK_GEMM_CBLAS;
    if (kind == PK_GEMM_CBLAS) pk_gemm_cblas(t, pool, g, work);
    else own_gemm(t, pool, g, work);
}
