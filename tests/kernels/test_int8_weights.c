/* SPDX-License-Identifier: Apache-2.0
 * test_int8_weights.c -- weights that are stored as int8: every instruction set stores the bytes of plain C and reads
 * the values of a definition in double; products have the bits of those of a float copy of the stored values, and in
 * int8 arithmetic those of the weights before they were stored; arrays end at guard pages. */
#include <math.h>
#include "guarded.h"
#include "kernels/ref/int8.h"
#include "run_gemm.h"
#include "suite.h"

/* Loops over the kernel tables. The inner `for` runs once: it only declares t. */
#define EACH_TABLE(t) for (const char *const *name = pk_isas(); *name; name++) \
    for (const pk_table *t = pk_find(*name); t; t = NULL)

/* A matrix of noise [rows, cols], stored as int8, and the values of the stored one. */
typedef struct stored {
    int64_t rows, cols, stride, pieces;
    guarded original, values, bytes, scales;
} stored;

static const int8_t *bytes_of(const stored *s) { return (const int8_t *)s->bytes.data; }

static stored make_stored(const pk_table *t, int64_t rows, int64_t cols)
{
    uint64_t seed = (uint64_t)(rows * 31 + cols);
    stored s = { .rows = rows, .cols = cols, .stride = pk_int8_whole_blocks(cols),
                 .pieces = pk_int8_pieces(cols).count };
    s.original = guarded_noise(rows * cols, &seed);
    s.values = guarded_make(rows * cols);
    s.bytes = guarded_make(rows * s.stride / (int64_t)sizeof(float));
    s.scales = guarded_make(rows * s.pieces);
    for (int64_t i = 0; i < rows; i++)
        t->quantise((int8_t *)s.bytes.data + i * s.stride, s.scales.data + i * s.pieces, s.original.data + i * cols,
                    cols);
    t->dequantise(s.values.data, cols, bytes_of(&s), s.scales.data, cols, rows, 0, cols);
    return s;
}

static void free_stored(stored *s)
{
    guarded *all[] = { &s->original, &s->values, &s->bytes, &s->scales };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
}

/* Element (i, j) of the stored matrix by the definition: an element of the transform, whose sign is that of the parity
 * of the bits that two indices share, times the scale. */
static float value_of(const stored *s, int64_t i, int64_t j)
{
    const pk_pieces pieces = pk_int8_pieces(s->cols);
    int sum = 0;
    for (int b = 0; b < 64; b++) {
        const int q = bytes_of(s)[i * s->stride + j / 64 * 64 + b];
        sum += __builtin_parity((unsigned)(b & (int)(j % 64))) ? -q : q;
    }
    return (float)(s->scales.data[i * pieces.count + j / pieces.length] / 8.0 * sum);
}

START_TEST(bytes_and_values_are_those_of_plain_c)
{
    static const int64_t columns[] = { 1, 2, 31, 32, 33, 63, 64, 65, 192, 768, 769, 833, 1000, 3072 };
    EACH_TABLE(t)
        for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
            stored s = make_stored(t, 3, columns[c]), r = make_stored(pk_find("ref"), 3, columns[c]);
            ck_assert(!memcmp(s.bytes.data, r.bytes.data, (size_t)(3 * s.stride)));
            ck_assert(!memcmp(s.scales.data, r.scales.data, (size_t)(3 * s.pieces) * sizeof(float)));
            for (int64_t i = 0; i < 3; i++) {
                double error = 0, size = 0;
                int most = 0;
                for (int64_t j = 0; j < s.cols; j++) {
                    const double want = s.original.data[i * s.cols + j], got = s.values.data[i * s.cols + j];
                    ck_assert_msg(s.values.data[i * s.cols + j] == value_of(&s, i, j), "%s: [%d,%d] of %d columns",
                                  *name, (int)i, (int)j, (int)s.cols);
                    error += (got - want) * (got - want);
                    size += want * want;
                }
                for (int64_t j = 0; j < s.stride; j++)
                    most = abs(bytes_of(&s)[i * s.stride + j]) > most ? abs(bytes_of(&s)[i * s.stride + j]) : most;
                ck_assert_int_eq(most, 127);
                ck_assert_msg(sqrt(error / size) < 0.012, "%s: error %g", *name, sqrt(error / size));
            }
            free_stored(&s);
            free_stored(&r);
        }
}
END_TEST

