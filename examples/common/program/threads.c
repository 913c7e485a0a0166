/* SPDX-License-Identifier: Apache-2.0
 * threads.c -- runs a function in several threads (threads.h). */
#include "threads.h"
#include <pthread.h>
#include <sched.h>

enum { MAX_THREADS = 64 };

int thread_count(int given)
{
    cpu_set_t cores;
    if (given) return given;
    return sched_getaffinity(0, sizeof cores, &cores) ? 1 : CPU_COUNT(&cores);
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
