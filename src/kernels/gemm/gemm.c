/* SPDX-License-Identifier: Apache-2.0
 * gemm.c -- the matrix product C = epilogue(A B) by the library's own kernels (pk_gemm in pk.h). K is cut into pieces
 * of about equal length. For each piece a block of A's rows is packed, which stays in the level-2 cache; then panel by
 * panel B is packed into the level-1 cache and multiplied with all panels of A's block. Between two pieces the sums
 * stay in tiles in the scratch memory, from which the next piece continues; behind the last piece each tile goes
 * through the epilogue. So an element of AB is one chain of additions over k, whatever the tasks and threads.
 *
 * The threads are divided into groups, and the rows of A among the groups. A group works through stages: a stage is one
 * piece of K for one block of the group's rows. The first tasks of a stage, one for each chunk of the block, pack A and
 * multiply with B's first panel: they wait until the previous stage's tasks no longer read the packed A. The other
 * tasks wait until A is packed. A thread whose group has no task left takes one of another group, as cores differ in
 * speed. */
#include <stdio.h>
#include "gemm_prefetch.h"
#include "../pieces.h"

enum {
    BLOCK_ROWS = 800,           /* rows of A in a block: 0.6 MB for pieces of 192 lanes, 0.8 MB for 256 */
    MOST_GROUPS = 4,
    GROUP_ROWS = 350,           /* least rows of a group: each group packs all of B, which costs too much for fewer */
    CHUNKS = 4,                 /* parts (chunks) of a block for each thread of the group */
    PACK_TIME = 10,             /* packing a panel of B takes as long as multiplying this many rows of A with it */
    LAST_PANELS = 4,            /* panels of B at the end of a stage during which the next stage's A is prefetched */
    SMALL = 1 << 18             /* a product of fewer elements and fewer FMAs runs on the calling thread alone */
};

/* Progress of a group, shared by its threads and counted over all its stages. */
typedef struct group {
    _Alignas(PK_ALIGN) atomic_int tasks_started;
    _Alignas(PK_ALIGN) atomic_int chunks_packed, tasks_done;
} group;

typedef struct plan {
    const pk_table *t;
    const pk_product *product;  /* the kernels of the arithmetic */
    int64_t mr;                 /* rows of their tile */
    const pk_gemm *g;
    int no_epilogue;            /* C = AB */
    int64_t groups, group_threads;
    int64_t pieces, piece_k;    /* pieces of K and their length; the last piece may be shorter */
    int64_t m_panels, n_panels; /* panels of A and of B in the whole product */
    int64_t group_panels, block_panels;     /* panels of A in a group's share and in one block */
    int64_t stages;             /* of a group: blocks * pieces */
    int64_t chunks, chunk_panels;           /* chunks of a block, panels of A in a chunk */
    int64_t full_tasks, tasks;  /* tasks of a stage: first `chunks` that pack, then full_tasks that multiply a panel of
                                 * B with the whole block each; the rest multiply one with a chunk each */
    char *packed_a;             /* one block for each group: [panel][lane of the piece][mr] */
    char *partial_sums;         /* for each group, if pieces > 1: tiles [panel of B][panel of A][mr][nr] */
    char *scratch;              /* one thread_scratch for each thread */
    int64_t packed_bytes, partial_bytes;    /* of packed_a and of partial_sums, for one group */
    int64_t panel_bytes;        /* of a packed panel of B */
    int64_t copy_bytes;         /* of a part of an I8 B, or of windows, that is copied before it is packed */
    int64_t scratch_bytes;      /* of scratch, for one thread */
    group group[MOST_GROUPS];
} plan;

/* The memory of one thread. */
typedef struct thread_scratch {
    int64_t panel_id;           /* which panel of which stage b holds (pack_b); 0: none */
    _Alignas(PK_ALIGN) pk_real b[];     /* a packed panel of B, in panel_bytes bytes, behind it a tile, then
                                         * copy_bytes */
} thread_scratch;

