/* SPDX-License-Identifier: Apache-2.0
 * overlap.c -- peft_dataset_overlap: finds samples of one data set whose picture is also in another, or twice in the
 * same. Samples are grouped by size; groups are divided by the SHA-256 of the first 64 KiB, then of all bytes, unless
 * device and inode already say that all are one file. Most files differ in size and are never read. Samples of equal
 * files are the same picture if they are the same slice of it.
 * peft_dataset_overlap_pixels groups them by the SHA-256 of their decoded pixels alone. */
#include "io/dataset/dataset.h"
#include <stdint.h>
#include <stdio.h>

/* What the samples of a group have in common: their size, then also the hash of their first HEAD_BYTES bytes, then that
 * of all bytes. */
typedef enum similarity { SAME_SIZE, SAME_HEAD, SAME_BYTES } similarity;
enum { HEAD_BYTES = 65536 };
#define ALL_BYTES (1ll << 40)                                 /* more than any sample has */

/* A sample. identity: equal for samples that are one file (io_store.locate); slice: of it, -1: all of it; hash: SHA-256
 * of the file as hexadecimal digits. */
typedef struct item {
    const peft_dataset *set;
    int64_t i, size, slice;
    uint64_t identity[2];
    bool of_b;                                                /* a sample of b, else of a */
    char hash[65];
} item;

typedef struct search {
    bool one_set;                                             /* a and b are the same set; all items are those of a */
    int64_t *match;                                           /* [samples of a]: the sample of b, or -1 for none */
} search;

/* The set that reads the sample: the one of which x->set is a part, or x->set. */
static const peft_dataset *opened_set(const item *x) { return x->set->opened ? x->set->opened : x->set; }

/* Sets size, -1 where the file does not exist, slice, and identity: (data set, index), which a store of files
 * overwrites. */
static peft_status locate(item *x)
{
    const peft_dataset *opened = opened_set(x);
    const int64_t id = peft_dataset_id(x->set, x->i);
    x->identity[0] = (uint64_t)(uintptr_t)opened;
    x->identity[1] = (uint64_t)id;
    x->slice = io_slice_of(x->set, x->i, NULL);
    return opened->store->locate(opened, id, &x->size, x->identity);
}

/* Hashes the first max_bytes bytes of the sample, or all of a smaller one. */
static peft_status make_hash(item *x, int64_t max_bytes)
{
    const peft_dataset *opened = opened_set(x);
    const int64_t id = peft_dataset_id(x->set, x->i);
    peft_status s = opened->store->hash(opened, id, x->size < max_bytes ? x->size : max_bytes, x->hash);
    return s ? io_fail_in(s, opened->names.item[id]) : PEFT_OK;
}

/* Hashes what peft_dataset_load returns: the layout of the pixels, then they. */
static peft_status hash_pixels(item *x)
{
    peft_image *im;
    char layout[200], hash[65];
    peft_status s = peft_dataset_load(x->set, x->i, &im);
    if (s) return s;
    peft_sha256(im->pixels, io_image_bytes(im), hash);
    const int n = snprintf(layout, sizeof layout, "%lld %lld %d %d %a %a %s", (long long)im->width,
                           (long long)im->height, im->channels, (int)im->type, im->slope, im->intercept, hash);
    peft_sha256(layout, (size_t)n, x->hash);
    peft_image_free(im);
    return PEFT_OK;
}

/* By size; of equal sizes, the samples that are one file are adjacent. */
static int by_size(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size ? -1 : 1) : memcmp(x->identity, y->identity, sizeof x->identity);
}

/* By hash; of equal hashes, the samples that are one file are adjacent. */
static int by_hash(const void *a, const void *b)
{
    const item *x = a, *y = b;
    int order = strcmp(x->hash, y->hash);
    return order ? order : memcmp(x->identity, y->identity, sizeof x->identity);
}

static int by_slice(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->slice < y->slice ? -1 : x->slice > y->slice;
}

/* In the order of indices; samples of a come before those of b. */
static int by_index(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->i != y->i ? (x->i < y->i ? -1 : 1) : x->of_b - y->of_b;
}

static bool is_same_file(const item *x, const item *y) { return !memcmp(x->identity, y->identity, sizeof x->identity); }

/* Whether two samples have the same class, by its name, or the same targets. */
static bool same_label(const item *x, const item *y)
{
    const peft_dataset *a = x->set, *b = y->set;
    const bool a_multi_label = a->target, b_multi_label = b->target;
    if (a_multi_label != b_multi_label) return false;
    if (a->label) return !strcmp(a->class_names.item[a->label[x->i]], b->class_names.item[b->label[y->i]]);
    return a->classes == b->classes &&
           !memcmp(a->target + x->i * a->classes, b->target + y->i * b->classes, (size_t)a->classes);
}

/* x[n] are all the same picture: sets the match of each sample of a. A sample of b with another label goes before one
 * with the same label, since a contradiction is the worse finding. With the labels first = cat, contradiction = dog, a
 * sample `cat` is matched with contradiction, and a sample `dog` with first. A sample is not matched with itself. */
