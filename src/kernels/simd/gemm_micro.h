/* SPDX-License-Identifier: Apache-2.0
 * gemm_micro.h -- the micro-kernel of the matrix product, used by gemm.c and the attention kernels of this folder: it
 * computes a register tile of PK_MR x PK_NR elements of C from packed panels, A as a[k][PK_MR] and B as b[k][PK_NR].
 * Lanes beyond the matrix are zero (pack.h). Each element is one chain of FMAs over k in index order, wherever in the
 * tile. With PK_DOT_BF16 defined, the instruction VDPBF16PS takes the place of the FMA: k then counts pairs of bf16,
 * each in the 32 bits of a float (../dot/pairs.h). With PK_DOT_INT8 it is VPDPBUSD: accumulators are 32-bit integers,
 * and k counts groups of four bytes (../bytes/bytes.h). */
#ifndef PK_GEMM_MICRO_H
#define PK_GEMM_MICRO_H
#include "simd.h"

#if PW == 16
#define PK_MR 14                                        /* registers: 28 accumulators, 2 of B, 1 of A: 31 of 32 */
#else
#define PK_MR 6                                         /* registers: 12 accumulators, 2 of B, up to 2 of A: 16 */
#endif
#define PK_NR (2 * PW)
#define PK_LINE (PK_ALIGN / (int)sizeof(float))         /* floats in a cache line */
#define PK_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define PK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PK_UNROLL _Pragma("GCC unroll 16")
#endif
/* Stops the compiler from moving loads across it: with hoisted loads the accumulators no longer fit the registers. */
#define PK_ORDER __asm__ volatile("" ::: "memory")

/* Prefetches the cache line of p for reading, into the level-1 cache. */
#define PK_PREFETCH(p) __builtin_prefetch(p, 0, 3)

/* Stores the first n lanes of x, all of them for n >= PW; n >= 1. */
PK_INLINE void store_lanes(float *c, pv x, int n)
{
    if (n >= PW) pv_store(c, x);
    else pv_store_m(c, pm_first(n), x);
}

/* Loads the first n lanes of x, zero in the others; n may be 0 or more than PW. */
PK_INLINE pv load_lanes(const float *x, int64_t n)
{
    return n >= PW ? pv_load(x) : n > 0 ? pv_load_m(x, pm_first(n)) : pv_zero();
}

/* f(i) for each row i of the tile. A loop would be unrolled too late for the compiler to keep acc in registers. */
#if PW == 16
#define PK_EACH_ROW(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13)
#else
#define PK_EACH_ROW(f) f(0) f(1) f(2) f(3) f(4) f(5)
#endif

/* Loads the m x n corner of `initial`, rows row_stride apart, into the accumulators; NULL: zeros. rows and vectors,
 * here and below, are compile-time constants: the rows and the vectors of a row (1 or 2) that the compiled variant
 * computes, at least m and n. */
PK_INLINE void micro_begin(pv (*acc)[2], const float *initial, int64_t row_stride, int m, int n, const int rows,
                           const int vectors)
{
    if (initial) {
#define PK_ROW(i) if (i < rows) { acc[i][0] = load_lanes(initial + i * row_stride, i < m ? n : 0); \
        if (vectors > 1) acc[i][1] = load_lanes(initial + i * row_stride + PW, i < m ? n - PW : 0); }
        PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    } else {
#define PK_ROW(i) if (i < rows) acc[i][0] = acc[i][1] = pv_zero();
        PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    }
}

/* Stores the m x n corner of the accumulators in c. */
PK_INLINE void micro_end(float *c, int64_t c_row, pv (*acc)[2], int m, int n, const int rows, const int vectors)
{
#define PK_ROW(i) if (i < rows && i < m) { \
        store_lanes(c + i * c_row, acc[i][0], n); \
        if (vectors > 1) store_lanes(c + i * c_row + PW, acc[i][1], n - PW); }
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
}

/* acc += x*b, where x is of A. With an intrinsic gcc copies accumulators between registers and spills some; the
 * instruction does not. */
#if defined(PK_DOT_BF16)
#define PK_MULTIPLY_ADD "vdpbf16ps"
#define PK_MULTIPLY_ADD_OF(x, b, acc) _mm512_dpbf16_ps(acc, (__m512bh)(x), (__m512bh)(b))
#elif defined(PK_DOT_INT8)      /* its second operand is the unsigned one, that of B */
#define PK_MULTIPLY_ADD "vpdpbusd"
#define PK_MULTIPLY_ADD_OF(x, b, acc) _mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(acc), \
                                          _mm512_castps_si512(b), _mm512_castps_si512(x)))