/* Lanes (pk_product) for k elements. */
static int64_t lanes_of(const plan *p, int64_t k)
{
    return ceil_div(k, p->product->block) * p->product->block_lanes;
}

/* The same with those of the panel's header. */
static int64_t panel_lanes_of(const plan *p, int64_t k) { return p->product->header + lanes_of(p, k); }

static pk_pieces pieces_of(const pk_product *p, int64_t k)
{
    return pk_pieces_of(k, p->block, p->block_lanes, p->kc, p->step);
}

/* The division of a product m x n x k among threads, and the sizes of its memory. Pointers, g, chunks and tasks are set
 * later (own_gemm). */
static plan make_plan(const pk_table *t, pk_compute compute, int64_t m, int64_t n, int64_t k, int threads)
{
    const pk_product *const product = &t->product[compute];
    const int64_t size = (int64_t)sizeof(pk_real), mr = product->mr, tile = mr * t->nr * size;
    const pk_pieces pieces = pieces_of(product, k);
    plan p = { .t = t, .product = product, .mr = mr, .pieces = pieces.count, .piece_k = pieces.length };
    p.m_panels = at_least(ceil_div(m, mr), 1);
    p.n_panels = ceil_div(n, t->nr);
    p.groups = at_least(at_most(at_most(threads, MOST_GROUPS), m / GROUP_ROWS), 1);
    p.group_threads = ceil_div(threads, p.groups);
    p.group_panels = ceil_div(p.m_panels, p.groups);
    /* rows of a block: at most 2 * BLOCK_ROWS for all groups together, which bounds the scratch memory */
    const int64_t rows = at_most(BLOCK_ROWS, 2 * BLOCK_ROWS / p.groups);
    const int64_t most = panel_lanes_of(&p, at_most(p.piece_k, k));
    p.block_panels = ceil_div(p.group_panels, ceil_div(p.group_panels, rows / mr));
    p.stages = ceil_div(p.group_panels, p.block_panels) * p.pieces;
    p.packed_bytes = aligned(p.block_panels * mr * most * size);
    p.partial_bytes = p.pieces > 1 ? aligned(p.block_panels * p.n_panels * tile) : 0;
    p.panel_bytes = aligned(most * t->nr * size);
    p.scratch_bytes = (int64_t)sizeof(thread_scratch) + p.panel_bytes + aligned(tile);
    return p;
}

/* Bytes of scratch of the plan. */
static int64_t work_bytes(const plan *p, int threads)
{
    return p->groups * (p->packed_bytes + p->partial_bytes) + threads * p->scratch_bytes;
}

/* Enough for a product on all threads, on one thread alone (a small product), of a small k, and by CBLAS. */
size_t pk_gemm_work(const pk_table *t, pk_compute compute, int64_t m, int64_t n, int64_t k, int threads)
{
    const int all = threads > 1 ? threads : 1;
    const plan p = make_plan(t, compute, m, n, k, all), alone = make_plan(t, compute, m, n, k, 1);
    const int64_t own = at_least(at_least(work_bytes(&p, all), work_bytes(&alone, 1)),
                                 pk_gemm_thin_work(t, compute, n, k, all));
    return (size_t)at_least(own, pk_gemm_cblas_work(t, m, n, all));
}

/* Decides how many of B's panels are cut into chunks. If each panel were one task, threads would idle at the end of a
 * stage; if all were cut, every thread would pack every panel of B. So some of the last panels are cut: as many as give
 * the least time, estimated in rows of A multiplied with a panel of B. */
