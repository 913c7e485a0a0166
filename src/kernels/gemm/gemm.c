/* SPDX-License-Identifier: Apache-2.0
 * gemm.c -- the matrix product. K is cut in even pieces, by k alone. Of each piece, A's rows are packed to stay in the
 * second cache while B passes by: panel by panel it is packed to the first cache and multiplied with all of A's
 * panels. Sums wait in tiles in the scratch memory until the next piece goes on with them; after the last one each
 * tile goes through the epilogue. So an element is one chain of FMAs over k, however the tasks are cut.
 *
 * Threads share the rows in groups. A group has a queue of tasks, stage by stage: a stage is one piece of K for one
 * block of the group's rows. Its first tasks pack A when nobody reads what was there before, the others wait for
 * that. A thread whose queue is empty helps with another: cores are not equally fast, least of all shared ones. */
#include "gemm_ahead.h"

enum {
    BLOCK_ROWS = 800,           /* of A packed at a time: 0.6 MB in pieces of 192, 0.8 MB of 256 */
    PIECE_STEP = 16,
    MOST_GROUPS = 4,
    GROUP_ROWS = 350,           /* with fewer than so many, packing B again in each group costs too much */
    CHUNKS = 4,                 /* parts a thread in which a block of A is packed */
    PACKING = 10,               /* packing a panel of B takes about as long as multiplying so many rows with it */
    LAST_PANELS = 4,            /* of B, beside which the next stage's A is asked for */
    ALONE = 1 << 18             /* products this small are not worth waking anybody */
};

/* What a group's threads tell each other: tasks begun, packed chunks, tasks done, of all stages. */
typedef struct group { _Alignas(PK_ALIGN) atomic_int begun; _Alignas(PK_ALIGN) atomic_int packed, done; } group;

typedef struct plan {
    const pk_table *t;
    const pk_gemm *g;
    int plain;                  /* there is no epilogue */
    int64_t groups, mates;      /* mates: threads of a group */
    int64_t pieces, piece;      /* pieces of K, of this length (the last: what remains) */
    int64_t m_panels, n_panels; /* of the whole product */
    int64_t share, block;       /* panels of A of a group, and of them in a block */
    int64_t stages;             /* of a group: blocks * pieces */
    int64_t chunk, chunks;      /* a stage's first tasks pack so many panels of A and multiply B's first panel */
    int64_t whole, tasks;       /* so many multiply one of the next panels with all rows; the rest, with a chunk each */
    char *packed;               /* A's block: [panel][k of the piece][mr]; one a group */
    char *partial;              /* tiles [panel of B][panel of A][mr][nr], when there are several pieces; one a group */
    char *scratch;              /* one `own` a thread */
    int64_t packed_bytes, partial_bytes, panel_bytes, own_bytes;
    group of[MOST_GROUPS];
} plan;

/* A thread's own: a packed panel of B, which one, and behind it a tile. */
typedef struct own { int64_t held; _Alignas(PK_ALIGN) pk_real b[]; } own;

static plan make_plan(const pk_table *t, int64_t m, int64_t n, int64_t k, int threads)
{
    const int64_t size = (int64_t)sizeof(pk_real), tile = t->mr * t->nr * size;
    plan p = { .t = t };
    p.pieces = at_least(ceil_div(k, t->kc), 1);
    p.piece = ceil_div(ceil_div(k, p.pieces), PIECE_STEP) * PIECE_STEP;
    p.m_panels = at_least(ceil_div(m, t->mr), 1);
    p.n_panels = ceil_div(n, t->nr);
    p.groups = at_least(at_most(at_most(threads, MOST_GROUPS), m / GROUP_ROWS), 1);
    p.mates = ceil_div(threads, p.groups);
    p.share = ceil_div(p.m_panels, p.groups);
    const int64_t rows = at_most(BLOCK_ROWS, 2 * BLOCK_ROWS / p.groups), deep = at_most(p.piece, k);
    p.block = ceil_div(p.share, ceil_div(p.share, rows / t->mr));
    p.stages = ceil_div(p.share, p.block) * p.pieces;
    p.packed_bytes = aligned(p.block * t->mr * deep * size);
    p.partial_bytes = p.pieces > 1 ? aligned(p.block * p.n_panels * tile) : 0;
    p.panel_bytes = aligned(deep * t->nr * size);
    p.own_bytes = (int64_t)sizeof(own) + p.panel_bytes + aligned(tile);
    return p;
}

