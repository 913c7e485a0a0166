/* SPDX-License-Identifier: Apache-2.0
 * test_conv2d.c -- the operation conv2d and its gradients: against a plain convolution in double, and against PyTorch's
 * in float64 (conv2d.py); the same bits for any number of threads, any batch, and both executors; every failing
 * allocation is reported. */
#include <inttypes.h>
#include "conv/conv_graph.h"
#include "core/format/safetensors.h"
#include "failing_alloc.h"
#include "lab.h"
#include "tested_isas.h"

static const conv_extents shapes[] = {
    { 1, 1, 1, 3, 2, 3, 3 }, { 3, 1, 7, 2, 5, 3, 3 }, { 2, 6, 1, 1, 4, 5, 5 }, { 1, 5, 4, 6, 1, 3, 3 },
    { 2, 3, 5, 7, 9, 1, 1 }, { 1, 9, 2, 4, 3, 5, 1 }, { 3, 2, 11, 5, 17, 1, 3 }, { 2, 19, 23, 24, 40, 3, 3 },
    { 1, 16, 16, 33, 65, 5, 5 } };
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The largest error of an element, in parts of the sum of the magnitudes of the products that it is the sum of. bf16
 * has 8 bits of significand, bf16x3 16; int8 is not for trained weights, whose products are f32 there. */
static const double bounds[PK_COMPUTES] = { [PK_COMPUTE_F32] = 2e-6, [PK_COMPUTE_BF16X3] = 0x1p-14,
                                            [PK_COMPUTE_BF16] = 0x1p-7, [PK_COMPUTE_INT8] = 2e-6 };

static void check_near(const double *got, const double *want, const double *magnitude, int64_t count, double bound,
                       const char *what)
{
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= bound * (1 + magnitude[i]), "%s[%d] is %g, expected %g", what, (int)i,
                      got[i], want[i]);
}

START_TEST(results_are_those_of_a_plain_convolution)
{
    for (const char *const *isa = tested_isas(); *isa; isa++)
        for (int s = 0; s < SHAPES; s++) {
            conv_arrays want = conv_reference(&shapes[s]);
            for (pk_compute compute = PK_COMPUTE_F32; compute < PK_COMPUTES; compute++) {
                conv_arrays got = conv_run(&shapes[s], &(conv_settings){ .isa = *isa, .compute = compute });
                for (int k = 0; k < CONV_RESULTS; k++) {
                    char what[96];
                    snprintf(what, sizeof what, "%s %s, shape %d, %s", *isa, pk_compute_name(compute), s,
                             conv_names[k]);
                    check_near(got.result[k], want.result[k], want.magnitude[k], conv_count(&shapes[s], k),
                               bounds[compute], what);
                }
                conv_free(&got);
            }
            conv_free(&want);
        }
}
END_TEST

static void check_same(const conv_extents *e, const conv_settings *a, const conv_settings *b, const char *what)
{
    conv_arrays x = conv_run(e, a), y = conv_run(e, b);
    for (int k = 0; k < CONV_RESULTS; k++)
        ck_assert_msg(!memcmp(x.result[k], y.result[k], (size_t)conv_count(e, k) * sizeof(double)),
                      "%s: other bits of %s", what, conv_names[k]);
    conv_free(&x);
    conv_free(&y);
}

START_TEST(threads_and_executors_change_no_bit)
{
    for (const char *const *isa = tested_isas(); *isa; isa++)
        for (pk_compute compute = PK_COMPUTE_F32; compute < PK_COMPUTES; compute++)
            for (int s = 0; s < SHAPES; s++) {
                const conv_settings one = { .isa = *isa, .compute = compute };
                for (int threads = 2; threads <= 3; threads++)
                    check_same(&shapes[s], &one,
                               &(conv_settings){ .isa = *isa, .compute = compute, .threads = threads }, "threads");
                check_same(&shapes[s], &one,
                           &(conv_settings){ .isa = *isa, .compute = compute, .flags = PF_PLAN_NAIVE }, "executors");
            }
}
END_TEST

