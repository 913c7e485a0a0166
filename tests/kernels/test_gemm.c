/* SPDX-License-Identifier: Apache-2.0
 * test_gemm.c -- the matrix products of every instruction set and arithmetic, and of CBLAS, against a triple loop in
 * double: all layouts, sizes around the blocks, every step of the epilogue, NaN, guard pages; the same bits for any
 * number of threads and any part of the result. */
#include "gemm_problem.h"

/* m up to twice the rows (mr) of the micro-kernel's tile, n up to twice its columns (nr): every n for m = mr and m = 3,
 * else every 5th to 7th, which saves time. With PARTIAL each m has one of the layouts. */
START_TEST(sizes_around_the_micro_kernel)
{
    EACH_PRODUCT(t) {
        const int64_t ks[] = { 1, 2, 7, 16, 19, 33 };
        for (int64_t m = 1; m <= 2 * mr_of(t); m++)
            for (int layout = PARTIAL ? (int)m % LAYOUTS : 0; layout < LAYOUTS; layout += partial_step(LAYOUTS))
                for (int64_t n = 1; n <= 2 * t->nr; n += m == mr_of(t) || m == 3 ? 1 : 5 + m % 3)
                    check_product(t, NULL, PK_GEMM_OWN, m, n, ks[(m + n) % 6], layout, NO_EPILOGUE, PK_NONE, PK_NONE);
    }
}
END_TEST

/* k around one and two blocks (kc), many rows, many columns. */
START_TEST(products_of_several_blocks)
{
    EACH_PRODUCT(t) {
        const int64_t kc = piece_of(t);
        const int64_t ks[] = { kc - 1, kc, kc + 1, 2 * kc, 2 * kc + 17 };
        for (int layout = 0; layout < LAYOUTS; layout++) {
            for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
                check_product(t, NULL, PK_GEMM_OWN, mr_of(t) + 3, t->nr + 5, ks[i], layout, BIAS, PK_NONE, PK_NONE);
            check_product(t, NULL, PK_GEMM_OWN, 1000, t->nr + 1, 9, layout, BIAS, PK_NONE, PK_NONE);
            check_product(t, NULL, PK_GEMM_OWN, mr_of(t) + 1, 6 * t->nr + 1, kc + 9, layout, BIAS, PK_NONE, PK_NONE);
        }
    }
}
END_TEST

START_TEST(every_epilogue)
{
    pk_pool *pool = start(2);
    EACH_PRODUCT(t) {
        const int64_t m = mr_of(t) + 2, n = t->nr + 9, kc = piece_of(t);
        for (int epilogue = 0; epilogue < EPILOGUES; epilogue += partial_step(5)) {
            const pk_act act = (pk_act)(epilogue % ACTIVATIONS);
            const pk_act gate_act = (pk_act)(epilogue / ACTIVATIONS % ACTIVATIONS);
            check_product(t, pool, PK_GEMM_OWN, m, n, 5, ROWS, epilogue, PK_NONE, gate_act);
            check_product(t, pool, PK_GEMM_OWN, m, n, kc + 1, B_TRANSPOSED, epilogue, act, gate_act);
            check_product(t, pool, PK_GEMM_CBLAS, m, n, 5, epilogue % LAYOUTS, epilogue, act, gate_act);
        }
        for (int a = 0; a < ACTIVATIONS; a++)
            check_product(t, pool, PK_GEMM_AUTO, 19, 2 * t->nr, 8, ROWS, BIAS | PRE | GATE, (pk_act)a, (pk_act)a);
    }
    stop(pool);
}
END_TEST

/* The values of x, which are bf16, in 16 bits each; they end at a guard page. */
static uint16_t *halves_of(const guarded *x, guarded *memory)
{
    *memory = guarded_make((x->count + 1) / 2);
    uint16_t *half = (uint16_t *)(void *)(memory->data + memory->count) - x->count;
    for (int64_t i = 0; i < x->count; i++) half[i] = pk_to_bf16(x->data[i]);
    return half;
}

