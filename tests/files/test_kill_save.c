/* SPDX-License-Identifier: Apache-2.0
 * test_kill_save.c -- a process that is killed during peft_model_save leaves a file that loads: the last one saved or
 * the one being saved. */
#include "suite.h"
#include <peft/peft.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 50 };

/* Numbers of the last save that was begun and of the last that finished, in memory shared by parent and child. */
typedef struct progress { volatile int64_t begun, finished; } progress;

/* Sets all parameters to v. */
static void fill(peft_model *m, float v)
{
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        peft_tensor *t = peft_param_value(peft_model_param(m, i));
        float *x = peft_tensor_data(t);
        for (int64_t k = 0; k < peft_tensor_count(t); k++) x[k] = v;
    }
}

/* The value that all parameters have; -1 when they differ. */
static float value_of(peft_model *m)
{
    const float *first = peft_tensor_cdata(peft_param_value(peft_model_param(m, 0)));
    for (size_t i = 0; i < peft_model_param_count(m); i++) {
        const peft_tensor *t = peft_param_value(peft_model_param(m, i));
        const float *x = peft_tensor_cdata(t);
        for (int64_t k = 0; k < peft_tensor_count(t); k++)
            if (x[k] != *first) return -1;
    }
    return *first;
}

/* Saves endlessly; in save number n all parameters are n. */
static void save_endlessly(peft_model *m, const char *path, progress *p)
{
    for (;;) {
        p->begun = p->finished + 1;
        fill(m, (float)p->begun);
        if (peft_model_save(m, path)) _exit(1);
        p->finished = p->begun;
    }
}

/* A model with EPT on a new backbone *vit. */
static peft_model *make_model(peft_context *ctx, peft_backbone **vit)
{
    peft_options *o;
    peft_adapter *a;
    peft_model *m;
    ck_assert_int_eq(peft_options_create(ctx, &o), PEFT_OK);
    ck_assert_int_eq(peft_options_parse(o, "image_size=32,patch=8,width=32,depth=2,heads=2,mlp=64,seed=1"), PEFT_OK);
    ck_assert_msg(peft_backbone_create(ctx, o, vit) == PEFT_OK, "%s", peft_last_error());
    peft_options_free(o);
    ck_assert_msg(peft_adapter_create(*vit, "ept", NULL, &a) == PEFT_OK, "%s", peft_last_error());
    ck_assert_int_eq(peft_options_create(ctx, &o), PEFT_OK);
    ck_assert_int_eq(peft_options_set_int(o, "classes", 3), PEFT_OK);
    ck_assert_msg(peft_model_create(*vit, o, &m) == PEFT_OK, "%s", peft_last_error());
    ck_assert_int_eq(peft_model_attach(m, a), PEFT_OK);
    peft_options_free(o);
    peft_adapter_free(a);
    return m;
}

START_TEST(the_file_always_holds_one_whole_save)
{
    char folder[] = "/tmp/peft_kill_XXXXXX", path[64], command[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    peft_context *ctx;
    peft_backbone *vit;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_int_eq(peft_context_set_threads(ctx, 1), PEFT_OK);
    peft_model *m = make_model(ctx, &vit), *loaded;
    fill(m, 0);
    ck_assert_msg(peft_model_save(m, path) == PEFT_OK, "%s", peft_last_error());

    uint32_t random = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) save_endlessly(m, path, p);
        random = random * 1664525u + 1013904223u;             /* a linear congruential generator */
        /* waits up to 20 ms */
        nanosleep(&(struct timespec){ 0, 1000 + (long)(random >> 8) % 20000000 }, NULL);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "round %d: a save failed", round);

        ck_assert_msg(peft_model_load(vit, path, &loaded) == PEFT_OK, "round %d: %s", round, peft_last_error());
        int64_t v = (int64_t)value_of(loaded);
        ck_assert_msg(v == p->begun || v == p->finished, "round %d: the file holds save %lld, expected %lld or %lld",
                      round, (long long)v, (long long)p->finished, (long long)p->begun);
        peft_model_free(loaded);
        p->begun = p->finished = v;
    }
    ck_assert_msg(p->finished > ROUNDS / 5, "only %lld saves in all rounds", (long long)p->finished);

    peft_model_free(m);
    peft_backbone_free(vit);
    peft_context_free(ctx);
    munmap(p, sizeof *p);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

SUITE_MAIN("kill_save", the_file_always_holds_one_whole_save)
