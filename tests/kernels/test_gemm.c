/* SPDX-License-Identifier: Apache-2.0
 * test_gemm.c -- the matrix products of every instruction set and arithmetic, and of CBLAS, against a triple loop in
 * double: all layouts, sizes around the blocks, every step of the epilogue, NaN, guard pages; the same bits for any
 * number of threads and any part of the result. */
#include <math.h>
#include "guarded.h"
#include "kernels/pk.h"
#include "kernels/ref/half.h"
#include "suite.h"

/* Steps of the epilogue (what is done to the product before it is stored), as bits. SCALE: factor of the product.
 * ACCUMULATE: the old C is added. BIAS: one number a column is added. PRE: the values before the activation are stored
 * (with SLOPES the activation's derivative there).
 * GATE: factors from a matrix, the derivative of gate_act at its elements (with SLOPES the elements themselves). GAMMA:
 * factor of each column. RESIDUAL: a matrix is added; IN_PLACE: that matrix is the old C.
 * EPILOGUES: number of combinations. */
enum { NO_EPILOGUE = 0, SCALE = 1, ACCUMULATE = 2, BIAS = 4, PRE = 8, GATE = 16, GAMMA = 32, RESIDUAL = 64,
       IN_PLACE = 128, SLOPES = 256, EPILOGUES = 512 };
/* Layouts, as bits: the columns of A or B are contiguous. ROWS: the rows of both are. LAYOUTS: number of layouts. */
enum { ROWS = 0, A_TRANSPOSED = 1, B_TRANSPOSED = 2, LAYOUTS = 4 };
enum { ACTIVATIONS = PK_GELU_TANH + 1 };
enum { GAP = 3 };                           /* unused elements after each row of a matrix but the last */

static pk_compute arithmetic;               /* of the products that problem_make makes; set by EACH_PRODUCT */

typedef struct problem {
    int64_t m, n, k;
    int a_transposed, b_transposed;
    int epilogue;                           /* bits SCALE .. SLOPES */
    pk_act act, gate_act;
    guarded a, b, c, bias, pre, gate, gamma, residual, before;      /* before: a copy of C's input */
    pk_gemm g;
} problem;

/* A matrix of noise whose rows are ld elements apart. */
static guarded matrix(int64_t rows, int64_t cols, int64_t ld, uint64_t *seed)
{
    return guarded_noise(rows && cols ? (rows - 1) * ld + cols : 0, seed);
}

/* C [m, n] = A [m, k] B [k, n] with matrices of noise; layout, epilogue: bits of the enums above. */
static problem problem_make(int64_t m, int64_t n, int64_t k, int layout, int epilogue, pk_act act, pk_act gate_act)
{
    uint64_t seed = (uint64_t)(m * 1000003 + n * 1009 + k + epilogue);
    problem p = { .m = m, .n = n, .k = k, .a_transposed = layout & A_TRANSPOSED,
                  .b_transposed = !!(layout & B_TRANSPOSED), .epilogue = epilogue, .act = act, .gate_act = gate_act };
    const int64_t lda = (p.a_transposed ? m : k) + GAP, ldb = (p.b_transposed ? k : n) + GAP, ld = n + GAP;
    p.a = p.a_transposed ? matrix(k, m, lda, &seed) : matrix(m, k, lda, &seed);
    p.b = p.b_transposed ? matrix(n, k, ldb, &seed) : matrix(k, n, ldb, &seed);
    p.c = matrix(m, n, ld, &seed);
    p.before = guarded_make(p.c.count);
    memcpy(p.before.data, p.c.data, (size_t)p.c.count * sizeof(float));
    p.bias = guarded_noise(n, &seed);
    p.gamma = guarded_noise(n, &seed);
    p.pre = matrix(m, n, ld, &seed);
    p.gate = matrix(m, n, ld, &seed);
    p.residual = matrix(m, n, ld, &seed);
    p.g = (pk_gemm){ .m = m, .n = n, .k = k, .compute = arithmetic, .a = p.a.data, .b = p.b.data, .c = p.c.data,
        .c_row = ld,
        .a_row = p.a_transposed ? 1 : lda, .a_col = p.a_transposed ? lda : 1,
        .b_row = p.b_transposed ? 1 : ldb, .b_col = p.b_transposed ? ldb : 1,
        .scale = epilogue & SCALE ? -0.75f : 1, .accumulate = !!(epilogue & ACCUMULATE),
        .slopes = !!(epilogue & SLOPES), .act = act, .gate_act = gate_act,
        .bias = epilogue & BIAS ? p.bias.data : NULL, .gamma = epilogue & GAMMA ? p.gamma.data : NULL,
        .pre = epilogue & PRE ? p.pre.data : NULL, .pre_row = ld, .gate = epilogue & GATE ? p.gate.data : NULL,
        .gate_row = ld, .residual_row = ld,
        .residual = epilogue & IN_PLACE ? p.c.data : epilogue & RESIDUAL ? p.residual.data : NULL };
    return p;
}

