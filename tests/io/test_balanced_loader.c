/* SPDX-License-Identifier: Apache-2.0
 * test_balanced_loader.c -- loaders with the option balanced: classes in equal numbers, the same batches again and for
 * any threads, repeated samples augmented differently, multi-label sets refused. */
#include "failing_alloc.h"
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>

enum { SIZE = 8, IMAGE = 3 * SIZE * SIZE, LARGE = 20, MIDDLE = 7, SMALL = 3, SAMPLES = LARGE + MIDDLE + SMALL,
       BATCH = 4 };

/* Four classes of 20, 7, 0 and 3 images. */
static peft_dataset *make_set(void)
{
    char name[40], list[1000] = "";
    peft_dataset *d;
    for (int i = 0; i < SAMPLES; i++) {
        snprintf(name, sizeof name, "i%d.png", i);
        save_picture(in_folder(name), 11, 9, 3, (unsigned)i);
        sprintf(list + strlen(list), "i%d.png %d\n", i, i < LARGE ? 0 : i < LARGE + MIDDLE ? 1 : 3);
    }
    write_bytes(in_folder("list"), list, strlen(list));
    ok(peft_dataset_open_list(io_ctx, in_folder("list"), NULL, 0, &d));
    return d;
}

static peft_loader *make_loader(peft_dataset *d, const char *options)
{
    peft_transform *t;
    peft_loader *l;
    ok(peft_transform_parse(io_ctx, "size=8 random_crop=true flip=0.5", &t));
    ok(peft_loader_create(d, t, options, &l));
    peft_transform_free(t);
    return l;
}

/* The samples of an epoch in their order; times [SAMPLES]: how often each comes. */
static void read_order(peft_loader *l, int64_t epoch, int64_t order[SAMPLES], int times[SAMPLES])
{
    int64_t samples[BATCH], count, n = 0;
    memset(times, 0, SAMPLES * sizeof *times);
    for (int64_t b = 0; b < peft_loader_batches(l); b++) {
        ok(peft_loader_samples(l, epoch, b, samples, &count));
        for (int64_t k = 0; k < count; k++) times[order[n++] = samples[k]]++;
    }
    ck_assert_int_eq(n, SAMPLES);
}

START_TEST(classes_are_drawn_equally_often)
{
    peft_dataset *d = make_set();
    peft_loader *l = make_loader(d, "batch=4,balanced=true,seed=3");
    int64_t order[SAMPLES], first[SAMPLES];
    int times[SAMPLES], ever[SAMPLES] = { 0 };
    for (int64_t epoch = 0; epoch < 12; epoch++) {
        int of_class[4] = { 0 };
        read_order(l, epoch, order, times);
        for (int i = 0; i < SAMPLES; i++) {
            const int64_t c = peft_dataset_label(d, i);
            of_class[c] += times[i];
            ever[i] += times[i];
            if (c == 0) ck_assert_int_le(times[i], 1);        /* 10 of 20 */
            if (c == 1) ck_assert(times[i] == 1 || times[i] == 2);           /* 10 from 7 */
            if (c == 3) ck_assert(times[i] == 3 || times[i] == 4);           /* 10 from 3 */
        }
        ck_assert(of_class[0] == 10 && of_class[1] == 10 && of_class[2] == 0 && of_class[3] == 10);
        if (epoch) ck_assert_mem_ne(order, first, sizeof order);
        else memcpy(first, order, sizeof first);
    }
    for (int i = 0; i < SAMPLES; i++) ck_assert_int_gt(ever[i], 0);
    read_order(l, 0, order, times);                           /* again, as after a resume */
    ck_assert_mem_eq(order, first, sizeof order);
    peft_loader *other = make_loader(d, "batch=4,balanced=true,seed=4");
    read_order(other, 0, order, times);
    ck_assert_mem_ne(order, first, sizeof order);
    peft_loader_free(other);
    peft_loader_free(l);
    peft_dataset_free(d);
}
END_TEST

/* Reads epoch 2; images [SAMPLES, IMAGE] in its order. */
static void read_images(peft_loader *l, float *images)
{
    peft_tensor *t;
    ok(peft_tensor_create(io_ctx, PEFT_F32, 4, (const int64_t[]){ BATCH, 3, SIZE, SIZE }, &t));
    for (int64_t b = 0, n; b < peft_loader_batches(l); b++) {
        ok(peft_loader_read(l, 2, b, t, NULL, NULL, &n));
        memcpy(images + b * BATCH * IMAGE, peft_tensor_data(t), (size_t)(n * IMAGE) * sizeof *images);
    }
    peft_tensor_free(t);
}

START_TEST(repeated_samples_are_augmented_differently)
{
    static float plain[SAMPLES * IMAGE], threaded[SAMPLES * IMAGE];
    peft_dataset *d = make_set();
    peft_loader *l = make_loader(d, "batch=4,balanced=true,train=true,seed=3"),
                *with_threads = make_loader(d, "batch=4,balanced=true,train=true,seed=3,threads=3,cache=0");
    int64_t order[SAMPLES];
    int times[SAMPLES], pairs = 0;
    read_images(l, plain);
    read_images(with_threads, threaded);
    ck_assert_mem_eq(plain, threaded, sizeof plain);
    read_order(l, 2, order, times);
    for (int i = 0; i < SAMPLES; i++)
        for (int k = 0; k < i; k++) {
            if (order[i] != order[k]) continue;
            pairs++;
            ck_assert_mem_ne(plain + i * IMAGE, plain + k * IMAGE, IMAGE * sizeof *plain);
        }
    ck_assert_int_ge(pairs, 3 * 3 + 3);                       /* three samples at least three times, three twice */
    peft_loader_free(l);
    peft_loader_free(with_threads);
    peft_dataset_free(d);
}
END_TEST

START_TEST(several_labels_are_refused)
{
    peft_dataset *d;
    peft_transform *t;
    peft_loader *l = NULL;
    write_bytes(in_folder("multi"), "a 0,1\nb 1,1\n", 12);
    ok(peft_dataset_open_list(io_ctx, in_folder("multi"), NULL, 0, &d));
    ok(peft_transform_parse(io_ctx, "size=8", &t));
    fails(PEFT_E_UNSUPPORTED, "several labels each; weigh the loss", peft_loader_create(d, t, "balanced=true", &l));
    ck_assert_ptr_null(l);
    peft_transform_free(t);
    peft_dataset_free(d);
}
END_TEST

static peft_status make_in(peft_context *ctx, void *list)
{
    peft_dataset *d = NULL;
    peft_transform *t = NULL;
    peft_loader *l = NULL;
    int64_t samples[BATCH], count;
    peft_status s = peft_dataset_open_list(ctx, list, NULL, 0, &d);
    if (!s) s = peft_transform_parse(ctx, "size=8", &t);
    if (!s) s = peft_loader_create(d, t, "batch=4,balanced=true", &l);
    if (!s) s = peft_loader_samples(l, 0, 0, samples, &count);
    peft_loader_free(l);
    peft_transform_free(t);
    peft_dataset_free(d);
    return s;
}

START_TEST(failing_allocations_leak_nothing)
{
    char path[400];
    const char list[] = "a 0\nb 0\nc 0\nd 1\n";
    snprintf(path, sizeof path, "%s", in_folder("short"));
    write_bytes(path, list, strlen(list));
    ck_assert_int_gt(failing_alloc_loop(make_in, path), 15);
}
END_TEST

IO_SUITE_MAIN("balanced_loader", classes_are_drawn_equally_often, repeated_samples_are_augmented_differently,
              several_labels_are_refused, failing_allocations_leak_nothing)
