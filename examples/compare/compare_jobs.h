/* SPDX-License-Identifier: Apache-2.0
 * compare_jobs.h -- work done in processes of their own, some at a time: each has a memory peak of its own, and one
 * that crashes takes no other with it. */
#ifndef COMPARE_JOBS_H
#define COMPARE_JOBS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct job_hooks {
    void (*work)(int64_t i, void *user);                      /* in the new process, which ends with it */
    void (*name)(int64_t i, char *text, size_t room, void *user);
    void (*begin)(int64_t i, void *user);                     /* this and the next two may be NULL */
    void (*done)(int64_t i, const char *failure, void *user); /* failure: NULL, or what the process said or died of */
    void (*tick)(void *user);                                 /* every second and whenever a job ends */
    bool echo;                                                /* pass on what a job that succeeds says on stderr */
} job_hooks;

/* Does the jobs of numbers todo[0..count-1], at most `most` at a time. In a job program_name is its name. On SIGINT or
 * SIGTERM those that run are killed, done is not called for them, and the signal's number is returned; else 0. */
int run_jobs(const int64_t *todo, int64_t count, int64_t most, const job_hooks *h, void *user);
#endif
