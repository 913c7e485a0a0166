/* SPDX-License-Identifier: Apache-2.0
 * test_pools.c -- the thread pools: one for each session and trainer, one for a context, or the program's
 * (peft_context_set_pool). Results have the same bits; shared threads start once and end with their last user. Also run
 * with -fsanitize=thread. */
#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include "failing_alloc.h"
#include "tiny_bits.h"

enum { THREADS = 4 };

/* --- pools of a program -------------------------------------------------------------------------- */
/* A call job(arg, i) in a thread of its own. */
typedef struct { peft_job_fn job; void *arg; int i; } thread_job;

static void *run_thread_job(void *arg)
{
    const thread_job *e = arg;
#ifdef __x86_64__
    __builtin_ia32_ldmxcsr(0x7f80);                     /* a thread whose rounding mode is toward zero */
#endif
    e->job(e->arg, e->i);
    return NULL;
}

/* Functions for peft_context_set_pool; *user counts their calls or jobs. */
static void with_pthreads(peft_job_fn job, void *arg, int n, void *user)
{
    pthread_t thread[THREADS];
    thread_job e[THREADS];
    ck_assert_int_le(n, THREADS);
    for (int i = 0; i < n; i++) {
        e[i] = (thread_job){ job, arg, i };
        ck_assert_int_eq(pthread_create(&thread[i], NULL, run_thread_job, &e[i]), 0);
    }
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
    atomic_fetch_add((atomic_int *)user, n);
}

static void in_calling_thread(peft_job_fn job, void *arg, int n, void *user)
{
    for (int i = 0; i < n; i++) job(arg, i);
    atomic_fetch_add((atomic_int *)user, n);
}

static void in_reverse_order(peft_job_fn job, void *arg, int n, void *user)
{
    while (n-- > 0) job(arg, n);
    atomic_fetch_add((atomic_int *)user, 1);
}

/* Violates the contract: leaves jobs out, runs one twice, and job numbers that do not exist. */
static void with_wrong_jobs(peft_job_fn job, void *arg, int n, void *user)
{
    job(arg, -1);
    job(arg, n - 1);
    job(arg, n - 1);
    job(arg, THREADS);
    atomic_fetch_add((atomic_int *)user, 1);
}

/* --- the same bits ------------------------------------------------------------------------------- */
/* Adds the bits of a short training and a prediction to `bits`. */
static void record(const tiny *t, tiny_bits *bits)
{
    peft_trainer *r = tiny_trainer(t->model, "batch=4,lr=1e-2,clip_norm=1,threads=%d", THREADS);
    for (int i = 0; i < 2; i++) tiny_step(r, 4, 4 * i);
    tiny_step(r, 3, 8);
    tiny_bits_training(bits, r);
    tiny_bits_predict(bits, t->model, 2, THREADS);
    peft_trainer_free(r);
}

START_TEST(every_pool_gives_the_same_bits)
{
    static const struct { const char *name; int share; peft_pool_fn fn; } ways[] = {
        { "own threads", 0, NULL }, { "shared threads", 1, NULL }, { "threads of the program", 0, with_pthreads },
        { "threads of the program, shared", 1, with_pthreads }, { "the calling thread", 0, in_calling_thread },
        { "jobs in reverse order", 0, in_reverse_order }, { "jobs left out", 0, with_wrong_jobs } };
    static const char *const backbones[] = { TINY_BACKBONE, TINY_WIDE };
    static const char *const methods[] = { "ept", "full" };
    for (size_t i = 0; i < 2; i++) {
        tiny_bits expected = { 0 };                            /* of ways[0] */
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            atomic_int calls = 0;
            tiny_bits got = { 0 };
            tiny t = tiny_make(&(tiny_spec){ .backbone = backbones[i], .method = methods[i] });
            OK(peft_context_share_threads(t.ctx, ways[k].share));
            OK(peft_context_set_pool(t.ctx, ways[k].fn, &calls));
            record(&t, k == 0 ? &expected : &got);
            OK(peft_context_set_pool(t.ctx, NULL, NULL));
            OK(peft_context_share_threads(t.ctx, 0));
            tiny_free(&t);
            ck_assert_int_eq(calls > 0, ways[k].fn != NULL);
            if (k > 0) tiny_same(&expected, &got, ways[k].name);
        }
        tiny_bits_free(&expected);
    }
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept" });
    FAILS(PEFT_E_INVALID, "ctx is NULL", peft_context_share_threads(NULL, 1));
    FAILS(PEFT_E_INVALID, "share is 2", peft_context_share_threads(t.ctx, 2));
    FAILS(PEFT_E_INVALID, "share is -1", peft_context_share_threads(t.ctx, -1));
    FAILS(PEFT_E_INVALID, "ctx is NULL", peft_context_set_pool(NULL, in_calling_thread, NULL));
    tiny_free(&t);
}
END_TEST