/* Zeros stay zeros; NaN and Inf in a piece make all its values NaN, so that a check of the values finds them. */
START_TEST(zeros_and_values_that_are_not_finite)
{
    EACH_TABLE(t) {
        float x[100] = { 0 }, scale = 1, y[100];
        int8_t bytes[128];
        t->quantise(bytes, &scale, x, 100);
        t->dequantise(y, 100, bytes, &scale, 100, 1, 0, 100);
        ck_assert(scale == 0);
        for (int i = 0; i < 100; i++) ck_assert(y[i] == 0);
        const float bad[] = { NAN, INFINITY, -INFINITY };
        for (int b = 0; b < 3; b++) {
            x[99] = bad[b];
            t->quantise(bytes, &scale, x, 100);
            t->dequantise(y, 100, bytes, &scale, 100, 1, 0, 100);
            for (int i = 0; i < 100; i++) ck_assert(isnan(y[i]));
        }
    }
}
END_TEST

START_TEST(every_part_of_a_matrix_is_read)
{
    enum { ROWS = 3 };
    EACH_TABLE(t)
        for (int64_t cols = 1; cols <= 850; cols = cols < 130 ? cols + 43 : cols + 719) {
            stored s = make_stored(t, ROWS, cols);
            for (int64_t first = 0; first < cols; first += 1 + first / 3)
                for (int64_t n = 0; n <= cols - first; n += n < 66 ? 1 : 191) {
                    guarded out = guarded_make(ROWS * n);
                    t->dequantise(out.data, n, bytes_of(&s), s.scales.data, cols, ROWS, first, n);
                    for (int64_t i = 0; i < ROWS && n; i++)
                        ck_assert(!memcmp(out.data + i * n, s.values.data + i * cols + first,
                                          (size_t)n * sizeof(float)));
                    guarded_free(&out);
                }
            const pk_weight w = { PK_I8, ROWS, cols, s.scales.data, s.bytes.data };
            for (int64_t first = 0; first < ROWS * cols; first += 1 + first / 2) {
                guarded out = guarded_make(ROWS * cols - first);
                ck_assert_ptr_eq(pk_weight_read(t, &w, first, out.count, out.data), out.data);
                ck_assert(!memcmp(out.data, s.values.data + first, (size_t)out.count * sizeof(float)));
                guarded_free(&out);
            }
            free_stored(&s);
        }
}
END_TEST

/* The storage has a scale for each piece of int8 arithmetic: every table must cut K in the same way. */
START_TEST(pieces_of_the_storage_are_those_of_every_int8_product)
{
    EACH_TABLE(t) {
        const pk_product *p = &t->product[PK_COMPUTE_INT8];
        for (int64_t k = 1; k < 9000; k++) {
            const pk_pieces storage = pk_int8_pieces(k);
            const pk_pieces product = pk_pieces_of(k, p->block, p->block_lanes, p->kc, p->step);
            ck_assert(storage.count == product.count && storage.length == product.length);
            ck_assert(storage.length % PK_INT8_BLOCK == 0 && storage.length <= PK_INT8_PIECE);
            ck_assert((storage.count - 1) * storage.length < k && storage.count * storage.length >= k);
        }
    }
}
END_TEST

/* The product with B stored as int8 has the bits of the one with a float copy of its values, or, in int8 arithmetic,
 * with the original weights. */
