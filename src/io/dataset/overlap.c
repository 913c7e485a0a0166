/* SPDX-License-Identifier: Apache-2.0
 * overlap.c -- samples of one data set whose picture is also in another, or twice in the same. Files are compared by
 * size, then by place (device and inode), then by the SHA-256 of their first 64 KiB, then of all bytes. Most files
 * differ in size and are never read. */
#include "io/dataset/dataset.h"
#include <stdint.h>

enum { HEAD = 65536, HASHES = 2 };                            /* bytes hashed first; hashes at most */
#define MOST_BYTES (1ll << 40)

/* A sample. place: two numbers that are equal for the same file, zip member or array element; key: SHA-256 in hex. */
typedef struct item {
    const peft_dataset *set;
    int64_t i, size;
    uint64_t place[2];
    bool second;                                              /* of the second set */
    char key[65];
} item;

/* match [samples of the first set]: a sample of the second with the same picture, or -1. one_set: both are one set. */
typedef struct search { bool one_set; int64_t *match; } search;

static const peft_dataset *opened(const item *x) { return x->set->root ? x->set->root : x->set; }

/* Sets place and size; size -1 where there is no such file, which loading the sample reports. */
static peft_status locate(item *x)
{
    const peft_dataset *root = opened(x);
    const int64_t id = peft_dataset_id(x->set, x->i);
    x->place[0] = (uint64_t)(uintptr_t)root;
    x->place[1] = (uint64_t)id;
    return root->store->locate(root, id, &x->size, x->place);
}

/* Hashes the first max_bytes bytes. */
static peft_status make_key(item *x, int64_t max_bytes)
{
    const peft_dataset *root = opened(x);
    const int64_t id = peft_dataset_id(x->set, x->i);
    peft_status s = root->store->hash(root, id, x->size < max_bytes ? x->size : max_bytes, x->key);
    return s ? io_fail_in(s, root->names.item[id]) : PEFT_OK;
}

static int by_size(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size ? -1 : 1) : memcmp(x->place, y->place, sizeof x->place);
}

static int by_key(const void *a, const void *b)
{
    const item *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : memcmp(x->place, y->place, sizeof x->place);
}

static int by_number(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->i != y->i ? (x->i < y->i ? -1 : 1) : x->second - y->second;
}

static bool same_place(const item *x, const item *y) { return !memcmp(x->place, y->place, sizeof x->place); }

static bool same_label(const item *x, const item *y)
{
    const peft_dataset *a = x->set, *b = y->set;
    if (!a->target != !b->target) return false;
    if (a->label) return !strcmp(a->class_names.item[a->label[x->i]], b->class_names.item[b->label[y->i]]);
    return a->classes == b->classes &&
           !memcmp(a->target + x->i * a->classes, b->target + y->i * b->classes, (size_t)a->classes);
}

/* All of x[n] are the same picture. Each sample of the first set is matched with the first sample of the second set
 * that has another label, because that is the worse finding, or else with the first. */
static void match_all(const search *q, item *x, int64_t n)
{
    const item *first = NULL, *second = NULL, *other = NULL;
    qsort(x, (size_t)n, sizeof *x, by_number);
    for (int64_t k = 0; k < n; k++) {
        if (!q->one_set && !x[k].second) continue;
        if (!first) first = &x[k];
        else if (!second) second = &x[k];
        if (!other && !same_label(first, &x[k])) other = &x[k];
    }
    for (int64_t k = 0; k < n; k++) {
        const item *m = first;
        if (x[k].second) continue;
        if (other && same_label(first, &x[k])) m = other;
        else if (m == &x[k]) m = second;
        if (m) q->match[x[k].i] = m->i;
    }
}

/* x[n] have one size and, with level > 0, one hash of their first bytes (level 1) or of all bytes (level 2). Matches
 * them where that proves that they are the same picture, else hashes more of them and goes on with each group. */
static peft_status refine(const search *q, item *x, int64_t n, int level)
{
    bool one_place = true, firsts = false, seconds = q->one_set;
    for (int64_t k = 0; k < n; k++) {
        one_place &= same_place(&x[0], &x[k]);
        firsts |= !x[k].second;
        seconds |= x[k].second;
    }
    if (n < 2 || !firsts || !seconds || x[0].size < 0) return PEFT_OK;
    if (one_place || level == HASHES || (level && x[0].size <= HEAD)) {
        match_all(q, x, n);
        return PEFT_OK;
    }
    for (int64_t k = 0; k < n; k++) {
        if (k && same_place(&x[k - 1], &x[k])) memcpy(x[k].key, x[k - 1].key, sizeof x[k].key);
        else {
            peft_status s = make_key(&x[k], level ? MOST_BYTES : HEAD);
            if (s) return s;
        }
    }
    qsort(x, (size_t)n, sizeof *x, by_key);
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && !strcmp(x[from].key, x[to].key); to++) {}
        peft_status s = refine(q, x + from, to - from, level + 1);
        if (s) return s;
    }
    return PEFT_OK;
}

static peft_status compare(const search *q, item *x, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        peft_status s = locate(&x[k]);
        if (s) return s;
    }
    qsort(x, (size_t)n, sizeof *x, by_size);
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && x[from].size == x[to].size; to++) {}
        peft_status s = refine(q, x + from, to - from, 0);
        if (s) return s;
    }
    return PEFT_OK;
}

peft_status peft_dataset_overlap(const peft_dataset *a, const peft_dataset *b, int64_t room, int64_t *in_a,
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
        x[i] = i < a->count ? (item){ .set = a, .i = i } : (item){ .set = b, .i = i - a->count, .second = true };
    for (int64_t i = 0; i < a->count && !s; i++) q.match[i] = -1;
    if (!s) s = compare(&q, x, n);
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
