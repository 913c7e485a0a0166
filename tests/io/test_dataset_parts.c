/* SPDX-License-Identifier: Apache-2.0
 * test_dataset_parts.c -- matching classes of two data sets, the digest of a data set, stratified splits, getters of
 * NULL objects, image options of a data set. */
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>

/* A list file of this text. */
static peft_dataset *list_of(const char *text)
{
    peft_dataset *d;
    write_bytes(in_folder("l/list.txt"), text, strlen(text));
    ok(peft_dataset_open_list(io_ctx, in_folder("l/list.txt"), NULL, 0, &d));
    return d;
}

/* A folder of class folders with one picture each. classes: names, separated by spaces. */
static peft_dataset *folder_of(const char *name, const char *classes)
{
    char path[200], word[40];
    peft_dataset *d;
    for (int position = 0, n; sscanf(classes + position, "%39s%n", word, &n) == 1; position += n) {
        snprintf(path, sizeof path, "%s/%s/1.png", name, word);
        save_picture(in_folder(path), 2, 2, 1, 1);
    }
    ok(peft_dataset_open_folder(io_ctx, in_folder(name), NULL, &d));
    return d;
}

START_TEST(match_classes_maps_labels_by_class_name)
{
    peft_dataset *train = folder_of("t", "a b c"), *subset_of_classes = folder_of("u", "c a"),
        *other = folder_of("v", "a C c"), *matched;
    ck_assert_int_eq(peft_dataset_label(subset_of_classes, 1), 1);
    ok(peft_dataset_match_classes(subset_of_classes, train, &matched));
    ck_assert_int_eq(peft_dataset_classes(matched), 3);
    ck_assert_str_eq(peft_dataset_class_name(matched, 2), "c");
    ck_assert_int_eq(peft_dataset_label(matched, 0), 0);
    ck_assert_int_eq(peft_dataset_label(matched, 1), 2);
    ck_assert_str_eq(peft_dataset_name(matched, 1), peft_dataset_name(subset_of_classes, 1));
    ck_assert_int_eq(peft_dataset_id(matched, 1), 1);
    peft_dataset_free(matched);
    matched = NULL;
    fails(PEFT_E_MISMATCH, "no class 'C'; this set has {C, a, c}, the other {a, b, c}",
          peft_dataset_match_classes(other, train, &matched));
    ck_assert_ptr_null(matched);
    peft_dataset *part;                                       /* class C without a sample needs no counterpart */
    ok(peft_dataset_subset(other, (const int64_t[]){ 2, 1 }, 2, &part));
    ok(peft_dataset_match_classes(part, train, &matched));
    ck_assert_int_eq(peft_dataset_label(matched, 0), 2);
    ck_assert_int_eq(peft_dataset_label(matched, 1), 0);
    ck_assert_int_eq(peft_dataset_id(matched, 0), 2);
    peft_dataset_free(matched);
    fails(PEFT_E_INVALID, "like", peft_dataset_match_classes(part, NULL, &matched));
    peft_dataset_free(part);
    peft_dataset_free(train);
    peft_dataset_free(subset_of_classes);
    peft_dataset_free(other);
}
END_TEST

START_TEST(match_classes_compares_class_counts_of_lists)
{
    peft_dataset *train = list_of("p 0\nq 1\nr 2\n"), *test = list_of("s 1\nt 0\n"),
        *multilabel = list_of("u 0,1,1\n"), *matched;
    ok(peft_dataset_match_classes(test, train, &matched));
    ck_assert_int_eq(peft_dataset_classes(matched), 3);
    ck_assert_int_eq(peft_dataset_label(matched, 0), 1);
    peft_dataset_free(matched);
    fails(PEFT_E_MISMATCH, "no class '2'", peft_dataset_match_classes(train, test, &matched));
    fails(PEFT_E_MISMATCH, "multi-label", peft_dataset_match_classes(multilabel, train, &matched));
    peft_dataset *two = list_of("u 0,1\n"), *same = list_of("v 1,0\n");
    fails(PEFT_E_MISMATCH, "target for class '2'", peft_dataset_match_classes(two, multilabel, &matched));
    fails(PEFT_E_MISMATCH, "no class '2'", peft_dataset_match_classes(multilabel, two, &matched));
    ok(peft_dataset_match_classes(same, two, &matched));
    float t[2];
    ok(peft_dataset_targets(matched, 0, t));
    ck_assert(t[0] == 1 && t[1] == 0);
    peft_dataset *const all[] = { train, test, multilabel, two, same, matched };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) peft_dataset_free(all[i]);
}
END_TEST

/* Whether the digests of a and b are equal; frees b. */
static bool has_digest_of(peft_dataset *a, peft_dataset *b)
{
    char x[65], y[65];
    ok(peft_dataset_digest(a, x));
    ok(peft_dataset_digest(b, y));
    ck_assert_uint_eq(strlen(x), 64);
    peft_dataset_free(b);
    return !strcmp(x, y);
}

