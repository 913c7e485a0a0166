/* SPDX-License-Identifier: Apache-2.0
 * test_segmenter.c -- maps of whole images and of tiles: against plain computations in double, against a model that
 * sees the whole image at once, and for any batch and number of threads. */
#include "segmenter_fixture.h"
#include <peft/io.h>

#define WHOLE "size=16,resize=squash" NORMALISE
#define NO_RESIZE "size=16,resize=none" NORMALISE

static void softmax(const double *logit, double *p)
{
    double sum = 0;
    for (int k = 0; k < CLASSES; k++) sum += exp(logit[k]);
    for (int k = 0; k < CLASSES; k++) p[k] = exp(logit[k]) / sum;
}

/* The logits [GRID, GRID, CLASSES] of an image of any size, by the transform and the session. */
static void logits_of(const fixture *f, const char *transform, const peft_image *im, float *out)
{
    peft_transform *t;
    peft_tensor *input, *logits;
    ok(peft_transform_parse(io_ctx, transform, &t));
    ok(peft_tensor_create(io_ctx, PEFT_F32, 4, (int64_t[]){ 1, 3, SIDE, SIDE }, &input));
    ok(peft_tensor_wrap(io_ctx, PEFT_F32, 4, (int64_t[]){ 1, GRID, GRID, CLASSES }, out, &logits));
    ok(peft_transform_apply(t, im, peft_tensor_data(input)));
    ok(peft_session_predict(f->session, input, logits));
    peft_tensor_free(logits);
    peft_tensor_free(input);
    peft_transform_free(t);
}

/* The value of class k at row y, column x of height x width, bilinear with half pixel centres. */
static double interpolated(const float *map, int64_t y, int64_t x, int64_t height, int64_t width, int k)
{
    const double v = fmin(GRID - 1, fmax(0, ((double)y + 0.5) * GRID / (double)height - 0.5));
    const double u = fmin(GRID - 1, fmax(0, ((double)x + 0.5) * GRID / (double)width - 0.5));
    const int i = (int)fmin(GRID - 2, floor(v)), j = (int)fmin(GRID - 2, floor(u));
    const double a = v - i, b = u - j;
    const float *m = map + (i * GRID + j) * CLASSES + k;
    return (1 - a) * ((1 - b) * (double)m[0] + b * (double)m[CLASSES]) +
           a * ((1 - b) * (double)m[GRID * CLASSES] + b * (double)m[(GRID + 1) * CLASSES]);
}

static void near(const peft_tensor *got, int64_t pixel, const double *logit)
{
    const float *p = (const float *)peft_tensor_cdata(got) + pixel * CLASSES;
    double want[CLASSES];
    softmax(logit, want);
    for (int k = 0; k < CLASSES; k++)
        ck_assert_msg(fabs((double)p[k] - want[k]) < 2e-6, "pixel %lld, class %d: %.9g, expected %.9g",
                      (long long)pixel, k, (double)p[k], want[k]);
}

/* Logits are interpolated, and the labels are the largest of them. */
START_TEST(whole_images_are_interpolated_to_their_pixels)
{
    const int64_t sizes[][2] = { { 53, 37 }, { 5, 7 }, { 1, 40 }, { 16, 16 } };            /* height, width */
    fixture f = fixture_make(GLOBAL, SIDE, "");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int64_t height = sizes[i][0], width = sizes[i][1];
        float map[GRID * GRID * CLASSES];
        peft_image *im = picture(width, height, 3, 8, 1), *labels;
        peft_segmenter *s = segmenter_of(&f, WHOLE, NULL);
        peft_tensor *got = probabilities_of(s, im);
        ck_assert_int_eq(peft_segmenter_tiles(s, width, height), 1);
        ok(peft_segmenter_labels(s, im, &labels));
        logits_of(&f, WHOLE, im, map);
        for (int64_t pixel = 0; pixel < height * width; pixel++) {
            double logit[CLASSES];
            int best = 0;
            for (int k = 0; k < CLASSES; k++) {
                logit[k] = interpolated(map, pixel / width, pixel % width, height, width, k);
                if (logit[k] > logit[best]) best = k;
            }
            near(got, pixel, logit);
            for (int k = 0; k < CLASSES; k++)                             /* unless two are equal but for rounding */
                if (k != best && logit[best] - logit[k] > 1e-5)
                    ck_assert_uint_ne(((const uint8_t *)peft_image_pixels(labels))[pixel], k);
        }
        peft_image_free(labels);
        peft_tensor_free(got);
        peft_segmenter_free(s);
        peft_image_free(im);
    }
    fixture_free(&f);
}
END_TEST

