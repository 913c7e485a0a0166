/* SPDX-License-Identifier: Apache-2.0
 * test_half_weights.c -- frozen weights of f16 and bf16: all 65536 bit patterns are converted exactly; packed panels
 * and products (also by CBLAS) have the bits of those of a float copy; floats are rounded to the nearest bf16; arrays
 * end at guard pages. */
#include <math.h>
#include "guarded.h"
#include "run_gemm.h"
#include "suite.h"

/* Loops over the kernel tables, one for each instruction set of this CPU, and over f16 and bf16.
 * The inner `for` runs once: it only declares t, or type. */
#define EACH_TABLE(t) for (const char *const *name = pk_isas(); *name; name++) \
    for (const pk_table *t = pk_find(*name); t; t = NULL)
static const pk_dtype halves[] = { PK_F16, PK_BF16 };
#define EACH_HALF(type) \
    for (int h_ = 0; h_ < 2; h_++) \
        for (pk_dtype type = halves[h_], *once_ = &type; once_; once_ = NULL)

/* n 16-bit numbers that end at a guard page. */
typedef struct half_array { guarded memory; uint16_t *data; } half_array;

static half_array half_make(int64_t n)
{
    half_array a = { .memory = guarded_make((n + 1) / 2) };
    a.data = (uint16_t *)(a.memory.data + a.memory.count) - n;
    return a;
}

/* The value of a bit pattern by the definition of the format. NaN gives the float NaN of the same sign whose highest
 * fraction bits are those of the half. */
static float value_of(pk_dtype type, uint16_t h)
{
    const int bits = type == PK_F16 ? 10 : 7, exponent_max = type == PK_F16 ? 31 : 255, bias = exponent_max / 2;
    const int exponent = h >> bits & exponent_max, fraction = h & ((1 << bits) - 1);
    const float sign = h & 0x8000 ? -1 : 1;
    if (exponent == exponent_max && fraction) {
        const uint32_t x = (uint32_t)(h & 0x8000) << 16 | 0x7F800000u | (uint32_t)fraction << (23 - bits);
        float f;
        memcpy(&f, &x, sizeof f);
        return f;
    }
    if (exponent == exponent_max) return sign * INFINITY;
    if (!exponent) return sign * (float)ldexp(fraction, 1 - bias - bits);
    return sign * (float)ldexp((1 << bits) + fraction, exponent - bias - bits);
}

/* Are the bits equal? A signalling NaN may have become a quiet one. */
static int same_bits(float got, float want)
{
    uint32_t x, y;
    memcpy(&x, &got, sizeof x);
    memcpy(&y, &want, sizeof y);
    const uint32_t quiet = 0x400000u;                                      /* the bit of a NaN that makes it quiet */
    return x == y || (isnan(want) && x == (y | quiet));
}

START_TEST(every_bit_pattern_is_converted_exactly)
{
    half_array all = half_make(65536);
    guarded out = guarded_make(65536);
    for (int i = 0; i < 65536; i++) all.data[i] = (uint16_t)i;
    EACH_TABLE(t) EACH_HALF(type) {
        memset(out.data, 0x55, 65536 * sizeof(float));
        t->widen[type](out.data, all.data, 65536);
        for (int i = 0; i < 65536; i++)
            ck_assert_msg(same_bits(out.data[i], value_of(type, (uint16_t)i)),
                          "%s, type %d: %04x became %a, expected %a",
                          *name, type, i, (double)out.data[i], (double)value_of(type, (uint16_t)i));
    }
    guarded_free(&out);
    guarded_free(&all.memory);
}
END_TEST

START_TEST(every_length_is_converted)
{
    EACH_TABLE(t) for (int64_t n = 0; n <= 70; n++) {
        uint64_t seed = (uint64_t)n;
        guarded real = guarded_noise(n, &seed), out = guarded_make(n);
        t->widen[PK_REAL](out.data, real.data, n);
        ck_assert(!memcmp(out.data, real.data, (size_t)n * sizeof(float)));
        EACH_HALF(type) {
            half_array a = half_make(n);
            for (int64_t i = 0; i < n; i++) a.data[i] = (uint16_t)(noise(&seed) * 32000);
            t->widen[type](out.data, a.data, n);
            for (int64_t i = 0; i < n; i++) ck_assert(same_bits(out.data[i], value_of(type, a.data[i])));
            guarded_free(&a.memory);
        }
        guarded_free(&real);
        guarded_free(&out);
    }
}
END_TEST

/* A matrix of finite halves, some of them subnormal, and its float copy; rows are `ld` elements apart. */
typedef struct matrix { half_array half; guarded real; } matrix;

