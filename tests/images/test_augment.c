/* SPDX-License-Identifier: Apache-2.0
 * test_augment.c -- random augmentations of transforms: each against its definition; the draw depends on (seed, epoch,
 * sample) alone; evaluation is not augmented. Mixup of a loader's batches. */
#include "io_files.h"
#include <math.h>
#include <peft/io.h>
#include <stdbool.h>

enum { SIZE = 12, PLANE = SIZE * SIZE, FLOATS = 3 * PLANE };
enum { SEED = 1, EPOCH = 0 };                                 /* of tests that draw for many samples */

/* A transform with the further settings `more`. */
static peft_transform *parse(const char *more)
{
    char text[300];
    peft_transform *t;
    snprintf(text, sizeof text, "size=%d,mean=0,std=1,%s", SIZE, more);
    ok(peft_transform_parse(io_ctx, text, &t));
    return t;
}

/* Applies a transform in training; the values are in 0..255. */
static void draw(const char *text, const peft_image *im, uint64_t seed, int64_t epoch, int64_t sample, float *out)
{
    peft_transform *t = parse(text);
    ok(peft_transform_apply_train(t, im, seed, epoch, sample, out));
    for (int i = 0; i < FLOATS; i++) out[i] *= 255;
    peft_transform_free(t);
}

/* A rounded value of the transformed image v. */
static int output_at(const float *v, int c, int64_t x, int64_t y) { return (int)lrintf(v[c * PLANE + y * SIZE + x]); }

/* A sample of the source image. */
static int sample_of(const peft_image *im, int c, int64_t x, int64_t y)
{
    return ((const uint8_t *)peft_image_pixels(im))[(y * SIZE + x) * 3 + c];
}

START_TEST(the_draw_depends_on_seed_epoch_and_sample)
{
    static const char *const texts[] = { "pad=3", "pad=3,pad_mode=reflect", "flip=0.5", "brightness=0.5",
        "contrast=0.5", "saturation=0.5", "erase=0.7", "erase=0.7,erase_fill=random", "random_crop=true" };
    peft_image *im = picture(SIZE, SIZE, 3, 8, 1);
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        float first[FLOATS], other[FLOATS];
        int changed[3] = { 0 };
        for (int64_t i = 0; i < 40; i++) {
            const uint64_t seed = 5;
            const int64_t epoch = 6;
            draw(texts[k], im, seed, epoch, i, first);
            for (int which = 0; which < 3; which++) {             /* change the seed, the epoch or the sample */
                draw(texts[k], im, which == 0 ? seed + 1 : seed, which == 1 ? epoch + 1 : epoch,
                     which == 2 ? i + 100 : i, other);
                changed[which] += memcmp(first, other, sizeof first) != 0;
            }
            draw(texts[k], im, seed, epoch, i, other);
            ck_assert_mem_eq(first, other, sizeof first);
        }
        for (int which = 0; which < 3; which++)
            ck_assert_msg(changed[which] > 10, "%s: changing the %s rarely changes the draw", texts[k],
                          which == 0 ? "seed" : which == 1 ? "epoch" : "sample");
        peft_transform *t = parse(texts[k]), *plain = parse("");
        ok(peft_transform_apply(t, im, first));
        ok(peft_transform_apply(plain, im, other));
        ck_assert_mem_eq(first, other, sizeof first);
        peft_transform_free(t);
        peft_transform_free(plain);
    }
    peft_image_free(im);
}
END_TEST

/* The index that pad_mode=reflect reads for an index outside the image. */
static int mirror(int64_t i) { return (int)(i < 0 ? -i : i >= SIZE ? 2 * (SIZE - 1) - i : i); }

