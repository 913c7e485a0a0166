/* SPDX-License-Identifier: Apache-2.0
 * gemm_problem.h -- matrix products of noise for test_gemm.c, and their reference: a triple loop in double over factors
 * that are rounded as the arithmetic rounds them. */
#ifndef GEMM_PROBLEM_H
#define GEMM_PROBLEM_H
#include <math.h>
#include "guarded.h"
#include "kernels/pk.h"
#include "kernels/ref/half.h"
#include "kernels/ref/int8.h"
#include "run_gemm.h"
#include "suite.h"
#include "tested_isas.h"

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

/* The elements of a piece of K of a row of A or a column of B, `count` of x, `stride` apart, as the arithmetic rounds
 * them. second: the second of the two bf16 of an element in bf16x3, else 0. */
static void round_piece(double *to, double *second, const float *x, int64_t stride, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float element = x[i * stride], first = pk_round_bf16(element);
        if (arithmetic == PK_COMPUTE_BF16X3) second[i] = pk_round_bf16(element - first);
        to[i] = arithmetic == PK_COMPUTE_BF16 ? first
              : arithmetic == PK_COMPUTE_BF16X3 ? first + second[i] : element;
    }
    if (arithmetic != PK_COMPUTE_INT8) return;
    float rotated[PK_INT8_PIECE] = { 0 }, largest = 0;
    const int64_t padded = (count + 63) / 64 * 64;
    for (int64_t i = 0; i < count; i++) rotated[i] = x[i * stride];
    for (int64_t b = 0; b < padded; b += 64) pk_int8_rotate(rotated + b);
    for (int64_t i = 0; i < padded; i++) largest = fmaxf(largest, fabsf(rotated[i]));
    for (int64_t i = 0; i < padded; i++) to[i] = largest / 127 / 8 * nearbyint((double)rotated[i] * (127 / largest));
}

/* Elements of K with which rows are computed: int8 fills the last block of 64 with zeros before it rotates them. */
static int64_t rounded_k(int64_t k) { return arithmetic == PK_COMPUTE_INT8 ? (k + 63) / 64 * 64 : k; }

/* The factors that the arithmetic makes of `rows` rows of A, or columns of B, with k elements each: [rows][rounded_k],
 * and behind them the same matrix of their second parts. int8 rounds pieces of K of equal length, at most 768 and a
 * multiple of 64, each with a scale of its own. */
static double *factors(const float *x, int64_t row_stride, int64_t k_stride, int64_t rows, int64_t k)
{
    const int64_t pieces = (k + 767) / 768, even = pieces ? (k + pieces - 1) / pieces : 1;
    const int64_t piece = (even + 63) / 64 * 64;
    double *all = calloc((size_t)(2 * rows * rounded_k(k) + 1), sizeof *all);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t p = 0; p < k; p += piece)
            round_piece(all + i * rounded_k(k) + p, all + (rows + i) * rounded_k(k) + p,
                        x + i * row_stride + p * k_stride, k_stride, piece < k - p ? piece : k - p);
    return all;
}

/* Compares C (and the stored pre-activations) with the reference; elements in the gaps must be unchanged. With
 * PARTIAL every fourth element is compared, as the reference takes most of the time under AddressSanitizer. */
static void check_result(const problem *p, const char *variant)
{
    const pk_gemm *g = &p->g;
    double *const a = factors(g->a, g->a_row, g->a_col, p->m, p->k);
    double *const b = factors(g->b, g->b_col, g->b_row, p->n, p->k);
    for (int64_t e = 0; e < p->c.count; e++) {
        int64_t i = e / g->c_row, j = e % g->c_row;
        if (j >= p->n) {
            ck_assert_msg(!memcmp(p->c.data + e, p->before.data + e, sizeof(float)),
                          "%s: an element in a gap was written", variant);
            continue;
        }
        if (e % partial_step(4)) continue;
        double sum = 0, magnitude = 1;
        const int64_t k = rounded_k(p->k);
        for (int64_t q = 0; q < k; q++) {
            const double x = a[i * k + q] * b[j * k + q] - a[(p->m + i) * k + q] * b[(p->n + j) * k + q];
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
        if (g->pre) ck_assert_msg(fabs(p->pre.data[e] - pre) < tolerance * (g->slopes ? growth : 1), "%s: pre[%d,%d]",
                                  variant, (int)i, (int)j);
        sum = act(p->act, sum);
        tolerance *= growth;
        if (g->gate && !g->slopes && p->gate_act == PK_EXP) tolerance *= fmax(1, exp(p->gate.data[e]));
        if (g->gate) sum *= g->slopes ? p->gate.data[e] : slope(p->gate_act, p->gate.data[e]);
        if (g->gamma) sum *= g->gamma[j];
        if (p->epilogue & IN_PLACE) sum += old;
        else if (g->residual) sum += g->residual[e];
        ck_assert_msg(fabs(p->c.data[e] - sum) < tolerance, "%s: [%d,%d] of %dx%dx%d is %g, expected %g", variant,
                      (int)i, (int)j, (int)p->m, (int)p->n, (int)p->k, p->c.data[e], sum);
    }
    free(a);
    free(b);
}

/* Computes one product of noise and compares it with the reference. kind: by the library's own kernels or by CBLAS. */
static inline void check_product(const pk_table *t, pk_pool *pool, pk_gemm_kind kind, int64_t m, int64_t n, int64_t k,
                                 int layout, int epilogue, pk_act act, pk_act gate_act)
{
    char variant[100];
    snprintf(variant, sizeof variant, "%s%s %s layout %d epilogue %d act %d gate %d", t->name,
             kind == PK_GEMM_CBLAS ? " by cblas" : "",
             arithmetic != PK_COMPUTE_F32 ? pk_compute_name(arithmetic) : "", layout, epilogue, act, gate_act);
    problem p = problem_make(m, n, k, layout, epilogue, act, gate_act);
    run_gemm(t, pool, kind, &p.g);
    check_result(&p, variant);
    problem_free(&p);
}

/* Most elements of a piece of K. */
static inline int64_t piece_of(const pk_table *t)
{
    const pk_product *p = &t->product[arithmetic];
    return p->kc / p->block_lanes * p->block;
}

/* Rows of the tile of the micro-kernel. */
static inline int64_t mr_of(const pk_table *t) { return t->product[arithmetic].mr; }

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

/* Loops over the kernel tables, one for each tested instruction set. The inner `for` runs once, to declare t. */
#define EACH_TABLE(t) for (const char *const *name = tested_isas(); *name; name++) \
    for (const pk_table *t = pk_find(*name); t; t = NULL)
/* The same for every arithmetic. */
#define EACH_PRODUCT(t) EACH_TABLE(t) \
    for (arithmetic = PK_COMPUTE_F32; arithmetic < PK_COMPUTES || (arithmetic = PK_COMPUTE_F32); arithmetic++)
#endif
