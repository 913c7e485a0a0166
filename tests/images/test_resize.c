/* SPDX-License-Identifier: Apache-2.0
 * test_resize.c -- resizing against the definition of its filters; crops, flips and transforms against values by hand;
 * and all of them bit for bit against golden vectors where PEFT_SHARED has them. */
#include "io_files.h"
#include <math.h>
#include <peft/io.h>
#include "core/format/safetensors.h"
#include "io/image/resize.h"

/* The filter at distance x; bicubic unless another is named. */
static double filter_at(const char *filter, double x)
{
    x = fabs(x);
    const double pi = acos(-1);
    if (!strcmp(filter, "bilinear")) return x < 1 ? 1 - x : 0;
    if (!strcmp(filter, "hamming")) return x == 0 ? 1 : x < 1 ? sin(pi * x) / pi / x * (0.54 + 0.46 * cos(pi * x)) : 0;
    if (!strcmp(filter, "lanczos")) return x == 0 ? 1 : x < 3 ? 3 * sin(pi * x) * sin(pi * x / 3) / pow(pi * x, 2) : 0;
    return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

/* Sample (x, y, c) of the resized image by the definition: both axes at once, without rounding in between. */
static double resized_at(const peft_image *im, int64_t w, int64_t h, const char *filter, int64_t x, int64_t y, int c)
{
    int64_t iw = peft_image_width(im), ih = peft_image_height(im), n = peft_image_channels(im);
    double sx = (double)iw / (double)w, sy = (double)ih / (double)h, kx = fmax(sx, 1), ky = fmax(sy, 1);
    double cx = ((double)x + 0.5) * sx, cy = ((double)y + 0.5) * sy, sum = 0, weight = 0;
    for (int64_t j = 0; j < ih; j++)
        for (int64_t i = 0; i < iw; i++) {
            double k = filter_at(filter, ((double)i + 0.5 - cx) / kx) * filter_at(filter, ((double)j + 0.5 - cy) / ky);
            weight += k;
            int64_t index = (j * iw + i) * n + c;
            sum += k * (peft_image_depth(im) == 8 ? ((const uint8_t *)peft_image_pixels(im))[index]
                                                  : ((const uint16_t *)peft_image_pixels(im))[index]);
        }
    return sum / weight;
}

/* An image of iw x ih pixels resized to w x h has the samples of the definition. */
static void check_resize(int64_t iw, int64_t ih, int channels, int depth, int64_t w, int64_t h, const char *filter)
{
    peft_image *im = picture(iw, ih, channels, depth, 4), *to;
    float *real = malloc((size_t)(w * h * channels) * sizeof *real);
    ok(peft_image_resize(im, w, h, filter, &to));
    ok(peft_image_resize_float(im, w, h, filter, real));
    double maximum = depth == 8 ? 255 : 65535;
    for (int64_t i = 0; i < w * h * channels; i++) {
        double want = resized_at(im, w, h, filter, i / channels % w, i / channels / w, (int)(i % channels));
        double got = depth == 8 ? ((const uint8_t *)peft_image_pixels(to))[i]
                                : ((const uint16_t *)peft_image_pixels(to))[i];
        ck_assert_double_eq_tol(real[i], want, maximum * 1e-6);
        /* With 8 bits, the result of the first pass is clamped: filters that overshoot differ from the definition. */
        if (depth == 16 || !strcmp(filter, "bilinear") || !strcmp(filter, "hamming"))
            ck_assert_double_eq_tol(got, fmin(fmax(want, 0), maximum), depth == 8 ? 1.01 : 2);
    }
    free(real);
    peft_image_free(im);
    peft_image_free(to);
}

START_TEST(resizing_matches_the_definition_of_the_filters)
{
    const char *filters[] = { "bicubic", "bilinear", "hamming", "lanczos" };
    for (int f = 0; f < 4; f++)
        for (int depth = 8; depth <= 16; depth += 8) {
            check_resize(13, 9, 3, depth, 6, 5, filters[f]);
            check_resize(13, 9, 1, depth, 21, 4, filters[f]);
            check_resize(7, 5, 1, depth, 7, 11, filters[f]);
            check_resize(5, 40, 3, depth, 1, 1, filters[f]);
        }
}
END_TEST

START_TEST(resizing_keeps_equal_sizes_and_constant_images)
{
    peft_image *im = picture(9, 6, 3, 8, 1), *to;
    ok(peft_image_resize(im, 9, 6, "bicubic", &to));
    same_image(im, to);
    peft_image_free(to);
    memset((void *)peft_image_pixels(im), 200, pixel_bytes(im));
    ok(peft_image_resize(im, 31, 2, "bicubic", &to));
    for (size_t i = 0; i < pixel_bytes(to); i++) ck_assert_uint_eq(((const uint8_t *)peft_image_pixels(to))[i], 200);
    peft_image_free(to);
    fails(PEFT_E_INVALID, "lanczos", peft_image_resize(im, 3, 3, "Lanczos", &to));
    fails(PEFT_E_INVALID, "pillow12", peft_image_resize(im, 3, 3, "bicubic:pillow9", &to));
    fails(PEFT_E_INVALID, "to 3x0 pixels (height x width)", peft_image_resize(im, 0, 3, "bicubic", &to));
    fails(PEFT_E_INVALID, "NULL", peft_image_resize(NULL, 3, 3, "bicubic", &to));
    peft_image_free(im);
}
END_TEST

/* peft_image_resize_shorter(size) makes an image of w x h pixels want_w x want_h. */
static void check_shorter(int64_t w, int64_t h, int64_t size, int64_t want_w, int64_t want_h)
{
    peft_image *im = picture(w, h, 1, 8, 1), *to;
    ok(peft_image_resize_shorter(im, size, "bilinear", &to));
    ck_assert_int_eq(peft_image_width(to), want_w);
    ck_assert_int_eq(peft_image_height(to), want_h);
    peft_image_free(im);
    peft_image_free(to);
}

START_TEST(the_longer_side_keeps_the_aspect_ratio)
{
    check_shorter(451, 300, 248, 372, 248);
    check_shorter(30, 45, 31, 31, 46);
    check_shorter(20, 20, 7, 7, 7);
}
END_TEST

/* The centre of the first w letters of "abcdefghij", as an image of one row, is `want`. */
static void check_crop(int64_t w, int64_t crop, const char *want)
{
    peft_image *im, *to;
    ok(peft_image_from_buffer(io_ctx, "abcdefghij", w, 1, 1, 8, 0, &im));
    ok(peft_image_centre_crop(im, crop, 1, &to));
    ck_assert_mem_eq(peft_image_pixels(to), want, (size_t)crop);
    peft_image_free(im);
    peft_image_free(to);
}

START_TEST(crops_and_flips_match_values_by_hand)
{
    peft_image *im, *to;
    check_crop(5, 4, "abcd");                                                 /* offset 0.5 rounds to 0 */
    check_crop(7, 4, "cdef");                                                 /* 1.5 rounds to 2 */
    check_crop(9, 4, "cdef");                                                 /* 2.5 rounds to 2 */
    check_crop(8, 4, "cdef");
    check_crop(2, 5, "\0ab\0\0");
    ok(peft_image_from_buffer(io_ctx, "abcdef", 3, 2, 1, 8, 0, &im));
    ok(peft_image_crop(im, -1, 1, 3, 2, &to));
    ck_assert_mem_eq(peft_image_pixels(to), "\0de\0\0\0", 6);
    peft_image_free(to);
    ok(peft_image_crop(im, 50, 50, 1, 1, &to));
    ck_assert_mem_eq(peft_image_pixels(to), "\0", 1);
    peft_image_free(to);
    fails(PEFT_E_INVALID, "expected -2^40 to 2^40", peft_image_crop(im, INT64_MIN, 0, 1, 1, &to));
    ok(peft_image_flip(im, &to));
    ck_assert_mem_eq(peft_image_pixels(to), "cbafed", 6);
    peft_image_free(to);
    peft_image_free(im);
}
END_TEST

/* (sample / largest - mean) / std, for 8 and 16 bits; and the grey value of a colour image. */
START_TEST(transforms_normalise_by_the_formula)
{
    peft_image *im, *deep;
    peft_transform *t;
    const uint16_t v16[] = { 0, 65535, 257, 1000 };
    float out[12];
    ok(peft_image_from_buffer(io_ctx, "\x00\xff\x01\x80", 2, 2, 1, 8, 0, &im));
    ok(peft_image_from_buffer(io_ctx, v16, 2, 2, 1, 16, 0, &deep));
    ok(peft_transform_parse(io_ctx, "size=2, mean=0.25:0.5:0.75 std=0.1:0.2:0.3", &t));
    ok(peft_transform_apply(t, im, out));
    const double mean[] = { 0.25, 0.5, 0.75 }, std[] = { 0.1, 0.2, 0.3 };
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 4; i++)
            ck_assert(out[4 * c + i] == (float)(((const double[]){ 0, 255, 1, 128 }[i] / 255 - mean[c]) / std[c]));
    ok(peft_transform_apply(t, deep, out));
    ck_assert(out[1] == (float)((1 - mean[0]) / std[0]) && out[3] == (float)((1000.0 / 65535 - mean[0]) / std[0]));
    peft_transform_free(t);
    peft_image_free(im);
    ok(peft_image_from_buffer(io_ctx, "\x0a\x14\x1e", 1, 1, 3, 8, 0, &im));
    ok(peft_transform_parse(io_ctx, "size=1,grey=true,mean=0,std=1", &t));
    ok(peft_transform_apply(t, im, out));
    ck_assert(out[0] == 18.0f / 255.0f && out[1] == out[0] && out[2] == out[0]);
    peft_transform_free(t);
    peft_image_free(im);
    peft_image_free(deep);
}
END_TEST

