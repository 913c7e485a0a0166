/* SPDX-License-Identifier: Apache-2.0
 * test_pixels.c -- images of signed, float and rescaled samples: the option range, percentiles against NumPy, resizing;
 * and NumPy arrays as image files and data sets. */
#include "io_files.h"
#include "io/transform/steps/percentile.h"
#include <float.h>
#include <math.h>

enum { SAMPLES = 35 };

/* Pseudorandom numbers in 0..65535. */
static void fill_random(uint16_t *v)
{
    uint32_t x = 12345;
    for (int i = 0; i < SAMPLES; i++) v[i] = (uint16_t)((x = x * 1103515245u + 12345u) >> 16);
}

/* An image of these numbers, converted to this depth. */
static peft_image *random_image(int depth)
{
    uint16_t v[SAMPLES];
    int16_t shifted[SAMPLES];
    uint8_t bytes[SAMPLES];
    float real[SAMPLES];
    peft_image *im;
    fill_random(v);
    for (int i = 0; i < SAMPLES; i++) {
        shifted[i] = (int16_t)(v[i] - 32768);
        bytes[i] = (uint8_t)(v[i] >> 8);
        real[i] = (float)((v[i] - 30000) / 7.0);
    }
    const void *pixels = depth == 8 ? (const void *)bytes : depth == 16 ? (const void *)v
                       : depth == PEFT_SIGNED_16 ? (const void *)shifted : (const void *)real;
    ok(peft_image_from_buffer(io_ctx, pixels, 5, 7, 1, depth, 0, &im));
    ck_assert_int_eq(peft_image_depth(im), depth);
    return im;
}

/* io_percentiles equals numpy.percentile(samples.astype(float64), [p, q]) of NumPy 2.4 bit for bit. */
START_TEST(percentiles_equal_those_of_numpy)
{
    static const struct { int depth; double slope, intercept, percent[2], want[2]; } rows[] = {
        { 8, 1, 0, { 1, 99 }, { 0x1.828f5c28f5c29p+1, 0x1.c3d70a3d70a3cp+7 } },
        { 8, 1, 0, { 33.3, 66.7 }, { 0x1.6fdd2f1a9fbe7p+6, 0x1.5ac7ae147ae15p+7 } },
        { 16, 1, 0, { 1, 99 }, { 0x1.8f1eb851eb852p+9, 0x1.c4ebb851eb850p+15 } },
        { 16, 1, 0, { 0, 100 }, { 0x1.01p+9, 0x1.ccf2p+15 } },
        { PEFT_SIGNED_16, 1, 0, { 1, 99 }, { -0x1.f3870a3d70a3dp+14, 0x1.89d770a3d70a1p+14 } },
        { PEFT_SIGNED_16, 1, 0, { 2.5, 50 }, { -0x1.ecdd99999999ap+14, -0x1.9p+8 } },
        { PEFT_FLOAT_32, 1, 0, { 1, 99 }, { -0x1.04bae123d70a4p+12, 0x1.f3888070a3d6dp+11 } },
        { PEFT_FLOAT_32, 1, 0, { 33.3, 66.7 }, { -0x1.c0940145a1cadp+9, 0x1.022e9e5581063p+11 } },
        { PEFT_SIGNED_16, -0.3, 5, { 1, 99 }, { -0x1.d84c20c49ba5ep+12, 0x1.2bdf6c8b43957p+13 } },
        { PEFT_SIGNED_16, -0.3, 5, { 33.3, 66.7 }, { -0x1.b5c1e69ad42c4p+11, 0x1.53edb3d07c84cp+11 } } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_image *raw = random_image(rows[i].depth), *im;
        double got[2];
        ok(peft_image_rescale(raw, rows[i].slope, rows[i].intercept, &im));
        ok(io_percentiles(im, rows[i].percent, got));
        ck_assert_msg(!memcmp(got, rows[i].want, sizeof got), "row %zu: %a %a, expected %a %a", i, got[0], got[1],
                      rows[i].want[0], rows[i].want[1]);
        peft_image_free(im);
        peft_image_free(raw);
    }
}
END_TEST

/* Writes the image as the transform `text` gives it. */
static void apply(const char *text, const peft_image *im, float *out)
{
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, text, &t));
    ok(peft_transform_apply(t, im, out));
    peft_transform_free(t);
}

