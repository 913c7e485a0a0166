/* SPDX-License-Identifier: Apache-2.0
 * test_mask_moves.c -- a mask is moved as its image: with interpolation=nearest the labels of a mask whose labels are
 * the samples of the image are the input of the network, for every geometric setting and many draws; what is outside of
 * the image; settings that leave a mask as it is; masks from memory. */
#include "io_files.h"
#include <math.h>
#include <peft/io.h>

enum { CLASSES = 251 };

/* An image of samples 1 .. CLASSES - 1 and the mask with the same labels. */
static void make_pair(int64_t width, int64_t height, peft_image **im, peft_mask **m)
{
    uint8_t *sample = malloc((size_t)(width * height));
    int64_t *label = malloc((size_t)(width * height) * sizeof *label);
    for (int64_t i = 0; i < width * height; i++) {
        sample[i] = (uint8_t)(1 + (i * 7 + i / width * 3) % (CLASSES - 1));
        label[i] = sample[i];
    }
    ok(peft_image_from_buffer(io_ctx, sample, width, height, 1, 8, 0, im));
    ok(peft_mask_from_labels(io_ctx, label, width, height, CLASSES, m));
    free(sample);
    free(label);
}

/* Asserts that the moved mask has the samples of the input, and -1 where the input is black. Returns the number of
 * pixels that are outside. */
static int64_t same_labels(const peft_mask *moved, const float *input, const peft_transform *t)
{
    const int64_t pixels = peft_transform_height(t) * peft_transform_width(t);
    int64_t outside = 0, *label = malloc((size_t)pixels * sizeof *label);
    ck_assert_int_eq(peft_mask_width(moved), peft_transform_width(t));
    ck_assert_int_eq(peft_mask_height(moved), peft_transform_height(t));
    ck_assert_int_eq(peft_mask_classes(moved), CLASSES);
    ok(peft_mask_labels(moved, label));
    for (int64_t i = 0; i < pixels; i++) {
        const int64_t sample = (int64_t)lrintf(input[i] * 255);
        ck_assert_msg(label[i] == (sample ? sample : -1), "pixel %lld: label %lld, sample %lld", (long long)i,
                      (long long)label[i], (long long)sample);
        outside += sample == 0;
    }
    free(label);
    return outside;
}

/* Both ways of a transform to this size with these settings, for one image and, in training, `draws` draws; returns the
 * pixels outside. */
static int64_t compare_sized(const char *size, const char *settings, int64_t width, int64_t height, int draws)
{
    char text[300];
    float input[3 * 20 * 31];
    peft_transform *t;
    peft_image *im;
    peft_mask *m, *moved;
    snprintf(text, sizeof text, "size=%s,mean=0,std=1,interpolation=nearest,%s", size, settings);
    ok(peft_transform_parse(io_ctx, text, &t));
    make_pair(width, height, &im, &m);
    int64_t outside = 0;
    for (int e = 0; e < draws; e++) {
        ok(peft_transform_apply_train(t, im, 3, e, 5, input));
        ok(peft_transform_apply_train_mask(t, m, 3, e, 5, &moved));
        outside += same_labels(moved, input, t);
        peft_mask_free(moved);
    }
    ok(peft_transform_apply(t, im, input));
    ok(peft_transform_apply_mask(t, m, &moved));
    outside += same_labels(moved, input, t);
    peft_mask_free(moved);
    peft_mask_free(m);
    peft_image_free(im);
    peft_transform_free(t);
    return outside;
}

static int64_t compare(const char *settings, int64_t width, int64_t height, int draws)
{
    return compare_sized("20", settings, width, height, draws);
}

START_TEST(test_steps_move_both)
{
    static const char *const resize[] = { "resize=squash", "resize=squash,crop_pct=0.8", "resize=shorter",
        "resize=none", "resize=longest", "resize=27", "resize=31x24", "resize=33x9,crop_offset=floor",
        "resize=shorter,crop_pct=1" };
    static const char *const augment[] = { "flip=0.5", "pad=3", "pad=7,pad_mode=reflect,flip=0.5", "random_crop=true",
        "random_crop=true,scale=0.01:0.2,flip=0.5,pad=2", "random_crop=true,scale=0.9:1,ratio=5:6" };
    static const char *const size[] = { "20", "20x31", "17x9" };
    static const int64_t side[][2] = { { 31, 24 }, { 20, 20 }, { 9, 45 }, { 64, 50 } };
    char settings[200];
    for (size_t r = 0; r < sizeof resize / sizeof *resize; r++)
        for (size_t a = 0; a < sizeof augment / sizeof *augment; a++)
            for (int k = 0; k < 4; k++) {
                snprintf(settings, sizeof settings, "%s,%s", resize[r], augment[a]);
                for (int i = 0; i < 3; i++) compare_sized(size[i], settings, side[k][0], side[k][1], i ? 2 : 6);
            }
}
END_TEST