/* A matrix of noise of this type. */
static matrix make_matrix(pk_dtype type, int64_t rows, int64_t cols, int64_t ld, uint64_t *seed)
{
    const int64_t n = rows && cols ? (rows - 1) * ld + cols : 0;
    matrix m = { half_make(n), guarded_make(n) };
    for (int64_t i = 0; i < n; i++) {
        /* magnitude: the bits without the sign, below those of infinity; every seventh number is subnormal or small */
        const int sign = noise(seed) < 0 ? 0x8000 : 0, magnitude = (int)(fabsf(noise(seed)) * 0x3FFF);
        m.half.data[i] = (uint16_t)(sign | (i % 7 ? magnitude : magnitude & 0x1FF));
        m.real.data[i] = value_of(type, m.half.data[i]);
    }
    return m;
}

static void free_matrix(matrix *m)
{
    guarded_free(&m->half.memory);
    guarded_free(&m->real);
}

/* The panels of B [k, n] packed from halves have the bits of those packed from the float copy. */
static void check_packing(const pk_table *t, pk_dtype type, int transposed, int64_t k, int64_t n, int64_t gap)
{
    uint64_t seed = (uint64_t)(1000 * k + n);
    const int64_t cols = transposed ? k : n, ld = cols + gap, panels = (n + t->nr - 1) / t->nr,
        count = panels * t->nr * k;
    matrix m = make_matrix(type, transposed ? n : k, cols, ld, &seed);
    guarded from_half = guarded_make(count), from_real = guarded_make(count);
    memset(from_half.data, 0x55, (size_t)count * sizeof(float));
    memset(from_real.data, 0xAA, (size_t)count * sizeof(float));
    const pk_product *p = &t->product[PK_COMPUTE_F32];
    p->pack_b[type](from_half.data, m.half.data, transposed ? 1 : ld, transposed ? ld : 1, k, n);
    p->pack_b[PK_REAL](from_real.data, m.real.data, transposed ? 1 : ld, transposed ? ld : 1, k, n);
    ck_assert_msg(!memcmp(from_half.data, from_real.data, (size_t)count * sizeof(float)),
                  "%s, type %d: other panels of %s B, %dx%d", t->name, type,
                  transposed ? "transposed" : "plain", (int)k, (int)n);
    guarded_free(&from_half);
    guarded_free(&from_real);
    free_matrix(&m);
}

START_TEST(packed_panels_equal_those_of_a_float_copy)
{
    EACH_TABLE(t) EACH_HALF(type)
        for (int transposed = 0; transposed < 2; transposed++)
            for (int64_t k = 1; k <= 35; k += k < 18 ? 1 : 5)
                for (int64_t n = 1; n <= 2 * t->nr + 1; n++) check_packing(t, type, transposed, k, n, n % 3);
}
END_TEST

