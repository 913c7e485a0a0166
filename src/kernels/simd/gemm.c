/* SPDX-License-Identifier: Apache-2.0
 * gemm.c -- entries of the kernel table for ../gemm/gemm.c: the micro-kernel, the epilogue of a tile (the steps are
 * listed at pk_gemm in ../pk.h), and the loop that measures the peak of FMAs. pv is a vector of PW floats (simd.h). */
#include "half.h"

void PK_NAME(micro)(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                    const float *initial, pk_micro_prefetch *prefetch);
void PK_NAME(epilogue)(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n);
double PK_NAME(fmas)(int64_t rounds);

void PK_NAME(micro)(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                    const float *initial, pk_micro_prefetch *prefetch)
{
    micro_tile(k, a, b, c, c_row, m, n, initial, prefetch);
}

/* Stores n lanes of `pre` (values for the backward pass), from (i, j) on, with non-temporal stores: `pre` is not read
 * soon, and a cache line that is written whole is then not fetched first. No fence is needed: the atomic operation that
 * ends a round of the pool orders these stores. */
static inline void store_pre(const pk_gemm *g, int64_t i, int64_t j, pv x, int n)
{
    const int64_t at = i * g->pre_row + j;
    if (g->pre_type == PK_BF16) {
        uint16_t *p = (uint16_t *)g->pre + at;
        if (n >= PW && (uintptr_t)p % sizeof(pv_half) == 0) half_stream(p, x);
        else half_store(p, x, n);
        return;
    }
    float *p = (float *)g->pre + at;
    if (n >= PW && (uintptr_t)p % sizeof(pv) == 0) pv_stream(p, x);
    else store_lanes(p, x, n);
}

