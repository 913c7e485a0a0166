/* SPDX-License-Identifier: Apache-2.0
 * gemm_micro.h -- the register tile of a matrix product, for every kernel of this folder that multiplies matrices.
 * Operands come as panels: A as a[k][PK_MR], B as b[k][PK_NR], lanes beyond the matrix are zero: pack.h makes
 * both kinds. Each element of a tile is one chain of FMAs over k in index order, whatever its place in the tile. */
#ifndef PK_GEMM_MICRO_H
#define PK_GEMM_MICRO_H
#include "simd.h"

#if PW == 16
#define PK_MR 14                                        /* 28 accumulators, 2 of B, 1 of A: 31 of 32 registers */
#else
#define PK_MR 6                                         /* 12 accumulators, 2 of B, 1 or 2 of A: 16 registers */
#endif
#define PK_NR (2 * PW)
#define PK_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define PK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PK_UNROLL _Pragma("GCC unroll 16")
#endif
/* Keeps the compiler from moving loads across: hoisting them makes it run out of registers. */
#define PK_ORDER __asm__ volatile("" ::: "memory")

/* One vector to memory: all of it, or its first n lanes (n >= 1). */
PK_INLINE void micro_store(float *c, pv x, int n)
{
    if (n >= PW) pv_store(c, x);
    else pv_store_m(c, pm_tail(n), x);
}

/* The first n lanes of x, zero beyond; n may be 0 or more than PW. */
PK_INLINE pv load_lanes(const float *x, int64_t n)
{
    return n >= PW ? pv_load(x) : n > 0 ? pv_load_m(x, pm_tail(n)) : pv_zero();
}

/* The rows of a tile, written out: a loop over them is not unrolled in time for acc to become registers. */
#if PW == 16
#define PK_EACH_ROW(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13)
#else
#define PK_EACH_ROW(f) f(0) f(1) f(2) f(3) f(4) f(5)
#endif

/* A tile's sums begin at the m x n corner of `plus` (NULL: at zero), and go to that of c. */
PK_INLINE void micro_begin(pv (*acc)[2], const float *plus, int64_t row, int m, int n, const int rows,
                           const int vectors)
{
    if (plus) {
#define PK_ROW(i) if (i < rows) { acc[i][0] = load_lanes(plus + i * row, i < m ? n : 0); \
        if (vectors > 1) acc[i][1] = load_lanes(plus + i * row + PW, i < m ? n - PW : 0); }
        PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    } else {
#define PK_ROW(i) if (i < rows) acc[i][0] = acc[i][1] = pv_zero();
        PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    }
}

PK_INLINE void micro_end(float *c, int64_t c_row, pv (*acc)[2], int m, int n, const int rows, const int vectors)
{
#define PK_ROW(i) if (i < rows && i < m) { \
        micro_store(c + i * c_row, acc[i][0], n); \
        if (vectors > 1) micro_store(c + i * c_row + PW, acc[i][1], n - PW); }
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
}

/* acc += x*b in acc's own register. gcc left alone lets the sums wander between registers and spills some. */
PK_INLINE void micro_fma(pv *acc, pv x, pv b)
{
#if defined(__clang__)
    *acc = pv_fma(x, b, *acc);
#else
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(*acc) : "v"(x), "v"(b));
#endif
}

#if PW == 16
/* acc[j] += *x b[j], x read and spread by each FMA: one instruction of the front end's where a register makes it two.
 * A core shared with another thread is short of those first; alone it is short of loads (two a cycle), which three
 * rows kept in a register relieve. */
#define PK_SPREAD(i) ((i) % 5 != 2)
PK_INLINE void micro_fma_spread(pv *acc, const float *x, pv b)
{
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(*acc) : "v"(b), "m"(*x));
}
#else
#define PK_SPREAD(i) 0
PK_INLINE void micro_fma_spread(pv *acc, const float *x, pv b) { micro_fma(acc, pv_set(*x), b); }
#endif

PK_INLINE void micro_row(pv *acc, const float *x, pv b0, pv b1, const int vectors, const int spread)
{
    if (spread) {
        micro_fma_spread(&acc[0], x, b0);
        if (vectors > 1) micro_fma_spread(&acc[1], x, b1);
    } else {
        pv all = pv_set(*x);
        micro_fma(&acc[0], all, b0);
        if (vectors > 1) micro_fma(&acc[1], all, b1);
    }
}

/* acc += a[rows] b[vectors*PW] of one k, rows of a `lane` apart; lane, rows and vectors are constants. */
PK_INLINE void micro_step(pv (*acc)[2], const float *a, const int lane, const float *b, const int rows,
                          const int vectors)
{
    pv b0 = pv_load(b), b1 = vectors > 1 ? pv_load(b + PW) : pv_zero();
#define PK_ROW(i) if (i < rows) micro_row(acc[i], a + i * lane, b0, b1, vectors, PK_SPREAD(i));
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    PK_ORDER;
}

/* Four k. The panels of A come from the second cache, and the hardware alone brings them a little late: two KiB ahead
 * they are asked for. */