static int64_t bytes_of(const plan *p, int threads)
{
    return p->groups * (p->packed_bytes + p->partial_bytes) + threads * p->own_bytes;
}

/* A pool that is busy, or a small product, leaves one thread. */
size_t pk_gemm_work(const pk_table *t, int64_t m, int64_t n, int64_t k, int threads)
{
    const int all = threads > 1 ? threads : 1;
    const plan p = make_plan(t, m, n, k, all), alone = make_plan(t, m, n, k, 1);
    return (size_t)at_least(at_least(bytes_of(&p, all), bytes_of(&alone, 1)), pk_gemm_cblas_work(t, m, n, all));
}

/* With one task a panel the last threads of a stage would wait long, with many small ones all of them would pack every
 * panel of B: so some of the last panels are cut. How many, by the time in rows multiplied with a panel. */
static void cut_tasks(plan *p, int threads)
{
    const int64_t mates = p->mates, others = p->n_panels - 1, rows = p->block * p->t->mr;
    p->chunk = ceil_div(p->block, threads > 1 ? CHUNKS * mates : 1);
    p->chunks = ceil_div(p->block, p->chunk);
    int64_t best = INT64_MAX;
    for (int64_t cut = 0; cut <= at_most(others, mates - 1); cut++) {
        int64_t whole = others - cut, work = whole * (rows + PACKING) + cut * (rows + PACKING * mates);
        int64_t time = at_least(ceil_div(whole, mates) * (rows + PACKING), ceil_div(work, mates));
        if (time >= best) continue;
        best = time;
        p->whole = whole;
        p->tasks = p->chunks + whole + cut * p->chunks;
    }
}

/* Nothing is done to the product: the last piece's tiles go to C at once. */
static int is_plain(const pk_gemm *g)
{
    return g->scale == 1 && !g->accumulate && !g->bias && !g->pre && g->act == PK_NONE && !g->gate && !g->gamma
        && !g->residual;
}

/* A stage: the panels block_at.. of A, the piece `from`.. of K, and where its group's sums and packed A are. */
typedef struct stage {
    int64_t group, number, block_at, block, from, k, turns;
    int last;
    pk_real *packed, *partial;
} stage;

static stage stage_of(const plan *p, int64_t group, int64_t number)
{
    const int64_t at = number / p->pieces * p->block, end = at_most((group + 1) * p->share, p->m_panels);
    stage s = { .group = group, .number = number, .block_at = group * p->share + at };
    s.block = at_most(p->block, end - s.block_at);
    s.from = number % p->pieces * p->piece;
    s.k = at_most(p->piece, p->g->k - s.from);
    s.turns = s.k / PK_TURN;
    s.last = number % p->pieces == p->pieces - 1;
    s.packed = (pk_real *)(p->packed + group * p->packed_bytes);
    s.partial = (pk_real *)(p->partial + group * p->partial_bytes);
    return s;
}

/* A task's tiles: one panel of B and panels of the stage's A. */
typedef struct range { int64_t panel, first, rows; } range;

static range range_of(const plan *p, const stage *s, int64_t task)
{
    range r = { .rows = p->block };
    const int64_t cut = task - p->chunks - p->whole;
    if (task < p->chunks) r = (range){ 0, task * p->chunk, p->chunk };
    else if (cut < 0) r.panel = 1 + task - p->chunks;
    else r = (range){ 1 + p->whole + cut / p->chunks, cut % p->chunks * p->chunk, p->chunk };
    r.rows = at_most(r.rows, s->block - r.first);
    return r;
}

