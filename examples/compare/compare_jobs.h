/* SPDX-License-Identifier: Apache-2.0
 * compare_jobs.h -- runs jobs in child processes, several at a time. So compare can measure each run's memory peak, and
 * a crash ends only one run. */
#ifndef COMPARE_JOBS_H
#define COMPARE_JOBS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct job_hooks {
    void (*work)(int64_t i, void *user);                      /* runs in the child process, which ends after it */
    void (*name)(int64_t i, char *text, size_t size, void *user);     /* writes the job's name to text */
    void (*begin)(int64_t i, void *user);                     /* begin, done and tick run in the parent; may be NULL */
    void (*done)(int64_t i, const char *failure, void *user); /* failure: NULL, or the child's errors or signal */
    void (*tick)(void *user);                                 /* every second, and when a job ends */
    bool echo;                                                /* print the warnings of a job that succeeded */
} job_hooks;

void *alloc_shared(size_t size);                              /* memory that child processes write to, of zeros */

/* Runs the jobs with the numbers todo[0..count-1], at most max_jobs at a time. In a child program_name is the job's
 * name. Returns 0; on SIGINT or SIGTERM kills the running jobs without calling done, and returns the signal's
 * number. */
int run_jobs(const int64_t *todo, int64_t count, int64_t max_jobs, const job_hooks *h, void *user);
#endif
