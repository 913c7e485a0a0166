/* SPDX-License-Identifier: Apache-2.0
 * test_partition.c -- peft_dataset_partition: every sample is at one site, patients are whole, no site is empty; shares
 * of classes by alpha; a fixed division; errors. */
#include "failing_alloc.h"
#include "table_files.h"
#include <math.h>
#include <peft/io.h>

enum { MOST = 512, CLASSES = 3 };

/* A list of `count` samples, of class i % 3. */
static peft_dataset *samples(int count)
{
    static char text[MOST * 40];
    peft_dataset *d;
    size_t n = 0;
    for (int i = 0; i < count; i++) n += (size_t)sprintf(text + n, "s%d.png %d\n", i, i % CLASSES);
    write_bytes(in_folder("p/list.txt"), text, n);
    ok(peft_dataset_open_list(io_ctx, in_folder("p/list.txt"), NULL, 0, &d));
    return d;
}

/* Checks a partition, and returns the mean over sites of the share of a site's most frequent class. */
static double check_partition(peft_dataset *d, int64_t count, double alpha, uint64_t seed)
{
    int seen[MOST] = { 0 };
    double sum = 0;
    peft_dataset *site[16];
    for (int64_t k = 0; k < count; k++) {
        double n[CLASSES] = { 0 }, most = 0;
        ok(peft_dataset_partition(d, count, k, alpha, seed, &site[k]));
        const int64_t size = peft_dataset_count(site[k]);
        ck_assert_int_ge(size, 1);
        for (int64_t i = 0; i < size; i++) {
            seen[peft_dataset_id(site[k], i)]++;
            n[peft_dataset_label(site[k], i)]++;
        }
        for (int c = 0; c < CLASSES; c++) most = fmax(most, n[c] / (double)size);
        sum += most;
    }
    for (int64_t i = 0; i < peft_dataset_count(d); i++) ck_assert_int_eq(seen[peft_dataset_id(d, i)], 1);
    for (int64_t k = 0; k < count; k++)
        for (int64_t j = 0; j < k; j++) {
            int64_t shared;
            ok(peft_dataset_shared_groups(site[j], site[k], 0, NULL, NULL, &shared));
            ck_assert_msg(shared <= 0, "sites %lld and %lld share patients", (long long)j, (long long)k);
        }
    for (int64_t k = 0; k < count; k++) peft_dataset_free(site[k]);
    return sum / (double)count;
}

START_TEST(small_alpha_gives_unequal_classes)
{
    peft_dataset *d = samples(300), *p = patient_table(90, 4);
    ck_assert_double_eq_tol(check_partition(d, 5, 0, 1), 1.0 / 3, 0.01);
    double even = 0, uneven = 0;
    for (uint64_t seed = 0; seed < 5; seed++) {
        even += check_partition(d, 5, 1000, seed) / 5;
        uneven += check_partition(d, 5, 0.1, seed) / 5;
        check_partition(p, 6, 0.5, seed);
        check_partition(p, 6, 0, seed);
        check_partition(d, 16, 0.01, seed);                   /* sites that would be empty */
    }
    ck_assert_double_lt(even, 0.42);
    ck_assert_double_gt(uneven, 0.7);
    check_partition(d, 1, 0.5, 1);
    peft_dataset_free(d);
    peft_dataset_free(p);
}
END_TEST

/* A division that was printed once: it must not change, as studies are repeated by it. */
START_TEST(the_division_is_fixed)
{
    static const char expected[] = "4 6 9 17 21 28 | 14 18 19 | 0 1 3 7 8 10 11 12 13 15 20 22 23 24 25 27 | 2 5 "
                                   "16 26 29 | ";
    char text[MOST] = "";
    peft_dataset *d = samples(30), *site;
    for (int64_t k = 0; k < 4; k++) {
        ok(peft_dataset_partition(d, 4, k, 0.5, 7, &site));
        for (int64_t i = 0; i < peft_dataset_count(site); i++)
            sprintf(text + strlen(text), "%lld ", (long long)peft_dataset_id(site, i));
        strcat(text, "| ");
        peft_dataset_free(site);
    }
    ck_assert_str_eq(text, expected);
    peft_dataset_free(d);
}
END_TEST

static void refused(peft_status status, const char *message, peft_dataset *d, int64_t sites, int64_t site, double alpha)
{
    peft_dataset *out;
    ck_assert_int_eq(peft_dataset_partition(d, sites, site, alpha, 1, &out), status);
    ck_assert_msg(strstr(peft_last_error(), message) != NULL, "no '%s' in: %s", message, peft_last_error());
}

START_TEST(wrong_arguments_are_errors)
{
    peft_dataset *d = samples(6), *p = patient_table(3, 4);
    refused(PEFT_E_INVALID, "sites is 7, expected 1 to 6", d, 7, 0, 0.5);
    refused(PEFT_E_INVALID, "site is 3, expected 0 to 2", d, 3, 3, 0.5);
    refused(PEFT_E_INVALID, "alpha", d, 3, 0, NAN);
    refused(PEFT_E_INVALID, "alpha", d, 3, 0, -1);
    refused(PEFT_E_INVALID, "alpha is inf", d, 3, 0, INFINITY);
    refused(PEFT_E_INVALID, "alpha", d, 3, 0, 1e-320);
    refused(PEFT_E_UNSUPPORTED, "only 3 groups", p, 4, 0, 0.5);
    refused(PEFT_E_UNSUPPORTED, "partition: 4 sites, but only 3 groups", p, 4, 3, 0);
    for (int sites = 2; sites <= 6; sites++) check_partition(d, sites, 0, 1);      /* more than a class has samples */
    peft_dataset_free(d);
    peft_dataset_free(p);
}
END_TEST

IO_SUITE_MAIN("partition", small_alpha_gives_unequal_classes, the_division_is_fixed, wrong_arguments_are_errors)