/* With pre and gate in bf16 a product has the bits of one with the same gate in float, and pre those of it rounded. */
static void check_halves(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, int64_t k, int layout, int epilogue,
                         pk_act act)
{
    const int64_t m = mr_of(t) + 2, n = t->nr + 9;
    problem p = problem_make(m, n, k, layout, epilogue, act, act);
    guarded pre_memory, gate_memory, c = p.c;
    for (int64_t i = 0; i < p.gate.count; i++) {
        p.gate.data[i] = pk_round_bf16(p.gate.data[i]);
        p.pre.data[i] = pk_round_bf16(p.pre.data[i]);            /* for the gaps, which stay as they are */
    }
    uint16_t *pre = halves_of(&p.pre, &pre_memory), *gate = halves_of(&p.gate, &gate_memory);
    run_gemm(t, pool, kind, &p.g);
    p.c = guarded_make(c.count);
    memcpy(p.c.data, p.before.data, (size_t)c.count * sizeof(float));
    p.g.c = p.c.data;
    if (epilogue & IN_PLACE) p.g.residual = p.c.data;
    p.g.pre_type = p.g.gate_type = PK_BF16;
    if (epilogue & PRE) p.g.pre = pre;
    if (epilogue & GATE) p.g.gate = gate;
    run_gemm(t, pool, kind, &p.g);
    ck_assert_mem_eq(p.c.data, c.data, (size_t)c.count * sizeof(float));
    for (int64_t i = 0; i < p.pre.count; i++) ck_assert_uint_eq(pre[i], pk_to_bf16(p.pre.data[i]));
    guarded_free(&c);
    guarded_free(&pre_memory);
    guarded_free(&gate_memory);
    problem_free(&p);
}

START_TEST(pre_and_gate_in_bf16)
{
    pk_pool *pool = start(2);
    EACH_PRODUCT(t) for (int epilogue = 0; epilogue < EPILOGUES; epilogue += partial_step(5)) {
        if (!(epilogue & (PRE | GATE))) continue;
        const pk_act act = (pk_act)(epilogue / PRE % ACTIVATIONS);
        check_halves(t, pool, PK_GEMM_OWN, 5, ROWS, epilogue, act);
        check_halves(t, NULL, PK_GEMM_OWN, piece_of(t) + 1, B_TRANSPOSED, epilogue, act);
        check_halves(t, pool, PK_GEMM_CBLAS, 5, epilogue % LAYOUTS, epilogue, act);
    }
    stop(pool);
}
END_TEST

START_TEST(cblas_products_in_every_layout)
{
    pk_pool *pool = start(2);
    EACH_TABLE(t) {
        for (int layout = 0; layout < LAYOUTS; layout++) {
            const int64_t sizes[][3] = { { 1, 1, 1 }, { 1, 40, 9 }, { 40, 1, 9 }, { 17, 33, 1 }, { 600, 20, 11 } };
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                const int64_t *s = sizes[i];
                check_product(t, pool, PK_GEMM_CBLAS, s[0], s[1], s[2], layout, NO_EPILOGUE, PK_NONE, PK_NONE);
                check_product(t, pool, PK_GEMM_CBLAS, s[0], s[1], s[2], layout,
                              SCALE | ACCUMULATE | IN_PLACE | PRE | GATE, PK_TANH, PK_GELU);
            }
        }
    }
    stop(pool);
}
END_TEST

START_TEST(empty_extents)
{
    EACH_PRODUCT(t) {
        for (int kind = PK_GEMM_OWN; kind <= PK_GEMM_CBLAS; kind++) {
            check_product(t, NULL, kind, 7, 37, 0, ROWS, BIAS | ACCUMULATE | GAMMA, PK_TANH, PK_NONE);
            check_product(t, NULL, kind, 0, 37, 5, ROWS, BIAS, PK_NONE, PK_NONE);
            check_product(t, NULL, kind, 7, 0, 5, ROWS, NO_EPILOGUE, PK_NONE, PK_NONE);
        }
    }
}
END_TEST

/* NaN in A reaches its row of C, infinity in B its column, and nothing else. Infinity becomes NaN in int8, and also in
 * bf16x3, where the two parts of an element of A may have other signs. */
START_TEST(nan_and_infinity_stay_in_their_row_or_column)
{
    EACH_PRODUCT(t) {
        for (int layout = 0; layout < LAYOUTS; layout++) {
            const int64_t m = 2 * mr_of(t) + 1, n = t->nr + 3, k = 21, row = mr_of(t), column = t->nr - 1;
            problem p = problem_make(m, n, k, layout, NO_EPILOGUE, PK_NONE, PK_NONE);
            p.a.data[row * p.g.a_row + 4 * p.g.a_col] = NAN;
            p.b.data[20 * p.g.b_row + column * p.g.b_col] = INFINITY;
            run_gemm(t, NULL, PK_GEMM_OWN, &p.g);
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    float x = p.c.data[i * p.g.c_row + j];
                    const int may_be_nan = arithmetic == PK_COMPUTE_INT8 || arithmetic == PK_COMPUTE_BF16X3;
                    const int infinite = isinf(x) || (isnan(x) && may_be_nan);
                    ck_assert_msg(i == row ? isnan(x) : j == column ? infinite : isfinite(x), "%s [%d,%d] is %g",
                                  t->name, (int)i, (int)j, x);
                }
            problem_free(&p);
        }
    }
}
END_TEST

