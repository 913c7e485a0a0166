/* SPDX-License-Identifier: Apache-2.0
 * group_split.c -- io_split_groups: a split that keeps the samples of a group (a patient) together, and is stratified
 * as well as groups allow. */
#include "io/dataset/groups.h"
#include "io/rng.h"

/* In the key of the random numbers, where the split of a set without groups has the number of a class, or -1. */
enum { ALL_GROUPS = -2 };
enum { MAX_BITS = 40, MAX_PASSES = 16 };                      /* of the number of samples in a unit; over all classes */

/* The samples of a group, or one sample without a group: order[first..first + count - 1]. */
typedef struct unit { int64_t first, count; int part; } unit;
typedef struct division {
    const peft_dataset *d;
    int64_t *order;                                           /* [count]: samples, those of a unit adjacent */
    unit *unit;
    int64_t units;
    int64_t *turn;                                            /* [units]: the order in which they are assigned */
    /* [classes + 1] each, the last for all samples: how many there are; for each part, how many it still lacks. */
    int64_t *all;
    double *lacks[2];
    int64_t *has[2];
} division;

static bool allocate(division *v)
{
    peft_context *ctx = v->d->ctx;
    const int64_t n = v->d->count, columns = v->d->classes + 1;
    v->order = io_alloc(ctx, n, sizeof *v->order);
    v->unit = io_alloc(ctx, n, sizeof *v->unit);
    v->turn = io_alloc(ctx, 2 * n, sizeof *v->turn);
    v->all = io_alloc(ctx, columns, sizeof *v->all);
    bool made = v->order && v->unit && v->turn && v->all;
    for (int p = 0; p < 2; p++) {
        v->lacks[p] = io_alloc(ctx, columns, sizeof *v->lacks[p]);
        v->has[p] = io_alloc(ctx, columns, sizeof *v->has[p]);
        made = made && v->lacks[p] && v->has[p];
    }
    return made;
}

