/* SPDX-License-Identifier: Apache-2.0
 * test_segmentation.c -- figures of masks: counts, Dice and distances worked out by hand, distances against a search
 * over all pairs, absent classes, cases of several maps, wrong arguments. */
#include "metrics/expect.h"
#include "metrics/simulated.h"
#include <peft/segmentation.h>
#include <stdbool.h>
#include <string.h>

static peft_tensor *map(peft_context *ctx, peft_dtype type, int ndim, const int64_t *dims, const void *data)
{
    peft_tensor *t;
    OK(peft_tensor_wrap(ctx, type, ndim, dims, (void *)(uintptr_t)data, &t));
    return t;
}

/* Adds a pair of i64 maps [h,w], or [d,h,w] with ndim 3. */
static peft_status add(peft_context *ctx, peft_segmentation *s, int ndim, const int64_t *dims, const int64_t *predicted,
                       const int64_t *truth, const double *spacing)
{
    peft_tensor *p = map(ctx, PEFT_I64, ndim, dims, predicted), *t = map(ctx, PEFT_I64, ndim, dims, truth);
    const peft_status status = peft_segmentation_add(s, p, t, spacing);
    peft_tensor_free(p);
    peft_tensor_free(t);
    return status;
}

static double value(const peft_segment *g, const char *name, const char *options)
{
    peft_context *ctx = context();
    peft_options *o;
    double v;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, options));
    OK(peft_segmentation_values(g, 1, name, o, &v));
    peft_options_free(o);
    peft_context_free(ctx);
    return v;
}

/* The pixel without a label counts nowhere. Class 2 is not predicted, class 3 is in neither map. */
START_TEST(counts_and_overlaps)
{
    const int64_t truth[6] = { 0, 1, 1,  -1, 2, 0 }, predicted[6] = { 0, 1, 0,  1, 1, 0 }, dims[2] = { 2, 3 };
    const int64_t count[4][3] = { { 2, 3, 2 }, { 2, 2, 1 }, { 1, 0, 0 }, { 0, 0, 0 } };
    const double dice[4] = { 0.8, 0.5, 0, NAN }, iou[4] = { 2.0 / 3, 1.0 / 3, 0, NAN };
    peft_context *ctx = context();
    peft_segmentation *s;
    peft_segment g[4];
    OK(peft_segmentation_create(ctx, 4, 1, &s));
    OK(add(ctx, s, 2, dims, predicted, truth, NULL));
    OK(peft_segmentation_case(s, g, 4));
    for (int c = 0; c < 4; c++) {
        ck_assert_int_eq(g[c].judged, 5);
        ck_assert(g[c].truth == count[c][0] && g[c].predicted == count[c][1] && g[c].both == count[c][2]);
        const double d = value(&g[c], "dice", ""), i = value(&g[c], "iou", "");
        ck_assert(isnan(dice[c]) ? isnan(d) && isnan(i) : fabs(d - dice[c]) < 1e-15 && fabs(i - iou[c]) < 1e-15);
    }
    ck_assert(value(&g[1], "precision", "") == 0.5 && value(&g[1], "recall", "") == 0.5);
    ck_assert(isnan(value(&g[2], "precision", "")) && value(&g[2], "recall", "") == 0);
    ck_assert(isinf(g[2].hd) && isinf(g[2].hd95) && isinf(g[2].surface_distance) && isnan(g[3].hd95));
    NEAR(value(&g[2], "hd95", "missing=extent"), sqrt(5), 1e-15);
    ck_assert(isnan(value(&g[2], "hd95", "missing=ignore")) && isinf(value(&g[2], "hd95", "")));
    peft_segmentation_free(s);
    peft_context_free(ctx);
}
END_TEST

