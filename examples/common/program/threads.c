/* SPDX-License-Identifier: Apache-2.0
 * threads.c -- runs a function in several threads (threads.h). */
#include "threads.h"
#include "errors.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { MAX_THREADS = 64 };

int thread_count(int given)
{
    static atomic_bool warned;
    cpu_set_t set;
    const int cores = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
    if (given > cores && !atomic_exchange(&warned, true))
        warn("--threads %d: this program may use %d core%s; more threads than cores take longer", given, cores,
             cores == 1 ? "" : "s");
    return given ? given : cores;
}

void run_in_threads(int threads, void *(*function)(void *), void *argument)
{
    pthread_t thread[MAX_THREADS];
    int started = 0;
    while (started < threads - 1 && started < MAX_THREADS &&
           !pthread_create(&thread[started], NULL, function, argument))
        started++;
    function(argument);
    while (started) pthread_join(thread[--started], NULL);
}
