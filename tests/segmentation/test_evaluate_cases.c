/* SPDX-License-Identifier: Apache-2.0
 * test_evaluate_cases.c -- figures of masks in programs (examples/common/segment/figures): pictures and volumes whose
 * figures are computed by hand, spacing of files and of --spacing, which slices are a volume, and means with what they
 * leave out. */
#include "common/segment/figures/evaluate_cases.h"
#include "common/segment/figures/mean_figures.h"
#include "formats/nifti_files.h"
#include <peft/image.h>
#include <peft/masks.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE, DEPTH = 3 };
static const char *const names[] = { "background", "lesion" };

static void near_to(double got, double want)
{
    ck_assert_msg(isnan(want) ? isnan(got) : isinf(want) ? isinf(got) : fabs(got - want) < 1e-9,
                  "%.17g, expected %.17g", got, want);
}

/* A picture of a NIfTI file with these sizes of voxels along slices, rows and columns; 0: it states none. */
static peft_image *spaced(double slices, double rows, double columns)
{
    static const uint64_t voxel[PIXELS];
    const nifti n = { .version = 1, .dim = { 3, SIDE, SIDE, 1 }, .datatype = 2, .units = 2,
                      .pixdim = { 1, columns, rows, slices } };
    size_t size;
    peft_image *im;
    uint8_t *file = nifti_file(&n, voxel, PIXELS, 1, &size);
    ok(peft_image_load_memory(io_ctx, file, size, NULL, &im));
    free(file);
    return im;
}

/* Evaluates a picture, and frees it. */
static void add(case_evaluator *j, const char *name, peft_image *im, const uint8_t *predicted, const int64_t *truth)
{
    peft_mask *mask;
    ok(peft_mask_from_labels(io_ctx, truth, SIDE, SIDE, 2, &mask));
    evaluate_picture(j, &(evaluated_picture){ name, NULL, im, predicted, mask });
    peft_mask_free(mask);
    peft_image_free(im);
}

static case_evaluator *make_evaluator(double row, double column, bool distances)
{
    return begin_evaluation(io_ctx, names, 2, &(evaluation_rule){ distances, { row, column, 0 }, 10, false });
}

/* Figure k of the lesion in case i. */
static double lesion(const case_table *f, int k, int64_t i) { return f->value[k][i * 2 + 1]; }

/* Four pixels of a row, and the same moved by a column: Dice 3/4; distances 1, 0, 0, 0 columns in both directions. In
 * a second picture they are moved by two rows; a third one lacks the prediction, and a fourth one both. */
START_TEST(pictures_by_hand)
{
    static const double spacing[][2] = { { 0, 0 }, { 3, 0.5 } };
    for (int unit = 0; unit < 2; unit++) {
        int64_t truth[PIXELS] = { 0 }, none[PIXELS] = { 0 };
        uint8_t beside[PIXELS] = { 0 }, below[PIXELS] = { 0 }, empty[PIXELS] = { 0 };
        const double row = unit ? spacing[1][0] : 1, column = unit ? spacing[1][1] : 1;
        for (int x = 1; x < 5; x++) truth[2 * SIDE + x] = beside[2 * SIDE + x + 1] = below[4 * SIDE + x] = 1;
        case_evaluator *j = make_evaluator(spacing[unit][0], spacing[unit][1], true);
        add(j, "a.png", spaced(0, 0, 0), beside, truth);
        add(j, "b.png", spaced(0, 0, 0), below, truth);
        add(j, "c.png", spaced(0, 0, 0), empty, truth);
        add(j, "d.png", spaced(0, 0, 0), empty, none);
        case_table f = end_evaluation(j);
        ck_assert_int_eq(f.cases, 4);
        ck_assert_str_eq(f.name[1], "b.png");
        ck_assert_int_eq(f.millimetres[0], unit);
        ck_assert(f.truth[1] == 4 && f.predicted[1] == 4 && f.truth[0] == PIXELS - 4 && f.predicted[5] == 0);
        near_to(lesion(&f, CASE_DICE, 0), 0.75);
        near_to(lesion(&f, CASE_IOU, 0), 0.6);
        near_to(lesion(&f, CASE_PRECISION, 0), 0.75);
        near_to(lesion(&f, CASE_RECALL, 0), 0.75);
        near_to(lesion(&f, CASE_HD95, 0), 0.85 * column);     /* position 0.95 * 3 of 0, 0, 0, 1 */
        near_to(lesion(&f, CASE_SURFACE_DISTANCE, 0), 0.25 * column);
        near_to(lesion(&f, CASE_DICE, 1), 0);
        near_to(lesion(&f, CASE_HD95, 1), 2 * row);
        near_to(lesion(&f, CASE_SURFACE_DISTANCE, 1), 2 * row);
        near_to(lesion(&f, CASE_DICE, 2), 0);
        near_to(lesion(&f, CASE_PRECISION, 2), NAN);
        near_to(lesion(&f, CASE_HD95, 2), INFINITY);
        near_to(lesion(&f, CASE_DICE, 3), NAN);
        near_to(lesion(&f, CASE_HD95, 3), NAN);
        mean_figures m = estimate_means(io_ctx, &f);
        const mean_figure *dice = &m.figure[CASE_DICE][1], *hd = &m.figure[CASE_HD95][1];
        ck_assert(dice->cases == 3 && !dice->infinite && hd->cases == 2 && hd->infinite == 1 && !hd->other_unit);
        near_to(dice->e.value, 0.25);
        near_to(hd->e.value, (0.85 * column + 2 * row) / 2);
        near_to(m.figure[CASE_DICE][2].e.value, 0.25);        /* the mean of classes is without the background */
        ck_assert_int_eq(m.millimetres, unit);
        free_means(&m);
        free_case_figures(&f);
    }
}
END_TEST

