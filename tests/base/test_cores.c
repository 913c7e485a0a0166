/* SPDX-License-Identifier: Apache-2.0
 * test_cores.c -- the number of usable cores: affinity and the quotas of control groups (cgroup v1 and v2); when it is
 * determined; and computing with fewer threads where the system refuses to create them. */
#include "tiny_bits.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/cores.h"
#include "core/train/trainer.h"

static char root[] = "/tmp/peft-cores-XXXXXX";

/* Writes a file below root; creates its parent folders. */
static void write_below_root(const char *path, const char *text)
{
    char full[300];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void remove_root(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

typedef struct file { const char *path, *text; } file;

/* The number of cores where /proc and /sys hold these files. */
static int cores_with(const file *files, size_t n)
{
    mkdir(root, 0755);
    for (size_t i = 0; i < n; i++) write_below_root(files[i].path, files[i].text);
    int cores = pf_usable_cores_below(root);
    remove_root();
    return cores;
}
#define CORES(...) cores_with((const file[]){ __VA_ARGS__ }, sizeof (const file[]){ __VA_ARGS__ } / sizeof(file))
#define GROUP "sys/fs/cgroup/"

START_TEST(quotas_of_control_groups_bound_the_number_of_cores)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    /* all: without a quota; two: with a quota between one and two cores, on this machine */
    const int all = CORES({ "proc/self/other", "" }), two = all < 2 ? all : 2;
    ck_assert_int_ge(all, 1);
    const file v2 = { "proc/self/cgroup", "0::/a/b\n" };
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "max 100000\n" }), all);
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "100000 100000\n" }), 1);
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "10000 100000\n" }), 1);
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "110000 100000\n" }), two);
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "9000000000000 100000\n" }), all);
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "max 100000\n" }, { GROUP "a/cpu.max", "50000 100000\n" }), 1);
    ck_assert_int_eq(CORES(v2, { GROUP "cpu.max", "100000 100000\n" }), 1);      /* as mounted in a container */
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "nonsense\n" }), all);
    ck_assert_int_eq(CORES(v2, { GROUP "a/b/cpu.max", "0 0\n" }), all);
    const file v1 = { "proc/self/cgroup", "5:memory:/m\n3:cpu,cpuacct:/x\n0::/\n" };
    ck_assert_int_eq(CORES(v1, { GROUP "cpu,cpuacct/x/cpu.cfs_quota_us", "100000\n" },
                           { GROUP "cpu,cpuacct/x/cpu.cfs_period_us", "100000\n" }), 1);
    ck_assert_int_eq(CORES(v1, { GROUP "cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n" },
                           { GROUP "cpu,cpuacct/x/cpu.cfs_period_us", "100000\n" }), all);
    ck_assert_int_eq(CORES(v1, { GROUP "cpu/cpu.cfs_quota_us", "25000\n" },
                           { GROUP "cpu/cpu.cfs_period_us", "50000\n" }), 1);
    ck_assert_int_eq(CORES(v1, { GROUP "memory/m/cpu.cfs_quota_us", "1\n" },
                           { GROUP "memory/m/cpu.cfs_period_us", "50000\n" }), all);
}
END_TEST

/* The process is pinned to one core after the context was created: a trainer created later uses one thread. */
START_TEST(cores_are_counted_when_a_trainer_is_created)
{
    cpu_set_t set;
    peft_context *ctx;
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    ctx = t.ctx;
    OK(peft_context_set_threads(ctx, 0));
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    int first = 0;
    while (!CPU_ISSET(first, &set)) first++;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    ck_assert_int_eq(sched_setaffinity(0, sizeof set, &set), 0);
    peft_trainer *r = tiny_trainer(t.model, "batch=1");
    ck_assert_int_eq(r->engine.threads, 1);
    ck_assert_ptr_null(r->engine.pool);
    peft_trainer_free(r);
    tiny_free(&t);
}
END_TEST

/* Replaces pthread_create: succeeds `allowed` times, then fails with the error `refusal`. */
enum { UNLIMITED = 1 << 30 };
static int allowed = UNLIMITED, refusal;
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return allowed-- > 0 ? real(thread, attributes, start, arg) : refusal;
}

static char last_log[300];
static void keep_log(int level, const char *message, void *user)
{
    (void)user;
    snprintf(last_log, sizeof last_log, "%d %s", level, message);
}

START_TEST(refused_threads_give_a_warning_and_the_same_bits)
{
    static const int refusals[] = { EAGAIN, EPERM };
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    OK(peft_context_set_log(t.ctx, keep_log, NULL, 1));
    tiny_bits bits[2] = { { 0 } };
    /* round 0: all threads start; 1 and 2: one and two start, then EAGAIN; 3 to 5: none, one and two, then EPERM */
    for (int round = 0; round < 6; round++) {
        char want[100];
        const int created = round < 3 ? round : round - 3, threads = created + 1;
        refusal = refusals[round / 3];
        allowed = round ? created : UNLIMITED;
        last_log[0] = 0;
        peft_session *s = tiny_session(t.model, "batch=4,threads=4");
        allowed = UNLIMITED;
        snprintf(want, sizeof want, "1 the system gave %d of 4 threads", threads);
        if (round) ck_assert_msg(strstr(last_log, want) != NULL, "'%s' lacks '%s'", last_log, want);
        else ck_assert_str_eq(last_log, "");
        tiny_batch b = tiny_first_batch(t.model, 4);
        peft_tensor *logits = tiny_tensor(t.ctx, PEFT_F32, 2, 4, (int)t.model->classes);
        OK(peft_session_predict(s, b.images, logits));
        tiny_bits_tensor(&bits[round > 0], "logits", logits);
        if (round) tiny_same(&bits[0], &bits[1], "a refused thread");
        peft_tensor_free(logits);
        tiny_batch_free(&b);
        peft_session_free(s);
    }
    tiny_bits_free(&bits[0]);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("cores", quotas_of_control_groups_bound_the_number_of_cores, cores_are_counted_when_a_trainer_is_created,
           refused_threads_give_a_warning_and_the_same_bits)