/* v is the image shifted by (dx, dy), with zeros or reflected values where the source lies outside. */
static bool is_shift(const float *v, const peft_image *im, int64_t dx, int64_t dy, bool reflect)
{
    for (int c = 0; c < 3; c++)
        for (int64_t y = 0; y < SIZE; y++)
            for (int64_t x = 0; x < SIZE; x++) {
                int64_t sx = x + dx, sy = y + dy;
                bool inside = sx >= 0 && sx < SIZE && sy >= 0 && sy < SIZE;
                int want = reflect ? sample_of(im, c, mirror(sx), mirror(sy)) : inside ? sample_of(im, c, sx, sy) : 0;
                if (output_at(v, c, x, y) != want) return false;
            }
    return true;
}

/* Padding by 2 and cropping shifts the image: every draw is one of 5 x 5 shifts, and each of them occurs. */
START_TEST(padded_crops_are_all_shifts_within_the_padding)
{
    enum { PAD = 2, SHIFTS = 2 * PAD + 1 };
    peft_image *im = picture(SIZE, SIZE, 3, 8, 3);
    for (int reflect = 0; reflect < 2; reflect++) {
        int drawn[SHIFTS][SHIFTS] = { { 0 } };
        for (int64_t i = 0; i < 400; i++) {
            float v[FLOATS];
            int found = 0;
            draw(reflect ? "pad=2,pad_mode=reflect" : "pad=2", im, SEED, EPOCH, i, v);
            for (int dy = -PAD; dy <= PAD; dy++)
                for (int dx = -PAD; dx <= PAD; dx++)
                    if (is_shift(v, im, dx, dy, reflect)) found++, drawn[dy + PAD][dx + PAD]++;
            ck_assert_int_eq(found, 1);
        }
        for (int k = 0; k < SHIFTS * SHIFTS; k++) ck_assert_int_gt(drawn[k / SHIFTS][k % SHIFTS], 2); /* mean 16 */
    }
    peft_image_free(im);
    float v[FLOATS];
    im = picture(1, 1, 3, 8, 3);                              /* reflected many times */
    draw("pad=100,pad_mode=reflect", im, SEED, EPOCH, 0, v);
    for (int i = 0; i < PLANE; i++) ck_assert(v[i] == v[0]);
    peft_image_free(im);
}
END_TEST

/* The brightness of pixel i of the image v, as ITU-R BT.601 defines it. */
static double luma(const float *v, int64_t i) { return 0.299 * v[i] + 0.587 * v[PLANE + i] + 0.114 * v[2 * PLANE + i]; }

/* saturation=0.5 keeps each pixel's luma and scales its difference from grey by one factor in [0.5, 1.5]. */
START_TEST(saturation_scales_the_difference_from_grey)
{
    uint8_t pixels[PLANE * 3];
    for (int i = 0; i < PLANE * 3; i++) pixels[i] = (uint8_t)(90 + i * 37 % 61);   /* no result is clamped */
    peft_image *im;
    ok(peft_image_from_buffer(io_ctx, pixels, SIZE, SIZE, 3, 8, 0, &im));
    double low = 9, high = 0;
    for (int64_t i = 0; i < 60; i++) {
        float v[FLOATS], plain[FLOATS];
        draw("saturation=0.5", im, SEED, EPOCH, i, v);
        draw("", im, SEED, EPOCH, i, plain);
        double dot = 0, norm = 0;                             /* the factor by least squares is dot / norm */
        for (int k = 0; k < PLANE; k++) {
            ck_assert_double_le(fabs(luma(v, k) - luma(plain, k)), 1.5);
            for (int c = 0; c < 3; c++) {
                dot += (v[c * PLANE + k] - luma(plain, k)) * (plain[c * PLANE + k] - luma(plain, k));
                norm += pow(plain[c * PLANE + k] - luma(plain, k), 2);
            }
        }
        low = fmin(low, dot / norm);
        high = fmax(high, dot / norm);
    }
    ck_assert(low > 0.47 && low < 0.65 && high > 1.35 && high < 1.53);
    peft_image_free(im);
    im = picture(SIZE, SIZE, 1, 8, 2);                        /* a grey image does not change */
    float v[FLOATS], plain[FLOATS];
    draw("saturation=0.9", im, SEED, EPOCH, 0, v);
    draw("", im, SEED, EPOCH, 0, plain);
    ck_assert_mem_eq(v, plain, sizeof v);
    peft_image_free(im);
}
END_TEST