START_TEST(rules_for_a_class_that_the_truth_lacks)
{
    static const struct { int64_t truth, predicted; const char *rule; double dice; } rows[] = {
        { 0, 0, "", NAN }, { 0, 5, "", NAN }, { 0, 0, "absent=both", NAN }, { 0, 5, "absent=both", 0 },
        { 0, 0, "absent=one", 1 }, { 0, 5, "absent=one", 0 }, { 5, 0, "absent=one", 0 }, { 5, 0, "", 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const peft_segment g = { .truth = rows[i].truth, .predicted = rows[i].predicted };
        const double d = value(&g, "dice", rows[i].rule), u = value(&g, "iou", rows[i].rule);
        const bool right = isnan(rows[i].dice) ? isnan(d) && isnan(u) : d == rows[i].dice && u == rows[i].dice;
        ck_assert_msg(right, "row %zu", i);
    }
}
END_TEST

/* A row of pixels: the truth is the first 10 of 40, the prediction the first 14. Its distances are ten times 0, 1, 2, 3
 * and 4, whose 95th percentile is at position 12.35: 3.35. Those of the truth are 0. */
START_TEST(percentile_and_mean_of_distances)
{
    int64_t truth[40], predicted[40];
    const int64_t row[2] = { 1, 40 }, column[2] = { 40, 1 };
    const double wide[2] = { 7, 0.5 }, high[2] = { 0.5, 7 };
    peft_context *ctx = context();
    peft_segmentation *s;
    peft_segment g[2];
    for (int i = 0; i < 40; i++) truth[i] = i < 10, predicted[i] = i < 14;
    OK(peft_segmentation_create(ctx, 2, 1, &s));
    for (int k = 0; k < 3; k++) {
        const double unit = k ? 0.5 : 1;
        OK(add(ctx, s, 2, k == 2 ? column : row, predicted, truth, k == 0 ? NULL : k == 1 ? wide : high));
        OK(peft_segmentation_case(s, g, 2));
        ck_assert(g[1].truth_surface == 10 && g[1].predicted_surface == 14);
        NEAR(g[1].hd, 4 * unit, 1e-15);
        NEAR(g[1].hd95, 3.35 * unit, 1e-14);
        NEAR(g[1].surface_distance, 10 * unit / 24, 1e-15);
        NEAR(g[1].extent, 39 * unit, 1e-12);
    }
    peft_segmentation_free(s);
    peft_context_free(ctx);
}
END_TEST

/* A block of 5 x 4 x 3 pixels has 60, of which 3 x 2 x 1 are inside. The same block moved along two axes is at most
 * that far away. */
START_TEST(surfaces_of_blocks)
{
    enum { DEPTH = 9, HEIGHT = 8, WIDTH = 7 };
    static int64_t truth[DEPTH * HEIGHT * WIDTH], predicted[DEPTH * HEIGHT * WIDTH];
    const int64_t dims[3] = { DEPTH, HEIGHT, WIDTH };
    const double spacing[3] = { 2.5, 0.5, 0.75 };
    peft_context *ctx = context();
    peft_segmentation *s;
    peft_segment g[2];
    for (int z = 0; z < 5; z++)
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 3; x++) {
                truth[((z + 1) * HEIGHT + y + 1) * WIDTH + x + 1] = 1;
                predicted[((z + 3) * HEIGHT + y + 1) * WIDTH + x + 2] = 1;
            }
    OK(peft_segmentation_create(ctx, 2, 1, &s));
    OK(add(ctx, s, 3, dims, predicted, truth, spacing));
    OK(peft_segmentation_case(s, g, 2));
    ck_assert(g[1].truth == 60 && g[1].truth_surface == 54 && g[1].predicted_surface == 54);
    NEAR(g[1].hd, sqrt(5 * 5 + 0.75 * 0.75), 1e-14);
    NEAR(g[1].extent, sqrt(20 * 20 + 3.5 * 3.5 + 4.5 * 4.5), 1e-13);
    peft_segmentation_free(s);
    peft_context_free(ctx);
}
END_TEST

/* Is the pixel of class c, judged, and next to one that is not? at: its position. */
static bool on_surface(const int64_t *m, const int64_t *truth, const int64_t *size, int axes, const int64_t *at, int c)
{
    for (int k = 3 - axes; k < 3; k++)
        for (int step = -1; step <= 1; step += 2) {
            int64_t x[3] = { at[0], at[1], at[2] };
            x[k] += step;
            const int64_t i = (x[0] * size[1] + x[1]) * size[2] + x[2];
            if (x[k] < 0 || x[k] >= size[k] || m[i] != c || truth[i] < 0) return true;
        }
    return false;
}

static int64_t surface(const int64_t *m, const int64_t *truth, const int64_t *size, int axes, int c, int64_t (*out)[3])
{
    int64_t n = 0, i = 0;
    for (int64_t z = 0; z < size[0]; z++)
        for (int64_t y = 0; y < size[1]; y++)
            for (int64_t x = 0; x < size[2]; x++, i++) {
                const int64_t at[3] = { z, y, x };
                if (m[i] != c || truth[i] < 0 || !on_surface(m, truth, size, axes, at, c)) continue;
                memcpy(out[n++], at, sizeof at);
            }
    return n;
}