/* The weight of position i of a tile by the text of the header. */
static double factor(const char *blend, double overlap, int64_t i)
{
    const double from_middle = fabs((double)i + 0.5 - SIDE / 2.0), from_edge = SIDE / 2.0 - from_middle;
    if (!strcmp(blend, "gaussian")) return exp(-from_middle * from_middle / (2 * (SIDE / 8.0) * (SIDE / 8.0)));
    return !strcmp(blend, "linear") ? fmin(1, from_edge / (overlap * SIDE)) : 1;
}

/* The weighted mean of all tiles at each pixel, of an image of 40 x 35 pixels: 4 x 4 tiles with a step of 8, the last
 * of them at the ends, in rows 0, 8, 16, 24 and columns 0, 6, 13, 19 (19 / 3 and 38 / 3, rounded). */
START_TEST(tiles_are_a_weighted_mean)
{
    enum { HEIGHT = 40, WIDTH = 35, TILES = 16 };
    const int64_t row[4] = { 0, 8, 16, 24 }, column[4] = { 0, 6, 13, 19 };
    const char *const blend[] = { "gaussian", "linear", "constant" };
    static float map[TILES][GRID * GRID * CLASSES];
    fixture f = fixture_make(GLOBAL, SIDE, "batch=3");
    peft_image *im = picture(WIDTH, HEIGHT, 3, 8, 2);
    for (int i = 0; i < TILES; i++) {
        peft_image *tile;
        ok(peft_image_crop(im, column[i % 4], row[i / 4], SIDE, SIDE, &tile));
        logits_of(&f, NO_RESIZE, tile, map[i]);
        peft_image_free(tile);
    }
    for (int b = 0; b < 3; b++) {
        char options[64];
        snprintf(options, sizeof options, "mode=tiles,blend=%s", blend[b]);
        peft_segmenter *s = segmenter_of(&f, WHOLE, options);
        peft_tensor *got = probabilities_of(s, im);
        ck_assert_int_eq(peft_segmenter_tiles(s, WIDTH, HEIGHT), TILES);
        for (int64_t pixel = 0; pixel < HEIGHT * WIDTH; pixel++) {
            double logit[CLASSES] = { 0 }, sum = 0;
            for (int i = 0; i < TILES; i++) {
                const int64_t y = pixel / WIDTH - row[i / 4], x = pixel % WIDTH - column[i % 4];
                if (y < 0 || x < 0 || y >= SIDE || x >= SIDE) continue;
                const double w = factor(blend[b], 0.5, y) * factor(blend[b], 0.5, x);
                for (int k = 0; k < CLASSES; k++) logit[k] += w * interpolated(map[i], y, x, SIDE, SIDE, k);
                sum += w;
            }
            for (int k = 0; k < CLASSES; k++) logit[k] /= sum;
            near(got, pixel, logit);
        }
        peft_tensor_free(got);
        peft_segmenter_free(s);
    }
    peft_image_free(im);
    fixture_free(&f);
}
END_TEST

/* A model whose logits are constant gives every pixel the same bits, whatever the tiles. */
START_TEST(blending_keeps_constants_to_the_bit)
{
    const char *const options[] = { "mode=whole", "mode=tiles", "mode=tiles,blend=linear,overlap=0.3",
                                    "mode=tiles,blend=constant,overlap=0.9,trim=7", "mode=tiles,overlap=0",
                                    "mode=tiles,overlap=0.7,trim=3,border=edge" };
    const int64_t sizes[][2] = { { 41, 67 }, { 16, 16 }, { 17, 15 }, { 3, 100 }, { 1, 1 } };
    fixture f = fixture_make(CONSTANT, SIDE, "batch=4");
    double want[CLASSES];
    softmax((const double[]){ (double)0.1f, (double)0.7f, (double)-0.3f }, want);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            peft_image *im = picture(sizes[k][1], sizes[k][0], 3, 8, 1);
            peft_tensor *got = segmented(&f, WHOLE, options[i], im);
            const float *p = peft_tensor_cdata(got);
            for (int c = 0; c < CLASSES; c++) ck_assert_double_eq_tol((double)p[c], want[c], 1e-7);
            for (int64_t n = 1; n < sizes[k][0] * sizes[k][1]; n++) ck_assert_mem_eq(p + n * CLASSES, p, 3 * sizeof *p);
            peft_tensor_free(got);
            peft_image_free(im);
        }
    fixture_free(&f);
}
END_TEST

