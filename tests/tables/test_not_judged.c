/* SPDX-License-Identifier: Apache-2.0
 * test_not_judged.c -- targets of -1, "not judged", in the parts of a data set, and in batches with and without
 * mixup. */
#include "table_files.h"
#include <peft/io.h>

enum { SIDE = 8, IMAGES = 40 };

/* A table of IMAGES pictures with the labels p (1 for every fourth), q (-1 for odd numbers, else 1 for every eighth)
 * and r (all -1). */
static peft_dataset *half_judged(void)
{
    peft_dataset *d;
    char text[4000];
    size_t n = (size_t)sprintf(text, "image,p,q,r\n");
    for (int i = 0; i < IMAGES; i++) {
        char name[40];
        sprintf(name, "t/%02d.png", i);
        save_picture(in_folder(name), SIDE, SIDE, 3, (unsigned)i);
        n += (size_t)sprintf(text + n, "%02d.png,%d,%d,%s\n", i, i % 4 == 0, i % 2 ? -1 : i % 8 == 0, i % 3 ?
                             "-1" : "");
    }
    ok(open_text(text, NULL, "labels=all", &d));
    return d;
}

START_TEST(parts_and_splits_keep_them)
{
    peft_dataset *d = half_judged(), *a, *b;
    float t[3];
    ok(peft_dataset_split(d, 0.5, 3, &a, &b));
    ck_assert_int_eq(peft_dataset_count(a), IMAGES / 2);
    peft_dataset *const parts[2] = { a, b };
    for (int k = 0; k < 2; k++) {
        int positive[2] = { 0, 0 };
        for (int64_t i = 0; i < peft_dataset_count(parts[k]); i++) {
            const int64_t id = peft_dataset_id(parts[k], i);
            ok(peft_dataset_targets(parts[k], i, t));
            ck_assert(t[0] == (id % 4 == 0) && t[1] == (id % 2 ? -1 : id % 8 == 0) && t[2] == -1);
            positive[0] += t[0] == 1;
            positive[1] += t[1] == 1;
        }
        ck_assert_msg(positive[0] == IMAGES / 8 && (positive[1] == 2 || positive[1] == 3),
                      "part %d: %d and %d positives", k,
                      positive[0], positive[1]);
    }
    peft_dataset_free(a);
    peft_dataset_free(b);
    peft_dataset_free(d);
}
END_TEST

static peft_transform *plain_transform(void)
{
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, "size=8,mean=0.5,std=0.5", &t));
    return t;
}

/* Reads the first batch of all images into targets [IMAGES, 3]. */
static void read_batch(peft_dataset *d, const char *options, float *targets)
{
    peft_loader *loader;
    peft_tensor *images, *labels;
    peft_transform *t = plain_transform();
    int64_t n;
    ok(peft_loader_create(d, t, options, &loader));
    ok(peft_tensor_create(io_ctx, PEFT_F32, 4, (int64_t[]){ IMAGES, 3, SIDE, SIDE }, &images));
    ok(peft_tensor_wrap(io_ctx, PEFT_F32, 2, (int64_t[]){ IMAGES, 3 }, targets, &labels));
    ok(peft_loader_read(loader, 0, 0, images, labels, NULL, &n));
    ck_assert_int_eq(n, IMAGES);
    peft_tensor_free(images);
    peft_tensor_free(labels);
    peft_loader_free(loader);
    peft_transform_free(t);
}

/* Mixup blends 0 and 1; where one of the two is not judged, the blend is not judged either. */
START_TEST(mixup_blends_what_is_judged)
{
    peft_dataset *d = half_judged();
    float plain[IMAGES * 3], mixed[IMAGES * 3];
    read_batch(d, "batch=40,shuffle=false", plain);
    read_batch(d, "batch=40,shuffle=false,train=true,mixup=1", mixed);
    int blended = 0;
    for (int i = 0; i < IMAGES; i++)
        for (int c = 0; c < 3; c++) {
            const float x = plain[3 * i + c], y = plain[3 * ((i + 1) % IMAGES) + c], m = mixed[3 * i + c];
            if (x < 0 || y < 0) ck_assert_msg(m == -1, "image %d, class %d: %g", i, c, m);
            else ck_assert(m >= 0 && m <= 1);
            blended += m > 0 && m < 1;
        }
    ck_assert_int_gt(blended, 5);
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("targets that are not judged", parts_and_splits_keep_them, mixup_blends_what_is_judged)