/* The largest and the sum of the distances from n pixels to the nearest of m others. */
static void search(int64_t (*from)[3], int64_t n, int64_t (*to)[3], int64_t m, const double *spacing, double *largest,
                   double *sum)
{
    for (int64_t i = 0; i < n; i++) {
        double nearest = INFINITY;
        for (int64_t j = 0; j < m; j++) {
            double square = 0;
            for (int k = 0; k < 3; k++) {
                const double d = spacing[k] * (double)(from[i][k] - to[j][k]);
                square += d * d;
            }
            nearest = fmin(nearest, sqrt(square));
        }
        *largest = fmax(*largest, nearest);
        *sum += nearest;
    }
}

/* Random maps of pictures and volumes. */
START_TEST(distances_equal_those_of_a_search)
{
    enum { PIXELS = 12 * 12 * 12, CLASSES = 3 };
    static int64_t truth[PIXELS], predicted[PIXELS], a[PIXELS][3], b[PIXELS][3];
    peft_context *ctx = context();
    peft_segmentation *s;
    peft_segment g[CLASSES];
    OK(peft_segmentation_create(ctx, CLASSES, 1, &s));
    for (int seed = 1; seed <= 60; seed++) {
        simulated r = { (uint64_t)seed };
        const int axes = seed % 2 ? 2 : 3;
        const int64_t size[3] = { axes == 3 ? 1 + (int64_t)(uniform(&r) * 9) : 1, 1 + (int64_t)(uniform(&r) * 12),
                                  1 + (int64_t)(uniform(&r) * 12) };
        const double spacing[3] = { 0.3 + uniform(&r), 0.3 + 2 * uniform(&r), 0.3 + uniform(&r) };
        const int64_t n = size[0] * size[1] * size[2];
        for (int64_t i = 0; i < n; i++) {
            predicted[i] = (int64_t)(uniform(&r) * uniform(&r) * CLASSES);
            truth[i] = uniform(&r) < 0.05 ? -1 : uniform(&r) < 0.5 ? predicted[i] : (int64_t)(uniform(&r) * CLASSES);
        }
        OK(add(ctx, s, axes, size + 3 - axes, predicted, truth, spacing + 3 - axes));
        OK(peft_segmentation_case(s, g, CLASSES));
        for (int c = 0; c < CLASSES; c++) {
            const int64_t na = surface(predicted, truth, size, axes, c, a);
            const int64_t nb = surface(truth, truth, size, axes, c, b);
            double largest = 0, sum = 0;
            ck_assert(g[c].predicted_surface == na && g[c].truth_surface == nb);
            if (!na || !nb) { ck_assert(na + nb ? isinf(g[c].hd) : isnan(g[c].hd)); continue; }
            search(a, na, b, nb, spacing, &largest, &sum);
            search(b, nb, a, na, spacing, &largest, &sum);
            NEAR(g[c].hd, largest, 1e-12);
            NEAR(g[c].surface_distance, sum / (double)(na + nb), 1e-12);
        }
    }
    peft_segmentation_free(s);
    peft_context_free(ctx);
}
END_TEST

