/* SPDX-License-Identifier: Apache-2.0
 * test_cache_damage.c -- a feature cache's file that is damaged, cut short, full, unreadable or left by a killed
 * process costs time and never a wrong bit. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include "cache_bed.h"
#include "core/os/file.h"

/* --- damage ----------------------------------------------------------------------------------- */
START_TEST(cut_short_anywhere)
{
    const char *path = tiny_path("cut");
    tiny_bits plain = trained(&probe, "", NULL);
    same(&plain, trained(&probe, at(path, NULL), NULL), "made");
    contents whole = load(path);
    const size_t stride = (whole.size - HEADER) / SAMPLES;
    for (size_t n = 0; n < whole.size; n += n < HEADER + 40 ? 1 : 37) {
        double hits;
        store(path, whole.data, n);
        same(&plain, trained(&probe, at(path, NULL), &hits), "cut short");
        ck_assert(hits >= SAMPLES + (n < HEADER ? 0 : (double)((n - HEADER) / stride)));
        contents made = load(path);
        ck_assert_msg(made.size == whole.size && !memcmp(made.data, whole.data, whole.size), "cut at %zu", n);
        free(made.data);
    }
    free(whole.data);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

START_TEST(flipped_bits)
{
    const char *path = tiny_path("flip");
    tiny_bits plain = trained(&probe, "", NULL);
    same(&plain, trained(&probe, at(path, NULL), NULL), "made");
    contents whole = load(path);
    for (size_t n = 0; n < whole.size; n += n < HEADER ? 1 : 23) {
        whole.data[n] ^= (char)(1 << n % 8);
        store(path, whole.data, whole.size);
        if (n < HEADER) refused(&probe, at(path, NULL), PEFT_E_FORMAT, path);
        else same(&plain, trained(&probe, at(path, NULL), NULL), "flipped");
        whole.data[n] ^= (char)(1 << n % 8);
    }
    free(whole.data);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

/* Shortened and scribbled on while in use: such samples are computed again. */
START_TEST(damaged_in_use)
{
    const char *path = tiny_path("use");
    tiny_bits plain = trained(&probe, "", NULL), bits = { 0 };
    tiny t = tiny_make(&probe);
    peft_trainer *x = tiny_trainer(t.model, "batch=4,lr=1e-2,%s", at(path, NULL));
    for (int step = 0; step < 4; step++) {
        tiny_batch b = tiny_batch_make(t.model, 4, step % 2 * 4);
        if (step == 2) {
            int f = open(path, O_RDWR);
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

/* --- room and failing calls ------------------------------------------------------------------- */
START_TEST(limits)
{
    const char *path = tiny_path("limit");
    tiny_bits plain = trained(&probe, "", NULL);
    double hits;
    same(&plain, trained(&probe, at(path, "900"), &hits), "room for three");
    ck_assert(hits == 3);
    contents file = load(path);
    ck_assert_uint_le(file.size, 900);
    free(file.data);
    same(&plain, trained(&probe, at(path, "5000"), &hits), "more room");
    ck_assert(hits == 3 + SAMPLES);
    same(&plain, trained(&probe, at(path, "900"), &hits), "less room again");
    ck_assert(hits == 6);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

START_TEST(a_full_disk)
{
    const char *path = tiny_path("full");
    tiny_bits plain = trained(&probe, "", NULL);
    double hits;
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (rlim_t most = HEADER; most < 2000; most += 61) {
        unlink(path);
        small = (struct rlimit){ most, before.rlim_max };
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        same(&plain, trained(&probe, at(path, NULL), &hits), "full disk");
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        contents file = load(path);
        ck_assert((file.size - HEADER) % 256 == 0 || (file.size - HEADER) % 256 == 224);     /* whole records only */
        free(file.data);
        same(&plain, trained(&probe, at(path, NULL), &hits), "room again");
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 50, before.rlim_max }), 0);
    unlink(path);
    refused(&probe, at(path, NULL), PEFT_E_IO, "cannot be written");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    same(&plain, trained(&probe, at(path, NULL), &hits), "a torn header");
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

static int calls, fail_at, fail_as;
static int refuse(const char *call)
{
    (void)call;
    return calls++ == fail_at ? fail_as : 0;
}

START_TEST(every_system_call_fails_once)
{
    static const int errors[] = { EIO, ENOSPC, EINTR };
    const char *path = tiny_path("calls");
    tiny_bits plain = trained(&probe, "", NULL), bits = { 0 };
    int survived = 0;
    for (size_t e = 0; e < 3; e++)
        for (fail_at = 0; ; fail_at++) {
            if (fail_at % 2) unlink(path);                                   /* new files and filled ones */
            calls = 0, fail_as = errors[e];
            pf_file_fault = refuse;
            peft_status s = train(&probe, at(path, NULL), &bits, NULL);
            pf_file_fault = NULL;
            bool reached = calls > fail_at;
            if (s) ck_assert_msg(s == PEFT_E_IO && strstr(peft_last_error(), path), "%s", peft_last_error());
            else tiny_same(&plain, &bits, "a failed call");
            survived += !s && reached;
            same(&plain, trained(&probe, at(path, NULL), NULL), "after a failed call");
            if (!reached && fail_at % 2) break;
        }
    ck_assert_int_gt(survived, 60);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

START_TEST(memory_runs_out)
{
    char options[256];
    snprintf(options, sizeof options, "batch=2,threads=1,cache_type=f16,%s", at(tiny_path("memory"), "5000"));
    ck_assert_int_gt(failing_alloc_loop(life, options), 20);
    tiny_clean();
}
END_TEST

/* --- kill -9 ---------------------------------------------------------------------------------- */
enum { ROUNDS = 30, MANY = 400 };

/* Samples 0 .. MANY - 1, four at a time, from a file that may hold some of them. */
static void fill(peft_trainer *x, volatile int *steps)
{
    for (int i = 0; i < MANY; i += 4) {
        tiny_batch b = tiny_batch_make(x->model, 4, i);
        if (peft_trainer_backward(x, b.images, b.labels, b.ids)) _exit(1);
        if (steps) ++*steps;
        tiny_batch_free(&b);
    }
}

static tiny_bits filled(const char *options, double *known)
{
    tiny_bits bits = { 0 };
    tiny t = tiny_make(&probe);
    peft_trainer *x = tiny_trainer(t.model, "batch=4,%s", options);
    *known = peft_trainer_get(x, "cache_samples");
    fill(x, NULL);
    OK(peft_trainer_update(x));
    tiny_bits_training(&bits, x);
    peft_trainer_free(x);
    tiny_free(&t);
    return bits;
}

START_TEST(killed_while_filling)
{
    const char *path = tiny_path("kill"), *copy = tiny_path("copy");
    double known, partly = 0;
    tiny_bits plain = filled("threads=1", &known);
    volatile int *steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(steps != MAP_FAILED);
    uint32_t chance = 99;
    for (int round = 0; round < ROUNDS; round++) {
        *steps = 0;
        if (round % 3 == 0) unlink(path);                    /* each file is filled by up to three that are killed */
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
            tiny t = tiny_make(&probe);
            peft_trainer *x = tiny_trainer(t.model, "batch=4,%s", at(path, NULL));
            for (;;) fill(x, steps);
        }
        chance = chance * 1664525u + 1013904223u;
        long wait = 200000 + (long)(chance >> 8) % 4000000;                  /* 0.2 to 4 ms after the first step */
        while (!*steps && waitpid(child, NULL, WNOHANG) == 0) nanosleep(&(struct timespec){ 0, 100000 }, NULL);
        nanosleep(&(struct timespec){ 0, wait }, NULL);
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "round %d: the child failed", round);
        contents left = load(path);
        store(copy, left.data, left.size);
        tiny_bits bits = filled(at(copy, NULL), &known);     /* a copy: the next child goes on with the file itself */
        tiny_same(&plain, &bits, "killed while filling");
        ck_assert(known >= 4 * (*steps < MANY / 4 ? *steps : MANY / 4));     /* what a finished step kept is kept */
        partly += known > 0 && known < MANY;
        free(left.data);
    }
    ck_assert_msg(partly >= ROUNDS / 5, "%g files were partly filled: nothing was tested", partly);
    munmap((void *)(uintptr_t)steps, sizeof *steps);
    tiny_bits_free(&plain);
    tiny_clean();
}
END_TEST

SUITE_MAIN("cache_damage", cut_short_anywhere, flipped_bits, damaged_in_use, limits, a_full_disk,
           every_system_call_fails_once, memory_runs_out, killed_while_filling)
