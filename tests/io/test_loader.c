/* SPDX-License-Identifier: Apache-2.0
 * test_loader.c -- batches of a loader: equal for any number of threads and cache size; every sample once an epoch,
 * with another order and other augmentations in the next; targets, ids, random access, unreadable files, refused
 * input. */
#include "io_files.h"
#include <stdbool.h>
#include <peft/io.h>

enum { SIZE = 8, IMAGE = 3 * SIZE * SIZE, SAMPLES = 23 };

/* A list of SAMPLES images of three classes; every second image is grey. */
static peft_dataset *make_set(void)
{
    char name[40], list[1000] = "";
    peft_dataset *d;
    for (int i = 0; i < SAMPLES; i++) {
        snprintf(name, sizeof name, "i%d.png", i);
        save_picture(in_folder(name), 11, 9 + i % 3, i % 2 ? 1 : 3, (unsigned)i);
        sprintf(list + strlen(list), "i%d.png %d\n", i, i % 3);
    }
    write_bytes(in_folder("list"), list, strlen(list));
    ok(peft_dataset_open_list(io_ctx, in_folder("list"), NULL, 0, &d));
    return d;
}

static peft_transform *make_transform(const char *more)
{
    char text[200];
    peft_transform *t;
    snprintf(text, sizeof text, "size=%d %s", SIZE, more);
    ok(peft_transform_parse(io_ctx, text, &t));
    return t;
}

static peft_loader *make_loader(const char *options)
{
    peft_dataset *d = make_set();
    peft_transform *t = make_transform("random_crop=true flip=0.5");
    peft_loader *l;
    ok(peft_loader_create(d, t, options, &l));
    peft_dataset_free(d);                                                     /* the loader keeps both alive */
    peft_transform_free(t);
    return l;
}

typedef struct batch { peft_context *ctx; peft_tensor *images, *labels; int64_t id[32]; } batch;

/* A batch without labels. */
static batch make_images(int64_t size)
{
    batch b = { 0 };
    ok(peft_context_create(NULL, NULL, NULL, &b.ctx));
    ok(peft_tensor_create(b.ctx, PEFT_F32, 4, (const int64_t[]){ size, 3, SIZE, SIZE }, &b.images));
    return b;
}

/* A batch with class labels [size]. */
static batch make_batch(int64_t size)
{
    batch b = make_images(size);
    ok(peft_tensor_create(b.ctx, PEFT_I64, 1, &size, &b.labels));
    return b;
}

/* A batch with targets [size, classes]. */
static batch make_target_batch(int64_t size, int64_t classes)
{
    batch b = make_images(size);
    ok(peft_tensor_create(b.ctx, PEFT_F32, 2, (const int64_t[]){ size, classes }, &b.labels));
    return b;
}

static void free_batch(batch *b)
{
    peft_tensor_free(b->images);
    peft_tensor_free(b->labels);
    peft_context_free(b->ctx);
}

/* Two epochs: images [2, SAMPLES, IMAGE], ids (as peft_loader_samples gives them) and labels [2, SAMPLES]. */
typedef struct record { float images[2 * SAMPLES * IMAGE]; int64_t id[2 * SAMPLES], label[2 * SAMPLES]; } record;

/* AUGMENTED: the transform draws random values, so that peft_loader_next gives id -1 for every sample. */
typedef enum { PLAIN, AUGMENTED } inputs;

/* Reads two epochs with peft_loader_next. */
static void run_epochs(peft_loader *l, record *r, inputs of)
{
    batch b = make_batch(peft_loader_batch_size(l));
    int64_t done = 0;
    for (int epoch = 0; epoch < 2; epoch++) {
        int64_t n, listed, steps = 0;
        while ((n = peft_loader_next(epoch, steps, b.images, b.labels, b.id, l)) > 0) {
            ck_assert_int_le(done + n, 2 * SAMPLES);
            memcpy(r->images + done * IMAGE, peft_tensor_cdata(b.images), (size_t)(n * IMAGE) * sizeof(float));
            memcpy(r->label + done, peft_tensor_cdata(b.labels), (size_t)n * sizeof(int64_t));
            ok(peft_loader_samples(l, epoch, steps, r->id + done, &listed));
            ck_assert_int_eq(listed, n);
            for (int64_t k = 0; k < n; k++) ck_assert(b.id[k] == (of == AUGMENTED ? -1 : r->id[done + k]));
            done += n;
            steps++;
        }
        ck_assert_int_eq(n, 0);
        ck_assert_int_eq(steps, peft_loader_batches(l));
        ck_assert_int_eq(done, (epoch + 1) * SAMPLES);
    }
    free_batch(&b);
}