/* C of p has the bits of the submatrix of `whole` that begins at row i0, column j0. */
static void check_submatrix(const pk_table *t, const problem *p, const float *whole, int64_t i0, int64_t j0)
{
    for (int64_t i = 0; i < p->g.m; i++) {
        const float *part = p->g.c + i * p->g.c_row, *same = whole + (i0 + i) * p->g.c_row + j0;
        ck_assert_msg(!memcmp(part, same, (size_t)p->g.n * sizeof(float)),
                      "%s: row %d of the part from %d,%d on has other bits than the whole", t->name, (int)i, (int)i0,
                          (int)j0);
    }
}

/* The bits of an element of C depend neither on the number of threads nor on which rows and columns are computed. */
START_TEST(threads_and_submatrices_change_no_bit)
{
    const int64_t sizes[][3] = { { 61, 150, 800 }, { 830, 70, 20 }, { 3, 520, 60 }, { 300, 5, 400 },
                                 /* thin.c, which leaves parts of few rows or columns to gemm.c */
                                 { 100, 170, 8 }, { 830, 130, 16 },
                                 /* several blocks; the pools' threads form groups of one to four (gemm.c) */
                                 { 1500, 170, 600 }, { 900, 100, 500 } };
    static const int layouts[] = { ROWS, A_TRANSPOSED, B_TRANSPOSED, A_TRANSPOSED | B_TRANSPOSED, ROWS,
                                   B_TRANSPOSED, B_TRANSPOSED,
                                   A_TRANSPOSED | B_TRANSPOSED };          /* of each size */
    const int threads[] = { 2, 3, 8 };
    pk_pool *pools[3];
    for (int i = 0; i < 3; i++) pools[i] = start(threads[i]);
    EACH_PRODUCT(t) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            problem p = problem_make(sizes[s][0], sizes[s][1], sizes[s][2], layouts[s],
                                     BIAS | GATE | GAMMA | RESIDUAL | SCALE, PK_GELU, PK_SILU);
            run_gemm(t, NULL, PK_GEMM_OWN, &p.g);
            guarded whole = p.c;
            p.c = guarded_make(whole.count);
            p.g.c = p.c.data;
            for (int i = 0; i < 3; i++) {
                memset(p.c.data, 0, (size_t)p.c.count * sizeof(float));
                run_gemm(t, pools[i], PK_GEMM_OWN, &p.g);
                check_submatrix(t, &p, whole.data, 0, 0);
            }
            const int64_t i0 = p.m / 3, j0 = p.n / 3, offset = i0 * p.g.c_row + j0;
            p.g.a += i0 * p.g.a_row;
            p.g.b = (const float *)p.g.b + j0 * p.g.b_col;
            p.g.bias += j0;
            p.g.gamma += j0;
            p.g.gate = (const float *)p.g.gate + offset;
            p.g.residual += offset;
            for (int64_t step = 0; step < 3; step++) {
                p.g.m = p.m - i0 - step * (p.m / 5);
                p.g.n = p.n - j0 - step * (p.n / 5);
                run_gemm(t, step ? pools[step] : NULL, PK_GEMM_OWN, &p.g);
                check_submatrix(t, &p, whole.data, i0, j0);
            }
            guarded_free(&whole);
            problem_free(&p);
        }
    }
    for (int i = 0; i < 3; i++) stop(pools[i]);
}
END_TEST

/* The sums of int8 are exact in a piece of K, so that every instruction set computes the same bits. */
START_TEST(int8_has_the_same_bits_on_every_instruction_set)
{
    static const int64_t sizes[][3] = { { 31, 70, 5 }, { 33, 40, 1700 }, { 5, 9, 768 } };
    arithmetic = PK_COMPUTE_INT8;
    for (int layout = 0; layout < LAYOUTS; layout++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            problem want = problem_make(sizes[s][0], sizes[s][1], sizes[s][2], layout, NO_EPILOGUE, PK_NONE, PK_NONE);
            run_gemm(pk_find("ref"), NULL, PK_GEMM_OWN, &want.g);
            EACH_TABLE(t) {
                problem p = problem_make(sizes[s][0], sizes[s][1], sizes[s][2], layout, NO_EPILOGUE, PK_NONE, PK_NONE);
                run_gemm(t, NULL, PK_GEMM_OWN, &p.g);
                check_submatrix(t, &p, want.c.data, 0, 0);
                problem_free(&p);
            }
            problem_free(&want);
        }
    arithmetic = PK_COMPUTE_F32;
}
END_TEST