/* The transform `text` parses, but refuses the image with this status and a message that contains word. */
static void refused(peft_status s, const char *word, const char *text, const peft_image *im)
{
    float out[12];
    peft_transform *t;
    ok(peft_transform_parse(io_ctx, text, &t));
    fails(s, word, peft_transform_apply(t, im, out));
    peft_transform_free(t);
}

#define PLAIN "size=2,mean=0,std=1,"

/* Four values equal the expected ones within half a step of 16 bits. */
static void all_near(const float *got, const float *want)
{
    for (int i = 0; i < 4; i++)
        ck_assert_msg(fabsf(got[i] - want[i]) <= 0.5f / 65535, "%d: %g, expected %g", i, (double)got[i],
                      (double)want[i]);
}

START_TEST(ranges_of_float_rescaled_and_signed_images)
{
    const float real[] = { -1.5f, 0.25f, 1e-3f, 3 };
    const uint16_t ct[] = { 24, 1024, 1424, 4000 };           /* Hounsfield units + 1024 */
    const float zeros[] = { -0.0f, 0, 0, -0.0f }, widest[] = { -FLT_MAX, FLT_MAX, 0, 1 };
    const int16_t same[] = { -7, -7, -7, -7 }, most[] = { -7, -7, -7, 9 };
    peft_image *im, *hu;
    float out[12];
    ok(peft_image_from_buffer(io_ctx, real, 2, 2, 1, PEFT_FLOAT_32, 0, &im));
    apply(PLAIN "range=-1:1", im, out);
    all_near(out, (const float[]){ 0, 0.625f, 0.5005f, 1 });
    all_near(out + 8, out);                                       /* grey: three equal channels */
    apply(PLAIN "range=p0:p100", im, out);
    all_near(out, (const float[]){ 0, 1.75f / 4.5f, 1.501f / 4.5f, 1 });
    refused(PEFT_E_INVALID, "floating-point", PLAIN, im);
    refused(PEFT_E_INVALID, "range=lo:hi", PLAIN, im);
    peft_image_free(im);

    ok(peft_image_from_buffer(io_ctx, ct, 2, 2, 1, 16, 0, &im));
    ok(peft_image_rescale(im, 1, -1024, &hu));
    apply(PLAIN "range=-1000:400", hu, out);
    all_near(out, (const float[]){ 0, 1000.f / 1400, 1, 1 });
    refused(PEFT_E_INVALID, "rescaled", PLAIN, hu);
    refused(PEFT_E_INVALID, "-1024..64511", PLAIN "range=-2000:400", hu);
    fails(PEFT_E_UNSUPPORTED, "rescale", peft_image_save_png(hu, in_folder("x.png")));
    ck_assert_mem_eq(peft_image_pixels(hu), ct, sizeof ct);
    fails(PEFT_E_INVALID, "slope 0", peft_image_rescale(im, 0, 0, &hu));
    fails(PEFT_E_INVALID, "slope nan", peft_image_rescale(im, NAN, 0, &hu));
    fails(PEFT_E_INVALID, "inf", peft_image_rescale(im, 1, INFINITY, &hu));
    peft_image_free(hu);
    peft_image_free(im);

    ok(peft_image_from_buffer(io_ctx, same, 2, 2, 1, PEFT_SIGNED_16, 0, &im));
    apply(PLAIN "range=p1:p99", im, out);                     /* all samples are equal: 0 */
    all_near(out, (const float[]){ 0, 0, 0, 0 });
    peft_image_free(im);
    ok(peft_image_from_buffer(io_ctx, zeros, 2, 2, 1, PEFT_FLOAT_32, 0, &im));
    apply(PLAIN "range=p0:p100", im, out);                    /* -0 equals 0: all samples are equal */
    all_near(out, (const float[]){ 0, 0, 0, 0 });
    peft_image_free(im);
    ok(peft_image_from_buffer(io_ctx, widest, 2, 2, 1, PEFT_FLOAT_32, 0, &im));
    apply(PLAIN "range=p0:p100", im, out);                    /* high - low exceeds the largest float */
    all_near(out, (const float[]){ 0, 1, 0.5f, 0.5f });
    peft_image_free(im);
    ok(peft_image_from_buffer(io_ctx, most, 2, 2, 1, PEFT_SIGNED_16, 0, &im));
    apply(PLAIN "range=p0:p50", im, out);                     /* both percentiles are -7 */
    all_near(out, (const float[]){ 0, 0, 0, 1 });
    peft_image_free(im);
}
END_TEST

