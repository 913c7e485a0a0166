/* SPDX-License-Identifier: Apache-2.0
 * test_folds.c -- peft_dataset_fold: every sample is held out once, stratified, by patients; classes with fewer samples
 * than folds; errors. */
#include "failing_alloc.h"
#include "table_files.h"
#include <math.h>
#include <peft/io.h>
#include <stdbool.h>

enum { MOST = 512, MOST_CLASSES = 8 };

/* A list of `count` samples of three classes, of which 1/2, 1/3 and 1/6 are of each; multi-label: with four labels, of
 * which the last is positive in one of ten samples. */
static peft_dataset *samples(int count, bool multi_label)
{
    static const int label[6] = { 0, 0, 0, 1, 1, 2 };
    static char text[MOST * 40];
    peft_dataset *d;
    size_t n = 0;
    for (int i = 0; i < count; i++) {
        const int c = label[i * 5 % 6];
        if (multi_label)
            n += (size_t)sprintf(text + n, "s%d.png %d,%d,%d,%d\n", i, c == 0, c == 1, i % 7 < 3, i * 3 % 10 == 0);
        else n += (size_t)sprintf(text + n, "s%d.png %d\n", i, c);
    }
    write_bytes(in_folder("f/list.txt"), text, n);
    ok(peft_dataset_open_list(io_ctx, in_folder("f/list.txt"), NULL, 0, &d));
    return d;
}

static void count_positive(const peft_dataset *d, double n[MOST_CLASSES])
{
    float targets[MOST_CLASSES];
    memset(n, 0, MOST_CLASSES * sizeof *n);
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        ok(peft_dataset_targets(d, i, targets));
        for (int64_t c = 0; c < peft_dataset_classes(d); c++) n[c] += targets[c] == 1;
    }
}

static int64_t shared(const peft_dataset *a, const peft_dataset *b)
{
    int64_t count;
    ok(peft_dataset_shared_groups(a, b, 0, NULL, NULL, &count));
    return count;
}

/* Every sample of d is held out once over the folds and trained on in all others, no group is in both parts, and the
 * numbers of each class and of all samples that a fold holds out are within `slack` of a share of 1 / folds. */
static void check_folds(peft_dataset *d, int64_t folds, uint64_t seed, double slack)
{
    int held[MOST] = { 0 }, trained[MOST] = { 0 };
    double all[MOST_CLASSES], in_fold[MOST_CLASSES];
    const int64_t n = peft_dataset_count(d);
    count_positive(d, all);
    for (int64_t f = 0; f < folds; f++) {
        peft_dataset *train, *held_out;
        ok(peft_dataset_fold(d, folds, f, seed, &train, &held_out));
        ck_assert_int_eq(shared(train, held_out), 0);
        for (int64_t i = 0; i < peft_dataset_count(train); i++) trained[peft_dataset_id(train, i)]++;
        for (int64_t i = 0; i < peft_dataset_count(held_out); i++) held[peft_dataset_id(held_out, i)]++;
        count_positive(held_out, in_fold);
        const double size = (double)peft_dataset_count(held_out), share = (double)n / (double)folds;
        ck_assert_msg(fabs(size - share) < slack, "fold %d of %d: %g samples, expected about %g", (int)f, (int)folds,
                      size, share);
        for (int64_t c = 0; c < peft_dataset_classes(d); c++)
            ck_assert_msg(fabs(in_fold[c] - all[c] / (double)folds) < slack,
                          "fold %d of %d, seed %d: %g samples of class %d, expected about %g", (int)f, (int)folds,
                          (int)seed, in_fold[c], (int)c, all[c] / (double)folds);
        peft_dataset_free(train);
        peft_dataset_free(held_out);
    }
    for (int64_t i = 0; i < n; i++) ck_assert(held[i] == 1 && trained[i] == folds - 1);
}

START_TEST(every_sample_is_held_out_once)
{
    const double one = 1, rounding = 2, of_groups = 4;        /* differences by at most one; of labels; of patients */
    for (uint64_t seed = 0; seed < 8; seed++)
        for (int64_t folds = 2; folds <= 7; folds++) {
            peft_dataset *single = samples(120 + (int)seed, false), *multi = samples(120 + (int)seed, true);
            check_folds(single, folds, seed, one);
            check_folds(multi, folds, seed, rounding);
            peft_dataset_free(single);
            peft_dataset_free(multi);
        }
    peft_dataset *by_patient = patient_table(60, 5);
    for (uint64_t seed = 0; seed < 8; seed++)
        for (int64_t folds = 2; folds <= 6; folds++) check_folds(by_patient, folds, seed, of_groups);
    peft_dataset_free(by_patient);
}
END_TEST

/* The digest of the samples that fold 1 of 3 holds out. */
static void digest_of_fold(peft_dataset *d, uint64_t seed, char hex[65])
{
    peft_dataset *held_out;
    ok(peft_dataset_fold(d, 3, 1, seed, NULL, &held_out));
    ok(peft_dataset_digest(held_out, hex));
    peft_dataset_free(held_out);
}

