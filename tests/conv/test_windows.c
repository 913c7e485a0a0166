/* SPDX-License-Identifier: Apache-2.0
 * test_windows.c -- products with windows of maps (pk_windows): the library's own has the bits of the product with the
 * windows stored as a matrix, in every arithmetic, on every instruction set and any number of threads; the BLAS comes
 * near. Maps end at guard pages. */
#include "kernels/gemm_problem.h"

/* Products of `maps` maps with windows of kh x kw taps: as A of n columns of B, or as B of n rows of A. */
typedef struct { int64_t maps; pk_windows w; int64_t n; } shape;
static const shape shapes[] = {
    { 1, { 1, 1, 3, 3, 3 }, 5 }, { 2, { 1, 9, 2, 3, 3 }, 7 }, { 3, { 6, 1, 5, 5, 5 }, 1 }, { 1, { 4, 5, 1, 3, 3 }, 33 },
    { 2, { 7, 3, 4, 1, 5 }, 3 }, { 1, { 3, 8, 19, 3, 1 }, 40 }, { 2, { 2, 2, 70, 5, 5 }, 9 },
    { 2, { 23, 21, 24, 3, 3 }, 37 }, { 1, { 40, 33, 65, 3, 3 }, 35 } };
enum { SHAPES = sizeof shapes / sizeof *shapes, POOLS = 3 };
static const int threads[POOLS] = { 1, 2, 3 };

/* The windows as a matrix, tap by tap. */
static guarded stored(const shape *s, const float *maps, int64_t pixel)
{
    const pk_windows *w = &s->w;
    const int64_t pixels = s->maps * w->height * w->width, columns = w->kh * w->kw * w->channels;
    guarded m = guarded_make(pixels * columns);
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t j = 0; j < columns; j++) {
            const int64_t tap = j / w->channels, y = i / w->width % w->height + tap / w->kw - w->kh / 2;
            const int64_t x = i % w->width + tap % w->kw - w->kw / 2;
            const bool inside = y >= 0 && y < w->height && x >= 0 && x < w->width;
            const int64_t map = i / (w->height * w->width), source = (map * w->height + y) * w->width + x;
            m.data[i * columns + j] = inside ? maps[source * pixel + j % w->channels] : 0;
        }
    return m;
}

/* A product: maps with a gap between pixels, the other factor, the windows stored as a matrix, C, and the C of the
 * stored matrix. */
typedef struct { guarded maps, other, matrix, c, expected, bias; pk_gemm with_windows, plain; } test;

static test test_make(const shape *s, bool of_a)
{
    uint64_t seed = (uint64_t)(s->maps + 10 * s->w.channels + s->n);
    const int64_t pixels = s->maps * s->w.height * s->w.width, columns = s->w.kh * s->w.kw * s->w.channels;
    const int64_t pixel = s->w.channels + GAP, m = of_a ? pixels : s->n, n = of_a ? s->n : columns;
    test t = { .maps = guarded_noise((pixels - 1) * pixel + s->w.channels, &seed),
               .other = guarded_noise(s->n * (of_a ? columns : pixels), &seed), .c = guarded_make(m * n),
               .expected = guarded_make(m * n), .bias = guarded_noise(n, &seed) };
    t.matrix = stored(s, t.maps.data, pixel);
    t.plain = (pk_gemm){ .m = m, .n = n, .k = of_a ? columns : pixels, .compute = arithmetic, .scale = 1, .c_row = n };
    t.plain.c = t.expected.data;
    if (of_a) {
        t.plain.a = t.matrix.data, t.plain.a_row = columns, t.plain.a_col = 1;
        t.plain.b = t.other.data, t.plain.b_row = 1, t.plain.b_col = columns;
        t.plain.bias = t.bias.data;
    } else {
        t.plain.a = t.other.data, t.plain.a_row = 1, t.plain.a_col = s->n;
        t.plain.b = t.matrix.data, t.plain.b_row = columns, t.plain.b_col = 1;
    }
    t.with_windows = t.plain;
    t.with_windows.c = t.c.data;
    if (of_a) t.with_windows.a = t.maps.data, t.with_windows.a_row = pixel, t.with_windows.a_windows = s->w;
    else t.with_windows.b = t.maps.data, t.with_windows.b_row = pixel, t.with_windows.b_windows = s->w;
    return t;
}

