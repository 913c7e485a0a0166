/* SPDX-License-Identifier: Apache-2.0
 * patients.c -- patients of the training, validation and test images: how many there are, and whether some are in two
 * sets (data.h). */
#include "data.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The number of images of the sets that are of no known patient. */
static int64_t without_patient(const named_set *sets, int count)
{
    int64_t images = 0;
    for (int k = 0; k < count; k++)
        for (int64_t i = 0; i < peft_dataset_count(sets[k].d); i++) images += !peft_dataset_group(sets[k].d, i);
    return images;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names of the patients of the sets, each once, in *names (to be freed; they belong to the sets). */
static int64_t all_patients(const named_set *sets, int count, const char ***names)
{
    int64_t images = 0, n = 0, kept = 0;
    for (int k = 0; k < count; k++) images += peft_dataset_count(sets[k].d);
    *names = check_alloc(malloc((size_t)(images + 1) * sizeof **names));
    for (int k = 0; k < count; k++)
        for (int64_t i = 0; i < peft_dataset_count(sets[k].d); i++) {
            const char *name = peft_dataset_group(sets[k].d, i);
            if (name) (*names)[n++] = name;
        }
    qsort(*names, (size_t)n, sizeof **names, compare_names);
    for (int64_t i = 0; i < n; i++)
        if (!kept || strcmp((*names)[kept - 1], (*names)[i])) (*names)[kept++] = (*names)[i];
    return kept;
}

/* How many of the patients are in two or more of the sets. */
static int64_t in_two_sets(const named_set *sets, int count, const char **names, int64_t patients)
{
    int *in = check_alloc(calloc((size_t)patients + 1, sizeof *in));
    int64_t found = 0;
    for (int k = 0; k < count; k++)
        for (int64_t i = 0; i < peft_dataset_count(sets[k].d); i++) {
            const char *name = peft_dataset_group(sets[k].d, i), **at;
            if (!name) continue;
            at = bsearch(&name, names, (size_t)patients, sizeof *names, compare_names);
            in[at - names] |= 1 << k;
        }
    for (int64_t p = 0; p < patients; p++) found += (in[p] & (in[p] - 1)) != 0;
    free(in);
    return found;
}

int64_t shared_patients(const peft_dataset *a, const peft_dataset *b)
{
    return peft_dataset_has_groups(a) && peft_dataset_has_groups(b) ? shared(a, b) : -1;
}

bool print_patient_counts(const char *before, const peft_dataset *train, const peft_dataset *validation,
                          const peft_dataset *test)
{
    named_set sets[3] = { { train, "training", "data" } };
    int count = 1;
    bool known = peft_dataset_has_groups(train) || peft_dataset_has_groups(test);
    if (validation) {
        sets[count++] = (named_set){ validation, "validation", "val" };
        known |= peft_dataset_has_groups(validation) != 0;
    }
    sets[count++] = (named_set){ test, "test", "test" };
    if (!known) return false;
    const char **names;
    const int64_t patients = all_patients(sets, count, &names), twice = in_two_sets(sets, count, names, patients);
    const int64_t unknown = without_patient(sets, count);
    printf("%spatients: %lld, ", before, (long long)patients);
    if (twice) printf("%lld in two splits: the metrics do not hold for new patients", (long long)twice);
    else printf("none in two splits");
    for (int k = 0; k < count; k++)
        printf("%s%lld in %s%s", k ? ", " : " (", (long long)shared(sets[k].d, sets[k].d), k == count - 1 ? "the " : "",
               sets[k].name);
    for (int k = 0, listed = 0; validation && k < count; k++)
        for (int m = k + 1; m < count; m++) {
            const int64_t both = shared(sets[k].d, sets[m].d);
            if (both) printf("%s %lld in %s and %s", listed++ ? "," : ";", (long long)both, sets[k].name, sets[m].name);
        }
    if (unknown) printf("; %lld images of no known patient", (long long)unknown);
    putchar(')');
    free(names);
    return true;
}

void print_patients(const peft_dataset *train, const peft_dataset *validation, const peft_dataset *test)
{
    if (!print_patient_counts("", train, validation, test))
        printf("patients: not known; where a patient has several images, give --patients PATTERN, or a table with a "
               "column of patients, so that none is in %s (docs/tables.md)", validation ? "two sets" : "both sets");
    putchar('\n');
}
