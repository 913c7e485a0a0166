/* SPDX-License-Identifier: Apache-2.0
 * test_cache_damage.c -- cache files that are damaged, cut short, at their limit, unreadable or left by a killed
 * process: training recomputes what is missing and ends with the same bits; a damaged header is refused. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include "cache_fixture.h"
#include "core/os/file.h"

/* --- damage ----------------------------------------------------------------------------------- */
START_TEST(a_file_cut_anywhere_is_completed_again)
{
    const char *path = tiny_path("cut");
    tiny_bits plain = trained(&linear_probe, "");
    same(&plain, trained(&linear_probe, cache_at(path)), "made");
    contents whole = read_file(path);
    const size_t stride = (whole.size - HEADER) / SAMPLES;
    for (size_t n = 0; n < whole.size; n += n < HEADER + 40 ? 1 : 37) {      /* after the header only every 37th byte */
        double hits;
        write_file(path, whole.data, n);
        same(&plain, trained_hits(&linear_probe, cache_at(path), &hits), "cut short");
        /* hits: the records that are whole, and all samples in the second epoch */
        ck_assert(hits >= SAMPLES + (n < HEADER ? 0 : (double)((n - HEADER) / stride)));
        contents made = read_file(path);
        ck_assert_msg(made.size == whole.size && !memcmp(made.data, whole.data, whole.size),
                      "the file cut at byte %zu differs", n);
        free(made.data);
    }
    free(whole.data);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

START_TEST(flipped_bits_are_detected)
{
    const char *path = tiny_path("flip");
    tiny_bits plain = trained(&linear_probe, "");
    same(&plain, trained(&linear_probe, cache_at(path)), "made");
    contents whole = read_file(path);
    for (size_t n = 0; n < whole.size; n += n < HEADER ? 1 : 23) {
        whole.data[n] ^= (char)(1 << n % 8);
        write_file(path, whole.data, whole.size);
        if (n < HEADER) refused(&linear_probe, cache_at(path), PEFT_E_FORMAT, path);
        else same(&plain, trained(&linear_probe, cache_at(path)), "flipped");
        whole.data[n] ^= (char)(1 << n % 8);
    }
    free(whole.data);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

/* The file is overwritten in part and truncated between two steps. */
START_TEST(samples_damaged_during_training_are_recomputed)
{
    const char *path = tiny_path("use");
    tiny_bits plain = trained(&linear_probe, ""), bits = { 0 };
    tiny t = tiny_make(&linear_probe);
    peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2,%s", cache_at(path));
    for (int step = 0; step < 4; step++) {
        tiny_batch b = tiny_batch_make(t.model, 4, step % 2 * 4);
        if (step == 2) {
            int f = open(path, O_RDWR);
            /* a record takes 256 bytes: sample 0 is damaged, 1 whole, 2 cut, the others are gone */
            ck_assert(pwrite(f, "damage", 6, HEADER + 50) == 6 && !ftruncate(f, HEADER + 600));
            close(f);
            FAILS(PEFT_E_NOTFOUND, "id 0 ", peft_trainer_step(x, NULL, b.labels, b.ids));
        }
        OK(peft_trainer_step(x, b.images, b.labels, b.ids));
        tiny_batch_free(&b);
    }
    tiny_bits_training(&bits, x);
    tiny_same(&plain, &bits, "damaged in use");
    tiny_bits_free(&plain);
    peft_trainer_free(x);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* --- limits and failing system calls ------------------------------------------------------------ */
/* A header of 128 bytes and three records of 256 take 896. */
START_TEST(a_limit_of_bytes_bounds_the_file)
{
    const char *path = tiny_path("limit");
    tiny_bits plain = trained(&linear_probe, "");
    double hits;
    same(&plain, trained_hits(&linear_probe, cache_with(path, "900"), &hits), "limit of three samples");
    ck_assert(hits == 3);
    contents file = read_file(path);
    ck_assert_uint_le(file.size, 900);
    free(file.data);
    same(&plain, trained_hits(&linear_probe, cache_with(path, "5000"), &hits), "higher limit");
    ck_assert(hits == 3 + SAMPLES);
    same(&plain, trained_hits(&linear_probe, cache_with(path, "900"), &hits), "lower limit again");
    ck_assert(hits == 6);                                    /* the first three records, in both epochs */
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

START_TEST(training_goes_on_when_the_disk_is_full)
{
    /* A sample's record: 32 bytes and 48 features, padded to a multiple of 64 bytes. The last one in the file may be
     * without padding. */
    enum { RECORD = 32 + 48 * 4, STRIDE = 256 };
    const char *path = tiny_path("full");
    tiny_bits plain = trained(&linear_probe, "");
    double hits;
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (rlim_t limit = HEADER; limit < 2000; limit += 61) {
        unlink(path);
        small = (struct rlimit){ limit, before.rlim_max };
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        same(&plain, trained_hits(&linear_probe, cache_at(path), &hits), "full disk");
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        contents file = read_file(path);
        const size_t rest = (file.size - HEADER) % STRIDE;
        ck_assert(rest == 0 || rest == RECORD);              /* whole records only */
        free(file.data);
        same(&plain, trained_hits(&linear_probe, cache_at(path), &hits), "disk no longer full");
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 50, before.rlim_max }), 0);
    unlink(path);
    refused(&linear_probe, cache_at(path), PEFT_E_IO, "cannot be written");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    same(&plain, trained_hits(&linear_probe, cache_at(path), &hits), "an incomplete header");
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

/* pf_file_fault calls this before every system call on files. Call number fail_at fails with the errno fail_errno. */
static int calls, fail_at, fail_errno;
static int fail_call(const char *call)
{
    (void)call;
    return calls++ == fail_at ? fail_errno : 0;
}

START_TEST(a_failing_system_call_changes_no_bit)
{
    static const int errors[] = { EIO, ENOSPC, EINTR };
    const char *path = tiny_path("calls");
    tiny_bits plain = trained(&linear_probe, ""), bits = { 0 };
    int survived = 0;
    for (size_t e = 0; e < 3; e++)
        for (fail_at = 0; ; fail_at++) {
            if (fail_at % 2) unlink(path);                   /* odd calls: on a new file; even: on a filled one */
            calls = 0, fail_errno = errors[e];
            pf_file_fault = fail_call;
            peft_status s = train(&linear_probe, cache_at(path), &bits, NULL);
            pf_file_fault = NULL;
            bool reached = calls > fail_at;
            if (s) ck_assert_msg(s == PEFT_E_IO && strstr(peft_last_error(), path), "%s", peft_last_error());
            else tiny_same(&plain, &bits, "a failed call");
            survived += !s && reached;
            same(&plain, trained(&linear_probe, cache_at(path)), "after a failed call");
            if (!reached && fail_at % 2) break;
        }
    ck_assert_int_gt(survived, 60);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

START_TEST(failed_allocations_leak_nothing)
{
    char options[256];
    snprintf(options, sizeof options, "batch=2,threads=1,cache_type=f16,%s", cache_with(tiny_path("memory"), "5000"));
    ck_assert_int_gt(failing_alloc_loop(train_in_context, options), 20);
    tiny_clean();
}
END_TEST

/* --- processes killed by SIGKILL ---------------------------------------------------------------- */
enum { ROUNDS = 30, MANY = 400 };

/* Runs samples 0 .. MANY - 1, four a batch, through the trainer; counts finished batches in *steps (unless NULL). */
static void train_on_many(peft_trainer *x, volatile int *steps)
{
    for (int i = 0; i < MANY; i += 4) {
        tiny_batch b = tiny_batch_make(x->model, 4, i);
        if (peft_trainer_backward(x, b.images, b.labels, b.ids)) _exit(1);
        if (steps) ++*steps;
        tiny_batch_free(&b);
    }
}

/* Fills a cache and records the state; *known: samples that the file held before. */
static tiny_bits trained_on_many(const char *options, double *known)
{
    tiny_bits bits = { 0 };
    tiny t = tiny_make(&linear_probe);
    peft_trainer *x = tiny_trainer(t.model, "batch=4,%s", options);
    *known = peft_trainer_get(x, "cache_samples");
    train_on_many(x, NULL);
    OK(peft_trainer_update(x));
    tiny_bits_training(&bits, x);
    peft_trainer_free(x);
    tiny_free(&t);
    return bits;
}

START_TEST(a_file_left_by_a_killed_process_is_valid)
{
    const char *path = tiny_path("kill"), *copy = tiny_path("copy");
    double known, partly_filled = 0;
    tiny_bits plain = trained_on_many("threads=1", &known);
    volatile int *steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(steps != MAP_FAILED);
    uint32_t chance = 99;
    for (int round = 0; round < ROUNDS; round++) {
        *steps = 0;
        if (round % 3 == 0) unlink(path);                    /* three processes after another fill one file */
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
            tiny t = tiny_make(&linear_probe);
            peft_trainer *x = tiny_trainer(t.model, "batch=4,%s", cache_at(path));
            for (;;) train_on_many(x, steps);
        }
        chance = chance * 1664525u + 1013904223u;
        long wait = 200000 + (long)(chance >> 8) % 4000000;                  /* 0.2 to 4.2 ms after the first step */
        while (!*steps && waitpid(child, NULL, WNOHANG) == 0) nanosleep(&(struct timespec){ 0, 100000 }, NULL);
        nanosleep(&(struct timespec){ 0, wait }, NULL);
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "round %d: the child failed", round);
        contents left = read_file(path);
        write_file(copy, left.data, left.size);
        /* a copy, because the next process goes on with the file itself */
        tiny_bits bits = trained_on_many(cache_at(copy), &known);
        tiny_same(&plain, &bits, "killed while filling");
        ck_assert(known >= 4 * (*steps < MANY / 4 ? *steps : MANY / 4));     /* all finished steps are in the file */
        partly_filled += known > 0 && known < MANY;
        free(left.data);
    }
    ck_assert_msg(partly_filled >= ROUNDS / 5, "only %g files were partly filled", partly_filled);
    munmap((void *)(uintptr_t)steps, sizeof *steps);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

SUITE_MAIN("cache_damage", a_file_cut_anywhere_is_completed_again, flipped_bits_are_detected,
           samples_damaged_during_training_are_recomputed, a_limit_of_bytes_bounds_the_file,
           training_goes_on_when_the_disk_is_full, a_failing_system_call_changes_no_bit,
           failed_allocations_leak_nothing, a_file_left_by_a_killed_process_is_valid)
