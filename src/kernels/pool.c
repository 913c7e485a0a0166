/* SPDX-License-Identifier: Apache-2.0
 * pool.c -- the threads that share the tasks of one call. A call opens a round; workers join it, take task numbers
 * from a counter until none is left, and leave. The caller works too, then closes the round and waits only for those
 * who joined, so a worker that wakes late costs nothing. Between rounds a worker watches for a third of a
 * millisecond (a step is some hundred short calls, and waking takes long), then sleeps.
 *
 * Several threads may call at once: their rounds take turns, in the order of the calls. A thread that waits watches
 * and then sleeps as a worker does.
 *
 * A pool may instead borrow the program's threads: a round is then one call of the program's function, which runs
 * `threads` jobs somewhere. Each job takes task numbers from the same counter, and owns the scratch of its number. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include "pk.h"

#define WATCH_SECONDS 0.0003

/* pk_pool.state holds three facts of the round: how many workers are in it (bits 0 to 15), whether it may be joined
 * (bit 16), and its number (the bits above; ROUND_UNIT is the value of the lowest). */
#define ROUND_WORKERS UINT64_C(0xffff)
#define ROUND_OPEN    UINT64_C(0x10000)
#define ROUND_UNIT    UINT64_C(0x20000)

enum { CALLER = 0 };                    /* index of the scratch that tasks on the calling thread use */

typedef struct worker {
    pk_pool *pool;
    union {
        pthread_t thread;               /* of the pool's own */
        atomic_int begun;               /* borrowed threads: the job of this index has begun in this round */
    };
    int index;                          /* of the scratch that its tasks use, above CALLER */
} worker;

struct pk_pool {
    int threads;
    pid_t owner;                        /* threads do not survive a fork: in another process the pool is empty */
    pk_borrow run_jobs; void *user;     /* runs the jobs of a round in the program's threads; NULL: own workers */
    atomic_int jobs_done;               /* jobs of the round that have returned */
    pk_task fn; void *arg; int64_t tasks;                       /* of the round; read only by those who joined it */
    _Alignas(PK_ALIGN) atomic_int_least64_t next;               /* the task that is taken next */
    _Alignas(PK_ALIGN) atomic_uint_least64_t state;             /* ROUND_* */
    _Alignas(PK_ALIGN) atomic_int_least64_t called, served;     /* calls so far, and those of them that are done */
    pthread_mutex_t lock;               /* protects sleepers, caller_sleeps, waiting and stop */
    pthread_cond_t wake, done, turn;    /* a round opens; all workers have left it; the next call's turn comes */
    int sleepers, caller_sleeps, waiting;                       /* threads that sleep on wake, on done, on turn */
    int stop;                           /* tells the workers to end */
    worker workers[];
};

/* This thread runs a task of some pool. A call from a task runs on this thread alone, because a round that the call
 * opened could wait for the task's own round. */
static _Thread_local int in_task;

/* A pool of one thread has no element of `workers`. Borrowed threads use one element each, own workers one fewer. */
size_t pk_pool_bytes(int threads)
{
    return sizeof(pk_pool) + (size_t)(threads > 1 ? threads : 0) * sizeof(worker);
}

int pk_pool_threads(const pk_pool *p)
{
    return p ? p->threads : 1;
}

/* Tells the CPU that this thread waits in a loop: the other thread of the core gets more of it. */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

enum { NO_ROUND = 0 };                  /* as `seen`: no round has this number */

/* Whether a round is open that this worker has not been in; seen: the number of the round it was in last. */
static int joinable(uint64_t state, uint64_t seen)
{
    return (state & ROUND_OPEN) && state / ROUND_UNIT != seen;
}

/* Whether no worker is in the round. */
static int all_left(uint64_t state, uint64_t unused)
{
    (void)unused;
    return !(state & ROUND_WORKERS);
}

/* Watches the state for WATCH_SECONDS; returns 1 as soon as reached(state, seen) holds, else 0. */
static int spin_until(pk_pool *p, int (*reached)(uint64_t state, uint64_t seen), uint64_t seen)
{
    const double end = pk_seconds() + WATCH_SECONDS;
    do {
        for (int i = 0; i < 32; i++) {
            if (reached(atomic_load_explicit(&p->state, memory_order_acquire), seen)) return 1;
            relax();
        }
    } while (pk_seconds() < end);
    return 0;
}

