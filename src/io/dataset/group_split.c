/* SPDX-License-Identifier: Apache-2.0
 * group_split.c -- io_split_groups: a division that keeps the samples of a group (a patient) together, and is
 * stratified as well as groups allow. */
#include "io/dataset/groups.h"
#include "io/rng.h"

/* In the key of the random numbers, where the split of a set without groups has the number of a class, or -1. */
enum { ALL_GROUPS = -2 };
enum { MAX_BITS = 40, MAX_PASSES = 16 };                      /* of the number of samples in a unit; over all classes */

/* The samples of a group, or one sample without a group: order[first..first + count - 1]. */
typedef struct unit { int64_t first, count, part; } unit;
typedef struct division {
    const peft_dataset *d;
    int64_t *order;                                           /* [count]: samples, those of a unit adjacent */
    unit *unit;
    int64_t units;
    int64_t *turn;                                            /* [units]: the order in which they are assigned */
    /* [classes + 1], the last for all samples: how many there are; [parts, classes + 1]: how many each part still
     * lacks, and how many it has. */
    int64_t *all;
    double *lacks;
    int64_t *has;
    int64_t parts, columns;                                   /* columns: classes + 1 */
    double *score;                                            /* scratch [parts] */
    int64_t *equal;                                           /* scratch [parts] */
} division;

/* The place of a part's number of column c in lacks and has. */
static size_t place(const division *v, int64_t part, int64_t c) { return (size_t)(part * v->columns + c); }

static bool allocate(division *v)
{
    peft_context *ctx = v->d->ctx;
    const int64_t n = v->d->count;
    v->order = io_alloc(ctx, n, sizeof *v->order);
    v->unit = io_alloc(ctx, n, sizeof *v->unit);
    v->turn = io_alloc(ctx, 2 * n, sizeof *v->turn);
    v->all = io_alloc(ctx, v->columns, sizeof *v->all);
    v->lacks = io_alloc(ctx, v->columns, (size_t)v->parts * sizeof *v->lacks);
    v->has = io_alloc(ctx, v->columns, (size_t)v->parts * sizeof *v->has);
    v->score = io_alloc(ctx, v->parts, sizeof *v->score);
    v->equal = io_alloc(ctx, v->parts, sizeof *v->equal);
    return v->order && v->unit && v->turn && v->all && v->lacks && v->has && v->score && v->equal;
}

static void release(division *v)
{
    peft_context *ctx = v->d->ctx;
    peft_sys_free(ctx, v->order);
    peft_sys_free(ctx, v->unit);
    peft_sys_free(ctx, v->turn);
    peft_sys_free(ctx, v->all);
    peft_sys_free(ctx, v->lacks);
    peft_sys_free(ctx, v->has);
    peft_sys_free(ctx, v->score);
    peft_sys_free(ctx, v->equal);
}

/* Lists the samples by group, by a counting sort, and behind them those without one; makes a unit of each. */
static bool make_units(division *v)
{
    const peft_dataset *d = v->d;
    const int64_t groups = d->groups->names.count;
    int64_t *end = io_alloc(d->ctx, groups + 2, sizeof *end);         /* of each group in order; shifted by one */
    if (!end) return false;
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t g = io_group_of(d, d->groups, i);
        end[(g == IO_NO_GROUP ? groups : g) + 1]++;
    }
    for (int64_t g = 0; g <= groups; g++) {
        const int64_t size = end[g + 1];
        const bool single = g == groups;                      /* samples without a group */
        for (int64_t k = 0; k < (single ? size : size > 0); k++)
            v->unit[v->units++] = (unit){ end[g] + k, single ? 1 : size, 0 };
        end[g + 1] += end[g];
    }
    for (int64_t i = 0; i < d->count; i++) {
        const int64_t g = io_group_of(d, d->groups, i);
        v->order[end[g == IO_NO_GROUP ? groups : g]++] = i;
    }
    peft_sys_free(d->ctx, end);
    return true;
}

/* Random order, but units of twice as many samples or more come first: the small ones can then even out the parts. */
static void choose_turns(division *v, io_rng *rng)
{
    int64_t *shuffled = v->turn + v->units, n = 0;
    for (int64_t u = 0; u < v->units; u++) shuffled[u] = u;
    io_rng_shuffle(rng, shuffled, v->units);
    for (int bits = MAX_BITS; bits >= 0; bits--)
        for (int64_t k = 0; k < v->units; k++)
            if (v->unit[shuffled[k]].count >> bits == 1) v->turn[n++] = shuffled[k];
}

/* Whether sample i counts in column c; the last column counts all. */
static bool counts(const peft_dataset *d, int64_t i, int64_t c) { return c == d->classes || io_is_of(d, i, c); }

/* The columns from *c on in which sample i counts; false: no more. A single label has two: its class, and all. */
static bool next_column(const peft_dataset *d, int64_t i, int64_t *c)
{
    if (d->label && *c <= d->label[i]) *c = d->label[i];
    else if (d->label) *c = d->classes > *c ? d->classes : *c;
    while (*c <= d->classes && !counts(d, i, *c)) ++*c;
    return *c <= d->classes;
}

/* Adds a unit to a part (sign 1), or takes it from there (-1). */
static void move_unit(division *v, const unit *u, int64_t part, int sign)
{
    for (int64_t k = 0; k < u->count; k++)
        for (int64_t i = v->order[u->first + k], c = 0; next_column(v->d, i, &c); c++) {
            v->lacks[place(v, part, c)] -= sign;
            v->has[place(v, part, c)] += sign;
        }
}

/* The part that lacks most of what the unit has, of equal ones a random one; each column counts relative to all samples
 * in it. */
