/* SPDX-License-Identifier: Apache-2.0
 * test_fork.c -- a forked process goes on with what it inherited: loaders with threads, whatever those were doing, and
 * trainers with a cache file, whose lock is the parent's alone. */
#include "cache/cache_bed.h"
#include <peft/io.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 32, IMAGES = 40, BATCH = 4 };
static char folder[] = "/tmp/peft-fork-XXXXXX";

/* The context of all pictures, data sets and loaders. */
static peft_context *pictures(void)
{
    static peft_context *ctx;
    if (!ctx) OK(peft_context_create(NULL, NULL, NULL, &ctx));
    return ctx;
}

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
        OK(peft_image_from_buffer(pictures(), pixels, 60, 60, 1, 8, 0, &im));
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

static peft_loader *make_loader(const char *options)
{
    char path[100];
    peft_dataset *d;
    peft_transform *t;
    peft_loader *l;
    snprintf(path, sizeof path, "%s/list", folder);
    OK(peft_dataset_open_list(pictures(), path, NULL, 0, &d));
    OK(peft_transform_parse(pictures(), "size=32 flip=0.5", &t));
    OK(peft_loader_create(d, t, options, &l));
    peft_dataset_free(d);
    peft_transform_free(t);
    return l;
}

/* The sum of a batch's pixels, each with its place. */
static double read_one(peft_loader *l, int64_t epoch, int64_t number)
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

/* The child's exit status; one that hangs is killed by its alarm and gives -1. */
static int child_of(int (*work)(peft_loader *), peft_loader *l)
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
static int read_all(peft_loader *l)
{
    for (int64_t b = 0; b < IMAGES / BATCH; b++) if (read_one(l, 3, b) != expected[b]) return 1;
    peft_loader_free(l);
    return 0;
}

static int only_free(peft_loader *l)
{
    peft_loader_free(l);
    return 0;
}

/* The parent forks at any moment of its threads' work. */
START_TEST(loaders)
{
#ifdef __SANITIZE_ADDRESS__
    return;             /* a thread may hold a lock of the sanitizer's allocator at the fork, and the child waits for it */
#endif
    make_folder();
    peft_loader *alone = make_loader("batch=4 shuffle=true train=true seed=5");
    for (int64_t b = 0; b < IMAGES / BATCH; b++) expected[b] = read_one(alone, 3, b);
    peft_loader_free(alone);
    for (int round = 0; round < 20; round++) {
        peft_loader *l = make_loader(round % 2 ? "batch=4 shuffle=true train=true seed=5 threads=3"
                                               : "batch=4 shuffle=true train=true seed=5 threads=3 cache=0");
        if (round > 3) read_one(l, 2, round % (IMAGES / BATCH));
        ck_assert_int_eq(child_of(only_free, l), 0);
        ck_assert_int_eq(child_of(read_all, l), 0);
        for (int64_t b = 0; b < IMAGES / BATCH; b++) ck_assert(read_one(l, 3, b) == expected[b]);
        peft_loader_free(l);
    }
    remove_folder();
}
END_TEST

/* The child keeps what it inherited and lives on; the parent's next trainer may have the cache file. */
START_TEST(cache_file)
{
    char path[100];
    int go[2], status;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/cache", folder);
    tiny t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "layers=2" });
    peft_options *o = tiny_options(t.ctx, "batch=4,%s", at(path, NULL));
    peft_trainer *first, *second = NULL;
    OK(peft_trainer_create(t.model, o, &first));
    ck_assert_int_eq(pipe(go), 0);
    pid_t child = fork();
    if (!child) {
        char c;
        tiny_batch b = tiny_batch_make(t.model, 4, 0);
        peft_status s = peft_trainer_step(first, b.images, b.labels, b.ids);
        close(go[1]);
        _exit(read(go[0], &c, 1) < 0 || s);
    }
    tiny_batch b = tiny_batch_make(t.model, 4, 4);
    OK(peft_trainer_step(first, b.images, b.labels, b.ids));
    ck_assert_int_eq(peft_trainer_create(t.model, o, &second), PEFT_E_STATE);
    peft_trainer_free(first);
    ck_assert_msg(peft_trainer_create(t.model, o, &second) == PEFT_OK, "%s", peft_last_error());
    OK(peft_trainer_step(second, b.images, b.labels, b.ids));
    ck_assert(peft_trainer_get(second, "cache_hits") == 4);
    close(go[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
    tiny_batch_free(&b);
    peft_trainer_free(second);
    peft_options_free(o);
    tiny_free(&t);
    remove_folder();
}
END_TEST

SUITE_MAIN("fork", loaders, cache_file)