/* Slices of a case, and labels that may overlap: label 1 is not judged in the first column. */
START_TEST(cases_of_several_maps_and_labels)
{
    const int64_t dims[2] = { 1, 4 }, one[4] = { 1, 1, 0, 0 }, two[4] = { 0, 1, 1, 0 }, many[3] = { 1, 4, 2 };
    const float targets[8] = { 1, -1,  1, 1,  0, 1,  0, 0 }, decided[8] = { 1, 1,  0, 1,  0, 0,  1, 0 };
    peft_context *ctx = context();
    peft_segmentation *s;
    peft_segment g[2];
    OK(peft_segmentation_create(ctx, 2, 1, &s));
    OK(add(ctx, s, 2, dims, one, one, NULL));
    OK(add(ctx, s, 2, dims, one, two, NULL));
    OK(peft_segmentation_case(s, g, 2));
    ck_assert(g[1].judged == 8 && g[1].truth == 4 && g[1].predicted == 4 && g[1].both == 3 && g[1].hd == 1);
    NEAR(g[1].surface_distance, 2.0 / 8, 1e-15);
    peft_tensor *p = map(ctx, PEFT_F32, 3, many, decided), *t = map(ctx, PEFT_F32, 3, many, targets);
    OK(peft_segmentation_add_targets(s, p, t, NULL));
    OK(peft_segmentation_case(s, g, 2));
    ck_assert(g[0].judged == 4 && g[0].truth == 2 && g[0].predicted == 2 && g[0].both == 1 && g[0].hd == 2);
    ck_assert(g[1].judged == 3 && g[1].truth == 2 && g[1].predicted == 1 && g[1].both == 1 && g[1].hd == 1);
    peft_tensor_free(p);
    peft_tensor_free(t);
    peft_segmentation_free(s);
    OK(peft_segmentation_create(ctx, 2, 0, &s));                   /* counts alone */
    OK(add(ctx, s, 2, dims, one, two, NULL));
    OK(peft_segmentation_case(s, g, 2));
    ck_assert(g[1].both == 1 && !g[1].truth_surface && isnan(g[1].hd) && isnan(g[1].hd95));
    peft_segmentation_free(s);
    peft_context_free(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    const int64_t dims[2] = { 2, 2 }, other[2] = { 1, 4 }, good[4] = { 0, 1, 0, 1 }, bad[4] = { 0, 0, 2, 0 },
        minus[4] = { 0, -1, 0, 0 }, labels[3] = { 1, 2, 2 };
    const double spacing[2] = { 1, 0 };
    const float half[4] = { 0, 1, 0.5f, 0 };
    peft_context *ctx = context();
    peft_segmentation *s;
    peft_segment g[2];
    double v;
    REFUSED(peft_segmentation_create(ctx, 0, 1, &s), PEFT_E_INVALID, "classes: given 0");
    OK(peft_segmentation_create(ctx, 2, 1, &s));
    REFUSED(add(ctx, s, 2, dims, good, bad, NULL), PEFT_E_INVALID, "truth[1][0]: given 2, expected 0 to 1, or -1");
    REFUSED(add(ctx, s, 2, dims, minus, good, NULL), PEFT_E_INVALID, "predicted[0][1]: given -1, expected 0 to 1");
    REFUSED(add(ctx, s, 2, dims, good, good, spacing), PEFT_E_INVALID, "spacing[1]: given 0");
    REFUSED(add(ctx, s, 1, dims, good, good, NULL), PEFT_E_SHAPE, "given [2], expected [h, w] or [d, h, w]");
    peft_tensor *p = map(ctx, PEFT_I64, 2, dims, good), *t = map(ctx, PEFT_I64, 2, other, good),
        *f = map(ctx, PEFT_F32, 2, dims, half), *l = map(ctx, PEFT_F32, 3, labels, half);
    REFUSED(peft_segmentation_add(s, p, t, NULL), PEFT_E_SHAPE, "predicted is [2, 2] and the truth [1, 4]");
    REFUSED(peft_segmentation_add(s, p, f, NULL), PEFT_E_DTYPE, "truth: given f32, expected i64 or u8");
    REFUSED(peft_segmentation_add(s, p, NULL, NULL), PEFT_E_INVALID, "truth is NULL");
    REFUSED(peft_segmentation_add_targets(s, l, l, NULL), PEFT_E_INVALID, "predicted[0][1]: given 0.5, expected 0 or");
    REFUSED(peft_segmentation_case(s, g, 2), PEFT_E_STATE, "has no map");
    OK(peft_segmentation_add(s, p, p, NULL));
    REFUSED(peft_segmentation_case(s, g, 3), PEFT_E_SHAPE, "room for 3 classes, expected 2");
    OK(peft_segmentation_case(s, g, 2));
    REFUSED(peft_segmentation_values(g, 2, "dise", NULL, &v), PEFT_E_NOTFOUND, "given 'dise', expected dice, iou");
    peft_options *o;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, "absent=never"));
    REFUSED(peft_segmentation_values(g, 2, "dice", o, &v), PEFT_E_OPTION, "absent: given 'never', expected ignore,");
    peft_options_free(o);
    peft_tensor *const tensors[] = { p, t, f, l };
    for (int i = 0; i < 4; i++) peft_tensor_free(tensors[i]);
    peft_segmentation_free(s);
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("segmentation", counts_and_overlaps, rules_for_a_class_that_the_truth_lacks,
           percentile_and_mean_of_distances, surfaces_of_blocks, distances_equal_those_of_a_search,
           cases_of_several_maps_and_labels, wrong_arguments_are_refused)
