/* SPDX-License-Identifier: Apache-2.0
 * test_deit.c -- the published DeiT-Ti on three pictures, in every arithmetic and with its matrices stored as int8,
 * against class tokens and logits of a forward pass in double precision. */
#include <math.h>
#include <peft/io.h>
#include <peft/peft.h>
#include <stdbool.h>
#include <unistd.h>
#include <zip.h>
#include "suite.h"

/* Reads an array of an .npz as double. Its header has 128 bytes; its type, f4 or f8, follows from its size. */
static double *read_array(zip_t *z, const char *name, int64_t count)
{
    zip_stat_t st;
    ck_assert_int_eq(zip_stat(z, name, 0, &st), 0);
    char *raw = malloc(st.size);
    zip_file_t *f = zip_fopen(z, name, 0);
    ck_assert_int_eq(zip_fread(f, raw, st.size), (zip_int64_t)st.size);
    zip_fclose(f);
    size_t size = (st.size - 128) / (size_t)count;
    ck_assert(size == 4 || size == 8);
    double *out = malloc((size_t)count * sizeof *out);
    for (int64_t i = 0; i < count; i++) {
        float x;
        if (size == 8) memcpy(&out[i], raw + 128 + 8 * i, 8);
        else memcpy(&x, raw + 128 + 4 * i, 4), out[i] = x;
    }
    free(raw);
    return out;
}

/* The largest |got - want|. */
static double largest_difference(const float *got, const double *want, int64_t n)
{
    double largest = 0;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(got[i] - want[i]));
    return largest;
}

static peft_options *options(peft_context *ctx, const char *text)
{
    peft_options *o;
    ck_assert_int_eq(peft_options_create(ctx, &o), PEFT_OK);
    ck_assert_int_eq(peft_options_parse(o, text), PEFT_OK);
    return o;
}

/* Length of got - want relative to that of want. */
static double distance(const float *got, const double *want, int64_t n)
{
    double difference = 0, length = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += (got[i] - want[i]) * (got[i] - want[i]);
        length += want[i] * want[i];
    }
    return sqrt(difference / length);
}

/* Replaces *vit by the backbone of a file that it is saved to with dtype=int8, which has the same fingerprint. */
static void store_as_int8(peft_context *ctx, peft_backbone **vit)
{
    char path[] = "/tmp/peft-deit-XXXXXX", fingerprint[65];
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    peft_options *o = options(ctx, "dtype=int8");
    memcpy(fingerprint, peft_backbone_fingerprint(*vit), sizeof fingerprint);
    ck_assert_msg(!peft_backbone_save_as(*vit, path, o), "%s", peft_last_error());
    peft_options_free(o);
    peft_backbone_free(*vit);
    ck_assert_msg(!peft_backbone_load(ctx, path, NULL, vit), "%s", peft_last_error());
    ck_assert_str_eq(fingerprint, peft_backbone_fingerprint(*vit));
    remove(path);
}

/* In the arithmetic `compute`: most_difference of a logit and of an element of the class token, which are about 1 to
 * 10; most_distance of all logits. int8: the matrices are stored as int8. */