static void cut_tasks(plan *p, int threads)
{
    const int64_t group_threads = p->group_threads, rows = p->block_panels * p->mr;
    const int64_t others = p->n_panels - 1;                 /* all panels of B but the first */
    p->chunk_panels = ceil_div(p->block_panels, threads > 1 ? CHUNKS * group_threads : 1);
    p->chunks = ceil_div(p->block_panels, p->chunk_panels);
    int64_t best = INT64_MAX;
    for (int64_t cut = 0; cut <= at_most(others, group_threads - 1); cut++) {
        int64_t full = others - cut, work = full * (rows + PACK_TIME) + cut * (rows + PACK_TIME * group_threads);
        int64_t time = at_least(ceil_div(full, group_threads) * (rows + PACK_TIME), ceil_div(work, group_threads));
        if (time >= best) continue;
        best = time;
        p->full_tasks = full;
        p->tasks = p->chunks + full + cut * p->chunks;
    }
}

static int has_no_epilogue(const pk_gemm *g)
{
    return g->scale == 1 && !g->accumulate && !g->bias && !g->pre && g->act == PK_NONE && !g->gate && !g->gamma
        && !g->residual;
}

/* One stage of a group: panels first_panel .. first_panel+block_panels-1 of A, k from `depth` on. */
typedef struct stage {
    int64_t group, number, first_panel, block_panels, depth, k, lanes;
    int64_t turns;                          /* of prefetching while one tile is computed (PK_TURN) */
    int last;                               /* the last piece of K */
    pk_real *packed_a, *partial_sums;       /* the group's */
} stage;

/* Stage `number` of a group: a block's pieces of K follow one another, then comes the next block. */
static stage stage_of(const plan *p, int64_t group, int64_t number)
{
    const int64_t offset = number / p->pieces * p->block_panels;
    const int64_t end = at_most((group + 1) * p->group_panels, p->m_panels);
    stage s = { .group = group, .number = number, .first_panel = group * p->group_panels + offset };
    s.block_panels = at_most(p->block_panels, end - s.first_panel);
    s.depth = number % p->pieces * p->piece_k;
    s.k = at_most(p->piece_k, p->g->k - s.depth);
    s.lanes = lanes_of(p, s.k);
    s.turns = s.lanes / PK_TURN;
    s.last = number % p->pieces == p->pieces - 1;
    s.packed_a = (pk_real *)(p->packed_a + group * p->packed_bytes);
    s.partial_sums = (pk_real *)(p->partial_sums + group * p->partial_bytes);
    return s;
}

/* The tiles of a task: panel b_panel of B with a_panels panels of the stage's block from a_first on. */
typedef struct tiles { int64_t b_panel, a_first, a_panels; } tiles;

/* What task `task` of the stage computes. The tasks are listed at full_tasks in plan. */
static tiles tiles_of(const plan *p, const stage *s, int64_t task)
{
    tiles part = { .a_panels = p->block_panels };
    const int64_t cut = task - p->chunks - p->full_tasks;
    if (task < p->chunks) part = (tiles){ 0, task * p->chunk_panels, p->chunk_panels };
    else if (cut < 0) part.b_panel = 1 + task - p->chunks;
    else part = (tiles){ 1 + p->full_tasks + cut / p->chunks, cut % p->chunks * p->chunk_panels, p->chunk_panels };
    part.a_panels = at_most(part.a_panels, s->block_panels - part.a_first);
    return part;
}

/* Prefetches the panel of B that this thread will probably pack next: that of the task group_threads later, if all
 * threads are equally fast; behind the last task, the first panel of the next stage. */
static pk_prefetch prefetch_next_b(const plan *p, const stage *s, const tiles *part, int64_t task)
{
    const int64_t after = task + p->group_threads;
    const stage later = after < p->tasks ? *s : stage_of(p, s->group, s->number + 1);
    const int64_t b_panel = after < p->tasks ? tiles_of(p, s, after).b_panel : 0;
    if (later.number >= p->stages || b_panel == part->b_panel) return prefetch_nothing();
    return prefetch_all(area_of_b(p->g, later.depth, later.k, b_panel * p->t->nr, p->t->nr),
                        part->a_panels * s->turns);
}