/* In about a share `erase` of the draws, one box within the bounds of area and ratio is filled. */
START_TEST(erasing_fills_a_box_within_the_bounds)
{
    peft_image *im = picture(SIZE, SIZE, 3, 8, 4);
    float plain[FLOATS];
    static const char *const fills[] = { "mean", "uniform", "random" };
    enum { MEAN, UNIFORM, NORMAL };
    for (int fill = MEAN; fill <= NORMAL; fill++) {
        int erased = 0, drawn = 0;
        double sum = 0, squares = 0;
        peft_transform *t;
        char text[200];
        snprintf(text, sizeof text,
                 "size=%d,mean=-2,std=1,erase=0.4,erase_area=0.1:0.3,erase_ratio=1.4:2,erase_fill=%s", SIZE,
                 fills[fill]);
        ok(peft_transform_parse(io_ctx, text, &t));
        ok(peft_transform_apply(t, im, plain));               /* mean=-2: no value is 0, the fill of "mean" */
        for (int64_t i = 0; i < 300; i++) {
            float v[FLOATS];
            int left = SIZE, right = -1, top = SIZE, bottom = -1, changed = 0;
            ok(peft_transform_apply_train(t, im, SEED, EPOCH, i, v));
            for (int k = 0; k < PLANE; k++) {
                if (v[k] == plain[k] && v[PLANE + k] == plain[PLANE + k] && v[2 * PLANE + k] == plain[2 * PLANE + k])
                    continue;
                int x = k % SIZE, y = k / SIZE;
                left = x < left ? x : left, right = x > right ? x : right;
                top = y < top ? y : top, bottom = y > bottom ? y : bottom;
                changed++;
                for (int c = 0; c < 3; c++) {
                    double got = v[c * PLANE + k];
                    if (fill == MEAN) ck_assert(got == 0);
                    if (fill == UNIFORM) ck_assert(got >= 2 && got <= 3);
                    drawn++, sum += got, squares += got * got;
                }
            }
            if (!changed) continue;
            int width = right - left + 1, height = bottom - top + 1;
            erased++;
            ck_assert_int_ge(changed, width * height - (fill == UNIFORM ? 2 : 0));
            ck_assert(width * height > 0.05 * PLANE && width * height < 0.4 * PLANE);
            ck_assert(height > width && 2.8 * width >= height);               /* the ratio is height / width */
        }
        if (fill == NORMAL) {                                 /* of mean 0 and variance 1, as torchvision fills */
            ck_assert_double_le(fabs(sum / drawn), 6 / sqrt(drawn));
            ck_assert_double_le(fabs(squares / drawn - 1), 10 / sqrt(drawn));
        }
        ck_assert(erased > 80 && erased < 160);
        peft_transform_free(t);
    }
    peft_image_free(im);
}
END_TEST

START_TEST(augmentations_are_kept_in_the_text_of_a_transform)
{
    peft_transform *t, *again;
    ok(peft_transform_parse(io_ctx, "size=32,pad=4,pad_mode=reflect,saturation=0.3,erase=0.25,erase_area=0.02:0.2,"
                            "erase_fill=random", &t));
    ok(peft_transform_parse(io_ctx, peft_transform_text(t), &again));
    ck_assert_str_eq(peft_transform_text(t), peft_transform_text(again));
    ck_assert_ptr_nonnull(strstr(peft_transform_text(t), "erase_area=0.02:0.2,"));
    peft_transform_free(t);
    peft_transform_free(again);
    fails(PEFT_E_OPTION, "'pad_mode' is 'wrap'; expected zero or reflect",
          peft_transform_parse(io_ctx, "pad_mode=wrap", &t));
    fails(PEFT_E_OPTION, "erase", peft_transform_parse(io_ctx, "erase=1.5", &t));
    fails(PEFT_E_OPTION, "pad", peft_transform_parse(io_ctx, "pad=-1", &t));
}
END_TEST

