/* SPDX-License-Identifier: Apache-2.0
 * test_dataset.c -- data sets opened from class folders and list files: samples, classes, labels and refused input;
 * subsets made by few-shot sampling, splits and indices. */
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>

/* Sample i has the label, and a name that ends with name_end. */
static void check_sample(const peft_dataset *d, int64_t i, const char *name_end, int64_t label)
{
    const char *name = peft_dataset_name(d, i);
    ck_assert_ptr_nonnull(name);
    ck_assert_msg(strlen(name) >= strlen(name_end) && !strcmp(name + strlen(name) - strlen(name_end), name_end),
                  "sample %d is %s, expected %s", (int)i, name, name_end);
    ck_assert_int_eq(peft_dataset_label(d, i), label);
}

START_TEST(class_folders_become_classes)
{
    peft_dataset *d;
    peft_image *im;
    save_picture(in_folder("d/b/2.png"), 4, 3, 1, 1);
    save_picture(in_folder("d/b/10.PNG"), 4, 3, 1, 2);
    save_picture(in_folder("d/a/x.png"), 4, 3, 3, 3);
    write_bytes(in_folder("d/a/notes.txt"), "-", 1);
    write_bytes(in_folder("d/.hidden/x.png"), "-", 1);
    write_bytes(in_folder("d/C/y.jpg"), "broken", 6);
    ok(peft_dataset_open_folder(io_ctx, in_folder("d"), NULL, &d));
    ck_assert_int_eq(peft_dataset_count(d), 4);
    ck_assert_int_eq(peft_dataset_classes(d), 3);
    ck_assert_int_eq(peft_dataset_multilabel(d), 0);
    ck_assert_str_eq(peft_dataset_class_name(d, 0), "C");
    ck_assert_str_eq(peft_dataset_class_name(d, 2), "b");
    ck_assert_ptr_null(peft_dataset_class_name(d, 3));
    check_sample(d, 0, "d/C/y.jpg", 0);
    check_sample(d, 1, "d/a/x.png", 1);
    check_sample(d, 2, "d/b/10.PNG", 2);
    check_sample(d, 3, "d/b/2.png", 2);
    ok(peft_dataset_load(d, 1, &im));
    ck_assert_int_eq(peft_image_channels(im), 3);
    peft_image_free(im);
    fails(PEFT_E_FORMAT, "d/C/y.jpg", peft_dataset_load(d, 0, &im));
    fails(PEFT_E_INVALID, "sample 4, expected 0 to 3", peft_dataset_load(d, 4, &im));
    ck_assert_ptr_null(peft_dataset_name(d, -1));
    ck_assert_int_eq(peft_dataset_label(d, 4), -1);
    float one_hot[3];
    ok(peft_dataset_targets(d, 3, one_hot));
    ck_assert(one_hot[0] == 0 && one_hot[1] == 0 && one_hot[2] == 1);
    peft_dataset_free(d);
    fails(PEFT_E_IO, "nothing", peft_dataset_open_folder(io_ctx, in_folder("nothing"), NULL, &d));
    fails(PEFT_E_FORMAT, "no class", peft_dataset_open_folder(io_ctx, in_folder("d/a"), NULL, &d));
    fails(PEFT_E_NOTFOUND, "test", peft_dataset_open_folder(io_ctx, in_folder("d"), "test", &d));
    fails(PEFT_E_INVALID, "holdout", peft_dataset_open_folder(io_ctx, in_folder("d"), "holdout", &d));
}
END_TEST

/* Classes are numbered over all splits: class b has label 1 in split test, which has no class a. */
START_TEST(a_split_has_the_classes_of_all_splits)
{
    peft_dataset *d;
    save_picture(in_folder("s/train/a/1.png"), 2, 2, 1, 1);
    save_picture(in_folder("s/train/b/1.png"), 2, 2, 1, 2);
    save_picture(in_folder("s/test/b/2.png"), 2, 2, 1, 3);
    ok(peft_dataset_open_folder(io_ctx, in_folder("s"), "test", &d));
    ck_assert_int_eq(peft_dataset_count(d), 1);
    ck_assert_int_eq(peft_dataset_classes(d), 2);
    check_sample(d, 0, "s/test/b/2.png", 1);
    peft_dataset_free(d);
    fails(PEFT_E_INVALID, "name the split", peft_dataset_open_folder(io_ctx, in_folder("s"), NULL, &d));
}
END_TEST

/* Opens a list file of this text; classes: the number of classes, 0: to be found. */
static peft_status open_list(const char *text, int64_t classes, peft_dataset **out)
{
    write_bytes(in_folder("l/list.txt"), text, strlen(text));
    return peft_dataset_open_list(io_ctx, in_folder("l/list.txt"), NULL, classes, out);
}

