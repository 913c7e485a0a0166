/* SPDX-License-Identifier: Apache-2.0
 * test_transform.c -- transforms: resizing and cropping against the pixels of Pillow; transparency; the option range;
 * texts that override others, are of an earlier version or are refused; the warning about dark 16-bit images. */
#include "io_files.h"
#include "png_files.h"
#include <locale.h>
#include <math.h>
#include <peft/io.h>

enum { SIDE = 3, PLANE = SIDE * SIDE };

/* A grey image with the samples x * 37 + y * 101 + x * y * 13. */
static peft_image *grey(int64_t width, int64_t height)
{
    uint8_t v[1000];
    peft_image *im;
    for (int64_t i = 0; i < width * height; i++) {
        int64_t x = i % width, y = i / width;
        v[i] = (uint8_t)(x * 37 + y * 101 + x * y * 13);
    }
    ok(peft_image_from_buffer(io_ctx, v, width, height, 1, 8, 0, &im));
    return im;
}

/* Writes the image as the transform `text` gives it. */
static void apply(const char *text, const peft_image *im, float *out)
{
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, text, &t));
    ok(peft_transform_apply(t, im, out));
    peft_transform_free(t);
}

/* Expected values by Image.resize of Pillow 13.0 and the crop of torchvision 0.29 (with crop_offset=floor: transformers
 * 5.24). resize_order=pillow12 resizes the width first. */
static const struct { int64_t width, height; const char *text; int want[PLANE]; } geometry[] = {
    { 13, 9, "interpolation=nearest", { 201, 145, 89, 70, 170, 14, 195, 195, 195 } },
    { 13, 9, "interpolation=lanczos", { 113, 126, 117, 140, 127, 132, 136, 123, 138 } },
    { 13, 9, "interpolation=bilinear", { 117, 128, 121, 136, 129, 127, 133, 126, 138 } },
    { 13, 9, "interpolation=bicubic", { 114, 127, 119, 138, 129, 130, 134, 124, 138 } },
    { 13, 9, "interpolation=box", { 112, 128, 114, 132, 136, 144, 131, 127, 131 } },
    { 13, 9, "interpolation=hamming", { 119, 129, 116, 138, 132, 127, 131, 123, 135 } },
    { 5, 30, "interpolation=lanczos", { 126, 128, 139, 133, 127, 139, 119, 114, 125 } },
    { 5, 30, "interpolation=lanczos,resize_order=pillow12", { 126, 128, 139, 133, 127, 140, 119, 114, 125 } },
    { 13, 9, "crop_pct=0.5", { 155, 114, 116, 164, 103, 137, 105, 138, 161 } },
    { 13, 9, "resize=shorter,crop_pct=0.6", { 112, 115, 155, 161, 140, 96, 124, 111, 151 } },
    { 9, 23, "resize=shorter", { 128, 140, 120, 128, 145, 129, 138, 126, 119 } },
    { 13, 9, "resize=5", { 112, 115, 155, 161, 140, 96, 124, 111, 151 } },
    { 9, 14, "resize=2", { 122, 131, 0, 137, 128, 0, 136, 133, 0 } },
    { 13, 9, "resize=5x8,interpolation=bilinear", { 125, 104, 138, 145, 158, 100, 115, 129, 125 } },
    { 13, 9, "resize=none", { 171, 247, 67, 81, 170, 3, 247, 93, 195 } },
    { 10, 10, "resize=none", { 248, 81, 170, 145, 247, 93, 42, 157, 16 } },
    { 10, 10, "resize=none,crop_offset=floor", { 19, 95, 171, 159, 248, 81, 43, 145, 247 } },
    { 8, 8, "resize=none", { 72, 135, 198, 199, 19, 95, 70, 159, 248 } },
    { 2, 9, "resize=none", { 47, 123, 0, 148, 237, 0, 249, 95, 0 } },
    { 9, 20, "resize=6,crop_offset=floor", { 126, 146, 174, 115, 175, 131, 110, 143, 143 } },
    /* by image_transform of open_clip 3.3 with resize_mode longest */
    { 13, 9, "resize=longest", { 122, 127, 121, 138, 126, 136, 0, 0, 0 } },
    { 9, 23, "resize=longest", { 0, 129, 0, 0, 132, 0, 0, 126, 0 } },
    { 2, 9, "resize=longest,interpolation=bilinear", { 0, 89, 0, 0, 150, 0, 0, 137, 0 } },
};