/* The panel of B a thread packs next, if all go at the same speed; after the last one, that of the next stage. */
static pk_stream next_b(const plan *p, const stage *s, const range *r, int64_t task)
{
    const int64_t after = task + p->mates;
    const stage t = after < p->tasks ? *s : stage_of(p, s->group, s->number + 1);
    const int64_t panel = after < p->tasks ? range_of(p, s, after).panel : 0;
    if (t.number >= p->stages || panel == r->panel) return (pk_stream){ .some = 0 };
    return stream_of(part_of_b(p->g, t.from, t.k, panel * p->t->nr, p->t->nr), r->rows * s->turns, 0);
}

/* The thread's part of the next stage's A. Asked for beside a stage's last panels, or other things drive it out of the
 * second cache again before it is packed. */
static pk_stream next_a(const plan *p, const stage *s, int64_t task, int worker)
{
    const int64_t panels = p->whole / p->mates, last = at_most(panels, LAST_PANELS);
    const int64_t before = (task - p->chunks) / p->mates - (panels - last);
    if (s->number + 1 >= p->stages || task < p->chunks || before < 0 || before >= last) return (pk_stream){ .some = 0 };
    const stage t = stage_of(p, s->group, s->number + 1);
    const int64_t part = ceil_div(p->block, p->mates), first = part * (worker / p->groups % p->mates);
    const int64_t rows = at_most(part, t.block - first) * p->t->mr, turns = p->block * s->turns;
    return stream_of(part_of_a(p->g, (t.block_at + first) * p->t->mr, rows, t.from, t.k), last * turns, before * turns);
}

/* A panel of B in the thread's own memory. */
static const pk_real *pack_b(const plan *p, const stage *s, int64_t panel, own *mine)
{
    const pk_gemm *g = p->g;
    const int64_t column = panel * p->t->nr, stages = s->group * p->stages + s->number;
    const int64_t held = 1 + stages * p->n_panels + panel;
    const char *from = (const char *)g->b + (s->from * g->b_row + column * g->b_col) * pk_dtype_size(g->b_type);
    if (mine->held != held)
        p->t->pack_b[g->b_type](mine->b, from, g->b_row, g->b_col, s->k, at_most(p->t->nr, g->n - column));
    mine->held = held;
    return mine->b;
}

static pk_real *tile_of(const plan *p, const stage *s, int64_t panel, int64_t row, own *mine)
{
    if (p->pieces == 1) return mine->b + p->panel_bytes / (int64_t)sizeof(pk_real);
    return s->partial + (panel * p->block + row) * p->t->mr * p->t->nr;
}

static void multiply(const plan *p, const stage *s, const range *r, int packing, pk_ahead *ahead, own *mine)
{
    const pk_gemm *g = p->g;
    const int64_t mr = p->t->mr, nr = p->t->nr, column = r->panel * nr, end = r->first + r->rows;
    const int n = (int)at_most(nr, g->n - column), direct = s->last && p->plain;
    const pk_real *b = pack_b(p, s, r->panel, mine);
    for (int64_t i = r->first; i < end; i++) {
        const int64_t row = (s->block_at + i) * mr;
        const int m = (int)at_most(mr, g->m - row);
        pk_real *tile = tile_of(p, s, r->panel, i, mine), *c = g->c + row * g->c_row + column;
        pk_real *a = s->packed + i * mr * s->k;
        ahead->blocks = 0;
        if (s->last) ask_for_epilogue(ahead, g, row, column);
        if (packing) {
            const rectangle next = part_of_a(g, row + mr, i + 1 < end ? mr : 0, s->from, s->k);
            ahead->stream[0] = stream_of(next, 2 * s->turns, 0);
            ahead->stream[1] = stream_of(next, 2 * s->turns, s->turns);
            p->t->pack_a(a, g->a + row * g->a_row + s->from * g->a_col, g->a_row, g->a_col, m, s->k);
        }
        p->t->micro(s->k, a, b, direct ? c : tile, direct ? g->c_row : nr, m, n, s->from > 0 ? tile : NULL, ahead);
        if (s->last && !p->plain) p->t->finish(p->t, g, tile, row, column, m, n);
    }
}

