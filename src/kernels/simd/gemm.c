/* SPDX-License-Identifier: Apache-2.0
 * gemm.c -- the parts of a matrix product that kernels/gemm puts together: the micro-kernel and the epilogue of a
 * finished tile. */
#include "gemm_micro.h"

void PK_NAME(micro)(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                    const float *plus, pk_ahead *ahead);
void PK_NAME(finish)(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n);
double PK_NAME(fmas)(int64_t rounds);

void PK_NAME(micro)(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                    const float *plus, pk_ahead *ahead)
{
    micro_tile(k, a, b, c, c_row, m, n, plus, ahead);
}

/* What is read much later does not go through the caches: a line that is written whole need not be fetched first. Such
 * stores are ordered by the atomic operation with which the pool hands a round back, so no fence stands here. */
static inline void keep_for_later(float *p, pv x, int n)
{
    if (n >= PW && (uintptr_t)p % sizeof(pv) == 0) pv_stream(p, x);
    else micro_store(p, x, n);
}

/* An absent addend is -0 and every product is part of an FMA, so there is one path, and its rounding is the same in
 * every place. The compiler must not know of the -0, or it makes products of FMAs and then FMAs of other pairs, in one
 * loop so and in another otherwise. */
static inline pv no_addend(void)
{
    pv x = pv_set(-0.0f);
    __asm__("" : "+v"(x));
    return x;
}

static void before_act(const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n, float *to, int64_t to_row)
{
    for (int v = 0; v < n; v += PW) {
        const int some = n - v;
        const pv scale = pv_set(g->scale), nothing = no_addend();
        const pv bias = g->bias ? load_lanes(g->bias + j + v, some) : nothing;
        for (int r = 0; r < m; r++) {
            pv x = load_lanes(tile + r * PK_NR + v, some);
            pv c = g->accumulate ? load_lanes(g->c + (i + r) * g->c_row + j + v, some) : nothing;
            x = pv_add(pv_fma(x, scale, c), bias);
            if (g->pre && !g->slopes) keep_for_later(g->pre + (i + r) * g->pre_row + j + v, x, some);
            micro_store(to + r * to_row + v, x, some);
        }
    }
}

/* From the tile to C; a gate of slopes is multiplied on the way. */
static void after_act(const pk_gemm *g, const float *tile, int64_t i, int64_t j, int m, int n)
{
    const float *const gate = g->slopes ? g->gate : NULL;
    for (int v = 0; v < n; v += PW) {
        const int some = n - v;
        const pv gamma = g->gamma ? load_lanes(g->gamma + j + v, some) : pv_set(1.0f), nothing = no_addend();
        for (int r = 0; r < m; r++) {
            pv x = load_lanes(tile + r * PK_NR + v, some);
            pv add = g->residual ? load_lanes(g->residual + (i + r) * g->residual_row + j + v, some) : nothing;
            if (gate) x = pv_mul(x, load_lanes(gate + (i + r) * g->gate_row + j + v, some));
            micro_store(g->c + (i + r) * g->c_row + j + v, pv_fma(x, gamma, add), some);
        }
    }
}

/* The activation and the gate go through the table; a tile of full width is one call. */
static void act_and_gate(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n)
{
    const int calls = n == PK_NR ? 1 : m, count = n == PK_NR ? m * PK_NR : n;
    float other[PK_MR * PK_NR];
    if (g->pre && g->slopes) {
        for (int r = 0; r < calls; r++)
            t->act_slope(g->act, tile + r * PK_NR, other + r * PK_NR, tile + r * PK_NR, count);
        for (int r = 0; r < m; r++)
            for (int v = 0; v < n; v += PW)
                keep_for_later(g->pre + (i + r) * g->pre_row + j + v, load_lanes(other + r * PK_NR + v, n - v), n - v);
    } else if (g->act != PK_NONE) {
        for (int r = 0; r < calls; r++) t->act(g->act, tile + r * PK_NR, tile + r * PK_NR, count);
    }
    if (!g->gate || g->slopes) return;
    for (int r = 0; r < m; r++)
        for (int v = 0; v < n; v += PW)
            micro_store(other + r * PK_NR + v, load_lanes(g->gate + (i + r) * g->gate_row + j + v, n - v), n - v);
    for (int r = 0; r < calls; r++)
        t->act_grad(g->gate_act, tile + r * PK_NR, tile + r * PK_NR, other + r * PK_NR, count);
}

void PK_NAME(finish)(const pk_table *t, const pk_gemm *g, float *tile, int64_t i, int64_t j, int m, int n)
{
    const int first = g->scale != 1 || g->accumulate || g->bias || g->pre;
    if (g->act == PK_NONE && !(g->pre && g->slopes) && !g->gate && !g->gamma && !g->residual) {
        before_act(g, tile, i, j, m, n, g->c + i * g->c_row + j, g->c_row);
        return;
    }
    if (first) before_act(g, tile, i, j, m, n, tile, PK_NR);
    act_and_gate(t, g, tile, i, j, m, n);
    after_act(g, tile, i, j, m, n);
}

/* The tile's sums and no memory: more than enough to hide an FMA's latency. */
double PK_NAME(fmas)(int64_t rounds)
{
    pv acc[PK_MR][2], x = pv_set(1.0f), y = pv_zero();
#define PK_ROW(i) acc[i][0] = acc[i][1] = pv_set(1.0f);
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    for (int64_t r = 0; r < rounds; r++) {
#define PK_ROW(i) micro_fma(&acc[i][0], x, y); micro_fma(&acc[i][1], x, y);
        PK_EACH_ROW(PK_ROW)
#undef PK_ROW
        PK_ORDER;
    }
    pv sum = pv_zero();
#define PK_ROW(i) sum = pv_add(sum, pv_add(acc[i][0], acc[i][1]));
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    float out[PW];
    pv_store(out, sum);
    return out[0] == 2 * PK_MR ? (double)rounds * PK_MR * 2 * PW * 2 : 0;      /* asking for it keeps the loop */
}