START_TEST(resizing_and_cropping_give_the_pixels_of_pillow)
{
    for (size_t i = 0; i < sizeof geometry / sizeof *geometry; i++) {
        float out[3 * PLANE];
        char text[200];
        peft_image *im = grey(geometry[i].width, geometry[i].height);
        snprintf(text, sizeof text, "size=%d,mean=0,std=1,%s", SIDE, geometry[i].text);
        apply(text, im, out);
        for (int k = 0; k < PLANE; k++)
            ck_assert_msg((int)lrintf(out[k] * 255) == geometry[i].want[k], "%s: pixel %d is %g, expected %d",
                          geometry[i].text, k, (double)(out[k] * 255), geometry[i].want[k]);
        peft_image_free(im);
    }
}
END_TEST

/* resize=longest_mean surrounds the image with the mean colour. Expected: timm 1.0.31, transforms_imagenet_eval with
 * crop_mode border. */
START_TEST(longest_mean_pads_with_the_mean_colour)
{
    static const struct { int64_t width, height; const char *text; int want[3][PLANE]; } rows[] = {
        { 13, 9, "crop_pct=1", { { 122, 127, 121, 138, 126, 136, 124, 124, 124 },
                                 { 122, 127, 121, 138, 126, 136, 116, 116, 116 },
                                 { 122, 127, 121, 138, 126, 136, 104, 104, 104 } } },
        { 9, 23, "crop_pct=0.5", { { 134, 130, 124, 136, 131, 124, 122, 115, 124 },
                                   { 134, 130, 116, 136, 131, 116, 122, 115, 116 },
                                   { 134, 130, 104, 136, 131, 104, 122, 115, 104 } } } };
    static const float mean[3] = { 0.485f, 0.456f, 0.406f };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float out[3 * PLANE];
        char text[200];
        peft_image *im = grey(rows[i].width, rows[i].height);
        snprintf(text, sizeof text, "size=%d,resize=longest_mean,mean=0.485:0.456:0.406,std=1,%s", SIDE, rows[i].text);
        apply(text, im, out);
        for (int k = 0; k < 3 * PLANE; k++) {
            const float got = (out[k] + mean[k / PLANE]) * 255;
            ck_assert_msg((int)lrintf(got) == rows[i].want[k / PLANE][k % PLANE], "%s: value %d is %g, expected %d",
                          rows[i].text, k, (double)got, rows[i].want[k / PLANE][k % PLANE]);
        }
        peft_image_free(im);
    }
}
END_TEST

/* Resizing 1 x 16384 to a shorter side of 256 would give 4,194,304 rows: only those of the crop are computed. */
START_TEST(only_the_cropped_part_of_a_long_image_is_resized)
{
    enum { LONG = 16384 };
    static uint8_t v[LONG];
    static float out[3 * 224 * 224];
    peft_image *im;
    memset(v, 51, sizeof v);
    for (int tall = 0; tall < 2; tall++) {
        ok(peft_image_from_buffer(io_ctx, v, tall ? 1 : LONG, tall ? LONG : 1, 1, 8, 0, &im));
        apply("resize=shorter,mean=0,std=1", im, out);
        for (int i = 0; i < 3 * 224 * 224; i++) ck_assert(out[i] == 0.2f);
        peft_image_free(im);
    }
}
END_TEST

/* The text of `text` over `base` contains part, and parses to itself. */
static void text_contains(const char *base, const char *text, const char *part)
{
    peft_transform *t, *again;
    ok(peft_transform_parse_over(io_ctx, base, text, &t));
    ck_assert_msg(strstr(peft_transform_text(t), part) != NULL, "no '%s' in %s", part, peft_transform_text(t));
    ok(peft_transform_parse(io_ctx, peft_transform_text(t), &again));
    ck_assert_str_eq(peft_transform_text(t), peft_transform_text(again));
    peft_transform_free(again);
    peft_transform_free(t);
}