static void test_free(test *t)
{
    guarded *all[] = { &t->maps, &t->other, &t->matrix, &t->c, &t->expected, &t->bias };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
}

static void check_bits(const test *t, const char *isa, size_t shape, bool of_a, int thread_count)
{
    for (int64_t i = 0; i < t->c.count; i++)
        ck_assert_msg(!memcmp(t->c.data + i, t->expected.data + i, sizeof(float)),
                      "%s %s, shape %zu, %s, %d threads: element %d is %a, expected %a", isa,
                      pk_compute_name(arithmetic), shape, of_a ? "A" : "B", thread_count, (int)i, t->c.data[i],
                      t->expected.data[i]);
}

START_TEST(windows_give_the_bits_of_a_stored_matrix)
{
    pk_pool *pools[POOLS];
    for (int i = 0; i < POOLS; i++) pools[i] = start(threads[i]);
    EACH_PRODUCT(table)
        for (size_t s = 0; s < SHAPES; s++)
            for (int of_a = 0; of_a < 2; of_a++) {
                test t = test_make(&shapes[s], of_a);
                run_gemm(table, NULL, PK_GEMM_OWN, &t.plain);
                for (int i = 0; i < POOLS; i++) {
                    memset(t.c.data, 0xff, (size_t)t.c.count * sizeof(float));
                    run_gemm(table, pools[i], PK_GEMM_OWN, &t.with_windows);
                    check_bits(&t, table->name, s, of_a, threads[i]);
                }
                test_free(&t);
            }
    for (int i = 0; i < POOLS; i++) stop(pools[i]);
}
END_TEST

/* Windows of maps of bf16 have the bits of those of a float copy. */
START_TEST(windows_of_bf16)
{
    EACH_PRODUCT(table)
        for (size_t s = 0; s < SHAPES; s++)
            for (int kind = 0; kind < 2; kind++) {
                if (kind && pk_gemm_chosen(table, PK_GEMM_CBLAS, arithmetic) != PK_GEMM_CBLAS) continue;
                const pk_gemm_kind product = kind ? PK_GEMM_CBLAS : PK_GEMM_OWN;
                test t = test_make(&shapes[s], false);
                guarded half = guarded_make((t.maps.count + 1) / 2);
                uint16_t *data = (uint16_t *)(half.data + half.count) - t.maps.count;
                table->narrow(data, t.maps.data, t.maps.count);
                table->widen[PK_BF16](t.maps.data, data, t.maps.count);
                pk_gemm wide = t.with_windows;
                wide.c = t.expected.data;
                run_gemm(table, NULL, product, &wide);
                t.with_windows.b = data;
                t.with_windows.b_type = PK_BF16;
                run_gemm(table, NULL, product, &t.with_windows);
                check_bits(&t, table->name, s, false, 1);
                guarded_free(&half);
                test_free(&t);
            }
}
END_TEST

START_TEST(windows_by_cblas)
{
    pk_pool *pool = start(2);
    const pk_table *table = pk_find(NULL);
    if (pk_blas_load()) printf("no BLAS: %s\n", pk_blas_load());
    for (size_t s = 0; s < SHAPES && !pk_blas_load(); s++)
        for (int of_a = 0; of_a < 2; of_a++) {
            test t = test_make(&shapes[s], of_a);
            run_gemm(table, NULL, PK_GEMM_OWN, &t.plain);
            run_gemm(table, pool, PK_GEMM_CBLAS, &t.with_windows);
            const double bound = 2e-6 * (double)(t.plain.k + 1);                   /* every product is below 1 */
            for (int64_t i = 0; i < t.c.count; i++)
                ck_assert_msg(fabs(t.c.data[i] - t.expected.data[i]) < bound, "shape %zu, %s: element %d is %g, not %g",
                              s, of_a ? "A" : "B", (int)i, t.c.data[i], t.expected.data[i]);
            test_free(&t);
        }
    stop(pool);
}
END_TEST

SUITE_MAIN("products with windows of maps", windows_give_the_bits_of_a_stored_matrix, windows_of_bf16, windows_by_cblas)
