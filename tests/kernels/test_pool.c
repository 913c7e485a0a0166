/* SPDX-License-Identifier: Apache-2.0
 * test_pool.c -- the thread pool: every task runs once, for any number of tasks and threads; thousands of short calls;
 * calls from tasks, from several threads and after a fork; pools that run on the program's threads. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kernels/pk.h"
#include "suite.h"

enum { MAX_TASKS = 1000 };

typedef struct job {
    pk_pool *pool;
    int threads;
    atomic_int done[MAX_TASKS];
    atomic_int wrong;               /* errors seen by tasks: worker number out of range, signal mask */
} job;

static pk_pool *start(int threads)
{
    pk_pool *p = aligned_alloc(PK_ALIGN, (pk_pool_bytes(threads) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    ck_assert_int_eq(pk_pool_start(p, threads), threads);
    ck_assert_int_eq(pk_pool_threads(p), threads);
    return p;
}

static void stop(pk_pool *p)
{
    pk_pool_stop(p);
    free(p);
}

/* A task: counts that it ran. */
static void count_task(void *arg, int64_t task, int worker)
{
    job *j = arg;
    atomic_fetch_add(&j->done[task], 1);
    if (worker < 0 || worker >= j->threads) atomic_fetch_add(&j->wrong, 1);
}

/* Calls the pool `times` times with tasks 0 .. tasks - 1: each of them ran once a call, and no other. */
static void run_and_check(pk_pool *p, int64_t tasks, int times)
{
    job j = { .pool = p, .threads = pk_pool_threads(p) };
    for (int i = 0; i < times; i++) pk_pool_run(p, tasks, count_task, &j);
    for (int64_t i = 0; i < MAX_TASKS; i++) ck_assert_int_eq(atomic_load(&j.done[i]), i < tasks ? times : 0);
    ck_assert_int_eq(atomic_load(&j.wrong), 0);
}

START_TEST(every_task_runs_once)
{
    ck_assert_int_eq(pk_pool_threads(NULL), 1);
    run_and_check(NULL, 7, 1);
    for (int threads = 1; threads <= 8; threads++) {
        pk_pool *p = start(threads);
        for (int64_t tasks = 0; tasks <= 40; tasks++) run_and_check(p, tasks, 3);
        run_and_check(p, MAX_TASKS, 1);
        stop(p);
    }
}
END_TEST

START_TEST(many_short_calls)
{
    pk_pool *p = start(4);
    run_and_check(p, 3, 5000);
    for (int i = 0; i < 50; i++) {
        usleep(200);                                    /* long enough for the workers to fall asleep */
        run_and_check(p, 5, 1);
    }
    stop(p);
}
END_TEST

/* Task 0 is done at once, others take 3 ms. */
static void slow_task(void *arg, int64_t task, int worker)
{
    usleep(task == 0 ? 0 : 3000);                       /* the thread that is done first waits for the other */
    count_task(arg, task, worker);
}

START_TEST(tasks_of_uneven_duration)
{
    pk_pool *p = start(2);
    job j = { .pool = p, .threads = 2 };
    for (int i = 0; i < 20; i++) pk_pool_run(p, 2, slow_task, &j);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(atomic_load(&j.done[i]), 20);
    stop(p);
}
END_TEST

/* A task that calls its own pool. */
static void nested(void *arg, int64_t task, int worker)
{
    (void)worker;
    job *j = arg;
    job inner = { .pool = j->pool, .threads = 1 };      /* a nested call runs on its thread alone, as worker 0 */
    pk_pool_run(j->pool, 10, count_task, &inner);
    for (int i = 0; i < 10; i++)
        if (atomic_load(&inner.done[i]) != 1) atomic_fetch_add(&j->wrong, 1);
    atomic_fetch_add(&j->wrong, atomic_load(&inner.wrong));
    atomic_fetch_add(&j->done[task], 1);
}

START_TEST(tasks_can_call_the_pool)
{
    pk_pool *p = start(3);
    job j = { .pool = p, .threads = 3 };
    pk_pool_run(p, 30, nested, &j);
    for (int i = 0; i < 30; i++) ck_assert_int_eq(atomic_load(&j.done[i]), 1);
    ck_assert_int_eq(atomic_load(&j.wrong), 0);
    stop(p);
}
END_TEST

static void *run_and_check_often(void *arg)
{
    for (int i = 0; i < 500; i++) run_and_check(arg, 6, 1);
    return NULL;
}

START_TEST(two_threads_call_one_pool)
{
    pk_pool *p = start(3);
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, run_and_check_often, p), 0);
    run_and_check_often(p);
    pthread_join(other, NULL);
    stop(p);
}
END_TEST

/* Calls of several threads run one after the other: never more tasks at once than the pool has threads. running: tasks
 * that run now; max_running: the most of them at any time; done: all finished tasks. */
typedef struct { pk_pool *pool; atomic_int running, max_running, done; } concurrency;

/* A task that counts how many tasks run at the same time. */
static void count_running(void *arg, int64_t task, int worker)
{
    concurrency *t = arg;
    (void)task, (void)worker;
    const int now = atomic_fetch_add(&t->running, 1) + 1;
    /* raises t->max_running to now, unless another thread has raised it further */
    for (int max_running = atomic_load(&t->max_running); now > max_running;)
        if (atomic_compare_exchange_weak(&t->max_running, &max_running, now)) break;
    usleep(100);
    atomic_fetch_sub(&t->running, 1);
    atomic_fetch_add(&t->done, 1);
}

static void *run_count_running(void *arg)
{
    concurrency *t = arg;
    for (int i = 0; i < 100; i++) pk_pool_run(t->pool, 7, count_running, t);
    return NULL;
}