/* Prefetches this thread's part of the next stage's A, only during the stage's last panels of B: earlier it would be
 * evicted from the level-2 cache before it is packed. */
static pk_prefetch prefetch_next_a(const plan *p, const stage *s, int64_t task, int worker)
{
    /* panels: of B, multiplied by each thread in the stage; last: how many of them, at the end, prefetch */
    const int64_t panels = p->full_tasks / p->group_threads, last = at_most(panels, LAST_PANELS);
    const int64_t done = (task - p->chunks) / p->group_threads - (panels - last);      /* of the last panels */
    if (s->number + 1 >= p->stages || task < p->chunks || done < 0 || done >= last)
        return prefetch_nothing();
    const stage next = stage_of(p, s->group, s->number + 1);
    /* panels_each, first: panels of A in a thread's part, and the first one of this thread's */
    const int64_t panels_each = ceil_div(p->block_panels, p->group_threads);
    const int64_t first = panels_each * (worker / p->groups % p->group_threads);
    const int64_t rows = at_most(panels_each, next.block_panels - first) * p->mr;
    const int64_t turns = p->block_panels * s->turns;
    return prefetch_rest(area_of_a(p->g, (next.first_panel + first) * p->mr, rows, next.depth, next.k), last * turns,
                         done * turns);
}

/* The thread's room for a copy of what is packed. */
static pk_real *copy_of(const plan *p, thread_scratch *scratch)
{
    return scratch->b + (p->scratch_bytes - (int64_t)sizeof *scratch - p->copy_bytes) / (int64_t)sizeof(pk_real);
}

/* The panel of B for this stage, packed into the thread's scratch unless it is there already. */
static const pk_real *pack_b(const plan *p, const stage *s, int64_t b_panel, thread_scratch *scratch)
{
    const pk_gemm *g = p->g;
    const int64_t column = b_panel * p->t->nr, stage_id = s->group * p->stages + s->number;
    const int64_t panel_id = 1 + stage_id * p->n_panels + b_panel;
    if (scratch->panel_id != panel_id)
        pk_gemm_pack_b(p->t, g, scratch->b, s->depth, s->k, column, at_most(p->t->nr, g->n - column),
                       copy_of(p, scratch));
    scratch->panel_id = panel_id;
    return scratch->b;
}

/* Where the sums of a tile are: in the thread's scratch if K is one piece, else among the partial sums. */
static pk_real *tile_of(const plan *p, const stage *s, int64_t b_panel, int64_t a_panel, thread_scratch *scratch)
{
    if (p->pieces == 1) return scratch->b + p->panel_bytes / (int64_t)sizeof(pk_real);
    return s->partial_sums + (b_panel * p->block_panels + a_panel) * p->mr * p->t->nr;
}

/* Computes the tiles `part` of the stage: packs B's panel, and with `packing` the panels of A, and multiplies. In the
 * last piece of K it applies the epilogue. */
static void multiply(const plan *p, const stage *s, const tiles *part, int packing, pk_micro_prefetch *prefetch,
                     thread_scratch *scratch)
{
    const pk_gemm *g = p->g;
    const int64_t mr = p->mr, nr = p->t->nr, column = part->b_panel * nr, end = part->a_first + part->a_panels;
    const int n = (int)at_most(nr, g->n - column);
    const int direct = s->last && p->no_epilogue;           /* the sums go to C itself, not to a tile */
    const pk_real *b = pack_b(p, s, part->b_panel, scratch);
    for (int64_t i = part->a_first; i < end; i++) {
        const int64_t row = (s->first_panel + i) * mr;
        const int m = (int)at_most(mr, g->m - row);
        pk_real *tile = tile_of(p, s, part->b_panel, i, scratch), *c = g->c + row * g->c_row + column;
        pk_real *a = s->packed_a + i * mr * (p->product->header + s->lanes);
        prefetch->blocks = 0;
        if (s->last) prefetch_epilogue(prefetch, g, row, column);
        if (packing) {                          /* prefetch the next panel of A, half of it by each cursor */
            const prefetch_area next = area_of_a(g, row + mr, i + 1 < end ? mr : 0, s->depth, s->k);
            prefetch->cursor[0] = prefetch_all(next, 2 * s->turns);
            prefetch->cursor[1] = prefetch_rest(next, 2 * s->turns, s->turns);
            pk_gemm_pack_a(p->t, g, a, row, m, s->depth, s->k, copy_of(p, scratch));
        }
        p->product->micro(s->lanes, a, b, direct ? c : tile, direct ? g->c_row : nr, m, n, s->depth > 0 ? tile : NULL,
                          prefetch);
        if (s->last && !p->no_epilogue) p->t->epilogue(p->t, g, tile, row, column, m, n);
    }
}