static void problem_free(problem *p)
{
    guarded *all[] = { &p->a, &p->b, &p->c, &p->before, &p->bias, &p->gamma, &p->pre, &p->gate, &p->residual };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) guarded_free(all[i]);
}

/* Computes the product with exactly the work memory that it asks for. */
static void run_gemm(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, const pk_gemm *g)
{
    size_t bytes = pk_gemm_work(t, g->compute, g->m, g->n, g->k, pk_pool_threads(pool));
    ck_assert_uint_eq(bytes % PK_ALIGN, 0);
    void *work = aligned_alloc(PK_ALIGN, bytes + PK_ALIGN);
    memset(work, 0xff, bytes + PK_ALIGN);                                  /* NaN; the bytes beyond the end must stay */
    pk_gemm_run(t, pool, kind, g, work);
    for (size_t i = bytes; i < bytes + PK_ALIGN; i++) ck_assert_uint_eq(((unsigned char *)work)[i], 0xff);
    free(work);
}

/* --- the reference in double ---------------------------------------------------------------------------------*/
/* The activation `kind` of x. */
static double act(pk_act kind, double x)
{
    switch (kind) {
    case PK_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case PK_QUICKGELU: return x / (1 + exp(-1.702 * x));
    case PK_RELU: return x > 0 ? x : 0;
    case PK_TANH: return tanh(x);
    case PK_SIGMOID: return 1 / (1 + exp(-x));
    case PK_SILU: return x / (1 + exp(-x));
    case PK_EXP: return exp(x);
    case PK_GELU_TANH: return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    default: return x;
    }
}

/* The derivative of act: exact, or by central differences. */
static double slope(pk_act kind, double x)
{
    if (kind == PK_NONE) return 1;
    if (kind == PK_RELU) return x > 0;
    if (kind == PK_EXP) return exp(x);
    return (act(kind, x + 1e-6) - act(kind, x - 1e-6)) / 2e-6;
}

/* The factor that the arithmetic makes of an element of A or B. */
static double factor(float x) { return arithmetic == PK_COMPUTE_BF16 ? pk_round_bf16(x) : x; }

/* Compares C (and the stored pre-activations) with the reference; elements in the gaps must be unchanged. */
static void check_result(const problem *p, const char *variant)
{
    const pk_gemm *g = &p->g;
    const float *b = g->b;
    for (int64_t e = 0; e < p->c.count; e++) {
        int64_t i = e / g->c_row, j = e % g->c_row;
        if (j >= p->n) {
            ck_assert_msg(!memcmp(p->c.data + e, p->before.data + e, sizeof(float)),
                          "%s: an element in a gap was written", variant);
            continue;
        }
        double sum = 0, magnitude = 1;
        for (int64_t q = 0; q < p->k; q++) {
            double x = factor(g->a[i * g->a_row + q * g->a_col]) * factor(b[q * g->b_row + j * g->b_col]);
            sum += x;
            magnitude += fabs(x);
        }
        const double old = p->before.data[e];
        double tolerance = 2e-6 * magnitude;
        sum *= g->scale;
        if (g->accumulate) sum += old;
        if (g->bias) sum += g->bias[j];
        /* exp multiplies the rounding error of its argument by its value, and a gate that is exp that of the product */
        const double growth = p->act == PK_EXP ? fmax(1, exp(sum)) : 1;
        const double pre = g->slopes ? slope(p->act, sum) : sum;
        if (g->pre) ck_assert_msg(fabs(g->pre[e] - pre) < tolerance * (g->slopes ? growth : 1), "%s: pre[%d,%d]",
                                  variant, (int)i, (int)j);
        sum = act(p->act, sum);
        tolerance *= growth;
        if (g->gate && !g->slopes && p->gate_act == PK_EXP) tolerance *= fmax(1, exp(g->gate[e]));
        if (g->gate) sum *= g->slopes ? g->gate[e] : slope(p->gate_act, g->gate[e]);
        if (g->gamma) sum *= g->gamma[j];
        if (p->epilogue & IN_PLACE) sum += old;
        else if (g->residual) sum += g->residual[e];
        ck_assert_msg(fabs(p->c.data[e] - sum) < tolerance, "%s: [%d,%d] of %dx%dx%d is %g, expected %g", variant,
                      (int)i, (int)j, (int)p->m, (int)p->n, (int)p->k, p->c.data[e], sum);
    }
}

/* Computes one product of noise and compares it with the reference. kind: by the library's own kernels or by CBLAS. */
static void check_product(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, int64_t m, int64_t n, int64_t k,
                          int layout, int epilogue, pk_act act, pk_act gate_act)
{
    char variant[100];
    snprintf(variant, sizeof variant, "%s%s%s layout %d epilogue %d act %d gate %d", t->name,
             kind == PK_GEMM_CBLAS ? " by cblas" : "",
             arithmetic == PK_COMPUTE_BF16 ? " in bf16" : "", layout, epilogue, act, gate_act);
    problem p = problem_make(m, n, k, layout, epilogue, act, gate_act);
    run_gemm(t, pool, kind, &p.g);
    check_result(&p, variant);
    problem_free(&p);
}