START_TEST(a_text_overrides_settings_of_another)
{
    const char *base = "size=224,resize=shorter,crop_pct=0.9,interpolation=bilinear,mean=0.1:0.2:0.3,std=0.5";
    text_contains(base, "grey=true",
            "size=224,resize=shorter,crop_pct=0.9,interpolation=bilinear,grey=true,mean=0.1:0.2:0.3,");
    text_contains(base, "size=64", "size=64,resize=shorter,crop_pct=0.9,");
    text_contains(base, "resize=squash", "resize=squash,crop_pct=1,");
    text_contains(base, "resize=none", "resize=none,crop_pct=1,");
    text_contains(base, NULL, "resize=shorter,crop_pct=0.9,");
    text_contains(NULL, "resize=shorter", "resize=shorter,crop_pct=0.875,");
    text_contains("size=224,resize=256", "size=112", "size=112,resize=128,");
    text_contains("size=224,resize=256x320", "size=112", "size=112,resize=128x160,");
    text_contains("size=224,resize=256", "size=112,resize=200", "size=112,resize=200,");
    text_contains("size=224,resize=256", "size=384x512", "size=384x512,resize=shorter,crop_pct=0.875,");
    text_contains("size=224,resize=256x320", "size=112x448", "size=112x448,resize=128x640,");
    text_contains("size=224,resize=200", "size=448x672", "size=448x672,resize=400,");        /* does not cover it */
    text_contains("size=384x512,resize=400", "flip=0.5", "size=384x512,resize=400,crop_pct=1,");
    text_contains("size=384x512,resize=shorter", "size=64", "size=64,resize=shorter,crop_pct=0.875,");
    text_contains(NULL, "size=32x32", "size=32,");
    text_contains("range=0:4095", "", "range=0:4095");
    text_contains("range=0:4095", "range=full", "range=full");
    text_contains(NULL, "range=-1000:400.5", "range=-1000:400.5");
    peft_transform *t = NULL;
    fails(PEFT_E_OPTION, "colour", peft_transform_parse_over(io_ctx, "colour=1", "", &t));
    fails(PEFT_E_OPTION, "crop_pct=0.9 has no effect",
          peft_transform_parse_over(io_ctx, "resize=256", "crop_pct=0.9", &t));
    fails(PEFT_E_INVALID, "out", peft_transform_parse_over(io_ctx, NULL, NULL, NULL));
}
END_TEST

/* A text as an earlier version of libpeft-io wrote it, with all settings. */
#define OLD(size, resize, pct, erase) \
    "size=" size ",resize=" resize ",crop_pct=" pct ",interpolation=bicubic,grey=false,mean=0:0:0,std=1:1:1," \
    "random_crop=false,scale=0.08:1,ratio=0.75:1.3333333333333333,flip=0,brightness=0,contrast=0,saturation=0,pad=0," \
    "pad_mode=zero," erase

#define NO_ERASE "erase=0,erase_area=0.02:0.33,erase_ratio=0.3:3.3,erase_fill=mean"

START_TEST(texts_of_an_earlier_version_keep_their_meaning)
{
    float out[3 * PLANE], old[3 * PLANE];
    text_contains(NULL, OLD("3", "squash", "0.875", NO_ERASE), "size=3,resize=squash,crop_pct=1,");
    text_contains(NULL, OLD("3", "squash", "0.875", NO_ERASE), "resize_order=pillow12");
    text_contains(NULL, OLD("3", "shorter", "0.875", NO_ERASE), "resize=shorter,crop_pct=0.875,");
    text_contains(NULL, OLD("3", "shorter", "1.5", NO_ERASE), "resize=2,crop_pct=1,");              /* 2 = 3 / 1.5 */
    /* the old ratio was width / height, now height / width; the old fill "random" drew from a uniform distribution */
    text_contains(NULL,
                  OLD("3", "squash", "0.875", "erase=1,erase_area=0.02:0.33,erase_ratio=0.25:2,erase_fill=random"),
                  "erase_ratio=0.5:4,erase_fill=uniform");
    peft_image *im = grey(5, 30);                             /* old texts resize the width first */
    apply("size=3,mean=0,std=1,resize_order=pillow12", im, out);
    apply(OLD("3", "squash", "0.875", NO_ERASE), im, old);
    ck_assert_mem_eq(out, old, sizeof out);
    apply("size=3,mean=0,std=1", im, old);
    ck_assert_mem_ne(out, old, sizeof out);
    peft_image_free(im);
}
END_TEST