PK_INLINE void micro_four(pv (*acc)[2], const float *a, const float *b, const int rows, const int vectors)
{
    PK_UNROLL
    for (int i = 0; i < 4 * PK_MR; i += 16) __builtin_prefetch(a + 512 + i, 0, 3);
    micro_step(acc, a, 1, b, rows, vectors);
    micro_step(acc, a + PK_MR, 1, b + PK_NR, rows, vectors);
    micro_step(acc, a + 2 * PK_MR, 1, b + 2 * PK_NR, rows, vectors);
    micro_step(acc, a + 3 * PK_MR, 1, b + 3 * PK_NR, rows, vectors);
}

/* The lines and rows of one turn. */
PK_INLINE void next_lines(pk_stream *s)
{
    for (int i = 0; i < s->some; i++) {
        __builtin_prefetch(s->at, 0, 3);
        s->at += PK_ALIGN;
        if (--s->left) continue;
        s->left = s->lines;
        s->at += s->gap;
        if (--s->rows == 0) s->some = 0;
    }
}

PK_INLINE void next_rows(const pk_ahead *w, int turn)
{
    for (int i = 0; i < w->blocks; i++) {
        const float *at = w->block[i].at + 2 * turn * w->block[i].row;
        PK_UNROLL
        for (int j = 0; j < PK_NR; j += 16) {
            __builtin_prefetch(at + j, 0, 3);
            __builtin_prefetch(at + w->block[i].row + j, 0, 3);
        }
    }
}

/* The next tile of sums, and the blocks, within ten turns: most pieces of K have as many. */
PK_INLINE void ask_tiles(const pk_ahead *w, const float *plus, int turn)
{
    const int lines = (PK_MR * PK_NR / 16 + 9) / 10;
    if (turn >= 10) return;
    if (plus) {
        const float *next = plus + PK_MR * PK_NR + turn * lines * 16;
        PK_UNROLL
        for (int i = 0; i < lines; i++) __builtin_prefetch(next + i * 16, 0, 3);
    }
    if (2 * turn < PK_MR) next_rows(w, turn);
}

PK_INLINE void micro_rows(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *plus, pk_ahead *ahead, const int rows, const int vectors)
{
    pv acc[PK_MR][2];
    micro_begin(acc, plus, PK_NR, m, n, rows, vectors);
    int64_t p = 0;
    if (ahead) {
        for (int turn = 0; p + PK_TURN <= k; p += PK_TURN, a += PK_TURN * PK_MR, b += PK_TURN * PK_NR, turn++) {
            ask_tiles(ahead, plus, turn);
            micro_four(acc, a, b, rows, vectors);
            micro_four(acc, a + 4 * PK_MR, b + 4 * PK_NR, rows, vectors);
            next_lines(&ahead->stream[0]);
            micro_four(acc, a + 8 * PK_MR, b + 8 * PK_NR, rows, vectors);
            next_lines(&ahead->stream[1]);
            micro_four(acc, a + 12 * PK_MR, b + 12 * PK_NR, rows, vectors);
        }
    }
    for (; p + 4 <= k; p += 4, a += 4 * PK_MR, b += 4 * PK_NR) micro_four(acc, a, b, rows, vectors);
    for (; p < k; p++, a += PK_MR, b += PK_NR) micro_step(acc, a, 1, b, rows, vectors);
    micro_end(c, c_row, acc, m, n, rows, vectors);
}

/* rows_fn(.., rows, vectors) with the constants for a tile [m,n]. Rows are rounded up to the next size compiled, so a
 * few left-over rows do not cost a full tile. */
#define PK_TILE(m, n, rows_fn, ...) \
    if ((m) <= 2) PK_VECTORS(n, 2, rows_fn, __VA_ARGS__) \
    else if ((m) <= 4) PK_VECTORS(n, 4, rows_fn, __VA_ARGS__) \
    else if (PK_MR > 8 && (m) <= 8) PK_VECTORS(n, 8, rows_fn, __VA_ARGS__) \
    else PK_VECTORS(n, PK_MR, rows_fn, __VA_ARGS__)
#define PK_VECTORS(n, rows, rows_fn, ...) \
    { if ((n) > PW) rows_fn(__VA_ARGS__, rows, 2); else rows_fn(__VA_ARGS__, rows, 1); }

/* c[m,n] = a^T b over k, from `plus` on (a tile, NULL: zeros; may be c); 1 <= m <= PK_MR, 1 <= n <= PK_NR. Only the
 * m x n corner is touched. Beside a full tile the next one behind plus is asked for, and what `ahead` says. */
static inline void micro_tile(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                              const float *plus, pk_ahead *ahead)
{
    if (m == PK_MR && n == PK_NR) micro_rows(k, a, b, c, c_row, PK_MR, PK_NR, plus, ahead, PK_MR, 2);
    else PK_TILE(m, n, micro_rows, k, a, b, c, c_row, m, n, plus, NULL)
}
#endif
