/* SPDX-License-Identifier: Apache-2.0
 * folds.c -- divides training images into folds (folds.h). */
#include "folds.h"
#include "common/data/data.h"
#include "common/program/errors.h"
#include <stdlib.h>

typedef struct numbered { int64_t id, number; } numbered;

static int by_id(const void *x, const void *y)
{
    const int64_t a = ((const numbered *)x)->id, b = ((const numbered *)y)->id;
    return (a > b) - (a < b);
}

/* The numbers that the samples of a part have in d, whose ids are distinct. */
static int64_t *numbers_in(const peft_dataset *d, const peft_dataset *part)
{
    const int64_t n = peft_dataset_count(d), count = peft_dataset_count(part);
    numbered *all = check_alloc(malloc((size_t)n * sizeof *all));
    int64_t *number = check_alloc(malloc((size_t)count * sizeof *number));
    for (int64_t i = 0; i < n; i++) all[i] = (numbered){ peft_dataset_id(d, i), i };
    qsort(all, (size_t)n, sizeof *all, by_id);
    for (int64_t i = 0; i < count; i++) {
        const numbered wanted = { .id = peft_dataset_id(part, i) };
        number[i] = ((const numbered *)bsearch(&wanted, all, (size_t)n, sizeof *all, by_id))->number;
    }
    free(all);
    return number;
}

/* Every class must be in each held-out part. Patients may prevent it, of which the library warns. */
static void check_fold_classes(const peft_dataset *d, int64_t count, const char *flag)
{
    int64_t *images = count_classes(d), fewest = 0;
    for (int64_t c = 1; c < peft_dataset_classes(d); c++) if (images[c] < images[fewest]) fewest = c;
    const int64_t n = images[fewest];
    free(images);
    if (count < 2 || count > 100) fail("--%s %lld: expected 2 to 100 folds", flag, (long long)count);
    if (peft_dataset_multilabel(d) || n >= count) return;
    fail("--%s %lld: class '%s' has only %lld training image%s; %s more training images", flag, (long long)count,
         peft_dataset_class_name(d, fewest), (long long)n, n == 1 ? "" : "s",
         n < 2 ? "give" : "give a number up to that, or");
}

folds make_folds(peft_dataset *d, int64_t count, uint64_t seed, const char *flag)
{
    check_fold_classes(d, count, flag);
    folds f = { check_alloc(calloc((size_t)count, sizeof *f.fold)), count };
    for (int64_t k = 0; k < count; k++) {
        fold *to = &f.fold[k];
        if (peft_dataset_fold(d, count, k, seed, &to->train, &to->held))
            fail("--%s %lld: %s; give a smaller number, or more training images", flag, (long long)count,
                 peft_last_error());
        to->train_index = numbers_in(d, to->train);
        to->held_index = numbers_in(d, to->held);
    }
    return f;
}

void free_folds(folds *f)
{
    for (int64_t k = 0; k < f->count; k++) {
        peft_dataset_free(f->fold[k].train);
        peft_dataset_free(f->fold[k].held);
        free(f->fold[k].train_index);
        free(f->fold[k].held_index);
    }
    free(f->fold);
    *f = (folds){ 0 };
}
