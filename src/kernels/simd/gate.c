/* SPDX-License-Identifier: Apache-2.0
 * gate.c -- entries of the kernel table: the gate of a gated MLP and its gradient. Their time is that of moving memory,
 * unless it passes while the activation is computed: each vector prefetches the same columns of the next row. To
 * prefetch the outputs as well was slower. */
#include "../names.h"
#include "activations.h"

/* Prefetches the cache line of p for reading, into the level-2 cache. */
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)

INLINE pv f_none(pv x, pv b, pv s)   { (void)b; (void)s; return x; }
INLINE pv g_none(pv dy, pv x, pv s)  { (void)x; (void)s; return dy; }

/* The first n elements from x on; zero in the other lanes. */
INLINE pv first_of(const float *x, int64_t n) { return n >= PW ? pv_load(x) : pv_load_m(x, pm_first(n)); }

INLINE void store_first(float *y, pv x, int64_t n)
{
    if (n >= PW) pv_store(y, x);
    else pv_store_m(y, pm_first(n), x);
}

/* The same past the caches where y is aligned: a cache line that is written whole is then not read first. The gradient
 * is as large as fc1's outputs, so that most of it would leave the level-2 cache before it is read. No fence is needed:
 * the atomic operation that ends a round of the pool orders these stores. */
INLINE void store_uncached(float *y, pv x, int64_t n)
{
    if (n >= PW && (uintptr_t)y % sizeof(pv) == 0) pv_stream(y, x);
    else store_first(y, x, n);
}

/* y = f(x, x, s) factor */
INLINE void gate_rows(float *y, int64_t ldy, const float *x, const float *factor, int64_t ldx, int64_t rows,
                      int64_t cols, float s, pv (*f)(pv x, pv b, pv s))
{
    for (int64_t i = 0; i < rows; i++, y += ldy, x += ldx, factor += ldx)
        for (int64_t j = 0; j < cols; j += PW) {
            const pv v = first_of(x + j, cols - j), w = first_of(factor + j, cols - j);
            PREFETCH(x + ldx + j);
            PREFETCH(factor + ldx + j);
            store_first(y + j, pv_mul(f(v, v, pv_set(s)), w), cols - j);
        }
}

void PK_NAME(gate)(pk_act kind, float *y, int64_t ldy, const float *x, const float *factor, int64_t ldx, int64_t rows,
                   int64_t cols)
{
    switch (kind) {
#define ROW(kind, s, name) case kind: gate_rows(y, ldy, x, factor, ldx, rows, cols, s, f_##name); break;
    ACTIVATIONS(ROW) ROW(PK_NONE, NO_SCALAR, none)
#undef ROW
    }
}

/* The value and derivative of each activation: b_<name> stores the value in *value and returns the derivative. */
#define BOTH(kind, scalar, name) \
    INLINE pv b_##name(pv x, pv *value, pv s) { *value = f_##name(x, x, s); return g_##name(pv_set(1.0f), x, s); }
BOTH(PK_NONE, NO_SCALAR, none) OTHER_ACTIVATIONS(BOTH)
INLINE pv b_gelu(pv x, pv *value, pv s) { (void)s; return pv_gelu_slope(x, value); }
INLINE pv b_silu(pv x, pv *value, pv s) { (void)s; return silu_both(x, value); }

/* dx = dy factor act'(x), dfactor = dy act(x), by a function that gives both */
INLINE void gate_grad_rows(float *dx, float *dfactor, int64_t lddx, const float *dy, int64_t lddy, const float *x,
                           const float *factor, int64_t ldx, int64_t rows, int64_t cols, float s,
                           pv (*both)(pv x, pv *value, pv s))
{
    for (int64_t i = 0; i < rows; i++, dx += lddx, dfactor += lddx, dy += lddy, x += ldx, factor += ldx)
        for (int64_t j = 0; j < cols; j += PW) {
            pv value, slope = both(first_of(x + j, cols - j), &value, pv_set(s));
            const pv d = first_of(dy + j, cols - j), product = pv_mul(d, first_of(factor + j, cols - j));
            PREFETCH(x + ldx + j);
            PREFETCH(factor + ldx + j);
            PREFETCH(dy + lddy + j);
            store_uncached(dx + j, pv_mul(product, slope), cols - j);
            store_uncached(dfactor + j, pv_mul(value, d), cols - j);
        }
}

void PK_NAME(gate_grad)(pk_act kind, float *dx, float *dfactor, int64_t lddx, const float *dy, int64_t lddy,
                        const float *x, const float *factor, int64_t ldx, int64_t rows, int64_t cols)
{
    switch (kind) {
#define ROW(kind, s, name) \
    case kind: gate_grad_rows(dx, dfactor, lddx, dy, lddy, x, factor, ldx, rows, cols, s, b_##name); break;
    ACTIVATIONS(ROW) ROW(PK_NONE, NO_SCALAR, none)
#undef ROW
    }
}