static pk_pool *start(int threads)
{
    pk_pool *p = aligned_alloc(PK_ALIGN, (pk_pool_bytes(threads) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    ck_assert_int_eq(pk_pool_start(p, threads), threads);
    return p;
}

/* The product with half B has the bits of the product with its float copy. in_place: C is the residual too; CBLAS then
 * computes the product in strips of rows in work memory, because the epilogue still reads C. */
static void check_product(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, pk_compute compute, pk_dtype type,
                          const int64_t size[3], int transposed, int in_place)
{
    const int64_t m = size[0], n = size[1], k = size[2], ld = (transposed ? k : n) + 2;
    uint64_t seed = (uint64_t)(m + n + k);
    matrix b = make_matrix(type, transposed ? n : k, transposed ? k : n, ld, &seed);
    guarded a = guarded_noise(m * k, &seed), bias = guarded_noise(n, &seed), c[2];
    c[0] = guarded_noise(m * n, &seed);
    c[1] = guarded_make(m * n);
    memcpy(c[1].data, c[0].data, (size_t)(m * n) * sizeof(float));
    for (int i = 0; i < 2; i++) {
        const pk_gemm g = { .m = m, .n = n, .k = k, .compute = compute, .a = a.data, .a_row = k, .a_col = 1,
            .b = i ? (const void *)b.real.data : b.half.data, .b_type = i ? PK_REAL : type,
            .b_row = transposed ? 1 : ld, .b_col = transposed ? ld : 1, .c = c[i].data, .c_row = n, .scale = 1,
            .bias = bias.data, .act = PK_GELU, .residual = in_place ? c[i].data : NULL, .residual_row = n };
        run_gemm(t, pool, kind, &g);
    }
    ck_assert_msg(!memcmp(c[0].data, c[1].data, (size_t)(m * n) * sizeof(float)),
                  "%s, arithmetic %d, type %d: other bits of product %dx%dx%d, %s B",
                  t->name, compute, type, (int)m, (int)n, (int)k, transposed ? "transposed" : "plain");
    guarded_free(&a);
    guarded_free(&bias);
    guarded_free(&c[0]);
    guarded_free(&c[1]);
    free_matrix(&b);
}

START_TEST(products_equal_those_of_a_float_copy)
{
    static const int64_t sizes[][3] = { { 1, 1, 1 }, { 3, 5, 7 }, { 61, 150, 300 }, { 830, 70, 20 }, { 17, 200, 800 } };
    pk_pool *pool = start(3);
    EACH_TABLE(t) EACH_HALF(type)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int flags = 0; flags < 4; flags++)                        /* bit 0: transposed; bit 1: in place */
                for (int kind = PK_GEMM_OWN; kind <= PK_GEMM_CBLAS; kind++)
                    for (int compute = 0; compute < PK_COMPUTES; compute++) {
                        check_product(t, NULL, (pk_gemm_kind)kind, (pk_compute)compute, type, sizes[i], flags & 1,
                                      flags >> 1);
                        check_product(t, pool, (pk_gemm_kind)kind, (pk_compute)compute, type, sizes[i], flags & 1,
                                      flags >> 1);
                    }
    pk_pool_stop(pool);
    free(pool);
}
END_TEST

/* pk_weight_read returns a pointer into float weights; others it converts and copies. */
START_TEST(weight_read_converts)
{
    enum { ROWS = 5, COLS = 7, N = ROWS * COLS };
    uint64_t seed = 3;
    EACH_TABLE(t) EACH_HALF(type) {
        matrix m = make_matrix(type, ROWS, COLS, COLS, &seed);
        const float *const no_scales = NULL;
        const pk_weight real = { PK_REAL, ROWS, COLS, no_scales, m.real.data };
        const pk_weight half = { type, ROWS, COLS, no_scales, m.half.data };
        for (int64_t first = 0; first < N; first++)
            for (int64_t n = 0; n <= N - first; n++) {
                guarded buffer = guarded_make(n);
                ck_assert_ptr_eq(pk_weight_read(t, &real, first, n, NULL), m.real.data + first);
                ck_assert_ptr_eq(pk_weight_read(t, &half, first, n, buffer.data), buffer.data);
                ck_assert(!memcmp(buffer.data, m.real.data + first, (size_t)n * sizeof(float)));
                guarded_free(&buffer);
            }
        free_matrix(&m);
    }
}
END_TEST

/* The bf16 nearest to the float with these bits: of two at the same distance the one whose last bit is 0; 0 for a
 * subnormal number. */
static uint16_t nearest_bf16(uint32_t bits)
{
    const uint16_t below = (uint16_t)(bits >> 16), above = (uint16_t)(below + 1);
    float f;
    memcpy(&f, &bits, sizeof f);
    if (isnan(f)) return below | 0x40;
    if (fabsf(f) < 0x1p-126f) return below & 0x8000;
    /* the number above the largest one would be 2^128; infinity stands for it */
    const double low = value_of(PK_BF16, below), high = isinf(f) ? low : copysign((below & 0x7FFF) == 0x7F7F ? 0x1p128 :
                                                     fabs((double)value_of(PK_BF16, above)), (double)f);
    const double to_low = fabs(f - low), to_high = fabs(high - f);
    return isinf(f) || to_low < to_high || (!(to_high < to_low) && !(below & 1)) ? below : above;
}

/* Every upper half of a float with lower halves around those at which the rounding changes. */
START_TEST(numbers_are_rounded_to_the_nearest)
{
    static const uint16_t lower[] = { 0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF };
    guarded x = guarded_make(65536);
    half_array out = half_make(65536);
    EACH_TABLE(t) for (size_t k = 0; k < sizeof lower / sizeof *lower; k++) {
        for (uint32_t i = 0; i < 65536; i++) {
            const uint32_t bits = i << 16 | lower[k];
            memcpy(x.data + i, &bits, sizeof bits);
        }
        t->narrow(out.data, x.data, 65536);
        for (uint32_t i = 0; i < 65536; i++)
            ck_assert_msg(out.data[i] == nearest_bf16(i << 16 | lower[k]), "%s: %04x%04x became %04x, expected %04x",
                          *name, i, lower[k], out.data[i], nearest_bf16(i << 16 | lower[k]));
    }
    guarded_free(&x);
    guarded_free(&out.memory);
}
END_TEST

START_TEST(every_length_is_rounded)
{
    EACH_TABLE(t) for (int64_t n = 0; n <= 70; n++) {
        uint64_t seed = (uint64_t)n;
        guarded x = guarded_noise(n, &seed);
        half_array out = half_make(n);
        t->narrow(out.data, x.data, n);
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, x.data + i, sizeof bits);
            ck_assert_uint_eq(out.data[i], nearest_bf16(bits));
        }
        guarded_free(&x);
        guarded_free(&out.memory);
    }
}
END_TEST

SUITE_MAIN("half_weights", numbers_are_rounded_to_the_nearest, every_length_is_rounded,
           every_bit_pattern_is_converted_exactly, every_length_is_converted,
           packed_panels_equal_those_of_a_float_copy, products_equal_those_of_a_float_copy,
           weight_read_converts)