/* All of a volume but its last slice is of class 0, and all of it is predicted to be: slice 2 is one slice away, and
 * the inner pixels of slice 1, whose neighbours are predicted, up to the border of the volume. */
START_TEST(volume_by_hand)
{
    const double between = 2, row = 0.75, column = 0.5;
    int64_t truth[PIXELS] = { 0 };
    const uint8_t predicted[PIXELS] = { 0 };
    double sum = PIXELS * between, nearest;
    case_evaluator *j = make_evaluator(9, 9, true);
    for (int k = 0; k < DEPTH; k++) {
        char name[20];
        snprintf(name, sizeof name, "v.nii#slice=%d", k + 4);
        for (int i = 0; i < PIXELS; i++) truth[i] = k == DEPTH - 1;
        add(j, name, spaced(between, row, column), predicted, truth);
    }
    add(j, "other.png", spaced(0, 0, 0), predicted, truth);
    case_table f = end_evaluation(j);
    for (int y = 1; y < SIDE - 1; y++)
        for (int x = 1; x < SIDE - 1; x++) {
            nearest = fmin(between, row * fmin(y, SIDE - 1 - y));
            sum += fmin(nearest, column * fmin(x, SIDE - 1 - x));
        }
    ck_assert_int_eq(f.cases, 2);
    ck_assert_str_eq(f.name[0], "v.nii#slices=4-6");
    ck_assert(f.images[0] == 3 && f.images[1] == 1);
    ck_assert(f.millimetres[0] && f.truth[0] == 2 * PIXELS && f.predicted[0] == 3 * PIXELS);
    near_to(f.value[CASE_DICE][0], 0.8);
    near_to(f.value[CASE_IOU][0], 2.0 / 3);
    near_to(f.value[CASE_RECALL][0], 1);
    near_to(f.value[CASE_HD95][0], between);
    /* surfaces: two whole slices, and the border of the middle one where all three are predicted */
    near_to(f.value[CASE_SURFACE_DISTANCE][0], sum / (4 * PIXELS + 4 * (SIDE - 1)));
    free_case_figures(&f);
}
END_TEST

/* Slices are cases of their own where one is left out, the file states no distance between them, their sizes of pixels
 * differ, or they are not in order; whether distances are asked for does not matter. */
START_TEST(slices_that_are_no_volume)
{
    static const struct { int slice[3]; double between, row[3]; bool distances; const char *name[3]; } list[] = {
        { { 0, 1, 3 }, 2, { 1, 1, 1 }, true, { "v#slices=0-1", "v#slice=3" } },
        { { 0, 1, 2 }, 0, { 1, 1, 1 }, true, { "v#slice=0", "v#slice=1", "v#slice=2" } },
        { { 0, 1, 2 }, 2, { 1, 2, 2 }, true, { "v#slice=0", "v#slices=1-2" } },
        { { 2, 1, 0 }, 2, { 1, 1, 1 }, true, { "v#slice=2", "v#slice=1", "v#slice=0" } },
        { { 0, 1, 3 }, 2, { 1, 1, 1 }, false, { "v#slices=0-1", "v#slice=3" } } };
    for (size_t r = 0; r < sizeof list / sizeof *list; r++) {
        const int64_t truth[PIXELS] = { 1 };
        const uint8_t predicted[PIXELS] = { 1 };
        case_evaluator *j = make_evaluator(0, 0, list[r].distances);
        for (int k = 0; k < 3; k++) {
            char name[20];
            snprintf(name, sizeof name, "v#slice=%d", list[r].slice[k]);
            add(j, name, spaced(list[r].between, list[r].row[k], 1), predicted, truth);
        }
        case_table f = end_evaluation(j);
        int64_t cases = 0;
        for (; cases < 3 && list[r].name[cases]; cases++) ck_assert_str_eq(f.name[cases], list[r].name[cases]);
        ck_assert_int_eq(f.cases, cases);
        near_to(lesion(&f, CASE_DICE, 0), 1);
        near_to(lesion(&f, CASE_HD95, 0), list[r].distances ? 0 : NAN);
        free_case_figures(&f);
    }
}
END_TEST

/* The spacing of the file is taken before that of the flag; distances in pixels are left out where others are in
 * millimetres, and counted. */
START_TEST(units_are_not_mixed)
{
    int64_t truth[PIXELS] = { 0 };
    uint8_t predicted[PIXELS] = { 0 };
    truth[0] = predicted[SIDE] = 1;                           /* one row apart */
    case_evaluator *j = make_evaluator(5, 5, true);
    add(j, "a", spaced(1, 3, 4), predicted, truth);
    add(j, "b", spaced(0, 0, 0), predicted, truth);
    case_table f = end_evaluation(j);
    near_to(lesion(&f, CASE_HD95, 0), 3);
    near_to(lesion(&f, CASE_HD95, 1), 5);
    free_case_figures(&f);
    j = make_evaluator(0, 0, true);
    add(j, "a", spaced(1, 3, 4), predicted, truth);
    add(j, "b", spaced(0, 0, 0), predicted, truth);
    f = end_evaluation(j);
    near_to(lesion(&f, CASE_HD95, 1), 1);
    mean_figures m = estimate_means(io_ctx, &f);
    const mean_figure *hd = &m.figure[CASE_HD95][1];
    ck_assert(m.millimetres && hd->cases == 1 && hd->other_unit == 1 && !hd->infinite);
    near_to(hd->e.value, 3);
    free_means(&m);
    free_case_figures(&f);
}
END_TEST

IO_SUITE_MAIN("evaluate_cases", pictures_by_hand, volume_by_hand, slices_that_are_no_volume, units_are_not_mixed)
