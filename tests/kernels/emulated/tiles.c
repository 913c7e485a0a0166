/* SPDX-License-Identifier: Apache-2.0
 * tiles.c -- see tiles.h. Operations and faults are those of Intel's "Architecture Instruction Set Extensions
 * Programming Reference" (319433), chapter on AMX, and of the pages of TDPBF16PS and TDPBSUD in the Software
 * Developer's Manual: TDPBF16PS sums the products of even and of odd elements of a row each by its own chain of FMAs,
 * from 0 on; adds the two sums; and adds that to the element of the result. Rounding is to nearest even, subnormal
 * operands and results are 0, and MXCSR is neither read nor written. Here the CPU's FMA computes it with MXCSR set so.
 */
#include <immintrin.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/tiles/tile_ops.h"

const char *pk_tiles_refusal(void);

enum { NEAREST_FLUSH = 0x9fc0 };                        /* MXCSR: to nearest, FTZ and DAZ, no traps */

typedef struct registers { tile_config config; _Alignas(64) unsigned char tile[TILES][TILE][64]; } registers;
static _Thread_local registers now;
static atomic_int_least64_t dots;
static const char *_Atomic refusal;

static void fault(const char *what)
{
    fprintf(stderr, "emulated tiles: %s\n", what);
    abort();
}

static void check_tile(int t)
{
    if (!now.config.palette) fault("a tile is used without a configuration");
    if (!now.config.rows[t] || !now.config.row_bytes[t]) fault("a tile is used that the configuration lacks");
}

void emulated_configure(const void *config)
{
    static const tile_config none;
    tile_config c;
    memcpy(&c, config, sizeof c);
    if (c.palette > 1 || memcmp(c.reserved, none.reserved, sizeof c.reserved)) fault("reserved values are not 0");
    for (int t = 0; t < 16; t++) {
        if (c.rows[t] > TILE || c.row_bytes[t] > 64) fault("a tile of more than 16 rows or 64 bytes a row");
        if (t >= TILES && (c.rows[t] || c.row_bytes[t])) fault("a tile of a number above 7");
        if (!c.rows[t] != !c.row_bytes[t]) fault("a tile of no rows, or of rows without bytes");
    }
    memset(&now, 0, sizeof now);
    if (c.palette) now.config = c;
}

void emulated_configuration(void *config) { memcpy(config, &now.config, sizeof now.config); }

void emulated_zero(int t)
{
    check_tile(t);
    memset(now.tile[t], 0, sizeof now.tile[t]);
}

void emulated_load(int t, const void *from, int64_t stride)
{
    check_tile(t);
    memset(now.tile[t], 0, sizeof now.tile[t]);
    for (int i = 0; i < now.config.rows[t]; i++)
        memcpy(now.tile[t][i], (const char *)from + i * stride, now.config.row_bytes[t]);
}

void emulated_store(int t, void *to, int64_t stride)
{
    check_tile(t);
    for (int i = 0; i < now.config.rows[t]; i++)
        memcpy((char *)to + i * stride, now.tile[t][i], now.config.row_bytes[t]);
}

/* Checks the shapes of c += a b. */
static void check_dot(int c, int a, int b)
{
    const tile_config *s = &now.config;
    check_tile(c);
    check_tile(a);
    check_tile(b);
    if (c == a || c == b || a == b) fault("a product of one tile with itself");
    if (s->rows[c] != s->rows[a] || s->row_bytes[c] != s->row_bytes[b] || s->row_bytes[a] != 4 * s->rows[b])
        fault("tiles whose shapes do not fit together");
    atomic_fetch_add_explicit(&dots, 1, memory_order_relaxed);
}

void emulated_dot_bf16(int c, int a, int b)
{
    check_dot(c, a, b);
    const unsigned before = _mm_getcsr();
    _mm_setcsr(NEAREST_FLUSH);
    __asm__ volatile("" : : : "memory");                /* the arithmetic stays between the two writes of MXCSR */
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000u);
    for (int i = 0; i < now.config.rows[c]; i++) {
        __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
        for (int p = 0; p < now.config.rows[b]; p++) {
            int32_t pair;
            memcpy(&pair, now.tile[a][i] + 4 * p, sizeof pair);
            const __m512i x = _mm512_set1_epi32(pair), y = _mm512_load_si512(now.tile[b][p]);
            even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
                                   _mm512_castsi512_ps(_mm512_slli_epi32(y, 16)), even);
            odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, upper)),
                                  _mm512_castsi512_ps(_mm512_and_si512(y, upper)), odd);
        }
        float *row = (float *)(void *)now.tile[c][i];
        _mm512_store_ps(row, _mm512_add_ps(_mm512_load_ps(row), _mm512_add_ps(even, odd)));
        memset(now.tile[c][i] + now.config.row_bytes[c], 0, 64u - now.config.row_bytes[c]);
    }
    __asm__ volatile("" : : : "memory");
    _mm_setcsr(before);
}

/* The sums are exact, so that the CPU's instruction for vectors of bytes, VPDPBUSD, gives the same. */
void emulated_dot_bytes(int c, int a, int b)
{
    check_dot(c, a, b);
    for (int i = 0; i < now.config.rows[c]; i++) {
        __m512i sums = _mm512_load_si512(now.tile[c][i]);
        for (int p = 0; p < now.config.rows[b]; p++) {
            int32_t four;
            memcpy(&four, now.tile[a][i] + 4 * p, sizeof four);
            sums = _mm512_dpbusd_epi32(sums, _mm512_load_si512(now.tile[b][p]), _mm512_set1_epi32(four));
        }
        _mm512_store_si512(now.tile[c][i], sums);
        memset(now.tile[c][i] + now.config.row_bytes[c], 0, 64u - now.config.row_bytes[c]);
    }
}

int64_t emulated_dots(void) { return atomic_load(&dots); }
void emulated_refuse(const char *why) { atomic_store(&refusal, why); }
const char *pk_tiles_refusal(void) { return atomic_load(&refusal); }