static void run_task(plan *p, int64_t group_at, int64_t at, int worker)
{
    group *const all = &p->of[group_at];
    const int64_t task = at % p->tasks;
    const int packing = task < p->chunks;
    const stage s = stage_of(p, group_at, at / p->tasks);
    const range r = range_of(p, &s, task);
    pk_ahead ahead = { .stream = { next_b(p, &s, &r, task), next_a(p, &s, task, worker) } };
    if (packing) pk_await(&all->done, (int)(s.number * p->tasks));
    else pk_await(&all->packed, (int)((s.number + 1) * p->chunks));
    multiply(p, &s, &r, packing, &ahead, (own *)(p->scratch + worker * p->own_bytes));
    if (packing) atomic_fetch_add_explicit(&all->packed, 1, memory_order_release);
    atomic_fetch_add_explicit(&all->done, 1, memory_order_release);
}

/* One task of the thread's own group, or of the next that has any. */
static void next_task(void *arg, int64_t unused, int worker)
{
    plan *p = arg;
    (void)unused;
    for (int64_t i = 0; i < p->groups; i++) {
        const int64_t group = (worker + i) % p->groups;
        const int64_t at = atomic_fetch_add_explicit(&p->of[group].begun, 1, memory_order_relaxed);
        if (at >= p->stages * p->tasks) continue;
        run_task(p, group, at, worker);
        return;
    }
}

static void own_gemm(const pk_table *t, pk_pool *pool, const pk_gemm *g, void *work)
{
    if (g->m * g->n < ALONE && g->m * g->n * g->k < ALONE) pool = NULL;
    const int threads = pk_pool_threads(pool);
    plan p = make_plan(t, g->m, g->n, g->k, threads);
    p.g = g;
    p.plain = is_plain(g);
    p.packed = work;
    p.partial = p.packed + p.groups * p.packed_bytes;
    p.scratch = p.partial + p.groups * p.partial_bytes;
    cut_tasks(&p, threads);
    for (int i = 0; i < threads; i++) ((own *)(p.scratch + i * p.own_bytes))->held = 0;
    for (int i = 0; i < MOST_GROUPS; i++) {
        atomic_init(&p.of[i].begun, 0);
        atomic_init(&p.of[i].packed, 0);
        atomic_init(&p.of[i].done, 0);
    }
    pk_pool_run(pool, p.groups * p.stages * p.tasks, next_task, &p);
}

pk_gemm_kind pk_gemm_chosen(const pk_table *t, pk_gemm_kind kind)
{
    if (kind == PK_GEMM_AUTO) kind = t->vector > 1 || sizeof(pk_real) > sizeof(float) ? PK_GEMM_OWN : PK_GEMM_CBLAS;
    return kind == PK_GEMM_CBLAS && pk_blas_load() ? PK_GEMM_OWN : kind;
}

size_t pk_gemm_widen_work(const pk_table *t, pk_gemm_kind kind, pk_dtype b_type, int64_t n, int64_t k)
{
    if (b_type == PK_REAL || pk_gemm_chosen(t, kind) != PK_GEMM_CBLAS) return 0;
    return (size_t)aligned(n * k * (int64_t)sizeof(pk_real));
}

void pk_gemm_run(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g, void *work)
{
    if (g->m <= 0 || g->n <= 0) return;
    if (pk_gemm_chosen(t, kind) == PK_GEMM_CBLAS) pk_gemm_cblas(t, pool, g, work);
    else own_gemm(t, pool, g, work);
}
