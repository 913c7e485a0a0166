/* SPDX-License-Identifier: Apache-2.0
 * peak.c -- how many floating-point operations a second this machine does by FMAs that wait for nothing: what speeds of
 * operations are measured against. */
#include <time.h>
#include "pk.h"

enum { ROUNDS = 10000 };                 /* between two looks at the clock */

typedef struct { const pk_table *t; double end; atomic_uint_least64_t done; } job;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void count(void *arg, int64_t task, int worker)
{
    job *j = arg;
    double done = 0;
    (void)task, (void)worker;
    do done += j->t->fmas(ROUNDS);
    while (now() < j->end);
    atomic_fetch_add(&j->done, (uint64_t)done);
}

double pk_pool_peak(const pk_table *t, pk_pool *pool, double seconds)
{
    const double start = now();
    job j = { .t = t, .end = start + seconds };
    pk_pool_run(pool, pk_pool_threads(pool), count, &j);
    return (double)atomic_load(&j.done) / (now() - start);
}
