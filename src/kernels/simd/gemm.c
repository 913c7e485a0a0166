/* SPDX-License-Identifier: Apache-2.0
 * gemm.c -- entries of the kernel table for ../gemm/gemm.c: the micro-kernel, the epilogue of a tile (the steps are
 * listed at pk_gemm in ../pk.h), and the loop that measures the peak of FMAs. pv is a vector of PW floats (simd.h). */
#include "gemm_micro.h"

void PK_NAME(micro)(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                    const float *initial, pk_micro_prefetch *prefetch);
void PK_NAME(epilogue)(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n);
double PK_NAME(fmas)(int64_t rounds);

void PK_NAME(micro)(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                    const float *initial, pk_micro_prefetch *prefetch)
{
    micro_tile(k, a, b, c, c_row, m, n, initial, prefetch);
}

/* Stores n lanes of `pre` (values for the backward pass) with non-temporal stores: `pre` is not read soon, and a cache
 * line that is written whole is then not fetched first. No fence is needed: the atomic operation that ends a round of
 * the pool orders these stores. */
static inline void store_uncached(float *p, pv x, int n)
{
    if (n >= PW && (uintptr_t)p % sizeof(pv) == 0) pv_stream(p, x);
    else store_lanes(p, x, n);
}

/* The addend where the epilogue has none: -0, because x + -0 is x. Every product is then computed by an FMA, so that an
 * element is rounded in the same way wherever it lies. The empty asm hides the value from the compiler, which would
 * otherwise drop the addition and contract other operations to FMAs in some loops only. */
static inline pv no_addend(void)
{
    pv x = pv_set(-0.0f);
    __asm__("" : "+v"(x));
    return x;
}

/* The steps before the activation: to = scale*tile + C + bias, and pre = to; with `slopes`, act_and_gate stores pre.
 * (i, j) is the tile's place in C, m x n its part inside C. */
static void before_act(const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n, float *to, int64_t to_row)
{
    for (int v = 0; v < n; v += PW) {
        const int lanes = n - v;
        const pv scale = pv_set(g->scale), none = no_addend();
        const pv bias = g->bias ? load_lanes(g->bias + j + v, lanes) : none;
        for (int r = 0; r < m; r++) {
            pv x = load_lanes(tile + r * PK_NR + v, lanes);
            pv c = g->accumulate ? load_lanes(g->c + (i + r) * g->c_row + j + v, lanes) : none;
            x = pv_add(pv_fma(x, scale, c), bias);
            if (g->pre && !g->slopes) store_uncached(g->pre + (i + r) * g->pre_row + j + v, x, lanes);
            store_lanes(to + r * to_row + v, x, lanes);
        }
    }
}

/* The steps behind the activation: C = tile*gate*gamma + residual. With `slopes` gate holds the derivatives themselves
 * and is applied here; without, act_and_gate has computed and applied them. */
static void after_act(const pk_gemm *g, const float *tile, int64_t i, int64_t j, int m, int n)
{
    const float *const gate = g->slopes ? g->gate : NULL;
    for (int v = 0; v < n; v += PW) {
        const int lanes = n - v;
        const pv gamma = g->gamma ? load_lanes(g->gamma + j + v, lanes) : pv_set(1.0f), none = no_addend();
        for (int r = 0; r < m; r++) {
            pv x = load_lanes(tile + r * PK_NR + v, lanes);
            pv add = g->residual ? load_lanes(g->residual + (i + r) * g->residual_row + j + v, lanes) : none;
            if (gate) x = pv_mul(x, load_lanes(gate + (i + r) * g->gate_row + j + v, lanes));
            store_lanes(g->c + (i + r) * g->c_row + j + v, pv_fma(x, gamma, add), lanes);
        }
    }
}

/* Applies the activation, and without `slopes` multiplies by the derivative at gate, with the kernels of the table: one
 * call for a tile of full width, else one for each row. */
static void act_and_gate(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n)
{
    const int calls = n == PK_NR ? 1 : m, count = n == PK_NR ? m * PK_NR : n;
    float buffer[PK_MR * PK_NR];
    if (g->pre && g->slopes) {
        for (int r = 0; r < calls; r++)
            t->act_slope(g->act, tile + r * PK_NR, buffer + r * PK_NR, tile + r * PK_NR, count);
        for (int r = 0; r < m; r++)
            for (int v = 0; v < n; v += PW)
                store_uncached(g->pre + (i + r) * g->pre_row + j + v, load_lanes(buffer + r * PK_NR + v, n - v), n - v);
    } else if (g->act != PK_NONE) {
        for (int r = 0; r < calls; r++) t->act(g->act, tile + r * PK_NR, tile + r * PK_NR, count);
    }
    if (!g->gate || g->slopes) return;
    for (int r = 0; r < m; r++)
        for (int v = 0; v < n; v += PW)
            store_lanes(buffer + r * PK_NR + v, load_lanes(g->gate + (i + r) * g->gate_row + j + v, n - v), n - v);
    for (int r = 0; r < calls; r++)
        t->act_grad(g->gate_act, tile + r * PK_NR, tile + r * PK_NR, buffer + r * PK_NR, count);
}

void PK_NAME(epilogue)(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n)
{
    const int has_first_steps = g->scale != 1 || g->accumulate || g->bias || g->pre;
    if (g->act == PK_NONE && !(g->pre && g->slopes) && !g->gate && !g->gamma && !g->residual) {
        before_act(g, tile, i, j, m, n, g->c + i * g->c_row + j, g->c_row);
        return;
    }
    if (has_first_steps) before_act(g, tile, i, j, m, n, tile, PK_NR);
    act_and_gate(t, g, tile, i, j, m, n);
    after_act(g, tile, i, j, m, n);
}

double PK_NAME(fmas)(int64_t rounds)
{
    return micro_peak(rounds);
}
