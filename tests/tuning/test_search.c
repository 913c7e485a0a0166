/* SPDX-License-Identifier: Apache-2.0
 * test_search.c -- the search for training settings of the programs (examples/common/tuning): its plans and
 * their cost, ranking, ties, candidates that diverge, and the grid of --tune. */
#include "common/tuning/grid.h"
#include "common/tuning/search.h"
#include "suite.h"
#include <math.h>
#include <string.h>

/* Judges candidates by a table, and adds up the work as fractions of whole trainings. */
typedef struct judge {
    const trial *table;                                       /* [candidates] */
    double trained[64], work;                                 /* share so far; of all */
    int64_t calls;
} judge;

static trial look_up(int64_t candidate, double share, void *user)
{
    judge *j = user;
    ck_assert_double_gt(share, j->trained[candidate]);        /* each round trains further */
    j->work += share - j->trained[candidate];
    j->trained[candidate] = share;
    j->calls++;
    return j->table[candidate];
}

START_TEST(plans)
{
    search_plan p = plan_search(8, 1);
    ck_assert_int_eq(p.rounds, 1);
    ck_assert_double_eq(plan_cost(&p), 8);
    p = plan_search(8, 2);                                    /* 8 quarters, 4 halves, 2 whole trainings */
    ck_assert_int_eq(p.rounds, 3);
    ck_assert_int_eq(p.round[1].candidates, 4);
    ck_assert_double_eq(p.round[0].share, 0.25);
    ck_assert_double_eq(p.round[2].share, 1);
    ck_assert_double_eq(plan_cost(&p), 8 * 0.25 + 4 * 0.25 + 2 * 0.5);
    p = plan_search(5, 3);
    ck_assert_int_eq(p.rounds, 2);
    ck_assert_int_eq(p.round[1].candidates, 2);
    p = plan_search(1, 2);
    ck_assert_int_eq(p.rounds, 1);
    ck_assert_double_eq(p.round[0].share, 1);
    ck_assert_int_eq(share_of_epochs(0.25, 10), 3);           /* 2.5 rounded */
    ck_assert_int_eq(share_of_epochs(0.01, 10), 1);
    ck_assert_int_eq(share_of_epochs(1, 7), 7);
}
END_TEST

/* The work that is done is that of the plan, and the best candidate is found where ranks do not change. */
START_TEST(work_is_planned)
{
    for (int keep = 1; keep <= 3; keep++)
        for (int64_t n = 1; n <= 64; n++) {
            trial table[64];
            for (int64_t c = 0; c < n; c++) table[c] = (trial){ .value = (double)(c * 37 % n), .loss = 1 };
            judge j = { .table = table };
            const search_plan p = plan_search(n, keep);
            const int64_t best = run_search(&p, look_up, &j, NULL);
            ck_assert_double_eq_tol(j.work, plan_cost(&p), 1e-9);
            for (int64_t c = 0; c < n; c++) ck_assert_double_le(table[c].value, table[best].value);
        }
}
END_TEST

START_TEST(ranks)
{
    const trial good = { .value = 0.8, .loss = 1 }, surer = { .value = 0.8, .loss = 0.5 },
                worse = { .value = 0.7, .loss = 0.1 }, none = { .value = NAN, .loss = 0.1 },
                diverged = { .diverged = true, .value = NAN, .loss = NAN };
    const trial *const order[] = { &surer, &good, &worse, &none, &diverged };
    for (int a = 0; a < 5; a++)
        for (int b = 0; b < 5; b++) ck_assert_int_eq(better_trial(order[a], order[b]), a < b);
}
END_TEST

/* Of equal candidates the first is chosen, in every search. */
START_TEST(first_of_equals)
{
    const trial table[] = { { .value = 0.5, .loss = 1 }, { .value = 0.6, .loss = 1 }, { .value = 0.6, .loss = 1 },
                            { .value = 0.6, .loss = 1 }, { .value = 0.6, .loss = 2 } };
    for (int keep = 1; keep <= 3; keep++) {
        judge j = { .table = table };
        const search_plan p = plan_search(5, keep);
        ck_assert_int_eq(run_search(&p, look_up, &j, NULL), 1);
    }
}
END_TEST

/* A candidate that diverged is not trained again; if all did, none is chosen. */
START_TEST(diverged_candidates)
{
    trial table[6], last[6];
    for (int c = 0; c < 6; c++) table[c] = (trial){ .diverged = true, .value = NAN, .loss = NAN };
    for (int keep = 1; keep <= 3; keep++) {
        judge j = { .table = table };
        const search_plan p = plan_search(6, keep);
        ck_assert_int_eq(run_search(&p, look_up, &j, last), -1);
        ck_assert_int_eq(j.calls, 6);
        table[4] = (trial){ .value = 0.1, .loss = 9 };
        j = (judge){ .table = table };
        ck_assert_int_eq(run_search(&p, look_up, &j, last), 4);
        ck_assert_int_eq(j.calls, 6 + p.rounds - 1);
        ck_assert(last[0].diverged && !last[4].diverged);
        table[4] = table[0];
    }
}
END_TEST

START_TEST(grid_of_two)
{
    grid g = read_grid(" lr = 1e-3, 1e-2 ,options.targets=[q,v],[q]");
    ck_assert_int_eq(g.dimensions, 2);
    ck_assert_int_eq(grid_size(&g), 4);
    ck_assert_str_eq(g.dimension[1].name, "options.targets");
    ck_assert_str_eq(grid_value(&g, 0, 0), "1e-3");
    ck_assert_str_eq(grid_value(&g, 1, 1), "[q]");            /* the last setting changes fastest */
    ck_assert_str_eq(grid_value(&g, 2, 0), "1e-2");
    ck_assert_str_eq(grid_value(&g, 2, 1), "[q,v]");
    free_grid(&g);
    g = read_grid(NULL);
    ck_assert_int_eq(grid_size(&g), 1);
    free_grid(&g);
}
END_TEST

SUITE_MAIN("search", plans, work_is_planned, ranks, first_of_equals, diverged_candidates, grid_of_two)