/* A map has the same results alone and among others. */
START_TEST(a_batch_changes_no_bit)
{
    for (int s = 0; s < SHAPES; s++) {
        conv_extents one = shapes[s];
        conv_arrays all = conv_run(&shapes[s], &(conv_settings){ 0 });
        one.maps = 1;
        for (int64_t b = 0; b < shapes[s].maps; b++) {
            conv_arrays alone = conv_run(&one, &(conv_settings){ .first_map = b });
            for (int k = 0; k < CONV_RESULTS; k++) {
                const int64_t count = conv_count(&one, k);
                if (k == CONV_DW) continue;                              /* a sum over the batch */
                ck_assert_msg(!memcmp(alone.result[k], all.result[k] + b * count, (size_t)count * sizeof(double)),
                              "shape %d, map %d: other bits of %s", s, (int)b, conv_names[k]);
            }
            conv_free(&alone);
        }
        conv_free(&all);
    }
}
END_TEST

/* --- PyTorch ------------------------------------------------------------------------------------------------------ */
/* The numbers of a tensor of the file, which the caller frees. */
static float *read_tensor(const pf_st *file, const char *name, int number, int64_t count)
{
    char full[32];
    snprintf(full, sizeof full, "%d.%s", number, name);
    const pf_st_tensor *t = pf_st_find(file, full);
    ck_assert_msg(t != NULL, "conv2d.safetensors has no tensor %s", full);
    ck_assert_uint_eq(t->bytes, (size_t)count * sizeof(float));
    float *x = malloc(t->bytes);
    memcpy(x, t->data, t->bytes);
    return x;
}

/* The extents of a case, in the file's metadata. */
#define CONV_FORMAT "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64

START_TEST(results_are_those_of_pytorch)
{
    static const char *const names[CONV_RESULTS] = { "y", "dx", "dw" };
    peft_context *ctx;
    pf_st *file;
    int number = 0;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    ck_assert_msg(!pf_st_open(ctx, PEFT_SOURCE_DIR "/tests/conv/conv2d.safetensors", &file), "%s", peft_last_error());
    for (char key[32]; snprintf(key, sizeof key, "%d", number), pf_st_meta(file, key); number++) {
        conv_extents e;
        ck_assert_int_eq(sscanf(pf_st_meta(file, key), CONV_FORMAT, &e.maps, &e.height, &e.width,
                                &e.in, &e.out, &e.kh, &e.kw), 7);
        float *x = read_tensor(file, "x", number, conv_count(&e, CONV_DX)), *w = read_tensor(file, "w", number,
              conv_count(&e, CONV_DW)), *b = read_tensor(file, "b", number, e.out);
        float *d = read_tensor(file, "dy", number, conv_count(&e, CONV_Y));
        conv_arrays got = conv_run(&e, &(conv_settings){ .x = x, .w = w, .bias = b, .dy = d });
        for (int k = 0; k < CONV_RESULTS; k++) {
            float *want = read_tensor(file, names[k], number, conv_count(&e, k));
            double largest = 0;
            for (int64_t i = 0; i < conv_count(&e, k); i++) largest = fmax(largest, fabs(want[i]));
            for (int64_t i = 0; i < conv_count(&e, k); i++)
                ck_assert_msg(fabs(got.result[k][i] - want[i]) <= 1e-5 * largest, "case %d, %s[%d] is %g, expected %g",
                              number, names[k], (int)i, got.result[k][i], want[i]);
            free(want);
        }
        conv_free(&got);
        free(x), free(w), free(b), free(d);
    }
    ck_assert_int_gt(number, 3);
    pf_st_close(file);
    peft_context_free(ctx);
}
END_TEST

/* --- report ------------------------------------------------------------------------------------------------------- */
/* Counts the rows of conv2d in the table of operations, and checks their kernel and its reason. */
static void check_row(const char *line, void *user)
{
    int *rows = user;
    if (!strstr(line, " conv2d")) return;
    ck_assert_msg(strstr(line, "gemm:") && !strstr(line, "no vector kernel"), "%s", line);
    ck_assert_msg(strstr(line, "f32: int8 is for frozen weights") != NULL, "%s", line);
    ++*rows;
}