/* Flipped and resized images keep slope and intercept of peft_image_rescale. */
START_TEST(flips_and_resizes_keep_the_rescale)
{
    const int16_t v[] = { -100, 100, 300, 500 };
    peft_image *raw, *im, *next;
    float out[12];
    ok(peft_image_from_buffer(io_ctx, v, 2, 2, 1, PEFT_SIGNED_16, 0, &raw));
    ok(peft_image_rescale(raw, 2, 10, &im));
    ok(peft_image_flip(im, &next));
    apply(PLAIN "range=-190:1010", next, out);
    all_near(out, (const float[]){ 400.f / 1200, 0, 1, 800.f / 1200 });
    peft_image_free(next);
    ok(peft_image_resize(im, 4, 4, "nearest", &next));
    apply(PLAIN "range=-190:1010,interpolation=nearest", next, out);
    all_near(out, (const float[]){ 0, 400.f / 1200, 800.f / 1200, 1 });
    peft_image_free(next);
    peft_image_free(im);
    peft_image_free(raw);
}
END_TEST

START_TEST(samples_that_are_not_finite_are_refused_with_their_position)
{
    float v[12] = { 0 };
    peft_image *im;
    v[5] = NAN;                                               /* the second pixel's blue */
    ok(peft_image_from_buffer(io_ctx, v, 2, 2, 3, PEFT_FLOAT_32, 0, &im));
    refused(PEFT_E_NONFINITE, "column 1, row 0 is nan", PLAIN "range=0:1", im);
    refused(PEFT_E_NONFINITE, "numpy.nan_to_num", PLAIN "range=p1:p99", im);
    peft_image_free(im);
    v[5] = 0;
    v[11] = -INFINITY;
    ok(peft_image_from_buffer(io_ctx, v, 2, 2, 3, PEFT_FLOAT_32, 0, &im));
    refused(PEFT_E_NONFINITE, "column 1, row 1 is -inf", PLAIN "range=0:1", im);
    peft_image_free(im);
}
END_TEST

/* Float images are resized as by Pillow's mode F: results outside the range of the input are not clamped. */
START_TEST(float_images_are_resized_without_clamping)
{
    const float v[] = { 0, 0, 1000, 1000 };
    float want[8];
    peft_image *im, *to;
    ok(peft_image_from_buffer(io_ctx, v, 4, 1, 1, PEFT_FLOAT_32, 0, &im));
    ok(peft_image_resize(im, 8, 1, "bicubic", &to));
    ok(peft_image_resize_float(im, 8, 1, "bicubic", want));
    ck_assert_int_eq(peft_image_depth(to), PEFT_FLOAT_32);
    ck_assert_mem_eq(peft_image_pixels(to), want, sizeof want);
    ck_assert(want[2] < -1);
    peft_image_free(to);
    fails(PEFT_E_UNSUPPORTED, "floating-point", peft_image_save_png(im, in_folder("x.png")));
    peft_image_free(im);
}
END_TEST

START_TEST(texts_of_the_option_range)
{
    static const char *const good[] = { "range=p1:p99", "range=p0.5:p99.75", "range=p0:p100" };
    static const char *const bad[] = { "range=p1:99", "range=1:p99", "range=p99:p1", "range=p5:p5", "range=p-1:p99",
                                       "range=p1:p101", "range=p:p", "range=p1", "range=p1:p2:p3", "range=p" };
    peft_transform *t = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ok(peft_transform_parse(io_ctx, good[i], &t));
        ck_assert_msg(strstr(peft_transform_text(t), good[i]) != NULL, "'%s' lacks '%s'",
                      peft_transform_text(t), good[i]);
        peft_transform_free(t);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(PEFT_E_OPTION, "p1:p99 (percentiles)", peft_transform_parse(io_ctx, bad[i], &t));
}
END_TEST

#define DICT(type, shape) "{'descr': '" type "', 'fortran_order': False, 'shape': " shape ", }"

/* Writes an .npy file into the test's folder and returns its path. */
static const char *array_file(const char *name, const char *dictionary, const void *data, size_t bytes)
{
    unsigned char file[1024];
    const char *path = in_folder(name);
    write_bytes(path, file, npy_file(file, dictionary, data, bytes));
    return path;
}