#else
#define PK_MULTIPLY_ADD "vfmadd231ps"
#define PK_MULTIPLY_ADD_OF(x, b, acc) pv_fma(x, b, acc)
#endif
PK_INLINE void micro_fma(pv *acc, pv x, pv b)
{
#if defined(__clang__)
    *acc = PK_MULTIPLY_ADD_OF(x, b, *acc);
#else
    __asm__(PK_MULTIPLY_ADD " %2, %1, %0" : "+v"(*acc) : "v"(b), "v"(x));
#endif
}

#if PW == 16
/* *acc += *x * b, where the FMA itself broadcasts *x from memory: no separate instruction loads it. A core shared by
 * two hardware threads is limited by the instructions it decodes, which this saves; a core alone by its two loads a
 * cycle, for which rows 2, 7 and 12 of the tile load *x into a register once for both vectors. */
#define PK_BROADCAST(i) ((i) % 5 != 2)
PK_INLINE void micro_fma_broadcast(pv *acc, const float *x, pv b)
{
    __asm__(PK_MULTIPLY_ADD " %2%{1to16%}, %1, %0" : "+v"(*acc) : "v"(b), "m"(*x));
}
#else
#define PK_BROADCAST(i) 0
PK_INLINE void micro_fma_broadcast(pv *acc, const float *x, pv b) { micro_fma(acc, pv_set(*x), b); }
#endif

/* One row of the tile, one k: acc[0..vectors-1] += *x * b. broadcast: by micro_fma_broadcast. */
PK_INLINE void micro_row(pv *acc, const float *x, pv b0, pv b1, const int vectors, const int broadcast)
{
    if (broadcast) {
        micro_fma_broadcast(&acc[0], x, b0);
        if (vectors > 1) micro_fma_broadcast(&acc[1], x, b1);
    } else {
        pv value = pv_set(*x);
        micro_fma(&acc[0], value, b0);
        if (vectors > 1) micro_fma(&acc[1], value, b1);
    }
}

/* One k: acc += (column of A)(row of B). a_row: the distance of A's rows, a compile-time constant, 1 in a panel. */
PK_INLINE void micro_step(pv (*acc)[2], const float *a, const int a_row, const float *b, const int rows,
                          const int vectors)
{
    pv b0 = pv_load(b), b1 = vectors > 1 ? pv_load(b + PW) : pv_zero();
#define PK_ROW(i) if (i < rows) micro_row(acc[i], a + i * a_row, b0, b1, vectors, PK_BROADCAST(i));
    PK_EACH_ROW(PK_ROW)
#undef PK_ROW
    PK_ORDER;
}

/* Does FMAs on all accumulators of a tile, without memory: independent chains, more than the latency of an FMA needs.
 * The factor y is 0, so that the sums stay 1. Returns the number of operations, two for each lane. */
PK_INLINE double micro_peak(int64_t rounds)
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
    return out[0] == 2 * PK_MR ? (double)rounds * PK_MR * 2 * PW * 2 : 0;      /* using it keeps the loop alive */
}

/* Does micro_step for four values of k. The panel of A is in the level-2 cache, from which the hardware prefetcher
 * brings it a little late: it is prefetched 2 KiB (512 floats) ahead. */
PK_INLINE void micro_four(pv (*acc)[2], const float *a, const float *b, const int rows, const int vectors)
{
    PK_UNROLL
    for (int i = 0; i < 4 * PK_MR; i += PK_LINE) PK_PREFETCH(a + 512 + i);
    micro_step(acc, a, 1, b, rows, vectors);
    micro_step(acc, a + PK_MR, 1, b + PK_NR, rows, vectors);
    micro_step(acc, a + 2 * PK_MR, 1, b + 2 * PK_NR, rows, vectors);
    micro_step(acc, a + 3 * PK_MR, 1, b + 3 * PK_NR, rows, vectors);
}

/* Prefetches the lines of one turn (pk_prefetch in ../pk.h) and moves the cursor behind them. */
PK_INLINE void prefetch_turn(pk_prefetch *p)
{
    for (int i = 0; i < p->lines_per_turn; i++) {
        PK_PREFETCH(p->line);
        p->line += PK_ALIGN;
        if (--p->lines_left) continue;
        p->lines_left = p->lines_per_row;
        p->line += p->row_gap;
        if (--p->rows_left == 0) p->lines_per_turn = 0;
    }
}

/* Prefetches rows 2*turn and 2*turn + 1 of each block. */
PK_INLINE void prefetch_block_rows(const pk_micro_prefetch *p, int turn)
{
    for (int i = 0; i < p->blocks; i++) {
        const char *row = p->block[i].data + 2 * turn * p->block[i].row_bytes;
        PK_UNROLL
        for (int j = 0; j < PK_NR * (int)sizeof(float); j += PK_ALIGN) {
            PK_PREFETCH(row + j);
            PK_PREFETCH(row + p->block[i].row_bytes + j);
        }
    }
}