/* A model whose logits at a patch depend on its pixels alone, at 48 x 48 pixels at once and in tiles of 16.
 * Interpolation reads the logits within half a patch, 2 pixels. So the results are equal at 2 pixels or more from the
 * inner edges of tiles (which lie at 8, 16, 24, 32 and 40), and with trim=2 everywhere. */
START_TEST(tiles_equal_the_whole_image_where_the_model_is_local)
{
    enum { LARGE = 48, NEAR = PATCH / 2 };
    fixture large = fixture_make(LOCAL, LARGE, ""), small = fixture_make(LOCAL, SIDE, "batch=4");
    const char *const names[] = { "patch_embed.proj.weight", "blocks.1.mlp.fc2.weight", "head.weight" };
    for (int i = 0; i < 3; i++) {                                             /* the seed gave both the same weights */
        const peft_tensor *a = peft_param_value(peft_model_find_param(large.model, names[i]));
        const peft_tensor *b = peft_param_value(peft_model_find_param(small.model, names[i]));
        ck_assert_mem_eq(peft_tensor_cdata(a), peft_tensor_cdata(b), (size_t)peft_tensor_count(a) * sizeof(float));
    }
    peft_image *im = picture(LARGE, LARGE, 3, 8, 3);
    peft_tensor *whole = segmented(&large, "size=48,resize=none" NORMALISE, "mode=whole", im);
    peft_tensor *tiles = segmented(&small, WHOLE, "mode=tiles", im);
    peft_tensor *trimmed = segmented(&small, WHOLE, "mode=tiles,trim=2", im);
    const float *w = peft_tensor_cdata(whole), *t = peft_tensor_cdata(tiles);
    int different = 0;
    for (int pixel = 0; pixel < LARGE * LARGE; pixel++) {
        const int at[2] = { pixel / LARGE, pixel % LARGE };
        bool far = true;
        for (int axis = 0; axis < 2; axis++)
            for (int edge = 8; edge < LARGE; edge += 8)
                far = far && (at[axis] < edge - NEAR || at[axis] >= edge + NEAR);
        if (far) ck_assert_mem_eq(t + pixel * CLASSES, w + pixel * CLASSES, CLASSES * sizeof *t);
        else different += memcmp(t + pixel * CLASSES, w + pixel * CLASSES, CLASSES * sizeof *t) != 0;
    }
    ck_assert_int_gt(different, LARGE * LARGE / 4);                           /* edges are visible without trim */
    ck_assert_mem_eq(peft_tensor_cdata(trimmed), w, LARGE * LARGE * CLASSES * sizeof *w);
    peft_tensor_free(whole);
    peft_tensor_free(tiles);
    peft_tensor_free(trimmed);
    peft_image_free(im);
    fixture_free(&large);
    fixture_free(&small);
}
END_TEST

/* The same for images that are not square: 24 x 48 pixels at once, and in tiles of 8 x 16. */
START_TEST(tiles_that_are_not_square_equal_the_whole_image)
{
    enum { HEIGHT = 24, WIDTH = 48 };
    fixture large = fixture_sized(LOCAL, "24x48", ""), small = fixture_sized(LOCAL, "8x16", "batch=4");
    peft_image *im = picture(WIDTH, HEIGHT, 3, 8, 3);
    peft_segmenter *s = segmenter_of(&small, "size=8x16,resize=squash" NORMALISE, "mode=tiles,trim=2");
    ck_assert_int_eq(peft_segmenter_tiles(s, WIDTH, HEIGHT), 5 * 5);
    ck_assert_uint_eq(peft_segmenter_memory(s, WIDTH), 8 * WIDTH * (4 * CLASSES + 5) + 4 * 4 * 2 * 4 * CLASSES);
    peft_tensor *tiles = probabilities_of(s, im);
    peft_tensor *whole = segmented(&large, "size=24x48,resize=none" NORMALISE, "mode=whole", im);
    ck_assert_mem_eq(peft_tensor_cdata(tiles), peft_tensor_cdata(whole), HEIGHT * WIDTH * CLASSES * sizeof(float));
    peft_segmenter_free(s);
    peft_tensor_free(tiles);
    peft_tensor_free(whole);
    peft_image_free(im);
    fixture_free(&large);
    fixture_free(&small);
}
END_TEST