static void check_product(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, pk_compute compute,
                          const int64_t size[3], int transposed)
{
    const int64_t m = size[0], n = size[1], k = size[2];
    stored s = make_stored(t, transposed ? n : k, transposed ? k : n);
    const float *copy = compute == PK_COMPUTE_INT8 ? s.original.data : s.values.data;
    uint64_t seed = 5;
    guarded a = guarded_noise(m * k, &seed), bias = guarded_noise(n, &seed), c[2] = { guarded_make(m * n),
                                                                                        guarded_make(m * n) };
    for (int i = 0; i < 2; i++) {
        const int64_t ld = i ? s.cols : s.stride;
        const pk_gemm g = { .m = m, .n = n, .k = k, .compute = compute, .a = a.data, .a_row = k, .a_col = 1,
            .b = i ? (const void *)copy : s.bytes.data, .b_type = i ? PK_REAL : PK_I8,
            .b_scales = i ? NULL : s.scales.data, .b_row = transposed ? 1 : ld, .b_col = transposed ? ld : 1,
            .c = c[i].data, .c_row = n, .scale = 1, .bias = bias.data, .act = PK_GELU };
        run_gemm(t, pool, kind, &g);
    }
    ck_assert_msg(!memcmp(c[0].data, c[1].data, (size_t)(m * n) * sizeof(float)),
                  "%s, %s: other bits of product %dx%dx%d, %s B", t->name, pk_compute_name(compute), (int)m, (int)n,
                  (int)k, transposed ? "transposed" : "plain");
    guarded_free(&a);
    guarded_free(&bias);
    guarded_free(&c[0]);
    guarded_free(&c[1]);
    free_stored(&s);
}

START_TEST(products_equal_those_of_a_float_copy)
{
    static const int64_t sizes[][3] = { { 1, 1, 1 }, { 3, 5, 7 }, { 61, 150, 300 }, { 830, 70, 20 }, { 830, 70, 9 },
                                        { 17, 200, 800 }, { 40, 1000, 70 }, { 33, 65, 1700 }, { 20, 97, 833 } };
    pk_pool *pool = aligned_alloc(PK_ALIGN, (pk_pool_bytes(3) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    ck_assert_int_eq(pk_pool_start(pool, 3), 3);
    EACH_TABLE(t)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int transposed = 0; transposed < 2; transposed++)
                for (int kind = PK_GEMM_OWN; kind <= PK_GEMM_CBLAS; kind++)
                    for (int compute = 0; compute < PK_COMPUTES; compute++) {
                        if (compute == PK_COMPUTE_INT8 && !transposed) continue;
                        check_product(t, NULL, (pk_gemm_kind)kind, (pk_compute)compute, sizes[i], transposed);
                        check_product(t, pool, (pk_gemm_kind)kind, (pk_compute)compute, sizes[i], transposed);
                    }
    pk_pool_stop(pool);
    free(pool);
}
END_TEST

/* Files may hold -128, which quantise does not store: values, and products in int8, have the bits of plain C. */
START_TEST(minus_128_is_a_number_as_any_other)
{
    enum { M = 20, N = 70, K = 833 };
    float of_plain_c[M * N];
    uint64_t seed = 5;
    guarded a = guarded_noise(M * K, &seed), c = guarded_make(M * N);
    for (int i = 0; i < 3 * K; i++) a.data[i] = i % K % 64 == 0;    /* all 127 when rotated: the sums are the largest */
    for (int plain = 1; plain >= 0; plain--)
        EACH_TABLE(t) {
            if (plain && strcmp(*name, "ref")) continue;
            stored s = make_stored(t, N, K);
            memset(s.bytes.data, 0x80, (size_t)(N / 2 * s.stride));
            t->dequantise(s.values.data, K, bytes_of(&s), s.scales.data, K, N, 0, K);
            for (int64_t i = 0; i < N; i++)
                for (int64_t j = 0; j < K; j++) ck_assert(s.values.data[i * K + j] == value_of(&s, i, j));
            const pk_gemm g = { .m = M, .n = N, .k = K, .compute = PK_COMPUTE_INT8, .a = a.data, .a_row = K, .a_col = 1,
                .b = s.bytes.data, .b_type = PK_I8, .b_scales = s.scales.data, .b_row = 1, .b_col = s.stride,
                .c = c.data, .c_row = N, .scale = 1 };
            run_gemm(t, NULL, PK_GEMM_OWN, &g);
            if (plain) memcpy(of_plain_c, c.data, sizeof of_plain_c);
            ck_assert_msg(!memcmp(of_plain_c, c.data, sizeof of_plain_c), "%s", *name);
            free_stored(&s);
        }
    guarded_free(&a);
    guarded_free(&c);
}
END_TEST

SUITE_MAIN("int8_weights", bytes_and_values_are_those_of_plain_c, zeros_and_values_that_are_not_finite,
           every_part_of_a_matrix_is_read, pieces_of_the_storage_are_those_of_every_int8_product,
           products_equal_those_of_a_float_copy, minus_128_is_a_number_as_any_other)