/* --- mixup ---------------------------------------------------------------------------------------------------- */
enum { SAMPLES = 7, CLASSES = 3, BATCH = 4 };

/* A data set in which all pixels of image i are 10 i. */
static peft_dataset *grey_images(void)
{
    char list[400] = "";
    peft_dataset *d;
    for (int i = 0; i < SAMPLES; i++) {
        uint8_t pixels[PLANE];
        char name[20];
        peft_image *im;
        memset(pixels, 10 * i, sizeof pixels);
        ok(peft_image_from_buffer(io_ctx, pixels, SIZE, SIZE, 1, 8, 0, &im));
        snprintf(name, sizeof name, "%d.png", i);
        ok(peft_image_save_png(im, in_folder(name)));
        peft_image_free(im);
        sprintf(list + strlen(list), "%s %d\n", name, i % CLASSES);
    }
    write_bytes(in_folder("list"), list, strlen(list));
    ok(peft_dataset_open_list(io_ctx, in_folder("list"), NULL, 0, &d));
    return d;
}

typedef struct batches {
    float images[2 * SAMPLES][FLOATS], targets[2 * SAMPLES][CLASSES];
    int64_t id[2 * SAMPLES];
} batches;

/* Reads two epochs of a loader. */
static void read_epochs(peft_dataset *d, const char *more, batches *out)
{
    peft_transform *t = parse("");
    peft_loader *l;
    peft_context *ctx;
    peft_tensor *images, *targets;
    char text[200];
    snprintf(text, sizeof text, "batch=%d,shuffle=true,%s", BATCH, more);
    ok(peft_loader_create(d, t, text, &l));
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_tensor_create(ctx, PEFT_F32, 4, (const int64_t[]){ BATCH, 3, SIZE, SIZE }, &images));
    ok(peft_tensor_create(ctx, PEFT_F32, 2, (const int64_t[]){ BATCH, CLASSES }, &targets));
    int64_t epoch = 0, batch = 0;
    for (int64_t n, done = 0; done < 2 * SAMPLES; done += n) {
        int64_t listed;
        while (!(n = peft_loader_next(epoch, batch++, images, targets, NULL, l))) epoch++, batch = 0;
        ck_assert_int_gt(n, 0);
        ok(peft_loader_samples(l, epoch, batch - 1, out->id + done, &listed));
        ck_assert_int_eq(listed, n);
        memcpy(out->images[done], peft_tensor_cdata(images), (size_t)n * sizeof *out->images);
        memcpy(out->targets[done], peft_tensor_cdata(targets), (size_t)n * sizeof *out->targets);
    }
    peft_tensor_free(images);
    peft_tensor_free(targets);
    peft_context_free(ctx);
    peft_loader_free(l);
    peft_transform_free(t);
}

