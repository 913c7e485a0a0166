/* SPDX-License-Identifier: Apache-2.0
 * overlap.c -- finds pictures that are in both the training and the test set, and training pictures with two labels
 * (data.h). */
#include "data.h"
#include "common/program/errors.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { max_reported = 3 };
typedef struct pairs { int64_t count, *in_a, *in_b; } pairs;  /* samples in_a[k] and in_b[k] are the same picture */

/* Finds the pictures of a that are also in b. For a == b: those that a holds twice. */
static pairs find_pairs(const peft_dataset *a, const peft_dataset *b)
{
    const int64_t capacity = peft_dataset_count(a);
    pairs p = { 0, check_alloc(malloc((size_t)capacity * sizeof *p.in_a)),
                check_alloc(malloc((size_t)capacity * sizeof *p.in_b)) };
    must(peft_dataset_overlap(a, b, capacity, p.in_a, p.in_b, &p.count));
    return p;
}

static void free_pairs(pairs *p)
{
    free(p->in_a);
    free(p->in_b);
}

/* Do sample i of a and sample k of b have the same labels? */
static bool same_targets(const peft_dataset *a, int64_t i, const peft_dataset *b, int64_t k)
{
    const size_t bytes = (size_t)peft_dataset_classes(a) * sizeof(float);
    float *of_a = check_alloc(malloc(2 * bytes)), *of_b = of_a + peft_dataset_classes(a);
    must(peft_dataset_targets(a, i, of_a));
    must(peft_dataset_targets(b, k, of_b));
    const bool same = !memcmp(of_a, of_b, bytes);
    free(of_a);
    return same;
}

static bool same_file(const peft_dataset *a, int64_t i, const peft_dataset *b, int64_t k)
{
    return !strcmp(peft_dataset_name(a, i), peft_dataset_name(b, k));
}

/* Warns of pictures under two labels; fails if a file is listed under two. */
static void check_labels(const peft_dataset *d)
{
    int64_t found = 0;
    pairs p = find_pairs(d, d);
    for (int64_t k = 0; k < p.count; k++) {
        const char *name = peft_dataset_name(d, p.in_a[k]), *other = peft_dataset_name(d, p.in_b[k]);
        if (same_targets(d, p.in_a[k], d, p.in_b[k])) continue;
        if (same_file(d, p.in_a[k], d, p.in_b[k]))
            fail("%s is listed twice, under two labels; remove one of the two lines", name);
        if (found++ < max_reported) warn("%s and %s are the same picture under two labels", name, other);
    }
    if (found > max_reported) warn("%lld training pictures have two labels", (long long)found);
    free_pairs(&p);
}

int64_t check_shared_images(named_set used, named_set judged, const char *figures)
{
    pairs p = find_pairs(judged.d, used.d);
    const int64_t count = p.count, all = peft_dataset_count(judged.d);
    for (int64_t k = 0; k < count && k < max_reported; k++)
        warn("%s image %s is also a %s image: %s", judged.name, peft_dataset_name(judged.d, p.in_a[k]), used.name,
             peft_dataset_name(used.d, p.in_b[k]));
    if (count && count == all)
        fail("all %lld %s images are also %s images, so %s would not hold for new images; give --%s other images",
             (long long)all, judged.name, used.name, figures, judged.flag);
    if (count)
        warn("%lld of %lld %s images are also %s images, so %s are too good; remove them from one set",
             (long long)count, (long long)all, judged.name, used.name, figures);
    free_pairs(&p);
    return count;
}

int64_t check_overlap(const peft_dataset *train, const peft_dataset *test)
{
    check_labels(train);
    return check_shared_images((named_set){ train, "training", "data" }, (named_set){ test, "test", "test" },
                               "the metrics");
}