START_TEST(threads_and_cache_change_no_bit)
{
    static record first, other;
    static const char *const options[] = { "threads=1", "threads=2 cache=0", "threads=5 cache=2000", "cache=0",
                                           "threads=16" };
    peft_loader *l = make_loader("batch=5 shuffle=true train=true seed=9");
    run_epochs(l, &first, AUGMENTED);
    peft_loader_free(l);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char text[100];
        snprintf(text, sizeof text, "batch=5 shuffle=true train=true seed=9 %s", options[i]);
        l = make_loader(text);
        run_epochs(l, &other, AUGMENTED);
        ck_assert_msg(!memcmp(&first, &other, sizeof first), "options '%s' give other batches", options[i]);
        peft_loader_free(l);
    }
    l = make_loader("batch=5 shuffle=true train=true seed=10");
    run_epochs(l, &other, AUGMENTED);
    ck_assert(memcmp(first.id, other.id, sizeof first.id));
    peft_loader_free(l);
}
END_TEST

/* The sum over the inputs of all samples of two epochs. unlinked: the files are removed after the first. */
static double sum_of_epochs(peft_dataset *d, const char *options, bool unlinked)
{
    batch b = make_images(4);
    double sum = 0;
    peft_loader *l;
    peft_transform *t = make_transform("flip=0.5 brightness=0.2 contrast=0.3 pad=1 erase=0.5");
    ok(peft_loader_create(d, t, options, &l));
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        for (int64_t k = 0, n; ; k++) {
            ok(peft_loader_read(l, epoch, k, b.images, NULL, NULL, &n));
            if (!n) break;
            for (int64_t i = 0; i < n * IMAGE; i++) sum += (double)(i + 1) * ((float *)peft_tensor_data(b.images))[i];
        }
        for (int64_t i = 0; unlinked && i < peft_dataset_count(d); i++) remove(peft_dataset_name(d, i));
    }
    peft_loader_free(l);
    peft_transform_free(t);
    free_batch(&b);
    return sum;
}

/* 10 pictures of 120 kB when decoded: all fit in a cache of 8 kB after they are resized, so that the second epoch reads
 * no file. */
START_TEST(the_cache_holds_resized_images)
{
    char name[40], list[400] = "";
    peft_dataset *d;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "large%d.png", i);
        save_picture(in_folder(name), 200, 200, 3, (unsigned)i);
        sprintf(list + strlen(list), "large%d.png 0\n", i);
    }
    write_bytes(in_folder("large"), list, strlen(list));
    ok(peft_dataset_open_list(io_ctx, in_folder("large"), NULL, 0, &d));
    const double not_cached = sum_of_epochs(d, "batch=4 train=true cache=0", false);
    ck_assert(not_cached == sum_of_epochs(d, "batch=4 train=true cache=8000", false));
    ck_assert(not_cached == sum_of_epochs(d, "batch=4 train=true cache=8000 threads=2", true));
    peft_dataset_free(d);
}
END_TEST

START_TEST(an_epoch_has_every_sample_once_in_a_new_order)
{
    static record r;
    int times[2][SAMPLES] = { { 0 } }, moved = 0, changed = 0;
    peft_loader *l = make_loader("batch=4 shuffle=true train=true threads=2");
    run_epochs(l, &r, AUGMENTED);
    for (int e = 0; e < 2; e++)
        for (int k = 0; k < SAMPLES; k++) {
            int64_t id = r.id[e * SAMPLES + k];
            times[e][id]++;
            ck_assert_int_eq(r.label[e * SAMPLES + k], id % 3);
            /* changed: the sample's image differs in epoch 1; moved: another sample has its place there */
            for (int j = 0; e == 0 && j < SAMPLES; j++)
                if (r.id[SAMPLES + j] == id)
                    changed += memcmp(r.images + k * IMAGE, r.images + (SAMPLES + j) * IMAGE, IMAGE * 4) != 0;
            moved += e == 0 && id != r.id[SAMPLES + k];
        }
    for (int i = 0; i < 2 * SAMPLES; i++) ck_assert_int_eq(times[i / SAMPLES][i % SAMPLES], 1);
    ck_assert_int_gt(moved, SAMPLES / 2);
    ck_assert_int_eq(changed, SAMPLES);
    peft_loader_free(l);
}
END_TEST