static int64_t choose_part(const division *v, const unit *u, io_rng *rng)
{
    int64_t n = 0;
    for (int64_t p = 0; p < v->parts; p++) {                  /* score: by how much it lacks more than part 0 */
        double more = 0;
        for (int64_t k = 0; k < u->count; k++)
            for (int64_t i = v->order[u->first + k], c = 0; next_column(v->d, i, &c); c++) {
                const double all = (double)v->all[c];
                more += (v->lacks[place(v, p, c)] - v->lacks[place(v, 0, c)]) / (all * all);
            }
        v->score[p] = more;
        const double better = n ? more - v->score[v->equal[0]] : 0;
        if (better < -1e-12) continue;
        if (better > 1e-12) n = 0;
        v->equal[n++] = p;
    }
    return v->equal[n > 1 ? io_rng_below(rng, n) : 0];
}

static bool has_column(const division *v, const unit *u, int64_t c)
{
    for (int64_t k = 0; k < u->count; k++)
        if (counts(v->d, v->order[u->first + k], c)) return true;
    return false;
}

static bool in_others(const division *v, int64_t part, int64_t c)
{
    for (int64_t p = 0; p < v->parts; p++)
        if (p != part && v->has[place(v, p, c)]) return true;
    return false;
}

/* Whether the unit has all samples of a column that its part has, while another part has some too. */
static bool is_last(division *v, const unit *u)
{
    bool last = false;
    move_unit(v, u, u->part, -1);
    for (int64_t k = 0; k < u->count && !last; k++)
        for (int64_t i = v->order[u->first + k], c = 0; next_column(v->d, i, &c); c++)
            last |= !v->has[place(v, u->part, c)] && in_others(v, u->part, c);
    move_unit(v, u, u->part, 1);
    return last;
}

/* Where a part has no sample of column c, moves the smallest unit with some from a part that has two of these, and
 * whose move takes no other column away from that part. Returns whether a unit was moved. */
static bool fill_part(division *v, int64_t part, int64_t c)
{
    unit *smallest = NULL;
    int64_t *found = v->equal;                                /* units with column c in each part */
    if (v->has[place(v, part, c)] || v->all[c] < 2) return false;
    memset(found, 0, (size_t)v->parts * sizeof *found);
    for (int64_t u = 0; u < v->units; u++) found[v->unit[u].part] += has_column(v, &v->unit[u], c);
    for (int64_t u = 0; u < v->units; u++) {
        if (found[v->unit[u].part] < 2 || !has_column(v, &v->unit[u], c)) continue;
        if ((!smallest || v->unit[u].count < smallest->count) && !is_last(v, &v->unit[u])) smallest = &v->unit[u];
    }
    if (!smallest) return false;
    move_unit(v, smallest, smallest->part, -1);
    move_unit(v, smallest, part, 1);
    smallest->part = part;
    return true;
}

/* Fills all parts. A move may make another possible that was not before, so all columns are gone over again after a
 * pass with a move. */
static void fill_parts(division *v)
{
    bool moved = true;
    for (int pass = 0; moved && pass < MAX_PASSES; pass++) {
        moved = false;
        for (int64_t c = v->d->classes; c >= 0; c--)
            for (int64_t part = 0; part < v->parts; part++) moved |= fill_part(v, part, c);
    }
}

static void divide(division *v, const double *share, uint64_t seed)
{
    io_rng rng = io_rng_make(IO_RNG_SAMPLES, seed, ALL_GROUPS, IO_RNG_UNUSED);
    const peft_dataset *d = v->d;
    choose_turns(v, &rng);
    for (int64_t i = 0; i < d->count; i++)
        for (int64_t c = 0; next_column(d, i, &c); c++) v->all[c]++;
    for (int64_t c = 0; c < v->columns; c++) {
        double rest = (double)v->all[c];
        for (int64_t p = 0; p + 1 < v->parts; p++) rest -= v->lacks[place(v, p, c)] = share[p] * (double)v->all[c];
        v->lacks[place(v, v->parts - 1, c)] = rest;
    }
    for (int64_t k = 0; k < v->units; k++) {
        unit *u = &v->unit[v->turn[k]];
        u->part = choose_part(v, u, &rng);
        move_unit(v, u, u->part, 1);
    }
    fill_parts(v);
}

peft_status io_split_groups(const peft_dataset *d, const double *share, int64_t parts, uint64_t seed, int64_t *mark)
{
    division v = { .d = d, .parts = parts, .columns = d->classes + 1 };
    const bool made = allocate(&v) && make_units(&v);
    if (made && v.units >= parts) {
        divide(&v, share, seed);
        for (int64_t u = 0; u < v.units; u++)
            for (int64_t k = 0; k < v.unit[u].count; k++)
                mark[v.order[v.unit[u].first + k]] = v.unit[u].part + 1;
    }
    release(&v);
    if (!made) return io_nomem("division of a data set");
    if (v.units >= parts) return PEFT_OK;
    if (v.units > 1)
        return io_fail(PEFT_E_UNSUPPORTED, "split: %lld parts of %lld groups (patients), each of which comes into one "
                       "part; ask for at most %lld parts", (long long)parts, (long long)v.units, (long long)v.units);
    const int64_t only = io_group_of(d, d->groups, 0);
    return io_fail(PEFT_E_UNSUPPORTED, "split: all %lld samples are of one group (patient), '%.80s', which cannot be "
                   "in both parts; correct the pattern or the column that tells the patients, or give a test set of "
                   "its own",
                   (long long)d->count, only == IO_NO_GROUP ? "" : d->groups->names.item[only]);
}
