/* SPDX-License-Identifier: Apache-2.0
 * test_drawn_masks.c -- the overlays of report (examples/report/segment/draw_masks.h) and means of a case
 * (examples/common/segment/figures/case_means.h). */
#include "common/segment/figures/case_means.h"
#include "common/slices/slice_name.h"
#include "common/segment/palette.h"
#include "report/segment/draw_masks.h"
#include "suite.h"
#include <math.h>

/* A pixel of the overlay has the colour of this class and this opacity. */
static void check_pixel(const mask_overlay *o, int64_t at, int class, int opacity)
{
    unsigned char palette[PALETTE_COLOURS * 3];
    class_palette(palette);
    ck_assert_int_eq(o->alpha[at], opacity);
    for (int c = 0; c < 3 && opacity; c++) ck_assert_int_eq(o->rgb[3 * at + c], palette[3 * class + c]);
}

/* 5 x 4 pixels: class 1 is true in columns 1 to 3 of the last three rows, so that its middle alone is no contour. */
START_TEST(contours_lie_over_areas)
{
    enum { W = 5, H = 4 };
    const uint8_t predicted[W * H] = { 2, 0, 0, 0, 0,
                                       0, 0, 0, 0, 0,
                                       0, 0, 2, 0, 0,
                                       0, 0, 0, 0, 1 };
    const int64_t truth[W * H] = { 0, -1, 0, 0, 0,
                                   0, 1, 1, 1, 0,
                                   0, 1, 1, 1, 0,
                                   0, 1, 1, 1, 0 };
    mask_overlay o = draw_masks(predicted, truth, W, H);
    ck_assert_int_eq(o.width, W);
    ck_assert_int_eq(o.height, H);
    for (int64_t y = 0; y < H; y++)
        for (int64_t x = 0; x < W; x++) {
            const bool inside = y == 2 && x == 2, contour = y > 0 && x > 0 && x < 4 && !inside;
            const int area = predicted[y * W + x];
            check_pixel(&o, y * W + x, contour ? 1 : area, contour ? CONTOUR_OPACITY : area ? AREA_OPACITY : 0);
        }
    free_overlay(&o);
}
END_TEST

START_TEST(without_truth_there_are_areas_alone)
{
    const uint8_t predicted[4] = { 0, 1, 2, 0 };
    mask_overlay o = draw_masks(predicted, NULL, 2, 2);
    for (int k = 0; k < 4; k++) check_pixel(&o, k, predicted[k], predicted[k] ? AREA_OPACITY : 0);
    free_overlay(&o);
}
END_TEST

/* A map of twice the largest side shows every other column. */
START_TEST(large_maps_are_reduced)
{
    enum { W = 2 * LARGEST_OVERLAY, H = 2 };
    static uint8_t predicted[W * H];
    for (int k = 0; k < W; k++) predicted[k] = predicted[W + k] = k % 4 == 1;
    mask_overlay o = draw_masks(predicted, NULL, W, H);
    ck_assert_int_eq(o.width, LARGEST_OVERLAY);
    ck_assert_int_eq(o.height, 1);
    for (int k = 0; k < LARGEST_OVERLAY; k++) check_pixel(&o, k, 1, k % 2 ? 0 : AREA_OPACITY);
    free_overlay(&o);
}
END_TEST

/* Two cases of three classes, of which the first is the background. */
START_TEST(means_of_a_case)
{
    double dice[] = { 0.9, 0.4, 0.6, 0.8, NAN, NAN }, hd95[] = { 1, 3, INFINITY, 1, NAN, 5 };
    bool millimetres[] = { false, true };
    case_table f = { .cases = 2, .classes = 3, .millimetres = millimetres };
    f.value[CASE_DICE] = dice;
    f.value[CASE_HD95] = hd95;
    ck_assert_double_eq_tol(case_mean(&f, CASE_DICE, 0), 0.5, 1e-15);
    ck_assert_double_nan(case_mean(&f, CASE_DICE, 1));
    ck_assert_double_eq(case_mean(&f, CASE_HD95, 0), 3);
    ck_assert(any_millimetres(&f));
    ck_assert_double_nan(counted_value(&f, true, CASE_HD95, 0, 1));       /* in pixels, and others in millimetres */
    ck_assert_double_eq(counted_value(&f, false, CASE_HD95, 0, 1), 3);
    ck_assert_double_nan(counted_value(&f, false, CASE_HD95, 0, 2));
    ck_assert_double_eq(counted_value(&f, true, CASE_DICE, 0, 1), 0.4);
    f.several = true;
    ck_assert_double_eq_tol(case_mean(&f, CASE_DICE, 0), 1.9 / 3, 1e-15); /* labels have no background */
    f.several = false;
    f.classes = 1;
    ck_assert_double_eq(case_mean(&f, CASE_DICE, 0), 0.9);                /* a single class is no background */
}
END_TEST

/* A volume begins with its first slice. A picture may have a file name that reads as that of a volume. */
START_TEST(first_image_of_a_case)
{
    static const struct { const char *name; int64_t images; const char *first; bool begins; } list[] = {
        { "a/b.png", 1, "a/b.png", true }, { "a/b.png", 1, "a/c.png", false },
        { "v.nii.gz#slices=3-9", 7, "v.nii.gz#slice=3", true }, { "v.nii.gz#slices=3-9", 7, "v.nii.gz#slice=4", false },
        { "v.nii.gz#slices=3-9", 6, "v.nii.gz#slice=3", false },
        { "v.nii.gz#slices=3-9", 7, "w.nii.gz#slice=3", false },
        { "v.nii.gz#slices=3-9", 7, "v.nii", false }, { "x#slices=3-9", 1, "x#slices=3-9", true },
        { "x#slices=3-9", 1, "x#slice=3", false } };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        char *name = strdup(list[k].name);
        int64_t images = list[k].images;
        const case_table f = { .cases = 1, .name = &name, .images = &images };
        ck_assert_msg(begins_case(&f, 0, list[k].first) == list[k].begins, "%s, %s", name, list[k].first);
        free(name);
    }
}
END_TEST

START_TEST(names_of_slices)
{
    static const struct { const char *name; int64_t slice; size_t length; } list[] = {
        { "a.nii#slice=3", 3, 5 }, { "a#b.nii#slice=0", 0, 7 }, { "a.png", -1, 5 }, { "a#slice=", -1, 8 },
        { "a#slice=-3", -1, 10 }, { "a#slice= 3", -1, 10 }, { "a#slice=3.png", -1, 13 }, { "a#slices=3-9", -1, 12 } };
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        size_t length;
        ck_assert_int_eq(slice_of_name(list[k].name, &length), list[k].slice);
        ck_assert_uint_eq(length, list[k].length);
    }
}
END_TEST

SUITE_MAIN("drawn_masks", contours_lie_over_areas, without_truth_there_are_areas_alone, large_maps_are_reduced,
           means_of_a_case, first_image_of_a_case, names_of_slices)