/* peft_loader_next gives the id of a sample if its input is equal in every epoch, and -1 if augmentation changes it. */
START_TEST(ids_are_given_only_without_augmentation)
{
    static const struct { const char *transform, *loader; bool constant; } cases[] = {
        { "", "train=true", true }, { "flip=0.5", "train=false", true }, { "flip=0.5", "train=true", false },
        { "random_crop=true", "train=true", false }, { "brightness=0.1", "train=true", false },
        { "contrast=0.1", "train=true", false }, { "saturation=0.1", "train=true", false },
        { "pad=1", "train=true", false }, { "erase=0.1", "train=true", false } };
    peft_dataset *d = make_set();
    batch b = make_batch(8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peft_transform *t = make_transform(cases[i].transform);
        peft_loader *l;
        char text[60];
        snprintf(text, sizeof text, "batch=8 %s", cases[i].loader);
        ok(peft_loader_create(d, t, text, &l));
        ck_assert_int_eq(peft_loader_next(0, 0, b.images, b.labels, b.id, l), 8);
        for (int64_t k = 0; k < 8; k++)
            ck_assert_msg(b.id[k] == (cases[i].constant ? k : -1), "transform '%s', loader '%s': id %d",
                          cases[i].transform, text, (int)b.id[k]);
        peft_loader_free(l);
        peft_transform_free(t);
    }
    free_batch(&b);
    peft_dataset_free(d);
}
END_TEST

/* Without shuffle and train every epoch has the data set's order and the transform without augmentation. */
START_TEST(evaluation_batches_equal_the_transform_of_each_image)
{
    static record r;
    peft_dataset *d = make_set();
    peft_transform *t = make_transform("random_crop=true flip=1");
    peft_loader *l;
    ok(peft_loader_create(d, t, "batch=7 threads=1", &l));
    run_epochs(l, &r, PLAIN);
    for (int64_t k = 0; k < 2 * SAMPLES; k++) {
        peft_image *im;
        float want[IMAGE];
        ck_assert_int_eq(r.id[k], k % SAMPLES);
        ok(peft_dataset_load(d, k % SAMPLES, &im));
        ok(peft_transform_apply(t, im, want));
        ck_assert_mem_eq(r.images + k * IMAGE, want, sizeof want);
        peft_image_free(im);
    }
    peft_loader_free(l);
    peft_dataset_free(d);
    peft_transform_free(t);
}
END_TEST

START_TEST(any_batch_can_be_read_in_any_order)
{
    int64_t n, id[5], again[5];
    peft_loader *l = make_loader("batch=5 shuffle=true threads=2");
    batch b = make_batch(5);
    ck_assert_int_eq(peft_loader_batches(l), 5);
    ok(peft_loader_read(l, 3, 2, b.images, b.labels, id, &n));                /* epoch 3, batch 2 */
    ck_assert_int_eq(n, 5);
    ok(peft_loader_read(l, 0, 4, b.images, NULL, NULL, &n));
    ck_assert_int_eq(n, 3);
    ok(peft_loader_read(l, 0, 5, b.images, NULL, NULL, &n));
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(peft_loader_next(3, 2, b.images, b.labels, again, l), 5);
    ck_assert_mem_eq(id, again, sizeof id);
    fails(PEFT_E_INVALID, "epoch -1", peft_loader_read(l, -1, 0, b.images, NULL, NULL, &n));
    fails(PEFT_E_INVALID, "at most epoch", peft_loader_read(l, INT64_MAX, 0, b.images, NULL, NULL, &n));
    ok(peft_loader_read(l, 1000000000000000, 4, b.images, NULL, NULL, &n));
    ck_assert_int_eq(peft_loader_next(0, 5, b.images, b.labels, again, l), 0);
    ck_assert_int_eq(peft_loader_next(3, 2, b.images, b.labels, again, l), 5);
    ck_assert_mem_eq(id, again, sizeof id);                                   /* calls do not depend on earlier calls */
    ck_assert_int_eq(peft_loader_next(0, -1, b.images, b.labels, again, l), -1);
    peft_loader_free(l);
    l = make_loader("batch=5 drop_last=true");
    ck_assert_int_eq(peft_loader_batches(l), 4);
    ok(peft_loader_read(l, 0, 4, b.images, NULL, NULL, &n));
    ck_assert_int_eq(n, 0);
    peft_loader_free(l);
    free_batch(&b);
}
END_TEST

START_TEST(float_labels_receive_one_hot_or_multilabel_targets)
{
    peft_dataset *d = make_set(), *multilabel, *part;
    peft_transform *t = make_transform("");
    peft_loader *l;
    batch b = make_target_batch(4, 3), labels = make_batch(4);
    ok(peft_dataset_subset(d, (const int64_t[]){ 20, 4, 0 }, 3, &part));
    ok(peft_loader_create(part, t, "batch=4", &l));
    ck_assert_int_eq(peft_loader_next(0, 0, b.images, b.labels, b.id, l), 3);
    ck_assert_int_eq(b.id[0], 20);                                       /* the index in the data set that was opened */
    ck_assert_mem_eq(peft_tensor_cdata(b.labels), ((float[]){ 0, 0, 1, 0, 1, 0, 1, 0, 0 }), 9 * sizeof(float));
    peft_loader_free(l);
    write_bytes(in_folder("multi"), "i3.png 0,1,1\n", 13);
    ok(peft_dataset_open_list(io_ctx, in_folder("multi"), NULL, 0, &multilabel));
    ok(peft_loader_create(multilabel, t, "batch=1", &l));
    ck_assert_int_eq(peft_loader_next(0, 0, b.images, b.labels, NULL, l), 1);
    ck_assert_mem_eq(peft_tensor_cdata(b.labels), ((float[]){ 0, 1, 1 }), 3 * sizeof(float));
    ck_assert_int_eq(peft_loader_next(0, 1, b.images, NULL, NULL, l), 0);
    ck_assert_int_eq(peft_loader_next(0, 0, labels.images, labels.labels, NULL, l), -1);
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "f32 targets"));
    peft_loader_free(l);
    peft_dataset_free(multilabel);
    peft_dataset_free(part);
    peft_dataset_free(d);
    peft_transform_free(t);
    free_batch(&b);
    free_batch(&labels);
}
END_TEST