/* Each image is mixed with the next one of its batch, its target by the same share. */
START_TEST(mixup_mixes_images_and_targets_by_the_same_share)
{
    static batches mixed, other;
    peft_dataset *d = grey_images();
    int inside = 0;
    read_epochs(d, "train=true,mixup=1", &mixed);
    read_epochs(d, "train=true,mixup=1,threads=3,cache=0", &other);
    ck_assert_mem_eq(&mixed, &other, sizeof mixed);
    for (int i = 0; i < 2 * SAMPLES; i++) {
        int start = i / SAMPLES * SAMPLES, first = start + (i - start) / BATCH * BATCH;
        int end = first + BATCH < start + SAMPLES ? first + BATCH : start + SAMPLES;
        int64_t a = mixed.id[i], b = mixed.id[i + 1 < end ? i + 1 : first];
        double value = mixed.images[i][0] * 255, share = a == b ? 1 : (value - 10 * b) / (10.0 * (a - b)), sum = 0;
        ck_assert(share > -1e-5 && share < 1 + 1e-5);
        inside += share > 0.01 && share < 0.99;
        for (int c = 0; c < CLASSES; c++) {
            double want = share * (a % CLASSES == c) + (1 - share) * (b % CLASSES == c);
            ck_assert_double_le(fabs(mixed.targets[i][c] - want), 1e-5);
            sum += mixed.targets[i][c];
        }
        ck_assert_double_le(fabs(sum - 1), 1e-6);
        for (int k = 0; k < FLOATS; k++) ck_assert(fabs(mixed.images[i][k] * 255 - value) < 1e-3);
    }
    ck_assert_int_gt(inside, SAMPLES);
    read_epochs(d, "train=true", &mixed);
    read_epochs(d, "mixup=1", &other);                        /* without train=true nothing is mixed */
    ck_assert_mem_eq(&mixed, &other, sizeof mixed);
    peft_dataset_free(d);
}
END_TEST

/* The shares have the mean 1/2 and the variance 1 / (4 (2 alpha + 1)) of Beta(alpha, alpha). */
START_TEST(shares_of_mixup_have_a_beta_distribution)
{
    static const double alphas[] = { 0.05, 0.2, 1, 3 };
    peft_dataset *d = grey_images(), *two;
    peft_transform *t = parse("");
    peft_context *ctx;
    peft_tensor *images, *labels;
    int64_t n;
    ok(peft_context_create(NULL, NULL, NULL, &ctx));
    ok(peft_dataset_subset(d, (const int64_t[]){ 0, 5 }, 2, &two));
    ok(peft_tensor_create(ctx, PEFT_F32, 4, (const int64_t[]){ 2, 3, SIZE, SIZE }, &images));
    ok(peft_tensor_create(ctx, PEFT_I64, 1, (const int64_t[]){ 2 }, &labels));
    for (int k = 0; k < 4; k++) {
        enum { EPOCHS = 2000 };
        peft_loader *l;
        double sum = 0, squares = 0, want = 1 / (4 * (2 * alphas[k] + 1));
        char text[80];
        snprintf(text, sizeof text, "batch=2,train=true,mixup=%g", alphas[k]);
        ok(peft_loader_create(two, t, text, &l));
        for (int64_t e = 0; e < EPOCHS; e++) {
            ok(peft_loader_read(l, e, 0, images, NULL, NULL, &n));
            double share = 1 - ((const float *)peft_tensor_cdata(images))[0] * 255 / 50;
            sum += share;
            squares += (share - 0.5) * (share - 0.5);
        }
        ck_assert_double_le(fabs(sum / EPOCHS - 0.5), 4 * sqrt(want / EPOCHS));
        ck_assert_double_le(fabs(squares / EPOCHS - want), 0.1 * want);
        fails(PEFT_E_DTYPE, "mixup", peft_loader_read(l, 0, 0, images, labels, NULL, &n));
        peft_loader_free(l);
    }
    peft_loader *l;
    fails(PEFT_E_OPTION, "mixup", peft_loader_create(two, t, "mixup=5", &l));
    peft_tensor_free(images);
    peft_tensor_free(labels);
    peft_context_free(ctx);
    peft_transform_free(t);
    peft_dataset_free(two);
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("augment", the_draw_depends_on_seed_epoch_and_sample, padded_crops_are_all_shifts_within_the_padding,
              saturation_scales_the_difference_from_grey, erasing_fills_a_box_within_the_bounds,
              augmentations_are_kept_in_the_text_of_a_transform, mixup_mixes_images_and_targets_by_the_same_share,
              shares_of_mixup_have_a_beta_distribution)