/* --- several callers ----------------------------------------------------------------------------- */
typedef struct { peft_model *m; int number, rounds; tiny_bits bits; } caller;

/* Odd callers predict, even ones train. */
static void *predict_or_train(void *arg)
{
    caller *c = arg;
    peft_session *s = c->number % 2 ? tiny_session(c->m, "batch=3,threads=%d", THREADS) : NULL;
    peft_trainer *r = s ? NULL : tiny_trainer(c->m, "batch=3,lr=1e-2,threads=%d", THREADS);
    peft_tensor *logits = tiny_tensor(c->m->backbone->ctx, PEFT_F32, 2, 3, (int)c->m->classes);
    for (int i = 0; i < c->rounds; i++) {
        tiny_batch b = tiny_batch_make(c->m, 3, 10 * c->number + i);
        if (s) OK(peft_session_predict(s, b.images, logits));
        else OK(peft_trainer_step(r, b.images, b.labels, NULL));
        if (s) tiny_bits_tensor(&c->bits, "logits", logits);
        tiny_batch_free(&b);
    }
    if (r) tiny_bits_training(&c->bits, r);
    peft_tensor_free(logits);
    peft_trainer_free(r);
    peft_session_free(s);
    return NULL;
}

enum { CALLERS = 4, ROUNDS = 20 };
typedef enum { ONE_AFTER_THE_OTHER, TOGETHER } order;

/* Runs all callers; TOGETHER: each in its own thread, and they share the threads of the context. */
static void run_callers(caller *c, order how)
{
    pthread_t thread[CALLERS];
    tiny t[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        t[i] = tiny_make(&(tiny_spec){ .method = "ept" });
        c[i] = (caller){ .m = t[i].model, .number = i, .rounds = ROUNDS };
        OK(peft_context_share_threads(t[i].ctx, how == TOGETHER));
    }
    const size_t before = peft_context_memory_used(t[0].ctx);
    for (int i = 0; i < CALLERS; i++) {
        if (how == ONE_AFTER_THE_OTHER) predict_or_train(&c[i]);
        else ck_assert_int_eq(pthread_create(&thread[i], NULL, predict_or_train, &c[i]), 0);
    }
    for (int i = 0; i < CALLERS && how == TOGETHER; i++) pthread_join(thread[i], NULL);
    ck_assert_uint_eq(peft_context_memory_used(t[0].ctx), before);
    OK(peft_context_share_threads(t[0].ctx, 0));
    for (int i = 0; i < CALLERS; i++) tiny_free(&t[i]);
}

START_TEST(several_callers_share_threads)
{
    caller alone[CALLERS], together[CALLERS];
    for (int repetition = 0; repetition < 3; repetition++) {
        run_callers(alone, ONE_AFTER_THE_OTHER);
        run_callers(together, TOGETHER);
        for (int i = 0; i < CALLERS; i++) {
            tiny_same(&alone[i].bits, &together[i].bits, "shared threads");
            tiny_bits_free(&alone[i].bits);
        }
    }
}
END_TEST

/* --- lifetime ------------------------------------------------------------------------------------ */
/* The number of threads of this process. */
static int thread_count(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d)); ) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

START_TEST(threads_live_as_long_as_their_users)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .threads = THREADS });
    peft_session_free(tiny_session(t.model, "batch=1"));           /* a sanitizer starts its own thread here */
    const int before = thread_count();
    const size_t memory = peft_context_memory_used(t.ctx);
    peft_session *unshared = tiny_session(t.model, "batch=1");
    ck_assert_int_eq(thread_count(), before + THREADS - 1);
    OK(peft_context_share_threads(t.ctx, 1));
    peft_session *a = tiny_session(t.model, "batch=1");
    /* `unshared` was made before sharing and keeps its own threads */
    ck_assert_int_eq(thread_count(), before + 2 * (THREADS - 1));
    peft_session *b = tiny_session(t.model, "batch=2");
    peft_trainer *r = tiny_trainer(t.model, "batch=2");
    ck_assert_int_eq(thread_count(), before + 2 * (THREADS - 1));
    peft_session *two_threads = tiny_session(t.model, "threads=2"),
        *two_threads_again = tiny_session(t.model, "threads=2");
    ck_assert_int_eq(thread_count(), before + 2 * (THREADS - 1) + 1);
    peft_session_free(unshared);
    ck_assert_int_eq(thread_count(), before + THREADS - 1 + 1);
    peft_session_free(a);
    peft_session_free(two_threads);
    peft_trainer_free(r);
    ck_assert_int_eq(thread_count(), before + THREADS - 1 + 1);            /* b and two_threads_again use them */
    peft_session_free(two_threads_again);
    ck_assert_int_eq(thread_count(), before + THREADS - 1);
    peft_session_free(b);
    ck_assert_int_eq(thread_count(), before);
    ck_assert_uint_eq(peft_context_memory_used(t.ctx), memory);
    b = tiny_session(t.model, "batch=1");
    ck_assert_int_eq(thread_count(), before + THREADS - 1);
    peft_session_free(b);
    OK(peft_context_share_threads(t.ctx, 0));
    tiny_free(&t);
}
END_TEST