START_TEST(results_do_not_depend_on_batch_and_threads)
{
    const char *const sessions[] = { "batch=1,threads=1", "batch=2,threads=2", "batch=7,threads=3", "batch=64" };
    peft_tensor *first = NULL;
    peft_image *im = picture(61, 45, 1, 16, 1);
    for (int i = 0; i < 4; i++) {
        fixture f = fixture_make(GLOBAL, SIDE, sessions[i]);
        peft_tensor *got = segmented(&f, WHOLE, "mode=tiles", im);
        if (!first) first = got;
        ck_assert_mem_eq(peft_tensor_cdata(got), peft_tensor_cdata(first), 61 * 45 * CLASSES * sizeof(float));
        if (first != got) peft_tensor_free(got);
        fixture_free(&f);
    }
    peft_tensor_free(first);
    peft_image_free(im);
}
END_TEST

/* An image of 5 x 7 pixels becomes one of 16 x 16, in the middle, by mirrored or repeated pixels. */
START_TEST(small_images_are_continued)
{
    enum { HEIGHT = 5, WIDTH = 7, TOP = 5, LEFT = 4 };
    fixture f = fixture_make(GLOBAL, SIDE, "");
    peft_image *im = picture(WIDTH, HEIGHT, 1, 8, 4), *large;
    const uint8_t *from = peft_image_pixels(im);
    const int mirrored_row[SIDE] = { 3, 4, 3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2 };
    const int mirrored_column[SIDE] = { 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1 };
    for (int edge = 0; edge < 2; edge++) {
        uint8_t pixels[SIDE * SIDE];
        for (int i = 0; i < SIDE * SIDE; i++) {
            const int y = i / SIDE - TOP, x = i % SIDE - LEFT;
            const int row = edge ? (y < 0 ? 0 : y >= HEIGHT ? HEIGHT - 1 : y) : mirrored_row[i / SIDE];
            const int column = edge ? (x < 0 ? 0 : x >= WIDTH ? WIDTH - 1 : x) : mirrored_column[i % SIDE];
            pixels[i] = from[row * WIDTH + column];
        }
        ok(peft_image_from_buffer(io_ctx, pixels, SIDE, SIDE, 1, 8, 0, &large));
        peft_tensor *got = segmented(&f, WHOLE, edge ? "mode=tiles,border=edge" : "mode=tiles", im);
        peft_tensor *want = segmented(&f, WHOLE, "mode=tiles", large);
        for (int y = 0; y < HEIGHT; y++)
            ck_assert_mem_eq((const float *)peft_tensor_cdata(got) + y * WIDTH * CLASSES,
                             (const float *)peft_tensor_cdata(want) + ((y + TOP) * SIDE + LEFT) * CLASSES,
                             WIDTH * CLASSES * sizeof(float));
        peft_tensor_free(got);
        peft_tensor_free(want);
        peft_image_free(large);
    }
    peft_image_free(im);
    fixture_free(&f);
}
END_TEST

/* Percentiles are those of the whole image: 0 and 100 give its smallest and largest sample, not those of each tile. */
START_TEST(percentiles_are_of_the_whole_image)
{
    enum { SIZE = 40 };
    float pixels[SIZE * SIZE];
    for (int i = 0; i < SIZE * SIZE; i++) pixels[i] = (float)(i % 97) + (float)(i / SIZE * 10);
    peft_image *im;
    ok(peft_image_from_buffer(io_ctx, pixels, SIZE, SIZE, 1, PEFT_FLOAT_32, 0, &im));
    float high = 0;
    for (int i = 0; i < SIZE * SIZE; i++) high = pixels[i] > high ? pixels[i] : high;
    char range[80];
    snprintf(range, sizeof range, WHOLE ",range=0:%g", (double)high);
    fixture f = fixture_make(GLOBAL, SIDE, "");
    peft_tensor *want = segmented(&f, range, "mode=tiles", im);
    peft_tensor *got = segmented(&f, WHOLE ",range=p0:p100", "mode=tiles", im);
    peft_tensor *other = segmented(&f, WHOLE ",range=p0:p50", "mode=tiles", im);
    ck_assert_mem_eq(peft_tensor_cdata(got), peft_tensor_cdata(want), SIZE * SIZE * CLASSES * sizeof(float));
    ck_assert(memcmp(peft_tensor_cdata(other), peft_tensor_cdata(want), SIZE * SIZE * CLASSES * sizeof(float)));
    peft_tensor_free(want);
    peft_tensor_free(got);
    peft_tensor_free(other);
    peft_image_free(im);
    fixture_free(&f);
}
END_TEST

static peft_adaptor *adaptor_of(const fixture *f, const char *options)
{
    peft_adaptor *a;
    peft_options *o = options_of(options);
    ok(peft_adaptor_create(f->model, o, &a));
    peft_options_free(o);
    return a;
}

static int64_t calls_of(const peft_adaptor *a)
{
    int64_t n;
    ok(peft_adaptor_get_int(a, "batches", &n));
    return n;
}