/* Valid arrays that are no images give PEFT_E_UNSUPPORTED, broken files PEFT_E_FORMAT. */
START_TEST(arrays_that_are_no_images_are_refused)
{
    static const struct { const char *dictionary; size_t bytes; peft_status status; const char *words; } rows[] = {
        { DICT("|u1", "()"), 1, PEFT_E_UNSUPPORTED, "array of 0 extents, expected 1 to 5" },
        { DICT("|u1", "(1, 1, 1, 2, 2, 1)"), 4, PEFT_E_UNSUPPORTED, "array of 6 extents, expected 1 to 5" },
        { DICT("|u1", "(4,)"), 4, PEFT_E_UNSUPPORTED, "u8 of [4]" },
        { DICT("|u1", "(0, 2)"), 0, PEFT_E_UNSUPPORTED, "u8 of [0,2]" },
        { DICT("|b1", "(2, 2)"), 4, PEFT_E_UNSUPPORTED, "b8 of [2,2]" },
        { DICT(">i2", "(2, 1)"), 4, PEFT_E_UNSUPPORTED, "'>i2', expected little-endian" },
        { DICT("|u1", "(2, 2)"), 3, PEFT_E_FORMAT, "states 4 numbers of 1 bytes, the file has 3" },
        { DICT("|u1", "(4)"), 4, PEFT_E_FORMAT, "broken array header" },
        { DICT("|u1", "(-2, -2)"), 4, PEFT_E_FORMAT, "broken array header" },
        { DICT("|u1", "(4294967296, 4294967296, 4294967296)"), 4, PEFT_E_FORMAT, "broken array header" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        peft_image *im = NULL;
        fails(rows[i].status, rows[i].words,
              peft_image_load(io_ctx, array_file("h.npy", rows[i].dictionary, "\1\2\3\4", rows[i].bytes), NULL, &im));
        ck_assert_ptr_null(im);
    }
}
END_TEST

START_TEST(arrays_are_read_as_images_or_stacks_of_slices)
{
    static const struct { const char *shape; int slices, width, height, channels; } rows[] = {
        { "(4, 6)", 1, 6, 4, 1 }, { "(2, 4, 3)", 1, 4, 2, 3 }, { "(4, 6, 1)", 1, 6, 4, 1 },
        { "(3, 2, 4)", 3, 4, 2, 1 }, { "(2, 2, 2, 3)", 2, 2, 2, 3 }, { "(3, 2, 4, 1)", 3, 4, 2, 1 } };
    int16_t v[24];
    for (int i = 0; i < 24; i++) v[i] = (int16_t)(-100 * i);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char dictionary[100];
        snprintf(dictionary, sizeof dictionary, DICT("<i2", "%s"), rows[i].shape);
        const char *path = array_file("a.npy", dictionary, v, sizeof v);
        peft_image *im = NULL;
        int64_t slices = 0;
        ok(peft_image_slices(io_ctx, path, NULL, &slices));
        ck_assert_int_eq(slices, rows[i].slices);
        if (slices > 1) fails(PEFT_E_UNSUPPORTED, "slice=N", peft_image_load(io_ctx, path, NULL, &im));
        const int last = rows[i].slices - 1, n = rows[i].width * rows[i].height * rows[i].channels;
        char option[20];
        snprintf(option, sizeof option, "slice=%d", last);
        ok(peft_image_load(io_ctx, path, last ? option : NULL, &im));
        ck_assert_int_eq(peft_image_width(im), rows[i].width);
        ck_assert_int_eq(peft_image_height(im), rows[i].height);
        ck_assert_int_eq(peft_image_channels(im), rows[i].channels);
        ck_assert_int_eq(peft_image_depth(im), PEFT_SIGNED_16);
        ck_assert_mem_eq(peft_image_pixels(im), v + last * n, (size_t)n * sizeof *v);
        peft_image_free(im);
        snprintf(option, sizeof option, "slice=%d", last + 1);
        fails(PEFT_E_OPTION, "the file holds", peft_image_load(io_ctx, path, option, &im));
    }
    peft_image *im = NULL;
    fails(PEFT_E_UNSUPPORTED, "max_side", peft_image_load(io_ctx, array_file("w.npy", DICT("|u1", "(2, 12)"), v, 24),
                                                          "max_side=8", &im));
    fails(PEFT_E_UNSUPPORTED, "i32 of [2,2]; expected u8, u16, i16 or f32",
          peft_image_load(io_ctx, array_file("d.npy", DICT("<i4", "(2, 2)"), v, 16), NULL, &im));
    fails(PEFT_E_FORMAT, "b.npy", peft_image_load(io_ctx, array_file("b.npy", DICT("<i2", "(2, 2)"), v, 7), NULL, &im));
}
END_TEST