START_TEST(the_digest_depends_on_names_labels_and_their_order)
{
    peft_dataset *d = list_of("p 0\nq 1\nr 0\ns 1\n"), *x;
    ck_assert(has_digest_of(d, list_of("p 0\nq 1\nr 0\ns 1\n")));
    ck_assert(!has_digest_of(d, list_of("p 0\nq 1\nr 0\ns 0\n")));
    ck_assert(!has_digest_of(d, list_of("p 0\nq 1\nr 0\nS 1\n")));
    ck_assert(!has_digest_of(d, list_of("q 1\np 0\nr 0\ns 1\n")));
    ck_assert(!has_digest_of(d, list_of("p 0\nq 1\nr 0\ns 2\n")));
    ck_assert(!has_digest_of(d, list_of("p 1,0\nq 0,1\nr 1,0\ns 0,1\n")));
    ok(peft_dataset_subset(d, (const int64_t[]){ 0, 1, 2, 3 }, 4, &x));
    ck_assert(has_digest_of(d, x));
    ok(peft_dataset_subset(d, (const int64_t[]){ 0, 1, 3, 2 }, 4, &x));
    ck_assert(!has_digest_of(d, x));
    ok(peft_dataset_open_list(io_ctx, in_folder("l/list.txt"), in_folder("elsewhere"), 0, &x));
    peft_dataset *multilabel = list_of("p 1,0\nq 0,1\nr 1,0\ns 0,1\n");
    ck_assert(has_digest_of(multilabel, x));                  /* the same list with another base folder */
    ck_assert(!has_digest_of(multilabel, list_of("p 1,0\nq 0,1\nr 1,0\ns 1,1\n")));
    peft_dataset_free(multilabel);
    peft_dataset_free(d);
    fails(PEFT_E_INVALID, "data set", peft_dataset_digest(NULL, (char[65]){ 0 }));
}
END_TEST

START_TEST(a_list_skips_no_files)
{
    peft_dataset *d = list_of("p 0\nq 1\n");
    ck_assert_str_eq(peft_dataset_skipped(d), "");
    ck_assert_str_eq(peft_dataset_skipped(NULL), "");
    peft_dataset_free(d);
}
END_TEST

enum { SAMPLES = 60, LABELS = 5 };

/* A multi-label data set of 60 samples; its 5 labels have 2, 3, 8, 30 and 58 positive samples. */
static peft_dataset *five_labels(void)
{
    static const int period[LABELS] = { 30, 20, 7, 2, 0 };    /* 1 of so many samples is positive; 0: all but two */
    char text[SAMPLES * 24] = "";
    for (int i = 0; i < SAMPLES; i++) {
        sprintf(text + strlen(text), "s%d.png ", i);
        for (int c = 0; c < LABELS; c++) {
            /* i * 7 % SAMPLES takes every number once, so that the positive samples are scattered over the set */
            int positive = period[c] ? (i * 7 + c) % SAMPLES % period[c] == 0 : i != 11 && i != 37;
            if (c == 2) positive = (i * 7 + c) % SAMPLES < 8;
            sprintf(text + strlen(text), "%s%d", c ? "," : "", positive);
        }
        strcat(text, "\n");
    }
    return list_of(text);
}

/* out[c]: number of samples with label c. */
static void count_positive(const peft_dataset *d, int64_t *out)
{
    float t[LABELS];
    for (int c = 0; c < LABELS; c++) out[c] = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        ok(peft_dataset_targets(d, i, t));
        for (int c = 0; c < LABELS; c++) out[c] += t[c] > 0;
    }
}

/* For every seed both parts have positive and negative samples of each label, and the number of positive samples in the
 * first part is 0.8 of all, to one sample. */
START_TEST(multilabel_split_is_stratified)
{
    peft_dataset *d = five_labels(), *a, *b, *again;
    int64_t all[LABELS], first[LABELS], second[LABELS];
    char x[65], y[65];
    bool differ = false;
    count_positive(d, all);
    const int64_t want[LABELS] = { 2, 3, 8, 30, 58 };
    for (int c = 0; c < LABELS; c++) ck_assert_int_eq(all[c], want[c]);
    for (uint64_t seed = 0; seed < 100; seed++) {
        ok(peft_dataset_split(d, 0.8, seed, &a, &b));
        ck_assert_int_eq(peft_dataset_count(a), 48);
        ck_assert_int_eq(peft_dataset_count(b), 12);
        count_positive(a, first);
        count_positive(b, second);
        for (int c = 0; c < LABELS; c++) {
            ck_assert_msg(first[c] && second[c] && first[c] < 48 && second[c] < 12,
                          "seed %d: label %d is positive in %d of the first 48 samples and %d of the other 12",
                              (int)seed, c, (int)first[c],
                          (int)second[c]);
            const double expected = 0.8 * (double)all[c], difference = (double)first[c] - expected;
            ck_assert_msg(difference > -1.5 && difference < 1.5,
                          "seed %d: label %d has %d positive samples in the first part, expected %g", (int)seed, c,
                          (int)first[c], expected);
        }
        ok(peft_dataset_split(d, 0.8, seed, &again, NULL));
        ok(peft_dataset_digest(a, x));
        ok(peft_dataset_digest(again, y));
        ck_assert_str_eq(x, y);
        peft_dataset_free(again);
        ok(peft_dataset_split(d, 0.8, seed + 1000, &again, NULL));
        ok(peft_dataset_digest(again, y));
        differ |= strcmp(x, y) != 0;
        peft_dataset_free(again);
        peft_dataset_free(a);
        peft_dataset_free(b);
    }
    ck_assert(differ);
    peft_dataset_free(d);
}
END_TEST