static pk_pool *start(int threads)
{
    pk_pool *p = aligned_alloc(PK_ALIGN, (pk_pool_bytes(threads) + PK_ALIGN - 1) / PK_ALIGN * PK_ALIGN);
    ck_assert_int_eq(pk_pool_start(p, threads), threads);
    return p;
}

static void stop(pk_pool *p)
{
    pk_pool_stop(p);
    free(p);
}

/* Loops over the kernel tables, one for each instruction set of this CPU. The inner `for` runs once, to declare t. */
#define EACH_TABLE(t) for (const char *const *name = pk_isas(); *name; name++) \
    for (const pk_table *t = pk_find(*name); t; t = NULL)
/* The same for every arithmetic. */
#define EACH_PRODUCT(t) EACH_TABLE(t) \
    for (arithmetic = PK_COMPUTE_F32; arithmetic < PK_COMPUTES || (arithmetic = PK_COMPUTE_F32); arithmetic++)

/* m up to twice the rows (mr) of the micro-kernel's tile, n up to twice its columns (nr): every n for m = mr and m = 3,
 * else every 5th to 7th, which saves time. */
START_TEST(sizes_around_the_micro_kernel)
{
    EACH_PRODUCT(t) {
        const int64_t ks[] = { 1, 2, 7, 16, 19, 33 };
        for (int layout = 0; layout < LAYOUTS; layout++)
            for (int64_t m = 1; m <= 2 * t->mr; m++)
                for (int64_t n = 1; n <= 2 * t->nr; n += m == t->mr || m == 3 ? 1 : 5 + m % 3)
                    check_product(t, NULL, PK_GEMM_OWN, m, n, ks[(m + n) % 6], layout, NO_EPILOGUE, PK_NONE, PK_NONE);
    }
}
END_TEST

/* k around one and two blocks (kc), many rows, many columns. */
START_TEST(products_of_several_blocks)
{
    EACH_PRODUCT(t) {
        const int64_t kc = t->kc * t->product[arithmetic].per_lane;
        const int64_t ks[] = { kc - 1, kc, kc + 1, 2 * kc, 2 * kc + 17 };
        for (int layout = 0; layout < LAYOUTS; layout++) {
            for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
                check_product(t, NULL, PK_GEMM_OWN, t->mr + 3, t->nr + 5, ks[i], layout, BIAS, PK_NONE, PK_NONE);
            check_product(t, NULL, PK_GEMM_OWN, 1000, t->nr + 1, 9, layout, BIAS, PK_NONE, PK_NONE);
            check_product(t, NULL, PK_GEMM_OWN, t->mr + 1, 6 * t->nr + 1, kc + 9, layout, BIAS, PK_NONE, PK_NONE);
        }
    }
}
END_TEST

START_TEST(every_epilogue)
{
    pk_pool *pool = start(2);
    EACH_PRODUCT(t) {
        const int64_t m = t->mr + 2, n = t->nr + 9, kc = t->kc * t->product[arithmetic].per_lane;
        for (int epilogue = 0; epilogue < EPILOGUES; epilogue++) {
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

/* NaN in A reaches its row of C, infinity in B its column, and nothing else. */
START_TEST(nan_and_infinity_stay_in_their_row_or_column)
{
    EACH_PRODUCT(t) {
        for (int layout = 0; layout < LAYOUTS; layout++) {
            const int64_t m = 2 * t->mr + 1, n = t->nr + 3, k = 21, row = t->mr, column = t->nr - 1;
            problem p = problem_make(m, n, k, layout, NO_EPILOGUE, PK_NONE, PK_NONE);
            p.a.data[row * p.g.a_row + 4 * p.g.a_col] = NAN;
            p.b.data[20 * p.g.b_row + column * p.g.b_col] = INFINITY;
            run_gemm(t, NULL, PK_GEMM_OWN, &p.g);
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    float x = p.c.data[i * p.g.c_row + j];
                    ck_assert_msg(i == row ? isnan(x) : j == column ? isinf(x) : isfinite(x), "%s [%d,%d] is %g",
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
            p.g.gate += offset;
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

/* Products of a small k and many rows, which thin.c computes for k up to 16 (in bf16 up to 32). */
START_TEST(products_of_a_small_k)
{
    static const int64_t ks[] = { 1, 2, 7, 8, 16, 17, 32, 33 };
    static const int epilogues[] = { NO_EPILOGUE, SCALE | IN_PLACE, SCALE | RESIDUAL | GAMMA, BIAS | ACCUMULATE,
                                     BIAS | PRE | GATE | SLOPES | RESIDUAL };
    const int count = sizeof epilogues / sizeof *epilogues;
    pk_pool *pool = start(3);
    EACH_PRODUCT(t)
        for (int i = 0; i < count * LAYOUTS * 8; i++)
            check_product(t, i % 2 ? pool : NULL, PK_GEMM_OWN, 9 * t->mr + 3, (1 + i % 3) * t->nr + 1 + i % 7,
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
           every_epilogue, cblas_products_in_every_layout, empty_extents, nan_and_infinity_stay_in_their_row_or_column,
           threads_and_submatrices_change_no_bit, products_of_a_small_k)