/* Each image is a call of the adaptor, whose logits are those of the map: images of 4 x 4 pixels have a pixel for each
 * position of the 4 x 4 logits. */
START_TEST(an_adaptor_adapts_to_each_image)
{
    enum { IMAGES = 3 };
    fixture f = fixture_make(GLOBAL, SIDE, "");
    peft_adaptor *own = adaptor_of(&f, "kind=tent,lr=0.5,batch=1"), *other = adaptor_of(&f, "kind=tent,lr=0.5,batch=1");
    peft_transform *t;
    peft_segmenter *s;
    peft_tensor *input, *logits;
    ok(peft_transform_parse(io_ctx, WHOLE, &t));
    ok(peft_segmenter_create_adapting(own, t, NULL, &s));
    ok(peft_tensor_create(io_ctx, PEFT_F32, 4, (int64_t[]){ 1, 3, SIDE, SIDE }, &input));
    ok(peft_tensor_create(io_ctx, PEFT_F32, 4, (int64_t[]){ 1, GRID, GRID, CLASSES }, &logits));
    for (int i = 0; i < IMAGES; i++) {
        peft_image *im = picture(GRID, GRID, 3, 8, (unsigned)i + 1);
        peft_tensor *got = probabilities_of(s, im), *plain = segmented(&f, WHOLE, NULL, im);
        ok(peft_transform_apply(t, im, peft_tensor_data(input)));
        ok(peft_adaptor_predict(other, input, logits));
        for (int64_t pixel = 0; pixel < GRID * GRID; pixel++) {
            double logit[CLASSES];
            const float *z = (const float *)peft_tensor_cdata(logits) + pixel * CLASSES;
            for (int k = 0; k < CLASSES; k++) logit[k] = z[k];
            near(got, pixel, logit);
        }
        const size_t bytes = GRID * GRID * CLASSES * sizeof(float);       /* tent predicts before its first update */
        ck_assert_int_eq(!memcmp(peft_tensor_cdata(got), peft_tensor_cdata(plain), bytes), i == 0);
        peft_tensor_free(got);
        peft_tensor_free(plain);
        peft_image_free(im);
    }
    ck_assert_int_eq(calls_of(own), IMAGES);
    peft_segmenter_free(s);
    peft_tensor_free(input);
    peft_tensor_free(logits);
    peft_transform_free(t);
    peft_adaptor_free(own);
    peft_adaptor_free(other);
    fixture_free(&f);
}
END_TEST

/* Tiles: a row of three is two calls of an adaptor with batch=2. A kind without its statistics says so. */
START_TEST(an_adaptor_adapts_to_tiles_of_a_row)
{
    fixture f = fixture_make(GLOBAL, SIDE, "");
    peft_adaptor *tent = adaptor_of(&f, "kind=tent,batch=2"), *vptta = adaptor_of(&f, "kind=vptta,batch=1");
    peft_image *im = picture(2 * SIDE, 2 * SIDE, 3, 8, 1), *labels;
    peft_transform *t;
    peft_segmenter *s = NULL;
    ok(peft_transform_parse(io_ctx, WHOLE, &t));
    ok(peft_segmenter_create_adapting(tent, t, "mode=tiles", &s));
    ck_assert_int_eq(peft_segmenter_tiles(s, 2 * SIDE, 2 * SIDE), 9);
    ok(peft_segmenter_labels(s, im, &labels));
    ck_assert_int_eq(calls_of(tent), 3 * 2);
    peft_image_free(labels);
    peft_segmenter_free(s);
    ok(peft_segmenter_create_adapting(vptta, t, NULL, &s));
    fails(PEFT_E_STATE, "training images", peft_segmenter_labels(s, im, &labels));
    peft_segmenter_free(s);
    fails(PEFT_E_INVALID, "adaptor is NULL", peft_segmenter_create_adapting(NULL, t, NULL, &s));
    peft_transform_free(t);
    peft_image_free(im);
    peft_adaptor_free(tent);
    peft_adaptor_free(vptta);
    fixture_free(&f);
}
END_TEST

IO_SUITE_MAIN("segmenter", whole_images_are_interpolated_to_their_pixels, tiles_are_a_weighted_mean,
              blending_keeps_constants_to_the_bit, tiles_equal_the_whole_image_where_the_model_is_local,
              tiles_that_are_not_square_equal_the_whole_image, results_do_not_depend_on_batch_and_threads,
              small_images_are_continued, percentiles_are_of_the_whole_image, an_adaptor_adapts_to_each_image,
              an_adaptor_adapts_to_tiles_of_a_row)