START_TEST(mean_and_std_of_samples_up_to_255_are_refused)
{
    peft_transform *t = NULL;
    fails(PEFT_E_OPTION, "mean=0.485:0.456:0.406",
          peft_transform_parse(io_ctx, "mean=123.675:116.28:103.53,std=58.395:57.12:57.375", &t));
    fails(PEFT_E_OPTION, "are for samples in 0..255", peft_transform_parse(io_ctx, "mean=0,std=255", &t));
    fails(PEFT_E_OPTION, "are for samples in 0..255", peft_transform_parse(io_ctx, "mean=127.5,std=127.5", &t));
    ok(peft_transform_parse(io_ctx, "mean=0,std=1", &t));
    peft_transform_free(t);
}
END_TEST

/* Settings in messages have a decimal point, also where the program's locale has a comma: they can be copied. */
START_TEST(numbers_in_messages_do_not_depend_on_the_locale)
{
    for (int german = 0; german < 2; german++) {
        peft_transform *t = NULL;
        if (german && !setlocale(LC_ALL, "de_DE.UTF-8")) {
            printf("SKIP: the locale de_DE.UTF-8 is not installed\n");
            return;
        }
        fails(PEFT_E_OPTION, "expected mean=0.485:0.456:0.406,std=0.229:0.224:0.225",
              peft_transform_parse(io_ctx, "mean=123.675:116.28:103.53,std=58.395:57.12:57.375", &t));
        fails(PEFT_E_OPTION, "crop_pct=87.5", peft_transform_parse(io_ctx, "resize=shorter,crop_pct=87.5", &t));
        fails(PEFT_E_OPTION, "a number from 0.001 to 100", peft_transform_parse(io_ctx, "crop_pct=x", &t));
    }
}
END_TEST

/* One row of pixels of different alpha. Expected: composed with white by Pillow 13.0. */
START_TEST(alpha_is_dropped_or_composed_with_white)
{
    static const uint8_t alpha[8] = { 0, 1, 64, 127, 128, 200, 254, 255 }, white[8][3] = {
        { 255, 255, 255 }, { 255, 254, 254 }, { 241, 194, 214 }, { 228, 133, 173 }, { 227, 132, 172 }, { 212, 63, 126 },
        { 200, 11, 91 }, { 200, 10, 90 } };
    uint8_t rgba[8][4];
    float dropped[3 * 64], composed[3 * 64];
    size_t size;
    peft_image *im;
    for (int i = 0; i < 8; i++) memcpy(rgba[i], ((uint8_t[]){ 200, 10, 90, alpha[i] }), 4);
    void *png = png_of(SPNG_COLOR_TYPE_TRUECOLOR_ALPHA, 8, 8, 1, NULL, rgba, sizeof rgba, &size);
    ok(peft_image_load_memory(io_ctx, png, size, NULL, &im));
    apply("size=8,mean=0,std=1,resize=8x8", im, dropped);
    apply("size=8,mean=0,std=1,resize=8x8,alpha=white", im, composed);
    for (int i = 0; i < 8; i++)
        for (int c = 0; c < 3; c++) {
            ck_assert_int_eq((int)lrintf(dropped[64 * c + i] * 255), rgba[i][c]);
            ck_assert_int_eq((int)lrintf(composed[64 * c + i] * 255), white[i][c]);
        }
    peft_image_free(im);
    free(png);
}
END_TEST

/* PNG's transparent colours and palette entries, for every colour type that has them: pixel 0 is transparent, 1 is
 * not. */
