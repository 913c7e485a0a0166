/* SPDX-License-Identifier: Apache-2.0
 * peak.c -- measures the peak speed of this machine, in floating-point operations a second: that of FMAs in registers,
 * none of which waits for another's result. The report of operations gives their speed as a share of it. */
#include "pk.h"

enum { ROUNDS = 10000 };                 /* argument of fmas: each call is followed by one reading of the clock */

/* end: when threads stop, by pk_seconds(); done: operations of all threads. */
typedef struct { const pk_product *product; double end; atomic_uint_least64_t done; } job;

/* Task of one thread: runs FMAs until the end, and adds their number to done. */
static void run_fmas(void *arg, int64_t task, int worker)
{
    job *j = arg;
    double done = 0;
    (void)task, (void)worker;
    do done += j->product->fmas(ROUNDS);
    while (pk_seconds() < j->end);
    atomic_fetch_add(&j->done, (uint64_t)done);
}

double pk_pool_peak(const pk_table *t, pk_compute compute, pk_pool *pool, double seconds)
{
    const double start = pk_seconds();
    job j = { .product = &pk_permitted(t, compute)->product[compute], .end = start + seconds };
    pk_pool_run(pool, pk_pool_threads(pool), run_fmas, &j);
    return (double)atomic_load(&j.done) / (pk_seconds() - start);
}
