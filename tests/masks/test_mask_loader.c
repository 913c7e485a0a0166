/* SPDX-License-Identifier: Apache-2.0
 * test_mask_loader.c -- a loader of a data set with masks: labels are the maps of the inputs, for any number of threads
 * and size of the cache, in balanced and shuffled orders; targets of several labels; refused tensors and settings. */
#include "mask_files.h"
#include <math.h>
#include <peft/io.h>

enum { HEIGHT = 8, WIDTH = 10, PIXELS = HEIGHT * WIDTH, SAMPLES = 9, CLASSES = 200 };

/* Grey images whose masks have the same samples, 1 .. 199; of two classes. */
static peft_dataset *make_set(void)
{
    char name[40];
    peft_dataset *d;
    for (int i = 0; i < SAMPLES; i++) {
        const int width = 11 + i % 3, height = 9;
        uint8_t sample[13 * 9];
        for (int k = 0; k < width * height; k++) sample[k] = (uint8_t)(1 + (k * 7 + i * 31) % (CLASSES - 1));
        snprintf(name, sizeof name, "set/%s/i%d.png", i % 3 ? "b" : "a", i);
        write_grey(name, width, height, sample);
        snprintf(name, sizeof name, "masks/i%d.png", i);
        write_grey(name, width, height, sample);
    }
    ok(peft_dataset_open(io_ctx, in_folder("set"), NULL, &d));
    return masked(d, "masks", "classes=200");
}

static peft_tensor *tensor(peft_context *ctx, peft_dtype type, int n, const int64_t *dims)
{
    peft_tensor *t;
    ok(peft_tensor_create(ctx, type, n, dims, &t));
    return t;
}

/* Reads two epochs; checks that the labels are those of the inputs; labels [2, SAMPLES, PIXELS]. */
static void read_epochs(const char *settings, const char *options, int64_t *labels)
{
    char text[200];
    peft_context *ctx;
    peft_transform *t;
    peft_loader *l;
    peft_dataset *d = make_set();
    int64_t ids[4], count, at = 0;
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    snprintf(text, sizeof text, "size=8x10,mean=0,std=1,interpolation=nearest,%s", settings);
    ok(peft_transform_parse(io_ctx, text, &t));
    ok(peft_loader_create(d, t, options, &l));
    peft_dataset_free(d);
    peft_transform_free(t);
    peft_tensor *images = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ 4, 3, HEIGHT, WIDTH });
    peft_tensor *maps = tensor(ctx, PEFT_I64, 3, (const int64_t[]){ 4, HEIGHT, WIDTH });
    for (int64_t epoch = 0; epoch < 2; epoch++)
        for (int64_t b = 0; b < peft_loader_batches(l); b++) {
            ok(peft_loader_read(l, epoch, b, images, maps, ids, &count));
            const float *input = peft_tensor_data(images);
            const int64_t *map = peft_tensor_data(maps);
            for (int64_t i = 0; i < count * PIXELS; i++) {
                const long sample = lrintf(input[i / PIXELS * 3 * PIXELS + i % PIXELS] * 255);
                ck_assert_int_eq(map[i], sample ? sample : -1);
            }
            memcpy(labels + at, map, (size_t)(count * PIXELS) * sizeof *map);
            at += count * PIXELS;
        }
    ck_assert_int_eq(at, 2 * SAMPLES * PIXELS);
    peft_tensor_free(images);
    peft_tensor_free(maps);
    peft_loader_free(l);
    peft_context_free(ctx);
}

START_TEST(test_maps_of_the_inputs)
{
    static const char *const settings[] = { "flip=0.5,pad=2", "random_crop=true,flip=0.5", "resize=longest" };
    static const char *const options[] = { "cache=0", "threads=3", "threads=2,cache=4000", "" };
    int64_t *first = malloc(2 * SAMPLES * PIXELS * sizeof *first);
    int64_t *other = malloc(2 * SAMPLES * PIXELS * sizeof *other);
    char text[100];
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++)
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            snprintf(text, sizeof text, "batch=4,train=true,shuffle=true,seed=3,%s", options[o]);
            read_epochs(settings[k], text, o ? other : first);
            if (o) ck_assert_mem_eq(first, other, 2 * SAMPLES * PIXELS * sizeof *first);
        }
    read_epochs("flip=0.5", "batch=4,train=true,balanced=true", first);
    free(first);
    free(other);
}
END_TEST