/* Waits until the task may start, and runs it. number: its number among the tasks of all stages of the group. */
static void run_task(plan *p, int64_t group_index, int64_t number, int worker)
{
    group *const progress = &p->group[group_index];
    const int64_t task = number % p->tasks;
    const int packing = task < p->chunks;
    const stage s = stage_of(p, group_index, number / p->tasks);
    const tiles part = tiles_of(p, &s, task);
    pk_micro_prefetch prefetch = { .cursor = { prefetch_next_b(p, &s, &part, task),
                                               prefetch_next_a(p, &s, task, worker) } };
    if (packing) pk_await(&progress->tasks_done, (int)(s.number * p->tasks));
    else pk_await(&progress->chunks_packed, (int)((s.number + 1) * p->chunks));
    multiply(p, &s, &part, packing, &prefetch, (thread_scratch *)(p->scratch + worker * p->scratch_bytes));
    if (packing) atomic_fetch_add_explicit(&progress->chunks_packed, 1, memory_order_release);
    atomic_fetch_add_explicit(&progress->tasks_done, 1, memory_order_release);
}

/* Runs the next task of the thread's own group, or of the first other group that has one left; 0: none has. */
static int next_task(plan *p, int worker)
{
    for (int64_t i = 0; i < p->groups; i++) {
        const int64_t group = (worker + i) % p->groups;
        const int64_t number = atomic_fetch_add_explicit(&p->group[group].tasks_started, 1, memory_order_relaxed);
        if (number >= p->stages * p->tasks) continue;
        run_task(p, group, number, worker);
        return 1;
    }
    return 0;
}

/* Task of the pool, one for each thread: runs tasks until none is left. */
static void run_tasks(void *arg, int64_t unused, int worker)
{
    plan *p = arg;
    pk_tiles host;
    (void)unused;
    enter_product(p->product, &host);
    while (next_task(p, worker)) {}
    leave_product(p->product, &host);
}

static int is_small(const pk_gemm *g) { return g->m * g->n < SMALL && g->m * g->n * g->k < SMALL; }

const char *pk_gemm_limits(const pk_table *t, const pk_pool *pool, const pk_gemm *g, char *text, size_t room)
{
    const int mr = t->product[g->compute].mr;
    const int64_t rows = ceil_div(g->m, mr) * mr, columns = ceil_div(g->n, t->nr) * t->nr;
    const int small = pk_pool_threads(pool) > 1 && is_small(g);
    /* a quarter or more of the rows, or of the columns, is padding */
    const int padded_m = 4 * (rows - g->m) >= rows, padded_n = 4 * (columns - g->n) >= columns;
    char m[48] = "", n[48] = "";
    if (padded_m) snprintf(m, sizeof m, "m %% %d = %lld", mr, (long long)(g->m % mr));
    if (padded_n) snprintf(n, sizeof n, "n %% %d = %lld", t->nr, (long long)(g->n % t->nr));
    snprintf(text, room, "%s%s%s%s%s", small ? "one thread: small product" : "", small && (*m || *n) ? "; " : "", m,
             *m && *n ? "; " : "", n);
    return text;
}