/* Runs tasks of the round until none is left; index: of the scratch that they use. */
static void take_tasks(pk_pool *p, int index)
{
    const int before = in_task;
    in_task = 1;
    for (;;) {
        int64_t task = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (task >= p->tasks) break;
        p->fn(p->arg, task, index);
    }
    in_task = before;
}

/* Joins the round if it is open and its number is not *seen, which then becomes its number; else returns 0. */
static int join_round(pk_pool *p, uint64_t *seen)
{
    uint64_t s = atomic_load_explicit(&p->state, memory_order_acquire);
    while (joinable(s, *seen)) {
        if (atomic_compare_exchange_weak_explicit(&p->state, &s, s + 1, memory_order_acquire, memory_order_acquire)) {
            *seen = s / ROUND_UNIT;
            return 1;
        }
    }
    return 0;
}

/* Leaves the round; the last worker to leave a closed round wakes the caller. */
static void leave_round(pk_pool *p)
{
    uint64_t s = atomic_fetch_sub_explicit(&p->state, 1, memory_order_acq_rel) - 1;
    if ((s & ROUND_OPEN) || (s & ROUND_WORKERS)) return;
    pthread_mutex_lock(&p->lock);
    if (p->caller_sleeps) pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

/* Sleeps until a round can be joined (1) or the pool stops (0). */
static int sleep_for_round(pk_pool *p, uint64_t seen)
{
    pthread_mutex_lock(&p->lock);
    p->sleepers++;
    while (!p->stop && !joinable(atomic_load(&p->state), seen)) pthread_cond_wait(&p->wake, &p->lock);
    p->sleepers--;
    int stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

/* A worker: waits for rounds and takes part in each until the pool stops. */
static void *work(void *arg)
{
    const worker *w = arg;
    pk_pool *p = w->pool;
    uint64_t seen = NO_ROUND;
    pk_float_default();                 /* a thread inherits the mode of its creator */
    while (spin_until(p, joinable, seen) || sleep_for_round(p, seen)) {
        if (join_round(p, &seen)) {
            take_tasks(p, w->index);
            leave_round(p);
        }
    }
    return NULL;
}

/* Ends the first `count` workers, and destroys the locks of the pool. */
static void stop_workers(pk_pool *p, int count)
{
    pthread_mutex_lock(&p->lock);
    p->stop = 1;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < count; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->turn);
    pthread_mutex_destroy(&p->lock);
}

/* Sets up a pool without workers. run_jobs: see the member of pk_pool. */
static void init(pk_pool *p, int threads, pk_borrow run_jobs, void *user)
{
    p->threads = threads < 1 ? 1 : threads > (int)ROUND_WORKERS ? (int)ROUND_WORKERS : threads;
    p->owner = getpid();
    p->run_jobs = run_jobs;
    p->user = user;
    p->sleepers = p->caller_sleeps = p->waiting = p->stop = 0;
    atomic_init(&p->jobs_done, 0);
    atomic_init(&p->next, 0);
    atomic_init(&p->state, 0);
    atomic_init(&p->called, 0);
    atomic_init(&p->served, 0);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    pthread_cond_init(&p->turn, NULL);
}

void pk_pool_borrow(pk_pool *p, int threads, pk_borrow run_jobs, void *user)
{
    init(p, threads, run_jobs, user);
    if (p->threads == 1) return;
    for (int i = 0; i < p->threads; i++) atomic_init(&p->workers[i].begun, 1);    /* no job can begin before a round */
}

/* The least stack of a worker. musl's default is 128 KiB; AVX-512 kernels compiled without optimization take 1.4
 * MiB. */
#define STACK_BYTES ((size_t)4 << 20)

int pk_pool_start(pk_pool *p, int threads)
{
    init(p, threads, NULL, NULL);       /* the program gives no threads */
    pthread_attr_t attributes;
    size_t stack;
    pthread_attr_init(&attributes);
    if (!pthread_attr_getstacksize(&attributes, &stack) && stack < STACK_BYTES)
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigset_t all, before;               /* workers inherit the mask, so that the program's threads get the signals */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int made = 0;
    for (; made < p->threads - 1; made++) {
        worker *w = &p->workers[made];
        w->pool = p;
        w->index = made + 1;
        if (pthread_create(&w->thread, &attributes, work, w)) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return p->threads = 1 + made;
}

void pk_pool_stop(pk_pool *p)
{
    if (p && p->owner == getpid()) stop_workers(p, p->run_jobs ? 0 : p->threads - 1);
}

int pk_pool_alive(const pk_pool *p)
{
    return p->owner == getpid();
}

/* Opens the next round: its number is one more than the last one's. */
static void open_round(pk_pool *p, int64_t tasks, pk_task fn, void *arg)
{
    p->fn = fn;
    p->arg = arg;
    p->tasks = tasks;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&p->state, memory_order_relaxed) / ROUND_UNIT;
    pthread_mutex_lock(&p->lock);
    atomic_store_explicit(&p->state, (last + 1) * ROUND_UNIT | ROUND_OPEN, memory_order_release);
    if (p->sleepers) pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* Closes the round to further workers and waits until those that joined have left. */
static void close_round(pk_pool *p)
{
    uint64_t s = atomic_fetch_and_explicit(&p->state, ~ROUND_OPEN, memory_order_acq_rel);
    if (all_left(s, NO_ROUND) || spin_until(p, all_left, NO_ROUND)) return;
    pthread_mutex_lock(&p->lock);
    p->caller_sleeps = 1;
    while (!all_left(atomic_load(&p->state), NO_ROUND)) pthread_cond_wait(&p->done, &p->lock);
    p->caller_sleeps = 0;
    pthread_mutex_unlock(&p->lock);
}

/* Waits until all calls before this one are done. */
static void await_turn(pk_pool *p)
{
    const int64_t mine = atomic_fetch_add(&p->called, 1);
    if (atomic_load(&p->served) == mine) return;
    for (const double end = pk_seconds() + WATCH_SECONDS; pk_seconds() < end; sched_yield())
        if (atomic_load(&p->served) == mine) return;
    pthread_mutex_lock(&p->lock);
    p->waiting++;
    while (atomic_load(&p->served) != mine) pthread_cond_wait(&p->turn, &p->lock);
    p->waiting--;
    pthread_mutex_unlock(&p->lock);
}

/* Lets the next call begin. */
static void end_turn(pk_pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->served, 1);
    if (p->waiting) pthread_cond_broadcast(&p->turn);
    pthread_mutex_unlock(&p->lock);
}

/* Job i of a round in a borrowed thread. A wrong call of the program's function (the same i twice, an i that is no job,
 * a call after the round) returns at once. */
static void run_job(void *arg, int i)
{
    pk_pool *p = arg;
    if (i < 0 || i >= p->threads || atomic_exchange(&p->workers[i].begun, 1)) return;
    PK_FLOAT_SCOPE;
    take_tasks(p, i);
    atomic_fetch_add_explicit(&p->jobs_done, 1, memory_order_release);
}

/* Runs a round in the program's threads. Also runs the jobs that the program's function left out, and waits for those
 * whose end it did not wait for. */
static void run_borrowed(pk_pool *p, int64_t tasks, pk_task fn, void *arg)
{
    const int jobs = tasks < p->threads ? (int)tasks : p->threads;
    p->fn = fn;
    p->arg = arg;
    p->tasks = tasks;
    atomic_store(&p->next, 0);
    atomic_store(&p->jobs_done, 0);
    for (int i = 0; i < jobs; i++) atomic_store(&p->workers[i].begun, 0);
    p->run_jobs(run_job, p, jobs, p->user);
    for (int i = 0; i < jobs; i++) run_job(p, i);
    pk_await(&p->jobs_done, jobs);
}

void pk_pool_run(pk_pool *p, int64_t tasks, pk_task fn, void *arg)
{
    if (!p || p->threads < 2 || tasks < 2 || in_task || !pk_pool_alive(p)) {
        for (int64_t task = 0; task < tasks; task++) fn(arg, task, CALLER);
        return;
    }
    await_turn(p);
    if (p->run_jobs) {
        run_borrowed(p, tasks, fn, arg);
    } else {
        open_round(p, tasks, fn, arg);
        take_tasks(p, CALLER);
        close_round(p);
    }
    end_turn(p);
}

/* Most waits are short. If the other thread was preempted, sched_yield lets it have this core. */
void pk_await(const atomic_int *count, int minimum)
{
    for (int i = 1; atomic_load_explicit(count, memory_order_acquire) < minimum; i++) {
        if (i % 1024) relax();
        else sched_yield();
    }
}