START_TEST(test_refused_tensors_and_settings)
{
    peft_context *ctx;
    peft_transform *t;
    peft_loader *l;
    peft_dataset *d = make_set();
    int64_t count;
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_transform_parse(io_ctx, "size=8x10", &t));
    fails(PEFT_E_UNSUPPORTED, "leave mixup out", peft_loader_create(d, t, "train=true,mixup=0.3", &l));
    ok(peft_loader_create(d, t, "batch=2", &l));
    peft_tensor *images = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ 2, 3, HEIGHT, WIDTH });
    peft_tensor *numbers = tensor(ctx, PEFT_I64, 1, (const int64_t[]){ 2 });
    peft_tensor *targets = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ 2, HEIGHT, WIDTH, CLASSES });
    fails(PEFT_E_SHAPE, "expected i64 [n, 8, 10] or f32 [n, 8, 10, 200], n 2 or more, as the data set has masks",
          peft_loader_read(l, 0, 0, images, numbers, NULL, &count));
    ok(peft_loader_read(l, 0, 0, images, targets, NULL, &count));
    const float *target = peft_tensor_data(targets);
    float sum = 0;
    for (int64_t i = 0; i < 2 * PIXELS * CLASSES; i++) sum += target[i];
    ck_assert(sum == 2 * PIXELS);                                             /* one class for each pixel */
    peft_tensor_free(images);
    peft_tensor_free(numbers);
    peft_tensor_free(targets);
    peft_loader_free(l);
    peft_transform_free(t);
    peft_dataset_free(d);
    peft_context_free(ctx);
}
END_TEST

START_TEST(test_targets_of_several_labels)
{
    peft_context *ctx;
    peft_transform *t;
    peft_loader *l;
    int64_t count;
    write_image("images/a.png");
    write_digits("masks/x/a.png", "110000000000", 255);
    write_digits("masks/y/a.png", "011000000001", 255);
    peft_dataset *d = masked(pictures_of("images"), "masks", "per_class=folder,multilabel=true,classes=x:y");
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_transform_parse(io_ctx, "size=4,resize=none", &t));
    ok(peft_loader_create(d, t, "batch=1", &l));
    peft_tensor *images = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ 1, 3, 4, 4 });
    peft_tensor *targets = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ 1, 4, 4, 2 });
    peft_tensor *maps = tensor(ctx, PEFT_I64, 3, (const int64_t[]){ 1, 4, 4 });
    fails(PEFT_E_DTYPE, "expected f32 targets [n, 4, 4, 2]", peft_loader_read(l, 0, 0, images, maps, NULL, &count));
    ok(peft_loader_read(l, 0, 0, images, targets, NULL, &count));
    const float *target = peft_tensor_data(targets);
    const float first_row[8] = { 1, 0, 1, 1, 0, 1, 0, 0 };
    ck_assert_mem_eq(target, first_row, sizeof first_row);
    for (int i = 0; i < 8; i++) ck_assert(target[24 + i] == -1);              /* below the image of 4 x 3 pixels */
    peft_tensor_free(images);
    peft_tensor_free(targets);
    peft_tensor_free(maps);
    peft_loader_free(l);
    peft_transform_free(t);
    peft_dataset_free(d);
    peft_context_free(ctx);
}
END_TEST

START_TEST(test_failures_name_image_and_mask)
{
    peft_context *ctx;
    peft_transform *t;
    peft_loader *l;
    int64_t count;
    const uint8_t sample[20] = { 1 };
    write_image("images/a.png");
    write_grey("masks/a.png", 5, 4, sample);
    peft_dataset *d = masked(pictures_of("images"), "masks", "classes=2");
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_transform_parse(io_ctx, "size=8x10", &t));
    ok(peft_loader_create(d, t, "batch=1", &l));
    peft_tensor *images = tensor(ctx, PEFT_F32, 4, (const int64_t[]){ 1, 3, HEIGHT, WIDTH });
    fails(PEFT_E_MISMATCH, "images/a.png: ", peft_loader_read(l, 0, 0, images, NULL, NULL, &count));
    fails(PEFT_E_MISMATCH, "masks/a.png: the mask has 4x5 pixels (height x width)",
          peft_loader_read(l, 0, 0, images, NULL, NULL, &count));
    peft_tensor_free(images);
    peft_loader_free(l);
    peft_transform_free(t);
    peft_dataset_free(d);
    peft_context_free(ctx);
}
END_TEST

IO_SUITE_MAIN("loader of masks", test_maps_of_the_inputs, test_refused_tensors_and_settings,
              test_targets_of_several_labels, test_failures_name_image_and_mask)
