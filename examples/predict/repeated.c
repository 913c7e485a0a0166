/* SPDX-License-Identifier: Apache-2.0
 * repeated.c -- leaves out pictures that are given more than once, so that each counts once in its case (predict.h). */
#include "predict.h"
#include "common/program/errors.h"
#include <stdlib.h>
#include <string.h>

/* A picture and its case; kase "": none. */
typedef struct given_picture { const char *name, *kase; int64_t number; } given_picture;

static int compare_names(const given_picture *x, const given_picture *y)
{
    const int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->kase, y->kase);
}

static int by_name_and_number(const void *a, const void *b)
{
    const given_picture *x = a, *y = b;
    const int order = compare_names(x, y);
    return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

void drop_repeated(inputs *in)
{
    const int64_t count = in->count;
    int64_t kept = 0, example = 0;
    given_picture *sorted = check_alloc(malloc((size_t)(count + 1) * sizeof *sorted));
    bool *repeated = check_alloc(calloc((size_t)count + 1, sizeof *repeated));
    int64_t *number = check_alloc(malloc((size_t)(count + 1) * sizeof *number));
    for (int64_t i = 0; i < count; i++) {
        const char *kase = input_case(in, i);
        sorted[i] = (given_picture){ input_name(in, i), kase ? kase : "", i };
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_name_and_number);
    for (int64_t k = 1; k < count; k++)
        repeated[sorted[k].number] = !compare_names(&sorted[k - 1], &sorted[k]);
    for (int64_t i = 0; i < count; i++)
        if (repeated[i]) example = i;
        else number[kept++] = i;
    if (kept < count)
        warn("--per-case: %lld of %lld pictures repeat an earlier one, such as %s; each counts once in its case",
             (long long)(count - kept), (long long)count, input_name(in, example));
    free(sorted);
    free(repeated);
    in->number = number;
    in->count = kept;
}