START_TEST(texts_of_transforms)
{
    peft_transform *t, *same;
    ok(peft_transform_parse(io_ctx, NULL, &t));
    ck_assert_str_eq(peft_transform_text(t), "size=224,resize=squash,crop_pct=1,interpolation=bicubic,grey=false,"
        "mean=0.5:0.5:0.5,std=0.5:0.5:0.5,random_crop=false,scale=0.08:1,ratio=0.75:1.3333333333333333,flip=0,"
        "brightness=0,contrast=0,saturation=0,pad=0,pad_mode=zero,erase=0,erase_area=0.02:0.33,"
        "erase_ratio=0.3:3.3,erase_fill=mean,crop_offset=round,resize_order=pillow13,alpha=drop,range=full");
    peft_transform_free(t);
    ok(peft_transform_parse(io_ctx, "mean=0.1 std=0.12345678901234568:1e-05:2 flip=0.5,,resize=shorter\n size=28", &t));
    ok(peft_transform_parse(io_ctx, peft_transform_text(t), &same));
    ck_assert_str_eq(peft_transform_text(t), peft_transform_text(same));
    ck_assert_ptr_nonnull(strstr(peft_transform_text(t), "std=0.12345678901234568:1e-05:2"));
    ck_assert_int_eq(peft_transform_size(same), 28);
    peft_transform_free(t);
    peft_transform_free(same);
    t = NULL;
    const char *bad[] = { "size=0", "size=", "size", "size=2.5", "colour=1", "mean=1:2", "mean=1:2:3:4", "std=0", "=3",
                          "resize=crop", "flip=1.1", "flip=nan", "flip=0x1", "scale=0.9:0.1", "grey=maybe", "scale=0.5",
                          "size=99999999999999999999", "size=1,size=1" /* twice */, "mean=:1:1", "size=1 crop_pct=50",
                          "resize=0", "resize=-3", "resize=8x", "resize=x8", "resize=8x0", "resize=8x8x8",
                          "resize=9999999", "resize=none,crop_pct=0.9", "resize=256,crop_pct=0.9", "crop_pct=87.5",
                          "crop_pct=1.01", "crop_offset=ceil", "resize_order=pillow9", "alpha=black", "range=1",
                          "range=5:5", "range=5:4", "range=1:2:3", "interpolation=cubic" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(peft_transform_parse(io_ctx, bad[i], &t) == PEFT_E_OPTION && !t, "'%s' was accepted", bad[i]);
    /* the message on an unknown name lists all names, among them interpolation */
    fails(PEFT_E_OPTION, "interpolation", peft_transform_parse(io_ctx, "colour=1", &t));
}
END_TEST

START_TEST(augmentations_depend_on_seed_epoch_and_sample)
{
    peft_image *im = picture(40, 30, 3, 8, 7);
    peft_transform *t, *plain;
    float a[3 * 16 * 16], b[3 * 16 * 16];
    int changed = 0, flipped = 0;
    ok(peft_transform_parse(io_ctx, "size=16 random_crop=true flip=0.5 brightness=0.2 contrast=0.2", &t));
    for (int64_t sample = 0; sample < 20; sample++) {         /* arguments: transform, image, seed, epoch, sample */
        ok(peft_transform_apply_train(t, im, 1, 0, sample, a));
        ok(peft_transform_apply_train(t, im, 1, 0, sample, b));
        ck_assert_mem_eq(a, b, sizeof a);
        ok(peft_transform_apply_train(t, im, 1, 1, sample, b));
        changed += memcmp(a, b, sizeof a) != 0;
        ok(peft_transform_apply_train(t, im, 2, 0, sample, b));
        changed += memcmp(a, b, sizeof a) != 0;
    }
    ck_assert_int_eq(changed, 40);
    peft_transform_free(t);
    ok(peft_transform_parse(io_ctx, "size=16 flip=0.5", &t));
    ok(peft_transform_parse(io_ctx, "size=16", &plain));
    ok(peft_transform_apply(plain, im, b));
    for (int64_t sample = 0; sample < 400; sample++) {
        ok(peft_transform_apply_train(t, im, 5, 0, sample, a));
        flipped += memcmp(a, b, sizeof a) != 0;
        if (a[0] == b[0]) ck_assert_mem_eq(a, b, sizeof a);
        else ck_assert(a[0] == b[15] && a[15] == b[0]);
    }
    ck_assert_int_gt(flipped, 160);
    ck_assert_int_lt(flipped, 240);
    peft_transform_free(t);
    ok(peft_transform_parse(io_ctx, "size=16 random_crop=true scale=1:1 ratio=0.1:0.2", &t));  /* no box fits: centre */
    ok(peft_transform_apply_train(t, im, 5, 0, 0, a));
    ok(peft_transform_apply_train(t, im, 6, 0, 0, b));
    ck_assert_mem_eq(a, b, sizeof a);
    peft_transform_free(t);
    peft_transform_free(plain);
    peft_image_free(im);
}
END_TEST

/* A file of golden vectors; NULL: there are none. */
static pf_st *open_golden(peft_context **ctx, const char *name)
{
    char path[400];
    pf_st *st;
    if (!shared_folder()) return NULL;
    snprintf(path, sizeof path, "%s/golden/%s.safetensors", shared_folder(), name);
    ok(peft_context_create(NULL, NULL, NULL, ctx));
    ok(pf_st_open(*ctx, path, &st));
    return st;
}

/* The source image of golden vectors: the tensor "input.NAME". */
static peft_image *golden_image(const pf_st *st, const char *image_name)
{
    char name[80];
    peft_image *im;
    snprintf(name, sizeof name, "input.%s", image_name);
    const pf_st_tensor *t = pf_st_find(st, name);
    ck_assert_ptr_nonnull(t);
    ok(peft_image_from_buffer(io_ctx, t->data, t->dim[1], t->dim[0], t->ndim == 3 ? 3 : 1,
                              t->type == PEFT_U8 ? 8 : 16, 0, &im));
    return im;
}

/* Compares a resized image before it is clamped to 16 bits: as int32 or float. */
static void compare_unclamped(const peft_image *im, const pf_st_tensor *t, const char *filter, io_rounding rounding)
{
    void *out;
    io_filter f;
    io_order order;
    ok(io_filter_named(filter, &f, &order));
    const io_scaling to = io_whole(t->dim[1], t->dim[0], f, order);
    ok(io_resample(im, &to, rounding, &out));
    const double *data = out;
    for (int64_t i = 0; i < t->dim[0] * t->dim[1]; i++) {
        int32_t whole = (int32_t)data[i];
        float real = (float)data[i];
        ck_assert_mem_eq((const char *)t->data + 4 * i, rounding == IO_TO_INT ? (void *)&whole : (void *)&real, 4);
    }
    peft_sys_free(io_ctx, out);
}

START_TEST(resizing_matches_golden_vectors)
{
    peft_context *ctx;
    pf_st *st = open_golden(&ctx, "comp_resize");
    if (!st) return;
    int compared = 0;
    for (size_t i = 0; i < pf_st_count(st); i++) {
        const pf_st_tensor *t = pf_st_at(st, i);
        char name[40], filter[40];
        if (sscanf(t->name, "expect.%39[^.].%19[^.].", name, filter) != 2) continue;
        strcat(filter, ":pillow12");                          /* the vectors are of Pillow before 12.2 */
        compared++;
        char *suffix = strstr(name, "_as_");
        io_rounding rounding = suffix && !strcmp(suffix, "_as_float") ? IO_TO_FLOAT : IO_TO_INT;
        if (suffix) *suffix = 0;
        peft_image *im = golden_image(st, name), *to;
        if (suffix) {
            compare_unclamped(im, t, filter, rounding);
        } else {
            ok(peft_image_resize(im, t->dim[1], t->dim[0], filter, &to));
            ck_assert_mem_eq(peft_image_pixels(to), t->data, t->bytes);
            peft_image_free(to);
        }
        peft_image_free(im);
    }
    ck_assert_int_eq(compared, 40);
    pf_st_close(st);
    peft_context_free(ctx);
}
END_TEST

START_TEST(transforms_match_golden_vectors)
{
    static const struct { const char *name, *spec; int64_t size; } row[] = {
        { "squash_bicubic", "size=24", 24 },
        { "squash_bilinear", "size=24,interpolation=bilinear", 24 },
        { "short_crop_bicubic", "size=28,resize=shorter,crop_pct=0.9", 28 },
        { "short_crop_bilinear", "size=28,resize=shorter,crop_pct=0.9,interpolation=bilinear", 28 },
        { "pad_crop", "size=30,resize=20", 30 },
    };
    peft_context *ctx;
    pf_st *st = open_golden(&ctx, "comp_preprocess");
    if (!st) return;
    peft_image *im = golden_image(st, "rgb8");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char name[80], spec[200];
        float out[3 * 30 * 30];
        peft_transform *t;
        snprintf(name, sizeof name, "expect.%s.float", row[i].name);
        snprintf(spec, sizeof spec, "%s,mean=0.485:0.456:0.406,std=0.229:0.224:0.225", row[i].spec);
        const pf_st_tensor *want = pf_st_find(st, name);
        ck_assert_ptr_nonnull(want);
        ok(peft_transform_parse(io_ctx, spec, &t));
        ok(peft_transform_apply(t, im, out));
        ck_assert_uint_eq(want->bytes, 3 * (size_t)(row[i].size * row[i].size) * sizeof(float));
        ck_assert_mem_eq(out, want->data, want->bytes);
        peft_transform_free(t);
    }
    peft_image_free(im);
    pf_st_close(st);
    peft_context_free(ctx);
}
END_TEST

IO_SUITE_MAIN("resize", resizing_matches_the_definition_of_the_filters, resizing_keeps_equal_sizes_and_constant_images,
              the_longer_side_keeps_the_aspect_ratio, crops_and_flips_match_values_by_hand,
              transforms_normalise_by_the_formula, texts_of_transforms, augmentations_depend_on_seed_epoch_and_sample,
              resizing_matches_golden_vectors, transforms_match_golden_vectors)
