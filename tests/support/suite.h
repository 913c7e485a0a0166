/* SPDX-License-Identifier: Apache-2.0
 * suite.h -- the main function of a test program: runs its tests as one suite of the library Check. */
#ifndef SUITE_H
#define SUITE_H
#include <check.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#ifdef PK_EMULATED_TILES
#include "kernels/pk.h"
#endif

/* Check writes the line of every assertion that holds to a file, to tell after a crash which was the last. For
 * assertions about single elements of matrices that takes most of the time of a suite, so they leave no such mark: a
 * crash is looked for with a debugger or a sanitizer. */
#define _mark_point(file, line) ((void)0)

typedef const TTest *suite_test;

/* Whether long tests run a part of their cases. All cases run in programs that gcc compiles without sanitizers. With
 * AddressSanitizer, where programs are about twenty times as slow, and with clang the same code runs again to find
 * faults of other kinds; a part of the methods, layouts and sizes reaches the same lines. */
#if defined __SANITIZE_ADDRESS__ || defined __clang__
enum { PARTIAL = 1 };
#else
enum { PARTIAL = 0 };
#endif

/* The step of a loop over cases: n where a part of them runs, else 1. */
static inline int partial_step(int n) { return PARTIAL ? n : 1; }

/* Runs n tests as one suite; returns main's exit status. Programs use it through SUITE_MAIN(name, tests...). */
static inline int run_suite(const char *name, const suite_test *tests, size_t n)
{
    Suite *s = suite_create(name);
    TCase *c = tcase_create(name);
    tcase_set_timeout(c, 300);
    for (size_t i = 0; i < n; i++) tcase_add_test(c, tests[i]);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Whether this CPU can run the program; if not, prints why. A program with emulated tiles (tests/kernels/emulated)
 * needs AVX512_BF16, as only the tile instructions are emulated. */
static inline int suite_can_run(void)
{
#ifdef PK_EMULATED_TILES
    if (pk_find("avx512_amx")) return 1;
    printf("SKIP: this CPU has no AVX512_BF16\n");
    return 0;
#else
    return 1;
#endif
}
enum { SUITE_SKIPPED = 77 };                    /* the exit status that ctest counts as skipped */
#define SUITE_MAIN(name, ...) \
    int main(void) \
    { \
        const suite_test t[] = { __VA_ARGS__ }; \
        return suite_can_run() ? run_suite(name, t, sizeof t / sizeof *t) : SUITE_SKIPPED; \
    }

/* The folder of shared test data, which the environment variable PEFT_SHARED names. If it is not set, prints that the
 * test is skipped and returns NULL. */
static inline const char *shared_folder(void)
{
    const char *p = getenv("PEFT_SHARED");
    if (!p || !*p) { printf("SKIP: PEFT_SHARED is not set\n"); return NULL; }
    return p;
}
#endif