START_TEST(calls_run_one_after_the_other)
{
    concurrency t = { .pool = start(2) };
    pthread_t other[4];
    for (int i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&other[i], NULL, run_count_running, &t), 0);
    for (int i = 0; i < 4; i++) pthread_join(other[i], NULL);
    ck_assert_int_eq(atomic_load(&t.done), 4 * 100 * 7);
    ck_assert_int_eq(atomic_load(&t.max_running), 2);
    stop(t.pool);
}
END_TEST

/* --- threads of the program ---------------------------------------------------------------------- */
/* A call job(arg, i), `delay` microseconds after its thread began. */
typedef struct { int i; void (*job)(void *, int); void *arg; useconds_t delay; } delayed_call;

static void *run_delayed_call(void *arg)
{
    delayed_call *e = arg;
    usleep(e->delay);
    e->job(e->arg, e->i);
    return NULL;
}

/* Four functions that a program may give to pk_pool_borrow. Each is asked to call job(arg, i) for i = 0 .. n-1; the
 * pool must run all its tasks even if calls are missing, repeated or late. */
static void with_threads(void (*job)(void *, int), void *arg, int n, void *user)
{
    pthread_t thread[8];
    delayed_call e[8];
    (void)user;
    for (int i = 0; i < n; i++) {
        e[i] = (delayed_call){ i, job, arg, 0 };
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run_delayed_call, &e[i]), 0);
    }
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
}

static void in_reverse_order(void (*job)(void *, int), void *arg, int n, void *user)
{
    (void)user;
    while (n-- > 0) job(arg, n);
}

static void some_twice_and_out_of_range(void (*job)(void *, int), void *arg, int n, void *user)
{
    (void)user;
    for (int i = -1; i <= 8; i += 2) job(arg, i), job(arg, i);       /* -1, 1, 3, 5, 7: even jobs are left out */
    job(arg, n);
}

/* Runs only the last job, and returns before it starts. */
static void return_before_the_last_job(void (*job)(void *, int), void *arg, int n, void *user)
{
    static delayed_call e;
    pthread_t *thread = user;
    if (*thread) pthread_join(*thread, NULL);
    e = (delayed_call){ n - 1, job, arg, 300 };
    ck_assert_int_eq(pthread_create(thread, NULL, run_delayed_call, &e), 0);
}

START_TEST(pools_run_on_threads_of_the_program)
{
    static const pk_borrow ways[] = { with_threads, in_reverse_order, some_twice_and_out_of_range,
                                      return_before_the_last_job };
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++)
        for (int threads = 1; threads <= 4; threads++) {
            pthread_t last = 0;
            pk_pool *p = aligned_alloc(PK_ALIGN, (pk_pool_bytes(threads) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
            pk_pool_borrow(p, threads, ways[k], &last);
            ck_assert_int_eq(pk_pool_threads(p), threads);
            for (int64_t tasks = 0; tasks <= 10; tasks++) run_and_check(p, tasks, 3);
            if (last) pthread_join(last, NULL);
            stop(p);
        }
}
END_TEST

/* No two threads have the same worker number at the same time, so a worker's scratch memory is its own. */
static atomic_int users[4];
/* A task that counts it as an error if another task runs with its worker number. */
static void count_users(void *arg, int64_t task, int worker)
{
    job *j = arg;
    if (atomic_fetch_add(&users[worker], 1)) atomic_fetch_add(&j->wrong, 1);
    usleep(50);
    atomic_fetch_sub(&users[worker], 1);
    atomic_fetch_add(&j->done[task], 1);
}

START_TEST(worker_numbers_are_not_shared)
{
    pk_pool *p = aligned_alloc(PK_ALIGN, (pk_pool_bytes(4) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    pk_pool_borrow(p, 4, with_threads, NULL);
    job j = { .pool = p, .threads = 4 };
    pk_pool_run(p, 200, count_users, &j);
    for (int i = 0; i < 200; i++) ck_assert_int_eq(atomic_load(&j.done[i]), 1);
    ck_assert_int_eq(atomic_load(&j.wrong), 0);
    stop(p);
}
END_TEST

START_TEST(a_forked_child_runs_tasks_alone)
{
    pk_pool *p = start(4);
    run_and_check(p, 50, 2);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);                                      /* kills a child that hangs */
        job j = { .pool = p, .threads = 1 };
        pk_pool_run(p, 50, count_task, &j);
        int good = atomic_load(&j.wrong) == 0;
        for (int i = 0; i < 50; i++) good &= atomic_load(&j.done[i]) == 1;
        pk_pool_stop(p);
        _exit(good ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    run_and_check(p, 50, 2);                            /* the parent's pool is unchanged */
    stop(p);
}
END_TEST

/* A task that counts it as an error if a worker does not block signals, or if the caller does. */
static void check_signal_mask(void *arg, int64_t task, int worker)
{
    job *j = arg;
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    if (sigismember(&now, SIGUSR1) != (worker > 0)) atomic_fetch_add(&j->wrong, 1);     /* worker 0 is the caller */
    usleep(500);
    atomic_fetch_add(&j->done[task], 1);
}

/* Workers block all signals; the caller's mask is unchanged. */
START_TEST(workers_block_signals)
{
    pk_pool *p = start(3);
    job j = { .pool = p, .threads = 3 };
    pk_pool_run(p, 30, check_signal_mask, &j);
    ck_assert_int_eq(atomic_load(&j.wrong), 0);
    stop(p);
}
END_TEST

SUITE_MAIN("pool", every_task_runs_once, many_short_calls, tasks_of_uneven_duration, tasks_can_call_the_pool,
           two_threads_call_one_pool, calls_run_one_after_the_other, pools_run_on_threads_of_the_program,
           worker_numbers_are_not_shared, a_forked_child_runs_tasks_alone, workers_block_signals)
