/* SPDX-License-Identifier: Apache-2.0
 * patients.c -- patients of the training and the test images: how many there are, and whether some are in both sets
 * (data.h). */
#include "data.h"
#include "common/program/errors.h"
#include <stdio.h>

static int64_t shared(const peft_dataset *a, const peft_dataset *b)
{
    int64_t count;
    must(peft_dataset_shared_groups(a, b, 0, NULL, NULL, &count));
    return count;
}

void check_patients(named_set used, named_set judged, const char *figures, bool allowed, bool splits_of_table)
{
    int64_t count, in_judged, in_used;
    must(peft_dataset_shared_groups(judged.d, used.d, 1, &in_judged, &in_used, &count));
    if (!count || allowed) return;
    fail("%lld patient%s both %s and %s images, such as '%s' (%s, %s), so %s would not hold for new patients; "
         "move them into one set, %sor give --allow-shared-patients", (long long)count,
         count == 1 ? " has" : "s have", used.name, judged.name, peft_dataset_group(judged.d, in_judged),
         peft_dataset_name(used.d, in_used), peft_dataset_name(judged.d, in_judged), figures,
         splits_of_table ? "give --table split=none to draw a split that keeps "
         "patients together, " : "");
}

/* The number of images of both sets that are of no known patient. */
static int64_t without_patient(const peft_dataset *const sets[2])
{
    int64_t count = 0;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < peft_dataset_count(sets[k]); i++) count += !peft_dataset_group(sets[k], i);
    return count;
}

void print_patients(const peft_dataset *train, const peft_dataset *test)
{
    if (!peft_dataset_has_groups(train) && !peft_dataset_has_groups(test)) {
        printf("patients: not known; where a patient has several images, give --patients PATTERN, or a table with a "
               "column of patients, so that none is in both sets (docs/tables.md)\n");
        return;
    }
    const int64_t in_train = shared(train, train), in_test = shared(test, test), both = shared(train, test);
    const int64_t unknown = without_patient((const peft_dataset *const[]){ train, test });
    printf("patients: %lld, ", (long long)(in_train + in_test - both));
    if (both) printf("%lld in two splits: the metrics do not hold for new patients", (long long)both);
    else printf("none in two splits");
    printf(" (%lld in training, %lld in the test", (long long)in_train, (long long)in_test);
    if (unknown) printf("; %lld images of no known patient", (long long)unknown);
    printf(")\n");
}