/* Classes of 2, 3 and 20 samples: each is in both parts if each part has at least as many samples as classes. */
START_TEST(small_classes_are_in_both_parts_of_a_split)
{
    char text[400] = "";
    peft_dataset *a, *b;
    for (int i = 0; i < 25; i++) sprintf(text + strlen(text), "s%d %d\n", i, i < 2 ? 0 : i < 5 ? 1 : 2);
    peft_dataset *d = list_of(text);
    for (int first_is_small = 0; first_is_small < 2; first_is_small++) {
        int64_t n[3] = { 0 };
        ok(peft_dataset_split(d, first_is_small ? 0.12 : 0.88, 1, &a, &b));
        const peft_dataset *small = first_is_small ? a : b;                  /* the part of 12 % */
        for (int64_t i = 0; i < peft_dataset_count(small); i++) n[peft_dataset_label(small, i)]++;
        ck_assert(n[0] == 1 && n[1] == 1 && n[2] == 2);
        peft_dataset_free(a);
        peft_dataset_free(b);
    }
    ok(peft_dataset_split(d, 0.96, 1, &a, &b));               /* a part of one sample cannot hold three classes */
    ck_assert_int_eq(peft_dataset_count(b), 1);
    peft_dataset_free(a);
    peft_dataset_free(b);
    peft_dataset_free(d);
}
END_TEST

START_TEST(getters_accept_null)
{
    ck_assert_int_eq(peft_dataset_count(NULL), 0);
    ck_assert_int_eq(peft_dataset_classes(NULL), 0);
    ck_assert_ptr_null(peft_dataset_class_name(NULL, 0));
    ck_assert_int_eq(peft_dataset_multilabel(NULL), 0);
    ck_assert_int_eq(peft_dataset_label(NULL, 0), -1);
    ck_assert_ptr_null(peft_dataset_name(NULL, 0));
    ck_assert_int_eq(peft_dataset_id(NULL, 0), -1);
    ck_assert_int_eq(peft_image_width(NULL), 0);
    ck_assert_int_eq(peft_image_height(NULL), 0);
    ck_assert_int_eq(peft_image_channels(NULL), 0);
    ck_assert_int_eq(peft_image_depth(NULL), 0);
    ck_assert_ptr_null(peft_image_pixels(NULL));
    ck_assert_ptr_null(peft_transform_text(NULL));
    ck_assert_int_eq(peft_transform_size(NULL), 0);
    ck_assert_int_eq(peft_loader_batch_size(NULL), 0);
    ck_assert_int_eq(peft_loader_batches(NULL), 0);
    peft_dataset_free(NULL);
    peft_image_free(NULL);
    peft_transform_free(NULL);
    peft_loader_free(NULL);
}
END_TEST

START_TEST(image_options_apply_to_subsets)
{
    peft_dataset *d, *narrow, *part;
    peft_image *im;
    save_picture(in_folder("w/a/1.png"), 200, 1, 1, 1);
    save_picture(in_folder("w/b/1.png"), 2, 2, 1, 1);
    ok(peft_dataset_open_folder(io_ctx, in_folder("w"), NULL, &d));
    fails(PEFT_E_OPTION, "max_sides", peft_dataset_with_image_options(d, "max_sides=1", &narrow));
    fails(PEFT_E_INVALID, "data set", peft_dataset_with_image_options(NULL, "", &narrow));
    ok(peft_dataset_with_image_options(d, "max_side=100", &narrow));
    ok(peft_dataset_subset(narrow, (const int64_t[]){ 1, 0 }, 2, &part));
    ok(peft_dataset_load(d, 0, &im));
    peft_image_free(im);
    peft_dataset_free(d);
    ck_assert_int_eq(peft_dataset_id(narrow, 1), 1);
    peft_dataset_free(narrow);
    fails(PEFT_E_UNSUPPORTED, "max_side", peft_dataset_load(part, 1, &im));
    ok(peft_dataset_with_image_options(part, "max_side=200", &d));
    ok(peft_dataset_load(d, 1, &im));
    ck_assert_int_eq(peft_image_width(im), 200);
    peft_image_free(im);
    peft_dataset_free(d);
    ok(peft_dataset_with_image_options(part, NULL, &d));
    ok(peft_dataset_load(d, 1, &im));
    peft_image_free(im);
    peft_dataset_free(d);
    peft_dataset_free(part);
}
END_TEST

IO_SUITE_MAIN("dataset_parts", match_classes_maps_labels_by_class_name, match_classes_compares_class_counts_of_lists,
              the_digest_depends_on_names_labels_and_their_order, a_list_skips_no_files, multilabel_split_is_stratified,
              small_classes_are_in_both_parts_of_a_split, getters_accept_null, image_options_apply_to_subsets)
