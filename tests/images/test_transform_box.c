/* SPDX-License-Identifier: Apache-2.0
 * test_transform_box.c -- peft_transform_box: an image whose samples are their own column, or row, tells where each
 * output pixel comes from; and PNG files with the opacity of each pixel. */
#include "io_files.h"
#include <math.h>
#include <peft/io.h>
#include <stdbool.h>

enum { SIDE = 16, MOST = 24 };      /* of PNG files; of an output's sides */

/* A grey image of 16 bits: sample 100 times the column + 0.5, or the row. */
static peft_image *ramp(int64_t width, int64_t height, bool columns)
{
    static uint16_t v[200 * 200];
    peft_image *im;
    for (int64_t i = 0; i < width * height; i++)
        v[i] = (uint16_t)(100 * (columns ? i % width : i / width) + 50);
    ok(peft_image_from_buffer(io_ctx, v, width, height, 1, 16, 0, &im));
    return im;
}

START_TEST(the_box_is_where_pixels_come_from)
{
    static const struct { int64_t width, height; const char *settings; } cases[] = {
        { 96, 64, "resize=squash" }, { 96, 64, "resize=shorter" }, { 64, 160, "resize=shorter,crop_pct=0.8" },
        { 96, 64, "resize=squash,crop_pct=0.5" }, { 120, 40, "resize=longest" }, { 41, 87, "resize=longest_mean" },
        { 31, 57, "resize=none" }, { 100, 80, "resize=20" }, { 100, 80, "resize=21x19,crop_offset=floor" },
        { 9, 12, "resize=none" }, { 96, 64, "size=12x24,resize=squash" }, { 64, 160, "size=24x12,resize=shorter" },
        { 120, 40, "size=16x24,resize=longest" }, { 96, 72, "size=10x24,resize=36" } };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char text[160];
        static float out[3 * MOST * MOST];
        double box[4];
        int checked = 0;
        peft_transform *t;
        const bool own_size = strstr(cases[c].settings, "size=") == cases[c].settings;
        snprintf(text, sizeof text, "%s%s,interpolation=bilinear,range=0:65535,mean=0,std=1",
                 own_size ? "" : "size=16,", cases[c].settings);
        ok(peft_transform_parse(io_ctx, text, &t));
        const int rows = (int)peft_transform_height(t), columns = (int)peft_transform_width(t);
        ok(peft_transform_box(t, cases[c].width, cases[c].height, box));
        for (int axis = 0; axis < 2; axis++) {
            const double end = (double)(axis ? cases[c].height : cases[c].width);
            const double step = (box[2 + axis] - box[axis]) / (axis ? rows : columns);
            peft_image *im = ramp(cases[c].width, cases[c].height, !axis);
            ok(peft_transform_apply(t, im, out));
            for (int i = 0; i < rows * columns; i++) {
                const int row = i / columns, column = i % columns;
                const double at = box[axis] + ((axis ? row : column) + 0.5) * step;
                const double other = box[!axis] + ((axis ? column : row) + 0.5) * (box[2 + !axis] - box[!axis])
                    / (axis ? columns : rows);
                const double width = fmax(1, step);        /* of the filter; at the edges it is cut off */
                if (at < width || at > end - width || other < 0
                    || other > (double)(axis ? cases[c].width : cases[c].height)) continue;
                checked++;
                ck_assert_msg(fabs((double)out[i] * 655.35 - at) < 0.02 * width, "%s, %d: pixel %d at %g, box says %g",
                              text, axis, i, (double)out[i] * 655.35, at);
            }
            peft_image_free(im);
        }
        ck_assert_int_gt(checked, 40);
        peft_transform_free(t);
    }
}
END_TEST

START_TEST(boxes_of_bad_arguments_are_refused)
{
    double box[4];
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, "", &t));
    ck_assert_int_eq(peft_transform_box(t, 0, 5, box), PEFT_E_INVALID);
    ck_assert_int_eq(peft_transform_box(NULL, 5, 5, box), PEFT_E_INVALID);
    ck_assert_int_eq(peft_transform_box(t, 5, 5, NULL), PEFT_E_INVALID);
    peft_transform_free(t);
}
END_TEST

/* Composited over white, a pixel is alpha * sample + (1 - alpha). */
START_TEST(png_files_keep_the_opacity)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        peft_image *im = picture(SIDE, SIDE, channels, 8, 3), *back, *deep = picture(SIDE, SIDE, channels, 16, 3);
        static float out[3 * SIDE * SIDE];
        uint8_t alpha[SIDE * SIDE];
        peft_transform *t;
        const char *path = in_folder("alpha.png");
        for (int i = 0; i < SIDE * SIDE; i++) alpha[i] = (uint8_t)i;
        ok(peft_image_save_png_alpha(im, alpha, path));
        ck_assert_int_eq(peft_image_save_png_alpha(deep, alpha, path), PEFT_E_UNSUPPORTED);
        ck_assert_int_eq(peft_image_save_png_alpha(im, NULL, path), PEFT_E_INVALID);
        ok(peft_image_load(io_ctx, path, NULL, &back));
        same_image(im, back);
        ok(peft_transform_parse(io_ctx, "size=16,resize=none,alpha=white,mean=0,std=1", &t));
        ok(peft_transform_apply(t, back, out));
        const uint8_t *v = peft_image_pixels(im);
        for (int i = 0; i < 3 * SIDE * SIDE; i++) {
            const int pixel = i % (SIDE * SIDE), c = channels == 3 ? i / (SIDE * SIDE) : 0;
            const double a = alpha[pixel] / 255.0, want = a * v[pixel * channels + c] / 255.0 + 1 - a;
            ck_assert_double_eq_tol((double)out[i], want, 1 / 255.0);
        }
        peft_transform_free(t);
        peft_image_free(im);
        peft_image_free(deep);
        peft_image_free(back);
    }
}
END_TEST

IO_SUITE_MAIN("transform box", the_box_is_where_pixels_come_from, boxes_of_bad_arguments_are_refused,
              png_files_keep_the_opacity)