/* A folder's .npy files are images of its data set; of a stack, the image option slice chooses one. */
START_TEST(arrays_in_a_folder_are_images_of_the_data_set)
{
    const int16_t v[] = { -1000, 400, -300, -300, 1, 2, 3, 4 };
    peft_dataset *d, *sliced;
    peft_image *im = NULL;
    float out[12];
    array_file("set/a/1.npy", DICT("<i2", "(2, 2)"), v, 8);
    array_file("set/b/2.NPY", DICT("<i2", "(2, 2, 2)"), v, 16);
    ok(peft_dataset_open_folder(io_ctx, in_folder("set"), NULL, &d));
    ck_assert_int_eq(peft_dataset_count(d), 2);
    ok(peft_dataset_load(d, 0, &im));
    apply(PLAIN "range=-1000:400", im, out);
    all_near(out, (const float[]){ 0, 1, 0.5f, 0.5f });
    peft_image_free(im);
    fails(PEFT_E_UNSUPPORTED, "2.NPY", peft_dataset_load(d, 1, &im));
    ok(peft_dataset_with_image_options(d, "slice=1", &sliced));
    ok(peft_dataset_load(sliced, 1, &im));
    ck_assert_mem_eq(peft_image_pixels(im), v + 4, 8);
    peft_image_free(im);
    peft_dataset_free(sliced);
    peft_dataset_free(d);
}
END_TEST

/* An .npz data set of signed and float images. */
START_TEST(an_npz_holds_signed_and_float_images)
{
    const int16_t shorts[] = { -1000, 400, -300, -300, 5, 6, 7, 8 };
    const float reals[] = { 0, 0.5f, 1, 2, -1, -2, -3, -4, 0, 0, 0, 0 };
    static const struct { const char *type, *shape; int depth, channels; } rows[] = {
        { "<i2", "(2, 2, 2)", PEFT_SIGNED_16, 1 }, { "<f4", "(2, 2, 2)", PEFT_FLOAT_32, 1 },
        { "<f4", "(2, 1, 2, 3)", PEFT_FLOAT_32, 3 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char images[512], labels[512];
        char dictionary[100];
        const size_t bytes = i == 0 ? 16 : i == 1 ? 32 : 48;
        const void *pixels = i ? (const void *)reals : (const void *)shorts;
        snprintf(dictionary, sizeof dictionary, DICT("%s", "%s"), rows[i].type, rows[i].shape);
        const size_t n = npy_file(images, dictionary, pixels, bytes);
        const size_t m = npy_file(labels, DICT("|u1", "(2,)"), "\0\1", 2);
        peft_dataset *d;
        peft_image *im;
        float out[12];
        zip_make(in_folder("m.npz"),
                 (const entry[]){ { "val_images.npy", images, n }, { "val_labels.npy", labels, m } }, 2);
        ok(peft_dataset_open_npz(io_ctx, in_folder("m.npz"), "val", &d));
        ok(peft_dataset_load(d, 1, &im));
        ck_assert_int_eq(peft_image_depth(im), rows[i].depth);
        ck_assert_int_eq(peft_image_channels(im), rows[i].channels);
        ck_assert_mem_eq(peft_image_pixels(im), (const char *)pixels + bytes / 2, bytes / 2);
        refused(PEFT_E_INVALID, "range=p1:p99", PLAIN, im);
        apply(PLAIN "range=p0:p100", im, out);
        peft_image_free(im);
        peft_dataset_free(d);
    }
}
END_TEST

IO_SUITE_MAIN("pixels", percentiles_equal_those_of_numpy, ranges_of_float_rescaled_and_signed_images,
              flips_and_resizes_keep_the_rescale, samples_that_are_not_finite_are_refused_with_their_position,
              float_images_are_resized_without_clamping, texts_of_the_option_range,
              arrays_that_are_no_images_are_refused, arrays_are_read_as_images_or_stacks_of_slices,
              arrays_in_a_folder_are_images_of_the_data_set, an_npz_holds_signed_and_float_images)