static void check_deit(const char *compute, bool int8, double most_difference, double most_distance)
{
    const char *shared = shared_folder();
    char path[1024];
    if (!shared) return;
    snprintf(path, sizeof path, "%s/data/vit/deit_tiny_golden.npz", shared);
    zip_t *z = zip_open(path, ZIP_RDONLY, NULL);
    if (!z) {
        printf("SKIP: %s is not there\n", path);
        return;
    }
    double *pixels = read_array(z, "inputs_hwc.npy", 3 * 224 * 224 * 3);
    double *feature = read_array(z, "cls_feature.npy", 3 * 192), *logits = read_array(z, "logits.npy", 3 * 1000);
    zip_close(z);
    peft_context *ctx;
    peft_backbone *vit;
    peft_model *m;
    peft_session *s;
    peft_tensor *images, *out;
    const peft_tensor *tap;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    snprintf(path, sizeof path, "%s/data/vit/deit_tiny_patch16_224.safetensors", shared);
    ck_assert_msg(!peft_backbone_load(ctx, path, NULL, &vit), "%s", peft_last_error());
    if (int8) store_as_int8(ctx, &vit);
    ck_assert_int_eq(peft_backbone_get(vit, "parameters"), 5717416);
    ck_assert_int_eq(peft_model_create(vit, NULL, &m), PEFT_OK);
    peft_options *o = options(ctx, "batch=3,taps=feature");
    ck_assert_int_eq(peft_options_set_string(o, "compute", compute), PEFT_OK);
    ck_assert_int_eq(peft_session_create(m, o, &s), PEFT_OK);
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_F32, 4, (int64_t[]){ 3, 3, 224, 224 }, &images), PEFT_OK);
    ck_assert_int_eq(peft_tensor_create(ctx, PEFT_F32, 2, (int64_t[]){ 3, 1000 }, &out), PEFT_OK);
    float *x = peft_tensor_data(images);
    for (int i = 0; i < 3; i++)
        for (int p = 0; p < 224 * 224; p++)
            for (int c = 0; c < 3; c++) x[(i * 3 + c) * 224 * 224 + p] = (float)pixels[(i * 224 * 224 + p) * 3 + c];
    ck_assert_msg(!peft_session_predict(s, images, out), "%s", peft_last_error());
    ck_assert_ptr_nonnull(tap = peft_session_tap(s, "feature"));
    double logit_error = largest_difference(peft_tensor_cdata(out), logits, 3000),
        token_error = largest_difference(peft_tensor_cdata(tap), feature, 576);
    const double relative = distance(peft_tensor_cdata(out), logits, 3000);
    printf("DeiT-Ti in %s%s: logits differ by at most %.2g, class token by %.2g; relative distance of the "
           "logits %.2g\n",
           compute, int8 ? " over int8" : "", logit_error, token_error, relative);
    ck_assert_double_le(logit_error, most_difference);
    ck_assert_double_le(token_error, most_difference);
    ck_assert_double_le(relative, most_distance);
    peft_options_free(o);
    peft_tensor_free(images);
    peft_tensor_free(out);
    peft_session_free(s);
    peft_model_free(m);
    peft_backbone_free(vit);
    ck_assert_uint_gt(peft_context_memory_used(ctx), 0);
    peft_context_free(ctx);
    free(pixels);
    free(feature);
    free(logits);
}

START_TEST(f32_equals_a_double_precision_forward_pass) { check_deit("f32", false, 1e-4, 1e-5); }
END_TEST

START_TEST(bf16x3_is_near_it) { check_deit("bf16x3", false, 5e-4, 2e-5); }
END_TEST

START_TEST(bf16_is_near_it) { check_deit("bf16", false, 0.2, 1.3e-2); }
END_TEST

/* Weights alone that are rounded to 8 bits with a scale a row move the logits by 2.1 to 2.6 %. */
START_TEST(int8_all_is_near_it) { check_deit("int8_all", false, 0.3, 3.5e-2); }
END_TEST

/* All matrices have 192 rows or columns: int8 multiplies them in bf16 or f32. */
START_TEST(int8_is_not_used_for_narrow_matrices) { check_deit("int8", false, 0.2, 1.3e-2); }
END_TEST

START_TEST(int8_storage_is_near_it) { check_deit("f32", true, 0.15, 2.4e-2); }
END_TEST

START_TEST(int8_over_int8_storage_is_near_it) { check_deit("int8_all", true, 0.3, 3.5e-2); }
END_TEST

SUITE_MAIN("deit", f32_equals_a_double_precision_forward_pass, bf16x3_is_near_it, bf16_is_near_it, int8_all_is_near_it,
           int8_is_not_used_for_narrow_matrices, int8_storage_is_near_it, int8_over_int8_storage_is_near_it)