START_TEST(transparent_colours_are_composed_with_white)
{
    static const struct spng_trns grey1 = { .gray = 0 }, grey8 = { .gray = 7 }, grey16 = { .gray = 300 },
        rgb8 = { .red = 1, .green = 2, .blue = 3 }, rgb16 = { .red = 256, .green = 2, .blue = 3 },
        palette = { .n_type3_entries = 1, .type3_alpha = { 0 } };
    /* v: the samples of both pixels; second: the value of pixel 1 */
    static const struct { int type, bits; const struct spng_trns *trns; uint16_t v[6]; double second; } row[] = {
        { SPNG_COLOR_TYPE_GRAYSCALE, 1, &grey1, { 0x40 }, 1 },
        { SPNG_COLOR_TYPE_GRAYSCALE, 8, &grey8, { 7, 51 }, 51 / 255.0 },
        { SPNG_COLOR_TYPE_GRAYSCALE, 16, &grey16, { 300, 13107 }, 13107 / 65535.0 },
        { SPNG_COLOR_TYPE_TRUECOLOR, 8, &rgb8, { 1, 2, 3, 51, 2, 3 }, 51 / 255.0 },
        { SPNG_COLOR_TYPE_TRUECOLOR, 16, &rgb16, { 256, 2, 3, 13107, 2, 3 }, 13107 / 65535.0 },
        { SPNG_COLOR_TYPE_INDEXED, 8, &palette, { 0, 1 }, 40 / 255.0 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        uint8_t bytes[6];
        float out[3 * 4];
        /* n: samples of both pixels; two samples of 1 bit are one byte */
        size_t size, n = row[i].type == SPNG_COLOR_TYPE_TRUECOLOR ? 6 : row[i].bits == 1 ? 1 : 2;
        peft_image *im;
        for (int k = 0; k < 6; k++) bytes[k] = (uint8_t)row[i].v[k];
        void *png = png_of(row[i].type, row[i].bits, 2, 1, row[i].trns, row[i].bits == 16 ? (void *)row[i].v : bytes,
                           row[i].bits == 16 ? 2 * n : n, &size);
        ok(peft_image_load_memory(io_ctx, png, size, NULL, &im));
        apply("size=2,mean=0,std=1,resize=none,alpha=white", im, out);
        ck_assert_msg(out[0] == 1 && fabs((double)out[1] - row[i].second) < 1e-6, "row %zu: %g %g", i, (double)out[0],
                      (double)out[1]);
        apply("size=2,mean=0,std=1,resize=none", im, out);
        ck_assert_msg(out[0] < 0.1f, "row %zu: %g", i, (double)out[0]);
        peft_image_free(im);
        free(png);
    }
}
END_TEST

/* A log function keeps the last warning and the number of warnings. */
static char last_warning[400];
static int warnings;
static void count_warning(int level, const char *message, void *user)
{
    ck_assert_int_eq(level, 1);
    ck_assert_ptr_eq(user, &warnings);
    snprintf(last_warning, sizeof last_warning, "%s", message);
    warnings++;
}

START_TEST(the_option_range_maps_samples_to_0_1)
{
    const uint16_t twelve[] = { 0, 4095, 2048, 1024 };
    const int16_t ct[] = { -2000, -1000, 400, -300 };
    peft_image *im, *hu, *bytes;
    peft_transform *t;
    float out[12];
    ok(peft_image_from_buffer(io_ctx, twelve, 2, 2, 1, 16, 0, &im));
    ok(peft_image_from_buffer(io_ctx, ct, 2, 2, 1, PEFT_SIGNED_16, 0, &hu));
    ok(peft_image_from_buffer(io_ctx, "\0\1\2\3", 2, 2, 1, 8, 0, &bytes));
    ck_assert_int_eq(peft_image_depth(hu), PEFT_SIGNED_16);
    apply("size=2,mean=0,std=1,range=0:4095", im, out);
    for (int i = 0; i < 4; i++) ck_assert_double_eq_tol((double)out[i], twelve[i] / 4095.0, 1e-5);
    ck_assert(out[1] == 1);
    apply("size=2,mean=0,std=1,range=-1000:400", hu, out);
    ck_assert(out[0] == 0 && out[1] == 0 && out[2] == 1);
    ck_assert_double_eq_tol((double)out[3], 0.5, 1e-5);
    peft_image_free(im);
    ok(peft_image_resize(hu, 2, 2, "bicubic", &im));
    same_image(im, hu);
    peft_image_free(im);
    ok(peft_image_resize(hu, 1, 1, "box", &im));
    ck_assert_int_eq(((const int16_t *)peft_image_pixels(im))[0], -725);
    peft_image_free(im);
    ok(peft_image_resize(hu, 4, 4, "lanczos", &im));          /* overshoot does not wrap around */
    for (int i = 0; i < 16; i++) ck_assert_int_lt(abs(((const int16_t *)peft_image_pixels(im))[i]), 3000);
    peft_image_free(im);
    fails(PEFT_E_UNSUPPORTED, "signed", peft_image_save_png(hu, in_folder("hu.png")));
    ok(peft_transform_parse(io_ctx, "size=2", &t));
    fails(PEFT_E_INVALID, "range=lo:hi", peft_transform_apply(t, hu, out));
    peft_transform_free(t);
    ok(peft_transform_parse(io_ctx, "size=2,range=0:4095", &t));
    fails(PEFT_E_INVALID, "8 bits", peft_transform_apply(t, bytes, out));
    peft_transform_free(t);
    ok(peft_transform_parse(io_ctx, "size=2,range=-1000:400", &t));
    fails(PEFT_E_INVALID, "unsigned", peft_transform_apply(t, bytes, out));
    peft_transform_free(t);
    peft_image_free(hu);
    peft_image_free(bytes);
}
END_TEST

START_TEST(dark_16_bit_images_are_warned_about_once)
{
    const uint16_t twelve[] = { 0, 4095, 2048, 1024 }, whole[] = { 0, 8192, 1, 2 }, black[4] = { 0 };
    peft_image *im, *bright, *none;
    peft_transform *t;
    float out[12];
    ok(peft_context_set_log(io_ctx, count_warning, &warnings, 1));
    ok(peft_image_from_buffer(io_ctx, twelve, 2, 2, 1, 16, 0, &im));
    ok(peft_image_from_buffer(io_ctx, whole, 2, 2, 1, 16, 0, &bright));
    ok(peft_image_from_buffer(io_ctx, black, 2, 2, 1, 16, 0, &none));
    ok(peft_transform_parse(io_ctx, "size=2", &t));
    ok(peft_transform_apply(t, bright, out));
    ok(peft_transform_apply(t, none, out));
    ck_assert_int_eq(warnings, 0);
    ok(peft_transform_apply(t, im, out));
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(last_warning, "4095"));
    ck_assert_ptr_nonnull(strstr(last_warning, "range=0:4095"));
    ok(peft_transform_apply_train(t, im, 1, 0, 0, out));
    ck_assert_int_eq(warnings, 1);                            /* no second warning */
    peft_transform_free(t);
    apply("size=2,range=0:4095", im, out);
    ck_assert_int_eq(warnings, 1);
    ok(peft_context_set_log(io_ctx, NULL, NULL, 1));
    apply("size=2", im, out);
    ck_assert_int_eq(warnings, 1);
    peft_image_free(im);
    peft_image_free(bright);
    peft_image_free(none);
}
END_TEST

IO_SUITE_MAIN("transform", resizing_and_cropping_give_the_pixels_of_pillow, longest_mean_pads_with_the_mean_colour,
              only_the_cropped_part_of_a_long_image_is_resized, a_text_overrides_settings_of_another,
              texts_of_an_earlier_version_keep_their_meaning, mean_and_std_of_samples_up_to_255_are_refused,
              numbers_in_messages_do_not_depend_on_the_locale, alpha_is_dropped_or_composed_with_white,
              transparent_colours_are_composed_with_white, the_option_range_maps_samples_to_0_1,
              dark_16_bit_images_are_warned_about_once)