START_TEST(test_outside_is_ignored)
{
    ck_assert_int_eq(compare("resize=squash", 30, 20, 0), 0);
    ck_assert_int_gt(compare("resize=longest", 30, 20, 0), 0);
    ck_assert_int_gt(compare("resize=none", 9, 9, 0), 0);
    ck_assert_int_gt(compare("pad=5", 30, 20, 5), 0);
    ck_assert_int_eq(compare("pad=5,pad_mode=reflect", 30, 20, 5), 0);
}
END_TEST

/* Settings that change samples and not positions: the mask is that of the transform without them. */
START_TEST(test_samples_do_not_move_masks)
{
    peft_transform *plain, *t;
    peft_image *im;
    peft_mask *m, *a, *b;
    int64_t first[20 * 20], second[20 * 20];
    make_pair(33, 27, &im, &m);
    ok(peft_transform_parse(io_ctx, "size=20,flip=0.5,random_crop=true", &plain));
    ok(peft_transform_parse(io_ctx, "size=20,flip=0.5,random_crop=true,brightness=0.4,contrast=0.3,saturation=0.5,"
                            "erase=1,grey=true,range=0:100,alpha=white,interpolation=lanczos,mean=0.1", &t));
    for (int e = 0; e < 5; e++) {
        ok(peft_transform_apply_train_mask(plain, m, 1, e, 2, &a));
        ok(peft_transform_apply_train_mask(t, m, 1, e, 2, &b));
        ok(peft_mask_labels(a, first));
        ok(peft_mask_labels(b, second));
        ck_assert_mem_eq(first, second, sizeof first);
        peft_mask_free(a);
        peft_mask_free(b);
    }
    peft_mask_free(m);
    peft_image_free(im);
    peft_transform_free(plain);
    peft_transform_free(t);
}
END_TEST

START_TEST(test_targets_of_masks)
{
    const float targets[2 * 3 * 2] = { 0, 1, 1, 1, -1, 0, 0, 0, 1, 0, 0, -1 };        /* [2, 3, 2] */
    const int64_t labels[6] = { 0, 2, -1, 1, 1, 0 };
    float out[6 * 3], back[2 * 3 * 2];
    int64_t got[6];
    peft_mask *m;
    ok(peft_mask_from_targets(io_ctx, targets, 3, 2, 2, &m));
    ck_assert_int_eq(peft_mask_multilabel(m), 1);
    ok(peft_mask_targets(m, back));
    ck_assert_mem_eq(back, targets, sizeof back);
    fails(PEFT_E_UNSUPPORTED, "peft_mask_targets", peft_mask_labels(m, got));
    peft_mask_free(m);
    ok(peft_mask_from_labels(io_ctx, labels, 2, 3, 3, &m));
    ck_assert_int_eq(peft_mask_multilabel(m), 0);
    ok(peft_mask_labels(m, got));
    ck_assert_mem_eq(got, labels, sizeof got);
    ok(peft_mask_targets(m, out));
    for (int i = 0; i < 6; i++)
        for (int c = 0; c < 3; c++) ck_assert(out[3 * i + c] == (labels[i] < 0 ? -1 : labels[i] == c));
    peft_mask_free(m);
    fails(PEFT_E_INVALID, "2 at column 1, row 0; expected 0 to 1", peft_mask_from_labels(io_ctx, labels, 2, 3, 2, &m));
    const float half[1] = { 0.5f };
    fails(PEFT_E_INVALID, "0.5 at column 0, row 0, class 0", peft_mask_from_targets(io_ctx, half, 1, 1, 1, &m));
    fails(PEFT_E_INVALID, "expected positive sides", peft_mask_from_labels(io_ctx, labels, 0, 3, 3, &m));
    fails(PEFT_E_INVALID, "32768 classes", peft_mask_from_labels(io_ctx, labels, 2, 3, 32768, &m));
    ck_assert_int_eq(peft_mask_width(NULL) + peft_mask_height(NULL) + peft_mask_classes(NULL), 0);
}
END_TEST

IO_SUITE_MAIN("moves of masks", test_steps_move_both, test_outside_is_ignored, test_samples_do_not_move_masks,
              test_targets_of_masks)
