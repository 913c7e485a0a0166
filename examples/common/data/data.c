/* SPDX-License-Identifier: Apache-2.0
 * data.c -- see data.h. */
#include "data.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The split, or NULL where the data have none of that name; split NULL: the whole set. */
static peft_dataset *open_split(peft_context *ctx, const char *path, const char *split)
{
    peft_dataset *d = NULL;
    const peft_status s = peft_dataset_open(ctx, path, split, &d);
    if (s != PEFT_E_NOTFOUND || !split) must(s);
    return d;
}

static peft_dataset *open_train(peft_context *ctx, const char *path)
{
    peft_dataset *d = open_split(ctx, path, "train");
    return d ? d : open_split(ctx, path, NULL);
}

/* The split that images are held out by; NULL: the data have none. */
static peft_dataset *open_held(peft_context *ctx, const char *path, const char **source)
{
    static const struct { const char *split, *source; } order[] = {
        { "test", "the split 'test'" }, { "val", "the split 'val', as there is no 'test'" } };
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        peft_dataset *d = open_split(ctx, path, order[i].split);
        *source = order[i].source;
        if (d) return d;
    }
    return NULL;
}

static peft_dataset *open_test(peft_context *ctx, const char *path, const char **source)
{
    peft_dataset *d = open_held(ctx, path, source), *train;
    if (d) return d;
    if ((train = open_split(ctx, path, "train")))
        fail("--test %s: has a split 'train' and neither 'test' nor 'val'; give the folder with the test images' class "
             "folders", path);
    *source = "all images of --test";
    return open_split(ctx, path, NULL);
}

static void keep_few(peft_dataset **d, const char *flag, int64_t each, uint64_t seed, peft_dataset **rest)
{
    peft_dataset *few;
    const peft_status s = peft_dataset_few_shot(*d, 0, each, seed, &few, rest);
    if (s) fail("--%s %lld: %s (%s); give a smaller number, or 0 for all", flag, (long long)each, peft_last_error(),
                peft_status_name(s));
    peft_dataset_free(*d);
    *d = few;
}

/* Samples of each class; to be freed. */
static int64_t *count_classes(const peft_dataset *d)
{
    const int64_t classes = peft_dataset_classes(d);
    int64_t *count = need(calloc((size_t)classes, sizeof *count));
    float *targets = need(malloc((size_t)classes * sizeof *targets));
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        must(peft_dataset_targets(d, i, targets));
        for (int64_t c = 0; c < classes; c++) count[c] += targets[c] > 0;
    }
    free(targets);
    return count;
}

/* What is not shown cannot be learned. */
static void check_classes(const peft_dataset *train, const char *path)
{
    int64_t *count = count_classes(train);
    const char *skipped = peft_dataset_skipped(train);
    for (int64_t c = 0; c < peft_dataset_classes(train); c++) {
        const char *name = peft_dataset_class_name(train, c);
        if (!count[c] && peft_dataset_multilabel(train))
            warn("%s: no training image has the label '%s': it cannot be learned", path, name);
        else if (!count[c])
            fail("%s: class '%s' has no training image%s%s; add some, or take the class away", path, name,
                 *skipped ? "; not read: " : "", skipped);
    }
    free(count);
}

/* Classes are the same where their names are; the training images say what number each has. */
static void match_classes(peft_dataset **held, const peft_dataset *train, const char *path)
{
    peft_dataset *matched;
    const peft_status s = peft_dataset_match_classes(*held, train, &matched);
    if (s) fail("test images in %s: %s (%s); rename the classes of one of them", path, peft_last_error(),
                peft_status_name(s));
    peft_dataset_free(*held);
    *held = matched;
}

const char *draw_sets(peft_context *ctx, const char *data, const char *test, int64_t shots, int64_t tests,
                      uint64_t seed, peft_dataset **train_set, peft_dataset **test_set)
{
    const char *source;
    peft_dataset *train = open_train(ctx, data);
    peft_dataset *held = test ? open_test(ctx, test, &source) : open_held(ctx, data, &source);
    peft_dataset **rest = held ? NULL : &held, *all = train;
    if (shots) {
        keep_few(&train, "shots", shots, seed, rest);
        if (rest) source = "those that were not drawn for training";
    } else if (rest) {
        must(peft_dataset_split(all, 0.8, seed, &train, rest));
        peft_dataset_free(all);
        source = "a fifth of every class, taken from the training images";
    }
    if (tests) keep_few(&held, "test-per-class", tests, seed, NULL);
    check_classes(train, data);
    if (!rest) match_classes(&held, train, test ? test : data);
    *train_set = train;
    *test_set = held;
    return source;
}

char *class_names(const peft_dataset *d)
{
    size_t room = 1;
    for (int64_t c = 0; c < peft_dataset_classes(d); c++) room += strlen(peft_dataset_class_name(d, c)) + 1;
    char *names = need(calloc(1, room));
    for (int64_t c = 0; c < peft_dataset_classes(d); c++) {
        if (c) strcat(names, "\n");
        strcat(names, peft_dataset_class_name(d, c));
    }
    return names;
}

static void print_set(const char *what, const peft_dataset *d)
{
    const char *skipped = peft_dataset_skipped(d);
    const int64_t all = peft_dataset_count(d);
    int64_t *count = count_classes(d);
    printf("%s: %lld image%s", what, (long long)all, all == 1 ? "" : "s");
    for (int64_t c = 0; c < peft_dataset_classes(d); c++)
        printf("%s %s %lld", c ? "," : ":", peft_dataset_class_name(d, c), (long long)count[c]);
    if (*skipped) printf("; not read: %s", skipped);
    free(count);
}

void print_sets(const peft_dataset *train, const peft_dataset *test, const char *source)
{
    print_set("training", train);
    print_set("\ntest", test);
    printf("; %s\n", source);
}