static void release(division *v)
{
    peft_context *ctx = v->d->ctx;
    peft_sys_free(ctx, v->order);
    peft_sys_free(ctx, v->unit);
    peft_sys_free(ctx, v->turn);
    peft_sys_free(ctx, v->all);
    for (int p = 0; p < 2; p++) {
        peft_sys_free(ctx, v->lacks[p]);
        peft_sys_free(ctx, v->has[p]);
    }
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

/* Whether sample i counts in column c: is of the class, or positive for the label; the last column counts all. */
static bool counts(const peft_dataset *d, int64_t i, int64_t c)
{
    if (c == d->classes) return true;
    return d->target ? d->target[i * d->classes + c] == 1 : d->label[i] == c;
}

/* The columns from *c on in which sample i counts; false: no more. A single label has two: its class, and all. */
static bool next_column(const peft_dataset *d, int64_t i, int64_t *c)
{
    if (d->label && *c <= d->label[i]) *c = d->label[i];
    else if (d->label) *c = d->classes > *c ? d->classes : *c;
    while (*c <= d->classes && !counts(d, i, *c)) ++*c;
    return *c <= d->classes;
}

/* Adds a unit to a part (sign 1), or takes it from there (-1). */
static void move_unit(division *v, const unit *u, int part, int sign)
{
    for (int64_t k = 0; k < u->count; k++)
        for (int64_t i = v->order[u->first + k], c = 0; next_column(v->d, i, &c); c++) {
            v->lacks[part][c] -= sign;
            v->has[part][c] += sign;
        }
}

/* The part that lacks more of what the unit has; each column counts relative to all samples in it. */
static int choose_part(const division *v, const unit *u, io_rng *rng)
{
    double difference = 0;
    for (int64_t k = 0; k < u->count; k++)
        for (int64_t i = v->order[u->first + k], c = 0; next_column(v->d, i, &c); c++) {
            const double all = (double)v->all[c];
            difference += (v->lacks[0][c] - v->lacks[1][c]) / (all * all);
        }
    return difference > 1e-12 ? 0 : difference < -1e-12 ? 1 : (int)io_rng_below(rng, 2);
}

static bool has_column(const division *v, const unit *u, int64_t c)
{
    for (int64_t k = 0; k < u->count; k++)
        if (counts(v->d, v->order[u->first + k], c)) return true;
    return false;
}

/* Whether the unit has all samples of a column that its part has, while the other part has some too. */
static bool is_last(division *v, const unit *u)
{
    bool last = false;
    move_unit(v, u, u->part, -1);
    for (int64_t k = 0; k < u->count && !last; k++)
        for (int64_t i = v->order[u->first + k], c = 0; next_column(v->d, i, &c); c++)
            last |= !v->has[u->part][c] && v->has[!u->part][c];
    move_unit(v, u, u->part, 1);
    return last;
}

/* Where a part has no sample of column c and the other has two units with some, moves the smallest of these whose move
 * takes no other column away from the other part. Returns whether a unit was moved. */
static bool fill_part(division *v, int part, int64_t c)
{
    unit *smallest = NULL;
    int64_t found = 0;
    if (v->has[part][c] || v->all[c] < 2) return false;
    for (int64_t u = 0; u < v->units; u++) {
        if (v->unit[u].part == part || !has_column(v, &v->unit[u], c)) continue;
        found++;
        if ((!smallest || v->unit[u].count < smallest->count) && !is_last(v, &v->unit[u])) smallest = &v->unit[u];
    }
    if (found < 2 || !smallest) return false;
    move_unit(v, smallest, !part, -1);
    move_unit(v, smallest, part, 1);
    smallest->part = part;
    return true;
}

/* Fills both parts. A move may make another possible that was not before, so all columns are gone over again after a
 * pass with a move. */
static void fill_parts(division *v)
{
    bool moved = true;
    for (int pass = 0; moved && pass < MAX_PASSES; pass++) {
        moved = false;
        for (int64_t c = v->d->classes; c >= 0; c--)
            for (int part = 0; part < 2; part++) moved |= fill_part(v, part, c);
    }
}

static void divide(division *v, double fraction, uint64_t seed)
{
    io_rng rng = io_rng_make(IO_RNG_SAMPLES, seed, ALL_GROUPS, IO_RNG_UNUSED);
    const peft_dataset *d = v->d;
    choose_turns(v, &rng);
    for (int64_t i = 0; i < d->count; i++)
        for (int64_t c = 0; next_column(d, i, &c); c++) v->all[c]++;
    for (int64_t c = 0; c <= d->classes; c++) {
        v->lacks[0][c] = fraction * (double)v->all[c];
        v->lacks[1][c] = (double)v->all[c] - v->lacks[0][c];
    }
    for (int64_t k = 0; k < v->units; k++) {
        unit *u = &v->unit[v->turn[k]];
        u->part = choose_part(v, u, &rng);
        move_unit(v, u, u->part, 1);
    }
    fill_parts(v);
}

peft_status io_split_groups(const peft_dataset *d, double fraction, uint64_t seed, uint8_t *mark)
{
    division v = { .d = d };
    const bool made = allocate(&v) && make_units(&v);
    if (made && v.units > 1) {
        divide(&v, fraction, seed);
        for (int64_t u = 0; u < v.units; u++)
            for (int64_t k = 0; k < v.unit[u].count; k++)
                mark[v.order[v.unit[u].first + k]] = (uint8_t)(v.unit[u].part + 1);
    }
    release(&v);
    if (!made) return io_nomem("split");
    if (v.units > 1) return PEFT_OK;
    const int64_t only = io_group_of(d, d->groups, 0);
    return io_fail(PEFT_E_UNSUPPORTED, "split: all %lld samples are of one group (patient), '%.80s', which cannot be "
                   "in both parts; correct the pattern or the column that tells the patients, or give a test set of "
                   "its own",
                   (long long)d->count, only == IO_NO_GROUP ? "" : d->groups->names.item[only]);
}