/* n lanes of the gate from (i, j) on. */
static inline pv load_gate(const pk_gemm *g, int64_t i, int64_t j, int n)
{
    const int64_t at = i * g->gate_row + j;
    return g->gate_type == PK_BF16 ? half_lanes(PK_BF16, (const uint16_t *)g->gate + at, n)
                                   : load_lanes((const float *)g->gate + at, n);
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

/* The steps before the activation: tile = scale*tile + C + bias, and pre = tile; with `slopes`, act_and_gate stores
 * pre. (i, j) is the tile's place in C, m x n its part inside C. */
static void before_act(const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n)
{
    for (int v = 0; v < n; v += PW) {
        const int lanes = n - v;
        const pv scale = pv_set(g->scale), none = no_addend();
        const pv bias = g->bias ? load_lanes(g->bias + j + v, lanes) : none;
        for (int r = 0; r < m; r++) {
            pv x = load_lanes(tile + r * PK_NR + v, lanes);
            pv c = g->accumulate ? load_lanes(g->c + (i + r) * g->c_row + j + v, lanes) : none;
            x = pv_add(pv_fma(x, scale, c), bias);
            if (g->pre && !g->slopes) store_pre(g, i + r, j + v, x, lanes);
            store_lanes(tile + r * PK_NR + v, x, lanes);
        }
    }
}

/* The steps behind the activation: C = tile*gate*gamma + residual. With `slopes` gate holds the derivatives themselves
 * and is applied here; without, act_and_gate has computed and applied them. */
static void after_act(const pk_gemm *g, const float *tile, int64_t i, int64_t j, int m, int n)
{
    const int gate = g->gate && g->slopes;
    for (int v = 0; v < n; v += PW) {
        const int lanes = n - v;
        const pv gamma = g->gamma ? load_lanes(g->gamma + j + v, lanes) : pv_set(1.0f), none = no_addend();
        for (int r = 0; r < m; r++) {
            pv x = load_lanes(tile + r * PK_NR + v, lanes);
            pv add = g->residual ? load_lanes(g->residual + (i + r) * g->residual_row + j + v, lanes) : none;
            if (gate) x = pv_mul(x, load_gate(g, i + r, j + v, lanes));
            store_lanes(g->c + (i + r) * g->c_row + j + v, pv_fma(x, gamma, add), lanes);
        }
    }
}

/* Applies the activation, and without `slopes` multiplies by the derivative at gate, with the kernels of the table: one
 * call for a tile of full width, else one for each row. */
static void act_and_gate(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n)
{
    const int calls = n == PK_NR ? 1 : m, count = n == PK_NR ? m * PK_NR : n;
    float buffer[PK_MOST_MR * PK_NR];
    if (g->pre && g->slopes) {
        for (int r = 0; r < calls; r++)
            t->act_slope(g->act, tile + r * PK_NR, buffer + r * PK_NR, tile + r * PK_NR, count);
        for (int r = 0; r < m; r++)
            for (int v = 0; v < n; v += PW)
                store_pre(g, i + r, j + v, load_lanes(buffer + r * PK_NR + v, n - v), n - v);
    } else if (g->act != PK_NONE) {
        for (int r = 0; r < calls; r++) t->act(g->act, tile + r * PK_NR, tile + r * PK_NR, count);
    }
    if (!g->gate || g->slopes) return;
    for (int r = 0; r < m; r++)
        for (int v = 0; v < n; v += PW)
            store_lanes(buffer + r * PK_NR + v, load_gate(g, i + r, j + v, n - v), n - v);
    for (int r = 0; r < calls; r++)
        t->act_grad(g->gate_act, tile + r * PK_NR, tile + r * PK_NR, buffer + r * PK_NR, count);
}

/* All steps in one pass where no activation and no gate is among them: C = (scale*tile + C + bias)*gamma + residual. A
 * step that is absent changes nothing: fma(x, 1, -0) and x + -0 are x. full: the tile has PK_NR columns. full,
 * accumulate, residual are compile-time constants. */
PK_INLINE void no_act_rows(const pk_gemm *g, const float *tile, int64_t i, int64_t j, int m, int n, const int full,
                           const int accumulate, const int residual)
{
    const pv scale = pv_set(g->scale), none = no_addend();
    for (int v = 0; v < (full ? PK_NR : n); v += PW) {
        const int lanes = full ? PW : n - v;
        const pv bias = g->bias ? load_lanes(g->bias + j + v, lanes) : none;
        const pv gamma = g->gamma ? load_lanes(g->gamma + j + v, lanes) : pv_set(1.0f);
        float *c = g->c + i * g->c_row + j + v;
        const float *r = residual ? g->residual + i * g->residual_row + j + v : c;
        for (int row = 0; row < m; row++, c += g->c_row, r += residual ? g->residual_row : 0) {
            pv x = load_lanes(tile + row * PK_NR + v, lanes);
            x = pv_add(pv_fma(x, scale, accumulate ? load_lanes(c, lanes) : none), bias);
            store_lanes(c, pv_fma(x, gamma, residual ? load_lanes(r, lanes) : none), lanes);
        }
    }
}

static void no_act(const pk_gemm *g, const float *tile, int64_t i, int64_t j, int m, int n)
{
    if (n < PK_NR || g->accumulate) {
        if (g->residual) no_act_rows(g, tile, i, j, m, n, 0, g->accumulate, 1);
        else no_act_rows(g, tile, i, j, m, n, 0, g->accumulate, 0);
    } else if (g->residual) {
        no_act_rows(g, tile, i, j, m, n, 1, 0, 1);
    } else {
        no_act_rows(g, tile, i, j, m, n, 1, 0, 0);
    }
}

void PK_NAME(epilogue)(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n)
{
    const int has_first_steps = g->scale != 1 || g->accumulate || g->bias || g->pre;
    if (g->act == PK_NONE && !g->pre && !g->gate) {
        no_act(g, tile, i, j, m, n);
        return;
    }
    if (has_first_steps) before_act(g, tile, i, j, m, n);
    act_and_gate(t, g, tile, i, j, m, n);
    after_act(g, tile, i, j, m, n);
}

double PK_NAME(fmas)(int64_t rounds)
{
    return micro_peak(rounds);
}
