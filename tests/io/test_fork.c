/* SPDX-License-Identifier: Apache-2.0
 * test_fork.c -- objects in a forked child process: loaders with threads give the parent's batches, and a trainer goes
 * on while the lock of its feature-cache file stays with the parent. */
#include "cache/cache_fixture.h"
#include <peft/io.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 32, IMAGES = 40, BATCH = 4 };
static char folder[] = "/tmp/peft-fork-XXXXXX";

/* The context of all images, data sets and loaders. */
static peft_context *io_context(void)
{
    static peft_context *ctx;
    if (!ctx) OK(peft_context_create(NULL, NULL, NULL, &ctx));
    return ctx;
}

/* Makes `folder` with IMAGES images of two classes and a list file of them. */
static void make_folder(void)
{
    static uint8_t pixels[60 * 60];
    char path[100];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    FILE *list;
    snprintf(path, sizeof path, "%s/list", folder);
    ck_assert_ptr_nonnull(list = fopen(path, "w"));
    for (int i = 0; i < IMAGES; i++) {
        peft_image *im;
        for (size_t k = 0; k < sizeof pixels; k++) pixels[k] = (uint8_t)(k * 7 + (size_t)i * 31);
        OK(peft_image_from_buffer(io_context(), pixels, 60, 60, 1, 8, 0, &im));
        snprintf(path, sizeof path, "%s/%d.png", folder, i);
        OK(peft_image_save_png(im, path));
        peft_image_free(im);
        fprintf(list, "%d.png %d\n", i, i % 2);
    }
    fclose(list);
}

static void remove_folder(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A loader of the images of `folder`, which flips half of them in training. */
static peft_loader *make_loader(const char *options)
{
    char path[100];
    peft_dataset *d;
    peft_transform *t;
    peft_loader *l;
    snprintf(path, sizeof path, "%s/list", folder);
    OK(peft_dataset_open_list(io_context(), path, NULL, 0, &d));
    OK(peft_transform_parse(io_context(), "size=32 flip=0.5", &t));
    OK(peft_loader_create(d, t, options, &l));
    peft_dataset_free(d);
    peft_transform_free(t);
    return l;
}

/* A checksum of one batch: the sum of its values, each multiplied by its index (modulo 1009). */
static double batch_checksum(peft_loader *l, int64_t epoch, int64_t number)
{
    static float pixels[BATCH * 3 * SIZE * SIZE];
    const int64_t dims[] = { BATCH, 3, SIZE, SIZE };
    peft_context *ctx;
    peft_tensor *images;
    int64_t n;
    double sum = 0;
    OK(peft_context_create(NULL, NULL, NULL, &ctx));
    OK(peft_tensor_wrap(ctx, PEFT_F32, 4, dims, pixels, &images));
    OK(peft_loader_read(l, epoch, number, images, NULL, NULL, &n));
    ck_assert_int_eq(n, BATCH);
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++) sum += pixels[i] * (double)(i % 1009);
    peft_tensor_free(images);
    peft_context_free(ctx);
    return sum;
}

/* Runs work(l) in a forked child and returns its exit status; -1: a signal killed it, such as the alarm of a child that
 * hangs. */
static int exit_status_in_child(int (*work)(peft_loader *), peft_loader *l)
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        alarm(60);
        _exit(work(l));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static double expected[IMAGES / BATCH];
/* In the child: returns 0 if every batch of epoch 3 is the expected one. */
static int compare_all_batches(peft_loader *l)
{
    for (int64_t b = 0; b < IMAGES / BATCH; b++) if (batch_checksum(l, 3, b) != expected[b]) return 1;
    peft_loader_free(l);
    return 0;
}

static int free_loader(peft_loader *l)
{
    peft_loader_free(l);
    return 0;
}

/* The loader's threads are at work when the parent forks: the child can read every batch and free the loader. */
START_TEST(a_child_reads_and_frees_a_loader_with_threads)
{
#ifdef __SANITIZE_ADDRESS__
    /* a thread may hold a lock of the sanitizer's allocator at the fork, and the child would wait for it forever */
    return;
#endif
    make_folder();
    peft_loader *alone = make_loader("batch=4 shuffle=true train=true seed=5");
    for (int64_t b = 0; b < IMAGES / BATCH; b++) expected[b] = batch_checksum(alone, 3, b);
    peft_loader_free(alone);
    for (int round = 0; round < 20; round++) {
        peft_loader *l = make_loader(round % 2 ? "batch=4 shuffle=true train=true seed=5 threads=3"
                                               : "batch=4 shuffle=true train=true seed=5 threads=3 cache=0");
        if (round > 3) batch_checksum(l, 2, round % (IMAGES / BATCH));
        ck_assert_int_eq(exit_status_in_child(free_loader, l), 0);
        ck_assert_int_eq(exit_status_in_child(compare_all_batches, l), 0);
        for (int64_t b = 0; b < IMAGES / BATCH; b++) ck_assert(batch_checksum(l, 3, b) == expected[b]);
        peft_loader_free(l);
    }
    remove_folder();
}
END_TEST

/* The child continues to use its copy of the trainer; when the parent frees its own, a new trainer of the parent can
 * open the cache file although the child still runs. */
START_TEST(the_cache_file_lock_stays_with_the_parent)
{
    char path[100];
    int hold[2], status;                      /* a pipe: the child ends when the parent closes hold[1] */
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/cache", folder);
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "layers=2" });
    peft_options *o = tiny_options(t.ctx, "batch=4,%s", cache_at(path));
    peft_trainer *first, *second = NULL;
    OK(peft_trainer_create(t.model, o, &first));
    ck_assert_int_eq(pipe(hold), 0);
    pid_t child = fork();
    if (!child) {
        char c;
        tiny_batch b = tiny_first_batch(t.model, 4);
        peft_status s = peft_trainer_step(first, b.images, b.labels, b.ids);
        close(hold[1]);
        _exit(read(hold[0], &c, 1) < 0 || s);
    }
    tiny_batch b = tiny_batch_make(t.model, 4, 4);
    OK(peft_trainer_step(first, b.images, b.labels, b.ids));
    ck_assert_int_eq(peft_trainer_create(t.model, o, &second), PEFT_E_STATE);
    peft_trainer_free(first);
    ck_assert_msg(peft_trainer_create(t.model, o, &second) == PEFT_OK, "%s", peft_last_error());
    OK(peft_trainer_step(second, b.images, b.labels, b.ids));
    ck_assert(peft_trainer_get(second, "cache_hits") == 4);
    close(hold[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
    tiny_batch_free(&b);
    peft_trainer_free(second);
    peft_options_free(o);
    tiny_free(&t);
    remove_folder();
}
END_TEST

SUITE_MAIN("fork", a_child_reads_and_frees_a_loader_with_threads, the_cache_file_lock_stays_with_the_parent)