START_TEST(list_files_give_labels_or_targets)
{
    peft_dataset *d;
    peft_image *im;
    float targets[3];
    save_picture(in_folder("l/a b.png"), 3, 3, 1, 1);
    ok(open_list("a b.png 2\r\n\n/x/y.png\t0", 0, &d));
    ck_assert_int_eq(peft_dataset_count(d), 2);
    ck_assert_int_eq(peft_dataset_classes(d), 3);
    check_sample(d, 0, "l/a b.png", 2);
    ck_assert_str_eq(peft_dataset_name(d, 1), "/x/y.png");
    ck_assert_str_eq(peft_dataset_class_name(d, 2), "2");
    ok(peft_dataset_load(d, 0, &im));
    peft_image_free(im);
    fails(PEFT_E_IO, "/x/y.png", peft_dataset_load(d, 1, &im));
    peft_dataset_free(d);
    ok(open_list("p 0\nq 1\n", 5, &d));
    ck_assert_int_eq(peft_dataset_classes(d), 5);
    peft_dataset_free(d);
    ok(open_list("p 0,1,1\nq 0,0,0\n", 0, &d));
    ck_assert_int_eq(peft_dataset_multilabel(d), 1);
    ck_assert_int_eq(peft_dataset_classes(d), 3);
    ck_assert_int_eq(peft_dataset_label(d, 0), -1);
    ok(peft_dataset_targets(d, 0, targets));
    ck_assert(targets[0] == 0 && targets[1] == 1 && targets[2] == 1);
    fails(PEFT_E_UNSUPPORTED, "several labels", peft_dataset_few_shot(d, 0, 1, 0, &d, NULL));
    peft_dataset_free(d);
    static const struct { const char *text, *word; int64_t classes; } bad[] = {     /* at most 2^20 classes */
        { "", "empty", 0 }, { " \n\r\n", "empty", 0 }, { "p 0\nlonely\n", "line 2", 0 }, { "p x", "class number", 0 },
        { "p 1.5", "class number", 0 }, { "p -1", "label -1", 0 }, { "p 99999999999999999999", "line 1", 0 },
        { "p 2000000", "label", 0 }, { "p 0,1\nq 0,1,1", "line 2", 0 }, { "p 0,2", "line 1", 0 },
        { "p 0,1\nq 1", "line 2", 0 },
        { "p 5", "the argument classes is 2", 2 }, { "p 0,1", "the argument classes is 3", 3 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(PEFT_E_FORMAT, bad[i].word, open_list(bad[i].text, bad[i].classes, &d));
    write_bytes(in_folder("l/zero"), "p 0\0 1\n", 7);
    fails(PEFT_E_FORMAT, "text file", peft_dataset_open_list(io_ctx, in_folder("l/zero"), NULL, 0, &d));
}
END_TEST

/* A list of 20 samples: 3 classes with 4, 8 and 8 samples. */
static peft_dataset *twenty_samples(void)
{
    char text[400] = "";
    peft_dataset *d;
    for (int i = 0; i < 20; i++) sprintf(text + strlen(text), "s%d %d\n", i, i % 5 == 0 ? 0 : i % 2 ? 2 : 1);
    ok(open_list(text, 0, &d));
    return d;
}

/* The number of samples of a class. */
static int64_t count_of(const peft_dataset *d, int64_t class_index)
{
    int64_t n = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) n += peft_dataset_label(d, i) == class_index;
    return n;
}

/* Whether a and b have the same sample ids in the same order. */
static bool have_same_ids(const peft_dataset *a, const peft_dataset *b)
{
    int64_t differ = peft_dataset_count(a) != peft_dataset_count(b);
    for (int64_t i = 0; i < peft_dataset_count(a); i++) differ += peft_dataset_id(a, i) != peft_dataset_id(b, i);
    return !differ;
}

START_TEST(few_shot_draws_the_same_number_of_samples_of_each_class)
{
    peft_dataset *d = twenty_samples(), *few, *rest, *b, *nested;
    int64_t all[3] = { count_of(d, 0), count_of(d, 1), count_of(d, 2) };
    ok(peft_dataset_few_shot(d, 0, 3, 11, &few, &rest));
    ck_assert_int_eq(peft_dataset_count(few), 9);
    ck_assert_int_eq(peft_dataset_count(rest), 11);
    for (int64_t c = 0; c < 3; c++) {
        ck_assert_int_eq(count_of(few, c), 3);
        ck_assert_int_eq(count_of(rest, c), all[c] - 3);
    }
    char times[20] = { 0 };
    for (int64_t i = 0; i < 9; i++) times[peft_dataset_id(few, i)]++;
    for (int64_t i = 0; i < 11; i++) times[peft_dataset_id(rest, i)]++;
    for (int i = 0; i < 20; i++) ck_assert_int_eq(times[i], 1);
    ok(peft_dataset_few_shot(d, 0, 3, 11, &b, NULL));
    ck_assert(have_same_ids(few, b));
    peft_dataset_free(b);
    ok(peft_dataset_few_shot(d, 0, 3, 12, &b, NULL));
    ck_assert(!have_same_ids(few, b));
    peft_dataset_free(b);
    ok(peft_dataset_few_shot(rest, 2, 1, 5, &nested, NULL));         /* a subset of a subset, with two of its classes */
    ck_assert_int_eq(peft_dataset_classes(nested), 2);
    ck_assert_int_eq(count_of(nested, 0) + count_of(nested, 1), 2);
    for (int64_t i = 0; i < 2; i++) {
        ck_assert_str_eq(peft_dataset_name(nested, i), peft_dataset_name(d, peft_dataset_id(nested, i)));
        int64_t label = peft_dataset_label(d, peft_dataset_id(nested, i));
        ck_assert_str_eq(peft_dataset_class_name(nested, peft_dataset_label(nested, i)),
                         peft_dataset_class_name(d, label));
    }
    fails(PEFT_E_INVALID, "class '0' has 4", peft_dataset_few_shot(d, 0, 5, 1, &b, NULL));
    fails(PEFT_E_INVALID, "ways", peft_dataset_few_shot(d, 4, 1, 1, &b, NULL));
    peft_dataset_free(d);                                                  /* the subsets keep the samples of d alive */
    peft_dataset_free(rest);
    ck_assert_ptr_nonnull(peft_dataset_name(nested, 0));
    peft_dataset_free(nested);
    peft_dataset_free(few);
}
END_TEST

START_TEST(splits_keep_class_fractions_and_subsets_keep_labels)
{
    peft_dataset *d = twenty_samples(), *a, *b;
    ok(peft_dataset_split(d, 0.5, 3, &a, &b));
    for (int64_t c = 0; c < 3; c++) ck_assert_int_eq(count_of(a, c), (count_of(d, c) + 1) / 2);
    ck_assert_int_eq(peft_dataset_count(a) + peft_dataset_count(b), 20);
    peft_dataset_free(a);
    peft_dataset_free(b);
    fails(PEFT_E_INVALID, "fraction", peft_dataset_split(d, 1, 3, &a, &b));
    fails(PEFT_E_UNSUPPORTED, "empty", peft_dataset_split(d, 0.001, 3, &a, &b));
    ok(peft_dataset_subset(d, (const int64_t[]){ 7, 7, 0 }, 3, &a));
    ck_assert_int_eq(peft_dataset_id(a, 1), 7);
    ck_assert_int_eq(peft_dataset_classes(a), 3);
    ck_assert_int_eq(peft_dataset_label(a, 2), peft_dataset_label(d, 0));
    fails(PEFT_E_INVALID, "indices[1] is 20", peft_dataset_subset(d, (const int64_t[]){ 0, 20 }, 2, &b));
    peft_dataset_free(a);
    peft_dataset_free(d);
    ok(open_list("p 0,1\nq 1,1\nr 0,0\ns 1,0\n", 0, &d));
    ok(peft_dataset_split(d, 0.75, 1, &a, &b));
    ck_assert_int_eq(peft_dataset_count(a), 3);
    float t[2], u[2];
    ok(peft_dataset_targets(b, 0, t));
    ok(peft_dataset_targets(d, peft_dataset_id(b, 0), u));
    ck_assert_mem_eq(t, u, sizeof t);
    peft_dataset_free(a);
    peft_dataset_free(b);
    peft_dataset_free(d);
}
END_TEST

START_TEST(public_data_sets_have_their_published_sizes)
{
    const char *shared = shared_folder(), *split[] = { "train", "val", "test" };
    const int64_t busi[] = { 437, 209, 133 }, breast[] = { 546, 78, 156 }, pneumonia[] = { 4708, 524, 624 };
    char path[400];
    peft_dataset *d;
    peft_image *im;
    if (!shared) return;
    snprintf(path, sizeof path, "%s/data/busi", shared);
    ok(peft_dataset_open_folder(io_ctx, path, NULL, &d));
    for (int c = 0; c < 3; c++) ck_assert_int_eq(count_of(d, c), busi[c]);
    ck_assert_str_eq(peft_dataset_class_name(d, 1), "malignant");
    ok(peft_dataset_load(d, 500, &im));
    ck_assert_int_eq(peft_image_width(im), 256);
    peft_image_free(im);
    peft_dataset_free(d);
    for (int i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/data/medmnist/%s.npz", shared, i < 3 ? "breastmnist" : "pneumoniamnist");
        ok(peft_dataset_open_npz(io_ctx, path, split[i % 3], &d));
        ck_assert_int_eq(peft_dataset_count(d), i < 3 ? breast[i] : pneumonia[i - 3]);
        ck_assert_int_eq(peft_dataset_classes(d), 2);
        ok(peft_dataset_load(d, 77, &im));
        ck_assert_int_eq(peft_image_width(im), 28);
        peft_image_free(im);
        peft_dataset_free(d);
    }
}
END_TEST

IO_SUITE_MAIN("dataset", class_folders_become_classes, a_split_has_the_classes_of_all_splits,
              list_files_give_labels_or_targets, few_shot_draws_the_same_number_of_samples_of_each_class,
              splits_keep_class_fractions_and_subsets_keep_labels, public_data_sets_have_their_published_sizes)