/* For any number of threads the error names the first unreadable file; when the file is replaced, the batch is read. */
START_TEST(an_unreadable_file_is_named_and_can_be_replaced)
{
    for (int threads = 0; threads < 4; threads++) {
        char options[40];
        peft_dataset *d = make_set();
        peft_transform *t = make_transform("");
        peft_loader *l;
        batch b = make_batch(6);
        snprintf(options, sizeof options, "batch=6,threads=%d", threads);
        write_bytes(in_folder("i8.png"), "broken", 6);
        write_bytes(in_folder("i10.png"), "broken", 6);
        ok(peft_loader_create(d, t, options, &l));
        ck_assert_int_eq(peft_loader_next(0, 0, b.images, b.labels, b.id, l), 6);
        for (int again = 0; again < 2; again++) {
            ck_assert_int_eq(peft_loader_next(0, 1, b.images, b.labels, b.id, l), -1);
            ck_assert_ptr_nonnull(strstr(peft_last_error(), "i8.png"));
        }
        save_picture(in_folder("i8.png"), 5, 5, 1, 1);
        save_picture(in_folder("i10.png"), 5, 5, 1, 1);
        ck_assert_int_eq(peft_loader_next(0, 1, b.images, b.labels, b.id, l), 6);
        peft_loader_free(l);
        peft_dataset_free(d);
        peft_transform_free(t);
        free_batch(&b);
    }
}
END_TEST

START_TEST(wrong_options_and_tensors_are_refused)
{
    peft_dataset *d = make_set();
    peft_transform *t = make_transform("");
    peft_loader *l = NULL;
    int64_t n = 77;
    batch small = make_batch(3), wrong = make_target_batch(4, 2);
    fails(PEFT_E_OPTION, "'batch' is '0'", peft_loader_create(d, t, "batch=0", &l));
    fails(PEFT_E_OPTION, "workers", peft_loader_create(d, t, "workers=2", &l));
    fails(PEFT_E_OPTION, "drop_last", peft_loader_create(d, t, "batch=24 drop_last=true", &l));
    fails(PEFT_E_INVALID, "transform", peft_loader_create(d, NULL, NULL, &l));
    ck_assert_ptr_null(l);
    ok(peft_loader_create(d, t, "batch=4 threads=2", &l));
    fails(PEFT_E_SHAPE, "expected f32 [4 or more, 3, 8, 8]", peft_loader_read(l, 0, 0, small.images, NULL, NULL, &n));
    fails(PEFT_E_SHAPE, "labels", peft_loader_read(l, 0, 0, wrong.images, small.labels, NULL, &n));
    fails(PEFT_E_SHAPE, "labels", peft_loader_read(l, 0, 0, wrong.images, wrong.labels, NULL, &n));
    fails(PEFT_E_DTYPE, "images", peft_loader_read(l, 0, 0, small.labels, NULL, NULL, &n));
    fails(PEFT_E_INVALID, "images", peft_loader_read(l, 0, 0, NULL, NULL, NULL, &n));
    ck_assert_int_eq(n, 77);
    ck_assert_int_eq(peft_loader_next(0, 0, wrong.images, NULL, NULL, NULL), -1);
    peft_loader_free(l);
    peft_loader_free(NULL);
    peft_dataset_free(d);
    peft_transform_free(t);
    free_batch(&small);
    free_batch(&wrong);
}
END_TEST

IO_SUITE_MAIN("loader", threads_and_cache_change_no_bit, the_cache_holds_resized_images,
              an_epoch_has_every_sample_once_in_a_new_order,
              ids_are_given_only_without_augmentation, evaluation_batches_equal_the_transform_of_each_image,
              any_batch_can_be_read_in_any_order, float_labels_receive_one_hot_or_multilabel_targets,
              an_unreadable_file_is_named_and_can_be_replaced, wrong_options_and_tensors_are_refused)
