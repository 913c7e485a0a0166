/* SPDX-License-Identifier: Apache-2.0
 * gemm_micro.h -- the register tile of a matrix product, for every kernel of this folder that multiplies matrices.
 * Operands come as panels: A as a[k][PK_MR], B as b[k][PK_NR], lanes beyond the matrix are zero. pack_panel makes
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
        s->at += 16;
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

/* Transposes PW rows: lane i of to[j] is lane j of from[i]. */
PK_INLINE void transpose(pv *to, const pv *from)
{
#if PW == 16
    __m512 t[16], u[16];
    PK_UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(from[i], from[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(from[i], from[i + 1]);
    }
    PK_UNROLL
    for (int i = 0; i < 16; i += 4) {
        u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);
        u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
    PK_UNROLL
    for (int i = 0; i < 4; i++) {                       /* u[i + 4q]: column i + 4*lane of the rows 4q..4q+3 */
        t[i] = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xDD);
        to[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        to[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
        to[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        to[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xDD);
    }
#else
    __m256 t[8], u[8];
    PK_UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(from[i], from[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(from[i], from[i + 1]);
    }
    PK_UNROLL
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
    PK_UNROLL
    for (int i = 0; i < 4; i++) {
        to[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        to[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
#endif
}

/* Up to PW lanes of a panel whose lanes are contiguous in memory (lane stride 1): rows of the panel are copied. */
PK_INLINE void pack_copy(float *to, const int width, const float *from, int64_t step, int lanes, int64_t k)
{
    if (lanes >= PW) {
        for (int64_t p = 0; p < k; p++) pv_store(to + p * width, pv_load(from + p * step));
    } else {
        pm have = pm_tail(lanes);
        if (width % PW == 0) {
            for (int64_t p = 0; p < k; p++) pv_store(to + p * width, pv_load_m(from + p * step, have));
        } else {                                        /* the panel's last lanes: not a full vector of them */
            pm keep = pm_tail(width % PW);
            for (int64_t p = 0; p < k; p++) pv_store_m(to + p * width, keep, pv_load_m(from + p * step, have));
        }
    }
}

/* The same of rows in memory, `row` apart: to[j] is column j of the first `rows` of them. Putting the quarters of a
 * vector together while loading leaves only shuffles within quarters, half as many. rows is a constant. */
PK_INLINE void load_transposed(pv *to, const float *from, int64_t row, const int rows)
{
#if PW == 16
    PK_UNROLL
    for (int j = 0; j < 16; j += 4) {
        __m512 x[4], t[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            const float *at = from + i * row + j;
            x[i] = _mm512_castps128_ps512(_mm_loadu_ps(at));
            if (i + 4 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 4 * row), 1);
            if (i + 8 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 8 * row), 2);
            if (i + 12 < rows) x[i] = _mm512_insertf32x4(x[i], _mm_loadu_ps(at + 12 * row), 3);
        }
        t[0] = _mm512_unpacklo_ps(x[0], x[1]);
        t[1] = _mm512_unpackhi_ps(x[0], x[1]);
        t[2] = _mm512_unpacklo_ps(x[2], x[3]);
        t[3] = _mm512_unpackhi_ps(x[2], x[3]);
        to[j] = _mm512_shuffle_ps(t[0], t[2], 0x44);
        to[j + 1] = _mm512_shuffle_ps(t[0], t[2], 0xEE);
        to[j + 2] = _mm512_shuffle_ps(t[1], t[3], 0x44);
        to[j + 3] = _mm512_shuffle_ps(t[1], t[3], 0xEE);
    }
#else
    PK_UNROLL
    for (int j = 0; j < 8; j += 4) {
        __m256 x[4], t[4];
        PK_UNROLL
        for (int i = 0; i < 4; i++) {
            const float *at = from + i * row + j;
            x[i] = _mm256_castps128_ps256(_mm_loadu_ps(at));
            if (i + 4 < rows) x[i] = _mm256_insertf128_ps(x[i], _mm_loadu_ps(at + 4 * row), 1);
        }
        t[0] = _mm256_unpacklo_ps(x[0], x[1]);
        t[1] = _mm256_unpackhi_ps(x[0], x[1]);
        t[2] = _mm256_unpacklo_ps(x[2], x[3]);
        t[3] = _mm256_unpackhi_ps(x[2], x[3]);
        to[j] = _mm256_shuffle_ps(t[0], t[2], 0x44);
        to[j + 1] = _mm256_shuffle_ps(t[0], t[2], 0xEE);
        to[j + 2] = _mm256_shuffle_ps(t[1], t[3], 0x44);
        to[j + 3] = _mm256_shuffle_ps(t[1], t[3], 0xEE);
    }
#endif
}

/* Up to PW lanes of a panel whose k is contiguous in memory (step 1): transposed PW x PW at a time. */
PK_INLINE void pack_transpose(float *to, const int width, const float *from, int64_t lane, int lanes, int64_t k)
{
    const int room = width % PW ? width % PW : PW;
    pv x[PW], y[PW];
    int64_t p = 0;
    if (lanes >= room) {
        for (; p + PW <= k; p += PW) {
            load_transposed(y, from + p, lane, room);
            PK_UNROLL                           /* what a whole vector writes beyond its row, the next row overwrites */
            for (int i = 0; i < PW; i++) {
                if (room == PW || i + 1 < PW || p + PW < k) pv_store(to + (p + i) * width, y[i]);
                else pv_store_m(to + (p + i) * width, pm_tail(room), y[i]);
            }
        }
    }
    for (; p < k; p += PW) {
        const int got = k - p < PW ? (int)(k - p) : PW;
        for (int i = 0; i < PW; i++)
            x[i] = i >= lanes ? pv_zero() : got == PW ? pv_load(from + i * lane + p)
                                                      : pv_load_m(from + i * lane + p, pm_tail(got));
        transpose(y, x);
        for (int i = 0; i < got; i++) {
            if (room == PW) pv_store(to + (p + i) * width, y[i]);
            else pv_store_m(to + (p + i) * width, pm_tail(room), y[i]);
        }
    }
}

/* to[k][width]: lane i of row p is from[i*lane + p*step], zero for i >= lanes (lanes <= width). One of lane and
 * step is 1. width is a constant: PK_MR (A; lane is the distance of rows) or PK_NR (B; lane: of columns). */
PK_INLINE void pack_panel(float *to, const int width, const float *from, int64_t lane, int64_t step, int lanes,
                          int64_t k)
{
    if (lane == 1 && lanes == 2 * PW && width == 2 * PW) {      /* whole rows: each page is seen once */
        for (int64_t p = 0; p < k; p++, to += width, from += step) {
            pv x = pv_load(from), y = pv_load(from + PW);
            pv_store(to, x);
            pv_store(to + PW, y);
        }
        return;
    }
    for (int at = 0; at < width; at += PW) {
        int some = lanes - at < 0 ? 0 : lanes - at < PW ? lanes - at : PW;
        if (lane == 1) pack_copy(to + at, width, from + at, step, some, k);
        else pack_transpose(to + at, width, from + at * lane, lane, some, k);
    }
}
#endif