/* Rows of zeros and of numbers whose scale would have no finite reciprocal become 0; a row of the smallest numbers that
 * count is computed. */
START_TEST(small_numbers_in_int8)
{
    static const float rows[] = { 0, 1e-40f, 0x1.fp-101f, 0x1p-100f, 0x1p+100f };
    enum { M = sizeof rows / sizeof *rows, K = 5 };
    EACH_TABLE(t) {
        float a[M * K] = { 0 }, b[K] = { 1 }, c[M];                /* rotated, an element alone is equal in its block */
        for (int i = 0; i < M; i++) a[i * K] = rows[i];
        const pk_gemm g = { .m = M, .n = 1, .k = K, .compute = PK_COMPUTE_INT8, .a = a, .a_row = K, .a_col = 1, .b = b,
                            .b_row = 1, .b_col = K, .c = c, .c_row = 1, .scale = 1 };
        run_gemm(t, NULL, PK_GEMM_OWN, &g);
        for (int i = 0; i < M; i++) {
            const double want = rows[i] < 0x1p-100f ? 0 : rows[i];
            ck_assert_msg(fabs(c[i] - want) <= 1e-6 * want, "%s: row of %a is %a", t->name, rows[i], c[i]);
        }
    }
}
END_TEST

/* Products of a small k and many rows, which thin.c computes for k up to 16 (in bf16 up to 32). */
START_TEST(products_of_a_small_k)
{
    static const int64_t ks[] = { 1, 2, 7, 8, 16, 17, 32, 33 };
    static const int epilogues[] = { NO_EPILOGUE, SCALE | IN_PLACE, SCALE | RESIDUAL | GAMMA, BIAS | ACCUMULATE,
                                     BIAS | PRE | GATE | SLOPES | RESIDUAL };
    const int count = sizeof epilogues / sizeof *epilogues;
    pk_pool *pool = start(3);
    EACH_PRODUCT(t)
        for (int i = 0; i < count * LAYOUTS * 8; i += partial_step(3))
            check_product(t, i % 2 ? pool : NULL, PK_GEMM_OWN, 9 * mr_of(t) + 3, (1 + i % 3) * t->nr + 1 + i % 7,
                          ks[i / count / LAYOUTS], i / count % LAYOUTS, epilogues[i % count],
                          epilogues[i % count] & PRE ? PK_TANH : PK_NONE, PK_GELU);
    stop(pool);
}
END_TEST

/* Ties go to the even neighbour; a carry may reach the exponent, up to infinity; subnormal numbers become 0 with their
 * sign. */
START_TEST(numbers_are_rounded_to_bf16)
{
    static const struct { uint32_t from, to; } rows[] = {
        { 0x3F800000, 0x3F800000 }, { 0x3F808000, 0x3F800000 }, { 0x3F818000, 0x3F820000 }, { 0x3F808001, 0x3F810000 },
        { 0x3F807FFF, 0x3F800000 }, { 0xBFFF8000, 0xC0000000 }, { 0x7F7F8000, 0x7F800000 }, { 0x7F7F7FFF, 0x7F7F0000 },
        { 0xFF800000, 0xFF800000 }, { 0x007FFFFF, 0x00000000 }, { 0x80000001, 0x80000000 }, { 0x00800000, 0x00800000 },
        { 0x7F800001, 0x7FC00000 }, { 0xFFC12345, 0xFFC10000 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float x = pk_round_bf16(pk_float_of(rows[i].from));
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        ck_assert_msg(bits == rows[i].to, "%08x became %08x, expected %08x", rows[i].from, bits, rows[i].to);
    }
}
END_TEST

SUITE_MAIN("gemm", numbers_are_rounded_to_bf16, sizes_around_the_micro_kernel, products_of_several_blocks,
           every_epilogue, pre_and_gate_in_bf16, cblas_products_in_every_layout, empty_extents,
           nan_and_infinity_stay_in_their_row_or_column,
           threads_and_submatrices_change_no_bit, products_of_a_small_k,
           int8_has_the_same_bits_on_every_instruction_set, small_numbers_in_int8)