/* Prefetches the tile behind `initial` and the blocks, spread over the first TURNS turns: most pieces of K have as
 * many. */
PK_INLINE void prefetch_tiles(const pk_micro_prefetch *p, const float *initial, int turn)
{
    enum { TURNS = 10, LINES = (PK_MR * PK_NR / PK_LINE + TURNS - 1) / TURNS };    /* lines of the tile in a turn */
    if (turn >= TURNS) return;
    if (initial) {
        const float *next = initial + PK_MR * PK_NR + turn * LINES * PK_LINE;
        PK_UNROLL
        for (int i = 0; i < LINES; i++) PK_PREFETCH(next + i * PK_LINE);
    }
    if (2 * turn < PK_MR) prefetch_block_rows(p, turn);
}

/* acc += the products of the panels' k, with what `prefetch` (NULL: nothing) and the tile behind `initial` prefetch. */
PK_INLINE void micro_sums(int64_t k, pv (*acc)[2], const float *a, const float *b, const float *initial,
                          pk_micro_prefetch *prefetch, const int rows, const int vectors)
{
    int64_t p = 0;
    if (prefetch) {
        for (int turn = 0; p + PK_TURN <= k; p += PK_TURN, a += PK_TURN * PK_MR, b += PK_TURN * PK_NR, turn++) {
            prefetch_tiles(prefetch, initial, turn);
            micro_four(acc, a, b, rows, vectors);
            micro_four(acc, a + 4 * PK_MR, b + 4 * PK_NR, rows, vectors);
            prefetch_turn(&prefetch->cursor[0]);
            micro_four(acc, a + 8 * PK_MR, b + 8 * PK_NR, rows, vectors);
            prefetch_turn(&prefetch->cursor[1]);
            micro_four(acc, a + 12 * PK_MR, b + 12 * PK_NR, rows, vectors);
        }
    }
    for (; p + 4 <= k; p += 4, a += 4 * PK_MR, b += 4 * PK_NR) micro_four(acc, a, b, rows, vectors);
    for (; p < k; p++, a += PK_MR, b += PK_NR) micro_step(acc, a, 1, b, rows, vectors);
}

/* micro_tile for a variant of constant rows and vectors. */
PK_INLINE void micro_rows(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                          const float *initial, pk_micro_prefetch *prefetch, const int rows, const int vectors)
{
    pv acc[PK_MR][2];
    micro_begin(acc, initial, PK_NR, m, n, rows, vectors);
    micro_sums(k, acc, a, b, initial, prefetch, rows, vectors);
    micro_end(c, c_row, acc, m, n, rows, vectors);
}

/* Calls the variant of rows_fn for a tile of m x n: rows_fn(..., rows, vectors) with m rounded up to 2, 4, 8 or PK_MR
 * rows, so that the last few rows of a matrix do not cost a full tile. */
#define PK_TILE(m, n, rows_fn, ...) \
    if ((m) <= 2) PK_VECTORS(n, 2, rows_fn, __VA_ARGS__) \
    else if ((m) <= 4) PK_VECTORS(n, 4, rows_fn, __VA_ARGS__) \
    else if (PK_MR > 8 && (m) <= 8) PK_VECTORS(n, 8, rows_fn, __VA_ARGS__) \
    else PK_VECTORS(n, PK_MR, rows_fn, __VA_ARGS__)
#define PK_VECTORS(n, rows, rows_fn, ...) \
    { if ((n) > PW) rows_fn(__VA_ARGS__, rows, 2); else rows_fn(__VA_ARGS__, rows, 1); }

/* The micro-kernel: c[m,n] = initial + sum over k of a[k][i]*b[k][j], with 1 <= m <= PK_MR and 1 <= n <= PK_NR. initial
 * is a tile [PK_MR][PK_NR] (NULL: zeros), or c if that is contiguous. Nothing outside the m x n corner of initial and c
 * is read or written. A full tile also prefetches: the tile behind initial, and what `prefetch` says (may be NULL). */
static inline void micro_tile(int64_t k, const float *a, const float *b, float *c, int64_t c_row, int m, int n,
                              const float *initial, pk_micro_prefetch *prefetch)
{
    if (m == PK_MR && n == PK_NR) micro_rows(k, a, b, c, c_row, PK_MR, PK_NR, initial, prefetch, PK_MR, 2);
    else PK_TILE(m, n, micro_rows, k, a, b, c, c_row, m, n, initial, NULL)
}
#endif
