/* SPDX-License-Identifier: Apache-2.0
 * cases_data.h -- cases of random features for the tests of case pools. */
#ifndef CASES_DATA_H
#define CASES_DATA_H
#include "suite.h"
#include <math.h>
#include <peft/case_pool.h>
#include <stdbool.h>

#undef OK
#define OK(call) ck_assert_msg((call) == PEFT_OK, "%s", peft_last_error())

static inline double random_number(uint64_t *state)           /* -1 .. 1 */
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(int32_t)(*state >> 32) / 2147483648.0;
}

/* Slices of cases, in a mixed order: slice i belongs to case i % cases, and the last ones all to case 0. */
enum { WIDTH = 5, CLASSES = 3, CASES = 7, SLICES = 23 };
typedef struct cases_data {
    float features[SLICES * WIDTH], targets[CASES * CLASSES];
    int64_t of[SLICES];
} cases_data;
static inline cases_data random_cases(bool multilabel)
{
    cases_data d = { .targets = { 0 } };
    uint64_t state = 7;
    for (int i = 0; i < SLICES * WIDTH; i++) d.features[i] = (float)(2 * random_number(&state));
    for (int i = 0; i < SLICES; i++) d.of[i] = i < 3 * CASES ? i % CASES : 0;
    for (int n = 0; n < CASES; n++)
        for (int c = 0; c < CLASSES; c++)
            d.targets[n * CLASSES + c] = multilabel ? (float)((n + c) % 3 - 1) : n % CLASSES == c;
    return d;
}

static inline peft_case_pool *new_pool(peft_context *ctx, int64_t width, int64_t classes, const char *options)
{
    peft_options *o;
    peft_case_pool *p;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, options));
    OK(peft_case_pool_create(ctx, width, classes, o, &p));
    peft_options_free(o);
    return p;
}
#endif