static void match_all(const search *q, item *x, int64_t n)
{
    const item *first = NULL, *second = NULL;                 /* the first samples of b */
    const item *contradiction = NULL;                         /* the first of b with another label than `first` */
    qsort(x, (size_t)n, sizeof *x, by_index);
    for (int64_t k = 0; k < n; k++) {
        if (!q->one_set && !x[k].of_b) continue;
        if (!first) first = &x[k];
        else if (!second) second = &x[k];
        if (!contradiction && !same_label(first, &x[k])) contradiction = &x[k];
    }
    for (int64_t k = 0; k < n; k++) {
        const item *m = first;
        if (x[k].of_b) continue;
        if (contradiction && same_label(first, &x[k])) m = contradiction;
        else if (m == &x[k]) m = second;
        if (m) q->match[x[k].i] = m->i;
    }
}

/* The files of x[n] are equal: matches those that are the same slice. */
static void match_slices(const search *q, item *x, int64_t n)
{
    qsort(x, (size_t)n, sizeof *x, by_slice);
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && x[from].slice == x[to].slice; to++) {}
        match_all(q, x + from, to - from);
    }
}

/* x[n] have in common what level says. Matches them if that proves that they are the same picture; else hashes them for
 * the next level, and goes on with each group of equal hashes. */
static peft_status match_group(const search *q, item *x, int64_t n, similarity level)
{
    bool one_file = true, any_of_a = false, any_of_b = q->one_set;
    for (int64_t k = 0; k < n; k++) {
        one_file &= is_same_file(&x[0], &x[k]);
        any_of_a |= !x[k].of_b;
        any_of_b |= x[k].of_b;
    }
    if (n < 2 || !any_of_a || !any_of_b || x[0].size < 0) return PEFT_OK;
    if (one_file || level == SAME_BYTES || (level == SAME_HEAD && x[0].size <= HEAD_BYTES)) {
        match_slices(q, x, n);
        return PEFT_OK;
    }
    for (int64_t k = 0; k < n; k++) {
        if (k && is_same_file(&x[k - 1], &x[k])) memcpy(x[k].hash, x[k - 1].hash, sizeof x[k].hash);
        else {
            peft_status s = make_hash(&x[k], level == SAME_SIZE ? HEAD_BYTES : ALL_BYTES);
            if (s) return s;
        }
    }
    qsort(x, (size_t)n, sizeof *x, by_hash);
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && !strcmp(x[from].hash, x[to].hash); to++) {}
        peft_status s = match_group(q, x + from, to - from, level == SAME_SIZE ? SAME_HEAD : SAME_BYTES);
        if (s) return s;
    }
    return PEFT_OK;
}

/* Groups x[n] by size and matches each group. */
static peft_status match_items(const search *q, item *x, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        peft_status s = locate(&x[k]);
        if (s) return s;
    }
    qsort(x, (size_t)n, sizeof *x, by_size);
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && x[from].size == x[to].size; to++) {}
        peft_status s = match_group(q, x + from, to - from, SAME_SIZE);
        if (s) return s;
    }
    return PEFT_OK;
}

/* Hashes the pixels of x[n] and matches those with equal hashes. */
static peft_status match_pixels(const search *q, item *x, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        peft_status s = hash_pixels(&x[k]);
        if (s) return s;
    }
    if (n) qsort(x, (size_t)n, sizeof *x, by_hash);
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && !strcmp(x[from].hash, x[to].hash); to++) {}
        match_all(q, x + from, to - from);
    }
    return PEFT_OK;
}

/* Finds a match for each sample of a, then reports the first `room` of those that have one. */
static peft_status find_overlap(const peft_dataset *a, const peft_dataset *b, bool pixels, int64_t room, int64_t *in_a,
                                int64_t *in_b, int64_t *count)
{
    if (!a || !b || !count || (room > 0 && (!in_a || !in_b)))
        return io_fail(PEFT_E_INVALID, "overlap: %s is NULL", !a || !b ? "data set" : !count ? "count"
                                                                                              : "in_a or in_b");
    search q = { .one_set = a == b, .match = io_alloc(a->ctx, a->count, sizeof *q.match) };
    const int64_t n = a->count + (q.one_set ? 0 : b->count);
    item *x = io_alloc(a->ctx, n, sizeof *x);
    peft_status s = q.match && x ? PEFT_OK : io_nomem("overlap of data sets");
    for (int64_t i = 0; i < n && !s; i++)
        x[i] = i < a->count ? (item){ .set = a, .i = i } : (item){ .set = b, .i = i - a->count, .of_b = true };
    for (int64_t i = 0; i < a->count && !s; i++) q.match[i] = -1;
    if (!s) s = pixels ? match_pixels(&q, x, n) : match_items(&q, x, n);
    int64_t found = 0;
    for (int64_t i = 0; i < a->count && !s; i++) {
        if (q.match[i] < 0) continue;
        if (found < room) {
            in_a[found] = i;
            in_b[found] = q.match[i];
        }
        found++;
    }
    if (!s) *count = found;
    peft_sys_free(a->ctx, x);
    peft_sys_free(a->ctx, q.match);
    return s;
}

peft_status peft_dataset_overlap(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a,
                                 int64_t *in_b, int64_t *count)
{
    return find_overlap(a, b, false, room, in_a, in_b, count);
}

peft_status peft_dataset_overlap_pixels(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a,
                                        int64_t *in_b, int64_t *count)
{
    return find_overlap(a, b, true, room, in_a, in_b, count);
}
