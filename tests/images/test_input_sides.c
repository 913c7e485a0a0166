/* SPDX-License-Identifier: Apache-2.0
 * test_input_sides.c -- transforms to inputs that are not square (size=HxW): the pixels of timm, and the getters. */
#include "io_files.h"
#include <math.h>
#include <peft/io.h>

/* Expected: timm 1.0.31, transforms_imagenet_eval with img_size (height, width) and crop_mode center (shorter), squash
 * and border (longest: the mean colour is black here), of a grey image. */
START_TEST(inputs_have_the_pixels_of_timm)
{
    enum { MOST = 8 };
    static const struct { int64_t width, height; int rows, columns; const char *resize; int want[MOST]; } cases[] = {
        { 13, 9, 2, 4, "resize=shorter,crop_pct=1", { 126, 160, 98, 132, 110, 144, 111, 123 } },
        { 13, 9, 4, 2, "resize=shorter,crop_pct=0.6", { 111, 81, 147, 52, 99, 97, 81, 151 } },
        { 9, 23, 2, 4, "resize=shorter,crop_pct=0.8", { 138, 144, 92, 90, 139, 135, 151, 163 } },
        { 30, 8, 3, 2, "resize=shorter,crop_pct=0.875", { 103, 114, 139, 109, 135, 156 } },
        { 13, 9, 2, 4, "resize=squash,crop_pct=0.5", { 173, 150, 95, 104, 161, 116, 93, 148 } },
        { 13, 9, 4, 2, "resize=longest,crop_pct=1", { 0, 0, 127, 122, 0, 0, 0, 0 } },
        { 9, 23, 3, 2, "resize=longest,crop_pct=0.7", { 127, 122, 118, 120, 129, 138 } } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int rows = cases[i].rows, columns = cases[i].columns;
        float out[3 * MOST];
        char text[200];
        peft_transform *t;
        peft_image *im = picture(cases[i].width, cases[i].height, 1, 8, 7);
        snprintf(text, sizeof text, "size=%dx%d,mean=0,std=1,%s", rows, columns, cases[i].resize);
        ok(peft_transform_parse(io_ctx, text, &t));
        ck_assert_int_eq(peft_transform_height(t), rows);
        ck_assert_int_eq(peft_transform_width(t), columns);
        ck_assert_int_eq(peft_transform_size(t), -1);
        ok(peft_transform_apply(t, im, out));
        for (int k = 0; k < 3 * rows * columns; k++)
            ck_assert_msg((int)lrintf(out[k] * 255) == cases[i].want[k % (rows * columns)], "%s: value %d is %g", text,
                          k, (double)(out[k] * 255));
        peft_image_free(im);
        peft_transform_free(t);
    }
}
END_TEST

START_TEST(squares_have_a_size)
{
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, "size=24x24", &t));
    ck_assert_int_eq(peft_transform_size(t), 24);
    ck_assert_int_eq(peft_transform_height(t), 24);
    ck_assert_int_eq(peft_transform_width(t), 24);
    peft_transform_free(t);
    ck_assert_int_eq(peft_transform_height(NULL), 0);
    ck_assert_int_eq(peft_transform_width(NULL), 0);
    static const char *const bad[] = { "size=0x8", "size=8x", "size=8x16385", "size=shorter", "size=8x8x8" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(PEFT_E_OPTION, "expected N or HxW from 1 to 16384", peft_transform_parse(io_ctx, bad[i], &t));
}
END_TEST

IO_SUITE_MAIN("input sides", inputs_have_the_pixels_of_timm, squares_have_a_size)