START_TEST(the_table_says_why_int8_is_not_used)
{
    int rows = 0;
    conv_arrays a = conv_run(&shapes[0], &(conv_settings){ .compute = PK_COMPUTE_INT8, .describe = check_row,
                                                           .user = &rows });
    conv_free(&a);
    ck_assert_int_eq(rows, CONV_RESULTS);
}
END_TEST

/* --- errors ------------------------------------------------------------------------------------------------------- */
/* Builds and compiles a graph of two convolutions with a loss. */
static peft_status build(peft_context *ctx, void *unused)
{
    (void)unused;
    pf_graph g;
    pf_exec e;
    pk_real data[3 * 3 * 3 * 9] = { 0 };
    pf_graph_init(&g, ctx, &(pf_compile_spec){ .batch = 2, .training = true, .threads = 1 });
    const int64_t pixels = 6;
    pf_val x = pf_input_add(&g, "images", pf_shape_of(3, (int64_t)2, pixels, (int64_t)3), PF_IN_BY_ID);
    pf_val w = pf_value_new(&g, PF_CONST, pf_shape_of(4, (int64_t)3, (int64_t)3, (int64_t)3, (int64_t)3));
    if (pf_exists(w)) pf_v(&g, w)->data = data;
    pf_val y = pf_conv2d(&g, pf_conv2d(&g, x, 2, 3, w, PF_NONE), 3, 2, w, PF_NONE);
    if (pf_exists(y)) pf_v(&g, y)->keep = true;
    peft_status s = pf_compile(&g, PF_NONE);
    if (s) {
        pf_graph_free(&g);
        return s;
    }
    s = pf_exec_create(&e, &g);
    if (!s) s = pf_exec_bind(&e, NULL);
    pf_exec_free(&e);
    return s;
}

START_TEST(a_failing_allocation_is_reported)
{
    ck_assert_int_gt(failing_alloc_loop(build, NULL), 3);
}
END_TEST

START_TEST(unfit_shapes_are_refused)
{
    static const struct { int64_t h, w, in, weight[4], bias; const char *expected; } bad[] = {
        { 2, 4, 3, { 5, 3, 3, 3 }, 5, "x [.., h*w, in] with h and w of the map" },
        { 0, 6, 3, { 5, 3, 3, 3 }, 5, "x [.., h*w, in] with h and w of the map" },
        { 2, 3, 4, { 5, 3, 3, 3 }, 5, "w [out, in, kh, kw] with odd kh and kw" },
        { 2, 3, 3, { 5, 3, 2, 3 }, 5, "w [out, in, kh, kw] with odd kh and kw" },
        { 2, 3, 3, { 5, 3, 3, 4 }, 5, "w [out, in, kh, kw] with odd kh and kw" },
        { 2, 3, 3, { 5, 3, 3, 3 }, 4, "a bias [out]" } };
    peft_context *ctx;
    ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lab l;
        lab_open(&l, ctx, 1, LAB_TRAIN_ALL, PLAIN);
        const int64_t *k = bad[i].weight;
        const pf_val x = LEAF(&l, 2, 6, bad[i].in), w = LEAF(&l, k[0], k[1], k[2], k[3]), b = LEAF(&l, bad[i].bias);
        ck_assert(!pf_exists(pf_conv2d(&l.g, x, bad[i].h, bad[i].w, w, b)));
        ck_assert_int_eq(l.g.status, PEFT_E_SHAPE);
        ck_assert_msg(strstr(peft_last_error(), "conv2d") && strstr(peft_last_error(), bad[i].expected), "%s",
                      peft_last_error());
        lab_close(&l);
    }
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("conv2d", results_are_those_of_a_plain_convolution, threads_and_executors_change_no_bit,
           a_batch_changes_no_bit, results_are_those_of_pytorch, the_table_says_why_int8_is_not_used,
           a_failing_allocation_is_reported, unfit_shapes_are_refused)