START_TEST(folds_depend_on_the_seed)
{
    peft_dataset *d[] = { samples(60, false), samples(60, true), patient_table(30, 5) };
    for (size_t k = 0; k < sizeof d / sizeof *d; k++) {
        char a[65], same[65], other[65];
        digest_of_fold(d[k], 1, a);
        digest_of_fold(d[k], 1, same);
        digest_of_fold(d[k], 2, other);
        ck_assert_str_eq(a, same);
        ck_assert_str_ne(a, other);
        peft_dataset_free(d[k]);
    }
}
END_TEST

static bool logged(const char *words) { return strstr(table_log, words) != NULL; }

START_TEST(classes_smaller_than_the_folds_give_a_warning)
{
    peft_dataset *d, *train;
    const char list[] = "a 0\nb 0\nc 0\nd 0\ne 1\nf 1\ng 2\n";
    write_bytes(in_folder("g/list.txt"), list, strlen(list));
    ok(peft_dataset_open_list(io_ctx, in_folder("g/list.txt"), NULL, 0, &d));
    *table_log = 0;
    ok(peft_context_set_log(io_ctx, keep_log, NULL, 1));
    ok(peft_dataset_fold(d, 4, 0, 1, &train, NULL));
    peft_dataset_free(train);
    ck_assert_msg(logged("class '1' has 2 samples, so that 2 or more of the 4 held-out parts lack it") &&
                  logged("class '2' has 1 sample, so that the training part of one fold"), "%s", table_log);
    fails(PEFT_E_INVALID, "folds is 5, but no class has so many samples; '0' has most, 4",
          peft_dataset_fold(d, 5, 0, 1, &train, NULL));
    *table_log = 0;
    peft_dataset *two;
    ok(peft_dataset_subset(d, (const int64_t[]){ 0, 1, 2, 3, 4, 5 }, 6, &two));
    ok(peft_dataset_fold(two, 2, 0, 1, &train, NULL));
    ck_assert_str_eq(table_log, "");
    peft_dataset_free(train);
    peft_dataset_free(two);
    peft_dataset_free(d);
}
END_TEST

START_TEST(wrong_arguments_are_errors)
{
    peft_dataset *d = samples(30, false), *by_patient = patient_table(4, 5), *out = NULL;
    fails(PEFT_E_INVALID, "data set is NULL", peft_dataset_fold(NULL, 2, 0, 1, &out, NULL));
    fails(PEFT_E_INVALID, "both NULL", peft_dataset_fold(d, 2, 0, 1, NULL, NULL));
    fails(PEFT_E_INVALID, "folds is 1, expected 2 to 30", peft_dataset_fold(d, 1, 0, 1, &out, NULL));
    fails(PEFT_E_INVALID, "folds is 31, expected 2 to 30", peft_dataset_fold(d, 31, 0, 1, &out, NULL));
    fails(PEFT_E_INVALID, "fold is 3, expected 0 to 2", peft_dataset_fold(d, 3, 3, 1, &out, NULL));
    fails(PEFT_E_INVALID, "fold is -1", peft_dataset_fold(d, 3, -1, 1, &out, NULL));
    fails(PEFT_E_INVALID, "no class has so many groups (patients); 'c0' has most, 2",
          peft_dataset_fold(by_patient, 3, 0, 1, &out, NULL));
    ck_assert_ptr_null(out);
    peft_dataset_free(d);
    peft_dataset_free(by_patient);
}
END_TEST

/* The folds of sets of each kind in a context whose allocations fail. */
static peft_status fold_all(peft_context *ctx, void *list)
{
    peft_dataset *d, *named, *train = NULL, *held_out = NULL;
    peft_status s = peft_dataset_open_list(ctx, list, NULL, 0, &d);
    if (s) return s;
    s = peft_dataset_fold(d, 2, 0, 1, &train, &held_out);
    peft_dataset_free(train);
    peft_dataset_free(held_out);
    if (!s) {
        s = peft_dataset_with_groups(d, "(?)*", &named);
        if (!s) {
            s = peft_dataset_fold(named, 2, 1, 1, NULL, &held_out);
            if (!s) peft_dataset_free(held_out);
            peft_dataset_free(named);
        }
    }
    peft_dataset_free(d);
    return s;
}

START_TEST(failing_allocations_leak_nothing)
{
    const char single[] = "a1 0\na2 0\nb1 1\nb2 1\nc1 0\nd1 1\n", multi[] = "a1 0,1\na2 1,1\nb1 1,0\nb2 1,0\nc1 0,1\n";
    write_bytes(in_folder("h/single.txt"), single, strlen(single));
    write_bytes(in_folder("h/multi.txt"), multi, strlen(multi));
    char path[400];
    snprintf(path, sizeof path, "%s", in_folder("h/single.txt"));
    ck_assert_int_gt(failing_alloc_loop(fold_all, path), 30);
    snprintf(path, sizeof path, "%s", in_folder("h/multi.txt"));
    ck_assert_int_gt(failing_alloc_loop(fold_all, path), 30);
}
END_TEST

IO_SUITE_MAIN("folds", every_sample_is_held_out_once, folds_depend_on_the_seed,
              classes_smaller_than_the_folds_give_a_warning, wrong_arguments_are_errors,
              failing_allocations_leak_nothing)