/* The product by the library's own kernels. */
static void own_gemm(const pk_table *t, pk_pool *pool, const pk_gemm *g, void *work)
{
    if (is_small(g)) pool = NULL;
    if (!pk_gemm_has_windows(g) && pk_gemm_is_thin(t, g->compute, g->m, g->n, g->k)) {
        pk_gemm_thin(t, pool, g, has_no_epilogue(g), work);
        return;
    }
    const int threads = pk_pool_threads(pool);
    plan p = make_plan(t, g->compute, g->m, g->n, g->k, threads);
    p.g = g;
    p.no_epilogue = has_no_epilogue(g);
    if (pk_gemm_has_windows(g)) p.copy_bytes = pk_gemm_windows_bytes(t, g->compute, at_most(p.piece_k, g->k));
    else if (pk_gemm_converts(t, g->compute, g->b_type))
        p.copy_bytes = pk_gemm_converted_bytes(t, at_most(p.piece_k, g->k));
    p.scratch_bytes += p.copy_bytes;
    p.packed_a = work;
    p.partial_sums = p.packed_a + p.groups * p.packed_bytes;
    p.scratch = p.partial_sums + p.groups * p.partial_bytes;
    cut_tasks(&p, threads);
    for (int i = 0; i < threads; i++) ((thread_scratch *)(p.scratch + i * p.scratch_bytes))->panel_id = 0;
    for (int i = 0; i < MOST_GROUPS; i++) {
        atomic_init(&p.group[i].tasks_started, 0);
        atomic_init(&p.group[i].chunks_packed, 0);
        atomic_init(&p.group[i].tasks_done, 0);
    }
    pk_pool_run(pool, at_most(threads, p.groups * p.stages * p.tasks), run_tasks, &p);
}

pk_gemm_kind pk_gemm_chosen(const pk_table *t, pk_gemm_kind kind, pk_compute compute)
{
    if (compute != PK_COMPUTE_F32) return PK_GEMM_OWN;
    if (kind == PK_GEMM_AUTO) kind = t->vector > 1 || sizeof(pk_real) > sizeof(float) ? PK_GEMM_OWN : PK_GEMM_CBLAS;
    return kind == PK_GEMM_CBLAS && pk_blas_load() ? PK_GEMM_OWN : kind;
}

size_t pk_gemm_widen_work(const pk_table *t, pk_gemm_kind kind, pk_compute compute, pk_dtype b_type, int64_t n,
                          int64_t k, int threads)
{
    if (b_type == PK_REAL) return 0;
    if (pk_gemm_chosen(t, kind, compute) == PK_GEMM_CBLAS) return (size_t)aligned(n * k * (int64_t)sizeof(pk_real));
    if (!pk_gemm_converts(t, compute, b_type)) return 0;
    const int64_t piece = at_most(pieces_of(&t->product[compute], k).length, k);
    return (size_t)(at_least(threads, 1) * pk_gemm_converted_bytes(t, piece));
}

size_t pk_gemm_windows_work(const pk_table *t, pk_gemm_kind kind, const pk_gemm *g, int threads)
{
    if (pk_gemm_chosen(t, kind, g->compute) == PK_GEMM_CBLAS) return (size_t)pk_gemm_windows_cblas_work(g);
    const int64_t piece = at_most(pieces_of(&t->product[g->compute], g->k).length, g->k);
    return (size_t)(at_least(threads, 1) * pk_gemm_windows_bytes(t, g->compute, piece));
}

void pk_gemm_run(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g, void *work)
{
    if (g->m <= 0 || g->n <= 0) return;
    if (pk_gemm_chosen(t, kind, g->compute) == PK_GEMM_OWN) own_gemm(t, pool, g, work);
    else if (pk_gemm_has_windows(g)) pk_gemm_windows_cblas(t, pool, g, work);
    else pk_gemm_cblas(t, pool, g, work);
}