/* With a pool of the program the library starts no thread. */
START_TEST(a_pool_of_the_program_starts_no_thread)
{
    atomic_int calls = 0;
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .threads = THREADS });
    const int before = thread_count();
    OK(peft_context_set_pool(t.ctx, in_calling_thread, &calls));
    peft_session *s = tiny_session(t.model, "batch=1");
    ck_assert_int_eq(thread_count(), before);
    peft_session_free(s);
    ck_assert_int_eq(calls, 0);
    OK(peft_context_set_pool(t.ctx, NULL, NULL));
    tiny_free(&t);
}
END_TEST

/* Writes the logits of two images, three classes each. */
static void predict(const tiny *t, peft_session *s, float *to)
{
    tiny_batch b = tiny_first_batch(t->model, 2);
    peft_tensor *logits = tiny_tensor(t->ctx, PEFT_F32, 2, 2, 3);
    OK(peft_session_predict(s, b.images, logits));
    memcpy(to, peft_tensor_cdata(logits), 6 * sizeof *to);
    peft_tensor_free(logits);
    tiny_batch_free(&b);
}

/* A pool of the program; *user: its process. The library must not call the pool in a forked child, where the program's
 * threads do not exist. */
static void abort_in_child(peft_job_fn job, void *arg, int n, void *user)
{
    if (getpid() != *(pid_t *)user) abort();
    for (int i = 0; i < n; i++) job(arg, i);
}

/* In a forked child, sessions made before the fork compute in the calling thread, and new ones start threads. */
static void check_forked_child(const tiny *t)
{
    float expected[6], got[6];
    peft_session *s = tiny_session(t->model, "batch=2");
    predict(t, s, expected);
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        predict(t, s, got);
        bool good = !memcmp(expected, got, sizeof got);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)      /* they allow no threads after fork */
        OK(peft_context_set_pool(t->ctx, NULL, NULL));
        peft_session *new_session = tiny_session(t->model, "batch=2");
        good &= thread_count() == THREADS;
        predict(t, new_session, got);
        good &= !memcmp(expected, got, sizeof got);
        peft_session_free(s);
        predict(t, new_session, got);
        good &= !memcmp(expected, got, sizeof got);
        peft_session_free(new_session);
#endif
        _exit(good ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    predict(t, s, got);
    ck_assert(!memcmp(expected, got, sizeof got));
    peft_session_free(s);
}

START_TEST(a_forked_child_can_predict)
{
    pid_t parent = getpid();
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .threads = THREADS });
    OK(peft_context_share_threads(t.ctx, 1));
    check_forked_child(&t);
    OK(peft_context_set_pool(t.ctx, abort_in_child, &parent));
    check_forked_child(&t);
    OK(peft_context_set_pool(t.ctx, NULL, NULL));
    OK(peft_context_share_threads(t.ctx, 0));
    tiny_free(&t);
}
END_TEST

/* Creates two sessions with shared threads and frees all; for failing_alloc_loop. */
static peft_status create_and_free(peft_context *ctx, void *arg)
{
    peft_options *o = NULL;
    peft_backbone *b = NULL;
    peft_model *m = NULL;
    peft_session *s[2] = { NULL };
    (void)arg;
    peft_status status = peft_context_share_threads(ctx, 1);
    if (!status) status = peft_options_create(ctx, &o);
    if (!status) status = peft_options_parse(o, "image_size=8,patch=4,width=16,depth=1,heads=2,mlp=16,classes=3");
    if (!status) status = peft_backbone_create(ctx, o, &b);
    if (!status) status = peft_model_create(b, NULL, &m);
    peft_options_free(o);
    o = NULL;
    if (!status) status = peft_options_create(ctx, &o);
    if (!status) status = peft_options_parse(o, "threads=2");
    for (int i = 0; i < 2 && !status; i++) status = peft_session_create(m, o, &s[i]);
    for (int i = 0; i < 2; i++) peft_session_free(s[i]);
    peft_model_free(m);
    peft_backbone_free(b);
    peft_options_free(o);
    return status;
}

START_TEST(creation_survives_failing_allocations)
{
    ck_assert_int_gt(failing_alloc_loop(create_and_free, NULL), 10);
}
END_TEST

SUITE_MAIN("pools", every_pool_gives_the_same_bits, wrong_arguments_are_refused, several_callers_share_threads,
           threads_live_as_long_as_their_users, a_pool_of_the_program_starts_no_thread, a_forked_child_can_predict,
           creation_survives_failing_allocations)
