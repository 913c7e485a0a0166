/* SPDX-License-Identifier: Apache-2.0
 * fold.c -- peft_dataset_fold: k-fold division of a data set, stratified, with the samples of a group (a patient) in
 * one fold. A call computes the numbers of the folds of all samples, which depend on the set, their number and the seed
 * alone, and makes the parts of one of them. */
#include "io/dataset/folds/fold.h"
#include "io/dataset/groups.h"
#include "io/dataset/stratify.h"
#include "io/rng.h"

/* Numbers of the folds are marks from 1 on, as in io_stratify. order, sizes: scratch [count], [folds]. */
typedef struct division {
    peft_dataset *d;
    int64_t folds, *mark, *order, *sizes;
    double *share;                                            /* [folds]: 1 / folds */
    const char *function, *part;                              /* words of messages */
} division;

/* The number of samples of class c that folds can divide: those of a group count once. seen [groups]: the last class
 * + 1 in which a group was counted. */
static int64_t count_units(const peft_dataset *d, int64_t c, int64_t *seen)
{
    int64_t n = 0;
    for (int64_t i = 0; i < d->count; i++) {
        if (!io_is_of(d, i, c)) continue;
        const int64_t g = io_group_of(d, d->groups, i);
        if (g != IO_NO_GROUP && seen[g] == c + 1) continue;
        if (g != IO_NO_GROUP) seen[g] = c + 1;
        n++;
    }
    return n;
}

/* Warns of classes with fewer samples than folds; PEFT_E_INVALID if all are such. */
static peft_status check_classes(const peft_dataset *d, int64_t folds)
{
    const char *unit = d->groups ? "group (patient)" : "sample", *units = d->groups ? "groups (patients)" : "samples";
    int64_t *seen = io_alloc(d->ctx, d->groups ? d->groups->names.count + 1 : 1, sizeof *seen);
    int64_t most = 0, largest = 0;
    if (!seen) return io_nomem("fold");
    for (int64_t c = 0; c < d->classes; c++) {
        const int64_t n = count_units(d, c, seen);
        if (n > most) most = n, largest = c;
        if (n == 1)
            io_warn(d->ctx, "fold: class '%s' has 1 %s, so that the training part of one fold and the held-out parts "
                    "of the others lack it", d->class_names.item[c], unit);
        else if (n && n < folds)
            io_warn(d->ctx, "fold: class '%s' has %lld %s, so that %lld or more of the %lld held-out parts lack it",
                    d->class_names.item[c], (long long)n, units, (long long)(folds - n), (long long)folds);
    }
    peft_sys_free(d->ctx, seen);
    if (most >= folds) return PEFT_OK;
    return io_fail(PEFT_E_INVALID, "fold: folds is %lld, but no class has so many %s; '%s' has most, %lld: give at "
                   "most as many folds", (long long)folds, units, d->class_names.item[largest], (long long)most);
}

/* Deals the samples of one class after the other, each class in random order: the numbers of samples of a class, and
 * those of all samples, differ by at most one between folds. */
static void deal(division *v, uint64_t seed)
{
    int64_t next = 0;
    for (int64_t c = 0; c < v->d->classes; c++) {
        io_rng g = io_rng_make(IO_RNG_SAMPLES, seed, c, v->folds);
        int64_t n = 0;
        for (int64_t i = 0; i < v->d->count; i++)
            if (v->d->label[i] == c) v->order[n++] = i;
        io_rng_shuffle(&g, v->order, n);
        for (int64_t k = 0; k < n; k++) v->mark[v->order[k]] = next++ % v->folds + 1;
    }
}

static peft_status divide(division *v, uint64_t seed)
{
    peft_dataset *d = v->d;
    for (int64_t f = 0; f < v->folds; f++) {
        v->share[f] = 1 / (double)v->folds;
        v->sizes[f] = d->count / v->folds + (f < d->count % v->folds);
    }
    if (d->groups) return io_split_groups(d, v->share, v->folds, seed, v->mark);
    if (d->target) return io_stratify(d, v->sizes, v->folds, seed, v->order, v->mark);
    deal(v, seed);
    return PEFT_OK;
}

/* Makes the part of the samples that are (held_out), or are not, in a fold. */
static peft_status make_part(division *v, int64_t fold, bool held_out, peft_dataset **out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < v->d->count; i++)
        if ((v->mark[i] == fold + 1) == held_out) v->order[n++] = i;
    if (!n)
        return io_fail(PEFT_E_UNSUPPORTED, "%s: %s %lld of %lld would be empty, as the groups (patients) differ too "
                       "much in size; ask for fewer %ss", v->function, v->part, (long long)fold, (long long)v->folds,
                       v->part);
    return io_dataset_part(v->d, &(io_selection){ .count = n, .indices = v->order }, out);
}

static peft_status make_parts(division *v, int64_t fold, peft_dataset **train, peft_dataset **held_out)
{
    peft_dataset *first = NULL, *second = NULL;
    peft_status s = train ? make_part(v, fold, false, &first) : PEFT_OK;
    if (!s && held_out) s = make_part(v, fold, true, &second);
    if (s) {
        peft_dataset_free(first);
        return s;
    }
    if (train) *train = first;
    if (held_out) *held_out = second;
    return PEFT_OK;
}

static peft_status check_arguments(const peft_dataset *d, int64_t folds, int64_t fold, bool wanted)
{
    if (!d || !wanted)
        return io_fail(PEFT_E_INVALID, "fold: %s NULL", d ? "train and held_out are both" : "data set is");
    if (folds < 2 || folds > d->count)
        return io_fail(PEFT_E_INVALID, "fold: folds is %lld, expected 2 to %lld, the number of samples",
                       (long long)folds, (long long)d->count);
    if (fold < 0 || fold >= folds)
        return io_fail(PEFT_E_INVALID, "fold: fold is %lld, expected 0 to %lld", (long long)fold,
                       (long long)folds - 1);
    return PEFT_OK;
}

peft_status peft_dataset_fold(peft_dataset *d, int64_t folds, int64_t fold, uint64_t seed, peft_dataset **train,
                              peft_dataset **held_out)
{
    peft_status s = check_arguments(d, folds, fold, train || held_out);
    if (!s) s = check_classes(d, folds);
    return s ? s : io_fold(d, folds, fold, seed, "fold", "fold", train, held_out);
}

peft_status io_fold(peft_dataset *d, int64_t folds, int64_t fold, uint64_t seed, const char *function, const char *part,
                    peft_dataset **train, peft_dataset **held_out)
{
    division v = { .d = d, .folds = folds, .function = function, .part = part };
    v.mark = io_alloc(d->ctx, d->count, sizeof *v.mark);
    v.order = io_alloc(d->ctx, d->count, sizeof *v.order);
    v.sizes = io_alloc(d->ctx, folds, sizeof *v.sizes);
    v.share = io_alloc(d->ctx, folds, sizeof *v.share);
    peft_status s = v.mark && v.order && v.sizes && v.share ? divide(&v, seed) : io_nomem(function);
    if (!s) s = make_parts(&v, fold, train, held_out);
    peft_sys_free(d->ctx, v.mark);
    peft_sys_free(d->ctx, v.order);
    peft_sys_free(d->ctx, v.sizes);
    peft_sys_free(d->ctx, v.share);
    return s;
}
