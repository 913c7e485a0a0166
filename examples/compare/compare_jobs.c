/* SPDX-License-Identifier: Apache-2.0
 * compare_jobs.c -- runs jobs in child processes (compare_jobs.h). The parent blocks SIGCHLD, SIGINT and SIGTERM and
 * receives them with sigtimedwait, so no handler interrupts its other work. */
#include "compare_jobs.h"
#include "common/program/errors.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct job {
    pid_t pid;                                                /* 0: no process */
    int64_t i;
    FILE *errors;                                             /* temporary file: the process's standard error */
    char name[256];
} job;

void *alloc_shared(size_t size)
{
    void *p = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? check_alloc(NULL) : p;
}

/* Starts job i in a child process, whose signal mask is `mask` (that of the parent before run_jobs). */
static void start_job(job *j, int64_t i, const sigset_t *mask, const job_hooks *h, void *user)
{
    *j = (job){ .i = i, .errors = check_alloc(tmpfile()) };
    h->name(i, j->name, sizeof j->name, user);
    fflush(NULL);
    pid_t parent = getpid();
    j->pid = fork();
    if (j->pid < 0) fail("%s: no process could be started (fork: %s); give a smaller --jobs", j->name, strerror(errno));
    if (j->pid) {
        if (h->begin) h->begin(i, user);
        return;
    }
    signal(SIGINT, SIG_IGN);                                  /* on Ctrl-C the parent kills this process */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);                        /* the parent ended before prctl */
    sigprocmask(SIG_SETMASK, mask, NULL);
    dup2(fileno(j->errors), STDERR_FILENO);
    program_name = j->name;
    h->work(i, user);
    fflush(NULL);
    _exit(0);
}

/* Reports a job whose process has ended with this status of waitpid: calls the hook `done` with its errors. */
static void end_job(job *j, int status, const job_hooks *h, void *user)
{
    char text[4096];
    rewind(j->errors);
    size_t n = fread(text, 1, sizeof text - 1, j->errors);
    while (n && text[n - 1] == '\n') n--;
    text[n] = 0;
    if (WIFSIGNALED(status))
        snprintf(text + n, sizeof text - n, "%s%s: killed by signal %d (%s)", n ? "\n" : "", j->name, WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (status && !n)
        snprintf(text, sizeof text, "%s: ended with status %d", j->name, WEXITSTATUS(status));
    fclose(j->errors);
    j->pid = 0;
    if (h->echo && !status && n) fprintf(stderr, "%s\n", text);
    if (h->done) h->done(j->i, status ? text : NULL, user);
}

/* jobs [max_jobs]; those without a process are left out. */
static void kill_jobs(job *jobs, int64_t max_jobs)
{
    for (int64_t k = 0; k < max_jobs; k++) {
        if (!jobs[k].pid) continue;
        kill(jobs[k].pid, SIGKILL);
        waitpid(jobs[k].pid, NULL, 0);
        fclose(jobs[k].errors);
    }
}

int run_jobs(const int64_t *todo, int64_t count, int64_t max_jobs, const job_hooks *h, void *user)
{
    sigset_t watched, before;                                 /* before: the signal mask of the caller */
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &watched, &before);
    job *jobs = check_alloc(calloc((size_t)max_jobs, sizeof *jobs));
    int64_t next = 0, running = 0;                            /* index in todo; number of processes */
    int stop = 0;
    for (;;) {
        for (int64_t k = 0; k < max_jobs; k++) {
            int status;
            if (jobs[k].pid && waitpid(jobs[k].pid, &status, WNOHANG) == jobs[k].pid) {
                end_job(&jobs[k], status, h, user);
                running--;
            }
            if (!jobs[k].pid && next < count) {
                start_job(&jobs[k], todo[next++], &before, h, user);
                running++;
            }
        }
        if (h->tick) h->tick(user);
        if (!running) break;
        int number = sigtimedwait(&watched, NULL, &(struct timespec){ .tv_sec = 1 });
        if (number == SIGINT || number == SIGTERM) {
            stop = number;
            kill_jobs(jobs, max_jobs);
            break;
        }
    }
    free(jobs);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return stop;
}
